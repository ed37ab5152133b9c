"""Strided views as ONNX sees memory: reshape, slice, transpose, reshape.

A view (shape, strides, offset) of a row-major value is taken apart by reading its strides as the place values of a
mixed-radix number: each level of the value's memory is either kept, cut or left out.
"""
from __future__ import annotations

from math import prod
from typing import NamedTuple, Sequence

from ..ir.types import contiguous_strides


class Steps(NamedTuple):
    """reshape to `levels`; slice starts:stops; transpose by `perm`; reshape to `kept`, which broadcasts to the view."""

    levels: tuple[int, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    perm: tuple[int, ...]
    kept: tuple[int, ...]


def take_apart(base: Sequence[int], shape: Sequence[int], strides: Sequence[int], offset: int) -> Steps | None:
    """How the view comes about; None if its strides do not nest (overlapping windows, steps that divide no size)."""
    size = prod(base)
    if not size or 0 in shape:
        return None
    kept = tuple(1 if stride == 0 else n for n, stride in zip(shape, strides))
    dims = sorted((i for i, n in enumerate(kept) if n > 1), key=lambda i: -strides[i])
    own = {s for n, s in zip(base, contiguous_strides(tuple(base))) if n > 1}
    needed = {strides[i] for i in dims}
    for places in (needed | own, needed):  # in the base's own dimensions if they allow it
        steps = _by_places(size, sorted(places, reverse=True), kept, strides, offset, dims)
        if steps is not None:
            return steps
    return None


def _by_places(size: int, places: list[int], kept: tuple[int, ...], strides: Sequence[int], offset: int,
               dims: list[int]) -> Steps | None:
    if not places or places[-1] != 1:
        places = [*places, 1]
    bounds = [size, *places]
    if any(a % b for a, b in zip(bounds, places)):
        return None
    levels = [a // b for a, b in zip(bounds, places)]
    starts = []
    for place in places:
        starts.append(offset // place)
        offset %= place
    stops = [start + 1 for start in starts]
    owners: dict[int, list[int]] = {}  # the levels that make up each dimension of the view
    for i in dims:
        level, left, owners[i] = places.index(strides[i]), kept[i], []
        while left > 1:  # a dimension may run over several whole levels
            if level < 0 or any(level in others for others in owners.values()):
                return None
            extent = left if left <= levels[level] else levels[level]
            if left > extent and (starts[level] or left % extent):
                return None
            if starts[level] + extent > levels[level]:
                return None
            stops[level] = starts[level] + extent
            owners[i].insert(0, level)
            left //= extent
            level -= 1
    order = [level for i in sorted(owners) for level in owners[i]]
    rest = [level for level in range(len(levels)) if level not in order]
    return Steps(tuple(levels), tuple(starts), tuple(stops), tuple(rest + order), kept)
