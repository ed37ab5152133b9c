"""Dense linear algebra on stacks of matrices (…, m, n), by LAPACK through NumPy. The host computes all of it.

In the VJPs ᴴ is the conjugate transpose (`adjoint`); g is the cotangent. Formulas: M. Giles, "An extended collection of matrix
derivative results for forward and reverse mode automatic differentiation" (2008), with complex numbers added.
Factorisations that can fail report it as LAPACK does, by `info` per matrix: 0, or the 1-based order at which they stopped.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import int32
from ..ir.graph import Var
from ..ir.types import TensorType, tensor_type
from .base import Primitive, broadcast_to, constant, iota
from .contraction import matmul
from .elementwise import add, cast, conj, div, eq, ge, imag, make_complex, mul, neg, real, select, sub, zeros_like
from .kernels import triangular as kernels
from .reduction import reduce_sum
from .shape import concat, permute, reshape, slice_dim


class _LinAlgError(RuntimeError):
    """An operation of linear algebra failed on its values: a singular matrix, an iteration that does not converge."""


LinAlgError = _LinAlgError  # the type has PyTorch's name, which tracebacks show

# ------------------------------------------------------------------ matrices as Vars

def transpose(x: Var) -> Var:
    """xᵀ of each matrix."""
    return permute(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x: Var) -> Var:
    """xᴴ of each matrix."""
    return conj(transpose(x))


def _offsets(x: Var) -> Var:
    """column − row of each element of one matrix, (m, n) int64."""
    from ..dtypes import int64
    m, n = x.shape[-2:]
    rows, columns = iota(m, int64, x.builder), iota(n, int64, x.builder)
    return sub(reshape(columns, (1, n)), reshape(rows, (m, 1)))


def tril(x: Var, diagonal: int = 0) -> Var:
    """x with zeros above a diagonal."""
    return select(broadcast_to(ge(neg(_offsets(x)), -diagonal), x.shape), x, zeros_like(x))


def triu(x: Var, diagonal: int = 0) -> Var:
    """x with zeros below a diagonal."""
    return select(broadcast_to(ge(_offsets(x), diagonal), x.shape), x, zeros_like(x))


def on_diagonal(x: Var) -> Var:
    """Which elements of x are on the main diagonal."""
    return broadcast_to(eq(_offsets(x), 0), x.shape)


def diagonal(x: Var) -> Var:
    """The main diagonals, (…, min(m, n))."""
    k = min(x.shape[-2:])
    square = slice_dim(slice_dim(x, x.ndim - 2, 0, k), x.ndim - 1, 0, k)
    return reduce_sum(select(on_diagonal(square), square, zeros_like(square)), (x.ndim - 1,))


def as_diagonal(v: Var) -> Var:
    """Diagonal matrices (…, n, n) from their diagonals."""
    wide = broadcast_to(reshape(v, (*v.shape, 1)), (*v.shape, v.shape[-1]))
    return select(on_diagonal(wide), wide, zeros_like(wide))


def eye_like(x: Var) -> Var:
    """Identities in the shape of the square matrices x."""
    return select(on_diagonal(x), broadcast_to(constant(1, x.dtype, x.builder), x.shape), zeros_like(x))


def row(v: Var) -> Var:
    """(…, n) as (…, 1, n), which scales columns."""
    return reshape(v, (*v.shape[:-1], 1, v.shape[-1]))


def column(v: Var) -> Var:
    """(…, n) as (…, n, 1), which scales rows."""
    return reshape(v, (*v.shape, 1))


def _as(v: Var, like: Var) -> Var:
    return cast(v, like.dtype)


def _sum_of(terms: list[Var]) -> Var | None:
    total = None
    for t in terms:
        total = t if total is None else add(total, t)
    return total


# ------------------------------------------------------------------ types and hosts

def _batch(x: TensorType, *tail: int, dt: Any = None) -> TensorType:
    return tensor_type(dt or x.dtype, (*x.shape[:-2], *tail))


def _per_matrix(function: Any, *stacks: np.ndarray) -> list[Any]:
    """function on each matrix of stacks with equal leading dimensions."""
    lead = stacks[0].shape[:-2]
    return [function(*[s[at] for s in stacks]) for at in np.ndindex(*lead)]


def _zero_pivot(a: np.ndarray) -> int:
    """The 1-based place of the first zero on the diagonal of U, or 0."""
    zeros = np.flatnonzero(np.diagonal(kernels.lu_factors(a)[0]) == 0)
    return int(zeros[0]) + 1 if zeros.size else 0


def _stops(a: np.ndarray) -> int:
    """The order of the first leading minor that is not positive, or 0."""
    for k in range(1, len(a) + 1):
        try:
            np.linalg.cholesky(a[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


# ------------------------------------------------------------------ solving

def _solve_kernel(a, b):
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        infos = np.array(_per_matrix(_zero_pivot, a), np.int32).reshape(a.shape[:-2])
        out = np.full(b.shape, np.nan, b.dtype)
        for at in np.ndindex(*infos.shape):
            if not infos[at]:
                out[at] = np.linalg.solve(a[at], b[at])
        return out, infos


def _solve_vjp(gs, ys, xs):
    if gs[0] is None:
        return None, None
    gb = solve(adjoint(xs[0]), gs[0])
    return neg(matmul(gb, adjoint(ys[0]))), gb


solve_p = Primitive("linalg_solve", lambda a, b: (b, _batch(a, dt=int32)), _solve_kernel, _solve_vjp, n_outputs=2, kind="host")


def solve_ex(a: Var, b: Var) -> tuple[Var, Var]:
    """(X with a X = b, info); a (…, n, n), b (…, n, k) with equal leading dimensions."""
    return solve_p((a, b))


def solve(a: Var, b: Var) -> Var:
    """X with a X = b."""
    return solve_ex(a, b)[0]


def _triangular_vjp(g, x, xs, upper, unit, masked):
    gb = solve_triangular(adjoint(xs[0]), g, not upper, unit)
    ga = neg(matmul(gb, adjoint(x)))
    if masked:
        ga = triu(ga, int(unit)) if upper else tril(ga, -int(unit))
    return ga, gb


triangular_p = Primitive("linalg_solve_triangular", lambda a, b, upper, unit, masked: b,
                         lambda a, b, upper, unit, masked: kernels.solve_triangular(a, b, upper, unit), _triangular_vjp, kind="host")


def solve_triangular(a: Var, b: Var, upper: bool, unit: bool = False, masked: bool = True) -> Var:
    """X with t X = b, t being a triangle of a, of ones on its diagonal if unit. masked: the gradient is of that triangle only."""
    return triangular_p((a, b), upper, unit, masked)


def _inv_kernel(a):
    return _solve_kernel(a, np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape))


def _inv_vjp(gs, ys, xs):
    if gs[0] is None:
        return (None,)
    y = adjoint(ys[0])
    return (neg(matmul(matmul(y, gs[0]), y)),)


inv_p = Primitive("linalg_inv", lambda a: (a, _batch(a, dt=int32)), _inv_kernel, _inv_vjp, n_outputs=2, kind="host")


def inv_ex(a: Var) -> tuple[Var, Var]:
    """(inverse, info)."""
    return inv_p((a,))


def inv(a: Var) -> Var:
    return inv_ex(a)[0]


# ------------------------------------------------------------------ determinants

def _cofactor_kernel(a):
    """det(a) a⁻ᵀ, also for singular a: with a = U S Vᴴ it is det(U Vᴴ) conj(U) (products of the other s) Vᵀ."""
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.stack([np.prod(np.delete(s, i, -1), -1) for i in range(n)], -1) if n else s
    phase = np.linalg.det(u) * np.linalg.det(vh)
    return (phase[..., None, None] * (u.conj() * others[..., None, :]) @ vh.conj()).astype(a.dtype)


def _cofactor_vjp(g, c, xs):
    c, inverse = conj(c), conj(transpose(inv(xs[0])))
    total = reduce_sum(mul(g, c), (g.ndim - 2, g.ndim - 1))
    return (sub(mul(column(column(total)), inverse), matmul(matmul(c, transpose(g)), inverse)),)


cofactor_p = Primitive("linalg_cofactor", lambda a: a, _cofactor_kernel, _cofactor_vjp, kind="host")
det_p = Primitive("linalg_det", lambda a: _batch(a), np.linalg.det,
                  lambda g, y, xs: (mul(column(column(g)), conj(cofactor_p((xs[0],)))),), kind="host")


def det(a: Var) -> Var:
    return det_p((a,))


def _slogdet_vjp(gs, ys, xs):
    g_sign, g_log = gs
    a, sign = xs[0], ys[0]
    if a.dtype.kind == "c":
        along = zeros_like(ys[1]) if g_log is None else g_log
        around = zeros_like(ys[1]) if g_sign is None else imag(mul(g_sign, conj(sign)))
        scale = make_complex(along, around)
    elif g_log is None:
        return (None,)
    else:
        scale = g_log
    return (mul(column(column(scale)), adjoint(inv(a))),)


slogdet_p = Primitive("linalg_slogdet", lambda a: (_batch(a), _batch(a, dt=a.dtype.to_real())), np.linalg.slogdet, _slogdet_vjp,
                      n_outputs=2, kind="host")


def slogdet(a: Var) -> tuple[Var, Var]:
    """(sign, log |det|)."""
    return slogdet_p((a,))


# ------------------------------------------------------------------ factorisations

def _cholesky_kernel(a, upper):
    if upper:
        factor, info = _cholesky_kernel(a.conj().swapaxes(-1, -2), False)
        return factor.conj().swapaxes(-1, -2), info
    try:
        return np.linalg.cholesky(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        infos = np.array(_per_matrix(_stops, a), np.int32).reshape(a.shape[:-2])
        out = np.tril(a)
        for at in np.ndindex(*infos.shape):
            if not infos[at]:
                out[at] = np.linalg.cholesky(a[at])
        return out, infos


def _cholesky_vjp(gs, ys, xs, upper):
    """L⁻ᴴ ½(M + M₋ᴴ) L⁻¹, where M is the lower triangle of Lᴴ g and M₋ lacks its diagonal."""
    if gs[0] is None:
        return (None,)
    lower_h, g = (ys[0], adjoint(gs[0])) if upper else (adjoint(ys[0]), gs[0])
    inner = matmul(lower_h, g)
    half = solve_triangular(lower_h, add(tril(inner), adjoint(tril(inner, -1))) * 0.5, True)
    return (adjoint(solve_triangular(lower_h, adjoint(half), True)),)


cholesky_p = Primitive("linalg_cholesky", lambda a, upper: (a, _batch(a, dt=int32)), _cholesky_kernel, _cholesky_vjp, n_outputs=2,
                       kind="host")


def cholesky_ex(a: Var, upper: bool = False) -> tuple[Var, Var]:
    """(lower L with a = L Lᴴ or upper U with a = Uᴴ U, info); reads that triangle of a."""
    return cholesky_p((a,), upper)


def _undefined(x, message):
    raise RuntimeError(message)


# the cotangent of an operand whose derivative does not exist: an error only if a gradient is asked for
undefined_p = Primitive("linalg_undefined", lambda x, message: x, _undefined, None, kind="host")


def _qr_types(a, complete):
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    return _batch(a, m, k), _batch(a, k, n)


def _qr_square_vjp(q, r, gq, gr):
    """[g_Q + Q sym(tril M)] R⁻ᴴ with M = R g_Rᴴ − g_Qᴴ Q, for R square."""
    m = sub(matmul(r, adjoint(gr)), matmul(adjoint(gq), q))
    low = tril(m, -1)
    middle = select(on_diagonal(m), _as(real(m), m), add(low, adjoint(low)))
    return adjoint(solve_triangular(r, adjoint(add(gq, matmul(q, middle))), True))


def _qr_vjp(gs, ys, xs, complete):
    a, (q, r) = xs[0], ys
    m, n = a.shape[-2:]
    if complete and m > n:
        return (undefined_p((a,), "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."),)
    gq = zeros_like(q) if gs[0] is None else gs[0]
    gr = zeros_like(r) if gs[1] is None else gs[1]
    if m >= n:
        return (_qr_square_vjp(q, r, gq, gr),)
    last = a.ndim - 1  # a = Q [R₁ R₂], R₂ = Qᴴ a₂
    gr2 = slice_dim(gr, last, m, n)
    gq = add(gq, matmul(slice_dim(a, last, m, n), adjoint(gr2)))
    ga = _qr_square_vjp(q, slice_dim(r, last, 0, m), gq, slice_dim(gr, last, 0, m))
    return (concat([ga, matmul(q, gr2)], last),)


qr_p = Primitive("linalg_qr", _qr_types, lambda a, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")), _qr_vjp,
                 n_outputs=2, kind="host")


def qr(a: Var, complete: bool = False) -> tuple[Var, Var]:
    """(Q, R) with a = Q R, Q's columns orthonormal, R upper triangular."""
    return qr_p((a,), complete)


