"""Matrices by columns and by blocks (CSC, BSR, BSC), as in PyTorch."""
import io

import pytest

torch = pytest.importorskip("torch")

import flambeau
import flambeau.sparse  # noqa: F401

LAYOUTS = {"csc": (), "bsr": ((2, 2),), "bsc": ((2, 2),), "csr": ()}
CALLS = {
    "text": lambda t, S, A: S, "properties": lambda t, S, A: (S.layout, S.shape, S._nnz(), S.values().shape, S.is_sparse, S.sparse_dim()),
    "crow": lambda t, S, A: S.crow_indices(), "ccol": lambda t, S, A: S.ccol_indices(), "col": lambda t, S, A: S.col_indices(),
    "row": lambda t, S, A: S.row_indices(), "dense": lambda t, S, A: S.to_dense(), "coordinates": lambda t, S, A: S.to_sparse_coo().to_dense(),
    "product": lambda t, S, A: S @ A, "vector": lambda t, S, A: S.matmul(A[0]), "mm": lambda t, S, A: t.sparse.mm(S, A),
    "sparse product": lambda t, S, A: t.mm(S, S).to_dense(), "from the left": lambda t, S, A: A @ S, "addmm": lambda t, S, A: t.addmm(A, S, A),
    "negative": lambda t, S, A: -S, "scaled": lambda t, S, A: S * 2, "sum of two": lambda t, S, A: S + S, "sum": lambda t, S, A: S.sum(),
    "transpose": lambda t, S, A: S.t(), "transpose by dimensions": lambda t, S, A: S.transpose(0, 1).to_dense(), "abs": lambda t, S, A: S.abs(),
    "to csr": lambda t, S, A: S.to_sparse_csr().to_dense(), "to csc": lambda t, S, A: S.to_sparse_csc(),
    "to bsr": lambda t, S, A: S.to_sparse_bsr((2, 2)).to_dense(), "to bsc": lambda t, S, A: S.to_sparse(layout=t.sparse_bsc, blocksize=(2, 2)),
    "other blocks": lambda t, S, A: S.to_sparse_bsr((1, 4)), "float": lambda t, S, A: S.float().dtype, "a row": lambda t, S, A: S[0],
    "copies": lambda t, S, A: (S.clone(), S.detach()), "numpy": lambda t, S, A: S.numpy(),
}


def outcome(t, layout, call):
    A = t.tensor([[1.0, 0, 2, 0], [0, 3, 0, 4], [0, 0, 5, 0], [6, 0, 0, 7]], dtype=t.float64)
    try:
        return repr(CALLS[call](t, getattr(A, "to_sparse_" + layout)(*LAYOUTS[layout]), A))
    except Exception as error:
        return type(error), str(error)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_calls(layout, call):
    assert outcome(flambeau, layout, call) == outcome(torch, layout, call)


MADE = [
    "t.sparse_csc_tensor([0, 1, 2], [0, 1], [1.0, 2.0])", "t.sparse_csc_tensor([0, 1, 2], [0, 1], [1., 2.], size=(3, 2), dtype=t.float64)",
    "t.sparse_bsr_tensor([0, 1, 2], [0, 1], t.ones(2, 2, 3))", "t.sparse_bsc_tensor([0, 1, 2], [0, 1], t.ones(2, 2, 3)).to_dense()",
    "t.sparse_compressed_tensor([0, 1, 2], [0, 1], [1., 2.], layout=t.sparse_csc)", "t.sparse_bsr_tensor([0, 1], [0], t.ones(2, 2))",
    "t.sparse_csc_tensor([0, 1, 2], [0, 7], [1., 2.], size=(2, 2), check_invariants=True)", "t.eye(4).to_sparse_bsr((3, 3))",
    "t.sparse_compressed_tensor([0, 1], [0], [1.0])", "t.eye(4).to_sparse(layout=t.sparse_bsr)", "t.eye(4).to_sparse_bsr(2)",
    "t.sparse_csc_tensor([0, 1, 2], [0, 1], [1., 2.], requires_grad=True)", "t.eye(4).to_sparse().to_sparse_bsc((2, 4))",
]


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("program", MADE)
def test_constructors(program):
    def made(t):
        try:
            return repr(eval(program, {"t": t}))
        except Exception as error:
            return type(error), str(error)
    assert made(flambeau) == made(torch)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients(layout):
    grads = []
    for t in (torch, flambeau):
        A = t.tensor([[1.0, 0], [2.0, 3.0]], requires_grad=True)
        weights = t.tensor([[2.0, 3.0], [4.0, 5.0]])
        (getattr(A, "to_sparse_" + layout)(*LAYOUTS[layout]).to_dense() * weights).sum().backward()
        grads.append(A.grad.tolist())
    assert grads[1] == grads[0]


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_files(layout):
    for writer, reader in ((torch, flambeau), (flambeau, torch), (flambeau, flambeau)):
        file = io.BytesIO()
        S = getattr(writer.eye(4), "to_sparse_" + layout)(*LAYOUTS[layout])
        writer.save(S, file)
        file.seek(0)
        assert repr(reader.load(file, weights_only=True)) == repr(S)
