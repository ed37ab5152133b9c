"""Loop nests for maps and reductions: schedule steps → LLVM functions `void kernel(void **buffers, i64 chunk, void *scratch)`.

The innermost dimension is the vector axis; its tail runs under a mask. Chunks depend only on shapes.
"""
from __future__ import annotations

from math import prod
from typing import Callable, Sequence

from ..dtypes import float64, int64
from ..ir.graph import Var
from . import scalar_ops
from .affine import Affine, collapse
from .elements import memory_type, read, wide, write
from .expression import Apply, Constant, Expression, Load, Position, loads
from .kernel import Kernel, units_per_chunk
from .llvm import ir
from .llvm.emit import I64, Emitter, Index, Value, const, lanes_of, undefined, vector
from .schedule import Fill, Map, Reduce, Store
from .transpose import emit_transpose, turned_axis

MOST_APART = 4  # elements' distance up to which whole vectors are loaded for those that are wanted


def offset(e: Emitter, m: Affine, index: Sequence[Index]) -> Index:
    """The value of an affine map at an index."""
    at: Index = m.constant
    for c, i in zip(m.coefficients, index):
        at = e.add(at, e.mul(i, c))
    return at


class Point:
    """One vector of a loop's points: emits expressions there. maps: the collapsed map of each load and position, by id.

    index: the position of lane 0. axis: the dimension that lanes run along. count: how many lanes are inside (None: all).
    """

    def __init__(self, kernel: Kernel, maps: dict[int, Affine], index: Sequence[Index], lanes: int, count: int | None,
                 known: dict[tuple[Var, Affine], Value] | None = None, axis: int = -1):
        self.axis = axis
        self.k, self.e = kernel, kernel.e
        self.maps, self.index, self.lanes, self.count = maps, index, lanes, count
        self.known = {} if known is None else known
        self._memo: dict[int, Value] = {}

    def value(self, x: Expression) -> Value:
        v = self._memo.get(id(x))
        if v is None:
            v = self._memo[id(x)] = self._value(x)
        return v

    def _value(self, x: Expression) -> Value:
        if isinstance(x, Constant):
            return scalar_ops.number(x.dtype, x.value, self.lanes)
        if isinstance(x, Apply):
            return scalar_ops.emit(self.e, x.name, [self.value(a) for a in x.args], x.arg_dtypes, x.dtype)
        m = self.maps[id(x)]
        if isinstance(x, Position):
            return self._position(m, x.dtype)
        held = self.known.get((x.var, x.offset))
        return self.load(x.var, m) if held is None else held

    def _position(self, m: Affine, dtype) -> Value:
        e = self.e
        step = m.coefficients[self.axis] if m.coefficients else 0
        base = e.i64(offset(e, m, self.index))
        if self.lanes > 1:
            base = e.b.add(e.splat(base, self.lanes), const(vector(I64, self.lanes), [i * step for i in range(self.lanes)]))
        return scalar_ops.cast(e, base, int64, dtype)

    def load(self, var: Var, m: Affine) -> Value:
        """A vector of memory: contiguous, one element repeated, or gathered."""
        e, lanes = self.e, self.lanes
        t = memory_type(var.dtype)
        step = m.coefficients[self.axis] if m.coefficients else 0
        base = e.at(self.k.pointer(var), offset(e, m, self.index), t)
        if lanes == 1 or step == 0:
            raw = e.splat(e.load(base, t), lanes)
        elif step == 1:
            raw = e.load_some(base, vector(t, lanes), lanes if self.count is None else self.count)
        elif 1 < step <= MOST_APART and self.count is None:
            raw = e.load_apart(base, vector(t, lanes), step)
        else:
            raw = undefined(vector(t, lanes))
            last = lanes if self.count is None else self.count
            for i in range(lanes):
                element = e.load(e.at(base, min(i, last - 1) * step, t), t)
                raw = e.b.insert_element(raw, element, ir.Constant(ir.IntType(32), i))
        return read(e, raw, var.dtype)

    def store(self, var: Var, m: Affine, value: Value) -> None:
        """Stores a vector where `load` would read it."""
        e, lanes = self.e, self.lanes
        t = memory_type(var.dtype)
        value = write(e, value, var.dtype)
        step = m.coefficients[self.axis] if m.coefficients else 0
        base = e.at(self.k.pointer(var), offset(e, m, self.index), t)
        if lanes == 1:
            e.store(value, base)
        elif step == 1:
            e.store_some(value, base, lanes if self.count is None else self.count)
        else:
            for i in range(lanes if self.count is None else self.count):
                e.store(e.b.extract_element(value, ir.Constant(ir.IntType(32), i)), e.at(base, i * step, t))


