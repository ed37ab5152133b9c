"""A few extreme eigenpairs of big symmetric matrices: the locally optimal block preconditioned conjugate gradient
method."""
from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Callable

from .. import linalg
from ..autograd.grad_mode import no_grad
from ..dtypes import finfo
from ..tensor.tensor import Tensor
from .shape import cat, stack

_ITERATIONS = 1000


def lobpcg(A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int | None = None,
           iK: Tensor | None = None, niter: int | None = None, tol: float | None = None, largest: bool | None = None,
           method: str | None = None, tracker: Callable | None = None, ortho_iparams: dict | None = None,
           ortho_fparams: dict | None = None, ortho_bparams: dict | None = None) -> tuple[Tensor, Tensor]:
    """(k largest eigenvalues (…, k), eigenvectors (…, m, k)) of A x = λ B x for symmetric A and positive-definite B (…,
    m, m).

    X (…, m, n): where to begin, by default normal numbers; n, the size of the block, is k by default. iK: a
    preconditioner, near A's inverse. It stops when all residuals are below tol (√eps) relative to A, or after niter
    steps (1000; -1: no bound). largest=False asks for the smallest eigenvalues. tracker is called before each step with
    an object that has the attributes A, B, iK, X, E (eigenvalues), R (residuals) and ivars, whose "istep" counts.
    method and ortho_* choose between variants of PyTorch's orthogonalisation; here there is one, an eigendecomposition
    of the basis' Gram matrix. Gradients: first derivatives in A, for simple eigenvalues. Errors: ValueError if m < 3n.
    Source: A. Knyazev, "Toward the optimal preconditioned eigensolver", SIAM J. Sci. Comput. 23 (2001).
    """
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"lobpcg: A must be batches of square matrices, but its shape is {list(A.shape)}")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if X is None else X.shape[-1]) if n is None else n
    if m < 3 * n:
        raise ValueError(f"LOBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the "
                         f"number of "
                         f"requested eigenpairs (={n})")
    if B is not None and B.requires_grad:
        raise ValueError("lobpcg does not support gradients with respect to B")
    tol = math.sqrt(finfo(A.dtype).eps) if tol is None else tol
    niter = _ITERATIONS if niter is None else niter
    with no_grad():
        if X is None:
            from .random import randn
            X = randn(*A.shape[:-2], m, n, dtype=A.dtype, device=A.device)
        lead = A.shape[:-2]
        parts = [_iterate(a, None if B is None else b, x, iK, niter, tol, largest is not False, tracker)
                 for a, b, x in zip(A.reshape(-1, m, m), (A if B is None else B.expand(A.shape)).reshape(-1, m, m),
                                    X.expand(*lead, m, n).reshape(-1, m, n))]
        values = stack([e[:k] for e, _ in parts]).reshape(*lead, k)
        vectors = stack([x[:, :k] for _, x in parts]).reshape(*lead, m, k)
    return _with_gradient(A, B, values, vectors) if A.requires_grad else (values, vectors)


def _iterate(A: Tensor, B: Tensor | None, X: Tensor, iK: Tensor | None, niter: int, tol: float, largest: bool,
             tracker: Callable | None) -> tuple[Tensor, Tensor]:
    """The eigenpairs of one matrix, best first: Rayleigh-Ritz in the span of X, the residuals and the last changes of
    X."""
    def weighted(x):
        return x if B is None else B @ x
    scale = float(linalg.norm(A)), 1.0 if B is None else float(linalg.norm(B))
    n = X.shape[-1]
    E, X = _ritz(A, weighted, X, n, largest)
    P = None
    state = SimpleNamespace(A=A, B=B, iK=iK, ivars={"istep": 0})
    while niter < 0 or state.ivars["istep"] < niter:
        R = A @ X - weighted(X) * E
        state.X, state.E, state.R = X, E, R
        if tracker is not None:
            tracker(state)
        errors = linalg.vector_norm(R, dim=0) / (linalg.vector_norm(X, dim=0) * (scale[0] + E.abs() * scale[1]))
        if bool((errors < tol).all()):
            break
        W = R if iK is None else iK @ R
        E, new = _ritz(A, weighted, cat([X, W] if P is None else [X, W, P], 1), n, largest)
        P = new - X @ (X.mH @ weighted(new))
        X = new
        state.ivars["istep"] += 1
    return E, X


def _ritz(A: Tensor, weighted: Callable, S: Tensor, n: int, largest: bool) -> tuple[Tensor, Tensor]:
    """The n extreme eigenpairs of A in the span of S's columns, of which nearly dependent directions are left out."""
    for _ in range(2):  # the second time for the orthogonality that the first loses to rounding
        S = S / linalg.vector_norm(S, dim=0).clamp_min(finfo(S.dtype).tiny)
        sizes, directions = linalg.eigh(S.mH @ weighted(S))
        kept = sizes > sizes[-1] * (finfo(S.dtype).eps * len(sizes))
        S = S @ (directions[:, kept] / sizes[kept].sqrt())
    values, vectors = linalg.eigh(S.mH @ (A @ S))
    order = range(len(values) - 1, len(values) - 1 - n, -1) if largest else range(n)
    chosen = list(order)
    return values[chosen], S @ vectors[:, chosen]


def _with_gradient(A: Tensor, B: Tensor | None, values: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenpairs as first-order functions of A: dλ = xᴴ dA x, dx = −M⁻¹(dA x − dλ B x), M = A − λB + B x xᴴ B."""
    from .creation import eye
    weight = eye(A.shape[-1], dtype=A.dtype) if B is None else B
    image, fixed = weight @ vectors, A.detach()
    changed = values + (vectors.conj() * ((A - fixed) @ vectors)).sum(-2)
    x = image.mT.unsqueeze(-1)  # (…, k, m, 1)
    M = fixed.unsqueeze(-3) - values[..., None, None] * weight.unsqueeze(-3) + x @ x.mH
    residual = (A - fixed) @ vectors - (changed - values).unsqueeze(-2) * image
    step = linalg.solve(M, residual.mT.unsqueeze(-1)).squeeze(-1).mT
    return changed, vectors - step
