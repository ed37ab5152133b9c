"""The binomial distribution."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from . import constraints
from ._probs import ProbsOrLogits
from .distribution import Distribution

__all__ = ["Binomial"]


class Binomial(ProbsOrLogits, Distribution):
    """How many of total_count trials succeed, each with probability probs."""

    arg_constraints = {  # type: ignore[assignment]
        "total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval, "logits": constraints.real}
    has_enumerate_support = True

    def __init__(self, total_count: torch.Tensor | int = 1, probs: torch.Tensor | None = None,
                 logits: torch.Tensor | None = None, validate_args: bool | None = None):
        self.total_count, = self._set_binary(probs, logits, total_count)
        self.total_count = self.total_count.type_as(self._param)
        super().__init__(self._param.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Binomial:
        new = self._expanded(Binomial, _instance, batch_shape, total_count=(), probs=(), logits=())
        new._given = self._given
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=torch.Size()):
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        """log n! − log x! − log (n − x)! + x·logits − n·log(1 + exp(logits)), kept stable for logits of either sign."""
        if self._validate_args:
            self._validate_sample(value)
        n = self.total_count
        normalizer = (n * self.logits.clamp(min=0) + n * torch.log1p(torch.exp(-torch.abs(self.logits)))
                      - torch.lgamma(n + 1))
        return value * self.logits - torch.lgamma(value + 1) - torch.lgamma(n - value + 1) - normalizer

    def entropy(self):
        """The sum over all outcomes; NotImplementedError if counts differ."""
        total_count = int(self.total_count.max())
        if not self.total_count.min() == total_count:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(torch.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        total_count = int(self.total_count.max())
        if not self.total_count.min() == total_count:
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        values = torch.arange(1 + total_count, dtype=self._param.dtype, device=self._param.device)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + self._batch_shape) if expand else values
