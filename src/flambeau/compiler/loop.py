"""The body of a scan as machine code: kernels that are compiled once, for any number of steps.

A kernel finds its buffers in a table of addresses. A body has a table for each step, in which the carries and the rows of
sequences and results are those of the step; running a scan is running the body's kernels once for each table. One table more
comes before them, for what is done once: initial carries are copied into the histories, sums over the steps (see `totals`) begin
with zero, and weights whose rows would be the wrong way round for the products of every step are turned.
"""
from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..dtypes import uint8
from ..ir.graph import Graph, GraphBuilder, Node, Var, inline, rewritten
from ..ir.types import contiguous_strides, tensor_type
from ..primitives.contraction import dot_p
from ..primitives.scan import Body
from ..primitives.shape import copied, reshape
from .affine import identity, linear
from .cache import cache_key, object_cache
from .emission import emit, work
from .expression import Load
from .kernel import Kernel, common_kernel
from .legalize import legalize
from .llvm import jit
from .llvm.emit import I64, PTR, Emitter, new_module
from .llvm.target import Target, host_target
from .lowered import ADDED_DOT
from .memory import ALIGNMENT, Memory, may_fail, targets
from .schedule import Fill, Host, Map, Scan, Scheduler, Step, Store, Strand
from .special import SPECIAL
from .tables import Tables
from .threads.native import KERNEL_TYPE

TURNED_SIZE, TURNED_ROWS = 1024, 4  # elements of a weight, and rows that it is multiplied by, from which on turning it pays
SHARED_WORK = 1 << 14  # of a kernel, from which on scans that run abreast share it out among threads


class LoopKernel(NamedTuple):
    """work: that of all its chunks, as `emission.work` says."""

    address: int
    chunks: int
    work: int


class LoopCode(NamedTuple):
    """entry: kernels for the table before the first step; steps: those for each step. scratch: bytes of scratch memory. library:
    what the addresses belong to."""

    entry: list[LoopKernel]
    steps: list[LoopKernel]
    scratch: int
    library: object