def _no_convergence(name: str, function: Any, *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"{name}: The algorithm failed to converge because the input matrix contained non-finite values or is "
                          "ill-conditioned.") from None


def _skew(x: Var) -> Var:
    return sub(x, adjoint(x))


def _gaps(values: Var) -> Var:
    """E with E_ij = v_j − v_i, and 1 on the diagonal."""
    e = sub(row(values), column(values))
    return select(on_diagonal(e), broadcast_to(constant(1, e.dtype, e.builder), e.shape), e)


def _eigh_vjp(gs, ys, xs, lower):
    """V (diag(g_L) + ½ skew(Vᴴ g_V) / E) Vᴴ."""
    values, vectors = ys
    terms = [] if gs[0] is None else [as_diagonal(_as(gs[0], vectors))]
    if gs[1] is not None:
        inner = div(_skew(matmul(adjoint(vectors), gs[1])) * 0.5, _as(_gaps(values), vectors))
        terms.append(select(on_diagonal(inner), zeros_like(inner), inner))
    total = _sum_of(terms)
    return (None if total is None else matmul(matmul(vectors, total), adjoint(vectors)),)


def _eigh_types(a, lower):
    return _batch(a, a.shape[-1], dt=a.dtype.to_real()), a


eigh_p = Primitive("linalg_eigh", _eigh_types, lambda a, lower: _no_convergence("linalg.eigh", np.linalg.eigh, a, "L" if lower else "U"),
                   _eigh_vjp, n_outputs=2, kind="host")


