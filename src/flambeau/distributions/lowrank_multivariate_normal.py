"""Multivariate normal distributions whose covariance is diagonal but for a few directions."""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .distribution import Distribution
from .multivariate_normal import _batch_mahalanobis, _batch_mv
from .utils import _standard_normal, lazy_property

__all__ = ["LowRankMultivariateNormal"]


def _scaled(W: torch.Tensor, D: torch.Tensor) -> torch.Tensor:
    """Wᵀ D⁻¹."""
    return W.mT / D.unsqueeze(-2)


def _batch_capacitance_tril(W: torch.Tensor, D: torch.Tensor) -> torch.Tensor:
    """The Cholesky factor of I + Wᵀ D⁻¹ W, by which the matrix inversion lemma inverts W Wᵀ + D."""
    identity = torch.eye(W.shape[-1], dtype=W.dtype, device=W.device)
    return torch.linalg.cholesky(torch.matmul(_scaled(W, D), W) + identity)


def _batch_lowrank_logdet(W: torch.Tensor, D: torch.Tensor, capacitance_tril: torch.Tensor) -> torch.Tensor:
    """log det(W Wᵀ + D)."""
    return 2 * capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + D.log().sum(-1)


def _batch_lowrank_mahalanobis(W: torch.Tensor, D: torch.Tensor, x: torch.Tensor,
                               capacitance_tril: torch.Tensor) -> torch.Tensor:
    """xᵀ (W Wᵀ + D)⁻¹ x."""
    return (x.pow(2) / D).sum(-1) - _batch_mahalanobis(capacitance_tril, _batch_mv(_scaled(W, D), x))


class LowRankMultivariateNormal(Distribution):
    """Vectors of mean loc (…, n) and covariance cov_factor cov_factorᵀ + diag(cov_diag); cov_factor is (…, n, rank).

    Densities cost n · rank², not n³.
    """

    arg_constraints = {  # type: ignore[assignment]
        "loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1)}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: torch.Tensor, cov_factor: torch.Tensor, cov_diag: torch.Tensor,
                 validate_args: bool | None = None):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.ndim < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        try:
            wide_loc, self.cov_factor, wide_diag = torch.broadcast_tensors(loc.unsqueeze(-1), cov_factor,
                                                                           cov_diag.unsqueeze(-1))
        except RuntimeError as error:
            raise ValueError(f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag "
                             f"{cov_diag.shape}") from error
        self.loc, self.cov_diag = wide_loc[..., 0], wide_diag[..., 0]
        super().__init__(self.loc.shape[:-1], event_shape, validate_args=validate_args)
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = _batch_capacitance_tril(cov_factor, cov_diag)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LowRankMultivariateNormal:
        new = self._expanded(LowRankMultivariateNormal, _instance, batch_shape, self.event_shape, loc=self.event_shape,
                             cov_diag=self.event_shape, cov_factor=self.event_shape + self.cov_factor.shape[-1:])
        for name in ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril"):
            setattr(new, name, getattr(self, name))
        return new

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def _matrix_shape(self):
        return self._batch_shape + self._event_shape + self._event_shape

    @lazy_property
    def variance(self):  # type: ignore[override]
        variance = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return variance.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance: √D times that of I + D^(−½) W Wᵀ D^(−½)."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        n = self._event_shape[0]
        inner = torch.matmul(scaled, scaled.mT) + torch.eye(n, dtype=scaled.dtype, device=scaled.device)
        return (root * torch.linalg.cholesky(inner)).expand(self._matrix_shape)

    @lazy_property
    def covariance_matrix(self):
        """W Wᵀ + D."""
        factor = self._unbroadcasted_cov_factor
        covariance = torch.matmul(factor, factor.mT) + torch.diag_embed(self._unbroadcasted_cov_diag)
        return covariance.expand(self._matrix_shape)

    @lazy_property
    def precision_matrix(self):
        """D⁻¹ − D⁻¹ W (I + Wᵀ D⁻¹ W)⁻¹ Wᵀ D⁻¹."""
        scaled = _scaled(self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag)
        a = torch.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        precision = torch.diag_embed(self._unbroadcasted_cov_diag.reciprocal()) - torch.matmul(a.mT, a)
        return precision.expand(self._matrix_shape)

    def rsample(self, sample_shape=torch.Size()):
        shape = self._extended_shape(sample_shape)
        dtype, device = self.loc.dtype, self.loc.device
        eps_w = _standard_normal(shape[:-1] + self.cov_factor.shape[-1:], dtype=dtype, device=device)
        eps_d = _standard_normal(shape, dtype=dtype, device=device)
        return (self.loc + _batch_mv(self._unbroadcasted_cov_factor, eps_w)
                + self._unbroadcasted_cov_diag.sqrt() * eps_d)

    def _log_det(self) -> torch.Tensor:
        return _batch_lowrank_logdet(self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag,
                                     self._capacitance_tril)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = _batch_lowrank_mahalanobis(self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag,
                                              value - self.loc, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self):
        entropy = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return entropy.expand(self._batch_shape)
