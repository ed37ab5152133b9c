"""Regions of interest in feature maps, by NumPy: their number and sizes change from call to call.

A bin of a region is a weighted sum of pixels, and the weights are products of one for the row and one for the column:
with matrices A (bins × rows) and B (bins × columns), the region's result is A · features · Bᵀ, and its gradient
Aᵀ · gradient · B. `Sums` runs and differentiates that, on the part of the map where the weights are not zero.
"""
from __future__ import annotations

from typing import Callable, Iterator

import numpy as np

from ... import from_numpy
from ...autograd import Function
from ...tensor.tensor import Tensor

# one region: its image, the features' rows and columns that it touches, and the weights of those for each bin
Region = tuple[int, slice, slice, np.ndarray, np.ndarray]


class Sums(Function):
    """`regions` gives each `Region`. Without `by_place` (K, C, ph, pw); with it the channels are (C, ph, pw) and each
    bin reads its own: (K, C / (ph · pw), ph, pw)."""

    @staticmethod
    def forward(ctx, input: Tensor, regions: list[Region], output_size: tuple[int, int], by_place: bool) -> Tensor:
        features = input.detach().numpy()
        channels = features.shape[1] // (output_size[0] * output_size[1] if by_place else 1)
        result = np.zeros((len(regions), channels, *output_size), features.dtype)
        for out, (image, rows, columns, a, b) in zip(result, regions):
            part = features[image, :, rows, columns]
            if by_place:
                part = part.reshape(channels, *output_size, *part.shape[1:])
                out[:] = np.einsum("pi,cpqij,qj->cpq", a, part, b, optimize=True)
            else:
                out[:] = a @ part @ b.T
        ctx.setup = regions, output_size, by_place, input.shape
        return from_numpy(result)

    @staticmethod
    def backward(ctx, grad: Tensor):
        regions, output_size, by_place, shape = ctx.setup
        grads = grad.detach().numpy()
        result = np.zeros(tuple(shape), grads.dtype)
        for g, (image, rows, columns, a, b) in zip(grads, regions):
            if by_place:
                part = np.einsum("pi,cpq,qj->cpqij", a, g, b, optimize=True).reshape(shape[1], a.shape[1], b.shape[1])
            else:
                part = a.T @ g @ b
            result[image, :, rows, columns] += part
        return from_numpy(result), None, None, None


class Maxima(Function):
    """The largest value in each bin of each region, 0 for empty bins: (K, C, ph, pw).

    `regions` gives (image, [(row slice, column slice)] by bin) for each.
    """

    @staticmethod
    def forward(ctx, input: Tensor, regions: list, output_size: tuple[int, int]) -> Tensor:
        features = input.detach().numpy()
        channels, width = features.shape[1], features.shape[3]
        result = np.zeros((len(regions), channels, output_size[0] * output_size[1]), features.dtype)
        places = np.full(result.shape, -1)
        for k, (image, bins) in enumerate(regions):
            for i, (rows, columns) in enumerate(bins):
                part = features[image, :, rows, columns]
                if part.size:
                    flat = part.reshape(channels, -1).argmax(1)
                    y, x = np.unravel_index(flat, part.shape[1:])
                    places[k, :, i] = (y + rows.start) * width + x + columns.start
                    result[k, :, i] = part.reshape(channels, -1)[np.arange(channels), flat]
        ctx.setup = [image for image, _ in regions], places, input.shape
        return from_numpy(result.reshape(len(regions), channels, *output_size))

    @staticmethod
    def backward(ctx, grad: Tensor):
        images, places, shape = ctx.setup
        grads = grad.detach().numpy().reshape(places.shape)
        result = np.zeros((shape[0], shape[1], shape[2] * shape[3]), grads.dtype)
        channel = np.broadcast_to(np.arange(shape[1])[:, None], places.shape[1:])
        for image, where, g in zip(images, places, grads):
            found = where >= 0
            np.add.at(result[image], (channel[found], where[found]), g[found])
        return from_numpy(result.reshape(tuple(shape))), None, None


def sampled(starts: np.ndarray, sizes: np.ndarray, bins: int, ratio: int, length: int) -> Iterator[tuple]:
    """For each region along one axis, (slice of the axis, weights (bins × its length)) of bilinear samples.

    A bin is the mean of `ratio` samples in it (0 or less: as many as it is pixels wide, rounded up). A sample outside
    [-1, length] counts as 0; one in the last pixel outside is moved to the edge.
    """
    one = starts.dtype.type(1)
    for start, size in zip(starts, sizes):
        count = ratio if ratio > 0 else int(np.ceil(size / bins))
        step = size / starts.dtype.type(bins)
        inside = (np.arange(count, dtype=starts.dtype) + starts.dtype.type(0.5)) * step / max(count, 1)
        at = start + np.arange(bins, dtype=starts.dtype)[:, None] * step + inside
        valid = (at >= -1) & (at <= length)
        at = np.clip(at, 0, length - 1)
        low = at.astype(np.int64)
        high = np.minimum(low + 1, length - 1)
        share = at - low
        first, last = (int(low.min()), int(high.max()) + 1) if at.size else (0, 0)
        weights = np.zeros((bins, last - first), starts.dtype)
        bin = np.broadcast_to(np.arange(bins)[:, None], at.shape)
        for place, weight in ((low, one - share), (high, share)):
            np.add.at(weights, (bin, place - first), np.where(valid, weight, 0) / max(count, 1))
        yield slice(first, last), weights


def half_away(x: np.ndarray) -> np.ndarray:
    """Rounds halves away from zero."""
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    """A height and a width from one number or two."""
    return (size, size) if isinstance(size, int) else (size[0], size[-1])


def images_and_corners(rois: Tensor, dtype: np.dtype) -> tuple[list[int], np.ndarray]:
    """The images and the (x1, y1, x2, y2) of rois (K, 5)."""
    array = rois.detach().numpy()
    return array[:, 0].astype(int).tolist(), array[:, 1:].astype(dtype)


def make_regions(input: Tensor, rois: Tensor, axis: Callable[[np.ndarray, np.ndarray, int, int], Iterator[tuple]],
                 output_size: tuple[int, int]) -> list[Region]:
    """The regions whose rows and columns `axis(low, high, bins, length)` gives."""
    images, corners = images_and_corners(rois, input.detach().numpy().dtype)
    rows = axis(corners[:, 1], corners[:, 3], output_size[0], input.shape[2])
    columns = axis(corners[:, 0], corners[:, 2], output_size[1], input.shape[3])
    return [(image, y, x, a, b) for image, (y, a), (x, b) in zip(images, rows, columns)]
