"""Position-sensitive RoIAlign (Light-Head R-CNN, Li et al. 2017, arXiv:1711.07264)."""
from __future__ import annotations

from ...nn import Module
from ...tensor.tensor import Tensor
from ._regions import Sums, make_regions, pair, sampled
from ._utils import rois_of


def ps_roi_align(input: Tensor, boxes: Tensor | list[Tensor], output_size: int | tuple[int, int],
                 spatial_scale: float = 1.0, sampling_ratio: int = -1) -> Tensor:
    """`roi_align`, aligned, where bin (i, j) reads channels of its own: (N, C·h·w, H, W) → (K, C, h, w)."""
    size = pair(output_size)
    if input.shape[1] % (size[0] * size[1]):
        raise RuntimeError("input channels must be a multiple of pooling height * pooling width")

    def axis(low, high, bins, length):
        low, high = (end * low.dtype.type(spatial_scale) - low.dtype.type(0.5) for end in (low, high))
        return sampled(low, high - low, bins, sampling_ratio, length)

    return Sums.apply(input, make_regions(input, rois_of(boxes), axis, size), size, True)


class PSRoIAlign(Module):
    """`ps_roi_align` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float, sampling_ratio: int):
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
                f"sampling_ratio={self.sampling_ratio})")
