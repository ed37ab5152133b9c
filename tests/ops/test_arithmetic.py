"""Operators, promotion and gradients of arithmetic, against NumPy and finite differences."""
import numpy as np
import pytest

import flambeau as torch

from .common import check_gradient, check_values

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, 3, 4))
POSITIVE = RANDOM.uniform(0.5, 3, (3, 4))

BINARY = {
    "add": (torch.add, np.add), "sub": (torch.sub, np.subtract), "mul": (torch.mul, np.multiply), "div": (torch.div, np.divide),
    "atan2": (torch.atan2, np.arctan2), "hypot": (torch.hypot, np.hypot), "maximum": (torch.maximum, np.maximum),
    "minimum": (torch.minimum, np.minimum), "fmax": (torch.fmax, np.fmax), "fmin": (torch.fmin, np.fmin),
    "remainder": (torch.remainder, np.remainder), "fmod": (torch.fmod, np.fmod), "copysign": (torch.copysign, np.copysign),
    "logaddexp": (torch.logaddexp, np.logaddexp), "logaddexp2": (torch.logaddexp2, np.logaddexp2),
}


@pytest.mark.parametrize("name", BINARY)
def test_values_are_numpys(name):
    ours, numpys = BINARY[name]
    check_values(ours, numpys, X, Y)
    check_values(ours, numpys, X.astype(np.float32), Y[0].astype(np.float32), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", BINARY)
def test_gradients_are_finite_differences(name):
    check_gradient(BINARY[name][0], X[:2, :2], Y[:2, :2])


@pytest.mark.parametrize("function, inputs", [
    (lambda x, y: x ** y, (POSITIVE, Y)), (lambda x: x ** 3, (X,)), (lambda x: x ** -2, (POSITIVE,)), (lambda x: x ** 2.7, (POSITIVE,)),
    (lambda x: 2 ** x, (X,)), (lambda x: 3 / x, (POSITIVE,)), (lambda x, y: x.lerp(y, 0.3), (X, Y)),
    (lambda x, y, z: torch.addcmul(x, y, z, value=0.5), (X, Y, POSITIVE)),
    (lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), (X, Y, POSITIVE)), (lambda x, y: torch.lerp(x, y, x * y), (X, Y)),
    (lambda x, y: x.clamp(-0.5, 0.5) * y, (X, Y)), (lambda x, y: torch.where(x > 0, x * y, y), (X, Y)),
    (lambda x, y: x.clamp(min=y), (X, Y)), (lambda x, y: x + y, (X, Y[0])), (lambda x, y: x * y, (X[:, :1], Y[0])),
])
def test_more_gradients(function, inputs):
    check_gradient(function, *[x[:2, :2] if x.ndim == 2 else x[:2] for x in inputs])


def test_numbers_take_part_in_promotion_by_category_only():
    i8, half = torch.ones(2, dtype=torch.int8), torch.ones(2, dtype=torch.float16)
    assert (i8 + 1).dtype is torch.int8
    assert (i8 + 1.0).dtype is torch.float32
    assert (half + 1.0).dtype is torch.float16
    assert (half * torch.tensor(1.0, dtype=torch.float64)).dtype is torch.float16  # 0-dim, same category
    assert (i8 + torch.tensor(1.0, dtype=torch.float64)).dtype is torch.float64
    assert (i8 * True).dtype is torch.int8
    assert (half * 1j).dtype is torch.complex32
    assert (i8 / 2).dtype is torch.float32


def test_integer_division_rounds_as_python_and_c_do():
    x, y = torch.tensor([7, -7, 7, -7]), torch.tensor([2, 2, -2, -2])
    assert (x // y).tolist() == [3, -4, -4, 3]
    assert torch.div(x, y, rounding_mode="trunc").tolist() == [3, -3, -3, 3]
    assert (x % y).tolist() == [1, 1, -1, -1]
    assert torch.fmod(x, y).tolist() == [1, -1, 1, -1]


def test_large_integers_divide_exactly():
    assert torch.div(torch.tensor([2 ** 62 + 1]), 3, rounding_mode="trunc").item() == (2 ** 62 + 1) // 3


@pytest.mark.parametrize("divide", [lambda x: x // 0, lambda x: x % 0, lambda x: torch.fmod(x, 0),
                                    lambda x: x // torch.tensor([0, 1])])
def test_integer_division_by_zero_raises(divide):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        divide(torch.tensor([1, 2])).tolist()


def test_reflected_operators():
    x = torch.tensor([1.0, 2.0, 4.0])
    assert (1 - x).tolist() == [0, -1, -3]
    assert (8 / x).tolist() == [8, 4, 2]
    assert (2 ** x).tolist() == [2, 4, 16]
    assert (7 // x).tolist() == [7, 3, 1]
    assert (7 % x).tolist() == [0, 1, 3]
    assert (1 << torch.tensor([0, 1, 3])).tolist() == [1, 2, 8]
    assert (5 & torch.tensor([4, 2, 1])).tolist() == [4, 0, 1]


def test_augmented_assignment_writes_in_place():
    x = y = torch.tensor([1.0, 2.0])
    x += 1
    x *= torch.tensor([2.0, 3.0])
    x **= 2
    assert y.tolist() == [16, 81]


@pytest.mark.parametrize("expression", ["x + 'a'", "x - [1]", "x * None", "x < 'a'", "x ** 'a'", "divmod(x, 2)", "None + x"])
def test_foreign_operands_raise_type_errors(expression):
    for x in (torch.ones(2), torch.ones(2, dtype=torch.bool), torch.ones(2, dtype=torch.complex64)):
        with pytest.raises(TypeError):
            eval(expression, {"x": x})


def test_comparison_with_foreign_objects_is_identity():
    x = torch.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert (x == "a") is False


def test_broadcast_errors_name_sizes_and_dimension():
    with pytest.raises(RuntimeError, match=r"size of tensor a \(3\) must match the size of tensor b \(4\) at non-singleton dimension 1"):
        torch.ones(2, 3) + torch.ones(2, 4)


def test_in_place_results_keep_shape_and_dtype():
    x = torch.ones(3, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        x.add_(0.5)
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        x.add_(torch.ones(2, 3, dtype=torch.int64))


def test_booleans_do_not_subtract():
    mask = torch.tensor([True])
    with pytest.raises(RuntimeError, match="two bool tensors is not supported"):
        mask - mask
    with pytest.raises(RuntimeError, match="Negation"):
        -mask


def test_floor_divide_has_no_derivative():
    x = torch.tensor([3.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match="floor_divide"):
        (x // 2).backward()


def test_static_powers_are_products():
    x = torch.tensor([-2.0, 0.0, 3.0])
    assert (x ** 2).tolist() == [4, 0, 9] and (x ** 0).tolist() == [1, 1, 1] and (x ** 3).tolist() == [-8, 0, 27]
    assert (torch.tensor([4.0]) ** -0.5).item() == 0.5
    with pytest.raises(RuntimeError, match="negative integer powers"):
        torch.tensor([2]) ** -1


def test_half_precision_rounds_once():
    """A chain inside one op is computed in float32: (x + y·z) is the rounding of the exact value."""
    x, y, z = [torch.tensor(a, dtype=torch.float16) for a in ([1.0], [0.1], [0.3])]
    exact = 1 + float(np.float16(0.1)) * float(np.float16(0.3))
    assert torch.addcmul(x, y, z).item() == float(np.float16(exact))
