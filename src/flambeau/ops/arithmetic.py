"""Arithmetic of two or more operands with PyTorch's promotion: what the operators +, -, *, /, //, % and ** do, and relatives."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..dtypes import bool_, complex128, float64
from ..ir.graph import Var
from ..tensor.attributes import host_array
from ..tensor.op import apply_inplace, inplace, inplace_operator, op, operator, reflected
from ..tensor.tensor import Tensor
from .promotion import (check_shapes, convert, in_opmath, need_tensor, not_implemented, promoted, promoted_float, result_dtype,
                        variant)


def _scaled(x: Var, alpha: Any) -> Var:
    """alpha · x, where alpha is 1 or a runtime number."""
    if not isinstance(alpha, Var):
        return x if alpha == 1 else p.mul(x, alpha)
    if alpha.dtype.kind == "c" and x.dtype.kind != "c":
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if alpha.dtype.kind == "f" and x.dtype.kind in "iub":
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if alpha.dtype.kind == "b" and x.dtype is not bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if x.dtype is bool_:
        return p.bitwise_and(*p.as_vars(x, p.cast(alpha, bool_)))
    return p.mul(x, p.cast(alpha, x.dtype))


@op("AddBackward0")
def add(input: Scalar, other: Scalar, *, alpha: Scalar = 1):
    """input + alpha · other, with broadcasting and type promotion; the logical or of booleans."""
    x, y = promoted(input, other)
    y = _scaled(y, alpha)
    return p.bitwise_or(x, y) if x.dtype is bool_ else p.add(x, y)


@op("SubBackward0")
def sub(input: Scalar, other: Scalar, *, alpha: Scalar = 1):
    """input − alpha · other, with broadcasting and type promotion. Boolean tensors raise RuntimeError."""
    _refuse_bool_minus(input, other)
    x, y = promoted(input, other)
    return p.sub(x, _scaled(y, alpha))


@op(variant("Rsub", 0, 1))
def rsub(input: Tensor, other: Scalar, *, alpha: Scalar = 1):
    """other − alpha · input."""
    _refuse_bool_minus(input, other)
    x, y = promoted(input, other)
    return p.sub(y, _scaled(x, alpha))


def _refuse_bool_minus(x: Any, y: Any) -> None:
    booleans = [isinstance(v, Var) and v.dtype is bool_ or isinstance(v, bool) for v in (x, y)]
    if all(booleans):
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
                           "operator instead.")
    if any(booleans):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
                           "the `~` or `logical_not()` operator instead.")


@op("MulBackward0")
def mul(input: Scalar, other: Scalar):
    """input · other, with broadcasting and type promotion; the logical and of booleans."""
    x, y = promoted(input, other)
    return p.bitwise_and(x, y) if x.dtype is bool_ else p.mul(x, y)


def _check_divisor(input: Any, other: Any, rounding_mode: str | None = "floor") -> None:
    """PyTorch's error for integers divided by zero, as far as it can be told before the program runs."""
    if rounding_mode is None or isinstance(input, float) or isinstance(input, Tensor) and input.dtype.kind not in "biu":
        return
    if isinstance(other, Tensor):
        known = other._storage.value.buffer is not None and other.dtype.kind in "biu"
        zero = known and bool((host_array(other) == 0).any())
    else:
        zero = isinstance(other, int) and other == 0
    if zero:
        raise RuntimeError("ZeroDivisionError")


def _div_name(input: Var, other: Var, rounding_mode: str | None) -> str:
    return "DivBackward0" if rounding_mode is None else "DivBackward2"


@op(_div_name, check=_check_divisor)
def div(input: Scalar, other: Scalar, *, rounding_mode=None):
    """input / other; integers give floats. rounding_mode: None, "trunc" (toward zero) or "floor"; both keep integers."""
    if rounding_mode is None:
        return p.div(*promoted_float(input, other))
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    x, y = promoted(input, other)
    if x.dtype.kind in "bc":
        raise not_implemented(f"div_{rounding_mode}_cpu", x.dtype)
    if rounding_mode == "trunc":
        return p.div(x, y) if x.dtype.kind in "iu" else in_opmath(lambda a, b: p.trunc(p.div(a, b)), x, y)
    return p.floor_divide(x, y)


@op("MulBackward0", name="rdiv")
def _rdiv(input: Tensor, other: Scalar):
    """other / input as PyTorch's `/` computes it with a number on the left: the reciprocal, times other."""
    x, y = promoted_float(input, other)
    return p.mul(p.div(1, x), y)


def true_divide(input: Any, other: Any, *, out: Any = None) -> Tensor:
    """input / other, whatever the dtypes."""
    return div(input, other, out=out)


