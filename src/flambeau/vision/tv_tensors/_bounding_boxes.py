"""`BoundingBoxes`: a Tensor (N, 4), (N, 5) or (N, 8) of boxes, with their format and the size of the image they are
in."""
from __future__ import annotations

from enum import Enum
from typing import Any

import flambeau as torch

from ._tv_tensor import TVTensor


class BoundingBoxFormat(Enum):
    """What the numbers of a box are: corners (x1, y1, x2, y2), a corner or the centre with width and height, the same
    with an angle R in degrees counter-clockwise, or four corners."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


CLAMPING_MODE_TYPE = str | None
_ROTATED = ("XYWHR", "CXCYWHR", "XYXYXYXY")


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Whether boxes of this format may be turned."""
    if not isinstance(format, (BoundingBoxFormat, str)):
        raise ValueError(f"format should be str or BoundingBoxFormat, got {type(format)}")
    return (format.value if isinstance(format, BoundingBoxFormat) else format) in _ROTATED


class BoundingBoxes(TVTensor):
    """Boxes from data that `torch.as_tensor` takes; one box (4,) becomes (1, 4).

    format: a BoundingBoxFormat or its name; canvas_size: (height, width) of the image; clamping_mode: what transforms
    do about boxes that leave the image ("soft", "hard" or None for nothing; they differ for rotated boxes).
    Errors: ValueError for other ranks and modes, and for rotated boxes of an integer dtype.
    """

    _metadata = ("format", "canvas_size", "clamping_mode")
    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(cls, data: Any, *, format: BoundingBoxFormat | str, canvas_size: tuple[int, int],
                clamping_mode: str | None = "soft", dtype: Any = None, device: Any = None,
                requires_grad: bool | None = None) -> BoundingBoxes:
        tensor = cls._to_tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)
        if not tensor.is_floating_point() and is_rotated_bounding_format(format):
            raise ValueError(f"Rotated bounding boxes should be floating point tensors, got {tensor.dtype}.")
        if tensor.ndim == 1:
            tensor = tensor.unsqueeze(0)
        elif tensor.ndim != 2:
            raise ValueError(f"Expected a 1D or 2D tensor, got {tensor.ndim}D")
        return cls._with(tensor, format=format, canvas_size=canvas_size, clamping_mode=clamping_mode)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    @classmethod
    def _with(cls, tensor: torch.Tensor, **metadata: Any) -> Any:
        mode, format = metadata["clamping_mode"], metadata["format"]
        if mode not in (None, "hard", "soft"):
            raise ValueError(f"clamping_mode must be None, hard or soft, got {mode}.")
        if isinstance(format, str):
            metadata["format"] = BoundingBoxFormat[format.upper()]
        return super()._with(tensor, **metadata)
