"""Copies that turn rows into columns: blocks of vectors are transposed in registers, so that both sides move whole vectors."""
from __future__ import annotations

from math import prod
from typing import Sequence

from llvmlite import ir

from ..dtypes import bool_
from .affine import Affine
from .elements import memory_type
from .expression import Load
from .kernel import CHUNK, Kernel
from .llvm.emit import Emitter, Index, Value, const, itemsize, vector
from .schedule import Map


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
    """Writes the copy; returns its number of chunks. A strip is four vectors wide in the target: two cache lines or
    so of each of its rows, which may all lie on pages of their own."""
    e, store = k.e, step.stores[0]
    assert isinstance(store.value, Load)
    t = memory_type(store.target.dtype)
    lanes = e.target.isa.lanes(itemsize(t))
    k.prepare([store.value.var, store.target])
    x, y = e.at(k.pointer(store.value.var), source.constant, t), e.at(k.pointer(store.target), target.constant, t)
    last = len(sizes) - 1
    width, height = sizes[last], sizes[axis]
    rest = [d for d in range(last) if d != axis]
    strip = 4 * lanes
    strips = -(-width // strip)
    items = prod([sizes[d] for d in rest]) * strips
    per = max(1, min(items, CHUNK // (strip * height)))
    chunks = -(-items // per)
    start = e.mul(k.chunk, per) if chunks > 1 else 0
    stop = e.min(e.add(start, per), items) if chunks > 1 else items

    def column(x: Value, y: Value, count: int) -> None:
        """One strip, `count` elements wide."""
        def block(at: Index, rows: int) -> None:
            for j in range(0, count, lanes):
                transpose_block(e, t, lanes, e.at(x, e.add(e.mul(j, source.coefficients[last]), at), t), source.coefficients[last],
                       e.at(y, e.add(e.mul(at, target.coefficients[axis]), j), t), target.coefficients[axis],
                       min(lanes, count - j), rows)
        with e.loop(0, height // lanes * lanes, lanes, "row") as at:
            block(at, lanes)
        if height % lanes:
            block(height // lanes * lanes, height % lanes)
    with e.loop(start, stop, name="strip") as item:
        *index, number = e.unravel(item, [*[sizes[d] for d in rest], strips])
        first = e.mul(number, strip)
        from_, to = e.mul(first, source.coefficients[last]), first
        for d, i in zip(rest, index):
            from_ = e.add(from_, e.mul(i, source.coefficients[d]))
            to = e.add(to, e.mul(i, target.coefficients[d]))
        a, b = e.at(x, from_, t), e.at(y, to, t)
        cut = width % strip
        if not cut or strips == 1:
            column(a, b, cut or strip)
        else:
            with e.b.if_else(e.b.icmp_signed("==", e.i64(number), e.i64(strips - 1))) as (is_last, otherwise):
                with is_last:
                    column(a, b, cut)
                with otherwise:
                    column(a, b, strip)
    k.finish()
    return chunks


def transpose_block(e: Emitter, t: ir.Type, lanes: int, x: Value, x_stride: int, y: Value, y_stride: int, columns: int, rows: int) -> None:
    """y[r, c] = x[c, r] for r < rows, c < columns, both at most `lanes`."""
    zero = const(vector(t, lanes), 0 if isinstance(t, ir.IntType) else 0.0)
    values = [e.load_some(e.at(x, c * x_stride, t), vector(t, lanes), rows) if c < columns else zero for c in range(lanes)]
    values = e.transpose(values)
    for r in range(rows):
        e.store_some(values[r], e.at(y, r * y_stride, t), columns)
