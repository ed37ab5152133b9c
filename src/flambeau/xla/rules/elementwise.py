"""Elementwise primitives."""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp
from jax import lax

from ...dtypes import dtype
from ..backend import array_type
from ..lowering import Context, narrow, widen
from . import plain


def _cast(x: Any, dt: dtype, source: dtype) -> Any:
    x = widen(x, source)
    if jnp.iscomplexobj(x) and dt.kind != "c":
        x = jnp.real(x)
    if dt.kind == "b":
        return x != 0
    if dt.kind in "iu" and x.dtype.kind == "f":
        return _truncated(x, dt)
    return narrow(x if dt.wide == array_type(dt) else x.astype(dt.wide), dt)


def _truncated(x: Any, dt: dtype) -> Any:
    """Numbers that do not fit become the smallest of int32 or int64, as C does on x86; narrower integers then wrap."""
    if dt.name == "uint64":
        return jnp.where(x < 0, x.astype(jnp.int64).astype(jnp.uint64), x.astype(jnp.uint64))
    wide = jnp.int32 if dt.itemsize < 4 or dt.name == "int32" else jnp.int64
    info = jnp.iinfo(wide)
    fits = (x >= float(info.min)) & (x < -float(info.min))
    return jnp.where(fits, jnp.where(fits, x, 0).astype(wide), info.min).astype(dt.np)


def _sgn(x: Any) -> Any:
    if x.dtype.kind == "f":  # NaN has no sign: 0
        return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)
    if x.dtype.kind != "c":
        return jnp.sign(x)
    size = jnp.abs(x)
    return jnp.where(size == 0, 0, x / jnp.where(size == 0, 1, size)).astype(x.dtype)


