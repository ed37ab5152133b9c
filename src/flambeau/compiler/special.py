"""Kernels for the primitives that are neither elementwise nor plain reductions. One row a primitive.

A row is `lower(kernel, node) -> number of chunks`; its operands and results are row-major buffers. `SPECIAL` is the table.
"""
from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, Callable, Sequence

from ..ir.graph import Node, Var
from ..ir.types import contiguous_strides
from . import scalar_ops
from .division import DIVISION
from .elements import memory_type, read, write
from .kernel import Kernel, chunked
from .llvm import ir
from .llvm.emit import I32, I64, Emitter, Index, Value, const, vector, zero_of
from .llvm.mersenne import define_mt19937
from .order import ORDER
from .scans import SCANS
from .unpool import UNPOOL
from .winograd_kernels import conv, filters, products, weight
from .zeros import is_zero


def _index(k: Kernel, position: Value, size: int) -> Value:
    """A checked index: one outside 0 … size−1 raises the program's error flag and reads 0 instead."""
    e = k.e
    bad = e.b.icmp_unsigned(">=", position, e.i64(size))
    with e.when(bad, likely=False):
        k.fail()
    return e.b.select(bad, e.i64(0), position)


def _copy_range(k: Kernel, out: Var, source: Var | None, base: Index, start: Index, width: int) -> None:
    """out[base + start …, width elements] = source's same range, or zeros."""
    e = k.e
    t = memory_type(out.dtype)
    lanes = k.lanes
    zero = const(vector(t, lanes), zero_of(t))

    def move(i: Index, count: int) -> None:
        at = e.add(base, e.add(start, i))
        value = zero if source is None else e.load_some(e.at(k.pointer(source), at, t), vector(t, lanes), count)
        e.store_some(value, e.at(k.pointer(out), at, t), count)
    whole = width // lanes * lanes
    if whole:
        with e.loop(0, whole, lanes) as i:
            move(i, lanes)
    if width % lanes:
        move(whole, width % lanes)


# ------------------------------------------------------------------ take and put: slices by index

def _take(k: Kernel, node: Node) -> int:
    e = k.e
    x, index = node.inputs
    out, dim = node.outputs[0], node.params[0]
    before, after, count, size = prod(x.shape[:dim]), prod(x.shape[dim + 1:]), index.size, x.shape[dim]
    k.prepare([x, index, out])
    t = memory_type(x.dtype)
    start, stop, chunks = chunked(k, before * count, after)
    with e.loop(start, stop) as unit:
        b, j = e.divmod(unit, max(count, 1))
        at = _index(k, e.load(e.at(k.pointer(index), j, I64), I64), size)
        source = e.mul(e.add(e.mul(b, size), at), after)
        target = e.mul(unit, after)
        lanes = k.lanes if after > 1 else 1

        def move(i: Index, some: int) -> None:
            value = e.load_some(e.at(k.pointer(x), e.add(source, i), t), vector(t, lanes), some)
            e.store_some(value, e.at(k.pointer(out), e.add(target, i), t), some)
        whole = after // lanes * lanes
        if whole:
            with e.loop(0, whole, lanes) as i:
                move(i, lanes)
        if after % lanes:
            move(whole, after % lanes)
    k.finish()
    return chunks


_COMBINE = {"add": "add", "mul": "mul", "max": "maximum", "min": "minimum"}
_COMBINE_TRUTHS = {"add": "bitwise_or", "mul": "bitwise_and", "max": "bitwise_or", "min": "bitwise_and"}


def _combined(e: Emitter, mode: str, dtype, old: Value, new: Value) -> Value:
    """What is to be stored for the two, as they were loaded."""
    if mode == "set":
        return new
    names = _COMBINE_TRUTHS if dtype.kind == "b" else _COMBINE
    return write(e, scalar_ops.emit(e, names[mode], [read(e, old, dtype), read(e, new, dtype)], (dtype, dtype), dtype), dtype)


PUT_VECTORS, PUT_CHUNKS = 32, 8  # of `put`: neighbouring vectors of a chunk, at most; chunks that are wanted before chunks are wide


