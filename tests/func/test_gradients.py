"""Gradients, Jacobians and Hessians as functions of functions, forward and backward, in any nesting."""
import pytest

import flambeau as torch
from flambeau import func, nn
from flambeau.autograd import forward_ad
from flambeau.func import (debug_unwrap, functional_call, functionalize, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, rearrange,
                           replace_all_batch_norm_modules_, vjp, vmap)


def _randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def f(x):
    """A map from 3 to 2 numbers with a Jacobian and Hessian worth the name."""
    return torch.stack([x.sin().prod(), (x * x.roll(1)).sum() ** 2])


def scalar(x):
    return (x.sin() * x.exp()).prod() + x.pow(3).sum()


def numeric_jacobian(f, x, step=1e-6):
    columns = []
    for i in range(x.numel()):
        e = torch.zeros(x.numel(), dtype=x.dtype)
        e[i] = step
        columns.append((f(x + e.view(x.shape)) - f(x - e.view(x.shape))) / (2 * step))
    return torch.stack(columns, -1).view(*f(x).shape, *x.shape)


x = _randn(3)


def test_grad_and_value():
    value, inside = scalar(x), []
    g, v = grad_and_value(lambda x: (inside.append(x.requires_grad), scalar(x))[1])(x)
    assert inside == [True] and not g.requires_grad and not v.requires_grad and torch.equal(v, value)
    assert torch.allclose(g, numeric_jacobian(scalar, x), atol=1e-6)
    g, (v, more) = grad_and_value(lambda x: (x.sum(), {"twice": 2 * x}), has_aux=True)(x)
    assert torch.equal(more["twice"], 2 * x) and not more["twice"].requires_grad


def test_arguments():
    y = _randn(3)
    both = grad(lambda x, y: (x * y).sum(), argnums=(0, 1))(x, y)
    assert torch.equal(both[0], y) and torch.equal(both[1], x)
    assert torch.equal(grad(lambda x, y: (x * y).sum(), argnums=-1)(x, y), x)
    tree = grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": x, "b": [y]})
    assert torch.equal(tree["a"], y) and torch.equal(tree["b"][0], x)
    assert not grad(lambda x: torch.ones(()))(x).any()


def test_jacobians_agree():
    exact = numeric_jacobian(f, x)
    for jac in (jacrev(f), jacfwd(f), jacrev(f, chunk_size=1)):
        assert torch.allclose(jac(x), exact, atol=1e-6)
    m = _randn(2, 3)
    for jac in (jacrev, jacfwd):
        assert jac(lambda m: m @ m.t())(m).shape == (2, 2, 2, 3)
        a, b = jac(lambda a, b: a[:2] * b, argnums=(0, 1))(x, m[0, 0])
        assert a.shape == (2, 3) and b.shape == (2,)
        j, more = jac(lambda x: (f(x), x + 1), has_aux=True)(x)
        assert torch.allclose(j, exact, atol=1e-6) and torch.equal(more, x + 1)


COMPOSITIONS = {"jacfwd of jacrev": lambda f: jacfwd(jacrev(f)), "jacrev of jacfwd": lambda f: jacrev(jacfwd(f)),
                "jacrev of jacrev": lambda f: jacrev(jacrev(f)), "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f)), "hessian": hessian,
                "jacrev of grad": lambda f: jacrev(grad(f)), "rows of hvp": lambda f: lambda x: vmap(
                    lambda v: jvp(grad(f), (x,), (v,))[1])(torch.eye(3, dtype=torch.float64))}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_hessians_agree(name):
    exact = numeric_jacobian(grad(scalar), x, 1e-5)
    assert torch.allclose(COMPOSITIONS[name](scalar)(x), exact, atol=1e-6)
    several = vmap(COMPOSITIONS[name](scalar))(torch.stack([x, 2 * x]))
    assert torch.allclose(several[0], exact, atol=1e-6)
    assert torch.allclose(several[1], COMPOSITIONS[name](scalar)(2 * x), atol=1e-9)


def test_third_derivatives():
    for third in (grad(grad(grad(lambda x: x ** 5))), jacfwd(jacrev(jacfwd(lambda x: x ** 5)))):
        assert torch.allclose(third(torch.tensor(2.)), torch.tensor(240.))


@pytest.mark.parametrize("outer", [
    lambda g: grad(lambda w: g(w).sum()), lambda g: lambda w: jacrev(g)(w).sum(0), lambda g: lambda w: jacfwd(g)(w).sum(0)])
