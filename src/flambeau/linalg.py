# ruff: noqa: F821
"""`torch.linalg`: determinants, solving, factorisations, norms and products of matrices (…, m, n), leading dimensions being a batch."""
from __future__ import annotations

import functools
import math
from typing import Any

from . import primitives as p
from . import return_types as rt
from .autograd.grad_mode import is_grad_enabled
from .dtypes import int32, int64
from .ir.graph import Var
from .ops import norms
from .ops.einsum import linalg_cross
from .ops.promotion import not_implemented, promoted
from .primitives import householder as packed
from .primitives import linalg as la
from .primitives import lu as lu_
from .primitives.linalg import LinAlgError
from .runtime.trace import Value
from .tensor.attributes import every_value
from .tensor.autocast import in_float32
from .tensor.examples import one_by_one
from .tensor.op import op
from .tensor.overriding import guard
from .tensor.strides import column_major
from .tensor.tensor import Tensor
from .tensor.views import wrap_dim

# ------------------------------------------------------------------ checks


def _matrix(name: str, x: Var, kernel: str = "") -> None:
    """kernel: the LAPACK driver that PyTorch names when it has none for half precision."""
    if x.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if x.dtype.kind not in "fc":
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype._legacy}")
    if x.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        if kernel:
            raise not_implemented(kernel, x.dtype)
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {x.dtype._legacy}")


def _square(name: str, x: Var, kernel: str = "") -> None:
    _matrix(name, x, kernel)
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices")


def _raise_on(info: Tensor, message: str) -> None:
    """LinAlgError for the first matrix whose factorisation failed; {} in the message is where."""
    array = every_value(info)
    if array.any():
        first = next(i for i, n in enumerate(array.reshape(-1)) if n)
        place = f"(Batch element {first}): " if array.ndim else ""
        name, _, what = message.partition(": ")
        raise LinAlgError(f"{name}: {place}{what.format(array.reshape(-1)[first])}")


def accepts_out(function: Any = None, *, strict: bool = True) -> Any:
    """Gives a function of tensors the keyword `out`. strict: the dtype must be the result's; else the result is copied, row-major."""
    if function is None:
        return functools.partial(accepts_out, strict=strict)

    @functools.wraps(function)
    def call(*args, out=None, **kwargs):
        result = function(*args, **kwargs)
        if out is None:
            return result
        from .tensor.write import write_out
        return write_out(result if strict or isinstance(result, tuple) else result.contiguous(), out, strict)
    return call


# ------------------------------------------------------------------ determinants and inverses

@op("LinalgDetBackward0", strict_out="dtype")
def det(A: Tensor):
    """The determinants (…) of square matrices (…, n, n)."""
    _square("linalg.det", A, "lu_cpu")
    return la.det(A)


@op("LinalgSlogdetBackward0", returns=rt.linalg_slogdet, strict_out="dtype")
def slogdet(A: Tensor):
    """(sign, log |determinant|) of square matrices."""
    _square("linalg.slogdet", A)
    return la.slogdet(A)


@column_major(0)
@op("LinalgInvExBackward0", name="linalg_inv_ex", returns=rt.linalg_inv_ex)
def _inv_ex(A: Tensor):
    _square("linalg.inv", A)
    return la.inv_ex(A)


_SINGULAR = "{}: The diagonal element {{}} is zero, the inversion could not be completed because the input matrix is singular."


@accepts_out
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(inverse, info); info is 0 where a matrix could be inverted."""
    result = _inv_ex(A)
    if check_errors:
        _raise_on(result[1], _SINGULAR.format("linalg.inv_ex"))
    return result


@accepts_out
def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices; LinAlgError if one is singular."""
    result, info = _inv_ex(A)
    _raise_on(info, _SINGULAR.format("linalg.inv"))
    return result


# ------------------------------------------------------------------ solving

def _is_vector(A: Var, B: Var) -> bool:
    """Whether B is a batch of vectors, not of matrices."""
    return B.ndim == 1 or A.ndim - 1 == B.ndim and B.shape == A.shape[:-1]


def _spread(A: Var, B: Var) -> tuple[Var, Var]:
    lead = p.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    return p.broadcast_to(A, (*lead, *A.shape[-2:])), p.broadcast_to(B, (*lead, *B.shape[-2:]))


