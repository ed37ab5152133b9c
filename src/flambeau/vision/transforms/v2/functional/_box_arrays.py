"""Boxes as NumPy arrays: formats, corner points, clamping. Every function may change its argument and returns the
result.

Angles are degrees, counter-clockwise as seen on the screen (y points down). A rotated box is, as four corners, its top
left, top right, bottom right and bottom left before it was turned.
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from ....tv_tensors import BoundingBoxFormat, is_rotated_bounding_format

F = BoundingBoxFormat


def real(boxes: np.ndarray) -> np.ndarray:
    """`boxes` as they are if floating, else as float32."""
    return boxes if boxes.dtype.kind == "f" else boxes.astype(np.float32)


def _halved(sides: np.ndarray) -> np.ndarray:
    return sides / 2 if sides.dtype.kind == "f" else sides // 2


def _xywh_to_xyxy(b: np.ndarray) -> np.ndarray:
    b[..., 2:] += b[..., :2]
    return b


def _xyxy_to_xywh(b: np.ndarray) -> np.ndarray:
    b[..., 2:] -= b[..., :2]
    return b


def _xywh_to_cxcywh(b: np.ndarray) -> np.ndarray:
    b[..., :2] += _halved(b[..., 2:])
    return b


def _cxcywh_to_xyxy(b: np.ndarray) -> np.ndarray:
    out = real(b)
    out[..., :2] -= out[..., 2:] / 2
    out[..., 2:] += out[..., :2]
    return out.astype(b.dtype, copy=False)  # integers are truncated corner by corner


def _cxcywh_to_xywh(b: np.ndarray) -> np.ndarray:
    if b.dtype.kind == "f":
        b[..., :2] -= b[..., 2:] / 2
        return b
    return _xyxy_to_xywh(_cxcywh_to_xyxy(b))


def _xyxy_to_cxcywh(b: np.ndarray) -> np.ndarray:
    b[..., 2:] -= b[..., :2]
    b[..., :2] = _halved(b[..., :2] * 2 + b[..., 2:])
    return b


def _turn(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of the angles."""
    radians = b[..., 4] * b.dtype.type(np.pi) / b.dtype.type(180)
    return np.cos(radians), np.sin(radians)


def _cxcywhr_to_xywhr(b: np.ndarray) -> np.ndarray:
    half_w, half_h = np.abs(b[..., 2] / -2), np.abs(b[..., 3] / -2)
    cos, sin = _turn(b)
    b[..., 0] -= half_w * cos
    b[..., 0] -= half_h * sin
    b[..., 1] += half_w * sin
    b[..., 1] -= half_h * cos
    return b


def _xywhr_to_cxcywhr(b: np.ndarray) -> np.ndarray:
    half_w, half_h = np.abs(b[..., 2] / -2), np.abs(b[..., 3] / -2)
    cos, sin = _turn(b)
    b[..., 0] += half_w * cos
    b[..., 0] += half_h * sin
    b[..., 1] -= half_w * sin
    b[..., 1] += half_h * cos
    return b


def _xywhr_to_corners(b: np.ndarray) -> np.ndarray:
    (x, y, w, h), (cos, sin) = (b[..., k] for k in range(4)), _turn(b)
    right = x + w * cos, y - w * sin
    far = x + (w * cos + h * sin), y - (w * sin - h * cos)
    return np.stack([x, y, *right, *far, x + h * sin, y + h * cos], -1)


