"""A compiled program that notes when each of its kernels ends. Its kernels, memory and results are those of the program itself.

Between two kernels of the table stands one more, `stamp`, whose only chunk reads the clock: steps run one after the other, so
two neighbouring stamps tell how long the kernel between them took on all threads. The clock is that of `time.perf_counter_ns`.
"""
from __future__ import annotations

import sys
from time import get_clock_info, perf_counter_ns
from typing import Callable

import numpy as np

from ..ir.graph import Node
from .executor import PARALLEL_WORK, CompiledProgram, Segment
from .kernel import common_kernel
from .llvm import ir
from .llvm.emit import I32, I64, PTR, Emitter, declare
from .threads import Program

CLOCK_MONOTONIC, CLOCK_UPTIME_RAW = 1, 8  # of Linux, of macOS: what Python's clock reads there


def _write_clock(e: Emitter) -> ir.Value:
    """Nanoseconds, by the function that `time.perf_counter_ns` calls."""
    b = e.b
    if sys.platform == "win32":
        ticks = e.alloca(I64)
        b.call(declare(e.module, "QueryPerformanceCounter", I32, [PTR]), [ticks])
        return b.mul(e.load(ticks, I64), I64(round(get_clock_info("perf_counter").resolution * 1e9)))
    if sys.platform == "darwin":
        return b.call(declare(e.module, "clock_gettime_nsec_np", I64, [I32]), [I32(CLOCK_UPTIME_RAW)])
    time = e.alloca(I64, 2)
    b.call(declare(e.module, "clock_gettime", I32, [I32, PTR]), [I32(CLOCK_MONOTONIC), time])
    return b.add(b.mul(e.load(time, I64), I64(10 ** 9)), e.load(e.at(time, 8), I64))


def stamp(e: Emitter) -> None:
    """Writes the kernel that puts the time where its buffers begin."""
    e.store(_write_clock(e), e.args[0])


def _timed(segment: Segment, table: int) -> tuple[Segment, np.ndarray]:
    """A segment with stamps around its kernels, and where they go: one for each kernel's end, after one for the beginning."""
    times = np.zeros(len(segment.steps) + 1, np.int64)
    stamps = [(common_kernel(stamp), 1, times.ctypes.data + 8 * i - table) for i in range(times.size)]
    made = Segment()
    made.steps = [*segment.lead, stamps[0], *[entry for pair in zip(segment.steps, stamps[1:]) for entry in pair]]
    made.program = Program(made.steps, segment.scratch, segment.work >= PARALLEL_WORK, [segment.keep, times])
    return made, times


# what a run tells: the times of each part, a segment's or a host call's (beginning and end), and when waiting for it began and ended
Report = Callable[[list[np.ndarray], int, int], None]


class TimedProgram(CompiledProgram):
    """`compiled` with stamps. After each run it calls `report`."""

    def __init__(self, compiled: CompiledProgram, report: Report):
        vars(self).update(vars(compiled))  # the same table, arena and results kept
        self.report = report
        self.parts = list(compiled.parts)
        self._times: list[np.ndarray] = []  # of each part, rewritten by each run
        for i, part in enumerate(self.parts):
            if isinstance(part, Segment):
                self.parts[i], times = _timed(part, self.table_address)
            else:
                times = np.zeros(2, np.int64)
            self._times.append(times)

    def call(self, inputs: list, addresses: list[int], dead: frozenset | None = frozenset()) -> tuple[list[np.ndarray], list[int]]:
        """Runs it, and reports."""
        start = perf_counter_ns()
        results = super().call(inputs, addresses, dead)
        self._tell(start)
        return results

    def join(self) -> None:  # type: ignore[override]
        """Takes part in what was posted, and reports."""
        start = perf_counter_ns()
        super().join()
        self._tell(start)

    def _run_host(self, node: Node, inputs: list, made: list[np.ndarray]) -> None:
        times = self._times[self.parts.index(node)]
        times[0] = perf_counter_ns()
        super()._run_host(node, inputs, made)
        times[1] = perf_counter_ns()

    def _tell(self, start: int) -> None:
        self.report([times.copy() for times in self._times], start, perf_counter_ns())
