"""Kernels on bounding boxes and keypoints: what happens to them when their image is moved.

Boxes are Tensors (N, 4), (N, 5) or (N, 8) with their `format` and `canvas_size` (height, width) as arguments; keypoints
(…, 2). A kernel that changes the canvas returns (result, new canvas size). The arithmetic is on arrays (`_box_arrays`).
"""
from __future__ import annotations

import functools
from typing import Any, Callable, Sequence

import numpy as np

import flambeau as torch

from ....tv_tensors import BoundingBoxFormat, is_rotated_bounding_format
from ..._arrays import as_tensor
from ..._kernels import geometry
from ...functional import _compute_resized_output_size as resized_output_size
from . import _box_arrays as B
from ._arguments import affine_arguments, center_crop_anchor, pad_sides, pair, perspective_coefficients

F = BoundingBoxFormat
Size = tuple[int, int]


def _on_arrays(kernel: Callable) -> Callable:
    """`kernel` on Tensors: it gets an array of its own, and what it returns becomes a Tensor."""
    @functools.wraps(kernel)
    def call(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        result = kernel(np.array(tensor.detach().numpy()), *args, **kwargs)
        if isinstance(result, tuple):
            return as_tensor(result[0]), result[1]
        return as_tensor(result)

    return call


def _format(format: BoundingBoxFormat | str) -> BoundingBoxFormat:
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


# ---- formats and clamping (the doors are in `_meta`)

convert_format = _on_arrays(B.convert)
clamp = _on_arrays(B.clamp)


@_on_arrays
def clamp_points(points: np.ndarray, canvas_size: Size) -> np.ndarray:
    """Points moved onto the nearest pixel of the canvas."""
    inside = B.real(points)
    for k, length in ((0, canvas_size[1]), (1, canvas_size[0])):
        inside[..., k] = np.clip(inside[..., k], 0, length - 1)
    return inside.astype(points.dtype, copy=False)


@_on_arrays
def sane_boxes(boxes: np.ndarray, format: BoundingBoxFormat | str, canvas_size: Size, min_size: float = 1.0,
               min_area: float = 1.0) -> np.ndarray:
    """Which boxes lie in the canvas and are not too small."""
    boxes = B.convert(boxes, _format(format), B.corner_format(_format(format)))
    if boxes.shape[-1] == 8:
        # the second side is measured as PyTorch's torchvision does it, from columns 3 and 5, 4 and 6
        sides = ((0, 2, 1, 3), (3, 5, 4, 6))
        widths, heights = (np.sqrt((boxes[..., a] - boxes[..., b]) ** 2 + (boxes[..., c] - boxes[..., d]) ** 2) for a,
                           b, c, d in sides)
    else:
        widths, heights = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    limit = np.resize(canvas_size[::-1], boxes.shape[-1])
    inside = ((boxes >= 0) & (boxes <= limit)).all(-1)
    return inside & (widths >= min_size) & (heights >= min_size) & (widths * heights >= min_area)


@_on_arrays
def sane_keypoints(points: np.ndarray, canvas_size: Size) -> np.ndarray:
    """Which points, or groups of points, lie in the canvas."""
    inside = ((points >= 0) & (points < np.array(canvas_size[::-1]))).all(-1)
    return inside.reshape(len(inside), -1).all(1) if inside.ndim > 1 else inside


# ---- flips

def _flip(boxes: np.ndarray, format: BoundingBoxFormat, length: int, k: int) -> np.ndarray:
    """Mirrors boxes along axis k (0: x, 1: y) of a canvas of this length."""
    if format == F.XYXY:
        boxes[..., [k + 2, k]] = -(boxes[..., [k, k + 2]] - length)
        return boxes
    if format == F.XYXYXYXY:
        boxes[..., k::2] = -(boxes[..., k::2] - length)
        return boxes[..., [2, 3, 0, 1, 6, 7, 4, 5]]
    if format == F.XYWH:
        boxes[..., k] += boxes[..., k + 2]
    elif format == F.XYWHR:  # the far end of the upper side becomes the corner
        cos, sin = B._turn(boxes)
        boxes[..., 0] += boxes[..., 2] * cos
        boxes[..., 1] -= boxes[..., 2] * sin
    boxes[..., k] = -(boxes[..., k] - length)
    if is_rotated_bounding_format(format):
        boxes[..., 4] = -boxes[..., 4] + (180 if k else 0)
    return boxes


@_on_arrays
def horizontal_flip_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size) -> Any:
    """Boxes under `horizontal_flip`."""
    return _flip(bounding_boxes, _format(format), canvas_size[1], 0)