def _corners_to_xywhr(b: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2, x3, y3 = (b[..., k] for k in range(6))
    degrees = np.arctan2(y1 - y2, x2 - x1) / b.dtype.type(np.pi) * b.dtype.type(180)
    width, height = (np.sqrt(dx * dx + dy * dy) for dx, dy in ((x2 - x1, y2 - y1), (x3 - x2, y3 - y2)))
    return np.stack([x1, y1, width, height, degrees], -1)


# each family has a format in the middle, through which the others convert
_TO_MIDDLE: dict[F, Callable[[np.ndarray], np.ndarray]] = {
    F.XYWH: _xywh_to_xyxy, F.CXCYWH: _cxcywh_to_xyxy, F.CXCYWHR: _cxcywhr_to_xywhr, F.XYXYXYXY: _corners_to_xywhr}
_FROM_MIDDLE: dict[F, Callable[[np.ndarray], np.ndarray]] = {
    F.XYWH: _xyxy_to_xywh, F.CXCYWH: _xyxy_to_cxcywh, F.CXCYWHR: _xywhr_to_cxcywhr, F.XYXYXYXY: _xywhr_to_corners}
_DIRECT = {(F.XYWH, F.CXCYWH): _xywh_to_cxcywh, (F.CXCYWH, F.XYWH): _cxcywh_to_xywh}


def convert(boxes: np.ndarray, old: F, new: F) -> np.ndarray:
    """Boxes of format `old` in format `new`. ValueError between rotated and upright ones."""
    if old == new:
        return boxes
    if is_rotated_bounding_format(old) != is_rotated_bounding_format(new):
        raise ValueError("Cannot convert between rotated and unrotated bounding boxes.")
    if (old, new) in _DIRECT:
        return _DIRECT[old, new](boxes)
    if old in _TO_MIDDLE:
        boxes = _TO_MIDDLE[old](boxes)
    return _FROM_MIDDLE[new](boxes) if new in _FROM_MIDDLE else boxes


def corner_format(format: F) -> F:
    """The format of this family that states corners."""
    return F.XYXYXYXY if is_rotated_bounding_format(format) else F.XYXY


def corners(boxes: np.ndarray, format: F) -> np.ndarray:
    """The corners (N·4, 2) of boxes in `corner_format`."""
    return (boxes if format == F.XYXYXYXY else boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]]).reshape(-1, 2)


def around(points: np.ndarray, format: F) -> np.ndarray:
    """Boxes in `corner_format` about moved corners (N·4, 2): the smallest upright ones, or rotated ones of like
    shape."""
    if format == F.XYXYXYXY:
        return rectified(points.reshape(-1, 8))
    points = points.reshape(-1, 4, 2)
    return np.concatenate([points.min(1), points.max(1)], 1)


def rectified(boxes: np.ndarray) -> np.ndarray:
    """Parallelograms (N, 8) as rectangles (N, 8) with the same centre and the direction of the longer side, around
    them."""
    dtype = boxes.dtype
    x1, y1, x2, y2, x3, y3, x4, y4 = real(boxes).T
    cx, cy = (x1 + x3) / 2, (y1 + y3) / 2
    wp, hp = np.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2), np.sqrt((x4 - x1) ** 2 + (y4 - y1) ** 2)
    along, down = np.arctan2(y1 - y2, x2 - x1), np.arctan2(y1 - y4, x4 - x1)
    between = along - down
    sign = np.where(between > np.pi / 2, -1, 1).astype(wp.dtype)
    cos, sin = np.cos(between), np.sin(between)
    w = np.where(wp < hp, wp * sin, wp + hp * cos * sign) / 2
    h = np.where(wp > hp, hp * sin, hp + wp * cos * sign) / 2
    angle = np.where(hp > wp, down + wp.dtype.type(np.pi / 2), along)
    cos, sin = np.cos(angle), np.sin(angle)
    points = [cx - w * cos - h * sin, cy - h * cos + w * sin, cx + w * cos - h * sin, cy - h * cos - w * sin,
              cx + w * cos + h * sin, cy + h * cos - w * sin, cx - w * cos + h * sin, cy + h * cos + w * sin]
    return np.stack(points, -1).astype(dtype, copy=False)


def clamp(boxes: np.ndarray, format: F, canvas_size: tuple[int, int], mode: str | None) -> np.ndarray:
    """Boxes cut to the canvas (height, width); None leaves them. Rotated boxes keep their angle: see
    `_clamp_rotated`."""
    if mode is None:
        return boxes
    if is_rotated_bounding_format(format):
        return _clamp_rotated(boxes, format, canvas_size, mode)
    height, width = canvas_size
    cut = convert(real(boxes), format, F.XYXY)
    cut[..., 0::2] = np.clip(cut[..., 0::2], 0, width)
    cut[..., 1::2] = np.clip(cut[..., 1::2], 0, height)
    return convert(cut, F.XYXY, format).astype(boxes.dtype, copy=False)


