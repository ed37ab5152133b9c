"""`torch.profiler.profile`: a profile of parts of a program, by a schedule of steps."""
from __future__ import annotations

import json
import os
import socket
import time
from enum import Enum
from typing import Any, Callable, Iterable
from warnings import warn

from ..autograd import profiler as prof
from ..autograd.profiler_util import EventList, ProfilerActivity
from ..runtime.trace import end_step


def supported_activities() -> set:
    """What can be profiled: {ProfilerActivity.CPU}. A device's programs are timed as wholes, and count as the CPU's."""
    return {ProfilerActivity.CPU}


class ProfilerAction(Enum):
    """What a schedule says of a step. NONE: nothing is looked at; WARMUP: the same, but a profile is about to begin; RECORD: the step
    is profiled; RECORD_AND_SAVE: it is the last of a profile. DEVICE_STOPPED is none that a schedule may return."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3
    DEVICE_STOPPED = 4


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             skip_first_wait: int = 0) -> Callable[[int], ProfilerAction]:
    """A function from a step's number to what is done in it: after `skip_first` steps come cycles of `wait` steps of nothing, `warmup`
    steps, and `active` ones that are profiled; `repeat` cycles, or without end if it is 0.

    skip_first_wait: other than 0, the first cycle has no `wait`. A warm-up matters: the first runs of a program are interpreted, and
    it is compiled meanwhile.

    Errors: AssertionError for negative numbers, and for active = 0. Warns if warmup is 0.
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
                             f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0).")
    if warmup == 0:
        warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step += (wait if skip_first_wait else 0) - skip_first
        if repeat and step >= repeat * length or step % length < wait:
            return ProfilerAction.NONE
        step %= length
        if step < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if step == length - 1 else ProfilerAction.RECORD
    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False,
                              use_python_export: bool = False) -> Callable[[Any], None]:
    """For `on_trace_ready`: writes each trace to a file of its own in `dir_name`, where TensorBoard's profiler plugin finds it.

    worker_name: the file's name begins with it; None is host and process. use_gzip: compressed. use_python_export has no effect.
    """
    def handler(profiler: Any) -> None:
        try:
            os.makedirs(dir_name, exist_ok=True)
        except Exception as error:
            raise RuntimeError("Can't create directory: " + dir_name) from error
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        profiler.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' * use_gzip}"))
    return handler


def _activities(activities: Iterable | None) -> set:
    if activities is None:
        return supported_activities()
    found: set = set()
    for item in activities:
        found.update(item if isinstance(item, dict) else (item,))
    return found