@op("LinalgSolveExBackward0", name="linalg_solve_ex", returns=rt.linalg_solve_ex)
def _solve_ex(A: Tensor, B: Tensor, left):
    _square("linalg.solve", A)
    if A.dtype is not B.dtype:
        raise RuntimeError(f"linalg.solve: Expected A and B to have the same dtype, but found A of type {A.dtype._legacy} and B of type "
                           f"{B.dtype._legacy} instead")
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not supported for left=False")
    b = la.column(B) if vector else B
    if b.ndim < 2 or b.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
                           f"({A.shape[-2]}x{A.shape[-1]} and {'x'.join(map(str, b.shape[-2:]))})")
    if left:
        x, info = la.solve_ex(*_spread(A, b))
    else:
        x, info = la.solve_ex(*_spread(la.transpose(A), la.transpose(b)))
        x = la.transpose(x)
    return (p.reshape(x, x.shape[:-1]) if vector else x), info


def _from_the_left(A: Any, B: Any, *, left: bool = True, **rest: Any) -> bool:
    return left


@column_major(0, when=_from_the_left)
@accepts_out
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(X, info) with A X = B (X A = B if not left); info is 0 where A is not singular."""
    result = _solve_ex(A, B, left)
    if check_errors:
        _raise_on(result[1], "torch.linalg.solve_ex: The solver failed because the input matrix is singular.")
    return result


@column_major(0, when=_from_the_left)
@accepts_out
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B, or X A = B if not left. B may be a (batch of) vectors. LinAlgError if A is singular."""
    result, info = _solve_ex(A, B, left)
    _raise_on(info, "torch.linalg.solve: The solver failed because the input matrix is singular.")
    return result


@column_major(0)
@op("LinalgSolveTriangularBackward0", strict_out="dtype")
def solve_triangular(A: Tensor, B: Tensor, *, upper, left=True, unitriangular=False):
    """X with A X = B (X A = B if not left), reading one triangle of A; unitriangular: its diagonal counts as ones."""
    _square("linalg.solve_triangular", A)
    if B.ndim < 2:
        raise RuntimeError("linalg.solve_triangular: The input tensor B must have at least 2 dimensions.")
    if A.dtype is not B.dtype:
        raise RuntimeError("linalg.solve_triangular: Expected A and B to have the same dtype, but found A of type "
                           f"{A.dtype._legacy} and B of type {B.dtype._legacy} instead")
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(f"linalg.solve_triangular: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
                           f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})")
    upper, unit = bool(upper), bool(unitriangular)
    if left:
        return la.solve_triangular(*_spread(A, B), upper, unit)
    return la.transpose(la.solve_triangular(*_spread(la.transpose(A), la.transpose(B)), not upper, unit))


# ------------------------------------------------------------------ factorisations

@column_major(0)
@op("LinalgCholeskyExBackward0", name="linalg_cholesky_ex", returns=rt.linalg_cholesky_ex)
def _cholesky_ex(A: Tensor, upper):
    _square("linalg.cholesky", A, "cholesky_cpu")
    return la.cholesky_ex(A, bool(upper))


_NOT_POSITIVE = ("{}: The factorization could not be completed because the input is not positive-definite (the leading minor of order "
                 "{{}} is not positive-definite).")


@accepts_out
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info) with A = L Lᴴ (Uᴴ U if upper); info is 0 where A is positive-definite."""
    result = _cholesky_ex(A, upper)
    if check_errors:
        _raise_on(result[1], _NOT_POSITIVE.format("linalg.cholesky_ex"))
    return result


@accepts_out
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L Lᴴ, or U with A = Uᴴ U; LinAlgError if A is not positive-definite."""
    result, info = _cholesky_ex(A, upper)
    _raise_on(info, _NOT_POSITIVE.format("linalg.cholesky"))
    return result


@column_major(0, 1)
@op("LinalgQrBackward0", returns=rt.linalg_qr, strict_out="dtype")
def qr(A: Tensor, mode="reduced"):
    """(Q, R) with A = Q R; mode "reduced", "complete" (Q square) or "r" (Q empty)."""
    _matrix("linalg.qr", A, "geqrf_cpu")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    q, r = la.qr(A, mode == "complete")
    return (p.full((0,), 0, A.dtype, A.builder) if mode == "r" else q), r


