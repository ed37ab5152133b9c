"""The code of a contraction, by its schedule: one family for matmul, convolution and their gradients.

`write_contraction` writes one chunk's loops over register tiles; a register tile is a function of its own, one for each
combination of full and cut-off extents that occurs. What happens to the result after it is the next loop's matter: done here,
before the store, it gained nothing on LeNet and a CNN, and lost a few per cent on larger layers.
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Callable, Sequence

from ..llvm import ir
from ..llvm.emit import F16, F32, F64, I64, PTR, VOID, Emitter, Index, Value, const, itemsize, lanes_of, undefined, vector
from .schedule import Pack, Schedule

ELEMENTS = {"float16": F16, "float32": F32, "float64": F64}


def write_contraction(e: Emitter, schedule: Schedule, a: Value, b: Value, out: Value, chunk: Index, scratch: Value,
                      adds: bool = False, ahead: int = 0) -> None:
    """Writes the code of chunk number `chunk` into `e`. a, b, out: addresses of the elements with all indices 0.
    adds: results are added to what `out` holds. ahead: so many elements behind each of a's that is broadcast lies one that
    is wanted soon, and perhaps in no cache."""
    _Kernel(e, schedule, {"a": a, "b": b, "out": out}, scratch, adds, ahead).write(chunk)


@dataclass(frozen=True)
class _Walk:
    """How the micro-kernel walks an operand: its element type in memory, and its stride along each output axis and each
    reduced axis (in elements)."""

    element: ir.Type
    outer: tuple[int, ...]
    reduced: tuple[int, ...]


class _Kernel:
    def __init__(self, e: Emitter, s: Schedule, pointers: dict[str, Value], scratch: Value, adds: bool, ahead: int):
        self.e, self.s, self.pointers, self.scratch, self.adds, self.ahead = e, s, pointers, scratch, adds, ahead
        self.c = s.contraction
        self.outer, self.reduced = self.c.outer, [self.c.reduced[i] for i in s.reduced_order]
        self.sum_type = ELEMENTS[self.c.accumulate]
        self.elements = {op: ELEMENTS[d] for op, d in zip(("a", "b", "out"), self.c.dtypes)}
        self.inner = self.reduced[max(s.block_axis, 0):]  # reduced axes that run inside a register tile
        self.walks = {op: self._walk(op) for op in "ab"}
        self.functions: dict[tuple[int, ...], ir.Function] = {}

    def _walk(self, op: str) -> _Walk:
        pack = self.s.pack(op)
        if pack is None:
            return _Walk(self.elements[op], tuple(x.stride(op) for x in self.outer), tuple(r.stride(op) for r in self.inner))
        # a panel: the inner reduced axes row by row, each row as wide as the tile
        width = self.s.tile[pack.axis]
        sizes = [r.size for r in self.inner]
        strides = tuple(width * prod(sizes[i + 1:]) for i in range(len(sizes)))
        return _Walk(self.sum_type, tuple(int(i == pack.axis) for i in range(len(self.outer))), strides)

    def _offset(self, element: ir.Type, pointer: Value, terms: Sequence[tuple[Index, int]]) -> Value:
        """pointer + Σ index·stride elements."""
        total: Index = 0
        for index, stride in terms:
            total = self.e.add(self.e.mul(index, stride), total)
        return self.e.at(pointer, total, element)

    # ------------------------------------------------------------------ loops

    def write(self, chunk: Index) -> None:
        s, e = self.s, self.e
        at = e.unravel(chunk, s.chunk_sizes)
        if s.block_axis < 0:
            self._blocks_of_chunk(at, None, 0, True)
            return
        # partial sums live in scratch from block to block
        item = itemsize(self.sum_type)
        with e.loop(0, s.partial_bytes() // item, s.lanes, "clear") as i:
            e.store(const(vector(self.sum_type, s.lanes), 0.0), e.at(self.scratch, i, self.sum_type))
        self._block_loop(0, at, [])

    def _block_loop(self, level: int, at: list[Index], before: list[Index]) -> None:
        """Loops over the reduced axes outside of the blocks, then over the blocks of the block axis."""
        s, e = self.s, self.e
        size = self.reduced[level].size
        if level < s.block_axis:
            with e.loop(0, size, name="outer") as k:
                self._block_loop(level + 1, at, [*before, k])
            return
        with e.loop(0, size, s.block, "block") as start:
            steps = e.min(s.block, e.sub(size, start))
            last: Value | bool = e.b.icmp_signed(">=", e.i64(e.add(start, s.block)), I64(size))
            for k, r in zip(before, self.reduced):
                last = e.b.and_(last, e.b.icmp_signed("==", e.i64(k), I64(r.size - 1)))
            self._blocks_of_chunk(at, [*before, start], steps, last)

    def _blocks_of_chunk(self, at: list[Index], block: list[Index] | None, steps: Index, last: Value | bool) -> None:
        operands = {}
        for op in "ab":
            terms = [(k, r.stride(op)) for k, r in zip(block or [], self.reduced)]
            operands[op] = self._offset(self.elements[op], self.pointers[op], terms)
        self._tile_loop(0, at, {}, operands, steps, last, 0)

    def _tile_loop(self, level: int, at: list[Index], tiles: dict[int, Index], operands: dict[str, Value], steps: Index,
                   last: Value | bool, number: Index) -> None:
        """The loop nest over tiles from loop `level` on. tiles: tile index on each output axis so far; number: of the tile
        in the chunk."""
        s, e = self.s, self.e
        for pack in s.packs:
            if pack.depth == level:
                operands = self._pack(pack, at, tiles, operands, steps)
        if level == len(s.order):
            self._call_tile([], tiles, operands, steps, last, number)
            return
        axis = s.order[level]
        count = s.counts[axis]
        if level < s.chunk_depth:
            self._tile_loop(level + 1, at, {**tiles, axis: at[level]}, operands, steps, last, number)
            return
        first, stop = self._range(level, at)
        with e.loop(first, stop, name=f"tile{axis}") as t:
            position = e.add(e.mul(number, min(count, s.chunk_group) if level == s.chunk_depth else count), e.sub(t, first))
            self._tile_loop(level + 1, at, {**tiles, axis: t}, operands, steps, last, position)

    def _range(self, level: int, at: list[Index]) -> tuple[Index, Index]:
        """First tile and end of the loop `level` in this chunk."""
        s, e = self.s, self.e
        count = s.counts[s.order[level]]
        if level < s.chunk_depth:
            return at[level], e.add(at[level], 1)
        if level > s.chunk_depth or s.chunk_group >= count:
            return 0, count
        first = e.mul(at[level], s.chunk_group)
        return first, e.min(e.add(first, s.chunk_group), count)

    def _by_extent(self, axis: int, tile: Index, then: Callable[[int], None]) -> None:
        """Calls `then` with the tile's extent on this axis, which is cut at the last one, under a branch if need be."""
        size, full = self.outer[axis].size, self.s.tile[axis]
        cut, count = size % full, self.s.counts[axis]
        if not cut or count == 1:
            then(cut or full)
            return
        e = self.e
        with e.b.if_else(e.b.icmp_signed("==", e.i64(tile), I64(count - 1))) as (is_last, otherwise):
            with is_last:
                then(cut)
            with otherwise:
                then(full)

    def _call_tile(self, extents: list[int], tiles: dict[int, Index], operands: dict[str, Value], steps: Index,
                   last: Value | bool, number: Index) -> None:
        """Chooses the function for the tile's extents, axis by axis, and calls it."""
        if len(extents) < len(self.outer):
            axis = len(extents)
            self._by_extent(axis, tiles[axis], lambda n: self._call_tile(
                [*extents, n], tiles, operands, steps, last, number))
            return
        e, s = self.e, self.s
        index = [e.mul(tiles[i], s.tile[i]) for i in range(len(self.outer))]
        args = []
        for op in "ab":
            pack = s.pack(op)
            if pack is None:
                terms = list(zip(index, self.walks[op].outer))
            else:  # operands[op] is where the panel of tile 0 would lie
                terms = [(tiles[pack.axis], s.panel_elements(pack))] if pack.panels > 1 else []
            args.append(self._offset(self.walks[op].element, operands[op], terms))
        args.append(self._offset(self.elements["out"], self.pointers["out"], [(i, x.out or 0) for i, x in zip(index, self.outer)]))
        partial = e.at(self.scratch, e.mul(number, s.accumulators * s.lanes), self.sum_type)
        done = e.b.zext(last, I64) if isinstance(last, ir.Value) else I64(1)
        args += [partial, e.i64(steps), done, *[e.i64(i) for i in index]]
        e.b.call(self._function(tuple(extents)), args)

    # ---------------------------------------------------------------- packing

    def _pack(self, pack: Pack, at: list[Index], tiles: dict[int, Index], operands: dict[str, Value],
              steps: Index) -> dict[str, Value]:
        """Copies panels to scratch, and returns the operands with that one replaced."""
        s, e, op = self.s, self.e, pack.operand
        panels = e.at(self.scratch, s.pack_offset(pack))
        fixed = {i: t for i, t in tiles.items() if i != pack.axis}
        source = self._offset(self.elements[op], operands[op],
                              [(e.mul(t, s.tile[i]), self.outer[i].stride(op)) for i, t in fixed.items()])
        first, stop = self._range(s.order.index(pack.axis), at)
        if pack.axis in tiles:
            first, stop = tiles[pack.axis], e.add(tiles[pack.axis], 1)
        if pack.panels > 1:
            panels = self._offset(self.sum_type, panels, [(e.sub(0, first), s.panel_elements(pack))])

        def copy(t: Index) -> None:
            x = self._offset(self.elements[op], source, [(e.mul(t, s.tile[pack.axis]), self.outer[pack.axis].stride(op))])
            y = self._offset(self.sum_type, panels, [(t, s.panel_elements(pack))] if pack.panels > 1 else [])
            self._by_extent(pack.axis, t, lambda n: self._copy_panel(pack, x, y, n, steps))
        if pack.axis in tiles or pack.panels == 1:
            copy(first)
        else:
            with e.loop(first, stop, name="panel") as t:
                copy(t)
        return {**operands, op: panels}

    def _copy_panel(self, pack: Pack, source: Value, panel: Value, extent: int, steps: Index) -> None:
        s, e, op = self.s, self.e, pack.operand
        stride = self.outer[pack.axis].stride(op)
        walk = self.walks[op]

        def row(level: int, x: Value, y: Value) -> None:
            if level < len(self.inner):
                count: Index = steps if level == 0 and s.block_axis >= 0 else self.inner[level].size
                strides = self.inner[level].stride(op), walk.reduced[level]
                turned = 0
                if stride != 1 and strides[0] == 1 and level == len(self.inner) - 1 and s.lanes > 1:
                    turned = count // s.lanes * s.lanes if isinstance(count, int) else e.b.and_(count, I64(-s.lanes))
                    with e.loop(0, turned, s.lanes, "turn") as k:
                        self._turn(op, e.at(x, k, self.elements[op]), stride, extent,
                                   e.at(y, e.mul(k, strides[1]), self.sum_type), strides[1])
                with e.loop(turned, count, name="pack") as k:
                    row(level + 1, e.at(x, e.mul(k, strides[0]), self.elements[op]), e.at(y, e.mul(k, strides[1]), self.sum_type))
                return
            # whole vectors: what sticks out over the row is overwritten by the next one
            for j in range(0, s.tile[pack.axis], s.lanes):
                n = max(0, min(s.lanes, extent - j))
                e.store(self._gather(op, e.at(x, j * stride, self.elements[op]), stride, n), e.at(y, j, self.sum_type))
        row(0, source, panel)

    def _turn(self, op: str, source: Value, stride: int, extent: int, panel: Value, width: int) -> None:
        """Copies a vector's length of steps, which lie side by side in each of `extent` lines: blocks are transposed in registers."""
        e, lanes = self.e, self.s.lanes
        for j in range(0, width, lanes):
            lines = [self._gather(op, e.at(source, (j + i) * stride, self.elements[op]), 1, lanes if j + i < extent else 0)
                     for i in range(lanes)]
            for i, line in enumerate(e.transpose(lines)):
                e.store_some(line, e.at(panel, i * width + j, self.sum_type), min(lanes, width - j))

    def _gather(self, op: str, pointer: Value, stride: int, count: int) -> Value:
        """`count` elements, `stride` apart, as a vector with zeros in the other lanes."""
        e, t = self.e, vector(self.sum_type, self.s.lanes)
        if count == 0:
            return const(t, 0.0)
        if stride == 1:
            return self._load(e, self.elements[op], pointer, count)
        result: Value = const(t, 0.0)
        for i in range(count):
            x = self._load(e, self.elements[op], e.at(pointer, i * stride, self.elements[op]), 0)
            result = e.b.insert_element(result, x, ir.IntType(32)(i)) if self.s.lanes > 1 else x
        return result

    def _load(self, e: Emitter, element: ir.Type, pointer: Value, count: int) -> Value:
        """A vector with `count` valid lanes, or a scalar (count 0), in the accumulation type."""
        if count:
            value = e.load_some(pointer, vector(element, self.s.lanes), count)
        else:
            value = e.load(pointer, element)
        if element != self.sum_type:
            value = e.b.fpext(value, vector(self.sum_type, self.s.lanes if count else 1))
        return value

    # ----------------------------------------------------------- register tiles

    def _function(self, extents: tuple[int, ...]) -> ir.Function:
        """The function that computes a register tile of these extents:
        void tile(a, b, out, partial sums, steps of the block axis, is last block, index…)."""
        if extents not in self.functions:
            name = f"{self.e.function.name}.tile_{'_'.join(map(str, extents))}"
            args = [PTR] * 4 + [I64] * (2 + len(extents))
            e = Emitter.define(self.e.module, self.e.target, name, args, VOID, noalias=False, internal=True)
            self.functions[extents] = e.function
            _Tile(self, e, extents).write()
        return self.functions[extents]


