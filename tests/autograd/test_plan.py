"""A planned backward pass does what walking node by node does, bit for bit."""
import gc
import weakref
from collections import OrderedDict

import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau.autograd import engine, plan


def network(w, b, v):
    """Views, a shared leaf, a leaf that is used twice, outputs that nobody uses, several outputs of one call."""
    x = torch.arange(12.0).reshape(3, 4) / 7
    h = F.relu(F.linear(x, w, b)).flatten(1).transpose(0, 1)
    values, _ = h.max(0)
    mean = torch.var_mean(h[1:], dim=0)[1]
    first, _, last = w.split([2, 1, 2])
    return (first * last).sum() + (values * v).sum() + (mean * v).sum() + w.t()[0].pow(2).sum() + v.unsqueeze(0).expand(2, 3).sum()


def leaves():
    torch.manual_seed(0)
    return [t.requires_grad_() for t in (torch.randn(5, 4), torch.randn(5), torch.randn(3))]


def gradients(monkeypatch, walk, times=1, **kwargs):
    params = leaves()
    with monkeypatch.context() as m:
        ran = []

        def watched(function):
            return lambda *args: ran.append(function(*args)) or ran[-1]
        m.setattr(plan, "_latest", OrderedDict())
        m.setattr(engine, "run_plan", (lambda *args: False) if walk else watched(plan.run_plan))
        m.setattr(engine, "run_latest_plan", (lambda *args: None) if walk else watched(plan.run_latest_plan))
        for _ in range(times):
            network(*params).backward(**kwargs)
        assert walk or sum(map(bool, ran)) == times
    return [p.grad for p in params]


@pytest.mark.parametrize("times", [1, 5])
def test_equal_to_the_walk(monkeypatch, times):
    for planned, walked in zip(gradients(monkeypatch, False, times), gradients(monkeypatch, True, times)):
        assert torch.equal(planned, walked)


def recognized(monkeypatch, *losses):
    """Whether the pass from the last of these losses is one that was done before. All are told apart by their graphs only."""
    seen = []
    with monkeypatch.context() as m:
        m.setattr(plan, "_latest", OrderedDict())
        for make in losses:
            m.setattr(engine, "run_latest_plan", lambda *args: seen.append(plan.run_latest_plan(*args)) or seen[-1])
            make().backward()
    return seen[-1] is not None


def test_a_graph_is_recognized_by_its_nodes_edges_and_order(monkeypatch):
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)

    def two():
        return (a * 2) * (b * 3)

    def same_leaf():
        return (a * 2) * (a * 3)

    def same_node():
        h = a * 2
        return h * h

    def other_order():
        right = b * 3
        return (a * 2) * right
    assert recognized(monkeypatch, two, two, two)
    for other in (same_leaf, same_node, other_order):
        a.grad = b.grad = None
        assert not recognized(monkeypatch, two, two, other)
        if other is not other_order:
            assert a.grad.item() == 2 * 2 * 9 + (24 if other is same_leaf else 16)
        assert recognized(monkeypatch, two, other, other, other)


def test_a_recognized_graph_that_is_watched_or_used_up_is_not_run(monkeypatch):
    a = torch.tensor([2.0], requires_grad=True)
    seen = []

    def plain():
        return ((a * 2) * (a * 3)).sum()

    def hooked():
        h = a * 2
        h.register_hook(seen.append)
        return (h * (a * 3)).sum()
    assert recognized(monkeypatch, plain, plain, plain)
    assert not recognized(monkeypatch, plain, plain, hooked)
    assert len(seen) == 1
    handle = a.register_post_accumulate_grad_hook(seen.append)
    assert not recognized(monkeypatch, plain, plain)
    handle.remove()
    assert len(seen) == 3
    h = a * 2
    loss = (h * (a * 3)).sum()
    h.add_(1)
    before = a.grad.item()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert a.grad.item() == before
    loss = plain()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_known_graph_from_several_numbers_still_needs_a_gradient():
    a = torch.ones(3, requires_grad=True)
    for _ in range(4):
        (a * 2).backward(torch.ones(3))
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        (a * 2).backward()


def test_one_call_is_recorded():
    from flambeau.runtime.trace import trace
    params = leaves()
    loss = network(*params)
    before = len(trace.records)
    loss.backward()
    assert [r[0].name for r in trace.records[before:]] == ["backward"]


def test_retain_graph_and_twice():
    params = leaves()
    loss = network(*params)
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in params]
    loss.backward()
    assert all(torch.equal(p.grad, 2 * g) for p, g in zip(params, once))
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_overwritten_value_changes_nothing():
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    loss = (h * h).sum()
    h.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert w.grad is None


def test_hooks_are_heard():
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()) or g * 10)
    h.sum().backward()
    assert seen == [[1.0] * 3] and w.grad.tolist() == [20.0] * 3


def test_two_leaves_with_one_gradient_own_their_own():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (a + b).sum().backward()
    a.grad.add_(1)
    assert b.grad.tolist() == [1.0, 1.0]


def test_the_unit_gradient_is_not_written_to():
    a = torch.ones((), requires_grad=True)
    for _ in range(3):
        a.grad = None
        (a * 1).backward()
        a.grad.mul_(5)
        assert a.grad.item() == 5


def test_nothing_keeps_the_graph():
    w = torch.ones(3, requires_grad=True)
    loss = (w * 2).sum()
    loss.backward()
    node = weakref.ref(loss.grad_fn)
    del loss
    gc.collect()
    assert node() is None


def test_parts_of_a_value_are_joined_and_not_added():
    """The gradient of a sequence that is read step by step is one concatenation; overlapping reads are added."""
    from flambeau.runtime.trace import trace
    x = torch.randn(6, 3, requires_grad=True)
    loss = sum((x[t] * (t + 1)).sum() for t in range(1, 5))
    before = len(trace.records)
    loss.backward()
    graph = trace.records[before:][-1][0].graph
    assert [n.prim.name for n in graph.nodes].count("concat") == 1
    assert x.grad.tolist() == [[0.0] * 3] + [[t + 1.0] * 3 for t in range(1, 5)] + [[0.0] * 3]
    x.grad = None
    (x[1:4].sum() + 2 * x[2:6].sum() + x[5:].sum() + x.sum()).backward()
    assert x.grad[:, 0].tolist() == [1, 2, 4, 4, 3, 4]
