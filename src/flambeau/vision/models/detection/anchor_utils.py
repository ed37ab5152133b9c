"""The boxes that detectors start from: a grid of them on each feature map."""
from __future__ import annotations

import math

from .... import arange, as_tensor, cat, float32, meshgrid, stack
from ....nn import Module
from ....tensor.tensor import Tensor
from .image_list import ImageList


class AnchorGenerator(Module):
    """At each place of the i-th map, boxes with the square roots of area sizes[i] and height / width aspect_ratios[i].

    forward: an ImageList and feature maps → the anchors (L, 4) of each image.
    """

    def __init__(self, sizes=((128, 256, 512),), aspect_ratios=((0.5, 1.0, 2.0),)):
        super().__init__()
        if not isinstance(sizes[0], (list, tuple)):
            sizes = tuple((s,) for s in sizes)
        if not isinstance(aspect_ratios[0], (list, tuple)):
            aspect_ratios = (aspect_ratios,) * len(sizes)
        self.sizes, self.aspect_ratios = sizes, aspect_ratios
        self.cell_anchors = [self.generate_anchors(size, ratios) for size, ratios in zip(sizes, aspect_ratios)]

    def generate_anchors(self, scales: list[int], aspect_ratios: list[float], dtype=float32, device=None) -> Tensor:
        """The boxes around (0, 0), rounded: (ratios · scales, 4)."""
        scale, ratio = as_tensor(scales, dtype=dtype), as_tensor(aspect_ratios, dtype=dtype)
        heights = ratio.sqrt()
        widths = 1 / heights
        w, h = ((side[:, None] * scale[None, :]).view(-1) for side in (widths, heights))
        return (stack([-w, -h, w, h], dim=1) / 2).round()

    def num_anchors_per_location(self) -> list[int]:
        """Boxes at each place of each map."""
        return [len(s) * len(a) for s, a in zip(self.sizes, self.aspect_ratios)]

    def grid_anchors(self, grid_sizes: list[list[int]], strides: list[list[int]]) -> list[Tensor]:
        """The boxes of each map: (H · W · boxes, 4)."""
        if not len(grid_sizes) == len(strides) == len(self.cell_anchors):
            raise AssertionError("Anchors should be Tuple[Tuple[int]] because each feature map could potentially have "
                                 "different sizes and aspect ratios. There needs to be a match between the number of "
                                 "feature maps passed and the number of sizes / aspect ratios specified.")
        anchors = []
        for (height, width), (down, right), base in zip(grid_sizes, strides, self.cell_anchors):
            y, x = meshgrid(arange(height) * down, arange(width) * right, indexing="ij")
            shifts = stack((x, y, x, y), dim=-1).reshape(-1, 1, 4)
            anchors.append((shifts + base.view(1, -1, 4)).reshape(-1, 4))
        return anchors

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        sizes = [feature.shape[-2:] for feature in feature_maps]
        whole = image_list.tensors.shape[-2:]
        strides = [[whole[0] // height, whole[1] // width] for height, width in sizes]
        self.cell_anchors = [anchors.to(feature_maps[0].dtype) for anchors in self.cell_anchors]
        of_image = cat(self.grid_anchors(sizes, strides))
        return [of_image for _ in image_list.image_sizes]


class DefaultBoxGenerator(Module):
    """SSD's boxes (Liu et al. 2015, arXiv:1512.02325): scales grow from min_ratio to max_ratio over the maps.

    aspect_ratios: besides 1, for each map; steps: pixels between the boxes of a map (default: the image divided by the
    map); clip: boxes larger than the image are cut.
    """

    def __init__(self, aspect_ratios: list[list[int]], min_ratio: float = 0.15, max_ratio: float = 0.9,
                 scales: list[float] | None = None, steps: list[int] | None = None, clip: bool = True):
        super().__init__()
        if steps is not None and len(aspect_ratios) != len(steps):
            raise ValueError("aspect_ratios and steps should have the same length")
        self.aspect_ratios, self.steps, self.clip = aspect_ratios, steps, clip
        maps = len(aspect_ratios)
        if scales is None and maps > 1:
            scales = [min_ratio + (max_ratio - min_ratio) * k / (maps - 1.0) for k in range(maps)] + [1.0]
        self.scales = [min_ratio, max_ratio] if scales is None else scales
        self._wh_pairs = [self._sizes(k) for k in range(maps)]

    def _sizes(self, k: int) -> Tensor:
        """Widths and heights of the k-th map's boxes, relative to the image."""
        scale, between = self.scales[k], math.sqrt(self.scales[k] * self.scales[k + 1])
        pairs = [[scale, scale], [between, between]]
        for root in map(math.sqrt, self.aspect_ratios[k]):
            pairs += [[scale * root, scale / root], [scale / root, scale * root]]
        return as_tensor(pairs, dtype=float32)

    def num_anchors_per_location(self) -> list[int]:
        """Boxes at each place of each map."""
        return [2 + 2 * len(ratios) for ratios in self.aspect_ratios]

    def _grid_default_boxes(self, grid_sizes: list[list[int]], image_size: list[int], dtype=float32) -> Tensor:
        """Centres and sizes of all boxes, relative to the image: (L, 4)."""
        boxes = []
        for k, (height, width) in enumerate(grid_sizes):
            down, right = (image_size[0] / self.steps[k], image_size[1] / self.steps[k]) if self.steps else (height,
                                                                                                             width)
            y, x = meshgrid((arange(height) + 0.5) / down, (arange(width) + 0.5) / right, indexing="ij")
            sizes = self._wh_pairs[k].clamp(min=0, max=1) if self.clip else self._wh_pairs[k]
            centres = stack((x, y), -1).reshape(-1, 1, 2).to(dtype).expand(-1, len(sizes), -1)
            boxes.append(cat((centres, sizes.unsqueeze(0).expand(height * width, -1, -1)), -1).reshape(-1, 4))
        return cat(boxes)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(aspect_ratios={self.aspect_ratios}, clip={self.clip}, scales={self.scales}, "
                f"steps={self.steps})")

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        height, width = image_list.tensors.shape[-2:]
        boxes = self._grid_default_boxes([feature.shape[-2:] for feature in feature_maps], [height, width],
                                         feature_maps[0].dtype)
        centre, half = boxes[:, :2], 0.5 * boxes[:, 2:]
        corners = cat([centre - half, centre + half], -1) * as_tensor([width, height] * 2, dtype=boxes.dtype)
        return [corners for _ in image_list.image_sizes]
