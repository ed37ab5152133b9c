"""Tensors that know what they are: images, videos, masks, boxes, keypoints; `transforms.v2` treats each as it needs."""
from __future__ import annotations

from typing import Any

from ._bounding_boxes import BoundingBoxes, BoundingBoxFormat, is_rotated_bounding_format
from ._image import Image
from ._keypoints import KeyPoints
from ._mask import Mask
from ._tv_tensor import TVTensor, set_return_type
from ._video import Video


def wrap(wrappee: Any, *, like: Any, **kwargs: Any) -> Any:
    """The Tensor `wrappee` as what `like` is, with its metadata, except that given (format, canvas_size,
    clamping_mode)."""
    kind = type(like)
    return kind.wrap(wrappee, like, **kwargs) if hasattr(kind, "wrap") else wrappee.as_subclass(kind)


__all__ = ["BoundingBoxFormat", "BoundingBoxes", "Image", "KeyPoints", "Mask", "TVTensor", "Video",
           "is_rotated_bounding_format", "set_return_type", "wrap"]
