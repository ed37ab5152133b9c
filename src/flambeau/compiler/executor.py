"""`NativeExecutor`: graphs → one native program, or several around calls that only the interpreter has.

prepare(graph) schedules the graph, writes all kernels into one LLVM module, compiles it, plans memory, and returns the
function that feeds pointers to it.
"""
from __future__ import annotations

import json
import struct
import sys
from collections import Counter
from typing import Any, Callable, NamedTuple

import numpy as np

from ..interpret.interpreter import Interpreter, run_node
from ..ir.graph import Graph, Node, Var
from ..ir.printer import format_graph
from .cache import cache_key, object_cache
from .llvm import jit
from .llvm.emit import new_module
from .llvm.target import Target, host_target
from .kernel import Kernel
from .kernels import emit_fill, emit_map, emit_reduce
from .legalize import legalize
from .schedule import Contract, Fill, Host, Map, Reduce, Scheduler, Special, Step
from .sharing import signature, write_entry
from .special import CHECKED, SPECIAL
from .threads import Program, join

ALIGNMENT = 64
PARALLEL_WORK = 1 << 15  # elements and multiplications below which a program stays on one thread


def targets(step: Step) -> list[Var]:
    """The buffers that a step writes."""
    if isinstance(step, Map):
        return [s.target for s in step.stores]
    if isinstance(step, (Fill, Reduce)):
        return [step.target]
    return list(step.node.outputs)


