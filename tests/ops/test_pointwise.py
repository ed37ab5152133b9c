"""Elementwise functions of one tensor, against NumPy and finite differences."""
import numpy as np
import pytest

import flambeau as torch

from .common import check_gradient, check_values

X = np.random.default_rng(1).uniform(-0.9, 0.9, (3, 4))
LARGE = X * 5 + 7
EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 1e-300, 2.5, -2.5])

FUNCTIONS = {
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint, "square": np.square,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "atanh": np.arctanh, "log1p": np.log1p,
    "deg2rad": np.deg2rad, "rad2deg": np.rad2deg, "sinc": np.sinc, "reciprocal": np.reciprocal,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "frac": lambda x: x - np.trunc(x),
}
ON_POSITIVE = {"sqrt": np.sqrt, "log": np.log, "log2": np.log2, "log10": np.log10, "acosh": np.arccosh,
               "rsqrt": lambda x: 1 / np.sqrt(x)}
COMPLEX = ("exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "atanh", "sqrt", "log",
           "log1p", "reciprocal", "square", "neg", "sigmoid")


@pytest.mark.parametrize("name", [*FUNCTIONS, *ON_POSITIVE])
def test_values_are_numpys(name):
    x = X if name in FUNCTIONS else LARGE
    reference = FUNCTIONS.get(name) or ON_POSITIVE[name]
    check_values(getattr(torch, name), reference, x, rtol=1e-14, atol=1e-15)
    check_values(getattr(torch, name), reference, x.astype(np.float32), rtol=3e-7, atol=1e-7)
    with np.errstate(all="ignore"):
        check_values(getattr(torch, name), reference, EDGES)


@pytest.mark.parametrize("name", [*FUNCTIONS, *ON_POSITIVE])
def test_gradients_are_finite_differences(name):
    check_gradient(getattr(torch, name), (X if name in FUNCTIONS else LARGE)[:2, :2] + 0.03)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_values_and_gradients(name):
    """f is holomorphic: the gradient of Re Σ w f(z) is conj(w f'(z)) in PyTorch's convention, f' by a difference."""
    z = X[:2, :2] + 1j * X[1:, 2:]
    reference = FUNCTIONS.get(name) or ON_POSITIVE[name]
    check_values(getattr(torch, name), reference, z, rtol=1e-12)
    leaf = torch.tensor(z, requires_grad=True)
    getattr(torch, name)(leaf).real.sum().backward()
    h = 1e-6
    slope = (reference(z + h) - reference(z - h)) / (2 * h)
    np.testing.assert_allclose(leaf.grad.numpy(), slope.conj(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [*FUNCTIONS, *ON_POSITIVE])
def test_in_place_and_out(name):
    function = getattr(torch, name)
    x = torch.tensor(LARGE)
    want = function(x).numpy()
    out = torch.empty(0, dtype=torch.float64)
    assert function(x, out=out) is out
    y = x.clone()
    assert getattr(y, name + "_")() is y
    for written in (out, y):
        np.testing.assert_array_equal(written.numpy(), want)


def test_integers_become_floats_or_stay():
    i = torch.tensor([1, 4])
    assert torch.sqrt(i).dtype is torch.float32 and torch.sqrt(i).tolist() == [1, 2]
    assert torch.floor(i) is not i and torch.floor(i).dtype is torch.int64
    assert torch.abs(torch.tensor([-3], dtype=torch.int8)).dtype is torch.int8


@pytest.mark.parametrize("call", [
    lambda: torch.floor(torch.tensor([True])), lambda: torch.abs(torch.tensor([True])), lambda: torch.floor(torch.tensor([1j])),
    lambda: torch.sign(torch.tensor([1j])), lambda: torch.frac(torch.tensor([1])), lambda: torch.erf(torch.tensor([1j])),
    lambda: torch.clamp(torch.tensor([1j]), 0, 1)])
def test_unsupported_types_raise_not_implemented(call):
    with pytest.raises(NotImplementedError):
        call()


def test_signs_of_zero_nan_and_complex():
    x = torch.tensor([0.0, -0.0, float("nan"), -3.0])
    assert torch.sign(x).tolist() == [0, 0, 0, -1]
    assert torch.signbit(x)[:2].tolist() == [False, True]
    assert torch.sgn(torch.tensor([3 + 4j, 0j])).tolist() == pytest.approx([0.6 + 0.8j, 0])


def test_clamp_limits():
    x = torch.tensor([-1.0, 0.5, 2.0, float("nan")])
    assert x.clamp(0, 1)[:3].tolist() == [0, 0.5, 1] and x.clamp(0, 1)[3].isnan()
    assert x.clamp(1, 0)[:3].tolist() == [0, 0, 0]  # max wins
    assert x.clamp(min=torch.tensor([0.0, 1.0, 0.0, 0.0]))[:3].tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="At least one of"):
        x.clamp()
    leaf = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0], requires_grad=True)
    leaf.clamp(0, 1).sum().backward()
    assert leaf.grad.tolist() == [0, 1, 1, 1, 0]  # the limits themselves pass the gradient


def test_where_promotes_and_broadcasts():
    mask = torch.tensor([[True], [False]])
    assert torch.where(mask, torch.tensor([1, 2]), 0.5).tolist() == [[1, 2], [0.5, 0.5]]
    assert torch.where(mask, 1, 0).dtype is torch.int64
    rows, columns = torch.where(torch.tensor([[True, False], [False, True]]))
    assert rows.tolist() == [0, 1] and columns.tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="expected condition to be a boolean tensor"):
        torch.where(torch.ones(2), 1, 0)


def test_round_to_decimals():
    x = torch.tensor([1.25, -1.35, 149.0], dtype=torch.float64)
    assert torch.round(x, decimals=1).tolist() == [1.2, -1.4, 149.0]
    assert torch.round(x, decimals=-2).tolist() == [0, 0, 100]


def test_nan_to_num():
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0])
    top = torch.finfo(torch.float32).max
    assert torch.nan_to_num(x).tolist() == [0, top, -top, 1]
    assert torch.nan_to_num(x, 7, 8, 9).tolist() == [7, 8, 9, 1]


def test_relu_gradient_at_zero_is_zero():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    torch.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 1]
