"""The same program under PyTorch and under flambeau: values, and classes and words of errors."""
import pytest

torch = pytest.importorskip("torch")

import numpy as np
import torch.autograd.forward_ad  # noqa: F401, F811
import torch.func  # noqa: F401

import flambeau
import flambeau.autograd.forward_ad  # noqa: F401
import flambeau.func  # noqa: F401


def _data(t):
    return t.arange(-4.0, 5.0).reshape(3, 3)


def _loss(t):
    return lambda x: (x.sin() * x.exp()).sum()


def _through(t, make):
    w = t.ones(3, requires_grad=True)
    make(w).pow(2).sum().backward()
    return w.grad


PROGRAMS = {
    "closed over, vmap": lambda t: _through(t, lambda w: t.vmap(lambda x: (x * w).sin())(_data(t))),
    "closed over, hessian": lambda t: _through(t, lambda w: t.func.hessian(lambda p: ((p * w) ** 3).sum())(_data(t)[0])),
    "closed over, jacrev": lambda t: _through(t, lambda w: t.vmap(t.func.jacrev(lambda p: (p * w) ** 3))(_data(t))),
    "closed over, jvp": lambda t: _through(t, lambda w: t.func.jvp(lambda p: (p * w) ** 3, (_data(t)[0],), (_data(t)[1],))[1]),
    "hessian": lambda t: t.func.hessian(_loss(t))(_data(t)[0]), "jacrev": lambda t: t.func.jacrev(t.func.jacfwd(_loss(t)))(_data(t)[0]),
    "vmap hessian": lambda t: t.vmap(t.func.hessian(_loss(t)))(_data(t)), "jacfwd": lambda t: t.func.jacfwd(t.sin)(_data(t)),
    "third": lambda t: t.func.grad(t.func.grad(t.func.grad(lambda x: x ** 5)))(t.tensor(2.0)),
    "jvp of grad": lambda t: t.func.jvp(t.func.grad(_loss(t)), (_data(t)[2],), (_data(t)[1],)),
    "aux": lambda t: t.func.grad_and_value(lambda x: (x.sum(), x * 2), has_aux=True)(_data(t)),
    "tree": lambda t: t.func.jacrev(lambda d: {"o": d["a"] * d["b"]})({"a": _data(t)[0], "b": _data(t)[1]}),
    "batched gradients": lambda t: t.autograd.grad((w := _data(t)[0].clone().requires_grad_()) ** 2, w, t.eye(3), is_grads_batched=True),
    "max": lambda t: t.vmap(lambda x: x.max(0))(_data(t)), "topk": lambda t: t.vmap(lambda x: t.topk(x, 2))(_data(t)),
    "index": lambda t: t.vmap(lambda x, i: x[i])(_data(t), t.tensor([0, 1, 2])),
    "one hot": lambda t: t.vmap(lambda i: t.nn.functional.one_hot(i, 4))(t.tensor([1, 2])),
    "in place": lambda t: t.vmap(lambda x: x.new_zeros(3).add_(x))(_data(t)), "len": lambda t: t.vmap(lambda x: x * len(x))(_data(t)),
    "out_dims": lambda t: t.vmap(lambda a: (a, a.outer(a)), out_dims=(1, 2))(_data(t)),
    "linearize": lambda t: t.func.linearize(t.sin, _data(t))[1](_data(t)), "repr": lambda t: _printed(t),
    "rearrange": lambda t: t.func.rearrange(_data(t), "a (b c) -> c a b", b=3),
    "solve": lambda t: t.vmap(lambda a, b: t.linalg.solve(a @ a.t() + t.eye(3), b), in_dims=(0, None))(
        t.stack([_data(t), _data(t) + 1]), _data(t)[0]),
    # errors
    "item": lambda t: t.vmap(lambda x: x.sum().item())(_data(t)), "branch": lambda t: t.vmap(lambda x: x if x.sum() > 0 else -x)(_data(t)),
    "no draw": lambda t: t.vmap(lambda x: x + t.rand(3))(_data(t)), "sizes": lambda t: t.vmap(t.add)(_data(t), _data(t)[:2]),
    "in_dims": lambda t: t.vmap(t.add, in_dims=(0, (0,)))(_data(t), _data(t)), "result": lambda t: t.vmap(lambda x: 3)(_data(t)),
    "scalar": lambda t: t.func.grad(t.sin)(_data(t)), "argnums": lambda t: t.func.grad(t.sum, argnums=3)(_data(t)),
    "structure": lambda t: t.func.jvp(t.sin, (_data(t),), (_data(t), _data(t))), "backward": lambda t: t.vmap(
        lambda x: x.sum().backward())(_data(t)), "leaf": lambda t: t.func.grad(lambda x: x.sin_().sum())(_data(t)),
    **{f"complex {kind} of {jac}": (lambda t, jac=jac, f=f, x=x: getattr(t.func, jac)(f)(t.tensor(x))) for jac in ("jacrev", "jacfwd")
       for kind, f, x in (("input", lambda z: z.abs(), [1 + 2j]), ("output", lambda x: x * 1j, [1.0]))},
    "singular": lambda t: t.vmap(t.linalg.inv)(t.zeros(2, 2, 2)), "explicit": lambda t: t.vmap(t.nn.functional.one_hot)(t.tensor([1, 2])),
}


