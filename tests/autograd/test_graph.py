"""Hooks on what the graph saves, on several gradients at once, and gradient edges."""
import pytest

import flambeau as torch
from flambeau.autograd import graph


def _x():
    return torch.tensor([1.0, 2.0], requires_grad=True)


def test_hooks_see_what_is_saved():
    x, packed = _x(), []
    with graph.saved_tensors_hooks(lambda t: (packed.append(t), t.detach().numpy())[1], lambda a: torch.from_numpy(a)):
        y = (x * x).sum()
    assert [t is x for t in packed] == [True, True]
    y.backward()
    assert torch.equal(x.grad, 2 * x)
    z = (x * x).sum()  # outside nothing is packed
    assert len(packed) == 2 and torch.equal(torch.autograd.grad(z, x)[0], 2 * x)


def test_the_innermost_hooks_count_and_backward_may_be_repeated():
    x, seen = _x(), []

    def hooks(name):
        return graph.saved_tensors_hooks(lambda t: (seen.append(name), t)[1], lambda t: (seen.append(name.upper()), t)[1])
    with hooks("a"):
        y = x.exp()
        with hooks("b"):
            z = y.sin().sum()
    g, = torch.autograd.grad(z, x, create_graph=True)
    assert seen == ["a", "b", "B", "A"]
    h, = torch.autograd.grad(g.sum(), x)
    e = x.detach().exp()
    assert torch.allclose(h, e * e.cos() - e * e * e.sin())


def test_custom_functions_are_packed_too():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return 2 * x * g
    x = _x()
    with graph.saved_tensors_hooks(lambda t: t + 1, lambda t: t):
        y = Square.apply(x).sum()
    y.backward()
    assert torch.equal(x.grad, 2 * (x + 1))


def test_errors_of_hooks():
    x = _x()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.exp().sum()
    with pytest.raises(TypeError, match="expected to be a Tensor but got result of type int"):
        y.backward()
    with pytest.raises(RuntimeError, match="modifying its input in place"):
        with graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
            (x * 2).exp()
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        pass


def test_saving_on_the_cpu_and_mutation():
    x = _x()
    with graph.save_on_cpu(pin_memory=False):
        (x.sin() * x).sum().backward()
    assert torch.allclose(x.grad, x.cos() * x + x.sin())
    a = torch.ones(2, requires_grad=True)
    b = a.clone()
    with graph.allow_mutation_on_saved_tensors():
        out = (b ** 2).sum()
        b.sin_()
        out.backward()
    assert torch.equal(a.grad, torch.full((2,), 2.0))


def test_hooks_on_several_gradients():
    x = _x()
    y, other, seen = x * 2, _x(), []
    handle = graph.register_multi_grad_hook((x, y, other), seen.append)
    for _ in range(2):
        (x * y).sum().backward(retain_graph=True)
    assert len(seen) == 2 and torch.equal(seen[1][1], x) and seen[0][2] is None and torch.equal(seen[0][0], 4 * x)
    handle.remove()
    (x * y).sum().backward(retain_graph=True)
    assert len(seen) == 2
    graph.register_multi_grad_hook((x, y), seen.append, mode="any")
    (x * y).sum().backward()
    assert torch.equal(seen[2], x)
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((x,), seen.append, mode="some")


def test_edges():
    x = _x()
    y = x * 3
    edge = graph.get_gradient_edge(x)
    assert edge.node is y.grad_fn.next_functions[0][0] and edge.output_nr == 0 and isinstance(y.grad_fn, graph.Node)
    assert torch.equal(torch.autograd.grad((y * y).sum(), edge, retain_graph=True)[0], 18 * x)
    assert torch.equal(torch.autograd.grad(graph.get_gradient_edge(y), x, torch.ones(2))[0], torch.full((2,), 3.0))
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(1))
    z = x.exp().sum()
    graph.increment_version(x.detach())
    z.backward()  # exp keeps its result, not x
    z = (x * x).sum()
    graph.increment_version([x])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_switches_take_pytorchs_keywords():
    with torch.set_grad_enabled(mode=False):
        assert not torch.is_grad_enabled()
    with torch.autograd.set_detect_anomaly(mode=True):
        assert torch.is_anomaly_enabled()
    with torch.autograd.set_multithreading_enabled(mode=False), torch.autograd.enforce_grad_layout_policy(enable=False):
        assert torch.is_grad_enabled() and not torch.is_anomaly_enabled()
