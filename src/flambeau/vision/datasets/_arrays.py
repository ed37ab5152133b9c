"""Sets whose images lie in one uint8 array: whole batches at once where the transforms permit it."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..transforms._batched import plan_for_arrays, transform_batch
from ..transforms._functional_pil import from_array
from .vision import VisionDataset


class ArrayImages(VisionDataset):
    """The base of CIFAR, MNIST and their like.

    A subclass gives `data`, the uint8 array (N, H, W, C) or (N, H, W), or another `_pixels`; and `labels`, or another
    `_target(index)`, the untransformed target.
    """

    data: Any
    labels: Any

    @property
    def _pixels(self) -> np.ndarray:
        return self.data

    def _target(self, index: int) -> Any:
        return int(self.labels[index])

    def _targets(self, indices: Sequence[int]) -> list[Any]:
        return [self._target(index) for index in indices]

    def _image(self, index: int) -> Any:
        pixels = self._pixels[index]
        if pixels.ndim == 2 and pixels.dtype == np.uint8:
            return from_array(pixels, "L")
        from PIL import Image

        return Image.fromarray(pixels)

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), each through its transform; the image is a PIL image before."""
        return self._transformed(self._image(index), self._target(index))

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, Any]]:
        """The samples of these indices, as `__getitem__` gives them one by one, with the same random numbers.

        If the transforms can work on a whole batch, the result is a `BatchedSamples`, collated already.
        """
        if self._is_plain():
            batch = transform_batch(self._pixels, indices, self.transform, self._targets, self.target_transform)
            if batch is not None:
                return batch
        return [self[index] for index in indices]

    def _makes_batches(self) -> bool:
        """Whether `__getitems__` gives collated batches without calling code from outside."""
        return (self.target_transform is None and self._is_plain() and len(self) > 0 and type(self._target(0)) is int
                and plan_for_arrays(self._pixels, self.transform) is not None)

    def _is_plain(self) -> bool:
        """Whether samples are made by the methods above, not by a subclass's own."""
        own = type(self)
        return (own.__getitem__ is ArrayImages.__getitem__ and isinstance(self._pixels, np.ndarray)
                and self._pixels.dtype == np.uint8)
