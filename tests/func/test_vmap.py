"""`vmap(f)` is f for each example."""
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from flambeau import nn, vmap
from flambeau.func import functional_call, grad, stack_module_state
from flambeau.nn import functional as F


def _randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def check(f, *args, in_dims=0, tolerance=1e-5):
    """vmap(f) against a stack of f's results."""
    dims = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args)
    n = next(a.shape[d] for a, d in zip(args, dims) if d is not None)
    got = vmap(f, in_dims=dims)(*args)
    rows = [f(*[a if d is None else a.select(d, i) for a, d in zip(args, dims)]) for i in range(n)]
    if isinstance(got, torch.Tensor):
        got, rows = (got,), [(r,) for r in rows]
    for g, parts in zip(got, zip(*rows)):
        expected = torch.stack(parts)
        assert g.shape == expected.shape and g.dtype is expected.dtype
        assert torch.allclose(g, expected, rtol=tolerance, atol=tolerance)


UNARY = {
    "sin": torch.sin, "softmax": lambda x: x.softmax(-1), "cumsum": lambda x: x.cumsum(0), "sort": lambda x: x.sort(-1),
    "max": lambda x: x.max(0), "amax": lambda x: x.amax((0, 1)), "var": lambda x: x.var(1), "view": lambda x: x.view(-1),
    "transpose": lambda x: x.t()[1], "narrow": lambda x: x.narrow(1, 1, 2), "flip": lambda x: x.flip(0), "topk": lambda x: x.topk(2, 1),
    "diagonal": lambda x: x.diagonal(), "unfold": lambda x: x.unfold(1, 2, 1), "tril": lambda x: x.tril(), "pad": lambda x: F.pad(x, (1, 2)),
    "norm": lambda x: x.norm(), "logsumexp": lambda x: x.logsumexp(1), "roll": lambda x: x.roll(1, 0), "where": lambda x: torch.where(x > 0, x, 0.),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x), "repeat": lambda x: x.repeat(2, 1), "cat": lambda x: torch.cat([x, torch.ones(1, 4)]),
    "argmax": lambda x: x.argmax(1), "split": lambda x: x.split(2, 1), "pinv": lambda x: torch.linalg.pinv(x), "std": lambda x: x.std(),
    "svdvals": lambda x: torch.linalg.svdvals(x), "layer_norm": lambda x: F.layer_norm(x, (4,)), "prod": lambda x: x.prod(0),
}


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_operations(name, dim):
    x = _randn(3, 4, 5).movedim(2, dim) if dim != 0 else _randn(5, 3, 4)
    check(UNARY[name], x, in_dims=dim, tolerance=1e-4)


@settings(max_examples=30)
@given(st.permutations([0, 1, 2]), st.integers(0, 2), st.integers(0, 2), st.sampled_from([0, None]))
def test_any_strides_and_dimensions(order, dim, out_dim, other):
    x, w = _randn(2, 3, 4).permute(order), _randn(5) if other is None else _randn(2, 3, 4).permute(order).movedim(dim, 0)[..., 0, 0]

    def f(x, w):
        return (x.t() * w.sum()).cos()
    got = vmap(f, in_dims=(dim, other), out_dims=out_dim)(x, w)
    expected = torch.stack([f(x.select(dim, i), w if other is None else w[i]) for i in range(x.shape[dim])], out_dim)
    assert torch.allclose(got, expected)


MODULES = {
    "linear": (lambda: nn.Linear(4, 3), (4,)), "conv": (lambda: nn.Conv2d(2, 4, 3, padding=1, groups=2), (1, 2, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), (1, 2, 5)), "batch_norm": (lambda: nn.BatchNorm1d(4).eval(), (3, 4)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0., batch_first=True), (1, 3, 8)),
    "cell": (lambda: nn.LSTMCell(4, 3), (4,)), "embedding": (lambda: nn.Embedding(5, 3), None), "pool": (lambda: nn.MaxPool2d(2), (1, 2, 4, 4)),
    "group_norm": (lambda: nn.GroupNorm(2, 4), (1, 4, 3)),
}