@column_major(0, 2)
@op("LinalgSvdBackward0", returns=rt.linalg_svd, strict_out="dtype")
def svd(A: Tensor, full_matrices=True, *, driver=None):
    """(U, S, Vᴴ) with A = U diag(S) Vᴴ, S descending; full_matrices: U and V are square."""
    _matrix("linalg.svd", A, "linalg_svd_cpu")
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    return la.svd(A, bool(full_matrices))


@op("LinalgSvdBackward0", name="svdvals")
def _svdvals(A: Tensor):
    _matrix("linalg.svdvals", A, "linalg_svd_cpu")
    return la.svd(A)[1]


@op(None, name="svdvals")
def _values_alone(A: Tensor):
    _matrix("linalg.svdvals", A, "linalg_svd_cpu")
    return la.singular_values(A)


@accepts_out
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending."""
    differentiated = A.requires_grad and is_grad_enabled() or A._storage.value.__class__ is not Value  # or by forward mode
    return (_svdvals if differentiated else _values_alone)(A)


def _uplo(UPLO: str) -> bool:
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "L"


@column_major(1)
@op("LinalgEighBackward0", returns=rt.linalg_eigh, strict_out="dtype")
def eigh(A: Tensor, UPLO="L"):
    """(ascending eigenvalues, eigenvectors as columns) of symmetric or Hermitian matrices, of which triangle UPLO is read."""
    _square("linalg.eigh", A, "linalg_eigh_cpu")
    return la.eigh(A, _uplo(UPLO))


@op("LinalgEighBackward0", strict_out="dtype")
def eigvalsh(A: Tensor, UPLO="L"):
    """The eigenvalues of symmetric or Hermitian matrices, ascending."""
    _square("linalg.eigvalsh", A, "linalg_eigh_cpu")
    return la.eigh(A, _uplo(UPLO))[0]


@column_major(1)
@op("LinalgEigBackward0", returns=rt.linalg_eig)
def eig(A: Tensor):
    """(complex eigenvalues, eigenvectors as columns) of square matrices."""
    _square("linalg.eig", A, "linalg_eig_out_cpu")
    return la.eig(A)


@op("LinalgEigBackward0")
def eigvals(A: Tensor):
    """The complex eigenvalues of square matrices."""
    _square("linalg.eigvals", A, "linalg_eig_out_cpu")
    return la.eig(A)[0]


@column_major(0)
@op("LinalgLuFactorExBackward0", returns=rt.linalg_lu_factor, strict_out="dtype")
def lu_factor(A: Tensor, *, pivot=True):
    """(L and U in one matrix, 1-based pivots int32); see `lu_solve`."""
    _matrix("torch.linalg.lu_factor", A, "lu_cpu")
    return lu_.lu_factor(A, bool(pivot))


@column_major(0)
@op("LinalgLuFactorExBackward0", name="lu_factor_ex", returns=rt.linalg_lu_factor_ex)
def _lu_factor_ex(A: Tensor, pivot):
    _matrix("torch.linalg.lu_factor_ex", A, "lu_cpu")
    factors, pivots = lu_.lu_factor(A, pivot)
    zero = p.eq(la.diagonal(factors), 0)
    last = zero.ndim - 1
    n = zero.shape[last]
    if not n:
        return factors, pivots, p.full(A.shape[:-2], 0, int32, A.builder)
    first = p.reduce_min(p.select(zero, p.index_along(zero, last) + 1, n + 1), (last,))
    return factors, pivots, p.cast(p.select(p.eq(first, n + 1), 0, first), int32)


@accepts_out
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """(LU, pivots, info): see `lu_factor`; info is the 1-based place of the first zero on U's diagonal, or 0."""
    result = _lu_factor_ex(A, bool(pivot))
    if check_errors:
        _raise_on(result[2], "torch.linalg.lu_factor_ex: U[{0},{0}] is zero and using it on lu_solve would result in a division by zero.")
    return result