class Loop:
    """A body, scheduled. native: whether all of it has kernels. slots: each buffer's place in a table.

    workspace_size, offsets: the workspace, and where in it lies what lives during one step, and what all steps share.
    """

    def __init__(self, graph: Graph, text: str, n_carry: int):
        self.text = text
        graph, turned = _with_turned_weights(legalize(_with_results_of_its_own(graph)))
        self.graph = graph
        self.steps = Scheduler(graph, SPECIAL).run()
        self.native = not any(isinstance(s, Host) for s in self.steps)
        buffers = dict.fromkeys([*graph.inputs, *graph.outputs, *[v for s in self.steps for v in targets(s)]])
        self.slots = {v: i for i, v in enumerate(buffers, 1)}  # entry 0 is the error flag
        memory = Memory(graph, self.steps)
        self.workspace_size, self.offsets = memory.size, dict(memory.offsets)
        for v in turned:
            self.offsets[v] = self.workspace_size
            self.workspace_size += -(-v.type.nbytes // ALIGNMENT) * ALIGNMENT
        self.entry: list[Step] = [_copy(x, y) for x, y in zip(graph.inputs[:n_carry], graph.outputs)]
        self.entry += [_copy(x, y, turned=True) for y, x in turned.items()]
        self.entry += [Fill(v, 0) for v in graph.outputs if is_total(v)]
        self.work = sum(work(s) for s in self.steps if not isinstance(s, Host))
        self.may_fail = any(map(may_fail, self.steps))
        self._code: LoopCode | None = None

    @property
    def code(self) -> LoopCode:
        """The kernels, compiled when first wanted."""
        if self._code is None:
            target = host_target()
            data = object_cache().get_or_make(cache_key("loop\n" + self.text, target), lambda: self._compile(target))
            header, _, code = data.partition(b"\n")
            sizes = json.loads(header)
            names = [f"k{i}" for i in range(len(sizes))]
            library = jit.load(code, names)
            works = map(work, [*self.entry, *self.steps])
            kernels = [LoopKernel(library[name], chunks, n) for name, (chunks, _), n in zip(names, sizes, works)]
            n = len(self.entry)
            self._code = LoopCode(kernels[:n], kernels[n:], max([s for _, s in sizes], default=0), library)
        return self._code

    def workspace(self, node: Node) -> Var:
        """A buffer for what lives during one step of the scan `node`."""
        return Var(tensor_type(uint8, (self.workspace_size,)), node.outputs[0].builder, node)

    def _compile(self, target: Target) -> bytes:
        """A line of JSON, [chunks, bytes of scratch] of each kernel, and the object code."""
        module = new_module(target)
        sizes = []
        for i, step in enumerate([*self.entry, *self.steps]):
            k = Kernel(module, target, f"k{i}", self.slots)
            sizes.append((emit(k, step), k.scratch))
        return json.dumps(sizes).encode() + b"\n" + jit.compile_module(module, target, level=1)


def _with_results_of_its_own(graph: Graph) -> Graph:
    """The graph with results that are neither operands nor the same twice: each has memory of its own."""
    builder = GraphBuilder()
    inputs = [builder.input(v.type) for v in graph.inputs]
    taken = set(inputs)
    outputs = []
    for v in inline(graph, inputs, builder):
        while v in taken:  # a copy
            v = reshape(copied(reshape(v, (1, *v.shape))), v.shape)
        taken.add(v)
        outputs.append(v)
    return builder.finish(outputs)


def _with_turned_weights(graph: Graph) -> tuple[Graph, dict[Var, Var]]:
    """The graph with products x·wᵀ as x·v, where v is one more input, to be filled with wᵀ: {v: w}."""
    turned: dict[Var, Var] = {}

    def other_way_round(w: Var, builder: GraphBuilder) -> Var:
        found = next((v for v, x in turned.items() if x is w), None)
        if found is None:
            found = builder.input(tensor_type(w.dtype, w.shape[::-1]))
            turned[found] = w
        return found

    def change(node: Node, env: dict[Var, Var], builder: GraphBuilder) -> tuple[Var, ...] | None:
        if node.prim is not dot_p or node.inputs[1] not in graph.inputs or not _is_worth_turning(node):
            return None
        args = env[node.inputs[0]], other_way_round(env[node.inputs[1]], builder)
        return builder.call(dot_p, args, (node.params[0], (0,), (), ()), [o.type for o in node.outputs])
    return rewritten(graph, change), turned


def _is_worth_turning(dot: Node) -> bool:
    """Of a product x·wᵀ, whether its vectors better lie along w's columns."""
    x, w = dot.inputs
    return w.ndim == 2 and dot.params[1:] == ((1,), (), ()) and w.size >= TURNED_SIZE and x.size >= TURNED_ROWS * w.shape[1]


def _copy(source: Var, target: Var, turned: bool = False) -> Map:
    index = identity(target.ndim)
    read, written = [linear(i, contiguous_strides(v.shape), v.ndim)
                     for i, v in ((index[::-1] if turned else index, source), (index, target))]
    return Map(target.shape, (Store(Load(source, read), target, written),))


@lru_cache(maxsize=256)
def loop_of_body(body: Body, n_carry: int) -> Loop:
    """The loop that runs scans with this body, whatever their number of steps."""
    return Loop(body.expanded, f"{n_carry} carries\n{body.text}", n_carry)


def loop_of(node: Node) -> Loop:
    """The loop that runs a scan."""
    body, n_carry = node.params[:2]
    return loop_of_body(body, n_carry)


def is_total(result: Var) -> bool:
    """Whether a result of a body is one for all steps, to which each adds."""
    return result.node is not None and result.node.prim is ADDED_DOT


class _LoopTables:
    """The tables of one scan in a program: a row of `width` entries for each step, and one before them."""

    def __init__(self, loop: Loop, strand: Strand, slot_of: dict[Var, int]):
        node = strand.node
        _, n_carry, n_xs, length, reverse = node.params
        self.width = len(loop.slots) + 1
        self.sources = np.zeros((length + 1, self.width), np.int64)
        self.offsets = np.zeros((length + 1, self.width), np.int64)
        self._slot_of = slot_of
        rows = np.arange(length)[::-1] if reverse else np.arange(length)
        before, after = (rows + 1, rows) if reverse else (rows, rows + 1)
        results = [Load(v, linear(identity(v.ndim), contiguous_strides(v.shape), v.ndim)) for v in node.outputs]
        inputs, outputs = loop.graph.inputs, loop.graph.outputs
        for i, (v, x) in enumerate(zip(inputs, strand.operands)):
            slot = loop.slots[v]
            if i < n_carry:
                self._fill(slot, slice(0, 1), x, 0)
                self._fill(slot, slice(1, None), results[i], before)
            else:
                stepped = i < n_carry + n_xs
                self._fill(slot, slice(int(stepped), None), x, rows if stepped else 0)
        for i, (v, x) in enumerate(zip(outputs, results)):
            slot = loop.slots[v]
            if is_total(v):
                self._fill(slot, slice(None), x, 0)
                continue
            if i < n_carry:
                self._fill(slot, slice(0, 1), x, length if reverse else 0)
            self._fill(slot, slice(1, None), x, after if i < n_carry else rows)
        for v, at in loop.offsets.items():
            self.sources[:, loop.slots[v]] = slot_of[strand.workspace]
            self.offsets[:, loop.slots[v]] = at

    def _fill(self, slot: int, tables: slice, x: Load, rows: np.ndarray | int) -> None:
        """In these tables the slot is this row of x: of the whole of x, if rows is the number 0."""
        step = x.offset.coefficients[0] if isinstance(rows, np.ndarray) or rows else 0
        self.sources[tables, slot] = self._slot_of[x.var]
        self.offsets[tables, slot] = (x.offset.constant + rows * step) * x.var.dtype.itemsize


def loop_steps(step: Scan, slot_of: dict[Var, int], tables: Tables) -> list[tuple[int, int, int]]:
    """A program's steps that run scans: (kernel, chunks, bytes from the program's table to theirs). Their tables are added."""
    code: LoopCode = step.loop.code
    rows = [_LoopTables(step.loop, strand, slot_of) for strand in step.strands]
    starts = [8 * (tables.add(r.sources, r.offsets) + r.width * np.arange(len(r.sources))) for r in rows]
    wanted = [(kernel, t) for t in range(step.length + 1) for kernel in (code.steps if t else code.entry)]
    if len(rows) == 1:
        return [(kernel.address, kernel.chunks, int(starts[0][t])) for kernel, t in wanted]
    found = []
    for kernel, t in wanted:
        total = len(rows) * kernel.chunks
        together = total if kernel.chunks == 1 and kernel.work < SHARED_WORK else 1
        row = tables.add([tables.zero] * 3 + [tables.itself] * len(rows), np.array([kernel.address, kernel.chunks, together, *[s[t] for s in starts]]))
        found.append((common_kernel(abreast), total // together, 8 * row))
    return found


def abreast(e: Emitter) -> None:
    """Writes the kernel that runs a body's kernel for several scans. Its buffers: that kernel's address, its number of chunks, how many of
    all scans' chunks it takes at once, and the table of each scan."""
    buffers, number, scratch = e.args
    kernel = e.load(buffers, PTR)
    chunks, together = (e.load(e.at(buffers, i, I64), I64) for i in (1, 2))
    with e.loop(0, together, name="chunk") as i:
        chunk = e.b.add(e.b.mul(number, together), e.i64(i))
        table = e.load(e.at(buffers, e.b.add(e.b.udiv(chunk, chunks), I64(3)), PTR), PTR)
        e.call_pointer(kernel, KERNEL_TYPE, [table, e.b.urem(chunk, chunks), scratch])
