"""Blocks of a contraction: which loops are cut, so that what a chunk reads or writes is still near when it is used again."""
from __future__ import annotations

from math import ceil, prod
from typing import Any, Sequence

import numpy as np

from .contraction import Contraction

L2_BYTES = 512 * 1024        # of the L2 of most CPUs, at least; half of it holds a block's operands
FAR_BYTES = 1024             # distance of neighbours in a column from which on their lines are far from each other
BLOCK = 1024                 # elements of a row that are worth coming back for
CACHE_WAYS = 8               # lines of one set in the first cache


def footprint(c: Contraction, tile: Sequence[int], operand: str) -> int:
    """Elements of an operand that one register tile reads."""
    return prod(r.size for r in c.reduced if r.stride(operand)) * \
        prod(t for x, t in zip(c.outer, tile) if x.stride(operand))


def is_long(c: Contraction, tile: tuple[int, ...]) -> bool:
    """Whether the reduction is so long that what one tile reads overflows the second cache. (Less than that streams in
    fast enough.) Its chunks are larger, and cut into blocks which all tiles of the chunk use while they are near."""
    return sum(footprint(c, tile, op) for op in "ab") * np.dtype(c.accumulate).itemsize > L2_BYTES


def fitting_block(c: Contraction, tile: tuple[int, ...], order: tuple[int, ...], reduced_order: tuple[int, ...],
                  depth: int, group: int, packs: Sequence[Any]) -> tuple[int, int]:
    """(position in reduced_order, block) such that what a chunk reads in one block fits the cache; (-1, 0) if all does, or
    if a chunk uses it only once."""
    item = np.dtype(c.accumulate).itemsize
    span = list(tile)  # elements of each output axis in a chunk
    for position, i in enumerate(order):
        if position == depth:
            span[i] = min(group * tile[i], c.outer[i].size)
        elif position > depth:
            span[i] = c.outer[i].size
    if prod(ceil(s / t) for s, t in zip(span, tile)) < 2:
        return -1, 0
    # elements a step that all tiles of the chunk use: of packed operands those that are packed at once
    held = {op: prod(s for x, s in zip(c.outer, span) if x.stride(op)) for op in "ab"}
    held.update({p.operand: p.panels * tile[p.axis] for p in packs})
    wanted = L2_BYTES // 2 // (sum(held.values()) * item)
    if wanted < 96:  # the partial sums would come and go too often
        return -1, 0
    inner = 1
    for position in reversed(range(len(reduced_order))):
        size = c.reduced[reduced_order[position]].size
        if inner * size > wanted:
            return position, max(1, wanted // inner)
        inner *= size
    return -1, 0


def cut_rows(c: Contraction, tile: tuple[int, ...], axis: int,
             order: tuple[int, ...]) -> tuple[Contraction, tuple[int, ...], int, tuple[int, ...]]:
    """(contraction, tile, vectors' axis, order) as given, but where inner loops jump from row to row of a large result, the vectors' axis is cut
    into blocks, and runs inside of them. The strips that a register tile writes would fall into few cache sets, half written."""
    same = c, tile, axis, order
    if axis < 0 or c.borders or c.outer[axis].out != 1 or order[-1] == axis:
        return same
    item = np.dtype(c.accumulate).itemsize
    inner = order[order.index(axis) + 1:]
    if prod(x.size for x in c.outer) * item <= L2_BYTES or any(abs(c.outer[i].out or 0) * item < FAR_BYTES for i in inner):
        return same
    steps = max(1, prod(r.size for r in c.reduced))
    n = _divisor(c.outer[axis].size, min(BLOCK, L2_BYTES // 2 // (steps * item)))
    if n < 4 * tile[axis]:
        return same
    return c.cut_outer(axis, n), (*tile[:axis], 1, *tile[axis:]), axis + 1, (*[i + (i > axis) for i in order], axis + 1)


def sum_block(c: Contraction, lanes: int) -> int:
    """The steps in a block of a long reduction with vectors of so many lanes along it: one operand's block stays in the second cache
    while the other's rows go by. 0: it is not cut."""
    if lanes == 1 or len(c.reduced) != 1 or len(c.outer) != 2:
        return 0
    line = min(x.size for x in c.outer) * np.dtype(c.accumulate).itemsize  # bytes a step of the operand that has fewer rows
    steps = c.reduced[0].size
    n = _divisor(steps, min(BLOCK, L2_BYTES // 2 // line), lanes) if line * steps > L2_BYTES else 0
    return n if n >= BLOCK // 4 else 0


def walks_columns(c: Contraction, axis: int) -> bool:
    """Whether tiles with vectors along this output axis walk down the columns of a large operand: its lines, which fall into few
    cache sets, would be gone before the next tile, unless a block has no more of them than a set."""
    if axis < 0 or len(c.reduced) != 1 or c.borders:
        return False
    x, r = c.outer[axis], c.reduced[0]
    item = np.dtype(c.accumulate).itemsize
    stride = r.stride("a" if x.a else "b")
    return abs(stride) * item >= FAR_BYTES and r.size >= 4 * CACHE_WAYS and x.size * r.size * item > L2_BYTES


def _divisor(size: int, most: int, unit: int = 1) -> int:
    """The largest proper divisor of size that is at most `most` and a multiple of `unit`, or 0."""
    return max((d for d in range(unit, min(most, size // 2) + 1, unit) if size % d == 0), default=0)