def eigh(a: Var, lower: bool = True) -> tuple[Var, Var]:
    """(ascending real eigenvalues, eigenvectors as columns) of Hermitian matrices, of which one triangle is read."""
    return eigh_p((a,), lower)


def _eig_kernel(a):
    values, vectors = _no_convergence("linalg.eig", np.linalg.eig, a)
    dt = np.complex128 if a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1) == 8 else np.complex64
    return values.astype(dt), vectors.astype(dt)


def _eig_vjp(gs, ys, xs):
    """V⁻ᴴ (diag(g_L) + (Vᴴ g_V − Vᴴ V diag(Re(Vᴴ g_V))) / conj(E)) Vᴴ."""
    values, vectors = ys
    vh = adjoint(vectors)
    terms = [] if gs[0] is None else [as_diagonal(gs[0])]
    if gs[1] is not None:
        inner = matmul(vh, gs[1])
        scale = _as(real(diagonal(inner)), inner)
        inner = sub(inner, mul(matmul(vh, vectors), row(scale)))
        inner = div(inner, conj(_gaps(values)))
        terms.append(select(on_diagonal(inner), zeros_like(inner), inner))
    total = _sum_of(terms)
    if total is None:
        return (None,)
    ga = solve(vh, matmul(total, vh))
    return (ga if xs[0].dtype.kind == "c" else real(ga),)


