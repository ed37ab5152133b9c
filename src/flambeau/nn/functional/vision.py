"""Rearranging channels and pixels, and sampling images at the points of a grid."""

# ruff: noqa: F821
from __future__ import annotations

import itertools
import math
import warnings
from typing import Sequence

import numpy as np

from ... import primitives as p
from ...dtypes import dtype, float32, float64, int64
from ...ir.graph import Var
from ...ops.creation import from_array, linspace
from ...tensor.op import op


@op("PixelShuffleBackward0")
def pixel_shuffle(input: Tensor, upscale_factor):
    """(*, C·r², H, W) → (*, C, H·r, W·r): r² channels become the pixels of an r by r square (Shi et al. 2016)."""
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
            "upscale_factor, but "
            f"input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    x = p.reshape(input, (*batch, c // (r * r), r, r, h, w))
    x = p.permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return p.reshape(x, (*batch, c // (r * r), h * r, w * r))


@op("PixelUnshuffleBackward0")
def pixel_unshuffle(input: Tensor, downscale_factor):
    """(*, C, H·r, W·r) → (*, C·r², H, W): the inverse of pixel_shuffle."""
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for size, name, at in ((h, "height", -2), (w, "width", -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({at})={size} is not "
                f"divisible by {r}"
            )
    n = len(batch)
    x = p.reshape(input, (*batch, c, h // r, r, w // r, r))
    x = p.permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return p.reshape(x, (*batch, c * r * r, h // r, w // r))


@op("ChannelShuffleBackward0")
def channel_shuffle(input: Tensor, groups):
    """Interleaves the channels of `groups` groups of (N, C, *) (Zhang et al. 2018)."""
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    b, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    x = p.reshape(input, (b, groups, c // groups, *rest))
    return p.reshape(p.permute(x, (0, 2, 1, *range(3, x.ndim))), input.shape)


# ------------------------------------------------------------------ sampling at the points of a grid


def _clipped(x: Var, n: int) -> Var:
    """x within [0, n − 1]; the gradient is 0 at the borders and beyond."""
    return p.select(p.gt(x, 0), p.select(p.lt(x, n - 1), x, float(n - 1)), 0.0)


def _reflected(x: Var, n: int, align_corners: bool) -> Var:
    """x reflected at the outer pixels' centres, or edges, until it is inside."""
    low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
    if span == 0:
        return x * 0.0
    distance = p.absolute(x - low)
    extra = p.fmod(distance, span)
    flips = p.stop_gradient(p.floor(distance / span))
    return p.select(p.eq(p.remainder(flips, 2.0), 0), extra + low, (span + low) - extra)


def _padded_place(x: Var, n: int, padding_mode: str, align_corners: bool) -> Var:
    """A coordinate in pixels, moved inside as the padding mode says."""
    if padding_mode == "reflection":
        x = _reflected(x, n, align_corners)
    return x if padding_mode == "zeros" else _clipped(x, n)


def _place(x: Var, n: int, align_corners: bool) -> Var:
    """The pixel coordinate of a coordinate in [−1, 1]."""
    if align_corners:
        return (x + 1.0) * ((n - 1) / 2)
    wide = p.cast(x + 1.0, float64) * (n / 2) - 0.5  # product and sum rounded once: at the pixels themselves the last bit matters
    return p.cast(wide, x.dtype)


def _pixels(flat: Var, at: Sequence[Var], sizes: Sequence[int]) -> Var:
    """The pixels of flat (N, C, pixels) at whole coordinates (N, P) per dimension; those outside are 0."""
    inside, index = None, None
    for x, n in zip(at, sizes):
        ok = p.bitwise_and(p.ge(x, 0), p.le(x, n - 1))
        inside = ok if inside is None else p.bitwise_and(inside, ok)
        i = p.cast(p.select(ok, x, 0.0), int64)
        index = i if index is None else index * n + i
    n, c, _ = flat.shape
    shape = (n, c, index.shape[1])

    def to_channels(v: Var) -> Var:
        return p.broadcast_to(p.reshape(v, (n, 1, shape[2])), shape)

    return p.select(to_channels(inside), p.gather(flat, to_channels(index), 2), 0.0)


def _weighted_pixels(flat: Var, corners: Sequence[Sequence[tuple[Var, Var]]], sizes: Sequence[int]) -> Var:
    """The sum over all choices of one (coordinate, weight) per dimension of the weighted pixels there."""
    total = None
    for choice in itertools.product(*corners):
        weight = choice[0][1]
        for _, w in choice[1:]:
            weight = weight * w
        part = _pixels(flat, [x for x, _ in choice], sizes) * p.reshape(weight, (weight.shape[0], 1, weight.shape[1]))
        total = part if total is None else total + part
    return total


def _cubic_weights(t: Var) -> list[Var]:
    """Keys' cubic convolution (1981) with a = −0.75, for the pixels at −1, 0, 1, 2 and a point at t in [0, 1)."""
    a = -0.75

    def near(x: Var) -> Var:
        return ((a + 2) * x - (a + 3)) * x * x + 1.0

    def far(x: Var) -> Var:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]


@op("GridSamplerBackward0", name="grid_sample")
def _grid_sample(input: Tensor, grid: Tensor, mode, padding_mode, align_corners):
    n, c, *sizes = input.shape
    points = math.prod(grid.shape[1:-1])
    wide = float64 if input.dtype is float64 else float32
    flat = p.cast(p.reshape(input, (n, c, math.prod(sizes))), wide)
    columns = p.reshape(p.cast(grid, wide), (n, points, len(sizes)))
    # the grid's last dimension is (x, y, z): the image's last dimension first
    at = [
        _place(p.reshape(p.slice_dim(columns, 2, d, d + 1), (n, points)), size, align_corners)
        for d, size in zip(range(len(sizes) - 1, -1, -1), sizes)
    ]
    if mode == "bicubic":
        corners = []
        for x, size in zip(at, sizes):
            first = p.stop_gradient(p.floor(x))
            corners.append(
                [
                    (p.stop_gradient(_padded_place(first + float(k), size, padding_mode, align_corners)), w)
                    for k, w in zip((-1, 0, 1, 2), _cubic_weights(x - first))
                ]
            )
        out = _weighted_pixels(flat, corners, sizes)
    else:
        at = [_padded_place(x, size, padding_mode, align_corners) for x, size in zip(at, sizes)]
        if mode == "nearest":
            # weights of 1 that depend on x: the grid's gradient is 0, not absent
            out = _weighted_pixels(
                flat, [[(p.stop_gradient(p.round_even(x)), p.select(p.isnan(x), x, 1.0))] for x in at], sizes
            )
        else:
            firsts = [p.stop_gradient(p.floor(x)) for x in at]
            out = _weighted_pixels(flat, [[(i, 1.0 - (x - i)), (i + 1.0, x - i)] for x, i in zip(at, firsts)], sizes)
    return p.cast(p.reshape(out, (n, c, *grid.shape[1:-1])), input.dtype)


def _default_corners(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify "
            "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
            stacklevel=3,
        )
    return bool(align_corners)


def _check_grid(input, grid, mode) -> None:
    """Raises PyTorch's errors for shapes and dtypes that do not fit."""
    if input.dtype is not grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{input.dtype.c_name} and grid has {grid.dtype.c_name}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but got grid with sizes "
            f"{list(grid.shape)}"
        )
    if min(input.shape[2:], default=1) <= 0:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{list(input.shape)}"
        )
    if input.ndim not in (4, 5) or input.ndim != grid.ndim:
        raise RuntimeError(
            f"grid_sampler(): expected {4 if input.ndim == 4 else 5}D input and grid with same number "
            "of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.ndim == 5 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The values of images (N, C, [D,] H, W) at the points of grid (N, *T, 2 or 3): (N, C, *T).

    grid:  coordinates (x, y[, z]) in [−1, 1]: the centres of the outer pixels with align_corners, else their edges.
    mode:  "bilinear" (for volumes, too), "nearest" or "bicubic" (images only).
    padding_mode:  what is outside: "zeros", "border" (the nearest pixel of it) or "reflection".
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    align_corners = _default_corners(align_corners)
    _check_grid(input, grid, mode)
    return _grid_sample(input, grid, mode, padding_mode, align_corners)


@op("AffineGridGeneratorBackward0", name="affine_grid")
def _affine_grid(theta: Tensor, points: Tensor, size):
    out = p.dot(p.cast(points, theta.dtype), theta, (1,), (2,))  # (points, N, d)
    return p.reshape(p.permute(out, (1, 0, 2)), (theta.shape[0], *size, len(size)))


def _grid_points(size: Sequence[int], align_corners: bool, dt: dtype) -> np.ndarray:
    """(x, y[, z], 1) of every pixel (pixels, d + 1), rounded to dt after each step: where an image is sampled at its own pixels, the last
    bit decides between which of them a place lies, and so the gradient."""
    axes = []
    for n in size:
        ends = linspace(-1, 1, n, dtype=dt, device="cpu").numpy() if n > 1 else np.zeros(1, dt.np)  # type: ignore[attr-defined]
        axes.append(ends if align_corners else ends * dt.np.type(n - 1) / dt.np.type(n))
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.stack([*(m.ravel() for m in mesh[::-1]), np.ones(mesh[0].size, dt.np)], 1)


def affine_grid(theta, size, align_corners=None):
    """Grids for `grid_sample` of images of `size` (N, C, [D,] H, W): (N, *T, 2 or 3).

    They hold each pixel's place under the affine map theta.

    theta:  (N, 2, 3) for images, (N, 3, 4) for volumes. align_corners: as in `grid_sample`.
    """
    align_corners = _default_corners(align_corners)
    if theta.dtype.kind != "f":
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {size}."
        )
    d = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (d, d + 1):
        raise ValueError(
            f"Expected a batch of {d}D affine matrices of shape Nx{d}x{d + 1} for size {size}. Got {theta.shape}."
        )
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an "
            "intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    dt = float64 if theta.dtype is float64 else float32
    return _affine_grid(theta, from_array(_grid_points(size[2:], align_corners, dt), dt, theta), tuple(size[2:]))
