"""The Wishart distribution."""
from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

import flambeau as torch

from . import constraints
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import ScaleMatrix, scale_factor

__all__ = ["Wishart"]


def _mvdigamma(x: torch.Tensor, p: int) -> torch.Tensor:
    """The derivative of the multivariate log Γ of dimension p."""
    return torch.digamma(x.unsqueeze(-1) - torch.arange(p, dtype=x.dtype, device=x.device).div(2)).sum(-1)


class Wishart(ScaleMatrix, ExponentialFamily):
    """Σ xᵢ xᵢᵀ over df vectors xᵢ of mean 0 and covariance Σ (…, p, p), which is given as for `MultivariateNormal`.

    df > p − 1 may be any number: sampled by Bartlett's decomposition.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self):
        return {"covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
                "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(self.event_shape[-1] - 1)}

    def __init__(self, df: Any, covariance_matrix: torch.Tensor | None = None,
                 precision_matrix: torch.Tensor | None = None,
                 scale_tril: torch.Tensor | None = None, validate_args: bool | None = None):
        matrices = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                    "scale_tril": scale_tril}
        given = [(name, matrix) for name, matrix in matrices.items() if matrix is not None]
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = given[0]
        if matrix.ndim < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        lead, event_shape = matrix.shape[:-2], matrix.shape[-2:]
        df = torch.tensor(df, dtype=matrix.dtype, device=matrix.device) if isinstance(df, Number) else df
        batch_shape = torch.broadcast_shapes(lead, df.shape)
        self.df = df.expand(batch_shape)
        p = event_shape[-1]
        if self.df.le(p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        if self.df.lt(p).any():
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < "
                          "ndim.",
                          stacklevel=2)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)
        self._unbroadcasted_scale_tril = scale_factor(name, matrix)
        offsets = torch.arange(p, dtype=self.df.dtype, device=self.df.device).expand(batch_shape + (-1,))
        self._dist_chi2 = Chi2(df=self.df.unsqueeze(-1) - offsets)

    @property
    def _matrix_shape(self):
        return self._batch_shape + self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Wishart:
        new = self._expanded(Wishart, _instance, batch_shape, self.event_shape, df=(),
                             covariance_matrix=self.event_shape,
                             scale_tril=self.event_shape, precision_matrix=self.event_shape)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril.expand(new._matrix_shape)
        new._dist_chi2 = self._dist_chi2.expand(torch.Size(batch_shape) + self.event_shape[-1:])
        return new

    def _per_matrix(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.reshape(self._batch_shape + (1, 1))

    @property
    def mean(self):
        return self._per_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self):
        """NaN where df ≤ p + 1."""
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = torch.where(factor <= 0, math.nan, factor)
        return self._per_matrix(factor) * self.covariance_matrix

    @property
    def variance(self):
        diagonal = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        products = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._per_matrix(self.df) * (self.covariance_matrix.pow(2) + products)

    def _bartlett_sampling(self, sample_shape: Any = torch.Size()) -> torch.Tensor:
        """(L A)(L A)ᵀ, A lower triangular: roots of χ² numbers on the diagonal, normal numbers below."""
        p = self._event_shape[-1]
        noise = self._dist_chi2.rsample(sample_shape).sqrt().diag_embed(dim1=-2, dim2=-1)
        rows, columns = torch.tril_indices(p, p, offset=-1)
        noise[..., rows, columns] = torch.randn(torch.Size(sample_shape) + self._batch_shape + (p * (p - 1) // 2,),
                                                dtype=noise.dtype, device=noise.device)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(self, sample_shape=torch.Size(), max_try_correction=None):
        """As of `Distribution`; draws that rounding makes singular are drawn again, max_try_correction (3) times at
        most."""
        sample = self._bartlett_sampling(torch.Size(sample_shape))
        # all that are valid are drawn once more: so does PyTorch, and its stream of numbers is the same
        redrawn = self._of_batch(self.support.check(sample))
        for attempt in range(10 if max_try_correction is None else max_try_correction):
            if not redrawn.any():
                break
            if attempt:
                warnings.warn("Singular sample detected.", stacklevel=2)
            again = self._bartlett_sampling(redrawn[redrawn].shape)
            sample[redrawn] = again
            redrawn[redrawn.clone()] = self._of_batch(~self.support.check(again))
        return sample

    def _of_batch(self, flags: torch.Tensor) -> torch.Tensor:
        """Whether any matrix of a batch has its flag set."""
        return flags.flatten(-len(self._batch_shape)).any(-1) if self._batch_shape else flags

    def _log_diagonal(self) -> torch.Tensor:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        trace = torch.cholesky_solve(value, self._unbroadcasted_scale_tril).diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        return (-nu * (p * math.log(2) / 2 + self._log_diagonal()) - torch.mvlgamma(nu / 2, p=p)
                + (nu - p - 1) / 2 * torch.linalg.slogdet(value).logabsdet - trace / 2)

    def entropy(self):
        nu, p = self.df, self._event_shape[-1]
        return ((p + 1) * (p * math.log(2) / 2 + self._log_diagonal()) + torch.mvlgamma(nu / 2, p=p)
                - (nu - p - 1) / 2 * _mvdigamma(nu / 2, p=p) + nu * p / 2)

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        p = self._event_shape[-1]
        half_df = y + (p + 1) / 2
        return half_df * (-torch.linalg.slogdet(-2 * x).logabsdet + math.log(2) * p) + torch.mvlgamma(half_df, p=p)