def _eig_types(a):
    dt = a.dtype.to_complex()
    return _batch(a, a.shape[-1], dt=dt), _batch(a, *a.shape[-2:], dt=dt)


eig_p = Primitive("linalg_eig", _eig_types, _eig_kernel, _eig_vjp, n_outputs=2, kind="host")


def eig(a: Var) -> tuple[Var, Var]:
    """(complex eigenvalues, eigenvectors of length 1 as columns)."""
    return eig_p((a,))


def _svd_types(a, full):
    m, n = a.shape[-2:]
    k = min(m, n)
    return _batch(a, m, m if full else k), _batch(a, k, dt=a.dtype.to_real()), _batch(a, n if full else k, n)


def _svd_vjp(gs, ys, xs, full):
    """U [(skew(Uᴴ g_U) S + S skew(Vᴴ g_V)) / E + diag(g_S)] Vᴴ and what leaves the spans of U and V; E_ij = s_j² − s_i²."""
    (gu, gs_, gvh), (u, s, vh) = gs, ys
    a = xs[0]
    m, n = a.shape[-2:]
    if full and m != n:  # the vectors beyond the first k are arbitrary
        k = min(m, n)
        u, gu = (None if x is None else slice_dim(x, x.ndim - 1, 0, k) for x in (u, gu))
        vh, gvh = (None if x is None else slice_dim(x, x.ndim - 2, 0, k) for x in (vh, gvh))
    sc = _as(s, a)
    uh, v = adjoint(u), adjoint(vh)
    terms = [] if gs_ is None else [as_diagonal(_as(gs_, a))]
    if gu is not None or gvh is not None:
        gaps = _as(_gaps(mul(s, s)), a)
        inner = []
        if gu is not None:
            inner.append(mul(div(_skew(matmul(uh, gu)), gaps), row(sc)))
        if gvh is not None:
            inner.append(mul(column(sc), div(_skew(matmul(vh, adjoint(gvh))), gaps)))
        whole = _sum_of(inner)
        terms.append(select(on_diagonal(whole), zeros_like(whole), whole))
        if a.dtype.kind == "c" and gu is not None:  # the common phase of each pair of vectors
            terms.append(as_diagonal(div(diagonal(_skew(matmul(uh, gu))), sc * 2)))
    middle = _sum_of(terms)
    if middle is None:
        return (None,)
    left = matmul(u, middle)
    if gu is not None and m > n:
        scaled = div(gu, row(sc))
        left = add(left, sub(scaled, matmul(u, matmul(uh, scaled))))
    out = matmul(left, vh)
    if gvh is not None and n > m:
        scaled = div(gvh, column(sc))
        out = add(out, matmul(u, sub(scaled, matmul(matmul(scaled, v), vh))))
    return (out,)


