"""Hyperbolic functions and the inverses of trigonometric and hyperbolic ones, in the manner of `vector_math`.

Where float32 would need more care than float64's digits cost, its result is rounded from float64's (`_from_float64`).
"""
from __future__ import annotations

import math
from typing import Callable

from .emit import Emitter, Value, const
from .vector_math import (compare, half_exp, is_single, leading, log, log1p, magnitude, pick, polynomial, rounded_as, sqrt,
                          widened, with_sign)

# (asin(x)/x - 1) / x² in x², |x| <= 1/2; the first to 5e-9, for float32 arcs in float64
ASIN_FOR_32 = (0.16666754, 0.07495243, 0.045476973, 0.024148189, 0.042217594)
ASIN_64 = (0.16666666666665383, 0.0750000000034281, 0.044642856823696744, 0.030381959320954506, 0.022371753806188457,
           0.01735976636213381, 0.013884649228909019, 0.012172925851354242, 0.00651244926660879, 0.01956939995404118,
           -0.016286842517344288, 0.0319539313682575)
# (atan(x)/x - 1) / x² in x², |x| <= 0.6
ATAN_32 = (-0.33333293, 0.19997661, -0.14241442, 0.107179366, -0.0724757, 0.02966261)
ATAN_64 = (-0.3333333333333333, 0.1999999999999977, -0.14285714285687634, 0.1111111110953883, -0.090909090353957,
           0.07692306407151432, -0.06666646014513357, 0.05882113788092273, -0.0526111215237307, 0.04748771907265136,
           -0.04283988481513113, 0.03764245047176989, -0.0304286866665398, 0.02046534842075087, -0.009739341125912456,
           0.00236473893157757)
# (sinh(x)/x - 1) / x² in x², |x| <= 1
SINH_32 = (0.16666667, 0.0083333505, 0.00019836066, 2.8174366e-06)
SINH_64 = (0.16666666666666669, 0.008333333333333139, 0.0001984126984143777, 2.755731915530789e-06, 2.505212340305079e-08,
           1.605724001032622e-10, 7.759321515118627e-13)
# multiples of π/4: what float64 holds, and the rest; float32 takes both together
PI_LOW = 1.2246467991473532e-16
LN2 = math.log(2.0)


def _odd_polynomial(e: Emitter, x: Value, single: tuple, double: tuple) -> Value:
    """x + x³·P(x²)."""
    z = e.b.fmul(x, x)
    return e.fma(e.b.fmul(x, z), polynomial(e, z, single if is_single(x) else double), x)


def _less(e: Emitter, high: float, low: float, x: Value) -> Value:
    """(high + low) - x."""
    return e.b.fsub(const(x.type, high), e.b.fsub(x, const(x.type, low)))


# ----------------------------------------------------------------- arcs

def _arc(e: Emitter, a: Value, single: bool) -> tuple[Value, Value, Value, Value]:
    """(whether a > 1/2, h, s, asin(s) - s), for a >= 0 in float64: s² = h = (1 - a)/2 where a > 1/2, and s = a elsewhere.
    single: to the digits of float32."""
    high = compare(e, ">", a, 0.5)
    half = e.b.fmul(e.b.fsub(const(a.type, 1.0), a), const(a.type, 0.5))
    s = pick(e, high, sqrt(e, half), a)
    z = e.b.fmul(s, s)
    return high, half, s, e.b.fmul(e.b.fmul(s, z), polynomial(e, z, ASIN_FOR_32 if single else ASIN_64))


def asin(e: Emitter, x: Value) -> Value:
    """The arc sine: of numbers beyond 1/2, π/2 - 2·asin(√((1 - x)/2)), with what the root's rounding lost."""
    a = magnitude(e, widened(e, x))
    high, half, s, more = _arc(e, a, is_single(x))
    near = e.b.fadd(s, more)
    if is_single(x):
        far = _less(e, *_pi(a, 0.5), e.b.fadd(near, near))
    else:
        head = leading(e, s)
        twice = pick(e, compare(e, "==", s, 0.0), 1.0, e.b.fadd(s, head))
        lost = e.b.fdiv(e.b.fsub(half, e.b.fmul(head, head)), twice)
        small = e.b.fsub(const(a.type, PI_LOW / 2), e.b.fmul(e.b.fadd(more, lost), const(a.type, 2.0)))
        quarter = const(a.type, math.pi / 4)
        far = e.b.fadd(quarter, e.b.fadd(small, e.b.fsub(quarter, e.b.fadd(head, head))))
    return with_sign(e, rounded_as(e, pick(e, high, far, near), x), x)


def _pi(x: Value, times: float) -> tuple[float, float]:
    """times·π as a number of x's type and what that lacks."""
    if not is_single(x):
        return math.pi * times, PI_LOW * times
    high = 3.1415927410125732
    return high * times, (math.pi - high) * times


