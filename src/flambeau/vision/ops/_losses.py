"""What the losses on boxes share."""
from __future__ import annotations

from ... import max as maximum, min as minimum
from ...tensor.tensor import Tensor
from .boxes import _upcast_non_float


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """The loss of each element, its mean (0 for none) or its sum. ValueError for another reduction."""
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if loss.numel() > 0 else 0.0 * loss.sum()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', 'mean', "
                     "'sum'")


def overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(intersection, union, hull's width, hull's height) of the boxes at equal positions, (…, 4) → (…) each."""
    x1, y1, x2, y2 = boxes1.unbind(dim=-1)
    u1, v1, u2, v2 = boxes2.unbind(dim=-1)
    width, height = minimum(x2, u2) - maximum(x1, u1), minimum(y2, v2) - maximum(y1, v1)
    inter = (width * height) * ((width > 0) & (height > 0)).to(width.dtype)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - inter
    return inter, union, maximum(x2, u2) - minimum(x1, u1), maximum(y2, v2) - minimum(y1, v1)


def floats(*boxes: Tensor) -> list[Tensor]:
    """The boxes as float32 at least."""
    return [_upcast_non_float(b) for b in boxes]
