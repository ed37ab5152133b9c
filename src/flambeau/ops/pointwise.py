"""Elementwise functions of one tensor (signs, rounding, exponentials, trigonometry), `where` and `clamp`."""
# ruff: noqa: F821
from __future__ import annotations

import builtins
import math
from typing import Any, Callable

from .. import primitives as p
from ..dtypes import bool_, int64
from ..ir.graph import Var
from ..tensor.op import apply_inplace, inplace, op
from ..tensor.tensor import Tensor
from .promotion import convert, in_opmath, not_implemented, result_dtype, to_float, variant


def named(body: Callable, name: str, doc: str) -> Callable:
    """body with the name and the docstring that it is published with."""
    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    return body


def floating(name: str, compute: Callable[[Var], Var], doc: str, *, complex: bool = True, grad_name: str | None = "") -> Any:
    """The public function of one tensor that `compute` describes; integers become the default floating dtype."""
    def body(input: Tensor):
        x = to_float(input)
        if x.dtype.kind == "c" and not complex:
            raise not_implemented(f"{name}_cpu", x.dtype)
        return in_opmath(compute, x)
    return op(name.title() + "Backward0" if grad_name == "" else grad_name)(named(body, name, doc))


def rounding(name: str, compute: Callable[[Var], Var], doc: str) -> Any:
    """A public function that leaves integers as they are and refuses booleans and complex numbers."""
    def body(input: Tensor):
        if input.dtype.kind == "c":
            raise NotImplementedError(f"{name} is not supported for complex inputs")
        if input.dtype.kind in "bc":
            raise not_implemented(f"{name}_vml_cpu", input.dtype)
        return compute(input) if input.dtype.kind == "f" else input
    return op(name.title() + "Backward0", strict_out="dtype")(named(body, name, doc))


# ------------------------------------------------------------------ signs and sizes

@op("NegBackward0", strict_out="dtype")
def neg(input: Tensor):
    """−input."""
    if input.dtype is bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the "
                           "`~` or `logical_not()` operator instead.")
    return p.neg(input)


@op("AbsBackward0", strict_out="dtype")
def abs(input: Tensor):
    """|input|; the real modulus of complex numbers. Its derivative at 0 is 0."""
    if input.dtype is bool_:
        raise not_implemented("abs_cpu", input.dtype)
    return p.absolute(input)


def abs_(self: Tensor) -> Tensor:
    """|self|, in place; not for complex tensors, whose moduli are real."""
    if self.dtype.kind == "c":
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return apply_inplace(abs.op, (self,))


def positive(input: Tensor) -> Tensor:
    """input itself; booleans raise RuntimeError."""
    if input.dtype is bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op("SignBackward0", strict_out="dtype")
def sign(input: Tensor):
    """−1, 0 or 1 by the sign of input."""
    if input.dtype.kind == "c":
        raise NotImplementedError("Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.")
    return input if input.dtype is bool_ else p.sgn(input)


@op("SgnBackward0", strict_out="dtype")
def sgn(input: Tensor):
    """input / |input|, and 0 where input is 0: `sign` that knows complex numbers."""
    return input if input.dtype is bool_ else p.sgn(input)


@op(None, strict_out="dtype")
def signbit(input: Tensor):
    """Whether the sign is negative; true of −0.0, too."""
    if input.dtype.kind == "c":
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    if input.dtype.kind == "b":
        return p.ne(input, input)
    return p.lt(p.copysign(p.ones_like(input), input) if input.dtype.kind == "f" else input, 0)


@op("AngleBackward0")
def angle(input: Tensor):
    """The argument of complex numbers, in (−π, π]; for real ones π where negative, else 0 (NaN stays)."""
    if input.dtype.kind == "c":
        return p.angle(input)
    x = p.stop_gradient(to_float(input))
    return p.select(p.isnan(x), x, p.select(p.lt(x, 0), math.pi, p.zeros_like(x)))


# ------------------------------------------------------------------ rounding

floor = rounding("floor", p.floor, "The largest integer that is not larger.")
ceil = rounding("ceil", p.ceil, "The smallest integer that is not smaller.")
trunc = rounding("trunc", p.trunc, "The integer part: rounds toward 0.")


@op(lambda input, decimals: "RoundBackward1" if decimals else "RoundBackward0", strict_out="dtype")
def round(input: Tensor, *, decimals=0):
    """The nearest integer, halves to the even one; or the nearest multiple of 10^−decimals."""
    if input.dtype.kind in "bc":
        raise not_implemented("round_vml_cpu", input.dtype)
    if input.dtype.kind != "f":
        if decimals:
            raise not_implemented("round_vml_cpu", input.dtype)
        return input
    if not decimals:
        return p.round_even(input)

    def compute(x):
        scale = 10.0 ** builtins.abs(decimals)
        return p.div(p.round_even(p.mul(x, scale)), scale) if decimals > 0 else p.mul(p.round_even(p.div(x, scale)), scale)
    return in_opmath(compute, input)


