"""Pools of workers: starting them, asking them, watching them, ending them.

All pools have the same methods. Workers have numbers from 0; each answers its messages in order.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import pickle
import queue
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

from flambeau.utils.data import _utils
from flambeau.utils.data._utils.transport import Channel
from flambeau.utils.data._utils.worker import WATCH_INTERVAL, InlineWorker, WorkerPlan, interrupts_held, process_main, thread_main

# Seconds between two looks at whether all workers are alive.
LOOK_INTERVAL = 0.2
# Seconds that the other workers have to end when one has died.
BROKEN_INTERVAL = 0.2

_PICKLE_HINT = (
    "Got pickle error when attempting to start a worker Process. This might be because the worker Process arguments "
    "(the dataset, collate_fn or worker_init_fn) are not picklable, which the start methods 'spawn' and 'forkserver' "
    "need; Python 3.14 made 'forkserver' the default on most systems. "
    "You can also try multiprocessing.set_start_method('fork'), or worker=\"thread\"."
)

# This process's ends of all channels to workers. A forked worker gets copies, which it has to close.
_parent_ends: weakref.WeakSet = weakref.WeakSet()


def _forked_process_main(plan: WorkerPlan, channel: Any) -> None:
    for other in list(_parent_ends):
        other.close()
    process_main(plan, channel)


class ProcessPool:
    """Worker processes. When one ends that was not told to, the next call is a RuntimeError, and the pool is broken."""

    def __init__(self, plans: Iterable[WorkerPlan], context: Any) -> None:
        self.workers: list[Any] = []
        self.broken = False
        self._owner = os.getpid()
        self._channels: list[Any] = []
        self._inboxes: list[collections.deque] = []
        self._watched: dict[Any, int] = {}  # sentinel → worker, of those that should be running
        self._next_look = 0.0
        for plan in plans:
            self._start(plan, context or multiprocessing)

    def _start(self, plan: WorkerPlan, context: Any) -> None:
        parent_end, worker_end = Channel.pair(WATCH_INTERVAL)
        process = context.Process(target=_forked_process_main, args=(plan, worker_end), daemon=True)
        _parent_ends.add(parent_end)
        try:
            with interrupts_held():
                process.start()
        except BaseException as error:
            parent_end.hang_up()
            self.close()
            if isinstance(error, (TypeError, AttributeError, pickle.PicklingError)):
                warnings.warn(_PICKLE_HINT, stacklevel=7)
            raise
        finally:
            worker_end.close()
        self._watched[process.sentinel] = len(self.workers)
        self.workers.append(process)
        self._channels.append(parent_end)
        self._inboxes.append(collections.deque())

    def send(self, worker: int, message: Any) -> None:
        """Hand a message to a worker."""
        try:
            self._channels[worker].send(message, lambda: self._make_room(worker))
        except OSError:
            self._raise_dead(worker)

    def _make_room(self, worker: int) -> None:
        """The worker takes no more, perhaps since it waits to be read from."""
        if not self._read(worker):
            self._wait([worker], 0.01)
            self._look()

    def _read(self, worker: int) -> bool:
        try:
            message = self._channels[worker].receive()
        except EOFError:
            self._raise_dead(worker)
        if message is not None:
            self._inboxes[worker].append(message)
        return message is not None

    def receive(self, workers: Iterable[int], timeout: float = 0) -> tuple[int, Any] | None:
        """(worker, its next message) of the first of `workers` that has one; None after `timeout` seconds
        (0: never)."""
        workers = tuple(dict.fromkeys(workers))
        now = time.monotonic()
        deadline = now + timeout if timeout else float("inf")
        while True:
            if now >= self._next_look:
                self._look()
                self._next_look = now + LOOK_INTERVAL
            for worker in workers:
                if self._inboxes[worker] or self._read(worker):
                    return worker, self._inboxes[worker].popleft()
            now = time.monotonic()
            if now >= deadline:
                return None
            if self._wait(workers, min(deadline - now, LOOK_INTERVAL)):
                self._next_look = now

    def _wait(self, workers: Iterable[int], timeout: float) -> bool:
        """Until one of the workers can be read from, or any has ended: whether one has."""
        channels = [self._channels[worker].waitable for worker in workers]
        ready = multiprocessing.connection.wait([*channels, *self._watched], timeout)
        return any(waitable in self._watched for waitable in ready)

    def _look(self) -> None:
        dead = [worker for worker in self._watched.values() if not self.workers[worker].is_alive()]
        if dead:
            self._raise_dead(*dead)

    def _raise_dead(self, *dead: int) -> None:
        self.broken = True
        self._hang_up()
        for worker in dead:
            self.workers[worker].join(1)  # its channel can end a moment before it does
        pids = ", ".join(str(self.workers[worker].pid) for worker in dead)
        reasons = "; ".join(f"worker {worker} {_cause(self.workers[worker].exitcode)}" for worker in dead)
        raise RuntimeError(
            f"DataLoader worker (pid(s) {pids}) exited unexpectedly: {reasons}. "
            "Rerunning with num_workers=0 may give a better error trace."
        )

    def release(self, worker: int) -> None:
        """The worker is not needed any more and ends when it has done what it is at."""
        self._watched.pop(self.workers[worker].sentinel, None)
        self._channels[worker].hang_up()

    def _hang_up(self) -> None:
        self._watched.clear()
        for channel in self._channels:
            channel.hang_up()

    def close(self) -> None:
        """End all workers: idle ones at once, others when they have done what they are at, but by force if that takes
        longer than `MP_STATUS_CHECK_INTERVAL` seconds, or if the pool is broken."""
        if os.getpid() != self._owner:  # a copy, in a process that was forked
            return
        self._hang_up()
        try:
            _join(self.workers, BROKEN_INTERVAL if self.broken else _utils.MP_STATUS_CHECK_INTERVAL)
        finally:
            for end in ("terminate", "kill"):
                for worker in self.workers:
                    if worker.is_alive():
                        getattr(worker, end)()
                _join(self.workers, _utils.MP_STATUS_CHECK_INTERVAL)


def _join(workers: list, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0, deadline - time.monotonic()))


def _cause(exitcode: int | None) -> str:
    if exitcode is None:
        return "closed its connection"
    if exitcode >= 0:
        return f"left with exit code {exitcode}, see its output above"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = ", perhaps because the system ran out of memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


class _QueueChannel:
    """A worker thread's end: an inbox of its own, and an outbox that it shares with the other workers."""

    def __init__(self, worker: int, outbox: queue.SimpleQueue) -> None:
        self.worker = worker
        self.inbox: queue.SimpleQueue = queue.SimpleQueue()
        self.outbox = outbox
        self.is_open = True

    def receive(self) -> Any:
        message = self.inbox.get()
        if not self.is_open:
            raise EOFError
        return message

    def send(self, message: Any, while_full: Any) -> None:
        self.outbox.put((self.worker, message))

    def hang_up(self) -> None:
        self.is_open = False
        self.inbox.put(None)


