"""The generalised Pareto distribution."""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What exceeds a high threshold loc: survival (1 + c z)^(−1/c), z = (x − loc) / scale, c the concentration.

    c = 0 is the limit exp(−z); for c < 0 the support ends at loc − scale / c.
    """

    arg_constraints = {  # type: ignore[assignment]
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> GeneralizedPareto:
        return self._expanded(GeneralizedPareto, _instance, batch_shape, loc=(), scale=(), concentration=())

    def _by_concentration(self, limit: torch.Tensor, general: Any) -> torch.Tensor:
        """general(concentration), or `limit` where that is 0."""
        near_zero = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        safe = torch.where(near_zero, torch.ones_like(self.concentration), self.concentration)
        return torch.where(near_zero, limit, general(safe))

    def _z(self, value: torch.Tensor) -> torch.Tensor:
        return (value - self.loc) / self.scale

    def rsample(self, sample_shape=torch.Size()):
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.icdf(u)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        return self._by_concentration(-z, lambda c: -(1 + 1 / c) * torch.log1p(c * z)) - torch.log(self.scale)

    def log_survival_function(self, value):
        """log(1 − cdf(value))."""
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        return self._by_concentration(-z, lambda c: -torch.log1p(c * z) / c)

    def log_cdf(self, value):
        """log(cdf(value))."""
        if self._validate_args:
            self._validate_sample(value)
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return torch.exp(self.log_cdf(value))

    def icdf(self, value):
        survival = torch.log1p(-value)
        return self.loc + self.scale * self._by_concentration(-survival, lambda c: torch.expm1(-c * survival) / c)

    @property
    def mean(self):
        """NaN for concentrations from 1 on."""
        valid = self.concentration < 1
        safe = torch.where(valid, self.concentration, 0.5)
        return torch.where(valid, self.loc + self.scale / (1 - safe), math.nan)

    @property
    def variance(self):
        """NaN for concentrations from ½ on."""
        valid = self.concentration < 0.5
        safe = torch.where(valid, self.concentration, 0.25)
        return torch.where(valid, self.scale ** 2 / ((1 - safe) ** 2 * (1 - 2 * safe)), math.nan)

    def entropy(self):
        return torch.log(self.scale) + self.concentration + 1

    @property
    def mode(self):
        return self.loc

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        upper = torch.where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, upper)
