"""The code of `winograd`: transforms between images and tiles, and the products between them.

Lanes are tiles, in the order (image, row, column); what belongs to one point and channel lies together: (points, C, tiles).
A chunk transforms a block of tiles into its scratch memory, multiplies there, and transforms back, so transformed values
never leave the caches.
"""
from __future__ import annotations

from math import gcd
from typing import Sequence

from ..ir.graph import Node
from ..ir.types import contiguous_strides
from .kernel import Kernel, chunked
from .llvm.emit import F32, I64, Emitter, Index, Value, const, vector
from .loops.contraction import Axis, Contraction
from .loops.contraction_kernel import write_contraction
from .loops.schedule import make_schedule
from .transpose import transpose_block
from .winograd import F2, KERNEL, Matrix, forward_blocks, product_blocks, tiles, transposed

BYTES = 4  # of an element: float32
SKEW = 16  # elements between points, so that their equal places fall into different sets of the first cache
FEW_TILES = 64  # of a result, for which what is read of filters takes as long as their products
SPAN = 256  # elements that lie side by side in each of the sums that a chunk adds up, about
Grid = list[list[Value]]  # the rows of a small matrix, each element a vector of lanes


# ------------------------------------------------------------------ small matrices, known when the code is written

def _combine(e: Emitter, factors: Sequence[float], values: Sequence[Value]) -> Value:
    """Σ factor · value, without the products by 0, 1 and -1."""
    total = None
    for c, v in sorted([(c, i) for i, c in enumerate(factors) if c], key=lambda term: term[0] < 0):
        x = values[v] if abs(c) == 1 else e.b.fmul(values[v], const(values[v].type, abs(c)))
        if total is None:
            total = x if c > 0 else e.b.fneg(x)
        else:
            total = e.b.fadd(total, x) if c > 0 else e.b.fsub(total, x)
    assert total is not None
    return total


def _sandwich(e: Emitter, matrix: Matrix, grid: Grid) -> Grid:
    """matrix · grid · matrixᵀ."""
    columns = [[_combine(e, row, column) for row in matrix] for column in zip(*grid)]
    return [[_combine(e, row, line) for row in matrix] for line in zip(*columns)]


# ------------------------------------------------------------------ lanes

def _halves(e: Emitter, x: Value, y: Value, lanes: int) -> list[Value]:
    """Lanes of x and y in turns, as two vectors."""
    order = [i + side for i in range(lanes) for side in (0, lanes)]
    return [e.shuffle(x, y, order[:lanes]), e.shuffle(x, y, order[lanes:])]


def _interleaved(e: Emitter, classes: list[Value], lanes: int) -> list[Value]:
    """From vectors of every m-th element, m vectors of neighbours."""
    if len(classes) == 1:
        return classes
    even, odd = _interleaved(e, classes[::2], lanes), _interleaved(e, classes[1::2], lanes)
    return [half for x, y in zip(even, odd) for half in _halves(e, x, y, lanes)]


def _deinterleaved(e: Emitter, vectors: list[Value], lanes: int) -> list[Value]:
    """The inverse of `_interleaved`."""
    if len(vectors) == 1:
        return vectors
    parts = [_deinterleaved(e, [e.shuffle(x, y, range(side, 2 * lanes, 2)) for x, y in zip(vectors[::2], vectors[1::2])], lanes)
             for side in (0, 1)]
    return [x for pair in zip(*parts) for x in pair]


def _plane(channels: int, count: int) -> int:
    """Elements from one point to the next in (points, channels, tiles)."""
    return channels * count + SKEW


