"""A NumPy kernel as a graph: the kernel is run once on symbols, and what it calls becomes primitives.

So a special function is written once, in NumPy, and executors that fuse and compile see what it consists of. Kernels may
use the ufuncs and functions below; what depends on values has to be a choice (`np.where`), not a branch.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..dtypes import dtype, float64
from ..ir.graph import Var
from . import elementwise as p
from .base import constant, full


def _power(x: Any, y: Any) -> Var:
    return p.mul(x, x) if y == 2 else p.power(x, y)


_UFUNCS: dict[np.ufunc, Callable] = {
    np.add: p.add, np.subtract: p.sub, np.multiply: p.mul, np.true_divide: p.div, np.negative: p.neg, np.absolute: p.absolute,
    np.power: _power, np.maximum: p.maximum, np.minimum: p.minimum, np.copysign: p.copysign, np.exp: p.exp, np.log: p.log,
    np.log1p: p.log1p, np.sqrt: p.sqrt, np.sin: p.sin, np.cos: p.cos, np.tan: p.tan, np.floor: p.floor, np.trunc: p.trunc,
    np.rint: p.round_even, np.less: p.lt, np.less_equal: p.le, np.greater: p.gt, np.greater_equal: p.ge, np.equal: p.eq,
    np.not_equal: p.ne, np.bitwise_or: p.bitwise_or, np.bitwise_and: p.bitwise_and, np.invert: p.bitwise_not,
    np.isinf: lambda x: p.eq(p.absolute(x), np.inf), np.isfinite: lambda x: p.lt(p.absolute(x), np.inf), np.isnan: lambda x: p.ne(x, x),
}


class Symbol(NDArrayOperatorsMixin):
    """A floating or boolean Var in the place of an array."""

    __slots__ = ("var",)

    def __init__(self, var: Var):
        self.var = var

    @property
    def shape(self) -> tuple[int, ...]:
        return self.var.shape

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Symbol:
        if method != "__call__" or kwargs:
            return NotImplemented
        return Symbol(_UFUNCS[ufunc](*[x.var if isinstance(x, Symbol) else x for x in inputs]))

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        return _FUNCTIONS[function](*args, **kwargs)


def _where(condition: Symbol, x: Any, y: Any) -> Symbol:
    x, y = [v.var if isinstance(v, Symbol) else v for v in (x, y)]
    if not isinstance(x, Var) and not isinstance(y, Var):
        x = constant(x, float64, condition.var.builder)
    return Symbol(p.select(condition.var, x, y))


def _polyval(coefficients: Any, x: Symbol) -> Any:
    total: Any = float(coefficients[0])
    for c in coefficients[1:]:
        total = total * x + float(c)
    return total


def _full(x: Var, value: float) -> Var:
    return full(x.shape, value, x.dtype, x.builder)


_FUNCTIONS: dict[Callable, Callable] = {
    np.where: _where, np.polyval: _polyval, np.clip: lambda x, low, high: np.minimum(np.maximum(x, low), high),
    np.round: np.rint, np.zeros_like: lambda x: Symbol(_full(x.var, 0.0)), np.ones_like: lambda x: Symbol(_full(x.var, 1.0)),
    np.full_like: lambda x, value: Symbol(_full(x.var, value)),
}


def traced(kernel: Callable, x: Var, precision: dtype = float64) -> Var:
    """kernel(x), computed in float64 (or another precision) and rounded to x's dtype."""
    return p.cast(kernel(Symbol(p.cast(x, precision))).var, x.dtype)
