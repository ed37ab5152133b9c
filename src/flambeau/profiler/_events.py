"""What a `Collector` kept → events by op and range (`autograd.profiler_util`)."""
from __future__ import annotations

from bisect import bisect_left
from typing import Any, Callable, NamedTuple

from ..autograd.profiler_util import EventList, FunctionEvent
from ..compiler.description import flops_of
from ..errors import Site, locate
from ..ir.graph import Graph
from ._collect import Collector, Range, Run


class Options(NamedTuple):
    """What a profile shows beside names and times."""

    record_shapes: bool = False
    profile_memory: bool = False
    with_stack: bool = False
    with_flops: bool = False


def op_name(name: str, grad_name: str | None = None) -> str:
    """PyTorch's name of a recorded call."""
    if name.endswith("_backward") and grad_name:
        return grad_name
    return "autograd::engine::execute" if name == "backward" else f"aten::{name}"


def _part_name(name: str) -> str:
    """Of a call within a call: a backward pass holds autograd's nodes, a replayed step ops."""
    return name if name[:1].isupper() else op_name(name)


class _Event:
    """An event under construction. own: nanoseconds of its own."""

    def __init__(self, name: str, start: int, thread: int, parent: _Event | None, is_range: bool = False, **more: Any):
        self.name, self.start, self.thread, self.is_range, self.more = name, start, thread, is_range, more
        self.own = 0.0
        self.children: list[_Event] = []
        self.parent = parent
        if parent is not None:
            parent.children.append(self)

    def total(self) -> float:
        return self.own + sum([child.total() for child in self.children])

    def nbytes(self) -> int:
        return self.more.get("cpu_memory_usage", 0) + sum([child.nbytes() for child in self.children])


def events_of(collector: Collector, options: Options) -> EventList:
    """The events, by the time at which they began."""
    found: list[_Event] = []
    ranges: dict[Range | None, _Event | None] = {None: None}
    own_time = _own_times(collector)
    for r in collector.ranges:
        ranges[r] = event = _Event(r.name, r.start, r.thread, ranges.get(r.parent), is_range=True)
        event.own = own_time(r)
        found.append(event)
    for run in collector.runs:
        found += _events_of_run(run, ranges, options)
    for span in collector.spans:
        if span.what == "compile":
            event = _Event("flambeau::compile", span.start, span.thread, None)
            event.own = span.stop - span.start
            found.append(event)
    return _finished(found, collector.begun, options)


def _own_times(collector: Collector) -> Callable[[Range], float]:
    """A function that tells the time in which a range's thread ran Python: neither in ranges within, nor in programs, nor in the
    compiler."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for span in sorted(collector.spans, key=lambda s: s.start):
        spans.setdefault(span.thread, []).append((span.start, span.stop))
    within: dict[Range, list[tuple[int, int]]] = {}
    for r in collector.ranges:
        if r.parent is not None:
            within.setdefault(r.parent, []).append((r.start, r.stop))

    def own_time(r: Range) -> float:
        its = spans.get(r.thread, [])
        its = its[bisect_left(its, (r.start, 0)):bisect_left(its, (r.stop, 0))]
        total, last = float(r.stop - r.start), r.start
        for start, stop in sorted([*its, *within.get(r, [])]):
            start, stop = max(start, last), min(stop, r.stop)
            if stop > start:
                total -= stop - start
                last = stop
        return total
    return own_time


def _events_of_run(run: Run, ranges: dict[Range | None, _Event | None], options: Options) -> list[_Event]:
    """An event for each recorded call, and below it one for each call within that has a part in a kernel."""
    records, events = run.records, []
    live, flops = set(run.live), _flops(run.graph) if options.with_flops else {}
    for n, (spec, results) in enumerate(records.calls()):
        more: dict[str, Any] = {"flops": flops.get(n)}
        if options.record_shapes:
            more["input_shapes"] = [list(v.type.shape) for v in spec.graph.inputs]
        if options.with_stack:
            more["stack"] = [_frame(site) for site in records.stacks[n] if not site[0].co_filename.startswith("<frozen")]
        if options.profile_memory:
            more["cpu_memory_usage"] = sum([t.nbytes for t, slot in zip(spec.out_types, results) if slot in live])
        events.append(_Event(op_name(spec.name, spec.grad_name), records.times[n], records.thread, ranges.get(records.ranges[n]), **more))
    parts: dict[tuple, _Event] = {}
    for kernel, start, stop in run.kernels():
        for origin, share in kernel.work.owners:
            if not origin:
                continue
            event = events[origin[0][0]]
            for depth in range(2, len(origin) + 1):
                path = origin[:depth]
                if path not in parts:
                    parts[path] = _Event(_part_name(path[-1][1]), event.start, event.thread, event)
                event = parts[path]
            event.own += share * (stop - start)
    return [*events, *parts.values()]


def _flops(graph: Graph) -> dict[int, float]:
    """Operations of each recorded call: of its contractions, where it has some, else of its elementwise calls."""
    sums: dict[tuple[int, bool], float] = {}
    for node in graph.nodes:
        if node.origin:
            key = node.origin[0][0], node.prim.kind == "contraction"
            sums[key] = sums.get(key, 0.0) + flops_of(node)
    return {n: total for (n, contracts), total in sums.items() if contracts or (n, True) not in sums}


def _frame(site: Site) -> str:
    line = locate(site)
    return f"{line.filename}({line.lineno}): {site[0].co_name}"


def _finished(found: list[_Event], begun: int, options: Options) -> EventList:
    """As `FunctionEvent`s, with times in microseconds from the beginning of the profile."""
    made: dict[_Event, FunctionEvent] = {}
    for id, event in enumerate(sorted(found, key=lambda e: e.start)):
        start = (event.start - begun) / 1e3
        name = "ProfilerStep*" if event.name.startswith("ProfilerStep#") else event.name
        more = {**event.more, "cpu_memory_usage": event.nbytes()}
        made[event] = FunctionEvent(id, name, event.thread, start, start + event.total() / 1e3, trace_name=event.name,
                                    is_user_annotation=event.is_range, **more)
    for event, shown in made.items():
        if event.parent is not None:
            made[event.parent].append_cpu_child(shown)
    return EventList(made.values(), None, options.profile_memory, options.with_flops)
