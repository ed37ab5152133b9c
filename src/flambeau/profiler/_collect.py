"""`Collector`: looks on while calls are recorded and programs run, and keeps what happened, and when.

In a profile each program runs as it does without one: on the same tier, on as many threads, and while Python goes on. What
differs: compiled programs run with time stamps between their kernels (`compiler/timing.py`), the calls of interpreted ones
are timed one by one, and calls of which nobody wants a result run all the same. Results are the same bit for bit.

Times are those of `time.perf_counter_ns`.
"""
from __future__ import annotations

import os
import threading
from functools import partial
from time import perf_counter_ns as now
from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple

import numpy as np

from ..compiler.description import Work, describe, node_work, program_work
from ..compiler.executor import PARALLEL_WORK, CompiledProgram, Segment
from ..compiler.threads import get_num_threads
from ..compiler.timing import TimedProgram
from ..errors import Line, Site, call_site, call_sites, locate
from ..interpret.interpreter import Interpreter, scan_kernel
from ..ir.graph import Graph, Node
from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ..runtime.observer import Observer
from ..runtime.program import Program
from ..runtime.tiers import TieredProgram, tiered_scan
from ..runtime.trace import end_step, land, observe, trace

if TYPE_CHECKING:
    from ..runtime.specialization import Specialization


class Kernel(NamedTuple):
    """A piece of a program that is timed. by: who runs it: "native", "host" (a call that has no kernel, within a native program),
    "NumPy" (the interpreter) or a device. threads: that it has work for, at most those of the team."""

    work: Work
    by: str
    threads: int


class Range:
    """What `record_function` marks. stop: 0 while it lasts."""

    def __init__(self, name: str, args: str | None, parent: Range | None):
        self.name, self.args, self.parent = name, args, parent
        self.thread = threading.get_native_id()
        self.start, self.stop = now(), 0


class Span(NamedTuple):
    """Time that a thread spent on something else than the user's Python. what: "graph" (a trace becomes a graph, or is found to be
    a known one), "compile", "await compiler", "wait" (it runs a program, or waits for one)."""

    what: str
    start: int
    stop: int
    thread: int


class Records(list):
    """A trace's records and, for each, the time, the user's line, the innermost range and, if asked for, the stack."""

    def __init__(self, collector: Collector):
        super().__init__()
        self._collector = collector
        self.thread = threading.get_native_id()
        self.times: list[int] = []
        self.sites: list[Site | None] = []
        self.ranges: list[Range | None] = []
        self.stacks: list[list[Site]] = []

    def append(self, record: tuple) -> None:
        self.times.append(now())
        self.sites.append(call_site())
        self.ranges.append(self._collector.innermost())
        if self._collector.with_stack:
            self.stacks.append(list(call_sites()))
        super().append(record)

    def calls(self) -> Iterator[tuple[Specialization, range]]:
        """Each record's specialization and the slots of its results. Slots are numbered in order of appearance."""
        following = 0
        for spec, *operands in self:
            following = max([following, *[slot + 1 for slot in operands]])
            yield spec, range(following, following + len(spec.out_types))
            following += len(spec.out_types)


class Run:
    """One run of a program. parts: the kernels of each part, and their times: n + 1 for n kernels that follow one another.
    graph: what ran. live: the slots of the results that were wanted."""

    def __init__(self, records: Records, graph: Graph, live: tuple[int, ...]):
        self.records, self.graph, self.live = records, graph, live
        self.parts: list[tuple[list[Kernel], np.ndarray]] = []

    def kernels(self) -> Iterator[tuple[Kernel, int, int]]:
        """Each kernel with its start and stop."""
        for kernels, times in self.parts:
            stamps = times.tolist()
            yield from zip(kernels, stamps, stamps[1:])

    def line(self, kernel: Kernel) -> Line | None:
        """The user's line that recorded most of what a kernel does."""
        shares = [(share, origin[0][0]) for origin, share in kernel.work.owners if origin]
        site = self.records.sites[max(shares)[1]] if shares else None
        return None if site is None else locate(site)


