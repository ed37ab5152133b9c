"""What a profile is read from: events, their averages by name, and the table of either."""
from __future__ import annotations

import math
from enum import Enum
from typing import Any, Iterable, Sequence

# PyTorch's numbers
DeviceType = Enum("DeviceType", {
    "CPU": 0, "CUDA": 1, "MKLDNN": 2, "OPENGL": 3, "OPENCL": 4, "IDEEP": 5, "HIP": 6, "FPGA": 7, "MAIA": 8, "XLA": 9, "Vulkan": 10,
    "Metal": 11, "XPU": 12, "MPS": 13, "Meta": 14, "HPU": 15, "VE": 16, "Lazy": 17, "IPU": 18, "MTIA": 19, "PrivateUse1": 20})
ProfilerActivity = Enum("ProfilerActivity", {"CPU": 0, "XPU": 1, "CUDA": 2, "HPU": 3, "MTIA": 4, "PrivateUse1": 5})

STACK_METRICS = ("self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total")
FLOPS_UNITS = ("FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs")
COLUMN_WIDTH = 12


def _time(microseconds: float, unit: str | None = None) -> str:
    """Microseconds as text, in `unit` (s, ms, us), or in the one that reads best."""
    unit = unit or ("s" if microseconds >= 1e6 else "ms" if microseconds >= 1e3 else "us")
    return f"{microseconds / {'s': 1e6, 'ms': 1e3, 'us': 1.0}[unit]:.3f}{unit}"


def _share(microseconds: float, total: float) -> str:
    return f"{microseconds * 100 / total:.2f}%" if total else "NaN"


def _memory(nbytes: float) -> str:
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(nbytes) >= size:
            return f"{nbytes / size:.2f} {unit}"
    return f"{nbytes} B"


class Interval:
    """From `start` to `end`, in microseconds from the beginning of the profile."""

    def __init__(self, start: float, end: float):
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        """Its length."""
        return self.end - self.start


