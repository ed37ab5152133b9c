"""Boxes: suppression of overlapping ones, formats, areas and overlaps. Unless said otherwise a box is (x1, y1, x2, y2).

Results whose size depends on values (`nms`, …) are computed at once by NumPy; the rest are tensor operations with
gradients.
"""
from __future__ import annotations

import math
from typing import Callable

import numpy as np

from ... import atan, atan2, cos, from_numpy, maximum, minimum, pow, sin, stack, where, zeros
from ... import float32, int32, int64
from ...tensor.tensor import Tensor

__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou",
           "distance_box_iou", "generalized_box_iou", "masks_to_boxes", "nms", "remove_small_boxes"]

FORMATS = ("xyxy", "xywh", "cxcywh", "xywhr", "cxcywhr", "xyxyxyxy")
VANILLA_NMS = 4000  # elements of `boxes` beyond which `batched_nms` handles the classes one by one


# ------------------------------------------------------------------------------------------------- suppression

def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes to keep, best first: those that overlap no better kept one by more than iou_threshold.

    Shapes: boxes (N, 4), scores (N,) → (K,) int64.
    """
    if boxes.ndim != 2:
        raise RuntimeError(f"boxes should be a 2d tensor, got {boxes.ndim}D")
    if boxes.shape[1] != 4:
        raise RuntimeError(f"boxes should have 4 elements in dimension 1, got {boxes.shape[1]}")
    if scores.ndim != 1:
        raise RuntimeError(f"scores should be a 1d tensor, got {scores.ndim}D")
    if boxes.shape[0] != scores.shape[0]:
        raise RuntimeError("boxes and scores should have same number of elements in dimension 0, got "
                           f"{boxes.shape[0]} and {scores.shape[0]}")
    return from_numpy(_nms(boxes.detach().numpy(), scores.detach().numpy(), iou_threshold))


def _nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    corners = boxes[order]
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    kept = []
    left = np.arange(len(order))
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[left, :2])
        high = np.minimum(corners[best, 2:], corners[left, 2:])
        overlap = np.clip(high - low, 0, None).prod(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = overlap / (areas[best] + areas[left] - overlap)
        left = left[~(ratio > threshold)]
    return order[np.array(kept, np.int64)].astype(np.int64)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of each class: idxs (N,) are the classes. Best first over all classes."""
    if boxes.numel() > VANILLA_NMS:
        best, values, classes = (t.detach().numpy() for t in (boxes, scores, idxs))
        kept = np.zeros(len(values), bool)
        for label in np.unique(classes):
            members = np.flatnonzero(classes == label)
            kept[members[_nms(best[members], values[members], iou_threshold)]] = True
        indices = np.flatnonzero(kept)
        return from_numpy(indices[np.argsort(-values[indices], kind="stable")].astype(np.int64))
    if boxes.numel() == 0:
        return zeros((0,), dtype=int64, device=boxes.device)
    # far apart, the classes do not overlap, and one run does for all
    offsets = idxs.to(boxes) * (boxes.max() + 1)
    return nms(boxes + offsets[:, None], scores, iou_threshold)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices of the boxes with both sides at least min_size."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return where((width >= min_size) & (height >= min_size))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (…, 4) with their corners moved into an image of `size` (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


# ------------------------------------------------------------------------------------------------- formats

def _xywh_to_xyxy(b: Tensor) -> Tensor:
    x, y, w, h = b.unbind(-1)
    return stack((x, y, x + w, y + h), -1)


def _xyxy_to_xywh(b: Tensor) -> Tensor:
    x1, y1, x2, y2 = b.unbind(-1)
    return stack((x1, y1, x2 - x1, y2 - y1), -1)


def _cxcywh_to_xyxy(b: Tensor) -> Tensor:
    cx, cy, w, h = b.unbind(-1)
    return stack((cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h), -1)


def _xyxy_to_cxcywh(b: Tensor) -> Tensor:
    x1, y1, x2, y2 = b.unbind(-1)
    return stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), -1)