@pytest.mark.parametrize("inner", [
    lambda w: vmap(lambda x: (x * w).sin())(torch.stack([x, x + 1])).sum(0),
    lambda w: jvp(lambda x: (x * w).sin(), (x,), (x + 1,))[1],
    lambda w: jvp(lambda y: (y * x).sin(), (w,), (w,))[1],
    lambda w: vjp(lambda x: (x * w).sin(), x)[1](x + 1)[0],
    lambda w: grad(lambda x: (x * w).sin().sum())(x),
    lambda w: vmap(lambda v: jvp(lambda x: (x * w).sin(), (x,), (v,))[1])(torch.stack([x, x + 1])).sum(0),
    lambda w: vmap(grad(lambda y: (y * w).sin().sum()))(torch.stack([x, x + 1])).sum(0),
    lambda w: jvp(vmap(lambda y: (y * w).sin()), (torch.stack([x, x + 1]),), (torch.stack([w, x]),))[1].sum(0),
    lambda w: hessian(lambda y: (y * w).sin().sum())(x).sum(0)])
def test_what_is_closed_over_is_differentiated(outer, inner):
    w = _randn(3) + 0.5
    assert torch.allclose(outer(inner)(w), numeric_jacobian(lambda w: inner(w).sum(), w), atol=1e-6)
    leaf = w.clone().requires_grad_()
    inner(leaf).sum().backward()  # and by the program's own backward
    assert torch.allclose(leaf.grad, numeric_jacobian(lambda w: inner(w).sum(), w), atol=1e-6)


def test_grad_modes():
    with torch.no_grad():
        assert grad(grad(lambda x: x ** 3))(torch.tensor(2.)).item() == 12
        w = torch.ones(3, requires_grad=True)
        assert not grad(lambda x: (x ** 2).sum())(w).requires_grad

    def frozen(x):
        with torch.no_grad():
            c = x ** 2
        return x ** 2 - c
    assert grad(frozen)(torch.tensor(2.)).item() == 4
    w = torch.ones(3, requires_grad=True)
    g = grad(lambda x: (x ** 3).sum())(w)
    g.sum().backward()
    assert torch.equal(w.grad, torch.full((3,), 6.))
    assert not grad(lambda x: (x.detach() * x).sum())(x).requires_grad


def test_vjp_and_jvp():
    y, pull = vjp(f, x)
    v = _randn(2)
    assert torch.allclose(pull(v)[0], v @ jacrev(f)(x)) and torch.allclose(y, f(x)) and torch.allclose(pull(v)[0], pull(v)[0])
    t = _randn(3)
    y, moved = jvp(f, (x,), (t,))
    assert torch.allclose(moved, jacrev(f)(x) @ t)
    out, (moved, zero) = jvp(lambda x: (f(x), torch.ones(2)), (x,), (t,))
    assert not zero.any()
    y, lin = linearize(f, x)
    assert torch.allclose(lin(t), moved) and torch.allclose(lin(2 * t), 2 * moved)
    assert jvp(lambda x: (x, x + 1), (x,), (t,), has_aux=True)[2].requires_grad is False


def test_rules_of_their_own_in_forward_mode():
    m, t = _randn(3, 4), _randn(3, 4) * 0.1 - 1
    for g in (lambda m: m.logcumsumexp(1), lambda m: m.max(0)[0], lambda m: m.cumprod(0), lambda m: torch.linalg.svdvals(m),
              lambda m: m.sort(1)[0], lambda m: m.relu(), lambda m: torch.nn.functional.max_pool1d(m, 2)):
        numeric = (g(m + 1e-6 * t) - g(m - 1e-6 * t)) / 2e-6
        assert torch.allclose(jvp(g, (m,), (t,))[1], numeric, atol=1e-5)