def unpack_lu(factors: Var) -> tuple[Var, Var]:
    """(L, U) from both in one matrix: L with ones on its diagonal."""
    k = min(factors.shape[-2:])
    lower = la.tril(p.slice_dim(factors, factors.ndim - 1, 0, k), -1)
    lower = p.select(la.on_diagonal(lower), p.ones_like(lower), lower)
    return lower, la.triu(p.slice_dim(factors, factors.ndim - 2, 0, k))


@op("LinalgLuBackward0", name="linalg_lu")
def _lu(A: Tensor, pivot):
    _matrix("linalg.lu", A, "lu_cpu")
    factors, pivots = lu_.lu_factor(A, pivot)
    return *unpack_lu(factors), pivots


@op(None, name="permutation_matrix")
def permutation_matrix(pivots: Tensor, m, dtype):
    """P (…, m, m) with A = P L U, from the pivots of A's `lu_factor`; it has no gradient."""
    return p.cast(lu_.permutation_matrix(pivots, m), dtype)


@accepts_out
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U) with A = P L U; P is empty without pivoting."""
    from .ops.creation import empty
    lower, upper, pivots = _lu(A, bool(pivot))
    order = permutation_matrix(pivots, A.shape[-2], A.dtype) if pivot else empty((0,), dtype=A.dtype)
    return rt.linalg_lu((order, lower, upper))


@column_major(0, when=lambda LU, pivots, B, *, left=True, adjoint=False: left)
@op("LinalgLuSolveBackward0", strict_out="dtype")
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left=True, adjoint=False):
    """X with A X = B (X A = B if not left; Aᴴ in place of A if adjoint), from A's `lu_factor`."""
    _square("torch.linalg.lu_solve", LU)
    order = p.cast(lu_.permutation_matrix(pivots, LU.shape[-1]), LU.dtype)
    a, b = _spread(LU, B if left else la.adjoint(B))
    order = p.broadcast_to(order, a.shape)
    if bool(adjoint) == bool(left):  # Aᴴ = Uᴴ Lᴴ Pᵀ
        a = la.adjoint(a)
        x = la.solve_triangular(a, la.solve_triangular(a, b, False), True, True)
        x = la.matmul(order, x)
    else:
        x = la.solve_triangular(a, la.matmul(la.transpose(order), b), False, True)
        x = la.solve_triangular(a, x, True)
    return x if left else la.adjoint(x)


@column_major(0, into="empty")
@op("LinalgHouseholderProductBackward0")
def householder_product(A: Tensor, tau: Tensor):
    """The first n columns of H₁ H₂ … with Hᵢ = I − τᵢ vᵢ vᵢᴴ; vᵢ is A's column i below its diagonal, with 1 on it."""
    _matrix("torch.linalg.householder_product", A)
    m, n = A.shape[-2:]
    if n > m:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]")
    start = p.select(la.on_diagonal(A), p.ones_like(A), p.zeros_like(A))
    return reflected(A, tau, start, False)


def reflected(A: Var, tau: Var, x: Var, adjoint: bool) -> Var:
    """Q x, or Qᴴ x, for Q = H₁ H₂ … as in `householder_product`.

    Q = I − V T Vᴴ with T = (I + D striu(Vᴴ V))⁻¹ D, D = diag(tau): no product of reflections one by one (Joffrain et al. 2006).
    """
    k = tau.shape[-1]
    vectors = p.slice_dim(p.add(la.tril(A, -1), p.select(la.on_diagonal(A), p.ones_like(A), p.zeros_like(A))), A.ndim - 1, 0, k)
    inner = p.mul(la.column(tau), la.triu(la.matmul(la.adjoint(vectors), vectors), 1))
    if adjoint:  # Tᴴ = D̄ (I + …)⁻ᴴ
        part = la.solve_triangular(la.adjoint(inner), la.matmul(la.adjoint(vectors), x), False, True)
        part = p.mul(la.column(p.conj(tau)), part)
    else:
        part = p.mul(la.column(tau), la.matmul(la.adjoint(vectors), x))
        part = la.solve_triangular(inner, part, True, True)
    return p.sub(x, la.matmul(vectors, part))