def _turned(r: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of an angle in degrees, counter-clockwise on a screen whose y axis points down."""
    angle = r * math.pi / 180.0
    return cos(angle), sin(angle)


def _cxcywhr_to_xywhr(b: Tensor) -> Tensor:
    cx, cy, w, h, r = b.unbind(-1)
    c, s = _turned(r)
    return stack((cx - w / 2 * c - h / 2 * s, cy - h / 2 * c + w / 2 * s, w, h, r), -1)


def _xywhr_to_cxcywhr(b: Tensor) -> Tensor:
    x, y, w, h, r = b.unbind(-1)
    c, s = _turned(r)
    return stack((x + w / 2 * c + h / 2 * s, y - w / 2 * s + h / 2 * c, w, h, r), -1)


def _xywhr_to_corners(b: Tensor) -> Tensor:
    x, y, w, h, r = b.unbind(-1)
    c, s = _turned(r)
    return stack((x, y, x + w * c, y - w * s, x + w * c + h * s, y - w * s + h * c, x + h * s, y + h * c), -1)


def _corners_to_xywhr(b: Tensor) -> Tensor:
    x1, y1, x2, y2, x3, y3, _, _ = b.unbind(-1)
    angle = atan2(y1 - y2, x2 - x1)
    width = ((x2 - x1) ** 2 + (y1 - y2) ** 2).sqrt()
    height = ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt()
    return stack((x1, y1, width, height, angle * 180 / math.pi), -1)


# each format through the middle one of its kind: xyxy, or xywhr for turned boxes
_TO: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "xyxy": ("xyxy", lambda b: b), "xywh": ("xyxy", _xywh_to_xyxy), "cxcywh": ("xyxy", _cxcywh_to_xyxy),
    "xywhr": ("xywhr", lambda b: b), "cxcywhr": ("xywhr", _cxcywhr_to_xywhr), "xyxyxyxy": ("xywhr", _corners_to_xywhr)}
_FROM: dict[str, Callable[[Tensor], Tensor]] = {
    "xyxy": lambda b: b, "xywh": _xyxy_to_xywh, "cxcywh": _xyxy_to_cxcywh, "xywhr": lambda b: b,
    "cxcywhr": _xywhr_to_cxcywhr, "xyxyxyxy": _xywhr_to_corners}


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes (…, 4 | 5 | 8) in another format.

    Formats: xyxy; xywh; cxcywh (centre); xywhr and cxcywhr, turned by r degrees; xyxyxyxy, four corners.
    Errors: ValueError for other formats, NotImplementedError between upright and turned boxes.
    """
    if in_fmt not in FORMATS or out_fmt not in FORMATS:
        raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    if in_fmt == out_fmt:
        return boxes.clone()
    middle, convert = _TO[in_fmt]
    if _TO[out_fmt][0] != middle:
        raise NotImplementedError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt "
                                  f"{out_fmt}")
    return _FROM[out_fmt](convert(boxes))


# ------------------------------------------------------------------------------------------------- overlaps

def _upcast(t: Tensor) -> Tensor:
    """At least float32 or int32, so that products of sides do not overflow."""
    if t.is_floating_point():
        return t if t.element_size() >= 4 else t.to(float32)
    return t if t.element_size() >= 4 else t.to(int32)


def _upcast_non_float(t: Tensor) -> Tensor:
    return t if t.is_floating_point() and t.element_size() >= 4 else t.float()


def _check_upright(fmt: str) -> None:
    if fmt not in FORMATS[:3]:
        raise ValueError(f"Unsupported format '{fmt}'. Supported axis-aligned formats: {FORMATS[:3]}.")


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Areas of boxes (N, 4) in the format xyxy, xywh or cxcywh: (N,)."""
    if fmt not in FORMATS[:3]:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    boxes = _upcast(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return boxes[..., 2] * boxes[..., 3]


def _box_inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    """Areas of intersection and union of each pair: two of (N, M)."""
    _check_upright(fmt)
    area1, area2 = box_area(boxes1, fmt), box_area(boxes2, fmt)
    boxes1, boxes2 = (_TO[fmt][1](boxes) for boxes in (boxes1, boxes2))
    low = maximum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = minimum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = _upcast(high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, area1[..., :, None] + area2[..., None, :] - inter


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union of each pair of upright boxes (format xyxy, xywh or cxcywh): (N, 4), (M, 4) → (N, M)."""
    inter, union = _box_inter_union(boxes1, boxes2, fmt)
    return inter / union


def _hull(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Sides of the smallest box around each pair: (N, M, 2)."""
    low = minimum(boxes1[:, None, :2], boxes2[None, :, :2])
    high = maximum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    return _upcast(high - low).clamp(min=0)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU less the share of the hull that is in neither box (Rezatofighi et al. 2019, arXiv:1902.09630): (N, M)."""
    inter, union = _box_inter_union(boxes1, boxes2)
    sides = _hull(boxes1, boxes2)
    hull = sides[..., 0] * sides[..., 1]
    return inter / union - (hull - union) / hull


def _box_diou_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    iou = box_iou(boxes1, boxes2)
    sides = _hull(boxes1, boxes2)
    diagonal = sides[..., 0] ** 2 + sides[..., 1] ** 2 + eps
    centre1, centre2 = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (boxes1, boxes2))
    apart = _upcast(centre1[:, None, :] - centre2[None, :, :])
    return iou - (apart[..., 0] ** 2 + apart[..., 1] ** 2) / diagonal, iou


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """IoU less the squared distance of the centres over the hull's diagonal (Zheng et al. 2019, arXiv:1911.08287)."""
    return _box_diou_iou(_upcast_non_float(boxes1), _upcast_non_float(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`distance_box_iou` less a penalty for different aspect ratios (arXiv:1911.08287)."""
    boxes1, boxes2 = _upcast_non_float(boxes1), _upcast_non_float(boxes2)
    diou, iou = _box_diou_iou(boxes1, boxes2, eps)
    angle1, angle2 = (atan((b[:, 2] - b[:, 0]) / (b[:, 3] - b[:, 1])) for b in (boxes1, boxes2))
    v = 4 / math.pi ** 2 * pow(angle1[:, None] - angle2[None, :], 2)
    alpha = (v / (1 - iou + v + eps)).detach()
    return diou - alpha * v


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The smallest boxes around the true pixels of masks: (N, H, W) → (N, 4) float32, inclusive pixel positions."""
    result = np.zeros((masks.shape[0], 4), np.float32)
    for box, mask in zip(result, masks.numpy() != 0):
        y, x = np.nonzero(mask)
        if y.size:
            box[:] = x.min(), y.min(), x.max(), y.max()
    return from_numpy(result)
