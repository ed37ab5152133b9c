"""What a worker does: seed its streams, make a fetcher, answer tasks one after the other.

A worker is a process or a thread. Messages to it are `Task` and `_ResumeIteration`, through a channel (transport.py, or
pool.py for threads) whose end is the worker's end, too. Each task is answered by a `Result`, in order, until an
iterable-style set has ended.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import flambeau as torch
from flambeau.interpret import Interpreter
from flambeau.runtime.program import set_executor
from flambeau.tensor.device import forget_default_devices
from flambeau.utils.data._utils.exception import ExceptionWrapper
from flambeau.utils.data._utils.fetch import keeps_state
from flambeau.utils.data._utils.resume import Streams, capture, program_streams, restore

# Seconds of work between two reports of where a worker's streams are. Resuming repeats what came after the last.
REPORT_INTERVAL = 0.02
# Seconds after which an idle worker process looks whether its parent lives.
WATCH_INTERVAL = 5.0


# ---- who am I


@dataclass(frozen=True)
class _RNG:
    """Random streams of a worker thread's own, seeded as the global ones of a worker process are."""

    random_generator: random.Random
    torch_generator: torch.Generator
    numpy_generator: np.random.RandomState | None = None


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info()` tells.

    Attributes:
        id: 0 … num_workers - 1.
        num_workers: how many workers this loader has.
        seed: of this worker's random streams: the loader's base seed + id.
        dataset: this worker's copy of the set.
        rng: in a thread, its random streams. PyTorch's default generator is its own there, too; the streams of
            `random` and `numpy.random` are not.
        worker_method: "multiprocessing" or "thread".
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: _RNG | None = None
    worker_method: str | None = "multiprocessing"


_worker_info: WorkerInfo | None = None  # of this process
_thread_local = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Facts about the loader's worker that the caller runs in; None in the main process."""
    return getattr(_thread_local, "worker_info", None) or _worker_info


# ---- messages


@dataclass(frozen=True)
class Place:
    """Where in an epoch a worker begins: its last report, and the indices of the tasks that it did since."""

    report: dict | None = None
    repeat: tuple = ()


@dataclass(frozen=True)
class _ResumeIteration:
    """Begin another epoch, and report. Answered by a Result with this as its data."""


@dataclass(frozen=True)
class ReportRequest:
    """Report. Answered likewise."""


@dataclass(frozen=True)
class _IterableDatasetStopIteration:
    """In place of a batch: this worker's stream has ended."""

    worker_id: int


class Task(NamedTuple):
    number: int
    index: Any


class Result(NamedTuple):
    number: int
    data: Any
    report: dict | None = None  # of Fetching.report


@dataclass(frozen=True)
class WorkerPlan:
    """All that a worker has to know."""

    create_fetcher: Callable[[Any], Any]  # of the set
    dataset: Any
    is_iterable: bool
    base_seed: int
    init_fn: Callable[[int], None] | None
    num_workers: int
    worker_id: int
    place: Place


# ---- fetching


class Fetching:
    """A worker's fetcher and its place in the epoch. Streams: the worker's."""

    def __init__(self, plan: WorkerPlan, streams: Streams, where: str) -> None:
        self.plan = plan
        self.streams = streams
        self.where = where
        self.failure: ExceptionWrapper | None = None
        try:
            if plan.init_fn is not None:
                plan.init_fn(plan.worker_id)
        except Exception:
            self.failure = ExceptionWrapper(where=where)
        self.begin(plan.place)

    def begin(self, place: Place) -> None:
        """Go to the place in a new epoch. An exception becomes the answer to all tasks."""
        self.ended = False
        self.tasks = 0
        self.reported_at = float("-inf")
        if self.failure is not None:
            return
        try:
            self._go_to(place.report or {})
            for index in place.repeat:
                self.fetch(index)
        except Exception:
            self.failure = ExceptionWrapper(where=self.where)

    def _go_to(self, report: dict) -> None:
        dataset = self.plan.dataset
        self.keeps_state = keeps_state(dataset)
        if report:
            restore(self.streams, report.get("start") or report["streams"])
        if report.get("dataset") is not None:
            dataset.load_state_dict(report["dataset"])
        # Skipping begins where the iterator was made.
        self.start = capture(self.streams) if self.plan.is_iterable else None
        self.fetcher = self.plan.create_fetcher(dataset)
        if self.plan.is_iterable and not self.keeps_state:
            self.fetcher.skip(report.get("samples", 0))
        if report:
            restore(self.streams, report["streams"])
            self.tasks = report["tasks"]

    def report(self) -> dict:
        """Plain data from which another worker can go on after the last task."""
        report = {"tasks": self.tasks, "streams": capture(self.streams)}
        if self.plan.is_iterable:
            report.update(start=self.start, samples=self.fetcher.samples)
        if self.keeps_state:
            report["dataset"] = self.plan.dataset.state_dict()
        return report

    def fetch(self, index: Any) -> Any:
        """A batch, or what stands for it."""
        self.tasks += 1
        try:
            return self.fetcher.fetch(index)
        except Exception as error:
            if isinstance(error, StopIteration) and self.plan.is_iterable:
                self.ended = True
                return _IterableDatasetStopIteration(self.plan.worker_id)
            return ExceptionWrapper(where=self.where)

    def answer(self, message: Any) -> Result | None:
        """The result of a message; None for a task after the end of the stream."""
        if isinstance(message, _ResumeIteration):
            self.begin(Place())
        elif isinstance(message, Task):
            return None if self.ended else self._do(message)
        return Result(-1, message, None if self.failure else self.report())

    def _do(self, task: Task) -> Result:
        """A batch, now and then with a report."""
        if self.failure is not None:
            return Result(task.number, self.failure)
        data = self.fetch(task.index)
        now = time.monotonic()
        if now - self.reported_at < REPORT_INTERVAL:
            return Result(task.number, data)
        self.reported_at = now
        return Result(task.number, data, self.report())


def _worker_loop(fetching: Fetching, channel: Any, is_needed: Callable[[], bool]) -> None:
    """Answer messages until the channel ends, or `is_needed`, asked whenever none comes for a while, says no."""

    def send(result: Result) -> None:
        try:
            channel.send(result, check)
        except OSError:
            raise EOFError from None
        except Exception:  # pickling the data
            channel.send(Result(result.number, ExceptionWrapper(where=fetching.where)), check)

    def check() -> None:
        if not is_needed():
            raise EOFError

    while True:
        message = channel.receive()
        if message is None:
            check()
        elif (result := fetching.answer(message)) is not None:
            send(result)


# ---- processes and threads


def _numpy_seed(base_seed: int, worker_id: int) -> np.ndarray:
    """Four words. `random` and `numpy.random` are one algorithm: with the same seed they would be the same stream."""
    return np.random.SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4)


def _use_one_thread() -> None:
    compiler = sys.modules.get("flambeau.compiler.threads")
    if compiler is not None:
        compiler.set_num_threads(1)
    else:  # loading it, for what a worker hardly needs, would take several times as long as all else at its start
        os.environ["OMP_NUM_THREADS"] = "1"


def _become_worker(plan: WorkerPlan) -> None:
    """Settle signals, memory, threads and seeds of a new process."""
    # A forked worker inherits the program's handlers, and would run them at the loader's SIGTERM.
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # see `interrupts_held`
    gc.freeze()  # a collection would write to, and so copy, every page that is shared with the parent
    _use_one_thread()
    # A forked process may not wait for its parent's compiler threads; and the next epoch's workers would compile again.
    set_executor(Interpreter())
    forget_default_devices()  # nor may it use a device, whose threads it has not inherited: it would wait forever
    seed = plan.base_seed + plan.worker_id
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(_numpy_seed(plan.base_seed, plan.worker_id))
    global _worker_info
    _worker_info = WorkerInfo(plan.worker_id, plan.num_workers, seed, plan.dataset)


class _ParentWatch:
    """Whether the process that started this one is still there."""

    def __init__(self) -> None:
        self.parent = multiprocessing.parent_process()
        self.parent_id = os.getppid()  # of a fork server, where there is one

    def __call__(self) -> bool:
        return self.parent.is_alive() and os.getppid() == self.parent_id


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, here and in a process that is started meanwhile, until that is in `process_main` and ends without a word."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows, where a terminal's Ctrl-C finds no half-started copies of this process
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def process_main(plan: WorkerPlan, channel: Any) -> None:
    """A worker process."""
    try:
        _become_worker(plan)
        fetching = Fetching(plan, program_streams(), f"in DataLoader worker process {plan.worker_id}")
        _worker_loop(fetching, channel, _ParentWatch())
    except (KeyboardInterrupt, EOFError):
        pass  # Ctrl-C reaches the parent as well; the end of the channel means that nobody asks any more


def thread_main(plan: WorkerPlan, channel: Any) -> None:
    """A worker thread."""
    seed = plan.base_seed + plan.worker_id
    generator = torch.Generator().manual_seed(seed)
    rng = _RNG(random.Random(seed), generator, np.random.RandomState(_numpy_seed(plan.base_seed, plan.worker_id)))
    _thread_local.worker_info = WorkerInfo(plan.worker_id, plan.num_workers, seed, plan.dataset, rng, "thread")
    streams = Streams(rng.torch_generator, rng.random_generator, rng.numpy_generator)
    with torch.default_generator.replaced_by(generator), contextlib.suppress(EOFError):
        _worker_loop(Fetching(plan, streams, f"in DataLoader worker thread {plan.worker_id}"), channel, lambda: True)


class InlineWorker:
    """What a worker process would give, fetched by the caller: for a set that draws from the default generator only."""

    def __init__(self, plan: WorkerPlan) -> None:
        self.generator = torch.Generator().manual_seed(plan.base_seed + plan.worker_id)
        with torch.default_generator.replaced_by(self.generator):
            where = f"in DataLoader worker process {plan.worker_id}"
            self.fetching = Fetching(plan, Streams(self.generator), where)

    def answer(self, message: Any) -> Result | None:
        with torch.default_generator.replaced_by(self.generator):
            return self.fetching.answer(message)
