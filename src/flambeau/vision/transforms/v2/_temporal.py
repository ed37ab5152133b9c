"""Transforms along time."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from . import functional as F
from ._transform import Transform


class UniformTemporalSubsample(Transform):
    """`num_samples` frames of a video at equal distances."""

    _transformed_types = (torch.Tensor,)

    def __init__(self, num_samples: int):
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The frames."""
        return self._call_kernel(F.uniform_temporal_subsample, inpt, self.num_samples)