class _Times:
    """What events and averages have in common: times per call, and times as text. There is no other device's time."""

    count: int
    cpu_time_total: Any
    self_cpu_time_total: Any
    device_time_total = self_device_time_total = device_memory_usage = self_device_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """Microseconds a call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def device_time(self) -> float:
        """0: there is no other device."""
        return self.device_time_total / self.count if self.count else 0.0

    cpu_time_str = property(lambda self: _time(self.cpu_time))
    cpu_time_total_str = property(lambda self: _time(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: _time(self.self_cpu_time_total))
    device_time_str = property(lambda self: _time(self.device_time))
    device_time_total_str = property(lambda self: _time(self.device_time_total))
    self_device_time_total_str = property(lambda self: _time(self.self_device_time_total))


class FunctionEvent(_Times):
    """One call of an op, or one range that `record_function` marked.

    cpu_time_total is the length of `time_range`, in microseconds; self_cpu_time_total is that without `cpu_children`. An op's
    time is its share of the kernels that compute it, which run later than the call (see `torch.profiler.profile`), so the
    range begins with the call and has the length of what is attributed to it. input_shapes, stack: None or empty if not asked
    for. cpu_memory_usage: bytes of results that outlive the program. flops: by the op's definition.
    """

    def __init__(self, id: int, name: str, thread: int, start_us: float, end_us: float, overload_name: str = "",
                 input_shapes: list | None = None, stack: list[str] | None = None, scope: int = 0, use_device: str | None = None,
                 cpu_memory_usage: int = 0, is_async: bool = False, is_remote: bool = False, sequence_nr: int = -1, node_id: int = -1,
                 flops: float | None = None, trace_name: str | None = None, is_user_annotation: bool = False):
        self.id, self.name, self.thread, self.overload_name = id, name, thread, overload_name
        self.time_range = Interval(start_us, end_us)
        self.input_shapes, self.stack = input_shapes or [], stack or []
        self.scope, self.use_device, self.cpu_memory_usage = scope, use_device, cpu_memory_usage
        self.is_async, self.is_remote, self.sequence_nr, self.node_id = is_async, is_remote, sequence_nr, node_id
        self.flops, self.trace_name, self.is_user_annotation = flops, trace_name or name, is_user_annotation
        self.device_type, self.is_legacy, self.count = DeviceType.CPU, False, 1
        self.cpu_children: list[FunctionEvent] = []
        self.cpu_parent: FunctionEvent | None = None

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """Microseconds, with those of what it called."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """Microseconds, without those of what it called."""
        return self.cpu_time_total - sum([child.cpu_time_total for child in self.cpu_children])

    @property
    def self_cpu_memory_usage(self) -> int:
        """Bytes, without those of what it called."""
        return self.cpu_memory_usage - sum([child.cpu_memory_usage for child in self.cpu_children])

    def append_cpu_child(self, child: FunctionEvent) -> None:
        """Makes `child` a part of this event."""
        self.cpu_children.append(child)
        child.cpu_parent = self

    def __repr__(self) -> str:
        return (f"<FunctionEvent id={self.id} name={self.name} overload_name={self.overload_name} device_type={self.device_type} "
                f"node_id={self.node_id} cpu_time={self.cpu_time_str} start_us={self.time_range.start} end_us={self.time_range.end} "
                f"cpu_children={[c.id for c in self.cpu_children]} {self.use_device}_time={self.device_time_str} name={self.name} "
                f"thread={self.thread} input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} "
                f"{self.use_device}_memory_usage={self.device_memory_usage} is_async={self.is_async} is_remote={self.is_remote} "
                f"seq_nr={self.sequence_nr} is_legacy={self.is_legacy}>")


_SUMMED = ("cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "count")
_COPIED = ("key", "node_id", "is_async", "is_remote", "cpu_parent", "cpu_children", "overload_name", "input_shapes", "stack", "scope",
           "device_type", "is_legacy", "use_device", "is_user_annotation")


class FunctionEventAvg(_Times):
    """Events of one key, added up: their count, times in microseconds, bytes and operations. All else is the first one's."""

    def __init__(self) -> None:
        for name in _COPIED:
            setattr(self, name, None)
        self.key: str | None = None
        for name in _SUMMED:
            setattr(self, name, 0)
        self.flops: float = 0

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Adds an event of the same key, or other averages of it."""
        if self.key is None:
            for name in _COPIED:
                setattr(self, name, getattr(other, name))
        if other.key != self.key:
            raise AssertionError(f"Expected keys to match, but got {other.key} vs {self.key}")
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.flops += other.flops or 0
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        device = self.use_device or "cuda"  # type: ignore[attr-defined]
        return (f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
                f" self_{device}_time={self.self_device_time_total_str} {device}_time={self.device_time_str} "
                f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} "  # type: ignore[attr-defined]
                f"{device}_memory_usage={self.device_memory_usage}>")


class EventList(list):
    """Events, or averages of events."""

    def __init__(self, events: Iterable = (), use_device: str | None = None, profile_memory: bool = False, with_flops: bool = False):
        super().__init__(events)
        self._use_device, self._profile_memory, self._with_flops = use_device, profile_memory, with_flops

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return sum([event.self_cpu_time_total for event in self])

    def key_averages(self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:
        """Events of one name, and if asked for of the same shapes, innermost lines and overload, added up."""
        groups: dict[tuple, FunctionEventAvg] = {}
        for event in self:
            key: list[Any] = [event.key, event.is_user_annotation]
            if group_by_overload_name:
                key.append(event.overload_name)
            if group_by_input_shapes:
                key.append(str(event.input_shapes))
            key += event.stack[:group_by_stack_n]
            groups.setdefault(tuple(key), FunctionEventAvg()).add(event)
        for average in groups.values():
            average.stack = average.stack[:group_by_stack_n]  # type: ignore[attr-defined]
            if not group_by_input_shapes:
                average.input_shapes = ""  # type: ignore[attr-defined]
            if not group_by_overload_name:
                average.overload_name = ""  # type: ignore[attr-defined]
        return EventList(groups.values(), self._use_device, self._profile_memory, self._with_flops)

    def total_average(self) -> FunctionEventAvg:
        """Everything added up, under the key "Total"."""
        total = FunctionEventAvg()
        for event in self:
            total.key = event.key if total.count else None
            total.add(event)
        total.key = "Total"
        return total

    def supported_export_stacks_metrics(self) -> list[str]:
        """What `export_stacks` can write."""
        return list(STACK_METRICS)

    def export_stacks(self, path: str, metric: str) -> None:
        """Writes a line for each event with a stack: its frames from the outermost inwards, joined by ";", and the metric, as flame graph
        tools read it."""
        if metric not in STACK_METRICS:
            raise ValueError(f"metric should be one of: {list(STACK_METRICS)}")
        names = str.maketrans(" ;\t\n", "____")
        with open(path, "w", encoding="utf-8") as f:
            for event in self:
                value = int(getattr(event, _device_name(metric)))
                if event.stack and value > 0:
                    f.write(";".join([frame.translate(names) for frame in reversed(event.stack)]) + f" {value}\n")

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events as a trace for chrome://tracing or Perfetto."""
        import json
        shown = [{"ph": "X", "cat": "user_annotation" if e.is_user_annotation else "cpu_op", "name": e.trace_name, "pid": "CPU functions",
                  "tid": e.thread, "ts": e.time_range.start, "dur": e.time_range.elapsed_us(), "args": {}} for e in self]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(shown, f)

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75, max_name_column_width: int = 55,
              max_shapes_column_width: int = 80, header: str | None = None, top_level_events_only: bool = False,
              time_unit: str | None = None) -> str:
        """The events as a table, the largest `sort_by` (an attribute, such as "self_cpu_time_total" or "count") first; at most `row_limit`
        rows, all if it is -1. time_unit: s, ms or us; None chooses for each cell."""
        if not self:
            return ""
        events = list(self) if sort_by is None else sorted(self, key=lambda e: getattr(e, _device_name(sort_by)), reverse=True)
        columns = _columns(events, self._profile_memory, self._with_flops, max_src_column_width, max_name_column_width,
                           max_shapes_column_width, time_unit)
        shown = [e for e in events if not top_level_events_only or e.cpu_parent is None]
        shown = shown if row_limit < 0 else shown[:row_limit]
        rule = "".join("-" * width + "  " for _, width, _, _ in columns)
        lines = [rule, _row([head for head, *_ in columns], columns), rule]
        for event in shown:
            lines.append(_row([cell(event) for *_, cell in columns], columns))
            lines += _further_frames(event, columns)
        lines += [rule, f"Self CPU time total: {_time(sum([e.self_cpu_time_total for e in events]), time_unit)}", ""]
        if top_level_events_only:
            lines[:0] = ["=" * (len(rule) - 2), "This report only display top-level ops statistics"]
        if header is not None:
            lines[:0] = ["=" * (len(rule) - 2), header]
        return "\n".join(lines)


