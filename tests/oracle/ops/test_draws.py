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