@op("NotImplemented", check=_check_divisor)
def floor_divide(input: Scalar, other: Scalar):
    """input / other rounded toward −∞; no gradient."""
    return _real_binary("floor_divide", p.quotient, input, other)


@op(variant("Remainder", 1, 0, 1), check=_check_divisor)
def remainder(input: Scalar, other: Scalar):
    """What is left of input after taking out `other` a whole number of times; it has the sign of other (as Python's %)."""
    need_tensor("remainder", input, other)
    return _real_binary("remainder_cpu", p.remainder, input, other)


@op(variant("Fmod", 1, 0), check=_check_divisor)
def fmod(input: Tensor, other: Scalar):
    """What is left of input after taking out `other` a whole number of times; it has the sign of input (as C's fmod)."""
    return _real_binary("fmod_cpu", p.fmod, input, other)


def _real_binary(name: str, primitive: Any, *operands: Any) -> Var:
    x, y = promoted(*operands)
    if x.dtype.kind in "bc":
        raise not_implemented(name, x.dtype)
    return primitive(x, y)


# ------------------------------------------------------------------ powers

_STATIC_EXPONENTS = frozenset({-2, -1, 0, 1, 2, 3, 4, 0.5, -0.5})  # common enough for a body of their own


@op(variant("Pow", 1, 0), name="pow")
def _pow(input: Scalar, exponent: Scalar):
    need_tensor("pow", input, exponent)
    x, y = promoted(input, exponent)
    if x.dtype is bool_:
        raise not_implemented("pow", x.dtype)
    return in_opmath(p.power, x, y)


@op("PowBackward0", name="pow")
def _pow_number(input: Tensor, exponent: Scalar):
    if input.dtype is bool_ and exponent.dtype is bool_:
        return p.bitwise_or(*p.as_vars(input, p.bitwise_not(exponent)))
    return _pow.op.body(input, exponent)


@op("PowBackward0", name="pow")
def _pow_static(input: Tensor, exponent):
    """Powers that are products, roots or quotients."""
    x, = convert(result_dtype(input, exponent), input)

    def compute(x):
        if exponent == 0:
            return p.ones_like(x)
        if exponent == 0.5:
            return p.sqrt(x)
        if exponent == -0.5:
            return p.rsqrt(x)
        square = p.mul(x, x)
        power = {1: x, 2: square, 3: p.mul(square, x), 4: p.mul(square, square)}[abs(exponent)]
        return p.div(1, power) if exponent < 0 else power
    return in_opmath(compute, x)


def _is_number(x: Any) -> bool:
    return not isinstance(x, (Tensor, Var))


def _pow_of(input: Any, exponent: Any) -> Any:
    """The op for input ** exponent."""
    if not _is_number(exponent):
        return _pow
    if isinstance(input, Tensor) and isinstance(exponent, (int, float)):
        if input.dtype.kind in "iub":
            if isinstance(exponent, int) and exponent < 0:
                raise RuntimeError("Integers to negative integer powers are not allowed.")
        elif exponent in _STATIC_EXPONENTS and not isinstance(exponent, bool):
            return _pow_static
    return _pow if _is_number(input) else _pow_number


def pow(input: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """input raised to exponent, elementwise; either may be a number.

    Integers stay integers; a negative integer exponent raises RuntimeError. d/dexponent is 0 where input is 0.
    """
    result = _pow_of(input, exponent)(input, exponent)
    if out is None:
        return result
    from ..tensor.write import write_out
    return write_out(result, out)


def pow_(self: Tensor, exponent: Any) -> Tensor:
    """self raised to exponent, in place."""
    return apply_inplace(_pow_of(self, exponent).op, (self, exponent))


def _pow_operator(self, other):
    try:
        return pow(self, other)
    except TypeError:
        return NotImplemented


def _rpow_operator(self, other):
    try:
        return pow(other, self)
    except TypeError:
        return NotImplemented


@op(variant("Pow", 1, 0), strict_out="dtype")
def float_power(input: Scalar, exponent: Scalar):
    """input raised to exponent, computed in float64 (complex128 where an operand is complex)."""
    need_tensor("float_power", input, exponent)
    dt = complex128 if result_dtype(input, exponent).kind == "c" else float64
    return p.power(*convert(dt, input, exponent))


def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """self raised to exponent, in place; self must be float64 or complex128."""
    number = isinstance(exponent, complex) if _is_number(exponent) else exponent.dtype.kind == "c"
    wanted = complex128 if number or self.dtype.kind == "c" else float64
    if self.dtype is not wanted:
        raise RuntimeError(f"the base given to float_power_ has dtype {self.dtype._legacy} but the operation's result requires dtype "
                           f"{wanted._legacy}")
    return apply_inplace(float_power.op, (self, exponent))


# ------------------------------------------------------------------ fused forms

def _weighted(x: Var, value: Any) -> Var:
    """value · x, with value converted to x's dtype."""
    return p.mul(x, p.cast(value, x.dtype)) if isinstance(value, Var) else x if value == 1 else p.mul(x, value)


@op("AddcmulBackward0")
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1):
    """input + value · tensor1 · tensor2."""
    x, a, b = promoted(input, tensor1, tensor2)
    if x.dtype is bool_:
        raise not_implemented("addcmul_cpu_out", bool_)
    return in_opmath(lambda x, a, b: p.add(x, p.mul(_weighted(a, value), b)), x, a, b)


