"""Comparisons, classes of numbers, logic and bits."""
import numpy as np
import pytest

import flambeau as torch

from .common import check_values

X = np.array([1.0, 2.0, np.nan, np.inf, -np.inf, 0.0, -3.0])
Y = np.array([1.0, 3.0, np.nan, np.inf, np.inf, -0.0, -4.0])
INTS, MORE_INTS = np.array([0b1100, -7, 0, 5]), np.array([0b1010, 3, -1, 64])


@pytest.mark.parametrize("name, reference", [
    ("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal),
    ("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)])
def test_comparisons(name, reference):
    check_values(getattr(torch, name), reference, X, Y)
    check_values(getattr(torch, name), reference, INTS, MORE_INTS)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "isposinf", "isneginf"])
def test_classes(name):
    check_values(getattr(torch, name), getattr(np, name), X)
    assert getattr(torch, name)(torch.tensor([1, 2])).tolist() == [name == "isfinite"] * 2


@pytest.mark.parametrize("name, reference", [("bitwise_and", np.bitwise_and), ("bitwise_or", np.bitwise_or),
                                             ("bitwise_xor", np.bitwise_xor), ("gcd", np.gcd), ("lcm", np.lcm)])
def test_bits(name, reference):
    check_values(getattr(torch, name), reference, INTS, MORE_INTS)


def test_shifts_beyond_the_width():
    x = torch.tensor([1, -8], dtype=torch.int32)
    assert (x << 2).tolist() == [4, -32] and (x >> 1).tolist() == [0, -4]
    assert (x << 40).tolist() == [0, 0] and (x >> 40).tolist() == [0, -1]


def test_closeness():
    x = torch.tensor([1.0, 1.0, float("inf"), float("nan")])
    y = torch.tensor([1.0 + 1e-9, 1.1, float("inf"), float("nan")])
    assert torch.isclose(x, y).tolist() == [True, False, True, False]
    assert torch.isclose(x, y, equal_nan=True).tolist() == [True, False, True, True]
    assert torch.allclose(x[:1], y[:1]) is True and torch.allclose(x, y) is False
    assert torch.equal(x[:3], x[:3].clone()) is True and torch.equal(x[:2], y[:2]) is False
    assert torch.equal(torch.ones(2), torch.ones(2, 1)) is False
    with pytest.raises(RuntimeError, match="rtol must be"):
        torch.isclose(x, y, rtol=-1.0)


def test_contains_and_truth():
    x = torch.tensor([1, 2])
    assert 2 in x and 3 not in x
    assert torch.is_nonzero(torch.tensor([5])) is True
    with pytest.raises(RuntimeError, match="ambiguous"):
        torch.is_nonzero(x)
    with pytest.raises(TypeError, match="invert"):
        ~torch.ones(2)
    with pytest.raises(NotImplementedError, match="bitwise_and"):
        torch.ones(2) & 1
