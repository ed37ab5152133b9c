"""Checkpoints: the same results and gradients, computed again when backward needs them."""
import weakref
from contextlib import nullcontext

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.ops import aten
from flambeau.utils.checkpoint import (CheckpointError, CheckpointPolicy, GraphExecGroup, checkpoint, checkpoint_sequential,
                                       create_selective_checkpoint_contexts, detach_variable, set_checkpoint_early_stop)


def _x():
    return torch.tensor([1.0, 2.0], requires_grad=True)


class Counted:
    """x³, counting its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * x * x


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradients_and_calls(reentrant):
    x, f = _x(), Counted()
    y = checkpoint(f, x, use_reentrant=reentrant)
    assert f.calls == 1 and torch.equal(y, x ** 3)
    y.sum().backward()
    assert f.calls == 2 and torch.equal(x.grad, 3 * x ** 2)


@pytest.mark.parametrize("reentrant", [False, True])
def test_random_numbers_are_the_same_again(reentrant):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2), nn.Tanh())
    results = []
    for run in (lambda x: net(x), lambda x: checkpoint_sequential(net, 2, x, use_reentrant=reentrant)):
        torch.manual_seed(1)
        net.zero_grad()
        x = _x()
        run(x).sum().backward()
        results.append([x.grad, net[0].weight.grad, net[3].weight.grad, torch.rand(1)])
    assert all(torch.equal(a, b) for a, b in zip(*results))


def test_without_the_function_form():
    x, f = _x(), Counted()
    y = checkpoint(f, x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert f.calls == 3 and torch.equal(x.grad, 6 * x ** 2)
    z = checkpoint(f, x, use_reentrant=False).sum()
    g, = torch.autograd.grad(z, x, create_graph=True)
    assert torch.equal(torch.autograd.grad(g.sum(), x)[0], 6 * x)
    assert torch.equal(checkpoint(lambda x, *, k: x * k, x, use_reentrant=False, k=2), 2 * x)
    nested = checkpoint(lambda x: checkpoint(torch.sin, x.exp(), use_reentrant=False).cos(), x, use_reentrant=False)
    e = x.detach().exp()
    assert torch.allclose(torch.autograd.grad(nested.sum(), x)[0], -e.sin().sin() * e.cos() * e)
    with torch.no_grad():
        assert not checkpoint(f, x, use_reentrant=False).requires_grad


def test_what_lies_between_is_let_go():
    kept = []

    def f(x):
        y = x.exp()
        kept.extend([weakref.ref(y._storage), weakref.ref(y)])
        return y.sin()
    out = checkpoint(f, _x(), use_reentrant=False)
    assert out.requires_grad and [k() for k in kept] == [None, None]


def test_functions_that_change_their_mind():
    x = _x()

    def changing(counts):
        counts = iter(counts)

        def f(x):
            for _ in range(next(counts)):
                x = x.sin()
            return x
        return f
    with pytest.raises(CheckpointError, match="A different number of tensors was saved"):
        checkpoint(changing([2, 1]), x, use_reentrant=False).sum().backward()
    checkpoint(changing([1, 2]), x, use_reentrant=False).sum().backward()  # stops as soon as it has all
    with set_checkpoint_early_stop(False), pytest.raises(CheckpointError, match="trying to save more tensors"):
        checkpoint(changing([1, 2]), x, use_reentrant=False).sum().backward()
    shapes = iter([x, torch.cat([x, x])])
    with pytest.raises(CheckpointError, match="different metadata"):
        checkpoint(lambda: next(shapes).sin(), use_reentrant=False).sum().backward()


def test_errors_and_warnings():
    x = _x()
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        checkpoint(torch.sin, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
        checkpoint(torch.sin, torch.ones(1), use_reentrant=True)
    with pytest.raises(RuntimeError, match="incompatible with .grad"):
        torch.autograd.grad(checkpoint(torch.sin, x, use_reentrant=True).sum(), x)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: k"):
        checkpoint(torch.sin, x, use_reentrant=True, k=1)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(torch.sin, x, use_reentrant=False, determinism_check="all")
    with pytest.raises(RuntimeError, match="Only tuple of tensors"):
        detach_variable(x)
    a, b = detach_variable((x, 3))
    assert a.is_leaf and a.requires_grad and b == 3


@pytest.mark.parametrize("reentrant", [False, True])
def test_autocast_is_as_it_was(reentrant):
    seen = []

    def f(x):
        seen.append(torch.is_autocast_enabled("cpu"))
        return (x @ x.t()).float()
    x = torch.ones(2, 2, requires_grad=True)
    with torch.autocast("cpu"):
        y = checkpoint(f, x, use_reentrant=reentrant).sum()
    y.backward()
    assert seen == [True, True] and not torch.is_autocast_enabled("cpu")
    assert torch.equal(x.grad, torch.full((2, 2), 4.0))


# ------------------------------------------------------------------ selective

def _selective(policy, **options):
    return lambda: create_selective_checkpoint_contexts(policy, **options)


def _matrix():
    return torch.tensor([[1.0, 0.5], [0.25, 2.0]], requires_grad=True)


@pytest.mark.parametrize("policy", [[], [aten.mm.default], [aten.mm.default, aten.exp.default], lambda ctx, op, *args: not str(op).startswith('aten.neg'),
                                    lambda ctx, op, *args: CheckpointPolicy.PREFER_SAVE if op is aten.sin.default else
                                    CheckpointPolicy.MUST_RECOMPUTE])
def test_selective_gradients(policy):
    def f(x):
        return ((x @ x).neg().mul_(x) * x).sin().exp()
    x, y = _matrix(), _matrix()
    checkpoint(f, x, use_reentrant=False, context_fn=_selective(policy)).sum().backward()
    f(y).sum().backward()
    assert torch.allclose(x.grad, y.grad)


def test_kept_operations_do_not_run_again():
    x, kept = _matrix(), {}

    def f(x):
        product = x @ x
        kept.setdefault("values", []).append(product._storage.value)
        return product.sin().exp()
    checkpoint(f, x, use_reentrant=False, context_fn=_selective([aten.mm.default])).sum().backward()
    assert kept["values"][0] is kept["values"][1]
    kept.clear()
    checkpoint(f, x, use_reentrant=False, context_fn=_selective([aten.exp.default])).sum().backward()
    assert kept["values"][0] is not kept["values"][1]


def test_policy_sees_operation_and_output():
    seen = []

    def policy(ctx, op, *args, **kwargs):
        seen.append((str(op), [tuple(a.shape) for a in args], tuple(ctx.op_output.shape), ctx.is_recompute))
        (args[0] + 1).sum()  # what the policy calls is not asked about
        return False
    checkpoint(lambda x: (x @ x[:, :1]).sin(), _matrix(), use_reentrant=False, context_fn=_selective(policy)).sum().backward()
    assert seen == [("aten.mm.default", [(2, 2), (2, 1)], (2, 1), False), ("aten.sin.default", [(2, 1)], (2, 1), False)]


def test_selective_refusals():
    with pytest.raises(ValueError, match=r"to be an OpOverload but got: aten.mm .*change it to `torch.ops.aten.mm.default`"):
        create_selective_checkpoint_contexts([aten.mm])
    with pytest.raises(TypeError, match="must be either a function or a list of ops"):
        create_selective_checkpoint_contexts(3)
    y = checkpoint(lambda x: (x @ x).exp(), _matrix(), use_reentrant=False, context_fn=_selective([aten.mm.default])).sum()
    y.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="Trying to backward an extra time"):
        y.backward()
    calls = []

    def differs(x):
        calls.append(1)
        return x.exp() if len(calls) == 1 else x.sin().exp()
    with pytest.raises(RuntimeError, match="aten.sin.default encountered during backward but not found in storage"):
        checkpoint(differs, _matrix(), use_reentrant=False, context_fn=_selective([])).sum().backward()


def test_kept_results_must_not_be_written_to():
    def f(x):
        product = x @ x
        product.detach().add_(1)
        return product.exp()
    with pytest.raises(RuntimeError, match="cached during selective activation checkpoint has been mutated"):
        checkpoint(f, _matrix(), use_reentrant=False, context_fn=_selective([aten.mm.default])).sum().backward()
    allowed = _selective([aten.mm.default], allow_cache_entry_mutation=True)
    checkpoint(f, _matrix(), use_reentrant=False, context_fn=allowed).sum().backward()


def test_a_group_runs_again_once():
    x, f = _x(), Counted()

    def two(x):
        return f(x), x.exp()
    for group, runs in ((nullcontext(), 3), (GraphExecGroup(), 2)):
        f.calls = 0
        a, b = checkpoint(two, x, use_reentrant=False)
        with group:
            a.sum().backward()
            b.sum().backward()
        assert f.calls == runs
    with GraphExecGroup():
        with pytest.raises(RuntimeError, match="cannot be nested"):
            GraphExecGroup().__enter__()
        y = checkpoint(f, x, use_reentrant=False).sum()
        y.backward(retain_graph=True)
        with pytest.raises(CheckpointError, match="overlap"):
            y.backward()
