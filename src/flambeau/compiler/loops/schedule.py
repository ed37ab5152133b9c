"""How a contraction is run: which axis the vectors lie along, the register tile, the order of the loops, blocks, chunks.

The cost model counts, for one step of the reduction in one register tile, the instructions that compete: fused
multiply-adds (two a cycle on most CPUs), loads and broadcasts (a broadcast folded into its arithmetic costs a load all the same),
the latency of the sums (each accumulator takes one addition every four cycles), and the cache lines that come from L2 where a tile
reads more than L1 holds. Tiles that stick out over an axis cost what their cut-off shape costs, and tiles of few steps that write to
many pages of a large result cost more. The cheapest candidate wins; everything depends on shapes and the ISA alone, so a kernel's
result does not depend on the machine's load or number of threads.

Vectors lie either along an output axis (`vector_axis >= 0`), contiguous in the output if that is no detour: one operand is loaded as vectors
there, the other, which does not depend on the axis, is broadcast; or along the innermost reduced axis, contiguous in both
operands: sums are then lanes, added up at the end (x·wᵀ with row-major x and w).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from math import ceil, inf, prod

import numpy as np

from ..llvm.target import Isa
from .blocking import CACHE_WAYS, FAR_BYTES, L2_BYTES, cut_rows, fitting_block, footprint, is_long, sum_block, walks_columns
from .contraction import Axis, Contraction

CHUNK_CYCLES = 10_000        # a chunk is worth some microseconds: dozens of times what claiming it costs
LARGE_CYCLES = 40_000        # and more where there are enough, as its tiles share operands
MAX_CHUNKS = 256
PANEL_ROWS = 160             # of the result, for which a panel is packed at least
ENOUGH_CHUNKS = 64           # for many threads: more must be worth it, and panels are not packed again for more
BALANCED_CHUNKS = 4          # so few threads share them out evenly, which is worth packing a panel more often
FEW_CHUNKS = 16              # where chunks are to be large
FEW_STEPS = 64               # of a reduction
FMA_LATENCY = 4
SLOW = 1.5                   # times the cycles of the multiplications alone: from here on other ways are tried
FAR_ROWS = 1.2               # times the cycles of sums along rows, where the second cache holds neither operand
SCATTER_CYCLES = 2.0         # to store one lane of a vector
LOAD_CYCLES = 0.7            # a load or broadcast of a whole vector; two a cycle is what the manuals say
LOADS_BESIDE = 0.08          # of a load, what multiplications do not hide where one begins in a cycle; so many tiles cost the same there
LONG_STEPS, NEAR_BYTES = 768, 256  # length of columns whose lines overflow the first cache, which are so from a lesser distance on
L1_BYTES = 24 * 1024         # what a tile's operands may take of the first cache
LINE_BYTES, LINE_CYCLES = 64, 2.5  # a line from L2, measured with many streams
STREAMS = 8                  # rows that a CPU fetches ahead at once, where each is read once
PAGE_BYTES, MOST_PAGES = 4096, 10  # that a tile of few steps should write to at once
FAR_PAGES = 1.1              # times the cycles of one that writes to more


@dataclass(frozen=True)
class Pack:
    """An operand copied to panels: one panel holds what register tiles with one position along `axis` read of it, step by
    step of the reduction. It is done when the first `depth` loops are fixed, for `panels` positions along the axis."""

    operand: str
    axis: int
    depth: int
    panels: int


@dataclass(frozen=True)
class Schedule:
    """contraction: simplified, the one that axis numbers below refer to.

    vector_axis: the output axis that vectors lie along, or -1 for the innermost reduced axis; lanes: elements a vector.
    tile: for each output axis, elements in the register tile (a multiple of `lanes` on the vector axis).
    order: output axes, outermost loop first. reduced_order: reduced axes, outermost first.
    chunk_depth, chunk_group: a chunk is one position of the first `chunk_depth` loops and up to `chunk_group` tiles of the
    next loop, with all of the further ones. block_axis, block: position in `reduced_order` of the axis that is cut into
    blocks of this size (axes before it are outer, too), or -1. packs: the operands that are copied to contiguous panels.
    unroll: steps of the innermost reduced loop in one body.
    """

    contraction: Contraction
    vector_axis: int
    lanes: int
    tile: tuple[int, ...]
    order: tuple[int, ...]
    reduced_order: tuple[int, ...]
    chunk_depth: int
    chunk_group: int
    block_axis: int
    block: int
    packs: tuple[Pack, ...]
    unroll: int
    cycles: float

    @property
    def counts(self) -> tuple[int, ...]:
        """Tiles along each output axis."""
        return tuple(ceil(x.size / t) for x, t in zip(self.contraction.outer, self.tile))

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """The box of chunks: one size a loop of the prefix, and the groups of the next."""
        n = [self.counts[i] for i in self.order]
        if self.chunk_depth >= len(n):
            return tuple(n)
        return (*n[:self.chunk_depth], ceil(n[self.chunk_depth] / self.chunk_group))

    @property
    def n_chunks(self) -> int:
        return prod(self.chunk_sizes)

    @property
    def chunk_tiles(self) -> int:
        """Register tiles in a chunk, at most."""
        n = [self.counts[i] for i in self.order]
        return min(self.chunk_group, n[self.chunk_depth]) * prod(n[self.chunk_depth + 1:]) if self.chunk_depth < len(n) else 1

    @property
    def accumulators(self) -> int:
        """Vectors in a full register tile."""
        size = prod(self.tile)
        return size // self.lanes if self.vector_axis >= 0 else size

    @property
    def block_steps(self) -> int:
        """Steps of the reduction in one block, at most."""
        sizes = [self.contraction.reduced[i].size for i in self.reduced_order]
        if self.block_axis < 0:
            return prod(sizes)
        return self.block * prod(sizes[self.block_axis + 1:])

    def pack(self, operand: str) -> Pack | None:
        """How this operand is packed, or None."""
        return next((p for p in self.packs if p.operand == operand), None)

    def panel_elements(self, pack: Pack) -> int:
        """Elements of one panel."""
        return self.block_steps * self.tile[pack.axis]

    def pack_offset(self, pack: Pack) -> int:
        """Bytes from the start of the scratch memory to the first panel."""
        item = np.dtype(self.contraction.accumulate).itemsize
        before = self.packs[:self.packs.index(pack)]
        # rows are copied a whole vector at a time: the last one may stick out
        return self.partial_bytes() + sum(_align((p.panels * self.panel_elements(p) + self.lanes) * item) for p in before)

    def scratch_bytes(self) -> int:
        """Scratch memory that a chunk needs: partial sums when the reduction is blocked, then the packed panels."""
        item = np.dtype(self.contraction.accumulate).itemsize
        return self.partial_bytes() + sum(_align((p.panels * self.panel_elements(p) + self.lanes) * item) for p in self.packs)

    def partial_bytes(self) -> int:
        if self.block_axis < 0:
            return 0
        item = np.dtype(self.contraction.accumulate).itemsize
        return _align(self.chunk_tiles * self.accumulators * self.lanes * item)

    def __str__(self) -> str:
        where = f"axis {self.vector_axis}" if self.vector_axis >= 0 else "the reduction"
        return (f"vectors of {self.lanes} along {where}, tile {self.tile}, order {self.order}, {self.n_chunks} chunks"
                + (f", blocks of {self.block_steps} steps" if self.block_axis >= 0 else "")
                + "".join(f", {p.operand} packed" for p in self.packs))


def _align(n: int) -> int:
    return -(-n // 64) * 64


@dataclass
class _Candidate:
    vector_axis: int
    lanes: int
    tile: tuple[int, ...]
    packed: str  # operands to pack
    cycles: float


def _tile_sizes(size: int, most: int) -> list[int]:
    """Sizes up to `most` worth trying: for each number of tiles the least size that reaches it."""
    return sorted({ceil(size / ceil(size / m)) for m in range(1, min(size, most) + 1)})


def _lines(c: Contraction, tile: dict[int, int], operand: str) -> float:
    """Cache lines of an operand that a register tile touches in the whole reduction. Axes with the same stride overlap."""
    item = np.dtype(c.accumulate).itemsize
    sizes: dict[int, int] = {}
    for stride, n in [(c.outer[i].stride(operand), n) for i, n in tile.items()] + [(r.stride(operand), r.size) for r in c.reduced]:
        if stride:
            sizes[abs(stride)] = sizes.get(abs(stride), 1) + n - 1
    lines, span = 1.0, 1
    for stride, n in sorted(sizes.items()):
        if stride * item < LINE_BYTES or stride <= span:
            span += (n - 1) * stride
        else:
            lines *= n
    whole, part = divmod(span * item, LINE_BYTES)
    # whole lines are taken as aligned; a part lies across two lines more often the longer it is
    return lines * (whole + (1 + part / LINE_BYTES if part else 0))


def _memory_cost(c: Contraction, tile: dict[int, int], packed: str) -> float:
    """Cycles a step for lines that do not stay in the first cache."""
    steps = prod(r.size for r in c.reduced)
    lines = 0.0
    for op in "ab":
        if op in packed:
            width = max((n for i, n in tile.items() if c.outer[i].stride(op)), default=1)
            lines += steps * width * np.dtype(c.accumulate).itemsize / LINE_BYTES
        else:
            lines += _lines(c, tile, op)
    return LINE_CYCLES * lines / max(steps, 1) if lines * LINE_BYTES > L1_BYTES else 0.0


def _streamed(c: Contraction) -> dict[str, int]:
    """The operands of which no product uses an element again, and which do not stay in the first cache anyway; their bytes."""
    sizes = {op: _nbytes(c, op) for op in "ab" if all(x.stride(op) for x in c.outer if x.size > 1)}
    return {op: n for op, n in sizes.items() if n > L1_BYTES}


def _nbytes(c: Contraction, operand: str) -> int:
    """Of a whole operand."""
    return footprint(c, [x.size for x in c.outer], operand) * np.dtype(c.accumulate).itemsize


def _step_cost(isa: Isa, fmas: float, loads: float, accumulators: int, memory: float) -> float:
    beside = 0.25 + (LOADS_BESIDE * loads if isa.multiplies == 1 else 0.0)
    return max(fmas / isa.multiplies, loads * LOAD_CYCLES, accumulators and FMA_LATENCY * fmas / accumulators, memory) + beside


def _loads(axes: tuple[Axis, ...], tile: dict[int, int], operand: str, skip: int) -> int:
    """Distinct elements (or vectors, without the axis `skip`) of an operand in a register tile."""
    return prod(m for i, m in tile.items() if i != skip and axes[i].stride(operand))


def _tile_cost(c: Contraction, isa: Isa, tile: dict[int, int], vector_axis: int, lanes: int, packed: str) -> float:
    """Cycles of one reduction step in all register tiles, full and cut ones."""
    memory = _memory_cost(c, tile, packed) / (prod(tile.values()) or 1)
    width = 2 / isa.multiplies  # of a vector's load, against a broadcast

    def visit(axes: list[int], chosen: dict[int, int]) -> float:
        if not axes:
            vectors = ceil(chosen[vector_axis] / lanes) if vector_axis >= 0 else 1
            count = prod(m for i, m in chosen.items() if i != vector_axis)
            loads = sum(_loads(c.outer, chosen, op, vector_axis)
                        * (width * vectors if vector_axis >= 0 and c.outer[vector_axis].stride(op) else 1) for op in "ab")
            return _step_cost(isa, count * vectors, loads, count * vectors, memory * prod(chosen.values()))
        i, rest = axes[0], axes[1:]
        full, cut = divmod(c.outer[i].size, tile[i])
        return (full * visit(rest, {**chosen, i: tile[i]}) if full else 0.0) + \
            (visit(rest, {**chosen, i: cut}) if cut else 0.0)
    others = prod(x.size for i, x in enumerate(c.outer) if i not in tile)
    return others * visit(list(tile), {})


def _candidates(c: Contraction, isa: Isa) -> list[_Candidate]:
    item = np.dtype(c.accumulate).itemsize
    lanes = isa.lanes(item)
    steps = prod(x.size for x in c.reduced)
    found = []
    for axis, x in enumerate(c.outer):
        if x.out == 1:
            found += _along_output(c, isa, axis, lanes)
    inner = [x for x in c.reduced if x.a in (0, 1) and x.b in (0, 1) and x.a + x.b]
    if inner:
        n = max(x.size for x in inner)
        best = _best_tile(c, isa, -1, lanes)
        sums = prod(x.size for x in c.outer) * 2.0  # adding up the lanes
        far = FAR_ROWS if min(_nbytes(c, op) for op in "ab") > L2_BYTES else 1.0
        found.append(_Candidate(-1, lanes, best[1], "", far * best[0] * steps / n * ceil(n / lanes) + sums))
    ideal = steps * prod(x.size for x in c.outer) / lanes / isa.multiplies
    if min((x.cycles for x in found), default=inf) > SLOW * ideal:  # short rows, strided ones: results are stored one by one
        for axis, x in enumerate(c.outer):
            if x.out != 1 and x.size >= lanes:
                found += _along_output(c, isa, axis, lanes)
    if not found:
        # nothing is contiguous: scalars
        best = _best_tile(c, isa, -1, 1)
        found.append(_Candidate(-1, 1, best[1], "", best[0] * steps))
    return found


def _along_output(c: Contraction, isa: Isa, axis: int, lanes: int) -> list[_Candidate]:
    """The candidate with vectors along this output axis, if there is one."""
    packed = _operands_to_pack(c, axis)
    if packed is None:
        return []
    x = c.outer[axis]
    steps = prod(r.size for r in c.reduced)
    cycles, tile = _best_tile(c, isa, axis, lanes, packed)
    packing = sum(_packing_cycles(c, x, op, lanes) * steps * prod(y.size for y in c.outer if y.stride(op)) for op in packed)
    scattering = 0.0 if x.out == 1 else SCATTER_CYCLES * prod(y.size for y in c.outer)
    return [_Candidate(axis, lanes, tile, packed, steps * cycles + packing + scattering)]


def _packing_cycles(c: Contraction, x: Axis, operand: str, lanes: int) -> float:
    """To load an element and store it in a panel with vectors along the output axis x: in rows, in blocks that are turned, or one by one."""
    if x.stride(operand) in (0, 1):
        return 0.5
    return 0.6 if any(r.stride(operand) == 1 and r.size >= lanes for r in c.reduced) else 2.0


def _operands_to_pack(c: Contraction, axis: int) -> str | None:
    """The operands that are to be packed for vectors along this output axis; None if that takes more than packing.

    One whose stride there is neither 0 nor 1; and one that is walked in steps so large that a tile's lines fall into few cache
    sets (and each on a page of its own), while other tiles use them again. (The broadcast operand only in batches, which chunks
    do not share: otherwise it would be packed for every chunk, and is better copied once, before.)"""
    x = c.outer[axis]
    forced = [op for op in "ab" if x.stride(op) not in (0, 1)]
    if len(forced) == 2 or (forced and all(x.stride(op) for op in "ab")):
        return None
    item = np.dtype(c.accumulate).itemsize
    steps = prod(r.size for r in c.reduced)
    far = FAR_BYTES if steps < LONG_STEPS else NEAR_BYTES
    batched = any(y.a and y.b for y in c.outer)
    packed = ""
    for op in "ab":
        reuse = prod(y.size for y in c.outer if not y.stride(op))
        coarse = bool(c.reduced) and all(abs(r.stride(op)) * item >= far for r in c.reduced)
        if op in forced or ((x.stride(op) or batched) and coarse and steps >= 32 and reuse >= 48 and _pack_axis(c, axis, op) is not None):
            packed += op
    return packed


def _pack_axis(c: Contraction, vector_axis: int, operand: str) -> int | None:
    """The axis whose tiles have a panel each: the vectors', or the one other axis that belongs to this operand alone."""
    if c.outer[vector_axis].stride(operand):
        return vector_axis if not c.outer[vector_axis].stride("b" if operand == "a" else "a") else None
    other = "b" if operand == "a" else "a"
    own = [i for i, y in enumerate(c.outer) if y.stride(operand) and not y.stride(other) and y.size > 1]
    return own[0] if len(own) == 1 else None


