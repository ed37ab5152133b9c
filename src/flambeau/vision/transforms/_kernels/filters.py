"""Filters: each output pixel is a weighted sum of its neighbourhood."""
from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

from .color import blend, floating, is_float, max_value

SUMMED_EXACTLY = 27  # kernel taps: beyond, the cost of one pass for each is too high


def linspace(start: float, end: float, steps: int, dtype: str = "float32") -> np.ndarray:
    """`torch.linspace` on the CPU, bit for bit: counted from both ends, each term rounded once."""
    if dtype != "float32":
        return np.linspace(start, end, steps).astype(dtype)
    if steps == 1:
        return np.array([start], np.float32)
    first, last = np.float32(start), np.float32(end)
    step = np.float64((last - first) / np.float32(steps - 1))
    k = np.arange(steps)
    return np.where(k < steps // 2, first + step * k, last - step * (steps - 1 - k)).astype(np.float32)


def _sum(values: np.ndarray) -> np.ndarray:
    """`torch.sum` of a few float32, added in its order: eight lanes, each in four strands, then tail and lanes in
    turn."""
    def strands(rows: np.ndarray) -> np.ndarray:
        whole = len(rows) // 4 * 4
        parts = [np.zeros_like(rows[0])] * 4
        for i in range(whole):
            parts[i % 4] = parts[i % 4] + rows[i]
        for row in rows[whole:]:
            parts[0] = parts[0] + row
        return ((parts[0] + parts[1]) + parts[2]) + parts[3]

    if len(values) < 8:
        return strands(values)
    whole = len(values) // 8 * 8
    total = values.dtype.type(0)
    for value in (*values[whole:], *strands(values[:whole].reshape(-1, 8))):
        total = total + value
    return total


def gaussian_kernel(size: int, sigma: float, dtype: str) -> np.ndarray:
    """Weights of a Gaussian at `size` integer offsets around 0, summing to 1."""
    half, real = (size - 1) * 0.5, np.dtype(dtype).type
    exponent = real(-0.5) * np.square(linspace(-half, half, size, dtype) / real(sigma))
    density = np.exp(exponent.astype(np.float64)).astype(dtype)
    return density / _sum(density)


def reflect(n: int, before: int, after: int) -> np.ndarray:
    """Positions in an axis of length n, continued by reflection without repeating the edge."""
    period = 2 * (n - 1)
    k = np.abs(np.arange(-before, n + after)) % max(period, 1)
    return np.where(k >= n, period - k, k)


def _correlate(xp: Any, x: Any, weights: np.ndarray, axis: int) -> Any:
    """Σ_k weights[k] · x shifted by k along `axis` (-1 or -2); the axis shortens by len(weights) - 1."""
    n = x.shape[axis] - len(weights) + 1
    total = None
    for k, weight in enumerate(weights.tolist()):
        part = (x[..., k:k + n] if axis == -1 else x[..., k:k + n, :]) * weight
        total = part if total is None else total + part
    return total


def _correlate_2d(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ_ij weights[i, j] · x shifted by (i, j), row by row, each term multiplied and added with one rounding."""
    (taps_y, taps_x), (h, w) = weights.shape, x.shape[-2:]
    h, w = h - taps_y + 1, w - taps_x + 1
    total = np.zeros((*x.shape[:-2], h, w), x.dtype)
    exact = np.empty(total.shape, np.float64)
    for i in range(taps_y):
        for j in range(taps_x):
            np.multiply(x[..., i:i + h, j:j + w], np.float64(weights[i, j]), out=exact)
            exact += total
            total[...] = exact
    return total


def gaussian_blur(xp: Any, x: Any, kernel_size: tuple[int, int], sigma: tuple[float, float],
                  kernel: Callable[[int, float, str], np.ndarray] = gaussian_kernel) -> Any:
    """Blurs with a Gaussian of (kx, ky) taps, the image reflected at its edges; integers are rounded.

    Small kernels are summed exactly as PyTorch's convolution does. Large ones, for speed, go along rows and then
    columns, which moves the last bit of a float (and so one in some ten thousand uint8 pixels by 1).
    """
    dtype = xp.dtype(x)
    fx = floating(xp, x)
    working = dtype if dtype in ("float32", "float64") else "float32"
    (kx, ky), (sx, sy) = kernel_size, sigma
    fx = xp.take(fx, reflect(x.shape[-1], kx // 2, kx // 2), -1)
    fx = xp.take(fx, reflect(x.shape[-2], ky // 2, ky // 2), -2)
    weights_x, weights_y = kernel(kx, sx, working), kernel(ky, sy, working)
    if isinstance(fx, np.ndarray) and kx * ky <= SUMMED_EXACTLY:
        fx = _correlate_2d(fx, np.outer(weights_y, weights_x))
    else:
        fx = _correlate(xp, _correlate(xp, fx, weights_x, -1), weights_y, -2)
    return fx if is_float(dtype) else xp.cast(xp.round(fx), dtype)


def smooth(xp: Any, x: Any) -> Any:
    """The interior (H-2, W-2) under the 3×3 kernel of ones with 5 in the middle, over 13; integers are rounded."""
    fx = floating(xp, x)
    h, w = x.shape[-2:]
    real = np.float64 if xp.dtype(fx) == "float64" else np.float32
    side, middle = real(1) / real(13), real(5) / real(13)
    total = None
    for i in range(3):
        for j in range(3):
            part = fx[..., i:h - 2 + i, j:w - 2 + j] * float(middle if i == j == 1 else side)
            total = part if total is None else total + part
    return total if is_float(xp.dtype(x)) else xp.round(total)


def adjust_sharpness(xp: Any, x: Any, factor: float, fused: bool = False) -> Any:
    """Blends with the smoothed image; the outermost pixels stay. Images of at most 2 pixels a side come back as they
    are."""
    if x.shape[-1] <= 2 or x.shape[-2] <= 2:
        return x
    if fused:
        return _sharpen_interior(xp, x, factor)
    inner = xp.cast(smooth(xp, x), xp.dtype(x))
    return blend(xp, x, _with_interior(xp, x, inner), factor)


def _with_interior(xp: Any, x: Any, inner: Any) -> Any:
    """`x` with all but its outermost pixels replaced by `inner`."""
    rows = xp.concat([x[..., 1:-1, :1], inner, x[..., 1:-1, -1:]], -1)
    return xp.concat([x[..., :1, :], rows, x[..., -1:, :]], -2)


def _sharpen_interior(xp: Any, x: Any, factor: float) -> Any:
    """v2's arithmetic: x + (1 - factor)·(smoothed - x) in one multiply-add, everything clipped."""
    dtype = xp.dtype(x)
    fx = floating(xp, x)
    inner = fx[..., 1:-1, 1:-1]
    share = 1.0 - factor
    sharp = xp.multiply_add(smooth(xp, x) - inner, inner.dtype.type(share) if isinstance(inner, np.ndarray) else share,
                            inner)
    return xp.cast(xp.clip(_with_interior(xp, fx, sharp), 0, max_value(dtype)), dtype)


def softmax_gaussian(size: int, sigma: float, dtype: str) -> np.ndarray:
    """`gaussian_kernel` as v2 computes it: the softmax of -(x / sigma)², x in units of √2."""
    limit, real = (size - 1) / (2.0 * math.sqrt(2.0)), np.dtype(dtype).type
    exponent = -np.square(linspace(-limit, limit, size, dtype) / real(sigma))
    density = np.exp((exponent - exponent.max()).astype(np.float64)).astype(dtype)
    return density / _sum(density)
