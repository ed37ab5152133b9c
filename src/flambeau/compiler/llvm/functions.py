"""The tables of elementary functions: name → `f(e, x)` or `f(e, x, y)`, which emits code and returns the result."""
from __future__ import annotations

from typing import Callable

from . import inverse_functions, remainders, vector_math as m
from .emit import Emitter, Value
from .vector_math import by_lanes

UNARY: dict[str, Callable[[Emitter, Value], Value]] = {
    **{f.__name__: f for f in (m.exp, m.exp2, m.expm1, m.log, m.log2, m.log10, m.log1p, m.tanh, m.sigmoid, m.erf, m.sin, m.cos,
                               m.tan, m.sqrt, m.rsqrt)},
    **inverse_functions.UNARY,
    "erfc": by_lanes("erfc"),
}
BINARY: dict[str, Callable[[Emitter, Value, Value], Value]] = {
    "pow": m.pow, "atan2": inverse_functions.atan2, **remainders.BINARY,
}
