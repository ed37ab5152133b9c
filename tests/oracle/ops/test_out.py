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
ones(3, out=o); zeros(2, 3, out=o); full((3,), 2.0, out=o); eye(3, out=o); linspace(0, 1, 3, out=o); exp(A.t(), out=o); add(A.t(), A.t(), out=o);
linalg.solve(A, A, out=o); linalg.qr(A, out=(o, o2)); linalg.eigh(A, out=(o, o2)); linalg.lu_factor(A, out=(o, i)); linalg.householder_product(A, A[0], out=o);
triangular_solve(A, A, out=(o, o2)); geqrf(A, out=(o, o2)); cholesky_solve(A, A, out=o);
orgqr(A, A[0], out=o); sort(A.t(), 0, out=(o, k)); tensordot(A, A, 1, out=o); hash_tensor(A, out=o); all(A, out=o); any(A, 0, out=i)
""".replace("\n", "").split(";")


def _outcome(t, call, of, big):
    A = t.tensor([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    size = 7 if big else 0
    names = {"A": A, "j": t.tensor([0]), **{n: t.zeros(size, dtype=getattr(t, of)) for n in ("o", "o2")},
             **{n: t.zeros(size, dtype=t.int32) for n in ("i", "i2")}, "k": t.zeros(size, dtype=t.int64)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            eval("t." + call.strip(), {"t": t, **names})
        except RuntimeError as error:
            return str(error)
    outs = [names[n] for n in ("o", "o2", "i", "i2", "k")]
    return [(tuple(o.shape), o.stride()) for o in outs], any("resized" in str(w.message) for w in told)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("of", "big"), [("float32", False), ("float32", True), ("float64", False)])
def test_out(call, of, big):
    assert _outcome(flambeau, call, of, big) == _outcome(torch, call, of, big)


TYPED = ["sum(x, 0, out=o)", "prod(x, 0, out=o)", "cumsum(x, 0, out=o)", "cumprod(x, 0, out=o)", "cumsum(x, 0, dtype=t.float32, out=o)",
         "sum(x, 0, dtype=t.float32, out=o)", "bernoulli(p, out=o)", "cat([x, x], out=o)", "stack([x, p], out=o)", "all(x, 0, out=o)",
         "tensordot(x, x, 1, out=o)"]


@pytest.mark.parametrize("call", TYPED)
@pytest.mark.parametrize("of", ["float32", "float64", "int32", "int64"])
def test_the_dtype_of_out(call, of):
    outcomes = []
    for t in (torch, flambeau):
        t.manual_seed(0)
        o = t.empty(0, dtype=getattr(t, of))
        names = {"t": t, "x": t.tensor([[1.7, 2.6], [3.9, -1.2]], dtype=t.float64), "p": t.ones(2, 2, dtype=t.float64) / 2, "o": o}
        try:
            eval("t." + call, names)
            outcomes.append(([round(v, 5) for v in o.double().flatten().tolist()], tuple(o.shape), o.stride()))
        except (RuntimeError, TypeError) as error:
            outcomes.append((type(error), str(error)))
    assert outcomes[0] == outcomes[1]
