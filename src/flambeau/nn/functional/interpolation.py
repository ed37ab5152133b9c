"""Resizing signals, images and volumes: nearest, linear, cubic, Lanczos and area interpolation.

Every mode but "area" is separable: along each dimension, each output pixel is a weighted sum of a few input pixels, its
taps. Their indices and weights depend on the sizes only, so they are computed once by NumPy, in the precision in which
PyTorch computes them.
"""

# ruff: noqa: F821
from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any, Sequence

import numpy as np

from ... import primitives as p
from ...dtypes import float32, float64, int64, uint8
from ...ops.creation import from_array
from ...tensor.op import op
from ...tensor.placement import follow
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

RANK = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5, "lanczos": 4}  # dimensions of the input
NEAREST = ("nearest", "nearest-exact")
MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"


# ------------------------------------------------------------------ filters and taps


def cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel (1981) of parameter a."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0)).astype(x.dtype)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos3(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0).astype(x.dtype)


# the filter of an antialiased mode and its width in input pixels
_FILTERS = {"bilinear": (_triangle, 2), "bicubic": (lambda x: cubic(x, -0.5), 4), "lanczos": (_lanczos3, 6)}


def _scale(n: int, out: int, factor: float | None, align_corners: bool, real: type) -> Any:
    """Input pixels per output pixel."""
    if align_corners:
        return real(n - 1) / real(out - 1) if out > 1 else real(0)
    return real(1.0 / factor) if factor else real(n) / real(out)


def _nearest_taps(n: int, out: int, factor: float | None, exact: bool) -> tuple[np.ndarray, None]:
    scale = _scale(n, out, factor, False, np.float32)
    place = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return np.minimum(np.floor(place * scale).astype(np.int64), n - 1)[None], None


def _taps(
    n: int, out: int, factor: float | None, mode: str, align_corners: bool, real: type
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (taps, out) of linear and cubic interpolation."""
    scale = _scale(n, out, factor, align_corners, real)
    at = np.arange(out, dtype=real)
    place = (
        at if out == n and mode != "bicubic" else at * scale if align_corners else (at + real(0.5)) * scale - real(0.5)
    )
    if mode != "bicubic":
        place = np.maximum(place, real(0))
    first = np.minimum(np.floor(place).astype(np.int64), n - 1)
    t = np.clip(place - first.astype(real), real(0), real(1))
    if mode == "bicubic":
        index = np.stack([first + k for k in (-1, 0, 1, 2)])
        return np.clip(index, 0, n - 1), np.stack([cubic(t - real(k), -0.75) for k in (-1, 0, 1, 2)])
    return np.stack([first, np.minimum(first + 1, n - 1)]), np.stack([real(1) - t, t])


def _antialiased_taps(
    n: int, out: int, factor: float | None, mode: str, align_corners: bool, real: type
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (taps, out) of a filter that widens as the image shrinks."""
    kernel, width = _FILTERS[mode]
    scale = _scale(n, out, factor, align_corners, real)
    stretch = max(scale, real(1))
    support, half = real(width * 0.5) * stretch, real(0.5)
    centre = (np.arange(out, dtype=real) + half) * scale
    low = np.maximum((centre - support + half).astype(np.int64), 0)
    high = np.minimum((centre + support + half).astype(np.int64), n)
    index = low + np.arange(max(int((high - low).max(initial=1)), 1))[:, None]
    weight = kernel(((index.astype(real) - centre + half) / stretch).astype(real))
    weight = np.where(index < high, weight, real(0))
    return np.minimum(index, n - 1), (weight / weight.sum(0)).astype(real)


@lru_cache(256)
def _tap_tensors(
    n: int, out: int, factor: float | None, mode: str, align_corners: bool, antialias: bool, double: bool
) -> tuple:
    """The taps of one dimension as tensors: (indices,) or (indices, weights)."""
    real = np.float64 if double else np.float32
    if mode in NEAREST:
        index, weight = _nearest_taps(n, out, factor, mode == "nearest-exact")
    else:
        index, weight = (_antialiased_taps if antialias else _taps)(n, out, factor, mode, align_corners, real)
    tensors = (from_array(np.ascontiguousarray(index), int64),)
    return (
        tensors
        if weight is None
        else (*tensors, from_array(np.ascontiguousarray(weight, dtype=real), float64 if double else float32))
    )


def _nearest_body(input, taps):
    for dim, index in enumerate(taps, 2):
        input = p.take(input, p.reshape(index, (index.shape[1],)), dim)
    return input


def _weighted_body(input, taps):
    x = p.cast(input, taps[1].dtype)
    for dim in range(x.ndim - 1, 1, -1):  # the last dimension first, as PyTorch
        index, weight = taps[2 * dim - 4], taps[2 * dim - 3]
        picked = p.take(x, index, dim)  # (…, taps, out, …)
        weight = p.reshape(weight, (*weight.shape, *(1,) * (x.ndim - 1 - dim)))
        x = p.reduce_sum(picked * weight, (dim,))
        if input.dtype is uint8:
            x = p.minimum(p.maximum(p.round_even(x), 0.0), 255.0)
    return p.cast(x, input.dtype)


def _resampler(name: str, body: Any) -> Any:
    """An op of its own, so that grad_fn has PyTorch's name."""

    @op(name + "Backward0", name=name)
    def resample(input: Tensor, taps: Tensors):
        return body(input, taps)

    return resample


_OPS = {
    (mode, nd): _resampler(f"Upsample{'Nearest' if mode == 'nearest' else 'NearestExact'}{nd}D", _nearest_body)
    for mode in NEAREST
    for nd in (1, 2, 3)
}
_OPS |= {
    (mode, RANK[mode] - 2): _resampler(f"Upsample{mode.capitalize()}{RANK[mode] - 2}D", _weighted_body) for mode in RANK
}
_ANTIALIASED = {mode: _resampler(f"Upsample{mode.capitalize()}2DAa", _weighted_body) for mode in _FILTERS}


# ------------------------------------------------------------------ public functions


def _sizes(
    input: Any, size: Any, scale_factor: Any, recompute: bool | None, mode: str
) -> tuple[list[int], Sequence[float | None]]:
    """Output sizes, and the factors to compute with (None: the ratio of the sizes)."""
    spatial = list(input._geometry()[0][2:])
    nd = input.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        if not isinstance(size, (list, tuple)):
            size = [size] * nd
        if len(size) != nd:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input "
                "with spatial dimensions of "
                f"{spatial} and output size of {size}. Please provide input tensor in (N, C, d1, d2, "
                "...,dK) format and "
                "output size in (o1, o2, ...,oK) format."
            )
        if not all(hasattr(s, "__index__") and not isinstance(s, bool) for s in size):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, "
                "int], but got size with "
                f"types {[type(s) for s in size]}"
            )
        return [s.__index__() for s in size], [None] * nd
    factors = list(scale_factor) if isinstance(scale_factor, (list, tuple)) else [scale_factor] * nd
    if len(factors) != nd:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input "
            "with spatial dimensions of "
            f"{spatial} and scale_factor of shape {scale_factor}. Please provide input tensor in (N, "
            "C, d1, d2, ...,dK) format "
            "and scale_factor in (s1, s2, ...,sK) format."
        )
    factors = [float(f) for f in factors]
    out = [math.floor(n * f) for n, f in zip(spatial, factors)]
    return out, [None] * nd if recompute or mode == "area" else factors


