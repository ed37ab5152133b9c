"""The von Mises distribution."""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles with density exp(κ cos(x − loc)) / (2π I₀(κ)), κ being the concentration: the normal distribution of the
    circle."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}  # type: ignore[assignment]
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: torch.Tensor, concentration: torch.Tensor, validate_args: bool | None = None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, torch.Size(), validate_args)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        log_bessel = torch.special.i0e(self.concentration).log() + self.concentration
        return self.concentration * torch.cos(value - self.loc) - math.log(2 * math.pi) - log_bessel

    # sampling is in double precision: in single precision small concentrations leave no digits
    @lazy_property
    def _loc(self):
        return self.loc.to(torch.double)

    @lazy_property
    def _concentration(self):
        return self.concentration.to(torch.double)

    @lazy_property
    def _proposal_r(self):
        """The parameter of the wrapped Cauchy distribution that proposes; near κ = 0 by its series."""
        kappa = self._concentration
        tau = 1 + (1 + 4 * kappa ** 2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return torch.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho ** 2) / (2 * rho))

    def sample(self, sample_shape=torch.Size()):
        """By rejection from a wrapped Cauchy distribution (Best and Fisher 1979); all elements are proposed anew at
        once."""
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            x = torch.zeros(shape, dtype=self._loc.dtype, device=self.loc.device)
            done = torch.zeros(shape, dtype=torch.bool, device=self.loc.device)
            while not done.all():
                u1, u2, u3 = torch.rand((3,) + tuple(shape), dtype=self._loc.dtype, device=self.loc.device).unbind()
                z = torch.cos(math.pi * u1)
                f = (1 + self._proposal_r * z) / (self._proposal_r + z)
                c = self._concentration * (self._proposal_r - f)
                accept = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
                x = torch.where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
            return ((x + math.pi + self._loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMises:
        return self._expanded(VonMises, _instance, batch_shape, loc=(), concentration=())

    @property
    def mean(self):
        """The mean direction."""
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):  # type: ignore[override]
        """The circular variance 1 − I₁(κ) / I₀(κ)."""
        return 1 - torch.special.i1e(self.concentration) / torch.special.i0e(self.concentration)