@op("AddcdivBackward0")
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1):
    """input + value · tensor1 / tensor2. Integer tensors to divide raise RuntimeError."""
    if tensor1.dtype.kind in "iub" and tensor2.dtype.kind in "iub":
        raise RuntimeError("Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
                           "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
                           "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) "
                           "for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / "
                           "tensor2), for all dtypes.")
    x, a, b = promoted(input, tensor1, tensor2)
    return in_opmath(lambda x, a, b: p.add(x, p.div(_weighted(a, value), b)), x, a, b)


@op(lambda input, end, weight: "LerpBackward0" if weight.type.weak else "LerpBackward1")
def lerp(input: Tensor, end: Tensor, weight: Scalar):
    """input + weight · (end − input), computed from the nearer end so that weight 1 gives `end` exactly."""
    if input.dtype is not end.dtype:
        raise RuntimeError(f"expected dtype {input.dtype._legacy.lower()} for `end` but got dtype {end.dtype._legacy.lower()}")
    if isinstance(weight, Var) and not weight.type.weak and weight.dtype is not input.dtype and weight.ndim:
        raise RuntimeError(f"expected dtype {input.dtype._legacy.lower()} for `weight` but got dtype {weight.dtype._legacy.lower()}")
    if input.dtype.kind not in "fc":
        raise not_implemented("lerp_kernel_scalar", input.dtype)

    def compute(x, y, w):
        w = p.cast(w, x.dtype) if isinstance(w, Var) else p.constant(w, x.dtype, x.builder)
        size = p.absolute(w)
        span = p.sub(y, x)
        return p.select(p.lt(size, 0.5), p.add(x, p.mul(w, span)), p.sub(y, p.mul(span, p.sub(1, w))))
    return in_opmath(compute, input, end, weight)


# ------------------------------------------------------------------ larger and smaller

def _refuse_complex(name: str, x: Var) -> None:
    if x.dtype.kind == "c":
        raise RuntimeError(f"{name} does not support complex inputs.")


def _extremum(name: str, primitive: Any, x: Var, y: Var) -> Var:
    x, y = promoted(x, y)
    _refuse_complex(name, x)
    return primitive(x, y)


@op("MaximumBackward0")
def maximum(input: Tensor, other: Tensor):
    """The larger of two elements; NaN if either is. Equal elements share the gradient."""
    return _extremum("maximum", p.maximum, input, other)


@op("MinimumBackward0")
def minimum(input: Tensor, other: Tensor):
    """The smaller of two elements; NaN if either is. Equal elements share the gradient."""
    return _extremum("minimum", p.minimum, input, other)


@op("FmaxBackward0")
def fmax(input: Tensor, other: Tensor):
    """The larger of two elements, or the one that is not NaN."""
    x, y = p.as_vars(*promoted(input, other))
    _refuse_complex("fmax", x)
    return p.select(_or(p.ge(x, y), p.isnan(y)), x, y)


@op("FminBackward0")
def fmin(input: Tensor, other: Tensor):
    """The smaller of two elements, or the one that is not NaN."""
    x, y = p.as_vars(*promoted(input, other))
    _refuse_complex("fmin", x)
    return p.select(_or(p.le(x, y), p.isnan(y)), x, y)


def _or(a: Var, b: Var) -> Var:
    return p.bitwise_or(*p.as_vars(a, b))


# ------------------------------------------------------------------ more functions of two

@op("Atan2Backward0")
def atan2(input: Tensor, other: Tensor):
    """The angle of the point (other, input), in (−π, π]."""
    x, y = promoted_float(input, other)
    if x.dtype.kind == "c":
        raise not_implemented("atan2_cpu", x.dtype)
    return in_opmath(p.atan2, x, y)


@op("HypotBackward0")
def hypot(input: Tensor, other: Tensor):
    """√(input² + other²) without overflow on the way."""
    x, y = p.as_vars(*promoted(input, other))
    if x.dtype.kind != "f":
        raise not_implemented("hypot_cpu", x.dtype)
    return in_opmath(p.hypot, x, y)


