"""What programs see of the graph: classes, names and saved tensors of nodes, as in PyTorch."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

CALLS = {
    "sum": lambda t, x: (x * 2 + 1).sum(), "mean": lambda t, x: x.mean(), "dims": lambda t, x: x.sum(1).exp(), "relu": lambda t, x: x.relu(),
    "product": lambda t, x: x @ x.T, "views": lambda t, x: x[1:].T.reshape(-1)[None].permute(1, 0), "unbind": lambda t, x: x.unbind(0)[1],
    "split": lambda t, x: t.split(x, 2)[1], "in place": lambda t, x: (x * 1).add_(x),
    "operands": lambda t, x: 2 * x.addmm(x[:, :3], x.detach()) / x.detach() - t.addcmul(x, x.detach(), x),
    "parts": lambda t, x: t.cat([x, x.exp()]).max(0)[0], "softmax": lambda t, x: x.log_softmax(1), "power": lambda t, x: x ** 2,
}


def walk(node):
    return type(node).__name__, node.name(), repr(type(node)), [None if n is None else (walk(n), nr) for n, nr in node.next_functions]


@pytest.mark.parametrize("name", CALLS)
def test_classes_of_nodes(name):
    graphs = [walk(CALLS[name](t, t.ones(3, 4, requires_grad=True)).grad_fn) for t in (torch, flambeau)]
    assert str(graphs[0]) == str(graphs[1]).replace("flambeau.tensor.node.", "")


def test_the_edges_of_a_layer():
    for t in (torch, flambeau):
        x = t.ones(2, 4, requires_grad=True)
        first, second = (t.nn.Linear(4, 2)(y).grad_fn.next_functions for y in (x.exp(), x.detach()))
        assert type(first[0][0]).__name__ == "AccumulateGrad" and type(first[1][0]).__name__ == "ExpBackward0"
        assert len(first) == len(second) == 3 and second[1] == (None, 0)


@pytest.mark.parametrize("t", [torch, flambeau])
def test_nodes_are_what_they_were(t):
    x = t.ones(3, requires_grad=True)
    y = x.exp()
    node = y.grad_fn
    assert node is y.grad_fn and type(node) is type(x.cos().exp().grad_fn) and isinstance(node, t.autograd.graph.Node)
    assert repr(type(node)) == "<class 'ExpBackward0'>" and node.metadata == {} and repr(node).startswith("<ExpBackward0 object at 0x")
    for _ in range(4):  # a loop that looks at the graph
        z = (x * 2).sum()
        assert type(z.grad_fn.next_functions[0][0]).__name__ == "MulBackward0"
        z.backward()
    assert x.grad.tolist() == [8.0] * 3


@pytest.mark.parametrize("t", [torch, flambeau])
def test_nodes_of_functions(t):
    class Twice(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2
    node = Twice.apply(t.ones(3, requires_grad=True)).grad_fn
    assert (type(node).__name__, node.name()) == ("TwiceBackward", "TwiceBackward")


SAVED = {
    "power": (lambda t, x: x ** 2, ["_saved_exponent", "_saved_self"]), "exp": (lambda t, x: x.exp(), ["_saved_result"]),
    "sin": (lambda t, x: x.sin(), ["_saved_self"]), "product": (lambda t, x: x * x, ["_saved_other", "_saved_self"]),
    "matrices": (lambda t, x: x @ x.T, ["_saved_mat2", "_saved_self"]), "relu": (lambda t, x: x.relu(), ["_saved_result"]),
    "dim": (lambda t, x: x.cumsum(1), ["_saved_dim"]), "alpha": (lambda t, x: x.add(x, alpha=3), ["_saved_alpha"]),
    "layer": (lambda t, x: t.nn.functional.linear(x, x[:2], x[0, :2]), ["_saved_mat1", "_saved_mat2"]),
    "conv": (lambda t, x: t.nn.functional.conv1d(x[None], x[None, :, :2]), ["_saved_groups", "_saved_input", "_saved_weight"]),
}


@pytest.mark.parametrize("name", SAVED)
def test_saved_attributes(name):
    call, attributes = SAVED[name]
    found = []
    for t in (torch, flambeau):
        node = call(t, t.tensor([[1.0, 0.0, 3.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.5]], dtype=t.float64, requires_grad=True)).grad_fn
        assert set(attributes) <= set(dir(node))
        found.append([v.detach().numpy() if isinstance(v, t.Tensor) else v for v in (getattr(node, a) for a in attributes)])
    assert all(np.allclose(a, b) for a, b in zip(*found))


@pytest.mark.parametrize("t", [torch, flambeau])
def test_saved_tensors_and_their_hooks(t):
    x = t.ones(3, requires_grad=True)
    y, z = x.exp(), x.sin()
    assert z.grad_fn._saved_self is x and y.grad_fn._saved_result is not y and y.grad_fn._saved_result.equal(y)
    assert y.grad_fn._saved_result.grad_fn is y.grad_fn
    calls = []
    z.grad_fn._raw_saved_self.register_hooks(lambda s: calls.append(s.equal(x)) or s * 2, lambda s: s / 2)
    with pytest.raises(RuntimeError, match="whose hooks have already been set"):
        z.grad_fn._raw_saved_self.register_hooks(lambda s: s, lambda s: s)
    assert calls == [True] and z.grad_fn._saved_self.equal(x)
    (y + z).sum().backward()
    assert t.allclose(x.grad, x.detach().exp() + x.detach().cos())
    with pytest.raises(RuntimeError, match="directly access saved tensors after they have already been freed"):
        y.grad_fn._saved_result
    with pytest.raises(RuntimeError, match="after it has been freed"):
        z.grad_fn._raw_saved_self.register_hooks(lambda s: s, lambda s: s)
    with pytest.raises(AttributeError, match="'ExpBackward0' object has no attribute '_saved_nix'"):
        y.grad_fn._saved_nix
