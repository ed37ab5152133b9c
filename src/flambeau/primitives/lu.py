"""LU factorisation: P A = L U, the row of the largest element of a column being its pivot."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import int32, int64
from ..ir.graph import Var
from ..ir.types import TensorType, tensor_type
from .base import Primitive, iota
from .contraction import matmul
from .elementwise import add, cast, eq, neg
from .kernels.triangular import lu_factors
from .linalg import adjoint, eye_like, row, solve_triangular, tril, triu
from .shape import concat, reshape, slice_dim


def _lu_types(a: TensorType, pivot: bool) -> tuple[TensorType, TensorType]:
    return a, tensor_type(int32, (*a.shape[:-2], min(a.shape[-2:])))


def _lu_kernel(a: np.ndarray, pivot: bool) -> tuple[np.ndarray, np.ndarray]:
    factors, pivots = np.empty_like(a), np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        factors[at], pivots[at] = lu_factors(a[at], pivot)
    return factors, pivots


def _lu_vjp(gs: Any, ys: Any, xs: Any, pivot: bool) -> tuple[Var | None]:
    """P⁻¹ of the gradient in P A: of its square part L⁻ᴴ [tril(Lᴴ g_L, −1) + triu(g_U Uᴴ)] U⁻ᴴ.

    Columns beyond the square are L⁻¹ of P A's, rows below it those times U⁻¹; their gradients reach L and U, too.
    """
    g, (lu, pivots) = gs[0], ys
    if g is None:
        return (None,)
    m, n = lu.shape[-2:]
    k, rows, columns = min(m, n), lu.ndim - 2, lu.ndim - 1

    def part(x: Var, dim: int, start: int, stop: int) -> Var:
        return slice_dim(x, dim, start, stop)
    square = part(part(lu, rows, 0, k), columns, 0, k)
    g_lower = g_upper = part(part(g, rows, 0, k), columns, 0, k)
    beside = below = None
    if n > k:
        beside = solve_triangular(adjoint(square), part(g, columns, k, n), True, True)
        g_lower = add(g_lower, neg(matmul(beside, adjoint(part(lu, columns, k, n)))))
    if m > k:
        below = adjoint(solve_triangular(square, adjoint(part(g, rows, k, m)), True))
        g_upper = add(g_upper, neg(matmul(adjoint(part(lu, rows, k, m)), below)))
    lower, upper = unit_lower(square), triu(square)
    inner = add(tril(matmul(adjoint(lower), tril(g_lower, -1)), -1), triu(matmul(triu(g_upper), adjoint(upper))))
    inner = solve_triangular(adjoint(square), inner, True, True)
    whole = adjoint(solve_triangular(square, adjoint(inner), True))
    whole = whole if beside is None else concat([whole, beside], columns)
    whole = whole if below is None else concat([whole, below], rows)
    return (matmul(cast(permutation_matrix(pivots, m), g.dtype), whole) if pivot else whole,)


lu_p = Primitive("linalg_lu_factor", _lu_types, _lu_kernel, _lu_vjp, n_outputs=2, kind="host")


def lu_factor(a: Var, pivot: bool = True) -> tuple[Var, Var]:
    """(L and U in one matrix, 1-based pivots int32) with P a = L U."""
    return lu_p((a,), pivot)


def unit_lower(lu: Var) -> Var:
    """The unit lower triangle of square matrices."""
    return add(tril(lu, -1), eye_like(lu))


def _permutation_kernel(pivots: np.ndarray, m: int) -> np.ndarray:
    order = np.broadcast_to(np.arange(m, dtype=np.int64), (*pivots.shape[:-1], m)).copy()
    for at in np.ndindex(*pivots.shape[:-1]):
        for i, j in enumerate(pivots[at].tolist()):
            order[at][[i, j - 1]] = order[at][[j - 1, i]]
    return order


permutation_p = Primitive("linalg_permutation", lambda pivots, m: tensor_type(int64, (*pivots.shape[:-1], m)),
                          _permutation_kernel, None, kind="host")


def permutation_matrix(pivots: Var, m: int) -> Var:
    """P (…, m, m), boolean, with a = P (rows of a in the order of the pivots)."""
    order = permutation_p((pivots,), m)
    return eq(row(order), reshape(iota(m, int64, pivots.builder), (m, 1)))
