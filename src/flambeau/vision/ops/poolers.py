"""RoIAlign on the level of a feature pyramid that suits each box (Lin et al. 2016, arXiv:1612.03144, equation 1)."""
from __future__ import annotations

import math

from ... import cat, zeros
from ...nn import Module
from ...tensor.tensor import Tensor
from ._regions import pair
from ._utils import convert_boxes_to_roi_format
from .boxes import box_area
from .roi_align import roi_align


def initLevelMapper(k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4, eps: float = 1e-6):
    """A `LevelMapper`."""
    return LevelMapper(k_min, k_max, canonical_scale, canonical_level, eps)


class LevelMapper:
    """Levels of boxes: canonical_level for squares of canonical_scale pixels, one more when the side doubles."""

    def __init__(self, k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4,
                 eps: float = 1e-6):
        self.k_min, self.k_max, self.s0, self.lvl0, self.eps = k_min, k_max, canonical_scale, canonical_level, eps

    def __call__(self, boxlists: list[Tensor]) -> Tensor:
        """The level of each box, counted from k_min: (K,) int64."""
        side = cat([box_area(boxes) for boxes in boxlists]).sqrt()
        level = ((side / self.s0).log2() + self.eps + self.lvl0).floor()
        return (level.clamp(min=self.k_min, max=self.k_max).long() - self.k_min)


class MultiScaleRoIAlign(Module):
    """`roi_align` on one of several feature maps for each box.

    forward: a dict of feature maps, a list of boxes (L, 4) for each image, the images' (height, width) →
    (K, C, *output_size).
    """

    def __init__(self, featmap_names: list[str], output_size: int | tuple[int] | list[int], sampling_ratio: int, *,
                 canonical_scale: int = 224, canonical_level: int = 4):
        super().__init__()
        self.featmap_names, self.sampling_ratio = featmap_names, sampling_ratio
        self.output_size = pair(output_size)  # type: ignore[arg-type]
        self.scales: list[float] | None = None
        self.map_levels: LevelMapper | None = None
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        features = [value for name, value in x.items() if name in self.featmap_names]
        if self.scales is None or self.map_levels is None:
            self.scales, self.map_levels = self._setup(features, image_shapes)
        rois = convert_boxes_to_roi_format(boxes)
        if len(features) == 1:
            return roi_align(features[0], rois, self.output_size, self.scales[0], self.sampling_ratio)
        levels = self.map_levels(boxes)
        result = zeros((len(rois), features[0].shape[1], *self.output_size), dtype=features[0].dtype)
        for level, (feature, scale) in enumerate(zip(features, self.scales)):
            of_level = (levels == level).nonzero().squeeze(1)
            pooled = roi_align(feature, rois[of_level], self.output_size, scale, self.sampling_ratio)
            result = result.index_put((of_level,), pooled.to(result.dtype))
        return result

    def _setup(self, features: list[Tensor], image_shapes: list[tuple[int, int]]) -> tuple[list[float], LevelMapper]:
        """The scales of the maps, powers of two, from the size of the largest image."""
        if not image_shapes:
            raise ValueError("images list should not be empty")
        height, width = (max(shape[i] for shape in image_shapes) for i in (0, 1))
        scales = []
        for feature in features:
            guesses = [2 ** round(math.log2(size / whole)) for size, whole in zip(feature.shape[-2:], (height, width))]
            scales.append(float(guesses[0]))
        k_min, k_max = (round(-math.log2(scale)) for scale in (scales[0], scales[-1]))
        return scales, LevelMapper(k_min, k_max, self.canonical_scale, self.canonical_level)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(featmap_names={self.featmap_names}, output_size={self.output_size}, "
                f"sampling_ratio={self.sampling_ratio})")
