"""Elementwise arithmetic with PyTorch's promotion: the operators and their relatives."""
from __future__ import annotations

from ..dtypes import bool_, dtype
from ..ir.graph import Var
from .. import primitives as p
from ..tensor.op import inplace, op
from .promotion import convert, promoted, promoted_float, result_dtype


def _scaled(x: Var, alpha) -> Var:
    """alpha · x, where alpha is 1 or a runtime number."""
    if not isinstance(alpha, Var):
        return x if alpha == 1 else x * alpha
    if alpha.dtype.kind == "f" and x.dtype.kind in "iub":
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if alpha.dtype.kind == "b" and x.dtype is not bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return p.mul(x, p.cast(alpha, x.dtype))


@op("AddBackward0")
def add(input: Tensor, other: Scalar, *, alpha: Scalar = 1):
    """input + alpha · other, with broadcasting and type promotion."""
    x, y = promoted(input, other)
    return p.bitwise_or(*p.as_vars(x, y)) if x.dtype is bool_ else p.add(x, _scaled(y, alpha))


@op("SubBackward0")
def sub(input: Tensor, other: Scalar, *, alpha: Scalar = 1):
    """input − alpha · other, with broadcasting and type promotion. Boolean tensors raise RuntimeError."""
    x, y = promoted(input, other)
    if x.dtype is bool_:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
                           "operator instead.")
    for v in (input, other):
        if isinstance(v, Var) and v.dtype is bool_ and not v.type.weak:
            raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
                               "use the `~` or `logical_not()` operator instead.")
    return p.sub(x, _scaled(y, alpha))


@op("RsubBackward1")
def rsub(input: Tensor, other: Scalar, *, alpha: Scalar = 1):
    """other − alpha · input."""
    return sub.op.body(other, input, alpha) if isinstance(other, Var) else sub.op.body(*_swap(input, other), alpha)


def _swap(x: Var, number):
    return p.constant(number, result_dtype(x, number), x.builder), x


@op("MulBackward0")
def mul(input: Tensor, other: Scalar):
    """input · other, with broadcasting and type promotion."""
    x, y = promoted(input, other)
    return p.bitwise_and(x, y) if x.dtype is bool_ else p.mul(x, y)


@op("DivBackward0")
def div(input: Tensor, other: Scalar, *, rounding_mode=None):
    """input / other; integers give floats. rounding_mode: None, "trunc" (toward zero) or "floor"."""
    if rounding_mode is None:
        return p.div(*promoted_float(input, other))
    x, y = promoted(input, other)
    if rounding_mode == "trunc":
        return p.div(x, y) if x.dtype.kind in "iu" else p.trunc(p.div(x, y))
    if rounding_mode == "floor":
        return p.floor_divide(x, y)
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


@op("PowBackward0")
def pow(input: Scalar, exponent: Scalar):
    """input raised to exponent, elementwise."""
    x, y = promoted(input, exponent)
    if x.dtype.kind in "iu" and isinstance(exponent, Var) is False and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return p.power(x, y)


@op("NegBackward0")
def neg(input: Tensor):
    """−input."""
    if input.dtype is bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the "
                           "`~` or `logical_not()` operator instead.")
    return p.neg(input)


@op("ToCopyBackward0")
def _cast_to(input: Tensor, dtype):
    return p.cast(input, dtype)


def cast_to(input, dtype: dtype):
    """input converted to dtype, itself if it has it already."""
    return input if input.dtype is dtype else _cast_to(input, dtype)


add_, sub_, mul_, div_ = inplace(add), inplace(sub), inplace(mul), inplace(div)

__all__ = ["add", "cast_to", "convert", "div", "mul", "neg", "pow", "rsub", "sub"]

METHODS = {
    "__add__": add, "__radd__": add, "add": add, "__sub__": sub, "sub": sub, "__rsub__": rsub, "__mul__": mul, "__rmul__": mul, "mul": mul,
    "__truediv__": div, "div": div, "__pow__": pow, "pow": pow, "__neg__": neg, "neg": neg,
    "add_": add_, "sub_": sub_, "mul_": mul_, "div_": div_,
}