def _clamp_rotated(boxes: np.ndarray, format: F, canvas_size: tuple[int, int], mode: str) -> np.ndarray:
    """Rotated boxes cut along the left edge of the canvas, four times, the canvas turned by 90° after each.

    "soft" keeps as much of a box as it can, "hard" leaves nothing outside.
    """
    shape = boxes.shape
    boxes = convert(boxes, format, F.XYXYXYXY).reshape(-1, 8)
    whole = boxes.copy()
    height, width = canvas_size
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(4):
            order = _leftmost_first(boxes)
            boxes, whole = (np.take_along_axis(b, order, 1) for b in (boxes, whole))
            boxes = _clamp_left(boxes, whole, (height, width), mode)
            boxes, whole = (np.take_along_axis(b, order, 1) for b in (boxes, whole))
            boxes, whole = _quarter_turn(boxes, width), _quarter_turn(whole, width)
            height, width = width, height
    return convert(boxes, F.XYXYXYXY, format).reshape(shape)


def _quarter_turn(boxes: np.ndarray, width: int) -> np.ndarray:
    turned = np.empty_like(boxes)
    turned[:, ::2], turned[:, 1::2] = boxes[:, 1::2], width - boxes[:, ::2]
    return turned


def _leftmost_first(boxes: np.ndarray) -> np.ndarray:
    """Indices (N, 8) that begin with the corner farthest left (of those, highest)."""
    x, y = boxes[:, 0::2], boxes[:, 1::2]
    score = y / np.abs(y).max(1, keepdims=True) + x / np.abs(x).max(1, keepdims=True) * 100
    return (2 * score.argmin(1)[:, None] + np.arange(8)) % 8


def _lines(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (N, 4) of the lines along the sides."""
    x, y = boxes[:, ::2], boxes[:, 1::2]
    slope = (np.roll(y, -1, 1) - y) / (np.roll(x, -1, 1) - x)
    return slope, y - slope * x


def _between(x: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    return np.minimum(np.maximum(x, low), high)


def _clamped_intercepts(boxes: np.ndarray, whole: np.ndarray, canvas_size: tuple[int, int], mode: str) -> np.ndarray:
    """Where the lines along the sides meet the left edge once they are moved into the canvas."""
    (a1, a2, a3, a4), (b1, b2, b3, b4) = (values.T for values in _lines(boxes))
    low1, low2, high3, high4 = _lines(whole)[1].T
    height, width = canvas_size
    b1 = _between(_between(b2, b1, b3), 0, height)
    b4 = _between(_between(b3, b2, b4), 0, height)
    if mode == "hard":
        b1 = b4 = (b1 + b4) / 2
        candidates = [b1 * a2 / a1, b3 * a2 / a3, (a1 - a2) * width + b1, (a3 - a2) * width + b3]
        b2 = np.minimum(np.max(candidates, 0), b2)
        candidates = [height * (1 - a3 / a4) + b4 * a3 / a4, height * (1 - a3 / a2) + b2 * a3 / a2,
                      (a2 - a3) * width + b2, (a4 - a3) * width + b4]
        b3 = np.maximum(np.min(candidates, 0), b3)
        b1 = b4 = _between(_between(b1, low1, high3), low2, high4)
    else:
        b1, b4 = _between(b1, low1, high3), _between(b4, low2, high4)
    return np.stack([b1, _between(b2, low2, high4), _between(b3, low1, high3), b4], -1)


def _clamp_left(boxes: np.ndarray, whole: np.ndarray, canvas_size: tuple[int, int], mode: str) -> np.ndarray:
    """Boxes (N, 8), leftmost corner first, cut at x = 0."""
    slope, _ = _lines(boxes)
    intercept = _clamped_intercepts(boxes, whole, canvas_size, mode)
    x = -(intercept - np.roll(intercept, 1, 1)) / (slope - np.roll(slope, 1, 1))
    met = np.stack([x, slope * x + intercept], -1).reshape(-1, 8)
    upright = boxes.copy()
    upright[:, [0, 6]] = np.maximum(upright[:, [0, 6]], 0)
    x1, y1, x2, y2, x3, y3, x4, y4 = boxes.T
    level = np.isclose(y1, y2) | np.isclose(y3, y4)
    outside = (x1 <= 0) & (x2 <= 0) & (x3 <= 0) & (x4 <= 0)
    flat = outside | np.isclose(y1, y4) | np.isclose(y2, y3) | (level & np.isclose(x1, x2))
    cut = np.where(((x1 < 0) & ~np.isnan(met).any(-1))[:, None], met, boxes)
    cut = np.where(level[:, None], upright, cut)
    return np.where(flat[:, None], 0, cut).astype(boxes.dtype, copy=False)