class _Tiles:
    """The tiles of a block in images of these strides (batch, channel, row), `lanes` at a time.

    A vector's tiles form runs: neighbours in one row. rows, columns: tiles of an image; count: tiles of the block.
    """

    def __init__(self, k: Kernel, shape: Sequence[int], strides: Sequence[int], first: Index, count: int):
        self.e, self.lanes, self.m = k.e, k.lanes, F2.m
        self.count, self.strides = count, strides
        self.box = (shape[0], shape[2] // F2.m, shape[3] // F2.m)
        self.run = gcd(self.box[2], k.lanes)
        self.slots = self._offsets(first)

    def _offsets(self, first: Index) -> Value:
        """A table on the stack: where each run of the block begins, in elements."""
        e, runs = self.e, self.count // self.run
        table = e.alloca(I64, runs)
        with e.loop(0, runs, name="run") as i:
            image, row, column = e.unravel(e.add(first, e.mul(i, self.run)), self.box)
            at = e.add(e.mul(image, self.strides[0]), e.add(e.mul(row, self.m * self.strides[2]), e.mul(column, self.m)))
            e.store(e.i64(at), e.at(table, i, I64))
        return table

    def runs(self, base: Value, group: Index) -> list[Value]:
        """The addresses of the runs of vector number `group`, in the channel that begins at `base`."""
        e, n = self.e, self.lanes // self.run
        return [e.at(base, e.load(e.at(self.slots, e.add(e.mul(group, n), q), I64), I64), F32) for q in range(n)]

    def _columns(self, runs: list[Value], start: int) -> list[Value]:
        """For each of m columns the elements of all tiles."""
        e, width = self.e, self.m * self.run
        piece = min(width, self.lanes)
        pieces = [e.load(e.at(p, start + i, F32), vector(F32, piece)) for p in runs for i in range(0, width, piece)]
        while len(pieces) > self.m:
            pieces = [e.shuffle(x, y, range(2 * piece)) for x, y in zip(pieces[::2], pieces[1::2])]
            piece *= 2
        return _deinterleaved(e, pieces, self.lanes)

    def load(self, runs: list[Value], size: int) -> Grid:
        """size × size elements of each tile, m ≤ size ≤ 2m."""
        grid = []
        for row in range(size):
            at = row * self.strides[2]
            line = self._columns(runs, at)
            if size > self.m:
                line += self._columns(runs, at + size - self.m)[2 * self.m - size:]
            grid.append(line)
        return grid

    def store(self, runs: list[Value], grid: Grid) -> None:
        """m × m results of each tile."""
        e, width = self.e, self.m * self.run
        piece = min(width, self.lanes)
        for row, line in enumerate(grid):
            vectors = _interleaved(e, line, self.lanes)
            for q, p in enumerate(runs):
                for i in range(0, width, piece):
                    number, lane = divmod(q * width + i, self.lanes)
                    part = vectors[number] if piece == self.lanes else e.shuffle(vectors[number], vectors[number], range(lane, lane + piece))
                    e.store(part, e.at(p, row * self.strides[2] + i, F32))


def _to_points(t: _Tiles, matrix: Matrix, image: Value, channels: int, to: Value) -> None:
    """to (points, channels, tiles) = matrix · tile · matrixᵀ for the channels from `image` on."""
    e = t.e
    with e.loop(0, channels, name="channel") as c:
        base = e.at(image, e.mul(c, t.strides[1]), F32)
        with e.loop(0, t.count // t.lanes, name="group") as group:
            grid = _sandwich(e, matrix, t.load(t.runs(base, group), len(matrix[0])))
            target = e.at(to, e.add(e.mul(c, t.count), e.mul(group, t.lanes)), F32)
            for point, value in enumerate(x for line in grid for x in line):
                e.store(value, e.at(target, point * _plane(channels, t.count), F32))


def _from_points(t: _Tiles, matrix: Matrix, source: Value, channels: int, image: Value) -> None:
    """image = matrix · (points, channels, tiles) · matrixᵀ."""
    e, side = t.e, len(matrix[0])
    with e.loop(0, channels, name="channel") as c:
        base = e.at(image, e.mul(c, t.strides[1]), F32)
        with e.loop(0, t.count // t.lanes, name="group") as group:
            at = e.at(source, e.add(e.mul(c, t.count), e.mul(group, t.lanes)), F32)
            points = [e.load(e.at(at, p * _plane(channels, t.count), F32), vector(F32, t.lanes)) for p in range(side * side)]
            t.store(t.runs(base, group), _sandwich(e, matrix, [points[i:i + side] for i in range(0, side * side, side)]))


# ------------------------------------------------------------------ the kernels

def conv(k: Kernel, node: Node) -> int:
    """y = the filter's products with the padded x; also the gradient with respect to the input, as one of a turned filter."""
    e, (x, u), y = k.e, node.inputs, node.outputs[0]
    c_in, c_out, n = x.shape[1], y.shape[1], F2.points
    blocks = forward_blocks(c_in, y.shape)
    count = blocks.tiles
    k.prepare([x, u, y])
    table = Contraction((Axis(n, _plane(blocks.c_out, count), c_out * c_in, _plane(c_in, count)),
                         Axis(blocks.c_out, count, c_in, 0), Axis(count, 1, 0, 1)), (Axis(c_in, None, 1, count),))
    schedule = make_schedule(table, e.target.isa)
    sizes = [n * _plane(c, count) * BYTES for c in (c_in, blocks.c_out)]
    k.scratch = sum(sizes) + schedule.scratch_bytes()
    transformed, products, rest = (e.at(e.args[2], sum(sizes[:i])) for i in range(3))
    grid = (c_out // blocks.c_out, tiles(y.shape) // count)
    channel, block = e.unravel(k.chunk, grid)
    first, channel = e.mul(block, count), e.mul(channel, blocks.c_out)
    _to_points(_Tiles(k, y.shape, contiguous_strides(x.shape), first, count), F2.bt, k.pointer(x), c_in, transformed)
    ahead = c_out * c_in if tiles(y.shape) <= FEW_TILES else 0  # during one point's products, the next one's filters come from far away
    with e.loop(0, schedule.n_chunks, name="products") as part:
        write_contraction(e, schedule, e.at(k.pointer(u), e.mul(channel, c_in), F32), transformed, products, part, rest, ahead=ahead)
    strides = contiguous_strides(y.shape)
    _from_points(_Tiles(k, y.shape, strides, first, count), F2.at, products, blocks.c_out,
                 e.at(k.pointer(y), e.mul(channel, strides[1]), F32))
    k.finish()
    return grid[0] * grid[1]


def products(k: Kernel, node: Node) -> int:
    """(parts, points, O, I): the products of dy and x, summed over each part's tiles."""
    e, (x, g), out = k.e, node.inputs, node.outputs[0]
    (c_in, c_out), n = out.shape[:1:-1], F2.points
    blocks, parts = product_blocks(c_in, g.shape)
    count = blocks.tiles
    k.prepare([x, g, out])
    table = Contraction((Axis(n, c_out * c_in, _plane(blocks.c_out, count), _plane(blocks.c_in, count)),
                         Axis(blocks.c_out, c_in, count, 0), Axis(blocks.c_in, 1, 0, 1)), (Axis(count, None, 1, blocks.c_in),))
    schedule = make_schedule(table, e.target.isa)
    sizes = [n * _plane(c, count) * BYTES for c in (blocks.c_out, blocks.c_in, blocks.c_in)]
    k.scratch = sum(sizes) + schedule.scratch_bytes()
    gradients, turned, inputs, rest = (e.at(e.args[2], sum(sizes[:i])) for i in range(4))
    grid = (parts, c_out // blocks.c_out, c_in // blocks.c_in)
    part, o, i = e.unravel(k.chunk, grid)
    o, i = e.mul(o, blocks.c_out), e.mul(i, blocks.c_in)
    sums = e.at(k.pointer(out), e.add(e.mul(part, n * c_out * c_in), e.add(e.mul(o, c_in), i)), F32)
    with e.loop(0, n) as point, e.loop(0, blocks.c_out) as row, e.loop(0, blocks.c_in, k.lanes) as column:
        at = e.add(e.add(e.mul(point, c_out * c_in), e.mul(row, c_in)), column)
        e.store(const(vector(F32, k.lanes), 0.0), e.at(sums, at, F32))
    per = tiles(g.shape) // count // parts
    with e.loop(e.mul(part, per), e.add(e.mul(part, per), per), name="block") as block:
        first = e.mul(block, count)
        strides = contiguous_strides(g.shape)
        _to_points(_Tiles(k, g.shape, strides, first, count), transposed(F2.at), e.at(k.pointer(g), e.mul(o, strides[1]), F32),
                   blocks.c_out, gradients)
        strides = contiguous_strides(x.shape)
        _to_points(_Tiles(k, g.shape, strides, first, count), F2.bt, e.at(k.pointer(x), e.mul(i, strides[1]), F32),
                   blocks.c_in, turned)
        with e.loop(0, n) as point, e.loop(0, blocks.c_in, k.lanes) as c, e.loop(0, count, k.lanes) as t:
            plane = e.mul(point, _plane(blocks.c_in, count))
            transpose_block(e, F32, k.lanes, e.at(turned, e.add(plane, e.add(e.mul(c, count), t)), F32), count,
                            e.at(inputs, e.add(plane, e.add(e.mul(t, blocks.c_in), c)), F32), blocks.c_in, k.lanes, k.lanes)
        with e.loop(0, schedule.n_chunks, name="products") as number:
            write_contraction(e, schedule, gradients, inputs, sums, number, rest, adds=True)
    k.finish()
    return grid[0] * grid[1] * grid[2]


def _strided_load(e: Emitter, pointer: Value, stride: int, lanes: int) -> Value:
    """Elements `stride` apart."""
    value: Value = const(vector(F32, lanes), 0.0)
    for i in range(lanes):
        value = e.b.insert_element(value, e.load(e.at(pointer, i * stride, F32), F32), I64(i))
    return value


def filters(k: Kernel, node: Node) -> int:
    """(points, O, I) = G w Gᵀ; turned: (points, I, O) of the filter turned by 180°. Lanes are the last channels."""
    e, w, out = k.e, node.inputs[0], node.outputs[0]
    turned, = node.params
    k.prepare([w, out])
    taps, lanes = KERNEL * KERNEL, k.lanes
    _, rows, columns = out.shape
    row_step, lane_step = (taps, rows * taps) if turned else (columns * taps, taps)
    start, stop, chunks = chunked(k, columns // lanes, rows * lanes * taps)
    with e.loop(start, stop, name="block") as block, e.loop(0, rows, name="row") as row:
        column = e.mul(block, lanes)
        at = e.at(k.pointer(w), e.add(e.mul(row, row_step), e.mul(column, lane_step)), F32)
        values = [_strided_load(e, e.at(at, tap, F32), lane_step, lanes) for tap in range(taps)]
        if turned:
            values.reverse()
        grid = _sandwich(e, F2.g, [values[i:i + KERNEL] for i in range(0, taps, KERNEL)])
        to = e.at(k.pointer(out), e.add(e.mul(row, columns), column), F32)
        for point, value in enumerate(x for line in grid for x in line):
            e.store(value, e.at(to, point * rows * columns, F32))
    k.finish()
    return chunks


def weight(k: Kernel, node: Node) -> int:
    """dw (O, I, 3, 3) = Gᵀ (Σ over the parts) G. A chunk sums up the parts of some rows point by point, as they lie in memory, before it
    reads all points of a filter; one part is read where it is."""
    e, sums, out = k.e, node.inputs[0], node.outputs[0]
    parts, points, rows, columns = sums.shape
    k.prepare([sums, out])
    taps, lanes, side, plane = KERNEL * KERNEL, k.lanes, len(F2.g), rows * columns
    width = columns * max(d for d in range(1, max(1, SPAN // columns) + 1) if rows % d == 0)
    first = e.mul(k.chunk, width)
    totals, distance = e.at(k.pointer(sums), first, F32), plane
    if parts > 1:
        totals, distance = e.args[2], width
        k.scratch = points * width * BYTES
        with e.loop(0, points, name="point") as point, e.loop(0, width, lanes, "column") as column:
            at = e.add(e.add(e.mul(point, plane), first), column)
            values = [e.load(e.at(k.pointer(sums), e.add(at, part * points * plane), F32), vector(F32, lanes)) for part in range(parts)]
            e.store(_combine(e, [1] * parts, values), e.at(totals, e.add(e.mul(point, width), column), F32))
    with e.loop(0, width, lanes, "column") as column:
        values = [e.load(e.at(totals, e.add(column, point * distance), F32), vector(F32, lanes)) for point in range(points)]
        grid = _sandwich(e, transposed(F2.g), [values[i:i + side] for i in range(0, points, side)])
        to = e.at(k.pointer(out), e.mul(e.add(first, column), taps), F32)
        for tap, value in enumerate(x for line in grid for x in line):
            for lane in range(lanes):
                e.store(e.b.extract_element(value, I64(lane)), e.at(to, lane * taps + tap, F32))
    k.finish()
    return rows * columns // width


def _multiplications(node: Node) -> int:
    """Of a kernel with products, for the choice between one thread and several."""
    shape = node.outputs[0].shape if node.prim.name == "winograd_conv" else node.inputs[1].shape
    return node.inputs[0].shape[1] * shape[1] * tiles(shape) * F2.points


conv.work = products.work = _multiplications  # type: ignore[attr-defined]
