"""Along time."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from ..._kernels.filters import linspace
from ._utils import call, register


def uniform_temporal_subsample(inpt: Any, num_samples: int) -> Any:
    """`num_samples` frames of a video (…, T, C, H, W) at equal distances, the first and the last among them."""
    return call(uniform_temporal_subsample, inpt, num_samples=num_samples)


def uniform_temporal_subsample_video(video: Any, num_samples: int) -> Any:
    """`uniform_temporal_subsample` of a Tensor."""
    positions = linspace(0, video.shape[-4] - 1, num_samples).astype("int64")
    return torch.index_select(video, -4, torch.tensor(positions.tolist(), dtype=torch.int64))


register(uniform_temporal_subsample, video=uniform_temporal_subsample_video)
