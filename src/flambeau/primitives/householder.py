"""Factorisations that keep LAPACK's packed form: QR as reflections, and L D Lᵀ of symmetric indefinite matrices.

LDLᵀ is by Bunch and Kaufman's partial pivoting (1977), as LAPACK's ?sytf2 and ?hetf2 do for a lower triangle: D has
blocks of 1 and 2; pivots[k] > 0 says with which row (1-based) row k was exchanged, two equal negative ones stand for a
block of 2 whose second row was.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import int32
from ..ir.graph import Var
from ..ir.types import TensorType, tensor_type
from .base import Primitive, no_derivative

# ------------------------------------------------------------------ QR


def _geqrf_kernel(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    packed, tau = np.linalg.qr(a, "raw")
    return packed.swapaxes(-1, -2), tau


geqrf_p = Primitive("linalg_geqrf", lambda a: (a, tensor_type(a.dtype, (*a.shape[:-2], min(a.shape[-2:])))),
                    _geqrf_kernel,
                    lambda gs, ys, xs: (no_derivative(xs[0], "geqrf"),), n_outputs=2, kind="host")


def geqrf(a: Var) -> tuple[Var, Var]:
    """(R above the vectors of the reflections whose product is Q, their factors tau)."""
    return geqrf_p((a,))


# ------------------------------------------------------------------ LDLᵀ

_ALPHA = (1 + math.sqrt(17)) / 8  # bounds the growth of elements


def _size(x: np.ndarray) -> np.ndarray:
    """LAPACK's quick absolute value."""
    return np.abs(x.real) + np.abs(x.imag)


def _choose_pivot(a: np.ndarray, k: int, own: float) -> tuple[int, int]:
    """(row to exchange with, size of the block) at step k, for a's lower triangle; `own` is the size of a[k, k]."""
    below = _size(a[k + 1:, k])
    if not below.size or own >= _ALPHA * below.max():
        return k, 1
    best = k + 1 + int(below.argmax())
    largest = below.max()
    row_largest = max(_size(a[best, k:best]).max(), _size(a[best + 1:, best]).max(initial=0.0))
    if own >= _ALPHA * largest * (largest / row_largest):
        return k, 1
    return best, 1 if _size(a[best, best]) >= _ALPHA * row_largest else 2


def _exchange(a: np.ndarray, i: int, j: int, hermitian: bool) -> None:
    """Exchanges rows and columns i < j of the trailing lower triangle that begins at i."""
    a[j + 1:, [i, j]] = a[j + 1:, [j, i]]
    middle = a[i + 1:j, i].copy()
    a[i + 1:j, i] = a[j, i + 1:j].conj() if hermitian else a[j, i + 1:j]
    a[j, i + 1:j] = middle.conj() if hermitian else middle
    if hermitian:
        a[j, i] = a[j, i].conj()
    a[[i, j], [i, j]] = a[[j, i], [j, i]]


def _ldl_one(matrix: np.ndarray, hermitian: bool) -> tuple[np.ndarray, np.ndarray, int]:
    a = np.tril(matrix)
    n, k, info = len(a), 0, 0
    pivots = np.zeros(n, np.int32)
    while k < n:
        own = abs(a[k, k].real) if hermitian else float(_size(a[k, k]))
        if max(own, float(_size(a[k + 1:, k]).max(initial=0.0))) == 0:
            info, pivots[k] = info or k + 1, k + 1
            k += 1
            continue
        row, block = _choose_pivot(a, k, own)
        last = k + block - 1
        if row != last:
            _exchange(a, last, row, hermitian)
            if block == 2:
                a[[last, row], k] = a[[row, last], k]
        if hermitian:
            diagonal = np.arange(k, n)
            a[diagonal, diagonal] = a[diagonal, diagonal].real
        pivots[k:k + block] = row + 1 if block == 1 else -(row + 1)
        d, low = _block(a, k, block, hermitian), a[k + block:, k:k + block]
        columns = low / d if block == 1 else np.linalg.solve(d.T, low.T).T
        a[k + block:, k + block:] -= np.tril(columns @ (low.conj() if hermitian else low).T)
        a[k + block:, k:k + block] = columns
        k += block
    return a, pivots, info


def _block(a: np.ndarray, k: int, block: int, hermitian: bool) -> np.ndarray:
    """D's block at k, whole."""
    d = a[k:k + block, k:k + block].copy()
    if block == 2:
        d[0, 1] = d[1, 0].conj() if hermitian else d[1, 0]
    return d


def _ldl_kernel(a: np.ndarray, hermitian: bool) -> tuple[np.ndarray, ...]:
    factors, pivots = np.empty_like(a), np.empty(a.shape[:-1], np.int32)
    infos = np.zeros(a.shape[:-2], np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        factors[at], pivots[at], infos[at] = _ldl_one(a[at], hermitian)
    return factors, pivots, infos


def _ldl_types(a: TensorType, hermitian: bool) -> tuple[TensorType, ...]:
    return a, tensor_type(int32, a.shape[:-1]), tensor_type(int32, a.shape[:-2])


ldl_p = Primitive("linalg_ldl_factor", _ldl_types, _ldl_kernel,
                  lambda gs, ys, xs, hermitian: (no_derivative(xs[0], "linalg_ldl_factor_ex"),), n_outputs=3,
                  kind="host")


def ldl_factor(a: Var, hermitian: bool) -> tuple[Var, Var, Var]:
    """(L and D in one lower triangle, pivots, info): see the top of this file; info is the first zero of D, or 0."""
    return ldl_p((a,), hermitian)


def _ldl_solve_one(a: np.ndarray, pivots: np.ndarray, b: np.ndarray, hermitian: bool) -> np.ndarray:
    x, n, steps, k = b.copy(), len(a), [], 0
    while k < n:
        block = 1 if pivots[k] > 0 else 2
        last, row = k + block - 1, abs(int(pivots[k])) - 1
        x[[last, row]] = x[[row, last]]
        x[k + block:] -= a[k + block:, k:k + block] @ x[k:k + block]
        d = _block(a, k, block, hermitian)
        x[k:k + block] = x[k] / d if block == 1 else np.linalg.solve(d, x[k:k + block])
        steps.append((k, block, last, row))
        k += block
    for k, block, last, row in reversed(steps):
        low = a[k + block:, k:k + block]
        x[k:k + block] -= (low.conj() if hermitian else low).T @ x[k + block:]
        x[[last, row]] = x[[row, last]]
    return x


def _ldl_solve_kernel(a: np.ndarray, pivots: np.ndarray, b: np.ndarray, hermitian: bool) -> np.ndarray:
    x = np.empty_like(b)
    for at in np.ndindex(*b.shape[:-2]):
        x[at] = _ldl_solve_one(a[at], pivots[at], b[at], hermitian)
    return x


def _ldl_solve_types(a: Any, pivots: Any, b: TensorType, hermitian: bool) -> TensorType:
    return b


def _ldl_solve_vjp(g: Var, y: Var, xs: tuple[Var, ...], hermitian: bool) -> tuple[Var | None, ...]:
    return no_derivative(xs[0], "linalg_ldl_solve"), None, no_derivative(xs[2], "linalg_ldl_solve")


ldl_solve_p = Primitive("linalg_ldl_solve", _ldl_solve_types, _ldl_solve_kernel, _ldl_solve_vjp, kind="host")


def ldl_solve(a: Var, pivots: Var, b: Var, hermitian: bool) -> Var:
    """X with A X = b from A's `ldl_factor`; all with equal leading dimensions."""
    return ldl_solve_p((a, pivots, b), hermitian)