def _module(name):
    make, shape = MODULES[name]
    torch.manual_seed(1)
    x = torch.tensor([[0, 4], [1, 1], [3, 2]]) if shape is None else _randn(3, *shape)
    return make(), x


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    m, x = _module(name)
    check(m, x)


@pytest.mark.parametrize("name", [n for n in MODULES if n != "pool"])
def test_ensembles_of_modules(name):
    _, x = _module(name)
    models = [MODULES[name][0]() for _ in range(3)]
    parameters, buffers = stack_module_state(models)

    def call(p, b, x):
        out = functional_call(models[0], (p, b), (x,))
        return out[0] if isinstance(out, tuple) else out
    got = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x[0])
    expected = torch.stack([call(dict(m.named_parameters()), dict(m.named_buffers()), x[0]) for m in models])
    assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in MODULES if n != "pool"])
def test_gradients_of_each_example(name):
    m, x = _module(name)
    parameters, buffers = {k: v.detach() for k, v in m.named_parameters()}, dict(m.named_buffers())

    def loss(p, x):
        out = functional_call(m, (p, buffers), (x,))
        return (out[0] if isinstance(out, tuple) else out).square().sum()
    got = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(3):
        m.zero_grad()
        loss(dict(m.named_parameters()), x[i]).backward()
        for k, v in m.named_parameters():
            assert torch.allclose(got[k][i], v.grad, rtol=1e-4, atol=1e-5), k


def test_gradients_flow_through():
    x, w = _randn(3, 4).requires_grad_(), _randn(4).requires_grad_()
    vmap(lambda x: (x * w).sin().sum())(x).sum().backward()
    assert torch.allclose(x.grad, w * torch.cos(x * w)) and torch.allclose(w.grad, (x * torch.cos(x * w)).sum(0))


def test_nested():
    a, b = _randn(3), _randn(4)
    outer = vmap(vmap(lambda x, y: x * y, in_dims=(None, 0)), in_dims=(0, None))(a, b)
    assert torch.equal(outer, a[:, None] * b)
    x = _randn(2, 3, 4)
    assert torch.equal(vmap(vmap(torch.sum), in_dims=1)(x), x.sum(2).t())
    closed = vmap(lambda row: vmap(lambda v: v * row.sum())(b))(x[0])
    assert torch.allclose(closed, x[0].sum(1)[:, None] * b)


def test_chunks_and_containers():
    x = _randn(5, 3)
    tree = {"a": x, "b": [x, x[0]]}
    got = vmap(lambda d, s: {"sum": d["a"] + d["b"][1], "pair": (s, d["b"][0])}, in_dims=({"a": 0, "b": [0, None]}, 0), chunk_size=2)(tree, x)
    assert torch.equal(got["sum"], x + x[0]) and torch.equal(got["pair"][1], x)
    assert torch.equal(vmap(lambda x, k: x * k)(x, torch.arange(5)), x * torch.arange(5)[:, None])
    assert torch.equal(vmap(lambda x, *, k: x * k)(x, k=x[0]), x * x[0])


def test_writing_in_place():
    x = _randn(3, 4)

    def f(x):
        y = torch.zeros_like(x)
        y[1:] = x[:-1]
        y[0] += x.sum()
        return y.mul_(2)
    check(f, x)
    before = x.clone()
    vmap(lambda row: row.add_(1))(x)  # changes the argument
    assert torch.equal(x, before + 1)
    shared = torch.zeros(4)
    with pytest.raises(RuntimeError, match="inplace arithmetic"):
        vmap(shared.add_)(x)
    assert not shared.any()


