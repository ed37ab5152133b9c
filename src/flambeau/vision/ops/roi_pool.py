"""RoIPool (Girshick 2015, Fast R-CNN, arXiv:1504.08083)."""
from __future__ import annotations

import numpy as np

from ...nn import Module
from ...tensor.tensor import Tensor
from ._regions import Maxima, half_away, images_and_corners, pair
from ._utils import rois_of


def roi_pool(input: Tensor, boxes: Tensor | list[Tensor], output_size: int | tuple[int, int],
             spatial_scale: float = 1.0) -> Tensor:
    """Maxima in output_size bins of each box, rounded to pixels: (N, C, H, W) → (K, C, h, w).

    boxes: (K, 5) with the image first, or a list of (L, 4) for each image, times spatial_scale on the map.
    """
    size = pair(output_size)
    images, corners = images_and_corners(rois_of(boxes), input.detach().numpy().dtype)
    corners = half_away(corners * corners.dtype.type(spatial_scale))
    columns, rows = (_bins(corners[:, i], corners[:, i + 2], size[1 - i], input.shape[3 - i]) for i in (0, 1))
    regions = [(image, [(row, column) for row in y for column in x]) for image, y, x in zip(images, rows, columns)]
    return Maxima.apply(input, regions, size)


def _bins(low: np.ndarray, high: np.ndarray, bins: int, length: int) -> list[list[slice]]:
    """The pixels of each bin of each region along one axis; both ends of a region belong to it."""
    step = np.maximum(high - low + 1, 1) / low.dtype.type(bins)
    i = np.arange(bins, dtype=low.dtype)
    starts = np.clip(np.floor(i * step[:, None]) + low[:, None], 0, length).astype(int)
    ends = np.clip(np.ceil((i + 1) * step[:, None]) + low[:, None], 0, length).astype(int)
    return [[slice(a, b) for a, b in zip(*ab)] for ab in zip(starts.tolist(), ends.tolist())]


class RoIPool(Module):
    """`roi_pool` as a layer."""

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float):
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"
