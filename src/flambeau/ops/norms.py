"""Vector norms on Vars: shared by `normalize`, the distances, and `linalg`."""
from __future__ import annotations

import math

from .. import primitives as p
from ..ir.graph import Var
from .reduction import dims_of, kept


def vector_norm(x: Var, order: float, dim, keepdim: bool) -> Var:
    """(Σ |x|^order)^(1/order) over dim; ±inf gives the extremes of |x|, 0 the number of non-zeros. The gradient at 0 is 0."""
    dims = dims_of(dim, x.ndim)
    size = p.absolute(x)
    if order == math.inf:
        out = p.reduce_max(size, dims)
    elif order == -math.inf:
        out = p.reduce_min(size, dims)
    elif order == 0:
        out = p.reduce_sum(p.cast(p.ne(size, 0), size.dtype), dims)
    elif order == 1:
        out = p.reduce_sum(size, dims)
    elif order == 2:
        square = p.real(x * p.conj(x))
        out = _root(p.reduce_sum(square, dims), 0.5)
    else:
        zero = p.eq(size, 0)
        powers = p.select(zero, 0.0 if order > 0 else math.inf, p.power(p.select(zero, 1.0, size), order))
        out = _root(p.reduce_sum(powers, dims), 1.0 / order)
    return kept(out, x, dims, keepdim)


def _root(total: Var, exponent: float) -> Var:
    """total^exponent with a zero gradient at total = 0, where the formula's is infinite."""
    zero = p.eq(total, 0)
    safe = p.select(zero, 1.0, total)
    root = p.sqrt(safe) if exponent == 0.5 else p.power(safe, exponent)
    return p.select(zero, 0.0 if exponent > 0 else math.inf, root)