@_on_arrays
def vertical_flip_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size) -> Any:
    """Boxes under `vertical_flip`."""
    return _flip(bounding_boxes, _format(format), canvas_size[0], 1)


@_on_arrays
def horizontal_flip_keypoints(keypoints: Any, canvas_size: Size) -> Any:
    """Points under `horizontal_flip`."""
    keypoints[..., 0] = -(keypoints[..., 0] - (canvas_size[1] - 1))
    return keypoints


@_on_arrays
def vertical_flip_keypoints(keypoints: Any, canvas_size: Size) -> Any:
    """Points under `vertical_flip`."""
    keypoints[..., 1] = -(keypoints[..., 1] - (canvas_size[0] - 1))
    return keypoints


# ---- resize, pad, crop

def _ratios(canvas_size: Size, size: Any, max_size: int | None) -> tuple[np.ndarray, Size]:
    """([x, y] factors as float32, new canvas size)."""
    new_height, new_width = compute_resized_output_size(canvas_size, size, max_size)
    return np.array([new_width / canvas_size[1], new_height / canvas_size[0]], np.float32), (new_height, new_width)


def compute_resized_output_size(canvas_size: Size, size: Any, max_size: int | None = None) -> list[int]:
    """[height, width] that `resize` makes of a canvas."""
    if isinstance(size, int):
        size = [size]
    elif max_size is not None and size is not None and len(size) != 1:
        raise ValueError("max_size should only be passed if size is None or specifies the length of the smaller edge, "
                         "i.e. size should be an int or a sequence of length 1 in torchscript mode.")
    return resized_output_size(canvas_size, size=size, max_size=max_size, allow_size_none=True)