def _check(input: Any, out: list[int], mode: str) -> None:
    """Raises PyTorch's errors for a rank, size or dtype that the mode does not take."""
    rank = input.ndim
    if mode in RANK and rank != RANK[mode] and 3 <= rank <= 5 and mode not in ("bicubic", "lanczos"):
        raise NotImplementedError(f"Got {rank}D input, but {mode} mode needs {RANK[mode]}D input")
    if not 3 <= rank <= 5 or mode not in (*RANK, *NEAREST, "area") or mode in RANK and rank != RANK[mode]:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {rank}D) for the modes: {MODES} (got {mode})"
        )
    spatial = input._geometry()[0][2:]
    if min(*spatial, *out) <= 0:
        names = "DHW"[5 - rank :]
        before, after = (", ".join(f"{a}: {n}" for a, n in zip(names, sizes)) for sizes in (spatial, out))
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({before}) "
            f"{'and ' if rank == 3 else ''}output ({after})"
        )
    if input.dtype.kind != "f" and input.dtype is not uint8:
        raise NotImplementedError(
            f'"{"upsample_nearest" if mode in NEAREST else "compute_indices_weights_" + mode}" not implemented for '
            f"'{input.dtype._legacy}'"
        )


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """Resizes the dimensions after the first two of (N, C, *) to `size`, or by `scale_factor`.

    size, scale_factor:  one of them: a number, or one for each dimension.
    mode:  "nearest", "nearest-exact" (pixel centres) and "area" (averages) for one to three dimensions, "linear" for
           one, "bilinear", "bicubic" (Keys, a = −0.75) and "lanczos" for two, "trilinear" for three.
    align_corners:  the outer pixels' centres, not their edges, are put on each other; for the linear and cubic modes.
    recompute_scale_factor:  compute with the ratio of the sizes rather than with the given factor.
    antialias:  widens the filter as the image shrinks (then a = −0.5): "bilinear", "bicubic" and "lanczos".
    """
    if mode in ("area", *NEAREST) and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    out, factors = _sizes(input, size, scale_factor, recompute_scale_factor, mode)
    if antialias and not (mode in _FILTERS and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "lanczos" and input.ndim == 4 and (align_corners or not antialias):
        raise ValueError(
            "Lanczos mode does not support align_corners=True"
            if align_corners
            else "Lanczos mode requires antialias=True"
        )
    _check(input, out, mode)
    if mode == "area":
        return {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}[input.ndim](input, out)
    taps = [
        follow(t, input)
        for n, o, f in zip(input._geometry()[0][2:], out, factors)
        for t in _tap_tensors(n, o, f, mode, bool(align_corners), bool(antialias), input.dtype is float64)
    ]
    return (_ANTIALIASED[mode] if antialias else _OPS[mode, input.ndim - 2])(input, taps)


def _deprecated(name: str) -> None:
    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Deprecated name of `interpolate`."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """Deprecated name of `interpolate` with mode="nearest"."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """Deprecated name of `interpolate` with mode="bilinear" and align_corners=True."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
