"""Kernels added up over the runs of programs, as a table: where the machine's time went, and how well it was used."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..compiler.peaks import Machine
from ._chrome import show_line
from ._collect import Collector, Kernel, Run

HEADS = ("kernel", "by", "calls", "total", "share", "average", "GFLOP/s", "GB/s", "of peak", "threads", "line")
NAME_WIDTH = 60


class _Sum:
    """The runs of one kernel. seconds: in all."""

    def __init__(self, kernel: Kernel, line: str):
        self.kernel, self.line = kernel, line
        self.calls, self.seconds = 0, 0.0


class Times(NamedTuple):
    """Seconds of a profile by what they were for. python: of the first thread, in which calls were recorded; compiling: in the compiler's
    thread, while Python went on, or before the program that waited for it."""

    total: float
    python: float
    graphs: float
    waiting_for_compiler: float
    programs: float
    compiling: float


class KernelTable:
    """Adds runs up: kernels of one name, one size and one user's line are one row."""

    def __init__(self) -> None:
        self._sums: dict[tuple, _Sum] = {}

    def add(self, run: Run) -> None:
        """One run more."""
        lines: dict[int, str] = {}
        for kernel, start, stop in run.kernels():
            line = lines.get(id(kernel))
            if line is None:
                line = lines[id(kernel)] = show_line(run.line(kernel))
            key = kernel.work[:3], kernel.by, kernel.threads, line
            row = self._sums.get(key)
            if row is None:
                row = self._sums[key] = _Sum(kernel, line)
            row.calls += 1
            row.seconds += (stop - start) / 1e9

    def rows(self) -> list[_Sum]:
        """The kernel that took longest first."""
        return sorted(self._sums.values(), key=lambda row: row.seconds, reverse=True)

    def text(self, machine: Machine, row_limit: int = 30) -> str:
        """The table. "of peak": the time that the kernel's work takes at the machine's measured peaks, over the time that it took."""
        rows = self.rows()
        total = sum(row.seconds for row in rows)
        cells = [HEADS, *[_cells(row, total, machine) for row in rows[:row_limit if row_limit >= 0 else None]]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEADS))]
        left = {0, 1, len(HEADS) - 1}
        lines = ["  ".join([cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]).rstrip()
                 for row in cells]
        lines.insert(1, "-" * max(map(len, lines)))
        hidden = rows[len(cells) - 1:]
        if hidden:
            lines.append(f"{len(hidden)} kernels more: {_seconds(sum(row.seconds for row in hidden))}")
        return "\n".join(lines)

    def by_executor(self) -> dict[str, float]:
        """Seconds of kernels by who ran them."""
        sums: dict[str, float] = {}
        for row in self._sums.values():
            sums[row.kernel.by] = sums.get(row.kernel.by, 0.0) + row.seconds
        return sums


def _cells(row: _Sum, total: float, machine: Machine) -> Sequence[str]:
    work, name = row.kernel.work, row.kernel.work.name
    per_second = row.calls / max(row.seconds, 1e-12) / 1e9
    name = name if len(name) <= NAME_WIDTH else name[:NAME_WIDTH - 1] + "…"
    return (name, row.kernel.by, str(row.calls), _seconds(row.seconds), f"{row.seconds / max(total, 1e-12):.1%}",
            _seconds(row.seconds / row.calls), f"{work.flops * per_second:.1f}", f"{work.nbytes * per_second:.1f}",
            f"{machine.bound(work.flops, work.nbytes) * row.calls / max(row.seconds, 1e-12):.0%}", str(row.kernel.threads), row.line)


def times_of(collector: Collector) -> Times:
    """What the time of a profile was for."""
    sums = dict.fromkeys(("graph", "compile", "await compiler", "wait"), 0)
    within = 0  # compiled while a graph was prepared
    graphs = [s for s in collector.spans if s.what == "graph"]
    for span in collector.spans:
        sums[span.what] += span.stop - span.start
        if span.what == "compile" and any(g.thread == span.thread and g.start <= span.start < g.stop for g in graphs):
            within += span.stop - span.start
    waited = sums["await compiler"] + within
    total = collector.ended - collector.begun
    spent = [total, total - sums["graph"] - sums["await compiler"] - sums["wait"], sums["graph"] - within, waited, sums["wait"], sums["compile"]]
    return Times(*[n / 1e9 for n in spent])


def describe_times(times: Times, by: dict[str, float]) -> str:
    """The same as text. by: seconds of kernels by who ran them."""
    kernels = ", ".join([f"{who} {_seconds(s)}" for who, s in sorted(by.items(), key=lambda x: -x[1])]) or "none"
    return (f"total {_seconds(times.total)}: Python, which records, {_seconds(times.python)}; building graphs {_seconds(times.graphs)}; "
            f"waiting for the compiler {_seconds(times.waiting_for_compiler)}; running programs, or waiting for them, "
            f"{_seconds(times.programs)}\nthe compiler worked {_seconds(times.compiling)}; kernels by who ran them: {kernels}")


def _seconds(s: float) -> str:
    return f"{s:.3f} s" if s >= 1 else f"{s * 1e3:.3f} ms" if s >= 1e-3 else f"{s * 1e6:.1f} µs"