@_on_arrays
def resize_bounding_boxes(bounding_boxes: Any, canvas_size: Size, size: Any, max_size: int | None = None,
                          format: BoundingBoxFormat = F.XYXY, clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `resize`."""
    format = _format(format)
    ratios, new_size = _ratios(canvas_size, size, max_size)
    if new_size == tuple(canvas_size):
        return bounding_boxes, canvas_size
    dtype = bounding_boxes.dtype
    if not is_rotated_bounding_format(format):
        return (B.real(bounding_boxes) * np.tile(ratios, 2)).astype(dtype), new_size
    moved = B.rectified(B.convert(bounding_boxes, format, F.XYXYXYXY) * np.tile(ratios, 4))
    moved = B.clamp(moved, F.XYXYXYXY, new_size, clamping_mode)
    return B.convert(moved, F.XYXYXYXY, format).astype(dtype), new_size


@_on_arrays
def resize_keypoints(keypoints: Any, size: Any, canvas_size: Size, max_size: int | None = None) -> tuple[Any, Size]:
    """Points under `resize`."""
    ratios, new_size = _ratios(canvas_size, size, max_size)
    if new_size == tuple(canvas_size):
        return keypoints, canvas_size
    return (B.real(keypoints) * ratios).astype(keypoints.dtype), new_size


def _shift(format: BoundingBoxFormat, x: int, y: int, dtype: np.dtype) -> np.ndarray:
    """What to add to boxes of this format to move them."""
    rest = {F.XYXY: [x, y], F.XYXYXYXY: [x, y] * 3, F.XYWHR: [0, 0, 0], F.CXCYWHR: [0, 0, 0]}.get(format, [0, 0])
    return np.array([x, y, *rest], dtype)


@_on_arrays
def pad_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, padding: Any,
                       padding_mode: str = "constant", clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `pad`, which must be "constant"."""
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
    left, right, top, bottom = pad_sides(padding)
    canvas_size = canvas_size[0] + top + bottom, canvas_size[1] + left + right
    moved = bounding_boxes + _shift(_format(format), left, top, bounding_boxes.dtype)
    return B.clamp(moved, _format(format), canvas_size, clamping_mode), canvas_size


@_on_arrays
def pad_keypoints(keypoints: Any, canvas_size: Size, padding: Any, padding_mode: str = "constant") -> tuple[Any, Size]:
    """Points under `pad`, which must be "constant"."""
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with KeyPoints (supported modes are "
                         "constant)")
    left, right, top, bottom = pad_sides(padding)
    return keypoints + np.array([left, top], keypoints.dtype), (canvas_size[0] + top + bottom,
                                                                canvas_size[1] + left + right)


def _crop(boxes: np.ndarray, format: BoundingBoxFormat, top: int, left: int, canvas_size: Size,
          mode: str | None) -> np.ndarray:
    moved = boxes - _shift(format, left, top, boxes.dtype)
    return B.clamp(B.rectified(moved) if format == F.XYXYXYXY else moved, format, canvas_size, mode)


@_on_arrays
def crop_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, top: int, left: int, height: int, width: int,
                        clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `crop`."""
    return _crop(bounding_boxes, _format(format), top, left, (height, width), clamping_mode), (height, width)


@_on_arrays
def crop_keypoints(keypoints: Any, top: int, left: int, height: int, width: int) -> tuple[Any, Size]:
    """Points under `crop`."""
    return keypoints - np.array([left, top], keypoints.dtype), (height, width)


def center_crop_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, output_size: Any,
                               clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `center_crop`."""
    height, width = pair(output_size)
    top, left = center_crop_anchor(height, width, *canvas_size)
    return crop_bounding_boxes(bounding_boxes, format, top, left, height, width, clamping_mode)


def center_crop_keypoints(inpt: Any, canvas_size: Size, output_size: Any) -> tuple[Any, Size]:
    """Points under `center_crop`."""
    height, width = pair(output_size)
    top, left = center_crop_anchor(height, width, *canvas_size)
    return crop_keypoints(inpt, top, left, height, width)


def resized_crop_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, top: int, left: int, height: int,
                                width: int, size: Any, clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `resized_crop`."""
    cropped, canvas_size = crop_bounding_boxes(bounding_boxes, format, top, left, height, width, clamping_mode)
    return resize_bounding_boxes(cropped, canvas_size, size, format=format, clamping_mode=clamping_mode)


def resized_crop_keypoints(keypoints: Any, top: int, left: int, height: int, width: int, size: Any) -> tuple[Any, Size]:
    """Points under `resized_crop`."""
    cropped, canvas_size = crop_keypoints(keypoints, top, left, height, width)
    return resize_keypoints(cropped, size, canvas_size)


# ---- affine, perspective, elastic

def _affine_points(points: np.ndarray, matrix: Sequence[float]) -> np.ndarray:
    """Points (N, 2) under the 2×3 matrix, in their dtype."""
    theta = np.array(matrix, points.dtype).reshape(2, 3)
    return np.stack([points[:, 0] * row[0] + points[:, 1] * row[1] + row[2] for row in theta], -1)


def _forward_and_inverse(canvas_size: Size, angle: float, translate: Any, scale: float, shear: Any,
                         center: Any) -> tuple[list[float], list[float]]:
    """The matrices of the map in pixels, and of its inverse."""
    angle, translate, shear, center = affine_arguments(angle, translate, scale, shear, center)
    center = [canvas_size[1] * 0.5, canvas_size[0] * 0.5] if center is None else center
    return tuple(geometry.inverse_affine_matrix(center, angle, translate, scale, shear, inverted=inverted)
                 for inverted in (False, True))


def _expanded(points: np.ndarray, canvas_size: Size, forward: Sequence[float],
              inverse: Sequence[float]) -> tuple[np.ndarray, Size]:
    """(points relative to the frame that holds the whole turned canvas, that frame's size)."""
    height, width = canvas_size
    frame = _affine_points(np.array([[0, 0], [0, height], [width, height], [width, 0]], points.dtype), forward)
    new_width, new_height = geometry.rotated_size(inverse, width, height)
    return points - frame.min(0), (new_height, new_width)


def _affine_boxes(boxes: np.ndarray, format: BoundingBoxFormat, canvas_size: Size, mode: str | None, angle: float,
                  translate: Any,
                  scale: float, shear: Any, center: Any, expand: bool = False) -> tuple[np.ndarray, Size]:
    if boxes.size == 0:
        return boxes, canvas_size
    working, corner = B.real(boxes), B.corner_format(format)
    forward, inverse = _forward_and_inverse(canvas_size, angle, translate, scale, shear, center)
    moved = B.around(_affine_points(B.corners(B.convert(working, format, corner), corner), forward), corner)
    if expand:
        points, canvas_size = _expanded(moved.reshape(-1, 2), canvas_size, forward, inverse)
        moved = points.reshape(moved.shape)
    moved = B.convert(B.clamp(moved, corner, canvas_size, mode), corner, format)
    return moved.reshape(boxes.shape).astype(boxes.dtype, copy=False), canvas_size


@_on_arrays
def affine_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, angle: float,
                          translate: Any,
                          scale: float, shear: Any, center: Any = None, clamping_mode: str | None = "soft") -> Any:
    """Boxes under `affine`."""
    return _affine_boxes(bounding_boxes, _format(format), canvas_size, clamping_mode, angle, translate, scale, shear,
                         center)[0]


@_on_arrays
def rotate_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, angle: float,
                          expand: bool = False,
                          center: Any = None, clamping_mode: str | None = "soft") -> tuple[Any, Size]:
    """Boxes under `rotate`."""
    return _affine_boxes(bounding_boxes, _format(format), canvas_size, clamping_mode, -angle, [0.0, 0.0], 1.0,
                         [0.0, 0.0], center, expand)


