"""`out=`: which dtypes it may have, how it lies in memory after it was resized, and what is said about that."""
import warnings

import pytest

torch = pytest.importorskip("torch")

import flambeau

CALLS = """
linalg.inv(A, out=o); linalg.inv_ex(A, out=(o, i)); linalg.cholesky(A, out=o); linalg.det(A, out=o); linalg.slogdet(A, out=(o, o2)); inverse(A, out=o);
linalg.lu_factor_ex(A, out=(o, i, i2)); linalg.ldl_factor(A, out=(o, i)); linalg.svdvals(A, out=o); linalg.eigvalsh(A, out=o);
linalg.vector_norm(A, out=o); linalg.matrix_power(A, 3, out=o); linalg.cross(A, A, out=o); linalg.pinv(A, out=o); linalg.cond(A, out=o);
linalg.tensorinv(A, 1, out=o); cholesky(A, out=o); softmax(A, 0, out=o); log_softmax(A, 0, out=o); diag(A, out=o); norm(A, out=o); norm(A, 1, 0, out=o); index_copy(A, 0, j, A[:1], out=o);
ones(3, out=o); zeros(2, 3, out=o); full((3,), 2.0, out=o); eye(3, out=o); linspace(0, 1, 3, out=o); exp(A.t(), out=o); add(A.t(), A.t(), out=o)
""".replace("\n", "").split(";")


def _outcome(t, call, of, big):
    A = t.tensor([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    size = 7 if big else 0
    names = {"A": A, "j": t.tensor([0]), **{n: t.zeros(size, dtype=getattr(t, of)) for n in ("o", "o2")},
             **{n: t.zeros(size, dtype=t.int32) for n in ("i", "i2")}}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            eval("t." + call.strip(), {"t": t, **names})
        except RuntimeError as error:
            return str(error)
    outs = [names[n] for n in ("o", "o2", "i", "i2")]
    return [(tuple(o.shape), o.stride()) for o in outs], any("resized" in str(w.message) for w in told)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("of", "big"), [("float32", False), ("float32", True), ("float64", False)])
def test_out(call, of, big):
    assert _outcome(flambeau, call, of, big) == _outcome(torch, call, of, big)
