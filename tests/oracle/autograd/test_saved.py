"""What hooks see and how often checkpointed functions run, under PyTorch and under flambeau."""
import pytest

torch = pytest.importorskip("torch")

import torch.utils.checkpoint  # noqa: F811

import flambeau
import flambeau.utils.checkpoint  # noqa: F401

FUNCTIONS = {
    "product": lambda t, x: x * x, "exp": lambda t, x: x.exp(), "chain": lambda t, x: x.sin().exp().tanh(), "power": lambda t, x: x ** 2,
    "relu": lambda t, x: x.relu(), "sum": lambda t, x: x.sum(), "add": lambda t, x: x + 1, "matmul": lambda t, x: x @ x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_packed_tensors(name):
    seen = []
    for t in (torch, flambeau):
        x, packed = t.tensor([1.0, 2.0], requires_grad=True), []
        with t.autograd.graph.saved_tensors_hooks(lambda s: (packed.append((s is x, s.requires_grad, tuple(s.shape))), s)[1], lambda s: s):
            y = FUNCTIONS[name](t, x).sum()
        y.backward()
        seen.append((packed, x.grad.tolist()))
    assert seen[0][0] == seen[1][0] and seen[0][1] == pytest.approx(seen[1][1], rel=1e-5)


PROGRAMS = {
    "plain": lambda t, f, x: f(x).sum().backward(), "twice": lambda t, f, x: [f(x).sum().backward() for _ in range(2)],
    "retained": lambda t, f, x: [(y := f(x).sum()).backward(retain_graph=True), y.backward()],
    "double": lambda t, f, x: t.autograd.grad(t.autograd.grad(f(x).sum(), x, create_graph=True)[0].sum(), x),
    "inputs": lambda t, f, x: t.autograd.grad(f(x).sum(), x), "none": lambda t, f, x: f(x.detach()),
}


@pytest.mark.filterwarnings("ignore:None of the inputs:UserWarning")
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_checkpoints(name, reentrant):
    results = []
    for t in (torch, flambeau):
        x, calls = t.tensor([1.0, 2.0], requires_grad=True), []

        def f(x):
            calls.append(x.requires_grad)
            return x.sin() * x
        try:
            PROGRAMS[name](t, lambda x: t.utils.checkpoint.checkpoint(f, x, use_reentrant=reentrant), x)
            error = None
        except RuntimeError as e:
            error = str(e)
        results.append((calls, error, None if x.grad is None else [round(v, 5) for v in x.grad.tolist()]))
    assert results[0] == results[1]


@pytest.mark.parametrize("keep", [lambda t: t, lambda t: t.detach()])
def test_a_hook_sees_what_an_in_place_call_overwrites(keep):
    grads = []
    for t in (torch, flambeau):
        x = t.tensor([1.0, 2.0], requires_grad=True)
        with t.autograd.graph.saved_tensors_hooks(keep, lambda s: s):
            y = (-x).mul_(x)
        y.sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]