@op("FracBackward0", strict_out="dtype")
def frac(input: Tensor):
    """The fractional part, with the sign of input."""
    if input.dtype.kind != "f":
        raise not_implemented("frac_cpu", input.dtype)
    return p.sub(input, p.trunc(input))


# ------------------------------------------------------------------ powers, exponentials, logarithms

@op("PowBackward0")
def square(input: Tensor):
    """input²."""
    x = p.cast(input, int64) if input.dtype is bool_ else input
    return p.mul(x, x)


def _log_base(base: int, real: Callable[[Var], Var]) -> Callable[[Var], Var]:
    return lambda x: _scaled(p.log(x), 1 / math.log(base)) if x.dtype.kind == "c" else real(x)


def _exp2(x: Var) -> Var:
    return p.exp(_scaled(x, math.log(2))) if x.dtype.kind == "c" else p.exp2(x)


def _scaled(z: Var, factor: float) -> Var:
    """A complex number times a real one, part by part: infinite parts do not make the other NaN."""
    return p.make_complex(p.mul(p.real(z), factor), p.mul(p.imag(z), factor))


reciprocal = floating("reciprocal", lambda x: p.div(1, x), "1 / input.")
sqrt = floating("sqrt", p.sqrt, "The square root; NaN for negative numbers, complex ones get the principal root.")
rsqrt = floating("rsqrt", p.rsqrt, "1 / √input.")
exp = floating("exp", p.exp, "e^input.")
exp2 = floating("exp2", _exp2, "2^input.")
expm1 = floating("expm1", p.expm1, "e^input − 1, exact near 0.")
log = floating("log", p.log, "The natural logarithm.")
log2 = floating("log2", _log_base(2, p.log2), "The logarithm to base 2.")
log10 = floating("log10", _log_base(10, p.log10), "The logarithm to base 10.")
log1p = floating("log1p", p.log1p, "log(1 + input), exact near 0.", grad_name="Log1PBackward0")

# ------------------------------------------------------------------ trigonometric and hyperbolic

sin = floating("sin", p.sin, "The sine of angles in radians.")
cos = floating("cos", p.cos, "The cosine of angles in radians.")
tan = floating("tan", p.tan, "The tangent of angles in radians.")
asin = floating("asin", p.asin, "The inverse sine, in [−π/2, π/2].")
acos = floating("acos", p.acos, "The inverse cosine, in [0, π].")
atan = floating("atan", p.atan, "The inverse tangent, in (−π/2, π/2).")
sinh = floating("sinh", p.sinh, "The hyperbolic sine.")
cosh = floating("cosh", p.cosh, "The hyperbolic cosine.")
tanh = floating("tanh", p.tanh, "The hyperbolic tangent.")
asinh = floating("asinh", p.asinh, "The inverse hyperbolic sine.")
acosh = floating("acosh", p.acosh, "The inverse hyperbolic cosine.")
atanh = floating("atanh", p.atanh, "The inverse hyperbolic tangent.")
sigmoid = floating("sigmoid", p.sigmoid, "1 / (1 + e^−input).")


def _scaled_angle(name: str, factor: float, doc: str) -> Any:
    def body(input: Tensor):
        if input.dtype.kind == "c":
            raise RuntimeError(f"{name} is not supported for complex tensors.")
        return p.mul(to_float(input), factor)
    return op(name.title() + "Backward0")(named(body, name, doc))


deg2rad = _scaled_angle("deg2rad", math.pi / 180, "Degrees as radians.")
rad2deg = _scaled_angle("rad2deg", 180 / math.pi, "Radians as degrees.")


@op("ReluBackward0")
def relu(input: Tensor):
    """max(input, 0); the derivative at 0 is 0."""
    if input.dtype is bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return p.relu(input)


# ------------------------------------------------------------------ choice and limits

@op("WhereBackward0", name="where")
def _where(condition: Tensor, input: Scalar, other: Scalar):
    if condition.dtype.name == "uint8":
        condition = p.cast(condition, bool_)
    if condition.dtype is not bool_:
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype._legacy}")
    dt = result_dtype(input, other)
    x, y = [p.cast(v, dt) if isinstance(v, Var) else p.constant(v, dt, condition.builder) for v in (input, other)]
    return p.select(condition, x, y)


def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """input where condition holds, else other; both may be numbers. With condition alone: its nonzero indices as a tuple."""
    if input is None and other is None:
        from .masking import nonzero
        return nonzero(condition, as_tuple=True)
    result = _where(condition, input, other)
    if out is None:
        return result
    from ..tensor.write import write_out
    return write_out(result, out, strict=True)


where.op = _where.op  # type: ignore[attr-defined]


