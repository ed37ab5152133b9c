"""Custom functions inside transformations, by the rules that their classes define."""
import pytest

import flambeau as torch
from flambeau.autograd import NestedIOFunction, forward_ad
from flambeau.func import grad, hessian, jacfwd, jacrev, jvp, vmap


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x ** 3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * x ** 2 * g

    @staticmethod
    def jvp(ctx, t):
        x, = ctx.saved_tensors
        return 3 * x ** 2 * t


class Traced(Cube):
    generate_vmap_rule = True


class OnHost(Cube):
    """The cube by NumPy, which no example of a batch can give its values to."""

    seen = []

    @staticmethod
    def forward(x):
        return torch.from_numpy(x.detach().numpy() ** 3)

    @staticmethod
    def vmap(info, in_dims, x):
        OnHost.seen.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
        return OnHost.apply(x), in_dims[0]


class OldStyle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * x ** 2 * g


x = torch.arange(1.0, 4.0)


@pytest.mark.parametrize("f", [Traced, OnHost])
def test_in_vmap(f):
    assert torch.equal(vmap(f.apply)(x), x ** 3) and torch.equal(vmap(f.apply)(x[:, None] * x).diag(), x ** 6)
    assert torch.equal(vmap(grad(lambda v: f.apply(v).sum()))(x), 3 * x ** 2)
    leaf = x.clone().requires_grad_()
    vmap(f.apply)(leaf).sum().backward()
    assert torch.equal(leaf.grad, 3 * x ** 2)


def test_the_rule_is_told_of_the_batch():
    OnHost.seen.clear()
    vmap(OnHost.apply, randomness="same")(x[:, None] * x)
    assert OnHost.seen == [(3, "same", (0,), (3, 3))]


def test_derivatives():
    assert torch.equal(grad(lambda x: Cube.apply(x).sum())(x), 3 * x ** 2)
    assert torch.equal(grad(lambda x: grad(lambda x: Cube.apply(x).sum())(x).sum())(x), 6 * x)
    value, moved = jvp(Cube.apply, (x,), (torch.ones(3),))
    assert torch.equal(value, x ** 3) and torch.equal(moved, 3 * x ** 2)
    for jac in (jacrev, jacfwd):
        assert torch.equal(jac(Traced.apply)(x), torch.diag(3 * x ** 2))
    assert torch.equal(hessian(lambda x: Traced.apply(x).sum())(x), torch.diag(6 * x))
    leaf = x.clone().requires_grad_()
    jvp(Cube.apply, (leaf,), (torch.ones(3),))[1].sum().backward()
    assert torch.equal(leaf.grad, 6 * x)
    with forward_ad.dual_level():
        assert torch.equal(forward_ad.unpack_dual(Cube.apply(forward_ad.make_dual(x, x))).tangent, 3 * x ** 3)


def test_missing_rules():
    with pytest.raises(RuntimeError, match="does not have vmap support"):
        vmap(Cube.apply)(x)
    for f in (grad(lambda x: OldStyle.apply(x).sum()), vmap(OldStyle.apply)):
        with pytest.raises(RuntimeError, match="must override the setup_context staticmethod"):
            f(x)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="implement the jvp function"):
        OldStyle.apply(forward_ad.make_dual(x, x))
    assert torch.equal(OldStyle.apply(x), x ** 3)


def test_containers():
    class Swap(NestedIOFunction):
        @staticmethod
        def forward_extended(ctx, pair, scale):
            a, b = pair
            return {"a": b * scale, "b": (a * scale,)}

        @staticmethod
        def backward_extended(ctx, grads):
            return (grads["b"][0] * 2, grads["a"] * 2), None
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    out = Swap.apply([a, b], torch.tensor(2.0))
    (out["a"] * 3 + out["b"][0]).sum().backward()
    assert torch.equal(a.grad, torch.full((3,), 2.0)) and torch.equal(b.grad, torch.full((3,), 6.0))
