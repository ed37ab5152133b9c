"""Teams of worker threads, and `Program`: what Python runs on them.

Workers are Python threads parked in native code (no pthreads, no OpenMP). They are made when a program first needs them,
and anew after a fork, where the child has none. One program runs on the team at a time; a second Python thread that comes
meanwhile runs its program alone, with the same result: chunks depend on shapes, never on the number of threads.
"""
from __future__ import annotations

import atexit
import ctypes
import math
import os
import threading
from typing import Any, NamedTuple, Sequence

import numpy as np

from ..cache import compile_cached
from ..llvm import jit
from ..llvm.target import host_target
from . import native


class _Functions(NamedTuple):
    """The runtime's functions, as ctypes callables that release the GIL."""

    serial: Any
    run: Any
    post: Any
    join: Any
    worker: Any
    wake: Any


_loading = threading.Lock()
_loaded: _Functions | None = None


def _functions() -> _Functions:
    """The runtime's functions, loaded once: what one copy of them posts points into that copy."""
    global _loaded
    if _loaded is None:
        with _loading:
            if _loaded is None:
                _loaded = _load()
    return _loaded


def _load() -> _Functions:
    code = compile_cached(native.runtime_module(host_target()), host_target())
    lib = jit.load(code, list(_Functions._fields))
    p = ctypes.c_void_p
    return _Functions(lib.function("serial", None, p, p, p), lib.function("run", None, p, p, p),
                      lib.function("post", None, p, p, p), lib.function("join", None, p),
                      lib.function("worker", ctypes.c_int64, p, ctypes.c_int64), lib.function("wake", None, p))


def aligned_bytes(n: int, alignment: int = 64) -> np.ndarray:
    """n zeroed bytes at an aligned address."""
    raw = np.zeros(n + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start:start + n]


# ------------------------------------------------------------ how many threads

def _cgroup_limit() -> float:
    """CPUs that the control group grants (quota / period), or infinity."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as f:
            quota, period = f.read().split()[:2]
    except (OSError, ValueError):
        try:
            with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as f, open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as g:
                quota, period = f.read().strip(), g.read().strip()
        except OSError:
            return math.inf
    try:
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except ValueError:  # "max"
        return math.inf


def default_threads() -> int:
    """OMP_NUM_THREADS if it is a positive number, else the CPUs that this process may use (affinity, control group)."""
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if text.isdigit() and int(text) > 0:
        return int(text)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _cgroup_limit())))


# ------------------------------------------------------------------------ teams

class Team:
    """n - 1 parked workers and the memory they share with the thread that posts. `threads` includes the poster."""

    def __init__(self, threads: int, sleeps_natively: bool | None = None):
        self.memory = aligned_bytes(native.TEAM_BYTES)
        self._words = self.memory.view(np.int64)
        self._words[native.POSITION // 8] = native.IDLE
        self._words[native.N_RANGES // 8] = min(threads, native.MAX_RANGES)
        self.address = self.memory.ctypes.data
        self._scratch = np.empty(0, np.uint8)
        self._natively = native.has_futex(host_target()) if sleeps_natively is None else sleeps_natively
        self._bell = threading.Condition()
        self._asleep = 0
        self.workers: list[threading.Thread] = []
        for number in range(1, threads):
            worker = threading.Thread(target=self._work, args=(number,), name=f"flambeau-{number}", daemon=True)
            try:
                worker.start()
            except RuntimeError:  # no more threads, or the interpreter is going: fewer do the same work
                break
            self.workers.append(worker)
        self.threads = 1 + len(self.workers)

    def _work(self, number: int) -> None:
        worker = _functions().worker
        while worker(self.address, number) == native.LEFT_IDLE:
            with self._bell:
                # the check under the lock: a program posted since then has rung before we could hear it
                if self._words[native.STOP // 8] or not self._idle():
                    continue
                self._asleep += 1
                self._bell.wait()
                self._asleep -= 1

    def _idle(self) -> bool:
        return int(self._words[native.POSITION // 8]) & 0xFFFFFFFF == native.IDLE

    def reserve(self, scratch: int) -> None:
        """Gives each thread at least `scratch` bytes. Only while nothing runs."""
        if self._words[native.SCRATCH_STRIDE // 8] < scratch:
            stride = -(-scratch // 4096) * 4096 + 64  # not a multiple of a page: the same offsets should not share cache sets
            self._scratch = aligned_bytes(stride * self.threads)
            self._words[native.SCRATCH // 8] = self._scratch.ctypes.data
            self._words[native.SCRATCH_STRIDE // 8] = stride

    def ring(self) -> None:
        """Wakes workers that sleep in Python."""
        if self._asleep:
            with self._bell:
                self._bell.notify_all()

    def stop(self) -> None:
        """Sends the workers home, and waits a moment for them."""
        self._words[native.STOP // 8] = 1
        self._words[native.POSITION // 8] += 1 << 32
        _functions().wake(self.address)
        with self._bell:
            self._bell.notify_all()
        for worker in self.workers:
            worker.join(1.0)


class _State:
    """The process's team, made when first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.team: Team | None = None
        self.threads: int | None = None
        self.closed = False
        self.posted: Program | None = None  # what runs while its poster does something else; the lock is held


