"""The multivariate normal distribution."""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .distribution import Distribution
from .utils import _standard_normal, lazy_property

__all__ = ["MultivariateNormal"]


def _batch_mv(bmat: torch.Tensor, bvec: torch.Tensor) -> torch.Tensor:
    """Matrices (…, n, m) by vectors (…, m)."""
    return torch.matmul(bmat, bvec.unsqueeze(-1)).squeeze(-1)


def _batch_mahalanobis(bL: torch.Tensor, bx: torch.Tensor) -> torch.Tensor:
    """xᵀ (L Lᵀ)⁻¹ x; the dimensions that only the vectors have become columns of one solve."""
    extra = max(bx.ndim - 1 - (bL.ndim - 2), 0)
    lead = bx.shape[:extra]
    columns = bx.reshape((-1,) + bx.shape[extra:]).movedim(0, -1)
    solved = torch.linalg.solve_triangular(bL, columns, upper=False).square().sum(-2)
    return solved.movedim(-1, 0).reshape(lead + solved.shape[:-1])


def _precision_to_scale_tril(P: torch.Tensor) -> torch.Tensor:
    """L with (L Lᵀ)⁻¹ = P, from the Cholesky factor of P in reversed order."""
    reverse = torch.linalg.cholesky(torch.flip(P, (-2, -1)))
    inverse = torch.flip(reverse, (-2, -1)).mT
    identity = torch.eye(P.shape[-1], dtype=P.dtype, device=P.device)
    return torch.linalg.solve_triangular(inverse, identity, upper=False)


def scale_matrices(names: Any) -> tuple[str, torch.Tensor]:
    """The one matrix that is given of covariance_matrix, precision_matrix and scale_tril, by name."""
    given = [(name, matrix) for name, matrix in names.items() if matrix is not None]
    if len(given) != 1:
        raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
    return given[0]


def scale_factor(name: str, matrix: torch.Tensor) -> torch.Tensor:
    """The Cholesky factor of the covariance, from the matrix of this name."""
    if name == "scale_tril":
        return matrix
    return torch.linalg.cholesky(matrix) if name == "covariance_matrix" else _precision_to_scale_tril(matrix)


class ScaleMatrix:
    """The three forms of a covariance L Lᵀ: the given one is a plain attribute, the others are computed when read."""

    @lazy_property
    def scale_tril(self):
        """L, lower triangular with a positive diagonal."""
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape)

    @lazy_property
    def covariance_matrix(self):
        """L Lᵀ."""
        factor = self._unbroadcasted_scale_tril
        return torch.matmul(factor, factor.mT).expand(self._matrix_shape)

    @lazy_property
    def precision_matrix(self):
        """(L Lᵀ)⁻¹."""
        return torch.cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape)


class MultivariateNormal(ScaleMatrix, Distribution):
    """Vectors of mean loc (…, n) and of a covariance (…, n, n), which is given in one of three ways.

    covariance_matrix: Σ; precision_matrix: Σ⁻¹; scale_tril: lower triangular L with Σ = L Lᵀ (the cheapest).
    """

    arg_constraints = {  # type: ignore[assignment]
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: torch.Tensor, covariance_matrix: torch.Tensor | None = None,
                 precision_matrix: torch.Tensor | None = None, scale_tril: torch.Tensor | None = None,
                 validate_args: bool | None = None):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = scale_matrices({"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                                       "scale_tril": scale_tril})
        if matrix.ndim < 2:
            raise ValueError(f"{name}{' matrix' if name == 'scale_tril' else ''} must be at least two-dimensional, "
                             f"with "
                             "optional leading batch dimensions")
        batch_shape = torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        self.loc = loc.expand(batch_shape + (-1,))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = scale_factor(name, matrix)

    @property
    def _matrix_shape(self):
        return self._batch_shape + self._event_shape + self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> MultivariateNormal:
        matrix = self.event_shape + self.event_shape
        new = self._expanded(MultivariateNormal, _instance, batch_shape, self.event_shape, loc=self.event_shape,
                             covariance_matrix=matrix, scale_tril=matrix, precision_matrix=matrix)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=torch.Size()):
        shape = self._extended_shape(sample_shape)
        eps = _standard_normal(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, eps)

    def _half_log_det(self) -> torch.Tensor:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = _batch_mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self):
        entropy = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
        return entropy.expand(self._batch_shape)