def _printed(t):
    found = []
    t.vmap(lambda x: (found.append(repr(x)), x)[1])(_data(t))
    with t.autograd.forward_ad.dual_level():
        found.append(repr(t.autograd.forward_ad.make_dual(_data(t)[0], _data(t)[1])))
    return found


def _plain(result):
    """Containers of arrays."""
    if isinstance(result, (torch.Tensor, flambeau.Tensor)):
        return result.detach().numpy()
    if isinstance(result, dict):
        return {k: _plain(v) for k, v in result.items()}
    return [_plain(v) for v in result] if isinstance(result, (list, tuple)) else result


def _run(program, t):
    t.manual_seed(5)
    try:
        return _plain(program(t))
    except Exception as error:
        return type(error).__name__, str(error)


def _equal(a, b):
    if isinstance(a, np.ndarray):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for k in a:
            _equal(a[k], b[k])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            _equal(x, y)
    else:
        assert a == b


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same(name):
    expected, found = _run(PROGRAMS[name], torch), _run(PROGRAMS[name], flambeau)
    if isinstance(expected, tuple) and isinstance(expected[1], str) and name == "in_dims":  # how deep a tree is printed differs
        assert found[0] == expected[0] and "in_dims is not compatible" in found[1]
    else:
        _equal(expected, found)


DRAWS = {
    "randn": lambda t, x: t.randn(3), "randn of many": lambda t, x: t.randn(20), "rand": lambda t, x: t.rand(2),
    "randint": lambda t, x: t.randint(0, 10, (4,)), "randn_like": lambda t, x: t.randn_like(x), "randperm": lambda t, x: t.randperm(5),
    "bernoulli": lambda t, x: t.bernoulli(x.sigmoid()), "dropout": lambda t, x: t.nn.functional.dropout(x, 0.5),
    "normal_": lambda t, x: x.clone().normal_(), "uniform_": lambda t, x: t.empty_like(x).uniform_(),
    "poisson": lambda t, x: t.poisson(x.exp()), "shared": lambda t, x: x + t.nn.functional.dropout(t.ones(3), 0.5),
}


@pytest.mark.parametrize("randomness", ["different", "same"])
@pytest.mark.parametrize("name", DRAWS)
def test_the_same_random_numbers(name, randomness):
    def program(t):
        return t.vmap(lambda x: DRAWS[name](t, x), randomness=randomness)(_data(t))
    expected, found = _run(program, torch), _run(program, flambeau)
    if name == "normal_" and randomness == "same":
        assert expected[0] == found[0] if isinstance(expected, tuple) else True
    else:
        _equal(expected, found)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # PyTorch's, of its own vmap