def _vector_loop(e: Emitter, start: Index, stop: Index, size: int, lanes: int, body: Callable[[Index, int | None], None]) -> None:
    """body(i, None) for whole vectors of [start, stop), then body(i, count) for the tail, which only the end of `size` has."""
    tail = size % lanes
    if isinstance(stop, int):
        whole: Index = stop - tail if stop == size else stop
    else:
        whole = e.min(stop, size - tail)
    if size >= lanes:
        with e.loop(start, whole, lanes) as i:
            body(i, None)
    if tail:
        if isinstance(stop, int):
            body(size - tail, tail)
        else:
            with e.when(e.b.icmp_signed("==", stop, e.i64(size))):
                body(size - tail, tail)


CHEAP_CALLS = 4  # elementwise calls that take no longer than reading and writing their element


def _weight(values: Sequence[Expression]) -> int:
    """How many copies computing these for one element is worth, about."""
    calls: dict[int, int] = {}

    def visit(x: Expression) -> None:
        if isinstance(x, Apply) and id(x) not in calls:
            calls[id(x)] = scalar_ops.EXPENSIVE_CALLS if x.name in scalar_ops.EXPENSIVE else 1
            for a in x.args:
                visit(a)
    for value in values:
        visit(value)
    return max(1, sum(calls.values()) // CHEAP_CALLS)


def emit_map(k: Kernel, step: Map) -> int:
    """Writes a map; returns its number of chunks."""
    e = k.e
    found: list = []
    seen: set = set()
    for s in step.stores:
        loads(s.value, found, seen)
    sizes, maps = collapse(step.domain, [x.offset if isinstance(x, Load) else x.map for x in found] + [s.offset for s in step.stores])
    map_of = {id(x): m for x, m in zip(found, maps)}
    store_maps = maps[len(found):]
    padded = [(s, m) for s, m in zip(step.stores, store_maps) if s.padding is not None]
    if len(found) == 1 and isinstance(found[0], Load) and not padded:
        axis = turned_axis(step, sizes, maps[0], maps[1], e.target.isa.lanes(8))
        if axis is not None:
            return emit_transpose(k, step, sizes, maps[0], maps[1], axis)
    k.prepare([x.var for x in found if isinstance(x, Load)] + [s.target for s in step.stores])

    def point(index: Sequence[Index], lanes: int, count: int | None) -> None:
        known: dict[tuple[Var, Affine], Value] = {}
        p = Point(k, map_of, index, lanes, count, known)
        values = []
        for s in step.stores:
            value = p.value(s.value)
            values.append(value)
            known[s.target, s.offset] = value
        for s, m, value in zip(step.stores, store_maps, values):  # all reads first: a store may overwrite an operand
            p.store(s.target, m, value)
    if not sizes:
        point((), 1, None)
        k.finish()
        return 1
    *outer, width = sizes
    lanes = k.lanes if width > 1 else 1
    rows = prod(outer)
    weight = _weight([s.value for s in step.stores])
    if rows == 1:
        per = units_per_chunk(-(-width // lanes), lanes * weight) * lanes
        chunks = -(-width // per)
        start = e.mul(k.chunk, per) if chunks > 1 else 0
        stop = e.min(e.add(start, per), width) if chunks > 1 else width
        _vector_loop(e, start, stop, width, lanes, lambda i, count: point((i,), lanes, count))
    else:
        per = units_per_chunk(rows, width * weight)
        chunks = -(-rows // per)
        start = e.mul(k.chunk, per) if chunks > 1 else 0
        stop = e.min(e.add(start, per), rows) if chunks > 1 else rows
        with e.loop(start, stop, name="row") as row:
            at = e.unravel(row, outer)
            for s, m in padded:
                _pad_before(k, s, m, sizes, at)
            _vector_loop(e, 0, width, width, lanes, lambda i, count: point((*at, i), lanes, count))
        if padded:
            with e.when(e.b.icmp_signed("==", e.i64(stop), e.i64(rows))):
                for s, m in padded:
                    end = m.constant + sum(c * (n - 1) for c, n in zip(m.coefficients, sizes)) + 1
                    _pad(k, s, end, s.target.size - end)
    k.finish()
    return chunks


def _pad_before(k: Kernel, s: Store, m: Affine, sizes: Sequence[int], row: Sequence[Index]) -> None:
    """Writes the padding between the end of the row before and the beginning of this one. m: the collapsed offset of the store."""
    e = k.e
    gap: Index = m.constant  # before the first row
    inner = 1 + sum(c * (n - 1) for c, n in zip(m.coefficients, sizes))  # from the first to the last element of the dimensions from i on
    for c, n, i in zip(m.coefficients, sizes, row):
        inner -= c * (n - 1)
        gap = e.b.select(e.b.icmp_signed("!=", e.i64(i), I64(0)), I64(c - inner), e.i64(gap))
    _pad(k, s, e.sub(offset(e, m, (*row, 0)), gap), gap)


def _pad(k: Kernel, s: Store, start: Index, count: Index) -> None:
    """Sets `count` elements of a store's target to its padding."""
    e, v = k.e, s.target
    t = memory_type(v.dtype)
    value = write(e, scalar_ops.number(v.dtype, s.padding, k.lanes), v.dtype)
    with e.loop(0, count, k.lanes, "pad") as i:
        e.store_some(value, e.at(k.pointer(v), e.add(start, i), t), e.min(k.lanes, e.sub(count, i)))


def emit_fill(k: Kernel, step: Fill) -> int:
    """Writes one number over a whole buffer."""
    v = step.target
    rank_one = Affine(0, (1,))
    k.prepare([v])

    def body(i: Index, count: int | None) -> None:
        p = Point(k, {}, (i,), k.lanes, count)
        p.store(v, rank_one, scalar_ops.number(v.dtype, step.value, k.lanes))
    per = units_per_chunk(-(-v.size // k.lanes), k.lanes) * k.lanes
    chunks = max(1, -(-v.size // per))
    e = k.e
    start = e.mul(k.chunk, per) if chunks > 1 else 0
    stop = e.min(e.add(start, per), v.size) if chunks > 1 else v.size
    if v.size:
        _vector_loop(e, start, stop, v.size, k.lanes, body)
    k.finish()
    return chunks


# ------------------------------------------------------------------ reductions

BESIDE = 8  # vectors of outputs that a reduction along leading dimensions carries

def _identity(kind: str, dtype) -> float | int:
    if kind in ("sum", "prod"):
        return 0 if kind == "sum" else 1
    if dtype.kind == "f":
        return float("-inf") if kind == "max" else float("inf")
    bits = dtype.itemsize * 8
    low, high = (0, 2 ** bits - 1) if dtype.kind == "u" else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
    return low if kind == "max" else high


def _combine(e: Emitter, kind: str, dtype, x: Value, y: Value) -> Value:
    name = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}[kind]
    return scalar_ops.emit(e, name, [x, y], (dtype, dtype), dtype)


class _Reduction:
    """What both loop orders share."""

    def __init__(self, k: Kernel, step: Reduce):
        self.k, self.e, self.step = k, k.e, step
        self.dtype = wide(step.target.dtype)
        found = loads(step.value)
        n_outer = len(step.outer)
        given = [x.offset if isinstance(x, Load) else x.map for x in found]
        strides, at = [], 1
        for n in reversed(step.outer):
            strides.append(at)
            at *= n
        target = Affine(0, tuple(reversed(strides)) + (0,) * len(step.inner))

        def part(m: Affine, inner: bool) -> Affine:
            return Affine(0 if inner else m.constant, m.coefficients[n_outer:] if inner else m.coefficients[:n_outer])
        self.outer, outer_maps = collapse(step.outer, [part(m, False) for m in (*given, target)])
        self.inner, inner_maps = collapse(step.inner, [part(m, True) for m in (*given, target)])
        joined = [Affine(a.constant, a.coefficients + b.coefficients) for a, b in zip(outer_maps, inner_maps)]
        self.maps = {id(x): m for x, m in zip(found, joined)}
        self.target_map = outer_maps[-1]
        self.found = found
        k.prepare([x.var for x in found if isinstance(x, Load)] + [step.target])

    def along_inner(self) -> bool:
        """Whether memory runs along the reduced dimensions."""
        if not self.inner:
            return False
        if not self.outer:
            return True
        n = len(self.outer)
        big = [m for m in (self.maps[id(x)] for x in self.found) if any(m.coefficients[n:])]
        if any(m.coefficients[n - 1] == 1 and m.coefficients[-1] != 1 for m in big):
            return False
        return self.inner[-1] >= 4 or self.outer[-1] < 4

    def start(self, lanes: int) -> Value:
        return scalar_ops.number(self.dtype, _identity(self.step.kind, self.dtype), lanes)

    def combine(self, x: Value, y: Value) -> Value:
        return _combine(self.e, self.step.kind, self.dtype, x, y)


def emit_reduce(k: Kernel, step: Reduce) -> int:
    """Writes a reduction; returns its number of chunks."""
    r = _Reduction(k, step)
    chunks = _reduce_along_inner(r) if r.along_inner() else _reduce_along_outer(r)
    k.finish()
    return chunks


def _nest(r: _Reduction, sizes: Sequence[int], state: list[Value], body: Callable[[list[Index], list[Value]], None],
          at: tuple = ()) -> None:
    """Loops over `sizes` that carry `state`; body updates the list."""
    if not sizes:
        body(list(at), state)
        return
    with r.e.carried_loop(0, sizes[0], state) as (i, inside):
        _nest(r, sizes[1:], inside, body, (*at, i))
        state[:] = inside


def _reduce_along_inner(r: _Reduction) -> int:
    """Each output on its own: vectors along the reduced memory, their lanes combined at the end in a fixed order."""
    e, k = r.e, r.k
    rows = prod(r.outer)
    *more, width = r.inner
    lanes = k.lanes if width >= 4 else 1
    unroll = 4 if width >= 4 * lanes and r.dtype is not float64 else 1
    per = units_per_chunk(rows, prod(r.inner) * _weight([r.step.value]))
    chunks = -(-rows // per)
    start = e.mul(k.chunk, per) if chunks > 1 else 0
    stop = e.min(e.add(start, per), rows) if chunks > 1 else rows
    with e.loop(start, stop, name="row") as row:
        outer = e.unravel(row, r.outer) if r.outer else []
        state = [r.start(lanes)] * unroll

        def line(at: list[Index], acc: list[Value]) -> None:
            def take(i: Index, number: int, count: int | None) -> None:
                value = Point(k, r.maps, (*outer, *at, i), lanes, count).value(r.step.value)
                if count is not None and lanes > 1:
                    inside = const(vector(ir.IntType(1), lanes), [j < count for j in range(lanes)])
                    value = e.b.select(inside, value, r.start(lanes))
                acc[number] = r.combine(acc[number], value)
            block = lanes * unroll
            whole = width // block * block
            if whole:
                with e.carried_loop(0, whole, acc, step=block) as (i, inside):
                    outer_acc = acc[:]
                    acc[:] = inside
                    for u in range(unroll):
                        take(e.add(i, u * lanes), u, None)
                    inside[:] = acc
                    acc[:] = outer_acc
                acc[:] = inside
            for i in range(whole, width - lanes + 1, lanes):
                take(i, 0, None)
            if width % lanes:
                take(width - width % lanes, 0, width % lanes)
        _nest(r, more, state, line)
        total = state[0]
        for other in state[1:]:
            total = r.combine(total, other)
        while lanes_of(total.type) > 1:
            half = lanes_of(total.type) // 2
            if half == 1:
                total = r.combine(e.b.extract_element(total, ir.Constant(ir.IntType(32), 0)),
                                  e.b.extract_element(total, ir.Constant(ir.IntType(32), 1)))
            else:
                total = r.combine(e.shuffle(total, total, range(half)), e.shuffle(total, total, range(half, 2 * half)))
        Point(k, r.maps, outer, 1, None).store(r.step.target, r.target_map, total)
    return chunks


def _reduce_along_outer(r: _Reduction) -> int:
    """Vectors of outputs side by side, each walking its reduced elements in order; several, so that whole cache lines are read."""
    e, k = r.e, r.k
    *lead, width = r.outer if r.outer else [1]
    lanes = k.lanes if width > 1 else 1
    side = min(BESIDE, -(-width // lanes)) * lanes
    blocks = -(-width // side)
    units = prod(lead) * blocks
    per = units_per_chunk(units, prod(r.inner) * side * _weight([r.step.value]))
    chunks = -(-units // per)

    def block(at: Sequence[Index], i: Index, size: int) -> None:
        def point(column: int, inner: Sequence[Index]) -> Point:
            place = [*at, e.add(i, column)] if r.outer else []
            count = size - column if size - column < lanes else None
            return Point(k, r.maps, (*place, *inner), lanes, count, axis=len(place) - 1 if place else -1)
        columns = range(0, size, lanes)
        state = [r.start(lanes)] * len(columns)

        def take(inner: list[Index], acc: list[Value]) -> None:
            for number, column in enumerate(columns):
                acc[number] = r.combine(acc[number], point(column, inner).value(r.step.value))
        _nest(r, r.inner, state, take)
        for column, total in zip(columns, state):
            point(column, ()).store(r.step.target, r.target_map, total)
    start = e.mul(k.chunk, per) if chunks > 1 else 0
    stop = e.min(e.add(start, per), units) if chunks > 1 else units
    with e.loop(start, stop, name="block") as unit:
        row, b = e.divmod(unit, blocks)
        at = e.unravel(row, lead) if lead else []
        tail = width % side
        if not tail or blocks == 1:
            block(at, e.mul(b, side), tail or side)
        else:
            last = e.b.icmp_signed("==", e.i64(b), e.i64(blocks - 1))
            with e.b.if_else(last) as (then, otherwise):
                with then:
                    block(at, (blocks - 1) * side, tail)
                with otherwise:
                    block(at, e.mul(b, side), side)
    return chunks
