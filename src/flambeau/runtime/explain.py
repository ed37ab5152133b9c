"""`explain`: what was recorded, what it becomes, and what memory it needs."""
from __future__ import annotations

import os
import sys
from typing import Any, Callable, NamedTuple, TextIO

from ..errors import Line, Site, call_site, locate
from ..ir.graph import Graph
from ..ir.types import TensorType
from .observer import Observer
from .trace import Value, end_step, observe, trace

BUFFERS_SHOWN = 8


class Call(NamedTuple):
    """A recorded call: the op, its operands' and results' types, and the user's line."""

    name: str
    operands: tuple[TensorType, ...]
    results: tuple[TensorType, ...]
    site: Line | None


class Explained(NamedTuple):
    """A program that ran: its calls in order, the flat graph of primitives, and the line at which it ran."""

    calls: list[Call]
    graph: Graph
    site: Line | None
    parts: tuple[str, ...] = ()  # of a device's program: what the device and, in between, the host compute

    def __str__(self) -> str:
        return "\n".join([self._title(), *self._call_lines(), *self._memory_lines()])

    def _title(self) -> str:
        return f"program of {len(self.calls)} calls, {len(self.graph.nodes)} primitives; it ran at {_where(self.site)}"

    def _call_lines(self) -> list[str]:
        rows = [(c.name, ", ".join(map(str, c.operands)), ", ".join(map(str, c.results)), _size(sum(t.nbytes for t in c.results)),
                 _where(c.site)) for c in self.calls]
        rows.insert(0, ("call", "operands", "results", "size", "where"))
        widths = [min(max(len(row[i]) for row in rows), limit) for i, limit in enumerate((28, 44, 44, 10))]
        return ["  " + "  ".join([*(_cut(cell, width).ljust(width) for cell, width in zip(row, widths)), row[4]]) for row in rows]

    def _memory_lines(self) -> list[str]:
        if self.parts:
            return [f"{len(self.parts)} part(s), in order:", *[f"  {part}" for part in self.parts]]
        from ..compiler.executor import peak_memory
        peak = peak_memory(self.graph)
        lines = [f"memory: {_size(peak.arena + peak.inputs + peak.results)} at the peak: {_size(peak.inputs)} inputs, "
                 f"{_size(peak.results)} new results, {_size(peak.arena)} between them"]
        lines += [f"  {_size(nbytes):>10}  {type}  of {name}" for nbytes, type, name in peak.buffers[:BUFFERS_SHOWN]]
        left = peak.buffers[BUFFERS_SHOWN:]
        if left:
            lines.append(f"  {_size(sum(b[0] for b in left)):>10}  in {len(left)} smaller buffers")
        return lines


class explain(Observer):
    """Inside `with flambeau.explain():` every program that runs is printed.

    A program is what was recorded up to a step boundary (`optimizer.step()`) or an observation (`loss.item()`): each call
    with the types and sizes of its results and the user's line, and the memory of the compiled program at its peak. What was
    recorded before runs first. `with … as programs` gives the list of what ran, each with `calls`, `graph` and `site`.
    file: where to print; None is standard output.

    Errors: RuntimeError if one, or a profiler, is active already.
    """

    def __init__(self, file: TextIO | None = None):
        self.file = file
        self.programs: list[Explained] = []

    def __enter__(self) -> list[Explained]:
        end_step()
        if trace.observer is not None:
            raise RuntimeError("explain() or a profiler is active already")
        observe(self)
        return self.programs

    def __exit__(self, *exc: Any) -> None:
        try:
            end_step()
        finally:
            observe(None)

    def new_records(self) -> list[tuple]:
        """The list of a new trace's records, which notes where each comes from."""
        return _WatchedRecords()

    def find(self, find: Callable[[Any, list], Any], key: Any, slots: list, records: list[tuple]) -> Any:
        """Prints the program that is about to run."""
        program = find(key, slots)
        self._explain(program, records, slots)
        return program

    def _explain(self, program: Any, records: list[tuple], slots: list) -> None:
        calls = []
        sites = records.sites if isinstance(records, _WatchedRecords) else [None] * len(records)
        for (spec, *operands), site in zip(records, sites):
            types = tuple([slots[i].type if isinstance(slots[i], Value) else t.type for i, t in zip(operands, spec.graph.inputs)])
            calls.append(Call(spec.name, types, spec.out_types, None if site is None else locate(site)))
        here = call_site()
        parts = tuple(map(str, getattr(program, "parts", ())))
        explained = Explained(calls, program.graph, None if here is None else locate(here), parts)
        self.programs.append(explained)
        print(explained, file=self.file or sys.stdout)


class _WatchedRecords(list):
    """Records, and the user's line of each."""

    def __init__(self) -> None:
        super().__init__()
        self.sites: list[Site | None] = []

    def append(self, record: tuple) -> None:
        self.sites.append(call_site())
        super().append(record)


def _where(site: Line | None) -> str:
    return "(unknown)" if site is None else f"{os.path.basename(site.filename)}:{site.lineno}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width - 1] + "…"


def _size(nbytes: int) -> str:
    value = float(nbytes)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GB"