class _Tile:
    """Writes one register tile."""

    def __init__(self, kernel: _Kernel, e: Emitter, extents: tuple[int, ...]):
        self.k, self.e, self.s, self.extents = kernel, e, kernel.s, extents
        self.a, self.b, self.out, self.partial, self.steps, self.last, *self.index = e.args
        s = kernel.s
        self.lanes = s.lanes
        self.along_output = s.vector_axis >= 0
        self.vectors = -(-extents[s.vector_axis] // s.lanes) if self.along_output else 1
        self.positions = list(product(*[range(1 if i == s.vector_axis else n) for i, n in enumerate(extents)]))
        self.steps_order = self._multiplication_order()
        self.type = vector(kernel.sum_type, s.lanes)

    def _multiplication_order(self) -> list[int]:
        """Accumulators in the order of their products: for each value of the operand with more of them in the tile, all of
        the other's, so that few stay in registers."""
        def values(op: str) -> list[tuple]:
            return [(sum(i * x for i, x in zip(p, self.k.walks[op].outer)), j if self._varies(op) else 0)
                    for p, j in product(self.positions, range(self.vectors))]
        keys = max(values("a"), values("b"), key=lambda v: len(set(v)))
        return sorted(range(len(keys)), key=lambda n: keys[n])

    def _varies(self, op: str) -> bool:
        return self.along_output and self.k.walks[op].outer[self.s.vector_axis] != 0

    def write(self) -> None:
        e, s = self.e, self.s
        if s.block_axis < 0:
            self._finish(self._reduce([const(self.type, 0.0)] * (len(self.positions) * self.vectors)))
            e.b.ret_void()
            return
        slots = [e.at(self.partial, i * self.lanes, self.k.sum_type) for i in range(len(self.positions) * self.vectors)]
        sums = self._reduce([e.load(slot, self.type) for slot in slots])
        with e.b.if_else(e.b.icmp_signed("!=", self.last, I64(0))) as (done, more):
            with done:
                self._finish(sums)
            with more:
                for slot, value in zip(slots, sums):
                    e.store(value, slot)
        e.b.ret_void()

    # --------------------------------------------------------- the reduction

    def _reduce(self, sums: list[Value]) -> list[Value]:
        if any(r.size == 0 for r in self.k.inner):
            return sums
        return self._nest(0, self.a, self.b, sums)

    def _nest(self, level: int, a: Value, b: Value, sums: list[Value]) -> list[Value]:
        """The loops over the reduced axes from `level` on."""
        e, inner = self.e, self.k.inner
        if level == len(inner):
            return self._step(a, b, sums, self.lanes)
        strides = [self.k.walks[op].reduced[level] for op in "ab"]
        innermost = level == len(inner) - 1
        unroll = self.s.unroll if innermost else 1
        width = self.lanes if innermost and not self.along_output else 1
        count: Index = self.steps if level == 0 and self.s.block_axis >= 0 else inner[level].size // width
        tail = inner[level].size % width

        def move(a: Value, b: Value, steps: Index) -> tuple[Value, Value]:
            x, y = (e.at(p, e.mul(steps, width * stride), self.k.walks[op].element) for op, p, stride in zip("ab", (a, b), strides))
            return x, y

        def body(a: Value, b: Value, sums: list[Value]) -> list[Value]:
            for u in range(unroll):
                sums = self._nest(level + 1, *move(a, b, u), sums)
            return sums
        start, stop = self._inside_border(level) or (0, count)
        a, b = move(a, b, start)
        if isinstance(stop, int) and stop <= unroll:
            sums = body(a, b, sums) if stop else sums
            a, b = move(a, b, stop)
        else:
            with e.carried_loop(start, stop, [a, b, *sums], f"k{level}", unroll) as (_, state):
                a, b, *sums = state
                state[:] = [*move(a, b, unroll), *body(a, b, sums)]
            a, b, *sums = state
        return self._step(a, b, sums, tail) if tail else sums

    def _inside_border(self, level: int) -> tuple[Index, Index] | None:
        """The indices on a reduced axis with which the tile does not read operand a's border; None where all do, or it
        would not pay to ask. At least one: a loop runs once, over zeros if it must."""
        r, s, e = self.k.inner[level], self.s, self.e
        border = next((x for x in self.k.c.borders if x.stride == -r.a), None)
        axes = [i for i, x in enumerate(self.k.outer) if x.a == -r.a]
        if border is None or len(axes) != 1 or level == len(self.k.inner) - 1 or s.block_axis >= 0 or s.pack("a") is not None:
            return None
        first, extent = self.index[axes[0]], self.extents[axes[0]]
        if extent >= r.size:
            return None
        start = e.min(e.intrinsic("smax", e.i64(e.sub(first, border.high - 1)), I64(0)), r.size - 1)
        stop = e.intrinsic("smax", e.i64(e.min(e.sub(e.add(first, extent), border.low), r.size)), e.i64(e.add(start, 1)))
        return start, stop

    def _step(self, a: Value, b: Value, sums: list[Value], count: int) -> list[Value]:
        """One step of the reduction: every product of the tile. Each element is loaded once."""
        loaded: dict[tuple, Value] = {}
        result = list(sums)
        for n in self.steps_order:
            position, j = self.positions[n // self.vectors], n % self.vectors
            x, y = (self._operand(op, p, position, j, count, loaded) for op, p in (("a", a), ("b", b)))
            result[n] = self.e.fma(x, y, sums[n])
        return result

    def _operand(self, op: str, pointer: Value, position: tuple[int, ...], j: int, count: int, loaded: dict) -> Value:
        """The operand's vector for accumulator (position, j): loaded, or one element in all lanes."""
        k, e, axis = self.k, self.e, self.s.vector_axis
        walk = k.walks[op]
        offset = sum(i * stride for i, stride in zip(position, walk.outer))
        if self.along_output:
            contiguous = walk.outer[axis] == 1
            count = min(self.lanes, self.extents[axis] - j * self.lanes) if self.s.pack(op) is None else self.lanes
            offset += j * self.lanes if contiguous else 0
        else:
            contiguous = self.lanes > 1 and walk.reduced[-1] == 1
        key = (op, offset, contiguous)
        if key not in loaded:
            at = e.at(pointer, offset, walk.element)
            whole = contiguous and self.lanes > 1
            if k.ahead and op == "a" and not whole:
                e.prefetch(e.at(at, k.ahead, walk.element))
            if self.s.pack(op) is None:
                value = k._load(e, walk.element, at, count if whole else 0)
            else:
                value = e.load(at, vector(walk.element, self.lanes if whole else 1))
            loaded[key] = value if whole else e.splat(value, self.lanes)
        return loaded[key]

    # ------------------------------------------------------------ the results

    def _finish(self, sums: list[Value]) -> None:
        if self.along_output:
            axis = self.s.vector_axis
            for n, (position, j) in enumerate(product(self.positions, range(self.vectors))):
                at = list(position)
                at[axis] = j * self.lanes
                self._store(sums[n], at, axis, min(self.lanes, self.extents[axis] - j * self.lanes))
            return
        # scalars; those that are neighbours in the output make a vector
        axis = next((i for i, x in enumerate(self.k.outer) if x.out == 1 and self.extents[i] > 1), -1)
        rest = [p for p in self.positions if axis < 0 or p[axis] == 0]
        for position in rest:
            line = [n for n, p in enumerate(self.positions)
                    if all(x == y for i, (x, y) in enumerate(zip(p, position)) if i != axis)]
            for start in range(0, len(line), self.lanes):
                group = line[start:start + self.lanes]
                at = list(self.positions[group[0]])
                self._store(add_lanes(self.e, [sums[n] for n in group]), at, axis, len(group))

    def _store(self, value: Value, position: Sequence[int], axis: int, count: int) -> None:
        """One vector of results to the output."""
        e, k = self.e, self.k
        offset = sum(i * (x.out or 0) for i, x in zip(position, k.outer))
        element = k.elements["out"]
        if element != k.sum_type:
            value = e.b.fptrunc(value, vector(element, lanes_of(value.type)))
        stride = k.outer[axis].out if axis >= 0 else 1
        if stride == 1 or lanes_of(value.type) == 1:
            at = e.at(self.out, offset, element)
            e.store_some(e.b.fadd(e.load_some(at, value.type, count), value) if k.adds else value, at, count)
            return
        for i in range(count):
            at, x = e.at(self.out, offset + i * (stride or 0), element), e.b.extract_element(value, ir.IntType(32)(i))
            e.store(e.b.fadd(e.load(at, element), x) if k.adds else x, at)


def add_lanes(e: Emitter, sums: list[Value]) -> Value:
    """The sum of the lanes of each vector, as a vector with one lane for each (at most as many as they have lanes)."""
    if lanes_of(sums[0].type) == 1:
        if len(sums) == 1:
            return sums[0]
        result = undefined(vector(sums[0].type, len(sums)))
        for i, x in enumerate(sums):
            result = e.b.insert_element(result, x, ir.IntType(32)(i))
        return result
    if len(sums) == 1:
        return e.horizontal("fadd", sums[0])
    size = 1 << (len(sums) - 1).bit_length()
    level = sums + [const(sums[0].type, 0.0)] * (size - len(sums))
    segments = 1  # of each vector; each holds what is left of one sum's lanes
    while len(level) > 1:
        level = [_add_halves(e, x, y, segments) for x, y in zip(level[::2], level[1::2])]
        segments *= 2
    x = level[0]
    while lanes_of(x.type) > segments:
        x = _add_halves(e, x, None, segments)
    return e.shuffle(x, x, range(len(sums))) if len(sums) < segments else x


def _add_halves(e: Emitter, x: Value, y: Value | None, segments: int) -> Value:
    """Adds the second half of each of x's segments to the first half, then those of y. (Adding even to odd lanes would
    become vhaddps, which has no encoding for the upper half of AVX-512's registers.)"""
    lanes = lanes_of(x.type)
    half = lanes // segments // 2
    starts = [v * lanes + s * 2 * half for v in range(1 if y is None else 2) for s in range(segments)]
    low = [start + i for start in starts for i in range(half)]
    y = x if y is None else y
    return e.b.fadd(e.shuffle(x, y, low), e.shuffle(x, y, [i + half for i in low]))