def test_dual_levels():
    v = _randn(3)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, v)
        out = forward_ad.unpack_dual(dual.sin())
        assert torch.allclose(out.tangent, v * x.cos()) and torch.equal(out.primal, x.sin())
        assert forward_ad.unpack_dual(x).tangent is None and forward_ad.unpack_dual(dual.detach()).tangent is None
        assert "tangent=" in repr(dual) and dual.sum().item() == x.sum().item()
        y = torch.zeros(3, dtype=torch.float64)
        y[1:] = dual[:2] * 2
        assert torch.equal(forward_ad.unpack_dual(y).tangent[1:], 2 * v[:2])
        with pytest.raises(RuntimeError, match="Nested forward mode"):
            forward_ad.enter_dual_level()
        leaf = x.clone().requires_grad_()
        product, = torch.autograd.grad((forward_ad.make_dual(leaf, v) ** 3).sum(), leaf)
        assert torch.allclose(forward_ad.unpack_dual(product).tangent, 6 * x * v)  # forward over reverse
        across, = torch.autograd.grad(forward_ad.unpack_dual(forward_ad.make_dual(leaf, v) ** 3).tangent.sum(), leaf)
        assert torch.allclose(across, 6 * x * v)  # reverse over forward
    assert torch.equal(y[1:] + 0, 2 * x[:2]) and forward_ad.unpack_dual(y).tangent is None and "tangent" not in repr(dual)
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(x, v)
    with pytest.raises(RuntimeError, match="positive number"):
        forward_ad.exit_dual_level()


def test_functional_call():
    m = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2).eval()).double()
    zeros = {k: torch.zeros_like(v) for k, v in m.named_parameters()}
    assert not functional_call(m, zeros, x[None]).any() and functional_call(m, {}, (x[None],)).any()
    with pytest.raises(ValueError, match="multiple dictionaries"):
        functional_call(m, (zeros, zeros), x[None])
    with pytest.raises(RuntimeError, match="Missing"):
        functional_call(m, {"0.weight": zeros["0.weight"]}, x[None], strict=True)
    training = replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(2)))
    assert vmap(training)(torch.randn(3, 4, 2)).shape == (3, 4, 2)


def test_rearrange():
    y = torch.arange(24).view(2, 3, 4)
    assert torch.equal(rearrange(y, "a b c -> c (a b)"), y.permute(2, 0, 1).reshape(4, 6))
    assert torch.equal(rearrange(y, "a b (c d) -> a d b c", d=2), y.view(2, 3, 2, 2).permute(0, 3, 1, 2))
    assert torch.equal(rearrange(y, "... c -> c ..."), y.permute(2, 0, 1)) and rearrange(y, "a b c -> a 1 b c").shape == (2, 1, 3, 4)
    assert torch.equal(rearrange([y, y], "n a b c -> (n a) b c"), torch.cat([y, y]))
    with pytest.raises(ValueError, match="only on one side"):
        rearrange(y, "a b c -> a b")


def test_looking_inside():
    seen = []
    vmap(lambda v: (seen.append(debug_unwrap(v)), v)[1])(torch.ones(2, 3))
    assert seen[0].shape == (2, 3)
    y = torch.zeros(2)
    assert torch.equal(functionalize(lambda t: t.add_(1))(y), torch.ones(2)) and y.sum() == 2
    assert set(func.__all__) <= set(dir(func))


ERRORS = {
    "scalar": (lambda: grad(torch.sin)(x), "scalar Tensor"), "tensor": (lambda: grad(lambda x: 3)(x), "return a Tensor"),
    "integers": (lambda: grad(torch.sum)(torch.arange(3)), "floating point"), "argnums": (lambda: grad(torch.sum, 2)(x), "Got argnum=2"),
    "repeated": (lambda: grad(torch.sum, (0, 0))(x), "unique"), "aux": (lambda: grad(torch.sum, has_aux=True)(x), "has_aux"),
    "leaf": (lambda: grad(lambda x: x.sin_().sum())(x), "leaf Variable"), "backward": (lambda: grad(lambda x: x.sum().backward())(x), "functorch"),
    "vjp": (lambda: vjp(lambda x: 3, x), "only tensors"), "cotangents": (lambda: vjp(lambda x: (x,), x)[1](x), "pytree structure"),
    "tangents": (lambda: jvp(torch.sin, (x,), (x, x)), "same python structure"), "tuple": (lambda: jvp(torch.sin, x, x), "to be a tuple"),
    "shape": (lambda: jvp(torch.sin, (x,), (x[:2],)), "different size"), "strict": (
        lambda: jvp(lambda x: torch.ones(2), (x,), (x,), strict=True), "independent of the inputs"),
    "linearize": (lambda: linearize(torch.sin, x)[1](x, x), "same argspec"), "random": (
        lambda: jacfwd(lambda x: x * torch.rand(3))(x), "randomness error mode"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, words = ERRORS[name]
    with pytest.raises(RuntimeError, match=words):
        f()