@column_major(0)
@op("NotImplemented", name="linalg_ldl_factor_ex", returns=rt.linalg_ldl_factor_ex)
def _ldl_factor_ex(A: Tensor, hermitian):
    _square("torch.linalg.ldl_factor_ex", A, "ldl_factor_kernel_cpu")
    return packed.ldl_factor(A, bool(hermitian) and A.dtype.kind == "c")


_SINGULAR_D = "torch.linalg.{}: D[{{0}},{{0}}] is zero: solving with this factorization would divide by it."


@accepts_out
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """(LD, pivots, info): see `ldl_factor`; info is the 1-based place of the first zero of D, or 0."""
    result = _ldl_factor_ex(A, hermitian)
    if check_errors:
        _raise_on(result[2], _SINGULAR_D.format("ldl_factor_ex"))
    return result


@accepts_out
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """(LD, pivots) with A = P L D Lᵀ Pᵀ (Lᴴ if hermitian), L unit lower triangular, D of blocks of 1 and 2; see `ldl_solve`.

    Reads the lower triangle of A (…, n, n), symmetric or Hermitian. pivots is int32 and 1-based, negative for the rows of
    blocks of 2 (Bunch and Kaufman 1977). No gradient.
    """
    factors, pivots, info = _ldl_factor_ex(A, hermitian)
    _raise_on(info, _SINGULAR_D.format("ldl_factor"))
    return rt.linalg_ldl_factor((factors, pivots))


@column_major(0)
@op("NotImplemented", strict_out="dtype")
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian=False):
    """X with A X = B, from A's `ldl_factor`. No gradient."""
    if B.ndim < 2:
        raise IndexError(f"Dimension out of range (expected to be in range of [-{B.ndim}, {B.ndim - 1}], but got -2)")
    _square("torch.linalg.ldl_solve", LD)
    if B.shape[-2] != LD.shape[-1]:
        raise RuntimeError("Incompatible matrix sizes for torch.linalg.ldl_solve: each A matrix is "
                           f"{LD.shape[-2]} by {LD.shape[-1]} but each b matrix is {B.shape[-2]} by {B.shape[-1]}")
    if pivots.dtype.kind not in "iu":
        raise RuntimeError(f"torch.linalg.ldl_solve: Expected pivots to be integers. Got {pivots.dtype._legacy}")
    if pivots.shape != LD.shape[:-1]:
        raise RuntimeError("torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots "
                           f"with shape {list(pivots.shape)} instead")
    if B.dtype is not LD.dtype:
        raise RuntimeError(f"Expected b and A to have the same dtype, but found b of type {B.dtype._legacy} and A of type "
                           f"{LD.dtype._legacy} instead.")
    a, b = _spread(LD, B)
    places = p.broadcast_to(pivots, a.shape[:-1])
    return packed.ldl_solve(a, places, b, bool(hermitian) and LD.dtype.kind == "c")


# ------------------------------------------------------------------ rank and pseudoinverse

def _tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[Tensor, Tensor]:
    """(atol, rtol), real; rtol is max(m, n) · eps unless atol is given and positive."""
    from .dtypes import finfo
    from .ops.creation import full_like, zeros_like
    from .ops.pointwise import where
    real = A.dtype.to_real()

    def of(x: Any) -> Tensor:
        return x if isinstance(x, Tensor) else A.new_full((), x, dtype=real)  # type: ignore[attr-defined]
    absolute = of(0.0 if atol is None else atol)
    if rtol is None:
        default = max(A.shape[-2:]) * finfo(A.dtype).eps
        rtol = where(absolute > 0, zeros_like(absolute, dtype=real), full_like(absolute, default, dtype=real))
    return absolute, of(rtol)


@op("LinalgPinvBackward0", name="linalg_pinv")
def _pinv(A: Tensor, atol: Tensor, rtol: Tensor, hermitian):
    each = [p.broadcast_to(p.cast(x, A.dtype.to_real()), A.shape[:-2]) for x in (atol, rtol)]
    return la.pinv(A, *each, hermitian)


