"""What detectors do to images before, and to boxes, masks and keypoints after."""
from __future__ import annotations

import math
from typing import Any

from .... import as_tensor, empty, stack
from ....nn import Module, functional as F
from ....tensor.tensor import Tensor
from .image_list import ImageList
from .roi_heads import paste_masks_in_image


class GeneralizedRCNNTransform(Module):
    """Normalises and resizes images and their targets, and batches the images.

    The shorter side becomes min_size (one of several at random while training), the longer at most max_size;
    fixed_size (width, height) instead of both. Batches are padded to multiples of size_divisible.
    """

    def __init__(self, min_size: int, max_size: int, image_mean: list[float], image_std: list[float],
                 size_divisible: int = 32, fixed_size: tuple[int, int] | None = None, **kwargs: Any):
        super().__init__()
        self.min_size = tuple(min_size) if isinstance(min_size, (list, tuple)) else (min_size,)
        self.max_size, self.image_mean, self.image_std = max_size, image_mean, image_std
        self.size_divisible, self.fixed_size = size_divisible, fixed_size
        self._skip_resize = kwargs.pop("_skip_resize", False)

    def forward(self, images: list[Tensor],
                targets: list[dict[str, Tensor]] | None = None) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        images = list(images)
        targets = None if targets is None else [dict(target) for target in targets]
        for i, image in enumerate(images):
            if image.dim() != 3:
                raise ValueError("images is expected to be a list of 3d tensors of shape [C, H, W], got "
                                 f"{image.shape}")
            images[i], target = self.resize(self.normalize(image), None if targets is None else targets[i])
            if targets is not None and target is not None:
                targets[i] = target
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        return ImageList(self.batch_images(images, size_divisible=self.size_divisible), sizes), targets

    def normalize(self, image: Tensor) -> Tensor:
        if not image.is_floating_point():
            raise TypeError("Expected input images to be of floating type (in range [0, 1]), but found type "
                            f"{image.dtype} instead")
        mean, std = (as_tensor(values, dtype=image.dtype) for values in (self.image_mean, self.image_std))
        return (image - mean[:, None, None]) / std[:, None, None]

    def torch_choice(self, k: list[int]) -> int:
        """One of k, drawn from the default generator."""
        return k[int(empty(1).uniform_(0.0, float(len(k))).item())]

    def resize(self, image: Tensor,
               target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        height, width = image.shape[-2:]
        if self.training:
            if self._skip_resize:
                return image, target
            size = self.torch_choice(self.min_size)
        else:
            size = self.min_size[-1]
        image, target = _resize_image_and_masks(image, size, self.max_size, target, self.fixed_size)
        if target is None:
            return image, target
        new = image.shape[-2:]
        target["boxes"] = resize_boxes(target["boxes"], (height, width), new)
        if "keypoints" in target:
            target["keypoints"] = resize_keypoints(target["keypoints"], (height, width), new)
        return image, target

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        """The images, padded with zeros on the right and below: (N, C, H, W)."""
        channels, *sides = (max(image.shape[i] for image in images) for i in range(3))
        height, width = (math.ceil(side / size_divisible) * size_divisible for side in sides)
        return stack([F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1]))
                      if image.shape[1:] != (height, width) else image for image in images])

    def postprocess(self, result: list[dict[str, Tensor]], image_shapes: list[tuple[int, int]],
                    original_image_sizes: list[tuple[int, int]]) -> list[dict[str, Tensor]]:
        """Detections at the sizes that the images had."""
        if self.training:
            return result
        for found, shape, original in zip(result, image_shapes, original_image_sizes):
            found["boxes"] = resize_boxes(found["boxes"], shape, original)
            if "masks" in found:
                found["masks"] = paste_masks_in_image(found["masks"], found["boxes"], original)
            if "keypoints" in found:
                found["keypoints"] = resize_keypoints(found["keypoints"], shape, original)
        return result

    def __repr__(self) -> str:
        indent = "\n    "
        return (f"{type(self).__name__}({indent}Normalize(mean={self.image_mean}, std={self.image_std})"
                f"{indent}Resize(min_size={self.min_size}, max_size={self.max_size}, mode='bilinear')\n)")


def _resize_image_and_masks(image: Tensor, self_min_size: int, self_max_size: int,
                            target: dict[str, Tensor] | None = None,
                            fixed_size: tuple[int, int] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
    if fixed_size is not None:
        options: dict[str, Any] = {"size": [fixed_size[1], fixed_size[0]]}
    else:
        short, long = min(image.shape[-2:]), max(image.shape[-2:])
        options = {"scale_factor": min(self_min_size / short, self_max_size / long), "recompute_scale_factor": True}
    image = F.interpolate(image[None], mode="bilinear", align_corners=False, **options)[0]
    if target is not None and "masks" in target:
        mask = target["masks"]
        target["masks"] = F.interpolate(mask[:, None].float(), **options)[:, 0].byte()
    return image, target


def _ratios(original_size, new_size) -> tuple[float, float]:
    """(height, width) after by before, in float32."""
    height, width = (as_tensor(float(new)) / as_tensor(float(old)) for old, new in zip(original_size, new_size))
    return height, width


def resize_keypoints(keypoints: Tensor, original_size: Any, new_size: Any) -> Tensor:
    """Keypoints (N, K, 3), x and y scaled."""
    height, width = _ratios(original_size, new_size)
    return stack((keypoints[..., 0] * width, keypoints[..., 1] * height, keypoints[..., 2]), dim=-1)


def resize_boxes(boxes: Tensor, original_size: Any, new_size: Any) -> Tensor:
    """Boxes (N, 4), scaled."""
    height, width = _ratios(original_size, new_size)
    x1, y1, x2, y2 = boxes.unbind(1)
    return stack((x1 * width, y1 * height, x2 * width, y2 * height), dim=1)


__all__ = ["GeneralizedRCNNTransform", "resize_boxes", "resize_keypoints"]