class _Local(threading.local):
    """A thread's own scratch memory, and its address, for programs that it runs alone."""

    def __init__(self) -> None:
        self._scratch = np.empty(0, np.uint8)
        self._address = 0

    def reserve(self, n: int) -> int:
        """The address of at least n bytes."""
        if self._scratch.size < n:
            self._scratch = aligned_bytes(n)
            self._address = self._scratch.ctypes.data
        return self._address


_state = _State()
_local = _Local()


def get_num_threads() -> int:
    """The number of threads that programs run on."""
    if _state.threads is None:
        _state.threads = default_threads()
    return _state.threads


def set_num_threads(n: int) -> None:
    """Sets the number of threads; waits for the program that is running. Raises RuntimeError if n is not positive."""
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    join()
    with _state.lock:
        _state.threads = n
        _dismiss()


def _dismiss() -> None:
    if _state.team is not None:
        team, _state.team = _state.team, None
        team.stop()


def _forget_after_fork() -> None:
    """The child of a fork has no workers, and nobody to release the parent's lock."""
    global _state, _local
    threads = _state.threads
    _state, _local = _State(), _Local()
    _state.threads = threads


def _close() -> None:
    """At exit: programs that still come run on the calling thread. A program in progress is left alone."""
    join()
    _state.closed = True
    if _state.lock.acquire(timeout=1.0):
        try:
            _dismiss()
        finally:
            _state.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(_close)


# --------------------------------------------------------------------- programs

class Program:
    """A table of steps: (kernel address, number of chunks), or with the distance in bytes from the program's buffers to the
    step's. `keep` holds what the addresses belong to.

    A kernel is `void kernel(void **buffers, int64 chunk, void *scratch)`; `scratch` bytes of memory, aligned to 64, are its
    thread's own. With `parallel=False` (small programs) it runs on the calling thread.
    """

    def __init__(self, steps: Sequence[tuple[int, ...]], scratch: int = 0, parallel: bool = True, keep: Any = None):
        table = np.zeros((len(steps), 3), np.int64)
        for row, step in zip(table, steps):
            row[:len(step)] = step
        self._parallel = parallel and bool((table[:, 1] > 1).any())
        self._table = table
        self._request = np.array([table.ctypes.data, len(steps)], np.int64)
        self._address = self._request.ctypes.data
        self._scratch = scratch
        self._keep = keep

    def run(self, buffers: int) -> None:
        """Runs the program; `buffers` is the address of an array of pointers. Releases the GIL."""
        team = self._take_team() if self._parallel else None
        if team is None:
            self._run_alone(buffers)
            return
        try:
            _functions().run(team.address, self._address, buffers)
        finally:
            _state.lock.release()

    def post(self, buffers: int) -> bool:
        """Starts the program on the team's workers, where there are any; `join` must follow. False: nothing is done."""
        team = self._take_team()
        if team is None:
            return False
        _state.posted = self
        _functions().post(team.address, self._address, buffers)
        return True

    def is_shared(self) -> bool:
        """Whether the team's workers take part, unless they are busy."""
        return self._parallel and get_num_threads() > 1 and not _state.closed

    def _take_team(self) -> Team | None:
        """The team, locked and ready; None if this program or this moment has none."""
        state = _state
        if not self.is_shared() or not state.lock.acquire(blocking=False):
            return None
        try:
            team = state.team
            if team is None:
                team = state.team = Team(get_num_threads())
            team.reserve(self._scratch)
            if team.threads > 1:
                team.ring()
                return team
        except BaseException:
            state.lock.release()
            raise
        state.lock.release()
        return None

    def _run_alone(self, buffers: int) -> None:
        _functions().serial(self._address, buffers, _local.reserve(self._scratch) if self._scratch else 0)


def join() -> None:
    """Takes part in the program that was posted last, until it is finished. Nothing if there is none."""
    state = _state
    if state.posted is not None:
        try:
            _functions().join(state.team.address)  # type: ignore[union-attr]
        finally:  # Ctrl-C is told when the program is finished
            state.posted = None
            state.lock.release()
