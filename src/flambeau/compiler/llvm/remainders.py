"""Remainders and rounded quotients of floating-point numbers, exact as in C, on vectors.

The remainder of x / y is x - trunc(x/y)·y. That is exact where the quotient has fewer bits than the arithmetic, which for
float32 is float64's; lanes with larger quotients, and all of float64 where the CPU has no fused multiply-add, go to libm.
"""
from __future__ import annotations

import math
from typing import Callable

from .emit import F64, Emitter, Value, const, like
from .vector_math import by_lanes, compare, is_single, magnitude, patched, pick, with_sign


def _exact(e: Emitter, x: Value, y: Value) -> Value:
    """The remainder of x / y, both >= 0, for quotients below 2^29 (float32) or 2^52."""
    t = like(x.type, F64)
    wide_x, wide_y = (e.b.fpext(x, t), e.b.fpext(y, t)) if is_single(x) else (x, y)
    q = e.intrinsic("trunc", e.b.fdiv(wide_x, wide_y))
    if is_single(x):
        r = e.b.fsub(wide_x, e.b.fmul(q, wide_y))
    else:
        r = e.intrinsic("fma", e.b.fneg(q), wide_y, wide_x)
    r = e.b.select(compare(e, "<", r, 0.0), e.b.fadd(r, wide_y), r)  # the quotient was rounded up to an integer
    return e.b.fptrunc(r, x.type) if is_single(x) else r


def fmod(e: Emitter, x: Value, y: Value) -> Value:
    """The remainder of x / y with x's sign."""
    if not is_single(x) and not e.target.isa.fma:
        return by_lanes("fmod")(e, x, y)
    a, b = magnitude(e, x), magnitude(e, y)
    r = pick(e, compare(e, "==", b, math.inf), a, _exact(e, a, b))
    limit = e.b.fmul(b, const(b.type, 2.0 ** (29 if is_single(x) else 52)))
    hard = e.b.not_(compare(e, "<", a, limit))
    return patched(e, hard, with_sign(e, r, x), lambda: by_lanes("fmod")(e, x, y))


def _against(e: Emitter, r: Value, y: Value) -> Value:
    """Whether a remainder is not 0 and its sign is not y's."""
    return e.b.and_(e.b.fcmp_unordered("!=", r, const(r.type, 0.0)),
                    e.b.xor(compare(e, "<", r, 0.0), compare(e, "<", y, 0.0)))


def remainder(e: Emitter, x: Value, y: Value) -> Value:
    """The remainder of x / y with y's sign."""
    r = fmod(e, x, y)
    return e.b.select(_against(e, r, y), e.b.fadd(r, y), r)


def floor_divide(e: Emitter, x: Value, y: Value) -> Value:
    """⌊x / y⌋ of the exact quotient; x / y for y = 0."""
    r = fmod(e, x, y)
    quotient = e.b.fdiv(x, y)
    q = e.b.fdiv(e.b.fsub(x, r), y)
    q = e.b.select(_against(e, r, y), e.b.fsub(q, const(q.type, 1.0)), q)
    floor = e.intrinsic("floor", q)
    short = compare(e, ">", e.b.fsub(q, floor), 0.5)  # (x - r) / y was rounded to just below an integer
    floor = e.b.select(short, e.b.fadd(floor, const(q.type, 1.0)), floor)
    zero = with_sign(e, const(q.type, 0.0), quotient)
    return pick(e, compare(e, "==", y, 0.0), quotient, pick(e, compare(e, "==", q, 0.0), zero, floor))


BINARY: dict[str, Callable[[Emitter, Value, Value], Value]] = {f.__name__: f for f in (fmod, remainder, floor_divide)}
