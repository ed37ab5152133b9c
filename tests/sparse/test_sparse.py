"""Sparse tensors: parts, dense twins, gradients, and files that lie about them."""
import copy
import pickle

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.tensor.not_strided import NotStrided


def random_sparse(rng, shape, nnz, dtype=torch.float64):
    """An uncoalesced tensor and the dense array that it means."""
    indices = np.stack([rng.integers(0, n, nnz) for n in shape])
    values = rng.standard_normal(nnz)
    dense = np.zeros(shape)
    np.add.at(dense, tuple(indices), values)
    return torch.sparse_coo_tensor(torch.tensor(indices), torch.tensor(values), shape), dense


@pytest.mark.parametrize("seed", range(5))
def test_against_dense_arrays(seed):
    rng = np.random.default_rng(seed)
    a, x = random_sparse(rng, (4, 5), 9)
    b, y = random_sparse(rng, (4, 5), 6)
    m = rng.standard_normal((5, 3))
    same = np.testing.assert_allclose
    same(a.to_dense().numpy(), x)
    same(a.coalesce().to_dense().numpy(), x)
    same((a + b).to_dense().numpy(), x + y)
    same((a * b).to_dense().numpy(), x * y, atol=1e-15)
    same((a - 2 * b).to_dense().numpy(), x - 2 * y, atol=1e-15)
    same((a @ torch.tensor(m)).numpy(), x @ m, atol=1e-14)
    same((a @ b.t()).to_dense().numpy(), x @ y.T, atol=1e-14)
    same(torch.sparse.sum(a, 0).to_dense().numpy(), x.sum(0), atol=1e-15)
    same(torch.tensor(x).to_sparse().to_dense().numpy(), x)
    same(a.index_select(1, torch.tensor([3, 0])).to_dense().numpy(), x[:, [3, 0]])
    same(torch.cat([a, b], 1).to_dense().numpy(), np.concatenate([x, y], 1))
    linear = np.ravel_multi_index(a.coalesce().indices().numpy(), (4, 5))
    assert (np.diff(linear) > 0).all()


def test_copies():
    a, x = random_sparse(np.random.default_rng(0), (3, 4), 5)
    for twin in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a)), a.clone()):
        assert repr(twin) == repr(a)
    leaf = torch.sparse_coo_tensor([[0], [1]], [2.0], (2, 2), requires_grad=True)
    twin = copy.deepcopy(leaf)
    twin.to_dense().sum().backward()
    assert leaf.grad is None
    assert twin.grad.to_dense().tolist() == [[0, 1], [0, 0]]


def test_an_operation_without_a_sparse_variant():
    a, _ = random_sparse(np.random.default_rng(0), (3, 4), 5)
    with pytest.raises(NotImplementedError, match="Could not run 'aten::exp'.*to_dense"):
        a.exp()
    assert issubclass(NotStrided, NotImplementedError)
    assert torch.ones(2).sum().item() == 2  # nothing of the failed call is left in the trace


def test_sparse_and_dense_gradients_add_up():
    """A table that is looked up, and used as a matrix."""
    table = nn.Embedding(3, 2, sparse=True)
    (table(torch.tensor([1, 1])).sum() + (table.weight * 2).sum()).backward()
    assert table.weight.grad.tolist() == [[2, 2], [4, 4], [2, 2]]
    table(torch.tensor([0])).sum().backward()
    assert table.weight.grad.tolist() == [[3, 3], [4, 4], [2, 2]]


def test_a_table_that_is_no_leaf_gets_a_dense_gradient():
    weight = torch.ones(3, 2, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor([1]), weight * 3, sparse=True).sum().backward()
    assert weight.grad.tolist() == [[0, 0], [3, 3], [0, 0]]


def test_zero_grad_keeps_a_sparse_gradient_without_elements():
    table = nn.Embedding(3, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    torch.optim.SGD(table.parameters()).zero_grad(set_to_none=False)
    assert table.weight.grad.is_sparse
    assert table.weight.grad._nnz() == 0


def test_positions_are_checked_where_that_is_asked():
    def make():
        return torch.sparse_coo_tensor([[5], [0]], [1.0], (2, 3))
    make()
    with torch.sparse.check_sparse_tensor_invariants(), pytest.raises(RuntimeError, match="size is 2 but found index 5"):
        make()
    with pytest.raises(RuntimeError, match="size is 2 but found index 5"):
        make().to_dense()


def test_errors_change_nothing():
    table = nn.Embedding(3, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    before = table.weight.tolist()
    optimizer = torch.optim.Adam(table.parameters())
    with pytest.raises(RuntimeError, match="consider SparseAdam instead"):
        optimizer.step()
    assert table.weight.tolist() == before
    assert not optimizer.state


def test_gradients_by_finite_differences():
    check = torch.sparse.as_sparse_gradcheck(torch.autograd.gradcheck)
    a, _ = random_sparse(np.random.default_rng(1), (3, 4), 6)
    d = torch.tensor(np.random.default_rng(2).standard_normal((4, 2))).requires_grad_()
    a.requires_grad_()
    for function in (lambda a, d: torch.sparse.mm(a, d), lambda a, d: a * 2, lambda a, d: torch.sparse.softmax(a, 1) @ d,
                     lambda a, d: torch.sparse.sum(a * a, 0), lambda a, d: (a.t() @ a.to_dense()) @ d, lambda a, d: a.to_sparse_csr() @ d):
        assert check(function, (a, d))
    by_rows = a.detach().to_sparse_csr().requires_grad_()
    assert check(lambda c, d: (c @ d, c * 3), (by_rows, d))