class _KinetoProfile:
    """A profile from `start` to `stop`, without a schedule. The parameters are those of `profile`."""

    def __init__(self, *, activities: Iterable | None = None, record_shapes: bool = False, profile_memory: bool = False,
                 with_stack: bool = False, with_flops: bool = False, with_modules: bool = False, experimental_config: Any = None,
                 acc_events: bool = False, custom_trace_id_callback: Callable[[], str] | None = None):
        self.activities = _activities(activities)
        self.record_shapes, self.with_flops, self.profile_memory = record_shapes, with_flops, profile_memory
        self.with_stack, self.with_modules, self.acc_events = with_stack, with_modules, acc_events
        self.use_device = "cuda" if ProfilerActivity.CUDA in self.activities else None
        self.profiler: prof.profile | None = None
        self.preset_metadata: dict[str, str] = {}
        self._metadata: dict[str, str] = {}
        self._told = False

    def start(self) -> None:
        """Begins."""
        self.prepare_trace()
        self.start_trace()

    def stop(self) -> None:
        """Ends."""
        self.stop_trace()

    def prepare_trace(self) -> None:
        """Gets ready: looks on and keeps nothing yet. Events of an earlier cycle are forgotten unless acc_events is set."""
        if self.profiler is not None and not self.acc_events and not self._told:
            self._told = True
            warn("Warning: Profiler clears events at the end of each cycle. Only events from the current cycle will be reported. "
                 "To keep events across cycles, set acc_events=True.", stacklevel=4)
        if self.profiler is None or not self.acc_events:
            self.profiler = prof.profile(record_shapes=self.record_shapes, with_flops=self.with_flops, profile_memory=self.profile_memory,
                                         with_stack=self.with_stack, with_modules=self.with_modules, acc_events=self.acc_events)
        self.profiler._warm_up()

    def start_trace(self) -> None:
        """Keeps what it sees from now on."""
        self._ready("starting trace")._begin()
        for name in ("profile_memory", "with_stack", "record_shapes", "with_modules", "with_flops"):
            if getattr(self, name):
                self.add_metadata_json(name, "1")
        self._metadata.update(self.preset_metadata)

    def stop_trace(self) -> None:
        """Looks away."""
        self._ready("stopping trace").__exit__(None, None, None)

    def _ready(self, what: str) -> prof.profile:
        if self.profiler is None:
            raise AssertionError(f"Profiler must be initialized before {what}")
        return self.profiler

    def export_chrome_trace(self, path: str, use_python_export: bool = False) -> None:
        """Writes the trace of the last cycle for chrome://tracing or Perfetto, compressed if `path` ends in .gz: what Python's threads
        recorded, marked and waited for, and, in a row of its own, each program with its kernels: who ran them, the user's line, GFLOP/s,
        GB/s."""
        self._ready("exporting chrome trace").export_chrome_trace(path, self._metadata)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Writes stacks with their times, as flame graph tools read them; with_stack must have been set."""
        self._ready("exporting stacks").export_stacks(path, metric)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False) -> EventList:
        """Counts and times by name, and if asked for by input shapes (record_shapes must have been set) and by the innermost
        `group_by_stack_n` lines (with_stack)."""
        return self._ready("getting key averages").key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def events(self) -> EventList:
        """All events, one by one."""
        return self._ready("accessing events").function_events

    def kernel_table(self, row_limit: int = 30) -> str:
        """The kernels that ran, the slowest first, with operations and bytes a second and the share of the machine's measured peak, and
        what else the time was for; as `flambeau profile` prints it. (PyTorch has none.) Measuring the peaks takes some 0.3 s."""
        from ..compiler.peaks import measure
        from ..compiler.threads import get_num_threads
        from ._kernels import KernelTable, describe_times, times_of
        collector, table = self._ready("getting kernels").collected, KernelTable()
        for run in collector.runs:
            table.add(run)
        return f"{table.text(measure(get_num_threads()), row_limit)}\n{describe_times(times_of(collector), table.by_executor())}"

    def add_metadata(self, key: str, value: str) -> None:
        """A text that goes into the trace's file."""
        self._metadata[key] = json.dumps(value)

    def add_metadata_json(self, key: str, value: str) -> None:
        """A value, as JSON, that goes into the trace's file."""
        self._metadata[key] = value

    def preset_metadata_json(self, key: str, value: str) -> None:
        """The same for each trace that is begun from now on."""
        self.preset_metadata[key] = value


