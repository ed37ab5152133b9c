# ruff: noqa: F821
"""The names of linear algebra that are older than `torch.linalg`: functions of `torch` and methods of tensors."""
from __future__ import annotations

import warnings
from typing import Any

from .. import linalg, return_types
from ..linalg import accepts_out, matrix_exp
from ..primitives import linalg as la
from ..tensor.op import op
from ..tensor.strides import column_major
from ..tensor.tensor import Tensor


@accepts_out
def inverse(input: Tensor) -> Tensor:
    """The inverse: see `torch.linalg.inv`."""
    return linalg.inv(input)


def det(input: Tensor) -> Tensor:
    """The determinant: see `torch.linalg.det`."""
    return linalg.det(input)


@accepts_out
def slogdet(input: Tensor) -> return_types.slogdet:
    """(sign, log |determinant|): see `torch.linalg.slogdet`."""
    return return_types.slogdet(linalg.slogdet(input))


def logdet(input: Tensor) -> Tensor:
    """log(det); NaN where the determinant is negative."""
    from .pointwise import where
    sign, size = linalg.slogdet(input)
    if input.dtype.is_complex:
        return size + sign.log()
    return where(sign == -1, float("nan"), size)


@accepts_out
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with input = U diag(S) Vᴴ. Without compute_uv, U and V are zeros."""
    if not compute_uv:
        from .creation import zeros
        lead, (m, n) = input.shape[:-2], input.shape[-2:]
        return return_types.svd((zeros((*lead, m, m), dtype=input.dtype), linalg.svdvals(input), zeros((*lead, n, n), dtype=input.dtype)))
    u, s, vh = linalg.svd(input, not some)
    return return_types.svd((u, s, vh.mH))


@accepts_out
def qr(input: Tensor, some: bool = True) -> Any:
    """(Q, R): see `torch.linalg.qr`."""
    return return_types.qr(tuple(linalg.qr(input, "reduced" if some else "complete")))


@accepts_out(strict=False)
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The triangular factor of a positive-definite matrix: see `torch.linalg.cholesky`."""
    return linalg.cholesky(input, upper=upper)


@column_major(0, into="none")
@op("CholeskySolveBackward0")
def cholesky_solve(input: Tensor, L: Tensor, upper=False):
    """X with A X = input, where A = L Lᴴ, or Lᴴ L if upper."""
    for x, name in ((input, "b"), (L, "u")):
        if x.ndim < 2:
            raise RuntimeError(f"{name} should have at least 2 dimensions, but has {x.ndim} dimensions instead")
    a, b = linalg._spread(la.adjoint(L) if upper else L, input)
    # as in PyTorch, gradients are those of a whole matrix
    return la.solve_triangular(la.adjoint(a), la.solve_triangular(a, b, False, masked=False), True, masked=False)


@column_major(0)
@op("CholeskyInverseBackward0")
def cholesky_inverse(input: Tensor, upper=False):
    """The inverse of A = L Lᴴ (Lᴴ L if upper) from its factor."""
    linalg._square("cholesky_inverse", input)
    factor = la.adjoint(input) if upper else input
    inverse = la.solve_triangular(factor, la.eye_like(factor), False, masked=False)
    return la.matmul(la.adjoint(inverse), inverse)


@column_major(0, 1)
@op("TriangularSolveBackward0", name="triangular_solve", returns=return_types.triangular_solve, strict_out="dtype")
def triangular_solve(input: Tensor, A: Tensor, upper=True, transpose=False, unitriangular=False):
    """(X with A X = input, A), reading one triangle of A; transpose: Aᵀ in place of A."""
    a, b = linalg._spread(A, input)
    factor = la.transpose(a) if transpose else a
    return la.solve_triangular(factor, b, bool(upper) != bool(transpose), bool(unitriangular)), a


@accepts_out(strict=False)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The Moore-Penrose inverse: see `torch.linalg.pinv`."""
    return linalg.pinv(input, rcond)


@accepts_out
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The product of n copies: see `torch.linalg.matrix_power`."""
    return linalg.matrix_power(input, n)


def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of a chain of matrices: see `torch.linalg.multi_dot`."""
    warnings.warn("torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot instead, "
                  "which accepts a list of two or more tensors rather than multiple parameters.", UserWarning, stacklevel=2)
    if len(matrices) == 1:
        return matrices[0].clone()
    return linalg.multi_dot(matrices, **({} if out is None else {"out": out}))


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """X with A X = b: see `torch.linalg.lu_solve`."""
    return linalg.lu_solve(LU_data, LU_pivots, b, **({} if out is None else {"out": out}))


METHODS = {f.__name__: f for f in (det, matrix_exp, slogdet, inverse, logdet, svd, qr, cholesky, cholesky_solve, cholesky_inverse,
                                   triangular_solve, matrix_power, lu_solve)}
METHODS["pinverse"] = pinverse