def _put(k: Kernel, node: Node) -> int:
    """Chunks share out the columns (elements after `dim`), so that rows with equal indices are combined in order."""
    e = k.e
    x, index, source = node.inputs
    out, (dim, mode) = node.outputs[0], node.params
    before, after, count, size = prod(x.shape[:dim]), prod(x.shape[dim + 1:]), index.size, x.shape[dim]
    base_source = None if is_zero(x) else x
    k.prepare([v for v in (base_source, index, source, out) if v is not None])
    t = memory_type(x.dtype)
    lanes = k.lanes if after >= 4 else 1
    vectors = -(-after // lanes)
    width = lanes * max(1, min(PUT_VECTORS, vectors // PUT_CHUNKS))
    start, stop, chunks = chunked(k, -(-after // width), width * max(count, size) * before)

    def load(pointer: Var | None, at: Index, some: int) -> Value:
        if pointer is None:
            return const(vector(t, lanes), zero_of(t))
        return e.load_some(e.at(k.pointer(pointer), at, t), vector(t, lanes), some)

    def along(first: Index, last: Index, write_at: Callable[[Index, int], None]) -> None:
        """write_at(column, elements) for the vectors of the columns first … last-1."""
        whole = after // lanes * lanes
        with e.loop(first, e.min(last, whole), lanes, name="column") as column:
            write_at(column, lanes)
        if after % lanes:
            with e.when(e.b.icmp_signed(">", e.i64(last), e.i64(whole))):
                write_at(whole, after % lanes)

    def store(value: Value, at: Index, some: int) -> None:
        e.store_some(value, e.at(k.pointer(out), at, t), some) if lanes > 1 else e.store(value, e.at(k.pointer(out), at, t))
    with e.loop(start, stop, name="block") as block, e.loop(0, before) as b:
        first = e.mul(block, width)
        last = e.min(e.add(first, width), after)
        with e.loop(0, size, name="row") as r:
            base = e.mul(e.add(e.mul(b, size), r), after)

            def keep(column: Index, some: int) -> None:
                store(load(base_source, e.add(base, column), some), e.add(base, column), some)
            along(first, last, keep)
        with e.loop(0, count, name="j") as j:
            to = _index(k, e.load(e.at(k.pointer(index), j, I64), I64), size)
            there, here = e.mul(e.add(e.mul(b, size), to), after), e.mul(e.add(e.mul(b, count), j), after)

            def change(column: Index, some: int) -> None:
                at, new = e.add(there, column), load(source, e.add(here, column), some)
                store(new if mode == "set" else _combined(e, mode, x.dtype, load(out, at, some), new), at, some)
            along(first, last, change)
    k.finish()
    return chunks


# ------------------------------------------------------------------ gather and scatter: element by element

def _flat(e: Emitter, at: Sequence[Index], strides: Sequence[int]) -> Index:
    total: Index = 0
    for i, s in zip(at, strides):
        total = e.add(total, e.mul(i, s))
    return total


def _address(e: Emitter, at: Sequence[Index], dim: int, position: Value, strides: Sequence[int]) -> Index:
    return _flat(e, [*at[:dim], position, *at[dim + 1:]], strides)


def _gather(k: Kernel, node: Node) -> int:
    e = k.e
    x, index = node.inputs
    out, dim = node.outputs[0], node.params[0]
    k.prepare([x, index, out])
    t = memory_type(x.dtype)
    strides = contiguous_strides(x.shape)
    start, stop, chunks = chunked(k, out.size, 4)
    with e.loop(start, stop) as i:
        position = _index(k, e.load(e.at(k.pointer(index), i, I64), I64), x.shape[dim])
        source = _address(e, e.unravel(i, index.shape), dim, position, strides)
        e.store(e.load(e.at(k.pointer(x), source, t), t), e.at(k.pointer(out), i, t))
    k.finish()
    return chunks


def _scatter(k: Kernel, node: Node) -> int:
    """Chunks share out the rows before `dim` where index and x have the same ones; within a row the order is the index's."""
    e = k.e
    x, index, source = node.inputs
    out, (dim, mode) = node.outputs[0], node.params
    base_source = None if is_zero(x) else x
    k.prepare([v for v in (base_source, index, source, out) if v is not None])
    t = memory_type(x.dtype)
    strides, source_strides = contiguous_strides(x.shape), contiguous_strides(source.shape)
    together = index.shape[:dim] == x.shape[:dim]
    rows = prod(x.shape[:dim]) if together else 1
    row_size = x.size // max(rows, 1)
    per_row = index.size // max(rows, 1)
    start, stop, chunks = chunked(k, rows, row_size + 4 * per_row)
    with e.loop(start, stop, name="row") as row:
        _copy_range(k, out, base_source, e.mul(row, row_size), 0, row_size)
        if per_row:
            lead = dim if together else 0
            at = e.unravel(row, x.shape[:lead])
            first, there, here = e.mul(row, per_row), _flat(e, at, strides), _flat(e, at, source_strides)
            with e.loop(0, per_row) as i:
                at = e.unravel(i, index.shape[lead:])
                position = _index(k, e.load(e.at(k.pointer(index), e.add(first, i), I64), I64), x.shape[dim])
                target = e.at(k.pointer(out), e.add(there, _address(e, at, dim - lead, position, strides[lead:])), t)
                new = e.load(e.at(k.pointer(source), e.add(here, _flat(e, at, source_strides[lead:])), t), t)
                e.store(_combined(e, mode, x.dtype, e.load(target, t), new) if mode != "set" else new, target)
    k.finish()
    return chunks


# ------------------------------------------------------------------ pooling

def _max_pool(k: Kernel, node: Node) -> int:
    """Vectors run along the last output dimension: strided reads are contiguous reads and a shuffle."""
    e = k.e
    x = node.inputs[0]
    values, index = node.outputs
    window, stride, low, _, dilation = node.params
    k.prepare([x, values, index])
    nd = len(window)
    size, out = x.shape[2:], values.shape[2:]
    t = memory_type(x.dtype)
    simple = not any(low) and dilation[-1] == 1 and stride[-1] <= 2 and nd >= 1 and \
        all((o - 1) * s + d * (w - 1) < n for o, s, d, w, n in zip(out, stride, dilation, window, size))
    lanes = k.lanes if simple and out[-1] >= 4 else 1
    planes = prod(x.shape[:2])
    lines = prod(out[:-1])
    start, stop, chunks = chunked(k, planes * lines, out[-1] * prod(window))
    plane_size, strides = prod(size), contiguous_strides(size)
    with e.loop(start, stop, name="line") as line:
        plane, r = e.divmod(line, lines)
        at = e.unravel(r, out[:-1]) if nd > 1 else []
        origin = [e.sub(e.mul(a, s), lo) for a, s, lo in zip(at, stride, low)]
        base = e.mul(plane, plane_size)

        def point(i: Index, count: int) -> None:
            _max_of_window(k, node, base, [*origin, e.sub(e.mul(i, stride[-1]), low[-1])], strides,
                           e.add(e.mul(line, out[-1]), i), lanes, count, t)
        whole = out[-1] // lanes * lanes
        if whole:
            with e.loop(0, whole, lanes) as i:
                point(i, lanes)
        if out[-1] % lanes:
            point(whole, out[-1] % lanes)
    k.finish()
    return chunks


def _max_of_window(k: Kernel, node: Node, base: Index, origin: list[Index], strides, to: Index, lanes: int, count: int, t) -> None:
    e = k.e
    x = node.inputs[0]
    values, index = node.outputs
    window, stride, low, high, dilation = node.params
    best: Any = None  # until the first offset
    place: Any = None
    padded = any(low) or any(high) or any((o - 1) * s + d * (w - 1) >= n for o, s, d, w, n in
                                          zip(values.shape[2:], stride, dilation, window, x.shape[2:]))
    for offsets in product(*[range(w) for w in window]):
        coordinates = [e.add(o, p * d) for o, p, d in zip(origin, offsets, dilation)]
        flat: Index = 0
        for c, s in zip(coordinates, strides):
            flat = e.add(flat, e.mul(c, s))
        position = e.i64(flat)
        if padded:
            inside: Any = None
            for c, n in zip(coordinates, x.shape[2:]):
                ok = e.b.icmp_unsigned("<", e.i64(c), e.i64(n))
                inside = ok if inside is None else e.b.and_(inside, ok)
            safe = e.b.select(inside, position, e.i64(0))
            value = e.load(e.at(k.pointer(x), e.add(base, safe), t), t)
        else:
            value = _strided_load(e, e.at(k.pointer(x), e.add(base, position), t), t, stride[-1], lanes, count)
        value = read(e, value, x.dtype)
        spot = _positions(e, position, stride[-1], lanes)
        if best is None:
            if padded:
                lowest = scalar_ops.number(x.dtype, _lowest(x.dtype), 1)
                best, place = e.b.select(inside, value, lowest), e.b.select(inside, spot, e.i64(-1))
            else:
                best, place = value, spot
            continue
        better = e.b.fcmp_unordered(">", value, best) if x.dtype.kind == "f" else e.b.icmp_signed(">", value, best)
        if x.dtype.kind == "f":  # NaN wins, and the first one stays
            better = e.b.and_(better, e.b.fcmp_ordered("ord", best, best))
        if padded:
            better = e.b.and_(inside, e.b.or_(better, e.b.icmp_signed("<", place, e.i64(0))))
        best, place = e.b.select(better, value, best), e.b.select(better, spot, place)
    best = write(e, best, x.dtype)
    if lanes == 1:
        e.store(best, e.at(k.pointer(values), to, t))
        e.store(place, e.at(k.pointer(index), to, I64))
    else:
        e.store_some(best, e.at(k.pointer(values), to, t), count)
        e.store_some(place, e.at(k.pointer(index), to, I64), count)


def _lowest(dtype) -> float:
    return float("-inf") if dtype.kind == "f" else 0 if dtype.kind == "u" else -2 ** (dtype.itemsize * 8 - 1)


def _strided_load(e: Emitter, pointer: Value, t: ir.Type, step: int, lanes: int, count: int) -> Value:
    if lanes == 1:
        return e.load(pointer, t)
    if step == 1:
        return e.load_some(pointer, vector(t, lanes), count)
    wide = e.load_some(pointer, vector(t, 2 * lanes), 2 * count - 1)
    return e.shuffle(wide, wide, range(0, 2 * lanes, 2))


def _positions(e: Emitter, first: Value, step: int, lanes: int) -> Value:
    if lanes == 1:
        return first
    return e.b.add(e.splat(first, lanes), const(vector(I64, lanes), [i * step for i in range(lanes)]))


# ------------------------------------------------------------------ arg-extrema

def _argextremum(largest: bool) -> Callable[[Kernel, Node], int]:
    """The first extreme element along dim; NaN wins."""
    def lower(k: Kernel, node: Node) -> int:
        e = k.e
        x, out, dim = node.inputs[0], node.outputs[0], node.params[0]
        k.prepare([x, out])
        t = memory_type(x.dtype)
        n, after = x.shape[dim], prod(x.shape[dim + 1:])
        start, stop, chunks = chunked(k, out.size, n)
        floating = x.dtype.kind == "f"
        with e.loop(start, stop) as unit:
            b, c = e.divmod(unit, after)
            base = e.add(e.mul(b, n * after), c)
            first = read(e, e.load(e.at(k.pointer(x), base, t), t), x.dtype)
            with e.carried_loop(0, n, [first, e.i64(0)]) as (i, state):
                value = read(e, e.load(e.at(k.pointer(x), e.add(base, e.mul(i, after)), t), t), x.dtype)
                best, place = state
                if floating:
                    better = e.b.fcmp_unordered(">" if largest else "<", value, best)
                    better = e.b.and_(better, e.b.fcmp_ordered("ord", best, best))
                else:
                    compare = e.b.icmp_signed if x.dtype.kind == "i" else e.b.icmp_unsigned
                    better = compare(">" if largest else "<", value, best)
                state[0], state[1] = e.b.select(better, value, best), e.b.select(better, e.i64(i), place)
            e.store(state[1], e.at(k.pointer(out), unit, I64))
        k.finish()
        return chunks
    return lower


def _random_bits(k: Kernel, node: Node) -> int:
    """The next words of the generator, and its state after them: one thread's work, for each word follows from the last."""
    e = k.e
    state, = node.inputs
    bits, after = node.outputs
    k.prepare([state, bits, after])
    _copy_range(k, after, state, 0, 0, state.size)
    e.b.call(define_mt19937(e.module, e.target), [k.pointer(after), k.pointer(bits), I64(bits.size)])
    k.finish()
    return 1


def _random_permutation(k: Kernel, node: Node) -> int:
    """Fisher and Yates' shuffle from the front, one word a swap."""
    e = k.e
    state, (order, after), n = node.inputs[0], node.outputs, node.params[0]
    k.prepare([state, order, after])
    k.scratch = 4 * n
    words, items = e.args[2], k.pointer(order)
    _copy_range(k, after, state, 0, 0, state.size)
    e.b.call(define_mt19937(e.module, e.target), [k.pointer(after), words, I64(n - 1)])
    with e.loop(0, n) as i:
        e.store(e.i64(i), e.at(items, i, I64))
    with e.loop(0, n - 1) as i:
        word = e.i64(e.load(e.at(words, i, I32), I32))
        here = e.at(items, i, I64)
        there = e.at(items, e.add(e.b.urem(word, e.i64(e.sub(n, i))), i), I64)
        mine, other = e.load(here, I64), e.load(there, I64)
        e.store(other, here)
        e.store(mine, there)
    k.finish()
    return 1


SPECIAL: dict[str, Callable[[Kernel, Node], int]] = {
    "take": _take, "put": _put, "gather": _gather, "scatter": _scatter, "max_pool": _max_pool,
    "argmax": _argextremum(True), "argmin": _argextremum(False), "random_bits": _random_bits,
    "random_permutation": _random_permutation,
    **SCANS, **ORDER, **DIVISION, **UNPOOL, "winograd_filter": filters, "winograd_conv": conv, "winograd_products": products, "winograd_weight": weight,
}
CHECKED = frozenset({"take", "put", "gather", "scatter", *DIVISION})  # those that raise the error flag: for a bad index, for zero

