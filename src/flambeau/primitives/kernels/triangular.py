"""Triangular systems and LU factorisation by halves, so that nearly all of the work is products of matrices.

NumPy offers neither of LAPACK's two. Halving leaves small blocks to simple methods: S. Toledo, "Locality of reference
in LU decomposition with partial pivoting" (1997).
"""
from __future__ import annotations

import numpy as np

_BLOCK = 48  # triangles of this size are solved as any matrix
_PANEL = 12  # columns that are eliminated one by one


def triangle(a: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """The triangle of a that counts, with ones on its diagonal if unit."""
    part = np.triu(a, int(unit)) if upper else np.tril(a, -int(unit))
    return part + np.eye(a.shape[-1], dtype=a.dtype) if unit else part


def solve_triangular(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """x with t x = b for stacks of triangles t of a (…, n, n) and b (…, n, k); ±∞ and NaN where t is singular."""
    n = a.shape[-1]
    if n <= _BLOCK:
        t = triangle(a, upper, unit)
        try:
            return np.linalg.solve(t, b)
        except np.linalg.LinAlgError:
            return _substitute(t, b, upper)
    h = n // 2
    first, second = (slice(h, n), slice(0, h)) if upper else (slice(0, h), slice(h, n))
    x = np.empty_like(b)
    x[..., first, :] = solve_triangular(a[..., first, first], b[..., first, :], upper, unit)
    rest = b[..., second, :] - a[..., second, first] @ x[..., first, :]
    x[..., second, :] = solve_triangular(a[..., second, second], rest, upper, unit)
    return x


def _substitute(t: np.ndarray, b: np.ndarray, upper: bool) -> np.ndarray:
    x = b.copy()
    n = t.shape[-1]
    with np.errstate(all="ignore"):
        for i in range(n - 1, -1, -1) if upper else range(n):
            known = slice(i + 1, n) if upper else slice(0, i)
            x[..., i, :] -= (t[..., i, None, known] @ x[..., known, :])[..., 0, :]
            x[..., i, :] /= t[..., i, i, None]
    return x


def lu_factors(a: np.ndarray, pivot: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """(L and U in one matrix, 1-based pivots) of one matrix, by Gaussian elimination with partial pivoting or
    without."""
    lu = np.array(a)
    return lu, (_factor(lu, pivot) + 1).astype(np.int32)


def _factor(a: np.ndarray, pivot: bool) -> np.ndarray:
    """Factors a in place; with which row each of the first rows was exchanged, one after another."""
    k = min(a.shape)
    if k <= _PANEL:
        return _panel(a, pivot)
    h = k // 2
    left, right = a[:, :h], a[:, h:]
    first = _factor(left, pivot)
    _exchange(right, first)
    right[:h] = solve_triangular(left[:h], right[:h], False, True)
    right[h:] -= left[h:] @ right[:h]
    second = _factor(right[h:], pivot)
    _exchange(left[h:], second)
    return np.concatenate([first, second + h])


def _panel(a: np.ndarray, pivot: bool) -> np.ndarray:
    rows = np.arange(min(a.shape))
    for k in range(len(rows)):
        column = a[k:, k]
        if pivot:
            size = np.abs(column.real) + np.abs(column.imag) if a.dtype.kind == "c" else np.abs(column)
            rows[k] = best = k + int(size.argmax())
            if best != k:
                a[[k, best]] = a[[best, k]]
        if a[k, k] != 0:
            a[k + 1:, k] /= a[k, k]
            a[k + 1:, k + 1:] -= a[k + 1:, k, None] * a[k, k + 1:]
    return rows


def _exchange(a: np.ndarray, rows: np.ndarray) -> None:
    """Exchanges row i with row rows[i], one after another."""
    order = np.arange(len(a))
    for i, j in enumerate(rows.tolist()):
        order[i], order[j] = order[j], order[i]
    moved = np.flatnonzero(order != np.arange(len(a)))
    a[moved] = a[order[moved]]