svd_p = Primitive("linalg_svd", _svd_types, lambda a, full: tuple(_no_convergence("linalg.svd", np.linalg.svd, a, full)), _svd_vjp,
                  n_outputs=3, kind="host")


singular_values_p = Primitive("linalg_singular_values", lambda a: _batch(a, min(a.shape[-2:]), dt=a.dtype.to_real()),
                              lambda a: _no_convergence("linalg.svd", np.linalg.svd, a, compute_uv=False), None, kind="host")


def singular_values(a: Var) -> Var:
    """S of `svd` alone, at a fraction of its cost and without a gradient."""
    return singular_values_p((a,))


def svd(a: Var, full: bool = False) -> tuple[Var, Var, Var]:
    """(U, descending S, Vᴴ) with a = U diag(S) Vᴴ."""
    return svd_p((a,), full)


def _pinv_kernel(a, atol, rtol, hermitian):
    def inverse(s):
        size = np.abs(s)
        tolerance = np.maximum(atol, rtol * size.max(-1, initial=0))
        return np.where(size > tolerance[..., None], 1 / np.where(s == 0, 1, s), 0)[..., None, :]
    if hermitian:
        s, v = _no_convergence("linalg.pinv", np.linalg.eigh, a)
        return (v * inverse(s) @ v.conj().swapaxes(-1, -2)).astype(a.dtype)
    u, s, vh = _no_convergence("linalg.pinv", np.linalg.svd, a, False)
    return (vh.conj().swapaxes(-1, -2) * inverse(s) @ u.conj().swapaxes(-1, -2)).astype(a.dtype)


def _pinv_vjp(g, y, xs, hermitian):
    """−Pᴴ g Pᴴ + (I − a P) gᴴ P Pᴴ + Pᴴ P gᴴ (I − P a)."""
    a, ph, gh = xs[0], adjoint(y), adjoint(g)
    left = matmul(gh, matmul(y, ph))
    right = matmul(matmul(ph, y), gh)
    ga = sub(sub(left, matmul(a, matmul(y, left))), matmul(matmul(ph, g), ph))
    return add(ga, sub(right, matmul(matmul(right, y), a))), None, None


pinv_p = Primitive("linalg_pinv", lambda a, atol, rtol, hermitian: _batch(a, a.shape[-1], a.shape[-2]), _pinv_kernel, _pinv_vjp, kind="host")


def pinv(a: Var, atol: Var, rtol: Var, hermitian: bool = False) -> Var:
    """The Moore-Penrose inverse; singular values up to max(atol, rtol · the largest) count as 0 (atol and rtol: one a matrix). hermitian:
    reads a triangle of a."""
    return pinv_p((a, atol, rtol), hermitian)
