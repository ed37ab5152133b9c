"""Copies that turn rows into columns: blocks of vectors are transposed in registers, so that both sides move whole vectors."""
from __future__ import annotations

from math import prod
from typing import Sequence

from ..dtypes import bool_
from .affine import Affine
from .elements import memory_type
from .expression import Load
from .kernel import CHUNK, Kernel, chunked
from .llvm import ir
from .llvm.emit import Emitter, Value, const, itemsize, vector
from .schedule import Map

COST = 2  # of an element that is turned, in elements that are only copied


def turned_axis(step: Map, sizes: Sequence[int], source: Affine, target: Affine, lanes: int) -> int | None:
    """The dimension along which the source of a plain copy is contiguous, if that is not the target's; None for other maps.

    sizes, source, target: the copy's collapsed domain and maps.
    """
    if len(step.stores) != 1 or not isinstance(step.stores[0].value, Load) or step.stores[0].target.dtype is bool_:
        return None
    last = len(sizes) - 1
    if last < 1 or target.coefficients[last] != 1 or source.coefficients[last] in (0, 1) or sizes[last] < lanes:
        return None
    return next((d for d in range(last) if source.coefficients[d] == 1 and sizes[d] >= lanes), None)


def emit_transpose(k: Kernel, step: Map, sizes: Sequence[int], source: Affine, target: Affine, axis: int) -> int:
    """Writes the copy; returns its number of chunks. A strip is up to four vectors wide in the target: two cache lines
    or so of each of its rows, which may all lie on pages of their own."""
    e, store = k.e, step.stores[0]
    assert isinstance(store.value, Load)
    t = memory_type(store.target.dtype)
    k.prepare([store.value.var, store.target])
    x, y = e.at(k.pointer(store.value.var), source.constant, t), e.at(k.pointer(store.target), target.constant, t)
    last = len(sizes) - 1
    width, height = sizes[last], sizes[axis]
    lanes = min(e.target.isa.lanes(itemsize(t)), 1 << (min(width, height).bit_length() - 1))
    rest = [d for d in range(last) if d != axis]
    vectors = -(-width // lanes)
    strips = -(-vectors // 4)
    strip = -(-vectors // strips) * lanes
    # a long strip is cut, too
    blocks = -(-height // lanes)
    pieces = -(-blocks // max(1, CHUNK // (COST * strip * lanes)))
    piece = -(-blocks // pieces) * lanes
    start, stop, chunks = chunked(k, prod([sizes[d] for d in rest]) * strips * pieces, COST * strip * piece)
    with e.loop(start, stop, name="strip") as item:
        *index, number, top = e.unravel(item, [*[sizes[d] for d in rest], strips, pieces])
        for d, i in zip(rest, index):
            x, y = (e.at(p, e.mul(i, m.coefficients[d]), t) for p, m in ((x, source), (y, target)))
        first, top = e.mul(number, strip), e.mul(top, piece)
        # the last block of a row or a column begins early enough to be whole: some of it is copied twice
        with e.loop(top, e.min(e.add(top, piece), height), lanes, "row") as row:
            r = e.min(row, height - lanes)
            with e.loop(0, strip, lanes, "column") as j:
                c = e.min(e.add(first, j), width - lanes)
                transpose_block(e, t, lanes, e.at(x, e.add(e.mul(c, source.coefficients[last]), r), t), source.coefficients[last],
                                e.at(y, e.add(e.mul(r, target.coefficients[axis]), c), t), target.coefficients[axis], lanes, lanes)
    k.finish()
    return chunks


def transpose_block(e: Emitter, t: ir.Type, lanes: int, x: Value, x_stride: int, y: Value, y_stride: int, columns: int, rows: int) -> None:
    """y[r, c] = x[c, r] for r < rows, c < columns, both at most `lanes`."""
    zero = const(vector(t, lanes), 0 if isinstance(t, ir.IntType) else 0.0)
    values = [e.load_some(e.at(x, c * x_stride, t), vector(t, lanes), rows) if c < columns else zero for c in range(lanes)]
    values = e.transpose(values)
    for r in range(rows):
        e.store_some(values[r], e.at(y, r * y_stride, t), columns)