@pytest.mark.parametrize("name", ["Linear", "Conv2d", "BatchNorm1d", "TransformerEncoderLayer"])
def test_gradients_of_each_example(name):
    make, shape = {
        "Linear": (lambda t: t.nn.Linear(4, 3), (4,)), "Conv2d": (lambda t: t.nn.Conv2d(2, 4, 3, groups=2), (1, 2, 5, 5)),
        "BatchNorm1d": (lambda t: t.nn.BatchNorm1d(4).eval(), (3, 4)),
        "TransformerEncoderLayer": (lambda t: t.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), (1, 3, 8)),
    }[name]
    results = []
    for t in (torch, flambeau):
        t.manual_seed(0)
        m, x = make(t), t.randn(3, *shape)
        parameters = {k: v.detach() for k, v in m.named_parameters()}

        def loss(p, x):
            out = t.func.functional_call(m, p, (x,))
            return (out[0] if isinstance(out, tuple) else out).square().sum()
        results.append(_plain(t.vmap(t.func.grad(loss), in_dims=(None, 0))(parameters, x)))
    _equal(*results)


FUNCTIONAL = {
    "jacobian": lambda t, F: F.jacobian(lambda a, b: (a * b, a + b), (_data(t)[0], _data(t)[1])),
    "at once": lambda t, F: F.jacobian(lambda a, b: (a * b, a + b), (_data(t)[0], _data(t)[1]), vectorize=True),
    "forward": lambda t, F: F.jacobian(lambda a, b: (a * b, a + b), (_data(t)[0], _data(t)[1]), vectorize=True, strategy="forward-mode"),
    "hessian": lambda t, F: F.hessian(lambda a, b: (a * b * a).sum(), (_data(t)[0], _data(t)[1])),
    "forward hessian": lambda t, F: F.hessian(_loss(t), _data(t)[0], vectorize=True, outer_jacobian_strategy="forward-mode"),
    "vjp": lambda t, F: F.vjp(lambda x: x ** 3, _data(t), _data(t)), "jvp": lambda t, F: F.jvp(lambda x: x ** 3, _data(t), _data(t)),
    "vhp": lambda t, F: F.vhp(_loss(t), _data(t)[0], _data(t)[1]), "hvp": lambda t, F: F.hvp(_loss(t), _data(t)[0], _data(t)[1]),
    "no v": lambda t, F: F.vjp(lambda x: x, _data(t)), "no input": lambda t, F: F.jvp(lambda x: x, _data(t)),
    "v": lambda t, F: F.vjp(lambda x: x, _data(t), _data(t)[0]), "vs": lambda t, F: F.hvp(_loss(t), _data(t), (_data(t), _data(t))),
    "strict": lambda t, F: F.jacobian(lambda x: t.ones(3), _data(t), strict=True),
    "strict input": lambda t, F: F.jacobian(lambda x, y: x, (_data(t), _data(t)), strict=True),
    "strict graph": lambda t, F: F.jacobian(lambda x: 2 * x, _data(t), strict=True, create_graph=True),
    "strict at once": lambda t, F: F.jacobian(lambda x: x, _data(t), strict=True, vectorize=True),
    "strict hessian": lambda t, F: F.hessian(lambda x: x.sum(), _data(t), strict=True),
    "strict vhp": lambda t, F: F.vhp(lambda x: x.sum(), _data(t), _data(t), strict=True),
    "scalar": lambda t, F: F.hessian(lambda x: x, _data(t)), "tuple": lambda t, F: F.vhp(lambda x: (x.sum(),), _data(t), _data(t)),
    "number": lambda t, F: F.jacobian(t.sin, 3.0), "result": lambda t, F: F.jacobian(lambda x: 3, _data(t)),
    "strategy": lambda t, F: F.jacobian(t.sin, _data(t), strategy="x"), "alone": lambda t, F: F.jacobian(
        t.sin, _data(t), strategy="forward-mode"),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_autograd_functional(name):
    import flambeau.autograd.functional  # noqa: F401
    expected, found = (_run(lambda t: FUNCTIONAL[name](t, t.autograd.functional), t) for t in (torch, flambeau))
    _equal(expected, found)