class ThreadPool:
    """Worker threads. Batches are handed over as they are."""

    broken = False

    def __init__(self, plans: Iterable[WorkerPlan], context: Any = None) -> None:
        self._outbox: queue.SimpleQueue = queue.SimpleQueue()
        self.workers: list[threading.Thread] = []
        self._channels: list[_QueueChannel] = []
        self._inboxes: list[collections.deque] = []
        for plan in plans:
            if plan.is_iterable:  # worker_init_fn gives each worker its share by setting attributes
                plan = dataclasses.replace(plan, dataset=copy.copy(plan.dataset))
            channel = _QueueChannel(plan.worker_id, self._outbox)
            name = f"DataLoader worker {plan.worker_id}"
            thread = threading.Thread(target=thread_main, args=(plan, channel), name=name, daemon=True)
            thread.start()
            self.workers.append(thread)
            self._channels.append(channel)
            self._inboxes.append(collections.deque())

    def send(self, worker: int, message: Any) -> None:
        """As of `ProcessPool`."""
        self._channels[worker].inbox.put(message)

    def receive(self, workers: Iterable[int], timeout: float = 0) -> tuple[int, Any] | None:
        """As of `ProcessPool`."""
        workers = tuple(dict.fromkeys(workers))
        deadline = time.monotonic() + timeout if timeout else None
        while True:
            for worker in workers:
                if self._inboxes[worker]:
                    return worker, self._inboxes[worker].popleft()
            try:
                sender, message = self._outbox.get(timeout=deadline and max(0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            self._inboxes[sender].append(message)

    def release(self, worker: int) -> None:
        """As of `ProcessPool`."""
        self._channels[worker].hang_up()

    def close(self) -> None:
        """End all workers. One that is still at work after `MP_STATUS_CHECK_INTERVAL` seconds is left to itself."""
        for channel in self._channels:
            channel.hang_up()
        _join(self.workers, _utils.MP_STATUS_CHECK_INTERVAL)


class InlinePool:
    """No workers: each batch is fetched when it is taken, with the random stream of the worker that would have."""

    broken = False

    def __init__(self, plans: Iterable[WorkerPlan], context: Any = None) -> None:
        self.workers: list = []
        self._fetchers = [InlineWorker(plan) for plan in plans]
        self._inboxes: list[collections.deque] = [collections.deque() for _ in self._fetchers]

    def send(self, worker: int, message: Any) -> None:
        """As of `ProcessPool`."""
        self._inboxes[worker].append(message)

    def receive(self, workers: Iterable[int], timeout: float = 0) -> tuple[int, Any] | None:
        """As of `ProcessPool`; there is nothing to wait for."""
        for worker in workers:
            while self._inboxes[worker]:
                result = self._fetchers[worker].answer(self._inboxes[worker].popleft())
                if result is not None:
                    return worker, result
        return None

    def release(self, worker: int) -> None:
        """As of `ProcessPool`."""

    def close(self) -> None:
        """As of `ProcessPool`."""
