"""multinomial and poisson draw PyTorch's numbers, and leave the generator where PyTorch leaves it."""

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

WEIGHTS = np.random.default_rng(0).random((4, 50))


def outcome(module, call):
    module.manual_seed(5)
    try:
        result = call(module)
    except Exception as error:
        return type(error).__name__, str(error)
    return str(result.dtype).split(".")[1], result.tolist(), module.rand(3).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("samples", "replacement"), [(1, False), (5, False), (50, False), (1, True), (7, True), (200, True)]
)
def test_multinomial(dtype, samples, replacement):
    for weights in (WEIGHTS, WEIGHTS[0]):
        ours, theirs = (
            outcome(m, lambda m: m.multinomial(m.tensor(weights, dtype=getattr(m, dtype)), samples, replacement))
            for m in (flambeau, torch)
        )
        assert ours == theirs


@pytest.mark.parametrize(
    ("weights", "samples"),
    [
        ([1.0, 2.0], 3),
        ([-1.0, 2.0], 1),
        ([0.0, 0.0], 1),
        ([0, 2], 1),
        ([1.0, 2.0], 0),
        (1.0, 1),
        ([1.0, float("inf")], 1),
    ],
)
def test_multinomial_errors(weights, samples):
    ours, theirs = (outcome(m, lambda m: m.multinomial(m.tensor(weights), samples)) for m in (flambeau, torch))
    assert ours == theirs and ours[0] == "RuntimeError"


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("rates", [WEIGHTS * 9, WEIGHTS * 40, [0.0, 1.0, 10.0, 1000.0, 1e5], [-1.0]])
def test_poisson(dtype, rates):
    ours, theirs = (
        outcome(m, lambda m: m.poisson(m.tensor(rates, dtype=getattr(m, dtype)))) for m in (flambeau, torch)
    )
    assert ours == theirs


def test_rrelu():
    values = WEIGHTS - 0.5
    results = []
    for module in (flambeau, torch):
        module.manual_seed(5)
        x = module.tensor(values).requires_grad_(True)
        y = module.nn.functional.rrelu(x, training=True)
        y.sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy(), module.rand(3).numpy()))
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, 1e-12)


GRID = np.linspace(0.0, 3.0, 40).reshape(4, 10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", [
    "m._standard_gamma(x)", "m._standard_gamma(x * 40)", "m._sample_dirichlet(x + 0.1)",
    "m._sample_dirichlet(x * 9 + 1e-4)",
    "m.binomial((x * 100).floor(), x / 3)", "m.binomial((x * 3).floor(), 1 - x / 3)", "m.normal(x, x + 1)",
    "m.normal(x[0], 2.0)",
    "m.empty_like(x).geometric_(0.3)", "m.empty_like(x).log_normal_(1.0, 0.5)", "m.empty_like(x)[0, "
                                                                                ":5].log_normal_(0.0, 2.0)",
    "m.empty_like(x).exponential_(2.0)", "m.empty_like(x).cauchy_(1.0, 2.0)",
])
def test_continued_streams(expression, dtype):
    """Draws after an odd number of normals, of which one is kept, and what the generator gives afterwards."""
    results = []
    for module in (torch, flambeau):
        module.manual_seed(11)
        first = module.randn(3, dtype=module.float64)
        drawn = eval(expression, {"m": module, "x": module.tensor(GRID, dtype=getattr(module, dtype))})
        results.append([t.numpy() for t in (first, drawn, module.randn(3, dtype=module.float64), module.rand(2))])
    for want, got in zip(*results):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-7)


def test_gradients_of_draws():
    """PyTorch's are interpolated to about three digits."""
    gradients = []
    for module in (torch, flambeau):
        module.manual_seed(12)
        x = module.tensor(GRID + 0.2, requires_grad=True)
        module._standard_gamma(x).square().sum().backward()
        y = module._sample_dirichlet(x.detach())
        total = x.detach().sum(-1, keepdim=True).expand(4, 10)
        gradients.append((x.grad.numpy(), module._dirichlet_grad(y, x.detach(), total).numpy()))
    for want, got in zip(*gradients):
        np.testing.assert_allclose(got, want, rtol=3e-3, atol=1e-6)


@pytest.mark.parametrize("expression", ["m.bernoulli(x)", "m.poisson(x)", "m.normal(x, x)", "m.normal(x[0], x)", "m.normal(x, 2.0)", "m.normal(1.0, x)"])
def test_draws_have_a_gradient_of_zero(expression):
    found = []
    for module in (torch, flambeau):
        module.manual_seed(3)
        x = module.full((2, 3), 0.5, requires_grad=True)
        y = eval(expression, {"m": module, "x": x})
        y.sum().backward()
        found.append((y.tolist(), y.grad_fn.name(), x.grad.tolist()))
    assert found[0][1:] == found[1][1:]
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-5)


@pytest.mark.parametrize("expression", [
    "m._standard_gamma(m.ones(2).half())", "m._sample_dirichlet(m.ones(2).bfloat16())",
    "m.binomial(m.ones(2).int(), m.ones(2))",
    "m.binomial(m.ones(2), m.ones(2).int())", "m.binomial(m.ones(2), m.ones(2).double())",
])
def test_errors_of_rejection(expression):
    ours, theirs = (outcome(m, lambda m: eval(expression, {"m": m})) for m in (flambeau, torch))
    assert ours == theirs


@pytest.mark.parametrize("call", [lambda m, x: m.randint_like(x, 9), lambda m, x: m.randint_like(x, 3, 9), lambda m, x: m.randint_like(x, 3, high=9),
                                  lambda m, x: m.randint_like(x, low=3, high=9), lambda m, x: m.randint_like(x, high=9)])
def test_the_bounds_of_randint_like(call):
    ours, theirs = (outcome(m, lambda m: call(m, m.zeros(4, 5))) for m in (flambeau, torch))
    assert ours == theirs


@pytest.mark.parametrize("call", [lambda m, x: m.randint_like(x), lambda m, x: m.randint_like(x, 1, 2, 3), lambda m, x: m.randint_like(x, low=3)])
def test_wrong_bounds_of_randint_like(call):
    for m in (flambeau, torch):
        with pytest.raises(TypeError, match="randint_like"):
            call(m, m.zeros(2))
