# ruff: noqa: F821
"""Factorisations that only `torch` names: QR in LAPACK's packed form, the parts of an LU factorisation, and the largest
singular values and principal components of big matrices by random projections."""
from __future__ import annotations

import warnings
from typing import Any

from .. import linalg
from .. import return_types as rt
from ..ir.graph import Var
from ..linalg import accepts_out
from ..primitives import householder as packed
from ..primitives import linalg as la
from ..tensor.op import op
from ..tensor.strides import column_major
from ..tensor.tensor import Tensor
from .creation import empty
from .promotion import not_implemented

# ------------------------------------------------------------------ QR by reflections


@column_major(0, into="empty")
@op("GeqrfBackward0", returns=rt.geqrf)
def geqrf(input: Tensor):
    """(a, tau): R is a's upper triangle; the columns below it and tau describe Q, see `orgqr` and `ormqr`. No
    gradient."""
    if input.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    if input.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        raise not_implemented("geqrf_cpu", input.dtype)
    return packed.geqrf(input)


@column_major(0, into="empty")
@accepts_out(strict=False)
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """Q's first columns from `geqrf`: see `torch.linalg.householder_product`."""
    return linalg.householder_product(input, tau)


def _check_ormqr(input: Var, tau: Var, other: Var, left: bool) -> None:
    def need(condition, message):
        if not condition:
            raise RuntimeError("torch.ormqr: " + message)
    need(input.ndim >= 2, "input must have at least 2 dimensions.")
    need(other.ndim >= 2, "other must have at least 2 dimensions.")
    side = -2 if left else -1
    need(other.shape[side] >= tau.shape[-1],
         f"other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    need(other.shape[side] == input.shape[-2], f"other.shape[{side}] must be equal to input.shape[-2]")
    need(tau.shape[-1] == min(other.shape[side], input.shape[-1]),
         f"tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    for x, name, ndim in ((tau, "tau to have one dimension less than input", input.ndim - 1),
                          (other, "other to have the same number of dimensions as input", input.ndim)):
        what = name.split()[0]
        need(x.ndim == ndim, f"Expected {name}, but got {what}.ndim equal to {x.ndim} and input.ndim is equal to "
                             f"{input.ndim}")
        need(x.dtype is input.dtype, f"Expected input and {what} to have the same dtype, but input has dtype"
                                     f"{input.dtype._legacy} and {what} has dtype {x.dtype._legacy}")
    need(tau.shape[:-1] == input.shape[:-2], "Expected batch dimensions of tau to be equal to input.shape[:-2], but "
                                             "got "
                                             f"{list(tau.shape[:-1])}")
    need(other.shape[:-2] == input.shape[:-2], "Expected batch dimensions of other to be equal to input.shape[:-2], "
                                               "but got "
                                               f"{list(other.shape[:-2])}")


@column_major(0)
@op("OrmqrBackward0")
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left=True, transpose=False):
    """Q · other (other · Q if not left; Qᴴ in place of Q if transpose), where input (…, m, n) and tau describe Q (m,
    m)."""
    _check_ormqr(input, tau, other, left)
    if left:
        return linalg.reflected(input, tau, other, bool(transpose))
    return la.adjoint(linalg.reflected(input, tau, la.adjoint(other), not transpose))  # other · Q is (Qᴴ otherᴴ)ᴴ


# ------------------------------------------------------------------ LU

@op("LuUnpackBackward0", name="lu_unpack")
def _lu_unpack(LU_data: Tensor):
    return linalg.unpack_lu(LU_data)


@accepts_out
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """(P, L, U) with A = P L U from A's `torch.linalg.lu_factor`; those that are not asked for are empty."""
    if LU_pivots.dtype.name != "int32":
        raise RuntimeError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
                           "Note: this function is intended to be used with the output produced by "
                           "torch.linalg.lu_factor")
    lower, upper = _lu_unpack(LU_data) if unpack_data else (LU_data.reshape(-1)[:0], LU_data.reshape(-1)[:0])
    order = linalg.permutation_matrix(LU_pivots, LU_data.shape[-2], LU_data.dtype) if unpack_pivots else \
        empty((0,), dtype=LU_data.dtype)
    return rt.lu_unpack((order, lower, upper))


def _lu(self: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """(LU, pivots), or (LU, pivots, infos): see `torch.linalg.lu_factor_ex`."""
    factors, pivots, infos = linalg.lu_factor_ex(self, pivot=pivot)
    return (factors, pivots, infos) if get_infos else (factors, pivots)


@accepts_out
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """(LU, pivots), or (LU, pivots, infos). Deprecated: use `torch.linalg.lu_factor` or `torch.linalg.lu_factor_ex`."""
    warnings.warn("torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be "
                  "removed "
                  "in a future PyTorch release.", UserWarning, stacklevel=3)
    return _lu(A, pivot, get_infos)


# ------------------------------------------------------------------ low rank, by random projections

def _basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Q (…, m, q) with orthonormal columns that nearly span A − M's largest: its images of random vectors, refined."""
    from .random import randn

    def image(x, adjoint):
        y = (A.mH if adjoint else A) @ x
        return y if M is None else y - (M.mH if adjoint else M) @ x
    basis = linalg.qr(image(randn(A.shape[-1], q, dtype=A.dtype, device=A.device), False))[0]
    for _ in range(niter):
        basis = linalg.qr(image(basis, True))[0]
        basis = linalg.qr(image(basis, False))[0]
    return basis


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2,
                M: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) with U diag(S) Vᴴ near A, or near A − M: the q largest singular values of (…, m, n) matrices, about.

    niter: steps of refinement. Draws a normal matrix. Algorithm 5.1 of Halko, Martinsson and Tropp (2009).
    """
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    m, n = A.shape[-2:]
    M = None if M is None else M.broadcast_to(A.shape)
    if m < n:
        v, s, u = svd_lowrank(A.mH, q, niter, None if M is None else M.mH)
        return u, s, v
    basis = _basis(A, q, niter, M)
    small = basis.mH @ A if M is None else basis.mH @ A - basis.mH @ M
    u, s, vh = linalg.svd(small, full_matrices=False)
    return basis @ u, s, vh.mH


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True,
                niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) of the rows of A (…, m, n), less their mean if center: V's columns are the q principal directions,
    about.

    q is min(6, m, n) by default. Draws a normal matrix: see `svd_lowrank`.
    """
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(dim=-2, keepdim=True) if center else A, q, niter)


METHODS = {"geqrf": geqrf, "orgqr": orgqr, "ormqr": ormqr, "lu": _lu}