def _divides(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A division: integers fail where they are divided by zero."""
    def rule(context: Context, x: Any, y: Any) -> Any:
        if x.dtype.kind in "iu":
            context.fail_if(jnp.any(y == 0), 0, RuntimeError, lambda _: "ZeroDivisionError")
            y = jnp.where(y == 0, jnp.ones_like(y), y)
        return function(x, y)
    return rule


def _div(x: Any, y: Any) -> Any:
    return x / y if x.dtype.kind in "fc" else lax.div(x, y)


def _remainder(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu":
        return jnp.remainder(x, y)
    r = lax.rem(x, y)
    return jnp.where((r != 0) & ((r < 0) != (y < 0)), r + y, r)


def _floor_divide(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu":
        return jnp.floor_divide(x, y)
    # as NumPy: from the remainder, so that the quotient is not rounded up to the next integer
    r = lax.rem(x, y)
    q = (x - r) / y
    q = jnp.where((r != 0) & ((r < 0) != (y < 0)), q - 1, q)
    near = jnp.floor(q)
    near = jnp.where(q - near > 0.5, near + 1, near)
    near = jnp.where(q == 0, jnp.copysign(jnp.zeros_like(q), x / y), near)
    return jnp.where(y == 0, x / y, near)


def _power(x: Any, y: Any) -> Any:
    if x.dtype.kind == "b":
        return x | ~y
    if x.dtype.kind == "u":
        return _integer_power(x, y)
    if x.dtype.kind == "i":  # integer reciprocals: 1/1, 1/-1, else 0
        unit = jnp.where(x == 1, 1, jnp.where(x == -1, jnp.where(y % 2 == 0, 1, -1), 0)).astype(x.dtype)
        return jnp.where(y < 0, unit, _integer_power(x, jnp.maximum(y, 0)))
    return jnp.power(x, y)


def _integer_power(x: Any, y: Any) -> Any:
    """By squaring; products wrap."""
    result = jnp.ones_like(x)
    for bit in range(x.dtype.itemsize * 8):
        result = jnp.where((y >> bit) & 1 == 1, result * x, result)
        x = x * x
    return result


def _shift(left: bool) -> Callable[[Any, Any], Any]:
    def function(x: Any, y: Any) -> Any:
        bits = x.dtype.itemsize * 8
        bad = (y < 0) | (y >= bits)
        safe = jnp.where(bad, 0, y).astype(x.dtype)
        shifted = lax.shift_left(x, safe) if left else (lax.shift_right_arithmetic if x.dtype.kind == "i" else lax.shift_right_logical)(x, safe)
        filler = jnp.where(x < 0, -1, 0).astype(x.dtype) if not left and x.dtype.kind == "i" else jnp.zeros_like(x)
        return jnp.where(bad, filler, shifted)
    return function


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + jnp.exp(-x)) if x.dtype.kind == "c" else jax.nn.sigmoid(x)


def _bce(x: Any, t: Any) -> Any:
    return -(t * jnp.maximum(jnp.log(x), -100) + (1 - t) * jnp.maximum(jnp.log1p(-x), -100))


def _logical_or_arithmetic(arithmetic: Callable[[Any, Any], Any], logical: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """As NumPy: sums and products of booleans are their or and and."""
    return plain(lambda x, y: logical(x, y) if x.dtype == bool else arithmetic(x, y))


RULES = {
    "cast": plain(_cast),
    "real": plain(jnp.real), "imag": plain(jnp.imag), "conj": plain(jnp.conj),
    "make_complex": plain(lambda re, im: lax.complex(*([a.astype(jnp.float32) for a in (re, im)] if re.dtype == jnp.float16 else (re, im)))),
    "stop_gradient": plain(lambda x: x),
    "neg": plain(jnp.negative), "sgn": plain(_sgn), "abs": plain(jnp.abs),
    "floor": plain(jnp.floor), "ceil": plain(jnp.ceil), "round": plain(jnp.round), "trunc": plain(jnp.trunc),
    "sqrt": plain(jnp.sqrt), "rsqrt": plain(lambda x: 1 / jnp.sqrt(x)),
    "exp": plain(jnp.exp), "exp2": plain(jnp.exp2), "expm1": plain(jnp.expm1),
    "log": plain(jnp.log), "log2": plain(jnp.log2), "log10": plain(jnp.log10), "log1p": plain(jnp.log1p),
    "sin": plain(jnp.sin), "cos": plain(jnp.cos), "tan": plain(jnp.tan),
    "asin": plain(jnp.arcsin), "acos": plain(jnp.arccos), "atan": plain(jnp.arctan),
    "sinh": plain(jnp.sinh), "cosh": plain(jnp.cosh), "tanh": plain(jnp.tanh),
    "asinh": plain(jnp.arcsinh), "acosh": plain(jnp.arccosh), "atanh": plain(jnp.arctanh),
    "relu": plain(lambda x: jnp.maximum(x, jnp.zeros_like(x))), "sigmoid": plain(_sigmoid),
    "erf": plain(lax.erf), "erfc": plain(lax.erfc), "bitwise_not": plain(jnp.invert),
    "add": _logical_or_arithmetic(jnp.add, jnp.logical_or), "sub": plain(jnp.subtract),
    "mul": _logical_or_arithmetic(jnp.multiply, jnp.logical_and),
    "div": _divides(_div), "pow": plain(_power), "maximum": plain(jnp.maximum), "minimum": plain(jnp.minimum),
    "atan2": plain(jnp.arctan2), "remainder": _divides(_remainder), "fmod": _divides(lax.rem), "floor_divide": _divides(_floor_divide),
    "copysign": plain(jnp.copysign), "nextafter": plain(jnp.nextafter),
    "bitwise_and": plain(jnp.bitwise_and), "bitwise_or": plain(jnp.bitwise_or), "bitwise_xor": plain(jnp.bitwise_xor),
    "shift_left": plain(_shift(True)), "shift_right": plain(_shift(False)),
    "eq": plain(jnp.equal), "ne": plain(jnp.not_equal), "lt": plain(jnp.less), "le": plain(jnp.less_equal),
    "gt": plain(jnp.greater), "ge": plain(jnp.greater_equal),
    "bce": plain(_bce), "select": plain(jnp.where),
}
