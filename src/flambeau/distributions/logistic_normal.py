"""The logistic-normal distribution."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from . import constraints
from .independent import Independent
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import StickBreakingTransform

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """Points of the simplex (k + 1) by `StickBreakingTransform` of vectors (k) of Normal(loc, scale)."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # type: ignore[assignment]
    support = constraints.simplex
    has_rsample = True  # type: ignore[assignment]
    base_dist: Independent

    def __init__(self, loc: torch.Tensor | float, scale: torch.Tensor | float, validate_args: bool | None = None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogisticNormal:
        return super().expand(batch_shape, _instance=self._get_checked_instance(LogisticNormal, _instance))

    @property
    def loc(self):
        """The means of the vectors."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self):
        """The standard deviations of the vectors."""
        return self.base_dist.base_dist.scale
