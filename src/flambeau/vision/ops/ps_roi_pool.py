"""Position-sensitive RoIPool (R-FCN, Dai et al. 2016, arXiv:1605.06409)."""
from __future__ import annotations

import numpy as np

from ...nn import Module
from ...tensor.tensor import Tensor
from ._regions import Sums, half_away, make_regions, pair
from ._utils import rois_of


def ps_roi_pool(input: Tensor, boxes: Tensor | list[Tensor], output_size: int | tuple[int, int],
                spatial_scale: float = 1.0) -> Tensor:
    """Means in output_size bins, where bin (i, j) reads channels of its own: (N, C·h·w, H, W) → (K, C, h, w)."""
    size = pair(output_size)
    if input.shape[1] % (size[0] * size[1]):
        raise RuntimeError("input channels must be a multiple of pooling height * pooling width")

    def axis(low, high, bins, length):
        low, high = (half_away(end * low.dtype.type(spatial_scale)) for end in (low, high))
        for start, step in zip(low, np.maximum(high - low, 1) / low.dtype.type(bins)):
            i = np.arange(bins, dtype=low.dtype)
            # the last row and column are never read, as in the published networks
            first = np.clip(np.floor(i * step) + start, 0, length - 1).astype(int)
            last = np.clip(np.ceil((i + 1) * step) + start, 0, length - 1).astype(int)
            place = np.arange(length)
            inside = (place >= first[:, None]) & (place < last[:, None])
            yield slice(0, length), inside / np.maximum(last - first, 1).astype(low.dtype)[:, None]

    return Sums.apply(input, make_regions(input, rois_of(boxes), axis, size), size, True)


class PSRoIPool(Module):
    """`ps_roi_pool` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float):
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"