class Memory:
    """Where each buffer lies: inputs and outputs of the program, or offsets in one arena, packed by lifetime."""

    def __init__(self, graph: Graph, steps: list[Step], slot_of: dict[Var, int]):
        self.slot_of = slot_of
        outside = set(graph.inputs) | set(graph.outputs)
        last: dict[Var, int] = {}
        reads = _reads(steps)
        for i, step in enumerate(steps):
            for v in (*targets(step), *reads[i]):
                last[v] = i
        self.offsets: dict[Var, int] = {}
        self.size = 0
        free: list[tuple[int, int]] = []  # (offset, size) of gaps
        live: list[tuple[int, Var]] = []
        for i, step in enumerate(steps):
            for v in targets(step):
                if v in outside or v in self.offsets:
                    continue
                self.offsets[v] = self._take(free, -(-max(v.type.nbytes, 1) // ALIGNMENT) * ALIGNMENT)
                live.append((last[v], v))
            for end, v in [x for x in live if x[0] <= i]:
                live.remove((end, v))
                self._give(free, self.offsets[v], -(-max(v.type.nbytes, 1) // ALIGNMENT) * ALIGNMENT)

    def _take(self, free: list[tuple[int, int]], size: int) -> int:
        fits = [g for g in free if g[1] >= size]
        if fits:
            gap = min(fits, key=lambda g: g[1])
            free.remove(gap)
            if gap[1] > size:
                free.append((gap[0] + size, gap[1] - size))
            return gap[0]
        at = self.size
        self.size += size
        return at

    @staticmethod
    def _give(free: list[tuple[int, int]], at: int, size: int) -> None:
        for gap in list(free):
            if gap[0] + gap[1] == at:
                free.remove(gap)
                at, size = gap[0], size + gap[1]
            elif at + size == gap[0]:
                free.remove(gap)
                size += gap[1]
        free.append((at, size))


def _reads(steps: list[Step]) -> list[set[Var]]:
    """The buffers that each step reads."""
    from .expression import Load, loads
    result = []
    for step in steps:
        if isinstance(step, Map):
            result.append({x.var for s in step.stores for x in loads(s.value) if isinstance(x, Load)})
        elif isinstance(step, Reduce):
            result.append({x.var for x in loads(step.value) if isinstance(x, Load)})
        elif isinstance(step, Fill):
            result.append(set())
        elif isinstance(step, Contract):
            result.append(step.kernel.reads)
        else:
            result.append(set(step.node.inputs))
    return result


class PeakMemory(NamedTuple):
    """Bytes of a program's arena, and of the inputs and results outside it; the buffers alive when most is in use, largest
    first: (bytes, type, the primitive that makes it)."""

    arena: int
    inputs: int
    results: int
    buffers: list[tuple[int, str, str]]


def peak_memory(graph: Graph) -> PeakMemory:
    """What a compiled program of `graph` needs."""
    graph = legalize(graph)
    steps = Scheduler(graph, SPECIAL).run()
    memory = Memory(graph, steps, {})
    first: dict[Var, int] = {}
    last: dict[Var, int] = {}
    for i, (step, reads) in enumerate(zip(steps, _reads(steps))):
        for v in (*targets(step), *reads):
            if v in memory.offsets:
                first.setdefault(v, i)
                last[v] = i
    alive = [[v for v in first if first[v] <= i <= last[v]] for i in range(len(steps))]
    fullest = max(alive, key=lambda vs: sum(v.type.nbytes for v in vs), default=[])
    taken = set(donations(graph, steps))
    results = sum(v.type.nbytes for v in dict.fromkeys(graph.outputs) if v not in taken)
    buffers = [(v.type.nbytes, str(v.type), v.node.prim.name if v.node is not None else "input") for v in fullest]
    return PeakMemory(memory.size, sum(v.type.nbytes for v in graph.inputs), results, sorted(buffers, reverse=True))


def donations(graph: Graph, steps: list[Step]) -> dict[Var, Var]:
    """output → input whose memory it may take over: the loop that writes the one reads the other at the same point only, and
    no later step reads it."""
    from .expression import Load, loads
    last_read: dict[Var, int] = {}
    for i, reads in enumerate(_reads(steps)):
        for v in reads:
            last_read[v] = i
    wanted = set(graph.outputs)
    inputs = set(graph.inputs) - wanted  # an input that is a result as well (a clone's) is copied out at the end
    given: set[Var] = set()
    found: dict[Var, Var] = {}
    # a kernel that finds an index out of range makes the interpreter run the program again, on inputs that must still be there
    after = max((i for i, step in enumerate(steps) if isinstance(step, Host) or _may_fail(step)), default=-1)
    for i, step in enumerate(steps):
        if not isinstance(step, Map) or i < after:
            continue
        reads = [x for s in step.stores for x in loads(s.value) if isinstance(x, Load)]
        for store in step.stores:
            if store.target not in wanted:
                continue
            for x in loads(store.value):
                if not isinstance(x, Load) or x.var not in inputs or x.var in given or x.var.type is not store.target.type:
                    continue
                if last_read[x.var] == i and all(y.offset == store.offset for y in reads if y.var is x.var):
                    found[store.target] = x.var
                    given.add(x.var)
                    break
    return found


def _may_fail(step: Step) -> bool:
    return isinstance(step, Special) and step.node.prim.name in CHECKED


def address_of(a: np.ndarray) -> int:
    """The address of an array's first element."""
    return a.__array_interface__["data"][0]


class Segment:
    """Native steps that run in one call."""

    def __init__(self) -> None:
        self.names: list[tuple[str, int]] = []
        self.work = 0
        self.scratch = 0
        self.program: Program | None = None


def _work(step: Step) -> int:
    if isinstance(step, Map):
        n = 1
        for s in step.domain:
            n *= s
        return n * len(step.stores)
    if isinstance(step, Reduce):
        n = 1
        for s in (*step.outer, *step.inner):
            n *= s
        return n
    if isinstance(step, Fill):
        return step.target.size
    if isinstance(step, Contract):
        return step.kernel.work
    return getattr(step.lower, "work", lambda node: node.outputs[0].size)(step.node)  # type: ignore[union-attr]


class CompiledProgram:
    """The prepared function: call it with input arrays and numbers."""

    def __init__(self, graph: Graph):
        self.source = graph
        graph = legalize(graph)
        steps = Scheduler(graph, SPECIAL).run()
        # in the table of addresses come the inputs, the results, and then what is the program's own
        buffers = dict.fromkeys([*graph.inputs, *graph.outputs, *[v for s in steps for v in targets(s)]])
        self.slot_of = {v: i for i, v in enumerate(buffers, 1)}  # entry 0 of the table is the error flag
        self.memory = Memory(graph, steps, self.slot_of)
        self.parts = self._compile(graph, steps)
        self.arena = np.empty(self.memory.size + ALIGNMENT, np.uint8)
        base = -(-self.arena.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.table = np.zeros(len(self.slot_of) + 1, np.uint64)
        self.flag = np.zeros(1, np.int64)
        self.table[0] = self.flag.ctypes.data
        for v, at in self.memory.offsets.items():
            self.table[self.slot_of[v]] = base + at
        self.table_address = self.table.ctypes.data
        self._plan_calls(graph, base, steps)

    def _plan_calls(self, graph: Graph, base: int, steps: list[Step]) -> None:
        # a number lies in a cell of the program's own; None for arrays
        self.cells = [np.zeros(1, v.dtype.np) if v.type.weak or not v.shape else None for v in graph.inputs]
        self.cell_addresses = [0 if c is None else address_of(c) for c in self.cells]
        donors = donations(graph, steps)
        place = {v: i for i, v in enumerate(graph.inputs)}
        self.donatable = tuple(place[v] for v in donors.values())
        made = [v for v in dict.fromkeys(graph.outputs) if v not in place]
        self.makes = [(v.type.shape, v.dtype.np, place[donors[v]] if v in donors else -1) for v in made]
        number = {v: i for i, v in enumerate(made)}
        seen: set[Var] = set()
        self.outputs = []  # (number among the results made, or else the slot; whether it is handed out as it is)
        for v in graph.outputs:
            self.outputs.append((number[v] if v in number else -1 - place[v], v in number and v not in seen))
            seen.add(v)
        self.kept: list[np.ndarray | None] = [None] * len(made)
        self.kept_addresses = [0] * len(made)
        # a copied result would have to wait for its original
        self.asynchronous = len(self.parts) == 1 and isinstance(self.parts[0], Segment) and all(as_it_is for _, as_it_is in self.outputs)
        self.pack = struct.Struct(f"{len(graph.inputs) + len(made)}Q").pack_into
        start = base - self.arena.ctypes.data
        self.views = {v: self.arena[start + at:start + at + v.type.nbytes].view(v.dtype.np).reshape(v.shape)
                      for v, at in self.memory.offsets.items()}

    def _compile(self, graph: Graph, steps: list[Step]) -> list[Any]:
        """Native segments, and the nodes between them that the interpreter runs."""
        names = [f"k{number}" for number, step in enumerate(steps) if not isinstance(step, Host)]
        if names:
            target = host_target()
            key = cache_key("program\n" + format_graph(self.source), target)
            header, _, code = object_cache().get_or_make(key, lambda: self._emit_kernels(graph, steps, target)).partition(b"\n")
            library = jit.load(code, names)
            kernels = dict(zip(names, json.loads(header)))
        parts: list[Any] = []
        for number, step in enumerate(steps):
            if isinstance(step, Host):
                parts.append(step.node)
                continue
            if not parts or not isinstance(parts[-1], Segment):
                parts.append(Segment())
            segment = parts[-1]
            chunks, scratch = kernels[f"k{number}"]
            segment.names.append((f"k{number}", chunks))
            segment.work += _work(step)
            segment.scratch = max(segment.scratch, scratch)
        for p in parts:
            if isinstance(p, Segment):
                p.program = Program([(library[name], chunks) for name, chunks in p.names], p.scratch, keep=library,
                                    parallel=p.work >= PARALLEL_WORK)
        return parts

    def _emit_kernels(self, graph: Graph, steps: list[Step], target: Target) -> bytes:
        """What the cache keeps: a line of JSON, [chunks, bytes of scratch] of each kernel, and the object code."""
        module = new_module(target)
        donors = donations(graph, steps)
        # where an index was out of range, nothing that donated its memory may be overwritten
        first_commit = len(steps)
        if any(_may_fail(s) for s in steps):
            first_commit = next((i for i, s in enumerate(steps) if any(v in donors for v in targets(s))), len(steps))
        signatures = {number: signature(step) for number, step in enumerate(steps) if not isinstance(step, Host)}
        uses = Counter((key, number >= first_commit) for number, (key, _) in signatures.items())
        bodies: dict[tuple, tuple[Kernel, int]] = {}
        sizes = []
        for number, (key, buffers) in signatures.items():
            guarded = number >= first_commit
            shared = uses[key, guarded] > 1
            made = bodies.get((key, guarded))
            if made is None:
                slots = {v: i for i, v in enumerate(buffers, 1)} if shared else self.slot_of
                k = Kernel(module, target, f"body{number}" if shared else f"k{number}", slots, guarded)
                made = bodies[key, guarded] = k, _emit(k, steps[number])
            k, chunks = made
            if shared:
                k.e.function.linkage = "internal"
                k.e.function.attributes.add("noinline")
                write_entry(module, target, f"k{number}", k.e.function, [self.slot_of[v] for v in buffers])
            sizes.append((chunks, k.scratch))
        return json.dumps(sizes).encode() + b"\n" + jit.compile_module(module, target, level=1)

    @property
    def compiled(self) -> CompiledProgram:
        """What a trace is to call: this very program."""
        return self

    def __call__(self, inputs: list, dead: frozenset = frozenset()) -> list[np.ndarray]:
        """Runs on arrays and numbers. dead: the inputs (by number, of `donatable`) whose memory results may take over."""
        return self.call(inputs, [address_of(a) if a.__class__ is np.ndarray else 0 for a in inputs], dead)[0]

    def call(self, inputs: list, addresses: list[int], dead: frozenset = frozenset()) -> tuple[list[np.ndarray], list[int]]:
        """`__call__` for a caller that knows the addresses of the arrays and wants those of the results."""
        made, where = self._prepare(inputs, addresses, dead)
        for part in self.parts:
            if part.__class__ is Segment:
                part.program.run(self.table_address)
            else:
                self._run_host(part, inputs, made)
        results = self.rerun_if_failed(inputs)
        return self._hand_out(inputs, made, where) if results is None else (results, [0] * len(results))

    def post(self, inputs: list, addresses: list[int], dead: frozenset) -> tuple[list[np.ndarray], list[int]] | None:
        """`call` that returns while the team's workers still run; `join` of the team and `rerun_if_failed` must follow.
        None: this program or this moment does not allow it."""
        if not self.asynchronous:
            return None
        made, where = self._prepare(inputs, addresses, dead)
        return self._hand_out(inputs, made, where) if self.parts[0].program.post(self.table_address) else None

    @staticmethod
    def join() -> None:
        """Takes part in what was posted, and returns when it is finished."""
        join()

    def rerun_if_failed(self, inputs: list) -> list[np.ndarray] | None:
        """None if all went well; where a kernel saw a bad index, the interpreter raises the error (or has the results)."""
        if not self.flag[0]:
            return None
        self.flag[0] = 0
        return Interpreter().prepare(self.source)(inputs)

    def _prepare(self, inputs: list, addresses: list[int], dead: frozenset) -> tuple[list[np.ndarray], list[int]]:
        """Fills the table; returns the arrays that results are made in, and their addresses."""
        made = []
        where = []
        for i, cell in enumerate(self.cells):
            if cell is not None and inputs[i].__class__ is not np.ndarray:
                cell[0] = inputs[i]
                addresses[i] = self.cell_addresses[i]
        for number, (shape, t, donor) in enumerate(self.makes):
            if donor in dead:
                a, at = inputs[donor], addresses[donor]
            else:
                a, at = self._memory(number, shape, t)
            made.append(a)
            where.append(at)
        self.pack(self.table, 8, *addresses, *where)
        return made, where

    def _hand_out(self, inputs: list, made: list[np.ndarray], where: list[int]) -> tuple[list[np.ndarray], list[int]]:
        arrays, found = [], []
        for number, as_it_is in self.outputs:
            arrays.append(made[number] if as_it_is else np.copy(made[number] if number >= 0 else inputs[-1 - number]))
            found.append(where[number] if as_it_is else 0)
        return arrays, found

    def _memory(self, number: int, shape: tuple[int, ...], t: np.dtype) -> tuple[np.ndarray, int]:
        """An array for a result: that of an earlier run if nobody holds it any more (a step's gradients), else a new one."""
        a = self.kept[number]
        if a is not None and sys.getrefcount(a) == _KEPT_ONLY:
            return a, self.kept_addresses[number]
        self.kept[number] = a = np.empty(shape, t)
        self.kept_addresses[number] = at = address_of(a)
        return a, at

    def _run_host(self, node: Node, inputs: list, made: list[np.ndarray]) -> None:
        n = len(inputs)

        def array(v: Var) -> np.ndarray:
            if not v.size:  # the schedule leaves out what makes nothing
                return np.empty(v.shape, v.dtype.np)
            slot = self.slot_of[v] - 1
            return np.asarray(inputs[slot], v.dtype.np) if slot < n else made[slot - n] if slot < n + len(made) else self.views[v]
        for v, result in zip(node.outputs, run_node(node, [array(v) for v in node.inputs])):
            np.copyto(array(v), result)


def _calibrate() -> int:
    """What `sys.getrefcount` says in `_memory` of an array that only the list of kept ones holds."""
    kept = [np.empty(1)]
    a = kept[0]
    return sys.getrefcount(a)


_KEPT_ONLY = _calibrate()


def _emit(k: Kernel, step: Step) -> int:
    if isinstance(step, Map):
        return emit_map(k, step)
    if isinstance(step, Reduce):
        return emit_reduce(k, step)
    if isinstance(step, Fill):
        return emit_fill(k, step)
    if isinstance(step, Contract):
        return step.kernel.emit(k)
    assert isinstance(step, Special)
    return step.lower(k, step.node)


class NativeExecutor:
    """An `Executor` that compiles every graph at once."""

    def prepare(self, graph: Graph) -> Callable[[list], list[np.ndarray]]:
        return CompiledProgram(graph)
