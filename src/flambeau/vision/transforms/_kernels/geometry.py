"""Where output pixels come from: matrices, and sampling grids in the [-1, 1] coordinates of `grid_sample`."""
from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from .filters import linspace


def inverse_affine_matrix(center: Sequence[float], angle: float, translate: Sequence[float], scale: float,
                          shear: Sequence[float], inverted: bool = True) -> list[float]:
    """The 2×3 matrix, row by row, of translate · center · rotate(angle) shear scale · center⁻¹, or (default) its
    inverse.

    Angles are in degrees. Shear in x and y follows the rotation; all turn about `center`.
    """
    rot, sx, sy = (math.radians(a) for a in (angle, *shear))
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    if inverted:
        m = [x / scale for x in (d, -b, 0.0, -c, a, 0.0)]
        before, after = (-cx - tx, -cy - ty), (cx, cy)
    else:
        m = [x * scale for x in (a, b, 0.0, c, d, 0.0)]
        before, after = (-cx, -cy), (cx + tx, cy + ty)
    for row in (0, 1):
        m[3 * row + 2] += m[3 * row] * before[0] + m[3 * row + 1] * before[1]
        m[3 * row + 2] += after[row]
    return m


def perspective_coefficients(startpoints: Sequence[Sequence[float]],
                             endpoints: Sequence[Sequence[float]]) -> list[float]:
    """(a, …, h) such that x = (aX + bY + c) / (gX + hY + 1), y = (dX + eY + f) / (gX + hY + 1) takes the four
    `endpoints` (X, Y) to the `startpoints` (x, y)."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(f"Please provide exactly four corners, got {len(startpoints)} startpoints and "
                         f"{len(endpoints)} endpoints.")
    rows, values = [], []
    for (X, Y), (x, y) in zip(endpoints, startpoints):
        rows += [[X, Y, 1, 0, 0, 0, -x * X, -x * Y], [0, 0, 0, X, Y, 1, -y * X, -y * Y]]
        values += [x, y]
    # four corners on a line have no unique answer; least squares still gives one
    solution = np.linalg.lstsq(np.array(rows, np.float64), np.array(values, np.float64), rcond=None)[0]
    return solution.astype(np.float32).tolist()


def _pixel_grid(width: int, height: int, first_x: float, first_y: float, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """x (1, width) and y (height, 1), counting by ones."""
    x = linspace(first_x, first_x + width - 1, width)
    y = linspace(first_y, first_y + height - 1, height)
    return x.astype(dtype)[None, :], y.astype(dtype)[:, None]


def _product(x: np.ndarray, y: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(x, y, 1) · column, added from left to right as the small matrix product does."""
    return x * column[0] + y * column[1] + column[2]


def affine_grid(matrix: Sequence[float], width: int, height: int, out_width: int, out_height: int,
                dtype: str) -> np.ndarray:
    """(out_height, out_width, 2): for each output pixel, where the 2×3 `matrix` (about the centre, in pixels) finds
    it."""
    x, y = _pixel_grid(out_width, out_height, -out_width * 0.5 + 0.5, -out_height * 0.5 + 0.5, dtype)
    theta = np.array(matrix, dtype).reshape(2, 3)
    half = np.array([0.5 * width, 0.5 * height], dtype)
    return np.stack([_product(x, y, theta[k] / half[k]) for k in range(2)], -1)


def perspective_grid(coefficients: Sequence[float], width: int, height: int, dtype: str) -> np.ndarray:
    """(height, width, 2): for each output pixel, where the projective map finds it."""
    a = np.array(coefficients, dtype)
    x, y = _pixel_grid(width, height, 0.5, 0.5, dtype)
    half = np.array([0.5 * width, 0.5 * height], dtype)
    below = _product(x, y, np.array([a[6], a[7], 1], dtype))
    return np.stack([_product(x, y, a[3 * k:3 * k + 3] / half[k]) / below - 1 for k in range(2)], -1).astype(dtype,
                                                                                                             copy=False)


def identity_grid(height: int, width: int, dtype: str = "float32") -> np.ndarray:
    """(height, width, 2): the centres of the pixels themselves."""
    x, y = (linspace((1 - n) / n, (n - 1) / n, n, dtype) for n in (width, height))
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1)


def rotated_size(matrix: Sequence[float], width: int, height: int) -> tuple[int, int]:
    """(width, height) of the smallest whole-pixel frame that holds the turned image."""
    w, h = np.float32(0.5 * width), np.float32(0.5 * height)
    corners = np.array([[-w, -h], [-w, h], [w, h], [w, -h]], np.float32)
    theta = np.array(matrix, np.float32).reshape(2, 3)
    points = np.stack([_product(corners[:, 0], corners[:, 1], row) for row in theta], -1)
    half = np.array([w, h], np.float32)
    low, high = points.min(0) + half, points.max(0) + half
    tolerance = np.float32(1e-4)  # a corner this close to a whole pixel is on it
    size = np.ceil(np.trunc(high / tolerance) * tolerance) - np.floor(np.trunc(low / tolerance) * tolerance)
    return int(size[0]), int(size[1])