class Collector(Observer):
    """Everything between `start` and `stop`. finished: is told of each run instead of `runs` keeping it."""

    def __init__(self, with_stack: bool = False, finished: Callable[[Run], None] | None = None):
        self.with_stack = with_stack
        self.runs: list[Run] = []
        self.ranges: list[Range] = []
        self.spans: list[Span] = []
        self.begun = self.ended = 0
        self._finished = self.runs.append if finished is None else finished
        self._open: dict[int, list[Range]] = {}  # ranges that last, by thread
        self._timed: dict[CompiledProgram, tuple[TimedProgram, list[list[Kernel]]]] = {}
        self._interpreted: dict[Graph, tuple[Callable[[list], list[np.ndarray]], list[Kernel], list[int]]] = {}

    # ------------------------------------------------------------------ from outside

    def start(self) -> None:
        """Runs what was recorded before, and looks on from now on. RuntimeError if somebody else does."""
        with trace.lock:
            end_step()
            land()
            if trace.observer is not None:
                raise RuntimeError("a profiler, or explain(), is active already")
            self._hooks = [register_optimizer_step_pre_hook(self._before_step), register_optimizer_step_post_hook(self._after_step)]
            observe(self)
        self.begun = now()

    def restart(self) -> None:
        """Forgets what it has seen: what is kept begins now."""
        end_step()
        land()
        for kept in (self.runs, self.ranges, self.spans):
            kept.clear()
        self._open.clear()
        self.begun = now()

    def stop(self) -> None:
        """Runs and waits for what was recorded, and looks away."""
        with trace.lock:
            try:
                end_step()
                land()
            finally:
                observe(None)
                for hook in self._hooks:
                    hook.remove()
                self.ended = now()
                for mark in [mark for ranges in self._open.values() for mark in ranges]:
                    self.leave(mark)

    def enter(self, name: str, args: str | None = None) -> Range:
        ranges = self._open.setdefault(threading.get_ident(), [])
        ranges.append(Range(name, args, ranges[-1] if ranges else None))
        self.ranges.append(ranges[-1])
        return ranges[-1]

    def leave(self, mark: Any) -> None:
        mark.stop = mark.stop or now()
        for ranges in self._open.values():
            if mark in ranges:
                ranges.remove(mark)

    def innermost(self) -> Range | None:
        """The range in which this thread is."""
        ranges = self._open.get(threading.get_ident())
        return ranges[-1] if ranges else None

    def _before_step(self, optimizer: Any, args: tuple, kwargs: dict) -> None:
        self.enter(f"Optimizer.step#{type(optimizer).__name__}.step")

    def _after_step(self, optimizer: Any, args: tuple, kwargs: dict) -> None:
        mark = self.innermost()
        if mark is not None and mark.name.startswith("Optimizer.step#"):
            self.leave(mark)

    # ------------------------------------------------------------------ what the trace tells

    def new_records(self) -> list[tuple]:
        return Records(self)

    def wanted(self, records: list[tuple], slots: list, live: tuple[int, ...]) -> tuple[int, ...]:
        """With them, the results of the calls of which nobody wants any: they run because their profile is wanted."""
        if not isinstance(records, Records):
            return live
        used = {*live, *[slot for _, *operands in records for slot in operands]}
        return tuple(sorted([*live, *[slot for _, results in records.calls() if used.isdisjoint(results) for slot in results]]))

    def find(self, find: Callable[[Any, list], Any], key: Any, slots: list, records: list[tuple]) -> Any:
        start = now()
        program = find(key, slots)
        self._note("graph", start)
        if not isinstance(records, Records):
            return program
        run = Run(records, program.graph, key.live)
        return _Watched(self, program, run) if isinstance(program, Program) else _WatchedOnDevice(self, program, run)

    def compile(self, compile: Callable[[], Any], graph: Graph) -> Any:
        start = now()
        compiled = compile()
        self._note("compile", start)
        return compiled

    def _note(self, what: str, start: int) -> None:
        self.spans.append(Span(what, start, now(), threading.get_native_id()))

    # ------------------------------------------------------------------ timed programs

    def timed(self, compiled: CompiledProgram, run: Run) -> TimedProgram:
        """The compiled program with time stamps, which reports to `run`."""
        if compiled not in self._timed:
            self._timed[compiled] = TimedProgram(compiled, lambda *_: None), _kernels_of(compiled)
        timed, kernels = self._timed[compiled]
        timed.report = partial(self._ran, run, kernels)
        return timed

    def _ran(self, run: Run, kernels: list[list[Kernel]], times: list[np.ndarray], start: int, stop: int) -> None:
        self.spans.append(Span("wait", start, stop, threading.get_native_id()))
        run.parts = list(zip(kernels, times))
        self._finished(run)

    def interpret(self, program: Any, run: Run, inputs: list) -> list[np.ndarray]:
        """Runs a program in the interpreter, call by call."""
        graph = run.graph
        if graph not in self._interpreted:
            kernels: list[Kernel] = []
            times: list[int] = []

            def around(node: Node, step: Callable[[list], None]) -> Callable[[list], None]:
                kernels.append(Kernel(node_work(node), "NumPy", 1))

                def timed(env: list) -> None:
                    step(env)
                    times.append(now())
                return timed
            scan = tiered_scan if isinstance(program.run, TieredProgram) else scan_kernel
            self._interpreted[graph] = Interpreter(scan, around).prepare(graph), kernels, times
        execute, kernels, times = self._interpreted[graph]
        start = now()
        times[:] = [start]
        results = execute(inputs)
        self._ran(run, [kernels], [np.array(times)], start, now())
        return results

    def run_on_device(self, program: Any, run: Run, inputs: list, dead: frozenset) -> Any:
        """Runs a device's program, and waits for the device."""
        start = now()
        results, noted = program.run(inputs, dead)
        for data in results:
            data.block_until_ready()
        kernels = [Kernel(program_work(run.graph), "XLA", 1)]
        self._ran(run, [kernels], [np.array([start, now()])], start, now())
        return results, noted