def _device_name(metric: str) -> str:
    """The attribute for a metric of any kind of device."""
    for device in ("cuda", "xpu", "privateuse1"):
        metric = metric.replace(device, "device")
    return metric


def _cut(text: str, limit: int | None) -> str:
    return text[:limit - 3] + "..." if limit is not None and len(text) >= limit - 3 else text


def _cut_path(path: str, width: int) -> str:
    return path if len(path) <= width else "..." + path[len(path) - width + 3:]


def _width(texts: Iterable[str], limit: int | None) -> int:
    width = max(map(len, texts)) + 4
    return width if limit is None else min(width, limit)


def _columns(events: Sequence[Any], memory: bool, flops: bool, src_limit: int, name_limit: int, shapes_limit: int, unit: str | None) -> list[tuple]:
    """(heading, width, alignment, an event's cell) of each column."""
    total = sum([e.self_cpu_time_total for e in events])
    columns: list[tuple] = [("Name", _width([e.key for e in events], name_limit), ">", lambda e: _cut(e.key, name_limit))]
    if any(e.overload_name for e in events):
        columns.append(("Overload Name", columns[0][1], ">", lambda e: _cut(e.overload_name, name_limit)))

    def add(heading: str, cell: Any) -> None:
        columns.append((heading, COLUMN_WIDTH, ">", cell))
    add("Self CPU %", lambda e: _share(e.self_cpu_time_total, total))
    add("Self CPU", lambda e: _time(e.self_cpu_time_total, unit))
    add("CPU total %", lambda e: _share(e.cpu_time_total, total))
    add("CPU total", lambda e: _time(e.cpu_time_total, unit))
    add("CPU time avg", lambda e: _time(e.cpu_time, unit))
    if memory:
        add("CPU Mem", lambda e: _memory(e.cpu_memory_usage))
        add("Self CPU Mem", lambda e: _memory(e.self_cpu_memory_usage))
    add("# of Calls", lambda e: e.count)
    if any(e.input_shapes for e in events):
        width = _width([str(e.input_shapes) for e in events], shapes_limit)
        columns.append(("Input Shapes", width, ">", lambda e: str(e.input_shapes)[:width]))
    if any(e.stack for e in events):
        width_of_source = _width([frame for e in events for frame in e.stack], src_limit)
        columns.append(("Source Location", width_of_source, "<", lambda e: _cut_path(e.stack[0], width_of_source) if e.stack else ""))
    counted = [e.flops for e in events if e.flops]
    if flops and counted:
        power = max(0, min(int(math.log10(min(counted)) / 3), len(FLOPS_UNITS) - 1))
        add(f"Total {FLOPS_UNITS[power]}", lambda e: f"{e.flops / 1000 ** power:8.3f}" if e.flops else "--")
    return columns


def _row(cells: Sequence[Any], columns: Sequence[tuple]) -> str:
    return "".join(f"{cell!s:{align}{width}}  " for cell, (_, width, align, _) in zip(cells, columns))


def _further_frames(event: Any, columns: Sequence[tuple]) -> list[str]:
    """The stack's lines after the first."""
    place = next((i for i, c in enumerate(columns) if c[0] == "Source Location"), None)
    if place is None:
        return []
    frames = [*event.stack[1:], ""]
    return [_row([_cut_path(f, columns[place][1]) if i == place else "" for i in range(len(columns))], columns) for f in frames]