def acos(e: Emitter, x: Value) -> Value:
    """The arc cosine: π/2 - asin(x), or 2·asin(√((1 - |x|)/2)), or π minus that."""
    wide = widened(e, x)
    high, _, s, more = _arc(e, magnitude(e, wide), is_single(x))
    arc = e.b.fadd(s, more)
    double = e.b.fadd(arc, arc)
    far = pick(e, compare(e, "<", wide, 0.0), _less(e, *_pi(wide, 1.0), double), double)
    return rounded_as(e, pick(e, high, far, _less(e, *_pi(wide, 0.5), with_sign(e, arc, wide))), x)


def _arc_tangent(e: Emitter, q: Value) -> Value:
    """atan(q) for 0 <= q <= 1: beyond 0.6 it is π/4 + atan((q - 1)/(q + 1))."""
    one = const(q.type, 1.0)
    high = compare(e, ">", q, 0.6)
    t = pick(e, high, e.b.fdiv(e.b.fsub(q, one), e.b.fadd(q, one)), q)
    arc = _odd_polynomial(e, t, ATAN_32, ATAN_64)
    quarter, rest = _pi(q, 0.25)
    return pick(e, high, e.b.fadd(const(q.type, quarter), e.b.fadd(arc, const(q.type, rest))), arc)


def _acute(e: Emitter, y: Value, x: Value) -> Value:
    """The angle of a point (x, y) with x >= 0 and y >= 0."""
    steep = compare(e, ">", y, x)
    small, large = e.b.select(steep, x, y), e.b.select(steep, y, x)
    diagonal = pick(e, compare(e, "==", large, 0.0), large, 1.0)  # where the ratio would be 0/0 or inf/inf
    q = pick(e, compare(e, "==", small, large), diagonal, e.b.fdiv(small, large))
    arc = _arc_tangent(e, q)
    return pick(e, steep, _less(e, *_pi(q, 0.5), arc), arc)


def atan(e: Emitter, x: Value) -> Value:
    """The arc tangent."""
    return with_sign(e, _acute(e, magnitude(e, x), const(x.type, 1.0)), x)


def atan2(e: Emitter, y: Value, x: Value) -> Value:
    """The angle of the point (x, y), with C's rules for signed zeros and infinities."""
    arc = _acute(e, magnitude(e, y), magnitude(e, x))
    left = compare(e, "<", with_sign(e, const(x.type, 1.0), x), 0.0)
    return with_sign(e, e.b.select(left, _less(e, *_pi(x, 1.0), arc), arc), y)


# ----------------------------------------------------------- hyperbolic

def sinh(e: Emitter, x: Value) -> Value:
    """(e^x - e^-x) / 2."""
    h = half_exp(e, magnitude(e, x))
    far = with_sign(e, e.b.fsub(h, e.b.fdiv(const(x.type, 0.25), h)), x)
    return pick(e, compare(e, "<", magnitude(e, x), 1.0), _odd_polynomial(e, x, SINH_32, SINH_64), far)


def cosh(e: Emitter, x: Value) -> Value:
    """(e^x + e^-x) / 2."""
    h = half_exp(e, magnitude(e, x))
    return e.b.fadd(h, e.b.fdiv(const(x.type, 0.25), h))


def _from_float64(fn: Callable[[Emitter, Value], Value]) -> Callable[[Emitter, Value], Value]:
    """fn, which is written for float64, on either type."""
    def emit(e: Emitter, x: Value) -> Value:
        return rounded_as(e, fn(e, widened(e, x)), x)
    emit.__name__, emit.__doc__ = fn.__name__, fn.__doc__
    return emit


@_from_float64
def asinh(e: Emitter, x: Value) -> Value:
    """log(|x| + √(x² + 1)), from what exceeds 1."""
    a, one = magnitude(e, x), const(x.type, 1.0)
    square = e.b.fmul(a, a)
    near = log1p(e, e.b.fadd(a, e.b.fdiv(square, e.b.fadd(one, sqrt(e, e.b.fadd(square, one))))))
    far = e.b.fadd(log(e, a), const(x.type, LN2))
    return with_sign(e, pick(e, compare(e, "<", a, 1e9), near, far), x)


@_from_float64
def acosh(e: Emitter, x: Value) -> Value:
    """log(x + √(x² - 1)), from what exceeds 1; NaN below 1."""
    t = e.b.fsub(x, const(x.type, 1.0))
    near = log1p(e, e.b.fadd(t, sqrt(e, e.b.fmul(t, e.b.fadd(t, const(x.type, 2.0))))))
    far = e.b.fadd(log(e, x), const(x.type, LN2))
    y = pick(e, compare(e, "<", x, 1e9), near, far)
    return pick(e, compare(e, "<", x, 1.0), math.nan, y)


@_from_float64
def atanh(e: Emitter, x: Value) -> Value:
    """log((1 + |x|)/(1 - |x|)) / 2; infinite at 1, NaN beyond."""
    a, one = magnitude(e, x), const(x.type, 1.0)
    ratio = e.b.fdiv(e.b.fadd(a, a), e.b.fsub(one, a))
    return with_sign(e, e.b.fmul(log1p(e, ratio), const(x.type, 0.5)), x)


UNARY: dict[str, Callable[[Emitter, Value], Value]] = {
    f.__name__: f for f in (asin, acos, atan, sinh, cosh, asinh, acosh, atanh)
}