def test_random_numbers():
    x = torch.zeros(4, 3)
    torch.manual_seed(3)
    different = vmap(lambda x: x + torch.randn(3), randomness="different")(x)
    torch.manual_seed(3)
    assert torch.equal(different, torch.randn(4, 3))
    same = vmap(lambda x: x + torch.rand(3), randomness="same")(x)
    assert torch.equal(same[0], same[3]) and not torch.equal(same[0, 0], same[0, 1])
    orders = vmap(lambda x: torch.randperm(6), randomness="different")(x)
    assert torch.equal(orders.sort(1)[0], torch.arange(6).expand(4, 6)) and len({tuple(o.tolist()) for o in orders}) > 1
    masks = vmap(lambda x: F.dropout(x + 1), randomness="different")(torch.zeros(8, 16))
    assert len({tuple(m.tolist()) for m in masks}) == 8
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(lambda x: torch.rand(3))(x)
    nested = vmap(vmap(lambda x: torch.rand(()), randomness="different"), randomness="same")(x)
    assert torch.equal(nested[0], nested[1]) and nested[0, 0] != nested[0, 1]


ERRORS = {
    "no inputs": (lambda: vmap(torch.sin)(), ValueError, "got no inputs"),
    "in_dims": (lambda: vmap(torch.sin, in_dims="a")(_randn(2)), ValueError, "expected `in_dims`"),
    "structure": (lambda: vmap(torch.sin, in_dims=(0, 0))(_randn(2)), ValueError, "not compatible with the structure"),
    "non-tensor": (lambda: vmap(torch.add)(_randn(2), 3), ValueError, "We cannot vmap over non-Tensor"),
    "range": (lambda: vmap(torch.sin, in_dims=1)(_randn(2)), ValueError, "satisfy -1 <= in_dim < 1"),
    "sizes": (lambda: vmap(torch.add)(_randn(2), _randn(3)), ValueError, "same size in the mapped dimension"),
    "result": (lambda: vmap(lambda x: 3)(_randn(2)), ValueError, "must only return Tensors"),
    "out_dims": (lambda: vmap(torch.sin, out_dims=None)(_randn(2)), ValueError, "can not return a BatchedTensor"),
    "randomness": (lambda: vmap(torch.sin, randomness="x"), RuntimeError, "Only allowed values"),
    "chunk": (lambda: vmap(torch.sin, chunk_size=0), ValueError, "chunk_size"),
    "item": (lambda: vmap(lambda x: x.sum().item())(_randn(2, 3)), RuntimeError, "calling .item()"),
    "branch": (lambda: vmap(lambda x: x if x.sum() > 0 else -x)(_randn(2, 3)), RuntimeError, "data-dependent control flow"),
    "backward": (lambda: vmap(lambda x: x.sum().backward())(_randn(2, 3)), RuntimeError, "inside a functorch transform"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, kind, words = ERRORS[name]
    with pytest.raises(kind, match=words.replace("(", r"\(").replace(")", r"\)")):
        f()
    assert torch.equal(vmap(torch.neg)(torch.ones(2)), -torch.ones(2))  # nothing is left behind


def test_printing_an_example():
    seen = []
    vmap(lambda x: (seen.append(repr(x)), x)[1])(torch.ones(2, 1))
    assert seen[0].startswith("BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1.]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "1." in repr(torch.ones(1))


def test_functions_that_look_at_values():
    x = torch.tensor([[0.0, 1.0, 1.0], [2.0, 0.0, 2.0]])
    counts = torch.tensor([[1, 1], [2, 0]])
    check(lambda x: torch.histc(x, 4, 0, 2), x)
    check(lambda x: torch.bincount(x.long(), minlength=3), x)
    check(lambda x: torch.nonzero_static(x, size=2), x)
    check(lambda x, n: x[:2].repeat_interleave(n), x, counts)
    check(lambda x: torch.linalg.inv(torch.diag(x + 1)), x)
    for f in (torch.nonzero, torch.unique, lambda x: x[x > 0], lambda x: x.masked_select(x > 0)):
        with pytest.raises(RuntimeError, match="dynamic shape"):
            vmap(f)(x)
    check(lambda x: torch.where(x > 0, x, 7.0), x)
    shared = torch.tensor([True, False, True])
    check(lambda x: x[shared], x)