def _check_limits(input: Any, min: Any, max: Any) -> None:
    if min is not None and max is not None and isinstance(min, Tensor) != isinstance(max, Tensor):
        kinds = ", ".join(type(v).__name__ for v in (input, min, max))
        raise TypeError(f"clamp() received an invalid combination of arguments - got ({kinds}), but expected one of:\n"
                        " * (Tensor input, Tensor min = None, Tensor max = None, *, Tensor out = None)\n"
                        " * (Tensor input, Number min = None, Number max = None, *, Tensor out = None)")


def _clamp_name(input: Var, min: Var | None, max: Var | None) -> str:
    numbers = builtins.all(v is None or v.type.weak for v in (min, max))
    return "ClampBackward1" if numbers else "ClampBackward0"


def _limited(x: Var, limit: Var, beyond: Callable[[Var, Var], Var]) -> Var:
    """limit where x is beyond it; a NaN limit wins, and so does a NaN x."""
    x, limit = p.as_vars(x, limit)
    passed = beyond(x, limit)
    return p.select(p.bitwise_or(passed, p.isnan(limit)) if limit.dtype.kind == "f" else passed, limit, x)


def _limits_are_numbers(input, *limits) -> bool:
    return not any(isinstance(limit, Tensor) for limit in limits)


@op(_clamp_name, check=_check_limits, strict_out=_limits_are_numbers)
def clamp(input: Tensor, min: Scalar | None = None, max: Scalar | None = None):
    """input limited to [min, max], either of which may be missing, a number or a tensor; max wins where max < min."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    limits = [v for v in (min, max) if v is not None]
    dt = result_dtype(input, *limits)
    if dt.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    if dt is bool_ and limits[0].type.weak:
        raise not_implemented("clamp_scalar_kernel_impl", bool_)
    x, *limits = convert(dt, input, *limits)
    if min is not None:
        x = _limited(x, limits.pop(0), p.lt)
    return x if max is None else _limited(x, limits[0], p.gt)


@op(variant("ClampMin", 1, 0), strict_out=_limits_are_numbers)
def clamp_min(input: Tensor, min: Scalar):
    """input, but nothing smaller than min."""
    return clamp.op.body(input, min, None)


@op(variant("ClampMax", 1, 0), strict_out=_limits_are_numbers)
def clamp_max(input: Tensor, max: Scalar):
    """input, but nothing larger than max."""
    return clamp.op.body(input, None, max)


@op("NanToNumBackward0", strict_out="dtype")
def nan_to_num(input: Tensor, nan=None, posinf=None, neginf=None):
    """input with NaN replaced (by 0), and the infinities (by the largest and smallest finite numbers)."""
    if input.dtype.kind in "iub":
        return input
    if input.dtype.kind == "c":
        return p.make_complex(*[nan_to_num.op.body(part, nan, posinf, neginf) for part in (p.real(input), p.imag(input))])
    from ..dtypes import finfo
    limits = finfo(input.dtype)
    x = p.select(p.isnan(input), 0.0 if nan is None else nan, input)
    x = p.select(p.eq(input, math.inf), limits.max if posinf is None else posinf, x)
    return p.select(p.eq(input, -math.inf), limits.min if neginf is None else neginf, x)


# aliases that PyTorch gives
absolute, negative, fix, clip = abs, neg, trunc, clamp
arccos, arcsin, arctan, arccosh, arcsinh, arctanh = acos, asin, atan, acosh, asinh, atanh

_NAMED = {
    "neg": neg, "negative": neg, "sign": sign, "sgn": sgn, "floor": floor, "ceil": ceil, "trunc": trunc, "fix": trunc, "round": round,
    "frac": frac, "square": square, "reciprocal": reciprocal, "sqrt": sqrt, "rsqrt": rsqrt, "exp": exp, "exp2": exp2, "expm1": expm1,
    "log": log, "log2": log2, "log10": log10, "log1p": log1p, "sin": sin, "cos": cos, "tan": tan, "asin": asin, "arcsin": asin,
    "acos": acos, "arccos": acos, "atan": atan, "arctan": atan, "sinh": sinh, "cosh": cosh, "tanh": tanh, "asinh": asinh,
    "arcsinh": asinh, "acosh": acosh, "arccosh": acosh, "atanh": atanh, "arctanh": atanh, "sigmoid": sigmoid, "deg2rad": deg2rad,
    "rad2deg": rad2deg, "relu": relu, "clamp": clamp, "clip": clamp, "clamp_min": clamp_min, "clamp_max": clamp_max,
    "nan_to_num": nan_to_num,
}

METHODS = {
    **_NAMED, **{name + "_": inplace(function) for name, function in _NAMED.items()},
    "abs": abs, "absolute": abs, "abs_": abs_, "absolute_": abs_, "positive": positive, "signbit": signbit, "angle": angle,
    "where": lambda self, condition, other: where(condition, self, other),
    "__neg__": neg, "__pos__": positive, "__abs__": abs,
}