@accepts_out(strict=False)
def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The Moore-Penrose inverse (…, n, m) of matrices (…, m, n); singular values up to max(atol, rtol · the largest) count as 0."""
    if 0 in A.shape[-2:]:
        return A.mT.clone()
    return _pinv(A, *_tolerances(A, atol, rcond if rtol is None else rtol), bool(hermitian))


@accepts_out(strict=False)
def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values exceed max(atol, rtol · the largest), int64."""
    from .ops.arithmetic import maximum
    if tol is not None:
        atol, rtol = tol, 0.0
    A = A.detach()
    values = eigvalsh(A).abs() if hermitian else svdvals(A)
    if 0 in A.shape[-2:]:
        from .ops.creation import zeros
        return zeros(A.shape[:-2], dtype=int64)
    absolute, relative = _tolerances(A, atol, rtol)
    tolerance = maximum(values.amax(-1) * relative, absolute)
    return (values > tolerance.unsqueeze(-1)).sum(-1)


@accepts_out(strict=False)
@one_by_one
@in_float32
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """X that minimises ‖A X − B‖, with (solution, residuals, rank, singular_values) of which a driver leaves some empty."""
    from .dtypes import finfo
    from .ops.creation import empty
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    _check_lstsq(A, B)
    driver = driver or "gelsy"
    m, n = A.shape[-2:]
    vector = B.ndim == A.ndim - 1
    b = B.unsqueeze(-1) if vector else B
    rcond = max(m, n) * finfo(A.dtype).eps if rcond is None else rcond
    values = svdvals(A.detach())
    x = _least_squares(A, b, 0.0 if driver == "gels" else rcond)
    rank = (values > rcond * values[..., :1]).sum(-1)
    residuals = x.abs().reshape(-1)[:0]  # empty, unless there are more equations than the rank uses
    if m > n and (driver == "gels" or driver != "gelsy" and bool((rank == n).all())):
        residuals = (A @ x - b).abs().square().sum(-2)
    return rt.linalg_lstsq((x.squeeze(-1) if vector else x, residuals,
                            empty((0,), dtype=int64) if driver == "gels" else rank,
                            values if driver in ("gelsd", "gelss") else empty((0,), dtype=values.dtype)))


def _least_squares(A: Tensor, b: Tensor, rtol: float) -> Tensor:
    """By QR where A is far from losing rank, else by the pseudoinverse."""
    from .dtypes import finfo
    tall = A.shape[-2] >= A.shape[-1]
    if A.numel():
        q, r = qr(A if tall else A.mH)
        sizes = r.detach().diagonal(dim1=-2, dim2=-1).abs()
        if bool((sizes.amin(-1) > math.sqrt(finfo(A.dtype).eps) * sizes.amax(-1)).all()):
            return solve_triangular(r, q.mH @ b, upper=True) if tall else q @ solve_triangular(r.mH, b, upper=False)
    return pinv(A, rtol=rtol) @ b


def _check_lstsq(A: Tensor, B: Tensor) -> None:
    def need(condition, message):
        if not condition:
            raise RuntimeError("torch.linalg.lstsq: " + message)
    need(A.ndim >= 2, "input must have at least 2 dimensions.")
    need(B.ndim >= 1, "other must have at least 1 dimension.")
    need(A.dtype is B.dtype, f"Expected input and other to have the same dtype, but got input's dtype {A.dtype._legacy} and other's "
                             f"dtype {B.dtype._legacy}")
    need(0 <= A.ndim - B.ndim <= 1, "input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1")
    dim = -2 if A.ndim == B.ndim else -1
    need(A.shape[-2] == B.shape[dim], f"input.size(-2) should match other.size({dim})")


# ------------------------------------------------------------------ norms

