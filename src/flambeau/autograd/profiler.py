"""`torch.autograd.profiler`: ranges with names, and a profile of what runs inside a `with`."""
from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable
from warnings import warn

from ..runtime.trace import trace
from .profiler_util import EventList as EventList
from .profiler_util import FunctionEvent as FunctionEvent
from .profiler_util import FunctionEventAvg as FunctionEventAvg

if TYPE_CHECKING:
    from ..profiler._collect import Collector


class record_function:
    """Inside `with record_function(name):`, or in each call of a function that it decorates, is a range of the running profile.

    Without a profiler it does next to nothing. args: a text that goes with the name.
    """

    def __init__(self, name: str, args: str | None = None):
        self.name, self.args = name, args
        self._marks: list[tuple] = []

    def __enter__(self) -> record_function:
        observer = trace.observer
        self._marks.append((observer, None if observer is None else observer.enter(self.name, self.args)))
        return self

    def __exit__(self, *exc: Any) -> None:
        observer, mark = self._marks.pop()
        if mark is not None:
            observer.leave(mark)

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)
        return wrapped


class profile:
    """The profile of what runs inside `with`: `key_averages()`, `table()`, `function_events`, `export_chrome_trace(path)`.

    enabled=False: nothing is looked at. Its other parameters and its times are those of `torch.profiler.profile`, which see; use_cuda,
    use_device, use_kineto and use_cpu are accepted for programs that set them. acc_events: events of earlier uses are kept.

    Errors: RuntimeError if it is active already, or another profiler is.
    """

    def __init__(self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None, record_shapes: bool = False,
                 with_flops: bool = False, profile_memory: bool = False, with_stack: bool = False, with_modules: bool = False,
                 use_kineto: bool = False, use_cpu: bool = True, experimental_config: Any = None, acc_events: bool = False,
                 custom_trace_id_callback: Any = None):
        if use_cuda:
            warn("The attribute `use_cuda` will be deprecated soon, please use ``use_device = 'cuda'`` instead.", FutureWarning, stacklevel=2)
        self.enabled, self.use_device = enabled, "cuda" if use_cuda else use_device
        self.record_shapes, self.with_flops = record_shapes or with_flops, with_flops
        self.profile_memory, self.with_stack, self.with_modules, self.acc_events = profile_memory, with_stack, with_modules, acc_events
        self.entered = False
        self._earlier: list[FunctionEvent] = []
        self._collector: Collector | None = None
        self._events: EventList | None = None

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self._warm_up()
        self._begin()
        return self

    def _warm_up(self) -> None:
        """Looks on, so that programs are compiled and their time stamps made, and keeps nothing of it."""
        from ..profiler._collect import Collector
        if self._collector is not None and self.acc_events:
            self._earlier = list(self.function_events)
        self._collector, self._events = Collector(self.with_stack), None
        self._collector.start()

    def _begin(self) -> None:
        """Keeps what it sees from now on."""
        if self._collector is None or self._collector.ended:
            self._warm_up()
        self._collector.restart()  # type: ignore[union-attr]
        self.entered = True

    def __exit__(self, *exc: Any) -> None:
        if self.entered:
            self.entered = False
            self._collector.stop()  # type: ignore[union-attr]

    def __repr__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._unfinished() else repr(self.function_events)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._unfinished() else str(self.function_events)

    def _unfinished(self) -> bool:
        return self._collector is None or self.entered

    @property
    def collected(self) -> Collector:
        """What was seen, once it is over. AssertionError before."""
        if self._collector is None or self.entered:
            raise AssertionError("Expected profiling results")
        return self._collector

    @property
    def function_events(self) -> EventList:
        """All events. AssertionError before it is over."""
        if self._events is None:
            from ..profiler._events import Options, events_of
            options = Options(self.record_shapes, self.profile_memory, self.with_stack, self.with_flops)
            self._events = events_of(self.collected, options)
            self._events.extend(self._earlier)
        return self._events

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75, max_name_column_width: int = 55,
              max_shapes_column_width: int = 80, header: str | None = None, top_level_events_only: bool = False) -> str:
        """`EventList.table` of all events."""
        return self.function_events.table(sort_by, row_limit, max_src_column_width, max_name_column_width, max_shapes_column_width, header,
                                          top_level_events_only)

    def export_chrome_trace(self, path: str, metadata: dict[str, str] | None = None) -> None:
        """Writes the trace for chrome://tracing or Perfetto, compressed if `path` ends in .gz."""
        from ..profiler._chrome import write_trace
        write_trace(self.collected, path, metadata or {})

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """`EventList.export_stacks` of all events; with_stack must have been set."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        self.function_events.export_stacks(path, metric)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False) -> EventList:
        """`EventList.key_averages` of all events."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """`EventList.total_average` of all events."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return self.function_events.self_cpu_time_total
