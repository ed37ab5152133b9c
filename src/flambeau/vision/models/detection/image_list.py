"""Images of several sizes in one batch."""
from __future__ import annotations

from typing import Any

from ....tensor.tensor import Tensor


class ImageList:
    """`tensors` (N, C, H, W), padded, and the (height, width) that each image has in it."""

    def __init__(self, tensors: Tensor, image_sizes: list[tuple[int, int]]) -> None:
        self.tensors, self.image_sizes = tensors, image_sizes

    def to(self, device: Any) -> "ImageList":
        return ImageList(self.tensors.to(device), self.image_sizes)