@op(variant("Copysign", 0, 1))
def copysign(input: Tensor, other: Scalar):
    """The size of input with the sign of other (that of a zero counts)."""
    x, y = promoted_float(input, other)
    if x.dtype.kind == "c":
        raise not_implemented("copysign_cpu", x.dtype)
    return p.copysign(x, y)


@op("NextafterBackward0")
def nextafter(input: Tensor, other: Tensor):
    """The next representable number after input toward other."""
    x, y = promoted(input, other)
    if x.dtype.kind != "f":
        raise not_implemented("nextafter_cpu", x.dtype)
    return p.nextafter(x, y)


@op("NotImplemented", strict_out="dtype")
def heaviside(input: Tensor, values: Tensor):
    """0 where input < 0, 1 where input > 0, and `values` where it is 0."""
    if input.dtype.kind == "c" or values.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if input.dtype is not values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    x, v = p.as_vars(input, values)
    return p.heaviside(x, v)


@op("LdexpBackward0")
def ldexp(input: Tensor, other: Tensor):
    """input · 2^other."""
    dt = result_dtype(input, other if other.dtype.kind in "fc" else 1.0)
    check_shapes(input, other)
    return in_opmath(lambda x, y: p.mul(x, p.exp2(y)), *convert(dt, input, other))


@op("LogaddexpBackward0")
def logaddexp(input: Tensor, other: Tensor):
    """log(exp(input) + exp(other)), without overflow on the way."""
    x, y = p.as_vars(*promoted(input, other))
    if x.dtype.kind not in "fc":
        raise not_implemented("logaddexp_cpu", x.dtype)
    return in_opmath(p.logaddexp, x, y)


@op("Logaddexp2Backward0")
def logaddexp2(input: Tensor, other: Tensor):
    """log2(2^input + 2^other), without overflow on the way."""
    x, y = p.as_vars(*promoted(input, other))
    if x.dtype.kind not in "fc":
        raise not_implemented("logaddexp2_cpu", x.dtype)
    return in_opmath(p.logaddexp2, x, y)


@op(None)
def gcd(input: Tensor, other: Tensor):
    """The greatest common divisor, not negative; gcd(0, 0) is 0."""
    return _integer_binary("gcd_cpu", p.gcd, input, other)


@op(None)
def lcm(input: Tensor, other: Tensor):
    """The least common multiple, not negative; 0 where an operand is 0."""
    def compute(x, y):
        divisor = p.gcd(x, y)
        return p.absolute(p.mul(p.div(x, p.select(p.eq(divisor, 0), 1, divisor)), y))
    return _integer_binary("lcm_cpu", compute, input, other)


def _integer_binary(name: str, primitive: Any, *operands: Any) -> Var:
    x, y = promoted(*operands)
    if x.dtype.kind not in "iu":
        raise not_implemented(name, x.dtype)
    return primitive(x, y)


# aliases that PyTorch gives
subtract, multiply, divide, arctan2 = sub, mul, div, atan2

_NAMED = {
    "add": add, "sub": sub, "subtract": sub, "mul": mul, "multiply": mul, "div": div, "divide": div, "floor_divide": floor_divide,
    "remainder": remainder, "fmod": fmod, "addcmul": addcmul, "addcdiv": addcdiv, "lerp": lerp, "atan2": atan2, "arctan2": atan2,
    "hypot": hypot, "copysign": copysign, "nextafter": nextafter, "heaviside": heaviside, "ldexp": ldexp, "gcd": gcd, "lcm": lcm,
}

METHODS = {
    **_NAMED, **{name + "_": inplace(function) for name, function in _NAMED.items()},
    "maximum": maximum, "minimum": minimum, "fmax": fmax, "fmin": fmin, "logaddexp": logaddexp, "logaddexp2": logaddexp2,
    "pow": pow, "pow_": pow_, "float_power": float_power, "float_power_": float_power_,
    "true_divide": true_divide, "true_divide_": inplace(div),
    "__add__": operator(add), "__radd__": operator(add), "__iadd__": inplace_operator(add),
    "__sub__": operator(sub), "__rsub__": operator(rsub), "__isub__": inplace_operator(sub),
    "__mul__": operator(mul), "__rmul__": operator(mul), "__imul__": inplace_operator(mul),
    "__truediv__": operator(div), "__rtruediv__": operator(_rdiv), "__itruediv__": inplace_operator(div),
    "__div__": operator(div), "__rdiv__": operator(_rdiv), "__idiv__": inplace_operator(div),
    "__floordiv__": operator(floor_divide), "__rfloordiv__": reflected(floor_divide), "__ifloordiv__": inplace_operator(floor_divide),
    "__mod__": operator(remainder), "__rmod__": reflected(remainder), "__imod__": inplace_operator(remainder),
    "__pow__": _pow_operator, "__rpow__": _rpow_operator, "__ipow__": pow_,
}
