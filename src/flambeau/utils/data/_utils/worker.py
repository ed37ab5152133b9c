"""What a worker does: seed its streams, make a fetcher, answer tasks one after the other.

A worker is a process or a thread; `_worker_loop` is the same for both and talks through a channel (transport.py, or
the pair of queues of a thread in pool.py). Messages to a worker: `Task`, `_ResumeIteration`, `STOP`. Each task is answered
by a `Result`, in order, until an iterable-style set has ended.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import flambeau as torch
from flambeau.utils.data._utils import resume
from flambeau.utils.data._utils.exception import ExceptionWrapper

STOP = "stop"
# Seconds of fetching between two reports of a worker's random streams: resuming repeats what came after the last report.
REPORT_INTERVAL = 0.02
# Seconds after which an idle worker looks whether its parent lives.
WATCH_INTERVAL = 5.0


@dataclass(frozen=True)
class _RNG:
    """The random streams of a worker thread, seeded as the global ones of a worker process would be."""

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
        rng: in a thread, random streams of its own (`random` and `numpy.random` have one stream for all threads).
        worker_method: "multiprocessing" or "thread".
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: _RNG | None = None
    worker_method: str | None = "multiprocessing"


_worker_info: WorkerInfo | None = None  # of this process
_in_thread = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Facts about the loader's worker that the caller runs in; None in the main process."""
    return getattr(_in_thread, "info", None) or _worker_info


@dataclass(frozen=True)
class _IterableDatasetStopIteration:
    """In place of a batch: this worker's stream has ended."""

    worker_id: int


@dataclass(frozen=True)
class Place:
    """Where in an epoch a worker begins: its last report, and the tasks that it did after it, to be repeated."""

    report: dict | None = None
    repeat: list = field(default_factory=list)


@dataclass(frozen=True)
class _ResumeIteration:
    """Begin another epoch, at `place`. Answered by itself."""

    place: Place = field(default_factory=Place)


class Task(NamedTuple):
    number: int
    index: Any


class Result(NamedTuple):
    number: int
    data: Any
    report: dict | None = None


@dataclass(frozen=True)
class WorkerPlan:
    """All that a worker has to know, the same for all workers of a loader but for `worker_id` and `place`."""

    create_fetcher: Callable[[Any], Any]  # of a set
    dataset: Any
    base_seed: int
    init_fn: Callable[[int], None] | None
    worker_id: int
    num_workers: int
    method: str
    place: Place


def _seed_process(base_seed: int, worker_id: int) -> None:
    torch.manual_seed(base_seed + worker_id)
    random.seed(base_seed + worker_id)
    np.random.seed(_numpy_seed(base_seed, worker_id))


def _numpy_seed(base_seed: int, worker_id: int) -> np.ndarray:
    """Four words: `random` and `numpy.random` are the same algorithm, and the same seed would give the same stream."""
    return np.random.SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4)


def _thread_streams(base_seed: int, worker_id: int) -> _RNG:
    generator = torch.Generator()
    generator.manual_seed(base_seed + worker_id)
    return _RNG(
        random.Random(base_seed + worker_id), generator, np.random.RandomState(_numpy_seed(base_seed, worker_id))
    )


def _settle_process(plan: WorkerPlan) -> WorkerInfo:
    """Signals, threads, memory and seeds of a process that has just become a worker."""
    # What a forked worker inherits would run the program's own handlers in it, at the loader's SIGTERM for one.
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # a collection would write to, and so copy, every page that is shared with the parent
    torch.set_num_threads(1)
    _seed_process(plan.base_seed, plan.worker_id)
    return WorkerInfo(plan.worker_id, plan.num_workers, plan.base_seed + plan.worker_id, plan.dataset)


class ParentWatch:
    """Whether the process that started this worker is still there."""

    def __init__(self) -> None:
        self._parent = multiprocessing.parent_process()
        self._parent_id = os.getppid()

    def is_alive(self) -> bool:
        return self._parent.is_alive() and os.getppid() == self._parent_id