class _Watched:
    """Stands for a host's program in one run."""

    compiles = True

    def __init__(self, collector: Collector, program: Program, run: Run):
        self._collector, self._program, self._run = collector, program, run
        self.graph, self.input_slots = program.graph, program.input_slots

    @property
    def run(self) -> _Watched:
        return self

    @property
    def compiled(self) -> Any:
        program = self._program
        start = now()
        compiled = program.run.compiled if program.compiles else None  # type: ignore[attr-defined]  # waits for the compiler if it must
        self._collector._note("await compiler", start)
        return None if compiled is None else self._collector.timed(compiled, self._run)

    def __call__(self, inputs: list) -> list[np.ndarray]:
        return self._collector.interpret(self._program, self._run, inputs)


class _WatchedOnDevice:
    """Stands for a device's program in one run."""

    def __init__(self, collector: Collector, program: Any, run: Run):
        self._collector, self._program, self._run = collector, program, run
        self.input_slots = program.input_slots

    def run(self, inputs: list, dead: frozenset) -> Any:
        return self._collector.run_on_device(self._program, self._run, inputs, dead)


def _forget_in_child() -> None:
    """A fork is not profiled."""
    if isinstance(trace.observer, Collector):
        observe(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _kernels_of(compiled: CompiledProgram) -> list[list[Kernel]]:
    """The kernels of each part of a compiled program."""
    found = []
    for part, works in zip(compiled.parts, describe(compiled.source)):
        if isinstance(part, Segment):
            most = get_num_threads() if part.work >= PARALLEL_WORK else 1
            found.append([Kernel(w, "native", max(1, min(chunks, most))) for w, (_, chunks, _) in zip(works, part.steps)])
        else:
            found.append([Kernel(w, "host", 1) for w in works])
    return found