_PROFILED = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class profile(_KinetoProfile):
    """What the program does inside `with profile() as prof:`, or in the steps that a schedule chooses.

    activities: ProfilerActivity members; all are profiled where the program runs. schedule: from a step's number to a
    `ProfilerAction` (see `schedule`); `step()` begins the next step, a range named ProfilerStep#n. None: all is profiled.
    on_trace_ready(prof): is called at the end of each profile. record_shapes, with_stack, profile_memory, with_flops: whether events have
    input shapes, the user's lines, bytes and operations. acc_events: whether events of earlier cycles are kept. with_modules,
    experimental_config and the other parameters are accepted for programs that set them, and change nothing.

    How times are attributed. A recorded call computes nothing; a program that is made of many calls does, later, in kernels that fuse
    parts of several. Each kernel's time is divided among the calls whose primitives it computes, in proportion to their
    operations. So aten::relu may well take no time of its own where it is part of another's loop, and calls whose results nobody needs take
    none. A call within another (a node of autograd in a backward pass, an op in a replayed step) is its child. A range's own time is the
    Python in it, recording included, without the time that it waits for programs; its total is that and the times of the calls recorded
    in it, whenever they ran. Programs run beside Python, so that times may add up to more than the clock's. flambeau::compile is the
    compiler. Where nobody wants any result of a trace, it is run for the profile's sake.

    CPU Mem: bytes of results that outlive their program. Operations: of contractions where a call has some, else one for each element
    of an elementwise call.

    Errors: AssertionError if `activities` is empty; RuntimeError if another profiler is active.
    """

    def __init__(self, *, activities: Iterable | None = None, schedule: Callable[[int], ProfilerAction] | None = None,
                 on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False, profile_memory: bool = False,
                 with_stack: bool = False, with_flops: bool = False, with_modules: bool = False, experimental_config: Any = None,
                 execution_trace_observer: Any = None, acc_events: bool = False, use_cuda: bool | None = None,
                 custom_trace_id_callback: Callable[[], str] | None = None, post_processing_timeout_s: float | None = None):
        if use_cuda is not None:
            warn("`use_cuda` is deprecated, use `activities` argument instead", FutureWarning, stacklevel=2)
        super().__init__(activities=activities, record_shapes=record_shapes, profile_memory=profile_memory, with_stack=with_stack,
                         with_flops=with_flops, with_modules=with_modules, acc_events=acc_events)
        if not self.activities:
            raise AssertionError("No valid profiler activities found")
        self.record_steps = schedule is not None
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.step_rec_fn: prof.record_function | None = None
        self.current_action = self._scheduled(0)

    def _scheduled(self, step: int) -> ProfilerAction:
        action = self.schedule(step)
        if action is ProfilerAction.DEVICE_STOPPED:
            raise ValueError("ProfilerAction.DEVICE_STOPPED is set internally by the profiler and must not be returned by a "
                             "user-provided schedule")
        return action

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begins with step number `step_num`."""
        self._change(ProfilerAction.NONE, self.current_action)
        self._begin_step()

    def stop(self) -> None:
        """Ends; a profile that has begun is complete."""
        self._end_step()
        self._change(self.current_action, None)

    def step(self) -> None:
        """Ends a step, in which all runs that was recorded in it, and begins the next."""
        self._end_step()
        end_step()
        before, after = self.current_action, self._scheduled(self.step_num + 1)
        self.step_num += 1
        self.current_action = after
        self._change(before, after)
        self._begin_step()

    def _begin_step(self) -> None:
        if self.record_steps:
            self.step_rec_fn = prof.record_function(f"ProfilerStep#{self.step_num}")
            self.step_rec_fn.__enter__()

    def _end_step(self) -> None:
        if self.step_rec_fn is not None:
            self.step_rec_fn.__exit__(None, None, None)
            self.step_rec_fn = None

    def _change(self, before: ProfilerAction, after: ProfilerAction | None) -> None:
        """From one action to the next; None: the end."""
        was_on, is_on = before in _PROFILED, after in _PROFILED
        if before is ProfilerAction.WARMUP and after in (ProfilerAction.NONE, None):
            self.start_trace()
        if before is ProfilerAction.WARMUP and after is ProfilerAction.NONE or before is ProfilerAction.RECORD and not is_on and after:
            warn(f"Incorrect schedule: {before.name} followed by {after.name}", stacklevel=3)  # type: ignore[union-attr]
        complete = before is ProfilerAction.RECORD_AND_SAVE or before is ProfilerAction.RECORD and after is None
        if complete or was_on and not is_on or before is ProfilerAction.WARMUP and after in (ProfilerAction.NONE, None):
            self.stop_trace()
        if complete and self.on_trace_ready is not None:
            self.on_trace_ready(self)
        if (complete or before is ProfilerAction.NONE) and after in (ProfilerAction.WARMUP, *_PROFILED):
            self.prepare_trace()
        if is_on and (complete or not was_on):
            self.start_trace()
