"""Sizes of inputs; formats and clamping of boxes; clamping of points."""
from __future__ import annotations

from typing import Any

import flambeau as torch

from .... import tv_tensors
from ....tv_tensors import BoundingBoxFormat
from ... import _functional_pil as F_pil
from . import _boxes
from ._utils import call, is_pure_tensor, register


def get_dimensions(inpt: Any) -> list[int]:
    """[channels, height, width] of an image or video."""
    return call(get_dimensions, inpt)


def get_dimensions_image(image: Any) -> list[int]:
    """`get_dimensions` of a Tensor; (H, W) has one channel."""
    if image.ndim < 2:
        raise TypeError(f"Input tensor should have at least two dimensions, but got {image.ndim}")
    return list(image.shape[-3:]) if image.ndim > 2 else [1, *image.shape]


get_dimensions_video = get_dimensions_image
register(get_dimensions, image=get_dimensions_image, pil=F_pil.get_dimensions, wrap=False)


def get_num_channels(inpt: Any) -> int:
    """The number of channels of an image or video."""
    return call(get_num_channels, inpt)


def get_num_channels_image(image: Any) -> int:
    """`get_num_channels` of a Tensor."""
    return get_dimensions_image(image)[0]


get_image_num_channels = get_num_channels
get_num_channels_video = get_num_channels_image
register(get_num_channels, image=get_num_channels_image, pil=F_pil.get_image_num_channels, wrap=False)


def get_size(inpt: Any) -> list[int]:
    """[height, width] of an image, video or mask, or of the canvas of boxes or keypoints."""
    return call(get_size, inpt)


def get_size_image(image: Any) -> list[int]:
    """`get_size` of a Tensor (…, H, W)."""
    if image.ndim < 2:
        raise TypeError(f"Input tensor should have at least two dimensions, but got {image.ndim}")
    return list(image.shape[-2:])


def get_size_bounding_boxes(bounding_box: Any) -> list[int]:
    """[height, width] of the canvas of BoundingBoxes."""
    return list(bounding_box.canvas_size)


def get_size_keypoints(keypoints: Any) -> list[int]:
    """[height, width] of the canvas of KeyPoints."""
    return list(keypoints.canvas_size)


def _canvas_size(inpt: Any, canvas_size: tuple[int, int]) -> list[int]:
    return list(canvas_size)


get_size_mask = get_size_video = get_size_image
register(get_size, image=get_size_image, mask=get_size_image, boxes=_canvas_size, keypoints=_canvas_size,
         pil=lambda image: [image.height, image.width], wrap=False)


def get_num_frames(inpt: Any) -> int:
    """The number of frames of a video."""
    return call(get_num_frames, inpt)


def get_num_frames_video(video: Any) -> int:
    """`get_num_frames` of a Tensor (…, T, C, H, W)."""
    return video.shape[-4]


register(get_num_frames, video=get_num_frames_video, wrap=False)


def _named(format: Any) -> Any:
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


def convert_bounding_box_format(inpt: Any, old_format: Any = None, new_format: Any = None,
                                inplace: bool = False) -> Any:
    """Boxes in another format. `old_format` is for plain Tensors, and must not be given for BoundingBoxes.

    Errors: ValueError for formats that do not fit, TypeError for other inputs.
    """
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    old_format, new_format = _named(old_format), _named(new_format)
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        if old_format is not None:
            raise ValueError("For bounding box tv_tensor inputs, `old_format` must not be passed.")
        plain = inpt.as_subclass(torch.Tensor)
        return tv_tensors.wrap(_convert(plain, inpt.format, new_format, inplace), like=inpt, format=new_format)
    if not is_pure_tensor(inpt):
        raise TypeError("Input can either be a plain tensor or a bounding box tv_tensor, "
                        f"but got {type(inpt)} instead.")
    if old_format is None:
        raise ValueError("For pure tensor inputs, `old_format` has to be passed.")
    return _convert(inpt, old_format, new_format, inplace)


def _convert(boxes: Any, old: BoundingBoxFormat, new: BoundingBoxFormat, inplace: bool) -> Any:
    if old == new:
        return boxes
    converted = _boxes.convert_format(boxes, old, new)
    return boxes.copy_(converted) if inplace and converted.shape == boxes.shape else converted


def clamp_bounding_boxes(inpt: Any, format: Any = None, canvas_size: Any = None,
                         clamping_mode: str | None = "auto") -> Any:
    """Boxes cut to their canvas; "auto" is the boxes' own mode. `format` and `canvas_size` are for plain Tensors."""
    if clamping_mode not in (None, "soft", "hard", "auto"):
        raise ValueError(f"clamping_mode must be soft, hard, auto or None, got {clamping_mode}")
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        if format is not None or canvas_size is not None:
            raise ValueError("For bounding box tv_tensor inputs, `format` and `canvas_size` must not be passed.")
        mode = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
        clamped = _boxes.clamp(inpt.as_subclass(torch.Tensor), inpt.format, inpt.canvas_size, mode)
        return tv_tensors.wrap(clamped, like=inpt)
    if not is_pure_tensor(inpt):
        raise TypeError("Input can either be a plain tensor or a bounding box tv_tensor, "
                        f"but got {type(inpt)} instead.")
    if format is None or canvas_size is None or clamping_mode == "auto":
        raise ValueError("For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed.")
    return _boxes.clamp(inpt, _named(format), canvas_size, clamping_mode)


def clamp_keypoints(inpt: Any, canvas_size: Any = None) -> Any:
    """Points moved onto their canvas. `canvas_size` is for plain Tensors."""
    if isinstance(inpt, tv_tensors.KeyPoints):
        if canvas_size is not None:
            raise ValueError("For keypoints tv_tensor inputs, `canvas_size` must not be passed.")
        return tv_tensors.wrap(_boxes.clamp_points(inpt.as_subclass(torch.Tensor), inpt.canvas_size), like=inpt)
    if not is_pure_tensor(inpt):
        raise TypeError("Input can either be a plain tensor or a keypoints tv_tensor, "
                        f"but got {type(inpt)} instead.")
    if canvas_size is None:
        raise ValueError("For pure tensor inputs, `canvas_size` has to be passed.")
    return _boxes.clamp_points(inpt, canvas_size)