def _affine_keypoints(keypoints: np.ndarray, canvas_size: Size, angle: float, translate: Any, scale: float, shear: Any,
                      center: Any, expand: bool = False) -> tuple[np.ndarray, Size]:
    if keypoints.size == 0:
        return keypoints, canvas_size
    forward, inverse = _forward_and_inverse(canvas_size, angle, translate, scale, shear, center)
    moved = _affine_points(B.real(keypoints).reshape(-1, 2), forward)
    if expand:
        moved, canvas_size = _expanded(moved, canvas_size, forward, inverse)
    return moved.reshape(keypoints.shape).astype(keypoints.dtype, copy=False), canvas_size


@_on_arrays
def affine_keypoints(keypoints: Any, canvas_size: Size, angle: float, translate: Any, scale: float, shear: Any,
                     center: Any = None) -> tuple[Any, Size]:
    """Points under `affine`."""
    return _affine_keypoints(keypoints, canvas_size, angle, translate, scale, shear, center)


@_on_arrays
def rotate_keypoints(keypoints: Any, canvas_size: Size, angle: float, expand: bool = False,
                     center: Any = None) -> tuple[Any, Size]:
    """Points under `rotate`."""
    return _affine_keypoints(keypoints, canvas_size, -angle, [0.0, 0.0], 1.0, [0.0, 0.0], center, expand)


def _perspective_points(points: np.ndarray, coefficients: Sequence[float], what: str) -> np.ndarray:
    """Points (N, 2) under the inverse of the projective map, in float32 at least."""
    a, b, c, d, e, f, g, h = coefficients
    denominator = a * e - b * d
    if denominator == 0:
        raise RuntimeError(f"Provided perspective_coeffs {coefficients} can not be inverted to transform {what}. "
                           f"Denominator is zero, denom={denominator}")
    inverse = [e - f * h, -b + c * h, b * f - c * e, -d + f * g, a - c * g, -a * f + c * d, -e * g + d * h,
               -a * h + b * g]
    points = B.real(points)
    m = np.array([value / denominator for value in inverse] + [1.0], points.dtype).reshape(3, 3)
    x, y, w = (points[:, 0] * row[0] + points[:, 1] * row[1] + row[2] for row in m)
    return np.stack([x / w, y / w], -1)


