"""Exponential families: densities exp(⟨t(x), θ⟩ − F(θ) + k(x)), whose entropy follows from the log-normaliser F."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions that give their natural parameters θ, the log-normaliser F(θ), and the mean of the carrier k(x).

    Entropy: F(θ) − ⟨θ, ∇F(θ)⟩ − E[k(x)] (Nielsen and Nock, "Entropies and cross-entropies of exponential families",
    2010).
    """

    @property
    def _natural_params(self) -> tuple[torch.Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> torch.Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> torch.Tensor:
        parameters = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*parameters)
        result = normalizer - self._mean_carrier_measure
        for p, g in zip(parameters, torch.autograd.grad(normalizer.sum(), parameters, create_graph=True)):
            result = result - (p * g).reshape(self._batch_shape + (-1,)).sum(-1)
        return result