def _best_tile(c: Contraction, isa: Isa, vector_axis: int, lanes: int, packed: str = "") -> tuple[float, tuple[int, ...]]:
    """(cycles of one reduction step over all tiles, tile) of the cheapest register tile."""
    registers = isa.registers
    best: tuple[float, tuple[int, ...]] | None = None
    # axes worth a tile: each makes one operand be used again
    others = [i for i, x in enumerate(c.outer) if i != vector_axis and x.size > 1 and not (x.a and x.b)]
    for op in packed:  # a tile reads one panel: it has no other extent on axes of the packed operand
        others = [i for i in others if not c.outer[i].stride(op) or i == _pack_axis(c, vector_axis, op)]
    others = sorted(others, key=lambda i: -c.outer[i].size)[:4]
    vectors = range(1, 5) if vector_axis >= 0 else (1,)
    streamed = _streamed(c) if vector_axis < 0 else {}
    often = _result_bytes(c) > L2_BYTES and prod(r.size for r in c.reduced) <= FEW_STEPS  # whether large results are written often
    for pair in [*combinations(others, 2), *[(i,) for i in others], ()]:
        for n in vectors:
            if vector_axis >= 0 and n > 1 and n > ceil(c.outer[vector_axis].size / lanes):
                break
            for sizes in _pair_sizes(c, pair, (registers - 2) // n):
                tile = dict(zip(pair, sizes))
                accumulators = prod(sizes) * n
                if vector_axis >= 0:
                    tile[vector_axis] = n * lanes
                temporaries = _temporaries(c, isa, tile, vector_axis, n)
                if accumulators + temporaries > registers or any(_loads(c.outer, tile, op, -1) > STREAMS for op in streamed):
                    continue
                cost = _tile_cost(c, isa, tile, vector_axis, lanes, packed)
                if vector_axis < 0:  # all loads are vectors' then, of long rows: of tiles that cost as much, the one with fewer
                    cost *= 1 + max(0.0, _loads_per_product(c, tile) - 0.5) / 64
                cost *= _unevenness(c, tile, cost) * (FAR_PAGES if often and _pages(c, tile) > MOST_PAGES else 1.0)
                if best is None or cost < best[0] * 0.999:
                    best = cost, tuple(tile.get(i, 1) for i in range(len(c.outer)))
    assert best is not None
    return best


def _unevenness(c: Contraction, tile: dict[int, int], cost: float) -> float:
    """How much longer two threads take than half of the work, as they share out whole tiles; 1 for what one thread does alone."""
    tiles = prod(ceil(x.size / tile.get(i, 1)) for i, x in enumerate(c.outer))
    many = tiles >= 4 * BALANCED_CHUNKS or cost * prod(x.size for x in c.reduced) < 2 * CHUNK_CYCLES
    return 1.0 if many else 2 * ceil(tiles / 2) / tiles


def _result_bytes(c: Contraction) -> int:
    return prod(x.size for x in c.outer) * np.dtype(c.accumulate).itemsize


def _pages(c: Contraction, tile: dict[int, int]) -> int:
    """Pages that a tile's results lie on, where they are at least that far apart along two axes."""
    far = [n for i, n in tile.items() if n > 1 and abs(c.outer[i].out or 0) * np.dtype(c.accumulate).itemsize >= PAGE_BYTES]
    return prod(far) if len(far) > 1 else 1


def _loads_per_product(c: Contraction, tile: dict[int, int]) -> float:
    return sum(_loads(c.outer, tile, op, -1) for op in "ab") / prod(tile.values())


def _temporaries(c: Contraction, isa: Isa, tile: dict[int, int], vector_axis: int, vectors: int) -> int:
    """Registers beside the accumulators: all of the operand with fewer values in the tile, and one of the other, unless
    that is a broadcast which its only multiplication can fold."""
    values = {}
    for op in "ab":
        varies = vector_axis >= 0 and c.outer[vector_axis].stride(op)
        values[op] = _loads(c.outer, tile, op, vector_axis) * (vectors if varies else 1)
    many = max("ab", key=lambda op: values[op])
    broadcast = vector_axis >= 0 and not c.outer[vector_axis].stride(many)
    fewer = min(values.values())
    return fewer + (0 if broadcast and isa.folds_broadcast and fewer == 1 else 1)


def _pair_sizes(c: Contraction, pair: tuple[int, ...], most: int) -> list[tuple[int, ...]]:
    if not pair:
        return [()]
    first = _tile_sizes(c.outer[pair[0]].size, most)
    if len(pair) == 1:
        return [(m,) for m in first]
    second = _tile_sizes(c.outer[pair[1]].size, most)
    return [(m, n) for m in first for n in second if m > 1 and n > 1 and m * n <= most]


def _loop_order(c: Contraction, tile: tuple[int, ...], vector_axis: int, packed: str) -> tuple[int, ...]:
    """Output axes from the outermost in: the innermost loop changes as little as possible of what a tile reads; axes that
    move the vectors' packed panel come first, those of both operands before all. Of two operands one of which the second cache
    holds, the other is walked once, by the outer loops. A large result is written as it lies in memory, if the first cache holds what
    all of the inner loops read."""
    item = np.dtype(c.accumulate).itemsize
    along = tuple(sorted(range(len(c.outer)), key=lambda i: -abs(c.outer[i].out or 0)))
    inner = {i: tile[i] if i == along[0] else c.outer[i].size for i in along}
    if not packed and _result_bytes(c) > L2_BYTES and sum(_lines(c, inner, op) for op in "ab") * LINE_BYTES <= L1_BYTES:
        return along
    large = [op for op in "ab" if footprint(c, [1 if x.a and x.b else x.size for x in c.outer], op) * item > L2_BYTES]
    moved = next((op for op in packed if vector_axis >= 0 and c.outer[vector_axis].stride(op)), None)

    def key(i: int) -> tuple:
        x = c.outer[i]
        changed = sum(footprint(c, tile, op) for op in "ab" if x.stride(op))
        return (not (packed and x.a and x.b), not (moved and x.stride(moved)), not (len(large) == 1 and x.stride(large[0])),
                -changed, -abs(x.out or 0))
    return tuple(sorted(range(len(c.outer)), key=key))


def _chunking(counts: list[int], cycles: float, most: int) -> tuple[int, int]:
    """(loops of the prefix, tiles of the next loop in a chunk)."""
    wanted = max(1, min(most, ENOUGH_CHUNKS, int(cycles / CHUNK_CYCLES)), min(most, int(cycles / LARGE_CYCLES)))
    outer = 1
    for depth, n in enumerate(counts):
        if outer * n >= wanted:
            return depth, max(1, n * outer // wanted)
        outer *= n
    return (len(counts) - 1, 1) if counts else (0, 1)


def _balanced(outer: int, count: int, group: int) -> int:
    """How many of `count` tiles to take as a group, at most `group`, so that two threads have as much to do, in each of `outer` loops."""
    if not 1 < outer * ceil(count / group) < 2 * BALANCED_CHUNKS:
        return group
    return min(range(group, (group - 1) // 2, -1), key=lambda g: ceil(outer * ceil(count / g) / 2) * g)


@lru_cache(1024)
def make_schedule(contraction: Contraction, isa: Isa) -> Schedule:
    """The cheapest schedule by the cost model."""
    c = contraction.simplify()
    best = min(_candidates(c, isa), key=lambda x: x.cycles)
    return _finish(c, best)


def _finish(c: Contraction, best: _Candidate) -> Schedule:
    order = _loop_order(c, best.tile, best.vector_axis, best.packed)
    tile, axis = best.tile, best.vector_axis
    columns = not best.packed and walks_columns(c, axis)
    if not best.packed and not columns:
        c, tile, axis, order = cut_rows(c, tile, axis, order)
    cut = sum_block(c, best.lanes) if axis < 0 else 0
    if cut:
        c, order = c.cut_reduced(0, cut), tuple(sorted(order, key=lambda i: -c.outer[i].size))
    best = replace(best, tile=tile, vector_axis=axis)
    reduced_order = _reduced_order(c, best)
    counts = [ceil(c.outer[i].size / tile[i]) for i in order]
    long = is_long(c, tile)
    reading = sum(_streamed(c).values()) / LINE_BYTES * LINE_CYCLES
    depth, group = _chunking(counts, max(best.cycles, reading), FEW_CHUNKS if long or cut or columns else MAX_CHUNKS)
    if best.packed:
        depth, group = _keep_panels(c, best, order, depth, group)
    if depth < len(counts):
        group = _balanced(prod(counts[:depth]), counts[depth], group)
    packs = _packs(c, best, order, depth, group)
    innermost = c.reduced[reduced_order[-1]].size if reduced_order else 1
    vectors = prod(tile) // (best.lanes if axis >= 0 else 1)
    steps = innermost // best.lanes if axis < 0 else innermost
    unroll = next((u for u in (4, 3, 2) if steps % u == 0 and u * vectors <= 56 and vectors <= 16), 1)
    if cut or columns:
        block_axis, block = 0, 1 if cut else CACHE_WAYS
    else:
        block_axis, block = fitting_block(c, tile, order, reduced_order, depth, group, packs) if long else (-1, 0)
    if block_axis == len(reduced_order) - 1:
        if axis < 0:
            block_axis, block = -1, 0
        else:
            block = max(unroll, block // unroll * unroll)
    return Schedule(c, axis, best.lanes, tile, order, reduced_order, depth, group, block_axis, block, packs, unroll, best.cycles)


def _keep_panels(c: Contraction, best: _Candidate, order: tuple[int, ...], depth: int, group: int) -> tuple[int, int]:
    """Chunks (depth, group) so large that a panel, which each chunk packs for itself, serves many rows of the result."""
    x = c.outer[best.vector_axis]
    moved = next((op for op in best.packed if x.stride(op)), None)
    if moved is None:
        return depth, group
    rows = PANEL_ROWS if x.stride(moved) == 1 else 4 * PANEL_ROWS
    first = 1 + max(p for p, i in enumerate(order) if c.outer[i].stride(moved))  # from here on loops share a panel
    panels = prod(ceil(c.outer[i].size / best.tile[i]) for i in order[:first])
    sharing = prod(c.outer[i].size for i in order[first:])
    rows = max(rows, sharing // ceil(ENOUGH_CHUNKS / panels))
    parts = max(1, min(ceil(BALANCED_CHUNKS / panels), sharing // (rows // 10)))
    rows = min(rows, ceil(sharing / parts))
    below = 1
    for position in range(len(order) - 1, first - 1, -1):
        axis = c.outer[order[position]]
        needed = ceil(rows / (below * prod(best.tile[i] for i in order[first:position + 1])))
        if needed <= ceil(axis.size / best.tile[order[position]]):
            if depth == position:
                return depth, max(group, needed)
            return (depth, group) if depth < position else (position, needed)
        below *= axis.size
    return (depth, group) if depth < first else (first - 1, 1)


def _packs(c: Contraction, best: _Candidate, order: tuple[int, ...], chunk_depth: int, group: int) -> tuple[Pack, ...]:
    """The vectors' operand is packed panel by panel, the broadcast one at once for all tiles of the chunk that share its
    other indices."""
    packs = []
    for op in best.packed:
        axis = _pack_axis(c, best.vector_axis, op)
        assert axis is not None
        fixed = [p for p, i in enumerate(order) if c.outer[i].stride(op) and (i != axis or axis == best.vector_axis)]
        depth = max([chunk_depth, *[p + 1 for p in fixed]]) if axis != best.vector_axis else max([p + 1 for p in fixed])
        position = order.index(axis)
        count = ceil(c.outer[axis].size / best.tile[axis])
        panels = 1 if position < depth else min(count, group) if position == chunk_depth else count
        packs.append(Pack(op, axis, depth, panels))
    return tuple(packs)


def _reduced_order(c: Contraction, best: _Candidate) -> tuple[int, ...]:
    """Reduced axes from the outermost in, by the distance that operands move which are not packed; the vectors' axis last."""
    def key(i: int) -> tuple:
        r = c.reduced[i]
        vectors = best.vector_axis < 0 and best.lanes > 1 and r.a in (0, 1) and r.b in (0, 1) and r.a + r.b > 0
        return (r.size if vectors else 0, -sum(abs(r.stride(op)) for op in "ab" if op not in best.packed), -abs(r.a) - abs(r.b))
    return tuple(sorted(range(len(c.reduced)), key=key))
