"""`NativeExecutor`: graphs → one native program, or several around calls that only the interpreter has.

prepare(graph) schedules the graph, writes all kernels into one LLVM module, compiles it, plans memory, and returns the
function that feeds pointers to it.
"""
from __future__ import annotations

import struct
import sys
from typing import Any, Callable, NamedTuple

import numpy as np

from ..addresses import address_of
from ..interpret.interpreter import Interpreter, run_node
from ..ir.graph import Graph, Node, Var
from .arena import arena
from .bodies import bodies_of
from .emission import work
from .kept import KEPT_ONLY, Kept
from .kernel import common_kernel
from .loop import loop_steps
from .memory import Memory, donations, may_fail, reads_of, targets
from .plan import plan
from .schedule import Host, Scan, Step
from .tables import Tables, spread
from .threads import Program, join

REFUSALS = 8  # runs in which an input kept its memory, before the result that could have it gets its own
SMALL = 1 << 13  # bytes of results up to which a program has two places for them
PARALLEL_WORK = 1 << 15  # elements and multiplications below which a program stays on one thread


class PeakMemory(NamedTuple):
    """Bytes of a program's arena, and of the inputs and results outside it; the buffers alive when most is in use, largest
    first: (bytes, type, the primitive that makes it)."""

    arena: int
    inputs: int
    results: int
    buffers: list[tuple[int, str, str]]


def peak_memory(graph: Graph) -> PeakMemory:
    """What a compiled program of `graph` needs."""
    graph, steps, _ = plan(graph)
    memory = Memory(graph, steps)
    first: dict[Var, int] = {}
    last: dict[Var, int] = {}
    for i, (step, reads) in enumerate(zip(steps, reads_of(steps))):
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


class Segment:
    """Native steps that run in one call. lead: what runs before them, in the first segment the step that fills their tables."""

    def __init__(self) -> None:
        self.lead: list[tuple[int, int, int]] = []
        self.steps: list[tuple[int, int, int]] = []  # kernel, chunks, where its table begins
        self.keep: list[Any] = []
        self.work = 0
        self.scratch = 0
        self.program: Any = None  # the `Program`, once the steps are known