@op("LinalgVectorNormBackward0", strict_out="dtype")
def vector_norm(x: Tensor, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(Σ |x|^ord)^(1/ord) over dim, or over all elements; ±inf gives the extremes, 0 counts what is not zero."""
    if x.dtype.kind not in "fc":
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {x.dtype._legacy}")
    return norms.vector_norm(p.cast(x, dtype or x.dtype), float(ord), dim, keepdim)


def _summed_extreme(x: Var, order: float, rows: int, columns: int, keepdim: bool) -> Var:
    """The largest (or smallest) sum of absolute values of a column (order ±1) or row (±inf) of x, whose matrices were in the
    dimensions rows and columns."""
    over, along, axis = (rows, columns, x.ndim - 2) if abs(order) == 1 else (columns, rows, x.ndim - 1)
    return _extreme(p.reduce_sum(p.absolute(x), (axis,)), order, along - (over < along and not keepdim))


def _extreme(values: Var, order: float, dim: int) -> Var:
    """The largest or, for a negative order, smallest along the last dimension (PyTorch's number dim); none is like 0."""
    last = values.ndim - 1
    if values.shape[last]:
        return (p.reduce_max if order > 0 else p.reduce_min)(values, (last,))
    if order < 0:
        raise IndexError(f"amin(): Expected reduction dim {dim} to have non-zero size.")
    return p.reduce_sum(values, (last,))


@op("LinalgMatrixNormBackward0", strict_out="dtype")
def matrix_norm(input: Tensor, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Norms of matrices in dimensions dim: "fro", "nuc" (Σ singular values), ±1, ±inf (sums), ±2 (extreme singular values)."""
    if input.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    if not isinstance(dim, tuple) or len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {input.dtype._legacy}")
    if isinstance(ord, str) and ord not in ("fro", "nuc") or not isinstance(ord, str) and abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    rows, columns = (wrap_dim(d, input.ndim) for d in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    x = p.cast(input, dtype or input.dtype)
    if ord == "fro":
        return norms.vector_norm(x, 2.0, (rows, columns), keepdim)
    x = p.permute(x, [i for i in range(x.ndim) if i not in (rows, columns)] + [rows, columns])
    if ord == "nuc":
        out = p.reduce_sum(la.svd(x)[1], (x.ndim - 2,))
    elif abs(ord) == 2:
        out = _extreme(la.svd(x)[1], ord, -1)
    else:
        out = _summed_extreme(x, float(ord), rows, columns, keepdim)
    if keepdim:
        out = p.reshape(out, tuple(1 if i in (rows, columns) else n for i, n in enumerate(input.shape)))
    return out


@accepts_out
def norm(input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The 2-norm of all elements; with ord, a vector or matrix norm, by the number of dimensions."""
    if ord is None:
        return vector_norm(input, 2, dim, keepdim, dtype=dtype)
    dims = (dim,) if isinstance(dim, int) else dim
    if dims is None:
        if input.ndim not in (1, 2):
            raise RuntimeError("linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                               f"{input.ndim}D.")
        dims = tuple(range(input.ndim))
    if len(dims) == 2 or isinstance(ord, str):
        return matrix_norm(input, ord, dim if isinstance(dim, int) else tuple(dims), keepdim, dtype=dtype)
    return vector_norm(input, ord, dim, keepdim, dtype=dtype)


@accepts_out(strict=False)
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number ‖A‖ₚ ‖A⁻¹‖ₚ: the ratio of the extreme singular values by default."""
    if p is None or p == 2:
        s = svdvals(A)
        return s[..., 0] / s[..., -1]
    if p == -2:
        s = svdvals(A)
        return s[..., -1] / s[..., 0]
    inverse, info = inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    return result.masked_fill(info != 0, math.inf)


# ------------------------------------------------------------------ products

def _needs_square(name: str, A: Tensor) -> None:
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices")


@accepts_out
def matrix_power(A: Tensor, n: int) -> Tensor:
    """Aⁿ by repeated squaring; negative powers are of the inverse."""
    _needs_square("linalg.matrix_power", A)
    if n == 0:
        from .ops.creation import eye
        identity = eye(A.shape[-1], dtype=A.dtype, device=A.device)
        return A.masked_fill(identity == identity, 0) + identity  # its gradient is 0, not absent
    if n < 0:
        return matrix_power(inv(A), -n)
    result, square = None, A
    while True:
        if n & 1:
            result = square if result is None else result @ square
        n >>= 1
        if not n:
            return result.clone() if result is A else result
        square = square @ square


def matrix_exp(A: Tensor) -> Tensor:
    """Σ Aᵏ / k!, by its first terms for A / 2ˢ, small enough for them to suffice, squared s times."""
    from .ops.creation import eye
    _needs_square("linalg.matrix_exp", A)
    if A.dtype.name in ("float16", "bfloat16"):
        return matrix_exp(A.float()).to(A.dtype)  # type: ignore[attr-defined]
    if A.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        raise RuntimeError(f"Expected a floating point or complex tensor as input. Got {A.dtype._legacy}")
    norm = float(abs(every_value(A)).sum(-2).max()) if A.numel() else 0.0
    squarings = max(0, math.frexp(norm)[1] + 1) if math.isfinite(norm) else 0
    small, identity = A / 2.0 ** squarings, eye(A.shape[-1], dtype=A.dtype, device=A.device)
    result = small / _TERMS + identity
    for k in range(_TERMS - 1, 0, -1):
        result = small @ result / k + identity
    for _ in range(squarings):
        result = result @ result
    return result


_TERMS = 16  # of the exponential's series: 2⁻¹⁶ / 17! is below double precision


def _best_order(sizes: list[int]) -> dict:
    """Where to split each chain of matrices so that the products cost least."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], split[i, j] = min((cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))
    return split


@accepts_out
def multi_dot(tensors: Any) -> Tensor:
    """The product of a chain of matrices, in the cheapest order; the first and the last may be vectors."""
    chain = list(tensors)
    if len(chain) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got " + str(len(chain)))
    first, last = chain[0].ndim == 1, chain[-1].ndim == 1
    chain[0] = chain[0].unsqueeze(0) if first else chain[0]
    chain[-1] = chain[-1].unsqueeze(-1) if last else chain[-1]
    for i, x in enumerate(chain):
        if x.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {x.ndim}D")
    split = _best_order([chain[0].shape[0], *[x.shape[1] for x in chain]])

    def product(i: int, j: int) -> Tensor:
        return chain[i] if i == j else product(i, split[i, j]).mm(product(split[i, j] + 1, j))
    result = product(0, len(chain) - 1)
    result = result.squeeze(0) if first else result
    return result.squeeze(-1) if last else result


@op("LinalgCrossBackward0", strict_out="dtype")
def cross(input: Tensor, other: Tensor, *, dim=-1):
    """The vector product along a dimension of size 3."""
    return linalg_cross(input, other, dim)


@op("LinalgVecdotBackward0", strict_out="dtype")
def vecdot(x: Tensor, y: Tensor, *, dim=-1):
    """Σ conj(x) · y along dim."""
    x, y = promoted(x, y)
    shape = p.broadcast_shapes(x.shape, y.shape)
    product = p.mul(p.broadcast_to(p.conj(x), shape), p.broadcast_to(y, shape))
    return p.reduce_sum(product, (wrap_dim(dim, len(shape)),))


def matmul(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The matrix product: see `torch.matmul`."""
    from .ops.linear import matmul as product
    return product(input, other, **({} if out is None else {"out": out}))


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals: see `torch.diagonal`."""
    return A.diagonal(offset, dim1, dim2)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The powers 0 … N-1 of each element of x (…, n): (…, n, N)."""
    from .ops.creation import ones_like
    from .ops.shape import cat
    n = (x.shape[-1] if x.ndim else 1) if N is None else N
    if n <= 1 and N is not None:
        raise RuntimeError("N must be greater than 1.")
    wide = (x if x.ndim else x.unsqueeze(0)).unsqueeze(-1)
    powers = wide.expand(*wide.shape[:-1], n - 1).cumprod(-1)
    return cat([ones_like(wide).to(powers.dtype), powers], -1)


@accepts_out(strict=False)
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A seen as a matrix from its dimensions from `ind` on to the first `ind`."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = A.shape[:ind], A.shape[ind:]
    if math.prod(rows) != math.prod(columns):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
                           f"{math.prod(columns)} != {math.prod(rows)}")
    return inv(A.reshape(math.prod(rows), -1)).reshape(*columns, *rows)


@accepts_out(strict=False)
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B; dims of A are moved to its end first."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    shape = A.shape[B.ndim:]
    if math.prod(shape) != math.prod(A.shape[:B.ndim]):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but "
                           f"got {math.prod(shape)} != {math.prod(A.shape[:B.ndim])}")
    return solve(A.reshape(-1, math.prod(shape)), B.reshape(-1)).reshape(shape)

guard(globals(), [name for name, value in globals().items() if getattr(value, "__module__", None) == __name__])