@_on_arrays
def perspective_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, startpoints: Any,
                               endpoints: Any, coefficients: Any = None, clamping_mode: str | None = "soft") -> Any:
    """Boxes under `perspective`."""
    if bounding_boxes.size == 0:
        return bounding_boxes
    format = _format(format)
    corner = B.corner_format(format)
    coefficients = perspective_coefficients(startpoints, endpoints, coefficients)
    points = B.corners(B.convert(bounding_boxes.copy(), format, corner), corner)
    moved = B.around(_perspective_points(points, coefficients, "bounding boxes"), corner)
    moved = B.convert(B.clamp(moved, corner, canvas_size, clamping_mode), corner, format)
    return moved.reshape(bounding_boxes.shape).astype(bounding_boxes.dtype, copy=False)


@_on_arrays
def perspective_keypoints(keypoints: Any, canvas_size: Size, startpoints: Any, endpoints: Any,
                          coefficients: Any = None) -> Any:
    """Points under `perspective`."""
    if keypoints.size == 0:
        return keypoints
    coefficients = perspective_coefficients(startpoints, endpoints, coefficients)
    moved = _perspective_points(keypoints.reshape(-1, 2), coefficients, "keypoints")
    return moved.astype(keypoints.dtype, copy=False).reshape(keypoints.shape)


def _displaced(points: np.ndarray, canvas_size: Size, displacement: Any) -> np.ndarray:
    """Points (N, 2) moved as the pixels nearest to them are (against `displacement`)."""
    if not isinstance(displacement, torch.Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    height, width = canvas_size
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(f"Argument displacement shape should be {(1, height, width, 2)}, but given "
                         f"{displacement.shape}")
    dtype = points.dtype if points.dtype.kind == "f" else np.dtype(np.float32)
    grid = geometry.identity_grid(height, width, dtype.name) - displacement.detach().numpy()[0].astype(dtype)
    x, y = (np.clip(points[:, k].astype(np.int64), 0, length - 1) for k, length in ((0, width), (1, height)))
    return (grid[y, x] + 1) * (np.array([width, height], dtype) * dtype.type(0.5)) - dtype.type(0.5)


@_on_arrays
def elastic_bounding_boxes(bounding_boxes: Any, format: BoundingBoxFormat, canvas_size: Size, displacement: Any,
                           clamping_mode: str | None = "soft") -> Any:
    """Boxes under `elastic`: upright ones around their moved corners, rotated ones with their centre."""
    if bounding_boxes.size == 0:
        return bounding_boxes
    format, dtype = _format(format), bounding_boxes.dtype
    rotated = is_rotated_bounding_format(format)
    working = F.CXCYWHR if rotated else F.XYXY
    boxes = B.convert(bounding_boxes.copy(), format, working)
    points = boxes[:, :2] if rotated else B.corners(boxes, working)
    moved = _displaced(np.ceil(points) if dtype.kind == "f" else points, canvas_size, displacement)
    moved = np.concatenate([moved, boxes[:, 2:]], 1) if rotated else B.around(moved, working)
    moved = B.clamp(moved.astype(dtype), working, canvas_size, clamping_mode)
    return B.convert(moved, working, format).reshape(bounding_boxes.shape)


@_on_arrays
def elastic_keypoints(keypoints: Any, canvas_size: Size, displacement: Any) -> Any:
    """Points under `elastic`."""
    if keypoints.size == 0:
        return keypoints
    return _displaced(keypoints.reshape(-1, 2), canvas_size,
                      displacement).astype(keypoints.dtype).reshape(keypoints.shape)