class CompiledProgram:
    """The prepared function: call it with input arrays and numbers. keeps: whether it makes a result in the array of an
    earlier run that nobody holds any more. legal: whether the graph is of what has kernels already."""

    def __init__(self, graph: Graph, keeps: bool = True, legal: bool = False):
        self.source, self.keeps = graph, keeps
        self.graph, steps, _ = plan(graph, legal)
        graph = self.graph
        self.halves: dict[frozenset[int], Any] = {}  # what `held` made of it, by the inputs that stay
        # in the table of addresses come the inputs, the results, what is the program's own, and then the tables of its steps
        buffers = dict.fromkeys([*graph.inputs, *graph.outputs, *[v for s in steps for v in targets(s)]])
        self.slot_of = {v: i for i, v in enumerate(buffers, 1)}  # entry 0 of the table is the error flag
        self.memory = Memory(graph, steps)
        donors = donations(graph, steps)
        tables = Tables(len(self.slot_of) + 1)
        self.parts = self._compile(steps, donors, tables)
        self.table = np.zeros(tables.size, np.uint64)
        self.flag = np.zeros(1, np.int64)
        self.table[0] = self.flag.ctypes.data
        self.table_address = self.table[tables.itself] = self.table.ctypes.data
        self._plan_calls(graph, donors)
        self.fixed, self.moves = tables.plan(len(graph.inputs) + len(self.makes))
        self._finish_segments()
        self.settled = [0]  # the serial of the arena whose addresses are in the table
        self.filled: list[Any] = [None]  # the mark of who put the addresses of inputs and results into the table, if he wants to know

    def settle(self) -> None:
        """Sees that the table holds the addresses of the thread's arena; to be called before each run."""
        if self.settled[0] == arena.serial:
            return
        arena.reserve(self.memory.size)
        self.table[self.own_slots] = self.own_offsets + np.uint64(arena.base)
        places, sources, offsets = self.fixed
        self.table[places] = self.table[sources] + offsets
        self.settled[0] = arena.serial

    def _plan_calls(self, graph: Graph, donors: dict[Var, Var]) -> None:
        # what may be a number lies in a cell of the program's own
        cells = [(i, np.zeros(1, v.dtype.np)) for i, v in enumerate(graph.inputs) if v.type.weak or not v.shape]
        self.cells = [(i, cell, address_of(cell)) for i, cell in cells]
        place = {v: i for i, v in enumerate(graph.inputs)}
        made = [v for v in dict.fromkeys(graph.outputs) if v not in place]
        self.makes = [(v.type.shape, v.dtype.np) for v in made]
        self.donors = [place[donors[v]] if v in donors else -1 for v in made]
        self.donatable = tuple(d for d in self.donors if d >= 0)  # inputs whose memory results would take over
        number = {v: i for i, v in enumerate(made)}
        seen: set[Var] = set()
        self.outputs = []  # (number among the results made, or else the slot; whether it is handed out as it is)
        for v in graph.outputs:
            self.outputs.append((number[v] if v in number else -1 - place[v], v in number and v not in seen))
            seen.add(v)
        self.straight = self.outputs == [(i, True) for i in range(len(made))]  # whether the results are what is made, in order
        self.small = self.keeps and sum(v.type.nbytes for v in made) <= SMALL
        self.sets: list[tuple[list, list[int]]] = [([None] * len(made), [0] * len(made)) for _ in range(2)]  # small results, addresses
        self.turn = 0
        self.kept = Kept(self.makes)
        self.refused = [0] * len(made)  # how many runs in a row the donor of each result has kept its memory
        # a copied result would have to wait for its original
        self.asynchronous = len(self.parts) == 1 and isinstance(self.parts[0], Segment) and all(as_it_is for _, as_it_is in self.outputs)
        self.pack = struct.Struct(f"{len(graph.inputs) + len(made)}Q").pack_into
        self.own_slots = np.array([self.slot_of[v] for v in self.memory.offsets], np.int64)
        self.own_offsets = np.array(list(self.memory.offsets.values()), np.uint64)

    def _compile(self, steps: list[Step], donors: dict[Var, Var], tables: Tables) -> list[Any]:
        """Native segments, and the nodes between them that the interpreter runs."""
        # where an index was out of range, nothing that donated its memory may be overwritten
        first_commit = len(steps)
        if any(may_fail(s) for s in steps):
            first_commit = next((i for i, s in enumerate(steps) if any(v in donors for v in targets(s))), len(steps))
        bodies = iter(bodies_of([(s, i >= first_commit) for i, s in enumerate(steps) if not isinstance(s, (Host, Scan))]))
        parts: list[Any] = []
        for step in steps:
            if isinstance(step, Host):
                parts.append(step.node)
                continue
            if not parts or not isinstance(parts[-1], Segment):
                parts.append(Segment())
            segment = parts[-1]
            segment.work += work(step)
            if isinstance(step, Scan):
                code = step.loop.code
                segment.steps += loop_steps(step, self.slot_of, tables)
            else:
                code, buffers = next(bodies)
                segment.steps.append((code.address, code.chunks, 8 * tables.add([0, *[self.slot_of[v] for v in buffers]])))
            segment.keep.append(code)
            segment.scratch = max(segment.scratch, code.scratch)
        return parts

    def _finish_segments(self) -> None:
        """Makes the segments' programs; the first begins by filling the steps' tables."""
        segments = [part for part in self.parts if isinstance(part, Segment)]
        if segments and self.moves[1]:
            self.moves[0] = self.table_address
            segments[0].lead = [(common_kernel(spread), 1, self.moves.ctypes.data - self.table_address)]
        for s in segments:
            s.program = Program([*s.lead, *s.steps], s.scratch, keep=s.keep, parallel=s.work >= PARALLEL_WORK)

    @property
    def compiled(self) -> CompiledProgram:
        """What a trace is to call: this very program."""
        return self

    def __call__(self, inputs: list, dead: frozenset = frozenset()) -> list[np.ndarray]:
        """Runs on arrays and numbers. dead: the inputs (by number, of `donatable`) whose memory results may take over."""
        return self.call(inputs, [address_of(a) if a.__class__ is np.ndarray else 0 for a in inputs], dead)[0]

    def call(self, inputs: list, addresses: list[int], dead: frozenset | None = frozenset()) -> tuple[list[np.ndarray], list[int]]:
        """`__call__` for a caller that knows the addresses of the arrays and wants those of the results. dead None: the results are
        small, and shall have places of their own by turns."""
        made, where = self._prepare(inputs, addresses, dead)
        for part in self.parts:
            if part.__class__ is Segment:
                part.program.run(self.table_address)
            else:
                self._run_host(part, inputs, made)
        results = self.rerun_if_failed(inputs)
        return self._hand_out(inputs, made, where) if results is None else (results, [0] * len(results))

    def post(self, inputs: list, addresses: list[int], dead: frozenset | None) -> tuple[list[np.ndarray], list[int]] | None:
        """`call` that returns while the team's workers still run; `join` of the team and `rerun_if_failed` must follow.
        None: this program or this moment does not allow it."""
        if not self.asynchronous or not self.parts[0].program.is_shared():
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

    def _prepare(self, inputs: list, addresses: list[int], dead: frozenset | None) -> tuple[list[np.ndarray], list[int]]:
        """Fills the table; returns the arrays that results are made in, and their addresses."""
        self.settle()
        for i, cell, at in self.cells:
            if inputs[i].__class__ is not np.ndarray:
                cell[0] = inputs[i]
                addresses[i] = at
        made, where = self._set() if dead is None else self._memories(inputs, addresses, dead)
        self.pack(self.table, 8, *addresses, *where)  # type: ignore[arg-type]
        self.filled[0] = None
        return made, where

    def _set(self) -> tuple[list[np.ndarray], list[int]]:
        """Memory for all results, when they are small: that of the run before the last, as far as nobody holds it any more. A state
        that is passed from run to run lies in two places by turns, which costs less than to find out whether it can be overwritten."""
        self.turn = 1 - self.turn
        arrays, where = self.sets[self.turn]
        references = list(map(sys.getrefcount, arrays))
        if max(references, default=0) > _SET_ONLY:
            for number, count in enumerate(references):
                if count > _SET_ONLY:
                    arrays[number] = a = np.empty(*self.makes[number])
                    where[number] = address_of(a)
        return arrays.copy(), where

    def _memories(self, inputs: list, addresses: list[int], dead: frozenset) -> tuple[list[np.ndarray], list[int]]:
        """Memory for each result: that of its donor, if it is dead, or else of its own."""
        made = []
        where = []
        for number, donor in enumerate(self.donors):
            if donor in dead:
                self.refused[number] = 0
                made.append(inputs[donor])
                where.append(addresses[donor])
            else:
                a, at = self._memory(number)
                made.append(a)
                where.append(at)
        return made, where

    def _hand_out(self, inputs: list, made: list[np.ndarray], where: list[int]) -> tuple[list[np.ndarray], list[int]]:
        if self.straight:
            return made, where
        arrays, found = [], []
        for number, as_it_is in self.outputs:
            arrays.append(made[number] if as_it_is else np.array(made[number] if number >= 0 else inputs[-1 - number]))
            found.append(where[number] if as_it_is else 0)
        return arrays, found

    def _memory(self, number: int) -> tuple[np.ndarray, int]:
        """An array for a result: that of an earlier run if nobody holds it any more (a step's gradients), else another one."""
        kept = self.kept
        a = kept.arrays[number]
        if a is not None and sys.getrefcount(a) == KEPT_ONLY:
            return a, kept.addresses[number]
        return kept.make(number, self.keeps and (self.donors[number] < 0 or self._lacks_donor(number)))

    def _lacks_donor(self, number: int) -> bool:
        """Whether a result that could have the memory of an input is to be kept all the same, as the input is never given away.
        What is kept nobody can take over, so a result that is still wanted when the next is made (a state that is passed
        from run to run) is not."""
        if self.kept.arrays[number] is not None:
            self.kept.drop(number)
            return False
        self.refused[number] += 1
        return self.refused[number] > REFUSALS

    def _run_host(self, node: Node, inputs: list, made: list[np.ndarray]) -> None:
        n = len(inputs)

        def array(v: Var) -> np.ndarray:
            if not v.size:  # the schedule leaves out what makes nothing
                return np.empty(v.shape, v.dtype.np)
            slot = self.slot_of[v] - 1
            return np.asarray(inputs[slot], v.dtype.np) if slot < n else made[slot - n] if slot < n + len(made) else \
                arena.view(self.memory.offsets[v], v.dtype.np, v.shape)
        operands = [array(v) for v in node.inputs]
        with arena.set_aside():
            results = run_node(node, operands)
        for v, result in zip(node.outputs, results):
            np.copyto(array(v), result)


_SET_ONLY = max(map(sys.getrefcount, [np.empty(1)]))  # what it says in `_set` of an array that only the set holds


class NativeExecutor:
    """An `Executor` that compiles every graph at once."""

    def prepare(self, graph: Graph) -> Callable[[list], list[np.ndarray]]:
        return CompiledProgram(graph)
