"""Joining, splitting, repetition, order and positions, against NumPy and central differences."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flambeau as torch

A = np.random.default_rng(2).permutation(12).reshape(3, 4) / 5 - 1.3
B = np.random.default_rng(3).permutation(12).reshape(3, 4) / 3 - 0.7
ROWS = np.array([[0, 2, 1, 0], [1, 1, 0, 2]])
MASK = A > 0


@pytest.mark.parametrize("name, call, want", [
    ("cat", lambda x: torch.cat([x, x], 1), lambda a: np.concatenate([a, a], 1)),
    ("stack", lambda x: torch.stack([x, x], -1), lambda a: np.stack([a, a], -1)),
    ("flip", lambda x: x.flip(0, 1), lambda a: np.flip(a, (0, 1))),
    ("roll", lambda x: x.roll((1, -2), (0, 1)), lambda a: np.roll(a, (1, -2), (0, 1))),
    ("rot90", lambda x: x.rot90(3), lambda a: np.rot90(a, 3)),
    ("repeat", lambda x: x.repeat(2, 1, 3), lambda a: np.tile(a, (2, 1, 3))),
    ("repeat_interleave", lambda x: x.repeat_interleave(torch.tensor([2, 0, 1]), 0),
     lambda a: np.repeat(a, [2, 0, 1], 0)),
    ("tril", lambda x: x.tril(-1), lambda a: np.tril(a, -1)),
    ("diag", lambda x: torch.diag(x, 1), lambda a: np.diag(a, 1)),
    ("sort", lambda x: x.sort(0).values, lambda a: np.sort(a, 0)),
    ("argsort", lambda x: x.argsort(1, True), lambda a: np.argsort(-a, 1)),
    ("gather", lambda x: x.gather(0, torch.tensor(ROWS)), lambda a: np.take_along_axis(a, ROWS, 0)),
    ("take", lambda x: x.take(torch.tensor([5, -1])), lambda a: np.take(a, [5, -1])),
    ("masked_select", lambda x: x.masked_select(torch.tensor(MASK)), lambda a: a[MASK]),
    ("nonzero", lambda x: (x > 0).nonzero(), lambda a: np.argwhere(a > 0)),
    ("vander", lambda x: torch.vander(x[0], 3), lambda a: np.vander(a[0], 3)),
    ("searchsorted", lambda x: torch.searchsorted(x[0].sort().values, x), lambda a: np.searchsorted(np.sort(a[0]), a)),
    ("histc", lambda x: torch.histc(x, 5, -1, 1), lambda a: np.histogram(a, 5, (-1, 1))[0]),
])
def test_like_numpy(name, call, want):
    np.testing.assert_allclose(call(torch.tensor(A)).numpy(), want(A), rtol=1e-12)


def at(name):
    return torch.tensor({"rows": ROWS, "i": [2, 0], "mask": MASK}[name])


GRADIENTS = {
    "cat": lambda x, y: torch.cat([x, y * 2], 1),
    "stack": lambda x, y: torch.stack([y, x]),
    "split": lambda x, y: (x * y).split([1, 3], 1),
    "unbind": lambda x, y: (x * y).unbind(1),
    "roll": lambda x, y: x.roll(3) * y,
    "repeat": lambda x, y: (x * y).repeat(1, 2),
    "tile": lambda x, y: x.tile(2) * y.flip(0).repeat(1, 2),
    "rot90": lambda x, y: (x * y).rot90(),
    "triu": lambda x, y: (x * y).triu(1),
    "diag_embed": lambda x, y: (x * y).diag_embed(1),
    "block_diag": lambda x, y: torch.block_diag(x, y),
    "gather": lambda x, y: x.gather(0, at("rows")) * y[:2],
    "scatter": lambda x, y: x.scatter(0, at("rows")[:1], y),
    "scatter_add": lambda x, y: x.scatter_add(0, at("rows"), y[:2]),
    "scatter_prod": lambda x, y: x.scatter_reduce(0, at("rows"), y[:2], "prod"),
    "scatter_mean": lambda x, y: x.scatter_reduce(0, at("rows"), y[:2], "mean", include_self=False),
    "scatter_amax": lambda x, y: x.scatter_reduce(0, at("rows"), y[:2], "amax"),
    "index_select": lambda x, y: x.index_select(0, at("i")) * y[:2],
    "index_add": lambda x, y: x.index_add(0, at("i"), y[:2], alpha=0.5),
    "index_copy": lambda x, y: x.index_copy(0, at("i"), y[:2]),
    "masked_fill": lambda x, y: (x * y).masked_fill(at("mask"), 3),
    "masked_scatter": lambda x, y: x.masked_scatter(at("mask"), y),
    "put": lambda x, y: x.put(at("i"), y[0, :2], accumulate=True),
    "index_put": lambda x, y: x.index_put((at("i"), at("i")), y[0, :2]),
    "sort": lambda x, y: (x * y).sort(1),
    "slice_scatter": lambda x, y: x.slice_scatter(y[:, :2], 1, 0, 4, 2),
    "as_strided_scatter": lambda x, y: x.as_strided_scatter(y[0, :3], (3,), (5,), 0),
    "take_along_dim": lambda x, y: torch.take_along_dim(x * y, x.argmax(1, True), 1),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(check_gradient, name):
    check_gradient(GRADIENTS[name], A, B)


@given(st.lists(st.integers(0, 4), max_size=12), st.booleans())
def test_unique(values, consecutive):
    t = torch.tensor(values, dtype=torch.int64)
    call = torch.unique_consecutive if consecutive else torch.unique
    found, inverse, counts = call(t, return_inverse=True, return_counts=True)
    assert found[inverse].tolist() == values
    assert int(counts.sum()) == len(values)
    if not consecutive:
        assert found.tolist() == sorted(set(values))


@given(st.integers(1, 9), st.integers(1, 9))
def test_chunks_and_splits_join_to_the_whole(n, parts):
    x = torch.arange(n)
    for pieces in (x.chunk(parts), x.split(parts), x.tensor_split(parts)):
        assert torch.cat(pieces).tolist() == list(range(n))
    assert len(x.tensor_split(parts)) == parts


def test_split_views_share_one_node():
    x = torch.ones(4, requires_grad=True)
    a, b = (x * 1).split(2)
    assert a.grad_fn is b.grad_fn and a.grad_fn.name() == "SplitBackward0" and (a.output_nr, b.output_nr) == (0, 1)
    b.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("call, error, words", [
    (lambda x: torch.cat([]), ValueError, "expected a non-empty list of Tensors"),
    (lambda x: torch.cat(x), TypeError, "must be tuple of Tensors, not Tensor"),
    (lambda x: torch.cat([x, x[0]]), RuntimeError, "Tensors must have same number of dimensions: got 2 and 1"),
    (lambda x: torch.stack([x, x[:1]]), RuntimeError, "stack expects each tensor to be equal size"),
    (lambda x: x.split([1, 1]), RuntimeError, "split_with_sizes expects split_sizes to sum exactly to 3"),
    (lambda x: x.gather(0, torch.tensor([[7]])), RuntimeError, "index 7 is out of bounds for dimension 0 with size 3"),
    (lambda x: x.index_select(0, torch.tensor([7])), IndexError, "index out of range in self"),
    (lambda x: x.take(torch.tensor([99])), IndexError, "out of range: tried to access index 99 on a tensor of 12 "
                                                       "elements"),
    (lambda x: x.masked_fill(torch.ones(4), 0), RuntimeError, "only supports boolean masks, but got mask with dtype "
                                                              "float"),
    (lambda x: x.scatter(0, torch.tensor([[0]]), x.int()), RuntimeError, "Expected self.dtype to be equal"),
    (lambda x: x.topk(9), RuntimeError, "selected index k out of range"),
    (lambda x: x.gather(0, torch.tensor([[0]]), out=x), RuntimeError, "refer to a single memory location"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(torch.tensor(A))


def test_index_add_of_booleans_heeds_alpha():
    x, source = torch.tensor([True, False, False]), torch.tensor([True, True])
    at_ = torch.tensor([1, 2])
    assert x.index_add(0, at_, source, alpha=False).tolist() == [True, False, False]
    assert x.index_add(0, at_, source, alpha=True).tolist() == [True, True, True]
