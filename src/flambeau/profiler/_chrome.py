"""What a `Collector` kept → the JSON that chrome://tracing, Perfetto and TensorBoard's profiler plugin open."""
from __future__ import annotations

import gzip
import json
import os
from typing import Any

from ..errors import Line
from ._collect import Collector, Run
from ._events import op_name

PROGRAMS = 1  # the row of the trace that shows programs and their kernels: no thread's number
SPANS = {"graph": "build graph", "compile": "compile", "await compiler": "wait for the compiler", "wait": "run or wait for program"}


def write_trace(collector: Collector, path: str, metadata: dict[str, str]) -> None:
    """Writes the trace to `path`, compressed if that ends in .gz. metadata: names, and values as JSON, of entries beside the events."""
    trace = {"schemaVersion": 1, "displayTimeUnit": "ms", "deviceProperties": [],
             **{name: json.loads(value) for name, value in metadata.items()},
             "traceEvents": _trace_events(collector), "traceName": path}
    with gzip.open(path, "wt", encoding="utf-8") if path.endswith(".gz") else open(path, "w", encoding="utf-8") as f:
        json.dump(trace, f)


def _trace_events(collector: Collector) -> list[dict[str, Any]]:
    pid = os.getpid()

    def slice_of(name: str, kind: str, thread: int, start: int, stop: int, **args: Any) -> dict[str, Any]:
        """Microseconds from the beginning of the profile."""
        return {"ph": "X", "cat": kind, "name": name, "pid": pid, "tid": thread, "ts": (start - collector.begun) / 1e3,
                "dur": (stop - start) / 1e3, "args": args}
    events = [slice_of(r.name, "user_annotation", r.thread, r.start, r.stop) for r in collector.ranges]
    events += [slice_of(SPANS[s.what], "flambeau", s.thread, s.start, s.stop) for s in collector.spans if s.what in SPANS]
    for number, run in enumerate(collector.runs):
        events += [slice_of(op_name(spec.name, spec.grad_name), "cpu_op", run.records.thread, time, time, program=number)
                   for (spec, _), time in zip(run.records.calls(), run.records.times)]
        events += _program(run, number, slice_of)
    threads = sorted({e["tid"] for e in events} - {PROGRAMS})
    names = [("process_name", 0, {"name": "flambeau"}), ("thread_name", PROGRAMS, {"name": "programs"}),
             *[("thread_name", t, {"name": f"thread {t}"}) for t in threads]]
    return [{"ph": "M", "name": name, "pid": pid, "tid": tid, "ts": 0.0, "args": args} for name, tid, args in names] + events


def _program(run: Run, number: int, slice_of: Any) -> list[dict[str, Any]]:
    kernels = list(run.kernels())
    if not kernels:
        return []
    events = [slice_of(f"program {number}", "program", PROGRAMS, kernels[0][1], kernels[-1][2], calls=len(run.records), kernels=len(kernels))]
    for kernel, start, stop in kernels:
        seconds = max(stop - start, 1) / 1e9
        events.append(slice_of(kernel.work.name, "kernel", PROGRAMS, start, stop, by=kernel.by, threads=kernel.threads,
                               line=show_line(run.line(kernel)), **{"GFLOP/s": kernel.work.flops / seconds / 1e9,
                                                                    "GB/s": kernel.work.nbytes / seconds / 1e9}))
    return events


def show_line(line: Line | None) -> str:
    """file:number, without the folder."""
    return "" if line is None else f"{os.path.basename(line.filename)}:{line.lineno}"
