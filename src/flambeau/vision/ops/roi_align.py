"""RoIAlign (He et al. 2017, Mask R-CNN, arXiv:1703.06870)."""
from __future__ import annotations

from ...nn import Module
from ...tensor.tensor import Tensor
from ._regions import Sums, make_regions, pair, sampled
from ._utils import rois_of


def roi_align(input: Tensor, boxes: Tensor | list[Tensor], output_size: int | tuple[int, int],
              spatial_scale: float = 1.0, sampling_ratio: int = -1, aligned: bool = False) -> Tensor:
    """Means of bilinear samples in output_size bins of each box: (N, C, H, W) → (K, C, h, w).

    boxes: (K, 5) with the image first, or a list of (L, 4) for each image, times spatial_scale on the map.
    sampling_ratio: samples per bin and axis; 0 or less: as many as it has pixels. aligned: shifts by half a pixel, so
    that pixels' centres lie at .5, and lets boxes be smaller than a pixel. Differentiable in input.
    """
    size = pair(output_size)

    def axis(low, high, bins, length):
        low, high = (end * low.dtype.type(spatial_scale) - low.dtype.type(0.5 if aligned else 0) for end in (low, high))
        extent = high - low if aligned else (high - low).clip(min=1)
        return sampled(low, extent, bins, sampling_ratio, length)

    return Sums.apply(input, make_regions(input, rois_of(boxes), axis, size), size, False)


class RoIAlign(Module):
    """`roi_align` as a layer."""

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float, sampling_ratio: int,
                 aligned: bool = False):
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
                f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned})")
