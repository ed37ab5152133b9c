"""Process groups: who takes part in a collective, in which order collectives run, and what happens if somebody fails.

A group has a thread that runs its collectives one after another; the caller waits, and looks once a second for news of
processes that are gone. Before a collective all processes compare what they are about to call.
"""
from __future__ import annotations

import atexit
import hashlib
import os
import queue
import signal
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from typing import Any, Callable, NamedTuple

import numpy as np

from ..futures import Future
from ._agreement import Agreement
from ._engine import Engine
from .errors import DistBackendError, DistError, DistNetworkError, DistStoreError
from .store import PrefixStore, TCPStore

_LOOK = 1.0  # seconds between two looks for news
_NEWS = 3.0  # seconds that a process waits for the others to say what they know
_LAST = 30.0  # seconds in which a process whose group has failed may end by itself
_WORDS = 512  # bytes of a call's description that are compared
LOST = "lost"  # the key of the world's store under which ranks are noted that ended without goodbye


class Call(NamedTuple):
    """What all processes must agree on. PyTorch's words for it are in the error."""

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    detail: str = ""

    def __str__(self) -> str:
        shape = "" if self.shape is None else f", TensorShape={list(self.shape)}, TensorDtypes={self.dtype}"
        return f"CollectiveFingerPrint(OpType={self.name}{shape}{', ' + self.detail if self.detail else ''})"

    def fingerprint(self) -> int:
        return int.from_bytes(hashlib.blake2b(str(self).encode(), digest_size=7).digest(), "little")


class Work:
    """A collective under way. `wait` before its results are used."""

    def __init__(self, group: ProcessGroup | None = None, then: Callable[[Any], None] | None = None, sequence: int = 0) -> None:
        self._group, self._then, self._sequence = group, then, sequence
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self._handed_out = False
        self._lock = threading.Lock()
        self._future: Future | None = None
        self.results: list[Any] = []  # the tensors that are written

    def get_future(self) -> Future:
        """A future of the list of tensors that are written. The thread that waits for it writes them, and calls what follows."""
        if self._future is None:
            self._future = _Arrival(self)
        return self._future

    def _finish(self, result: Any = None, error: BaseException | None = None) -> None:
        self._result, self._error = result, error
        self._done.set()

    def is_completed(self) -> bool:
        """Whether `wait` would return at once."""
        if self._done.is_set() and self._error is None:
            self._hand_out()
        return self._done.is_set()

    def is_success(self) -> bool:
        return self.is_completed() and self._error is None

    def exception(self) -> BaseException | None:
        return self._error

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Waits for the end and writes the results; True. Raises what went wrong.

        timeout: default: the group's.
        """
        if self._group is not None:
            self._group._wait(self._done, self._sequence, timeout)
        if self._error is not None:
            raise self._error
        self._hand_out()
        return True

    synchronize = wait

    def _hand_out(self) -> None:
        """Writes the results into tensors, in the thread that asks for them."""
        with self._lock:
            if not self._handed_out:
                self._handed_out = True
                if self._then is not None:
                    self._then(self._result)
                self._result = None


class _Arrival(Future):
    """The end of a Work."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def _advance(self, wait: bool) -> None:
        if self._is_done or not (wait or self._work.is_completed()):
            return
        try:
            self._work.wait()
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(self._work.results)


class ProcessGroup:
    """Some of the world's processes. ranks: their numbers in the world, in the order of their numbers here."""

    def __init__(self, name: str, ranks: list[int], rank: int, store: TCPStore | None, timeout: timedelta,
                 backend: str, description: str = "undefined") -> None:
        self.group_name, self.group_desc, self.backend = name, description, backend
        self._ranks, self._rank, self._timeout = ranks, ranks.index(rank), timeout
        self._world_store = store
        self._store = PrefixStore(name, store) if store is not None else None
        self._sequence = 0
        self._works: queue.SimpleQueue[tuple[Work, Callable[[], Any]] | None] = queue.SimpleQueue()
        self.failure: str | None = None
        self._engine: Engine | None = None
        self._agreement: Agreement | None = None
        self._is_running = False  # whether the group's thread is in a collective
        self._has_failed = False  # whether a collective has ended with an error of any kind
        self._messages: dict[tuple[int, int, int], int] = {}  # (source, destination, tag) → how many there were
        if store is not None and len(ranks) > 1:
            place = (PrefixStore(name, store), self._rank, len(ranks), store.local_address(), timeout)
            self._engine, self._agreement = Engine(*place), Agreement(*place)
            self._thread = threading.Thread(target=self._work, name=f"collectives of group {name}", daemon=True)
            self._thread.start()
            atexit.register(self._await_thread)

    def rank(self) -> int:
        """This process's number in the group."""
        return self._rank

    def size(self) -> int:
        return len(self._ranks)

    def name(self) -> str:
        """The name of the backend."""
        return self.backend

    def get_group_store(self) -> PrefixStore:
        """The part of the world's store that is this group's."""
        if self._store is None:
            raise RuntimeError("a process group of one process that was made without a store has none")
        return self._store

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.group_name}: rank {self._rank} of {len(self._ranks)}>"

    # ------------------------------------------------------------------ running collectives

    def submit(self, call: Call, body: Callable[[Engine], Any], alone: Callable[[], Any], then: Callable[[Any], None]) -> Work:
        """Runs `body(engine)` in the group's thread, after everybody has said that they call the same. then: what to do
        with the result, when it is waited for. alone: what makes the result in a group of one.
        """
        self._raise_failure()
        self._sequence += 1
        sequence, engine = self._sequence, self._engine
        work = Work(self, then, sequence)
        if engine is None:
            work._finish(alone())
            return work

        def run() -> Any:
            self._is_running = True
            try:
                self._agree(engine, call, sequence)
                return body(engine)
            finally:
                self._is_running = False
        self._works.put((work, run))
        return work

    def _work(self) -> None:
        """The group's thread."""
        assert self._engine is not None and self._agreement is not None
        with self._engine.in_thread(), closing(self._agreement):
            while (item := self._works.get()) is not None:
                work, run = item
                try:
                    self._raise_failure()
                    work._finish(run())
                except DistBackendError as error:
                    self._has_failed = True
                    work._finish(error=DistBackendError(self._report(str(error))))
                except Exception as error:
                    self._has_failed = True
                    work._finish(error=error)

    def _agree(self, engine: Engine, call: Call, sequence: int) -> None:
        """RuntimeError if others call something else."""
        assert self._agreement is not None
        if self._agreement.reached(call.fingerprint()):
            return
        text = np.zeros(_WORDS, np.uint8)
        said = str(call).encode()[:_WORDS]
        text[:len(said)] = np.frombuffer(said, np.uint8)
        calls = [row.tobytes().rstrip(b"\0").decode(errors="replace") for row in engine.all_gather(text)]
        others = "; ".join(f"Rank {self._ranks[rank]} is running collective: {text}" for rank, text in enumerate(calls)
                           if text != calls[0])
        raise RuntimeError(f"Detected mismatch between collectives on ranks, in their call number {sequence}. "
                           f"Rank {self._ranks[0]} is running collective: {calls[0]}, but {others}.")

    # ------------------------------------------------------------------ messages through the store

    def next_message(self, source: int, destination: int, tag: int) -> int:
        """The number of the next message on this way; both ends count."""
        number = self.messages(source, destination, tag) + 1
        self._messages[source, destination, tag] = number
        return number

    def messages(self, source: int, destination: int, tag: int) -> int:
        """How many messages there were on this way."""
        return self._messages.get((source, destination, tag), 0)

    def receive(self, key: str, peer: int, what: str, timeout: timedelta | None = None) -> bytes:
        """Takes the value of `key`, which `peer` will set, out of the group's store."""
        store, look = self.get_group_store(), self.watch(timeout, peer)
        while not self.await_key(key, timeout):
            look(what)
        value = store.get(key)
        store.delete_key(key)
        return value

    def await_key(self, key: str, timeout: timedelta | None = None) -> bool:
        """Whether the key comes before it is time to look for news."""
        seconds = min(_LOOK, (self._timeout if timeout is None else timeout).total_seconds())
        try:
            self.get_group_store().wait([key], timedelta(seconds=seconds))
        except DistStoreError:
            return False
        except DistNetworkError as error:
            raise DistBackendError(self._report(str(error))) from None
        return True

    # ------------------------------------------------------------------ failures

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise DistBackendError(self.failure)

    def _wait(self, done: threading.Event, sequence: int, timeout: timedelta | None = None) -> None:
        """Waits for the group's thread, and for news."""
        look = self.watch(timeout)
        seconds = min(_LOOK, (self._timeout if timeout is None else timeout).total_seconds())
        waiting = False
        while not done.wait(seconds):
            # one who has done its part may end before its last message is read
            if self._lost() and done.wait(_NEWS):
                return
            if not waiting:
                waiting = True
                self._tell(f"waiting in {sequence}: {self._rank}")
            look("a collective to complete", lambda: self._absent(sequence))

    def watch(self, timeout: timedelta | None = None, peer: int | None = None) -> Callable[..., None]:
        """A function to call from time to time while waiting. It raises DistBackendError if somebody is gone (with
        `peer`, a number in the group: that one), or if the time is over; `absent()` then says who is missing."""
        timeout = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + timeout.total_seconds()

        def look(what: str, absent: Callable[[], list[int]] = lambda: []) -> None:
            lost = self._lost()
            if lost and (peer is None or self._ranks[peer] in lost):
                raise DistBackendError(self._report(""))
            if time.monotonic() >= deadline:
                raise DistBackendError(self._report(
                    f"Timed out waiting {round(timeout.total_seconds() * 1000)}ms for {what}", absent()))
        return look

    def _lost(self) -> list[int]:
        """The processes of this group that are gone, as numbers in the world, first the first."""
        assert self._world_store is not None
        try:
            if not self._world_store.check([LOST]):
                return []
            gone = [int(rank) for rank in self._world_store.get(LOST).decode().split()]
        except DistStoreError as error:  # its host is stopped, or out of reach
            raise DistBackendError(self._fail("", str(error))) from None
        except DistNetworkError:
            return [0] if 0 in self._ranks else []
        return [rank for rank in gone if rank in self._ranks and rank != self._ranks[self._rank]]

    def _absent(self, sequence: int) -> list[int]:
        """Who has not come to a collective, by what the others tell while they wait. Asked when time is over."""
        absent = []
        deadline = time.monotonic() + _NEWS
        for rank in range(self.size()):
            left = timedelta(seconds=max(0.0, deadline - time.monotonic()))
            if not self.await_key(f"waiting in {sequence}: {rank}", left):
                absent.append(self._ranks[rank])
        return absent

    def _tell(self, key: str) -> None:
        try:
            self.get_group_store().set(key, b"")
        except DistError:
            pass  # the next look says so

    def _report(self, problem: str, absent: list[int] | None = None) -> str:
        """One sentence for all later errors of this group, naming the ranks that are at fault if they are known."""
        if self.failure is None:
            cause = f"{_ranks(absent)} did not come" if absent else ""
            deadline = time.monotonic() + _NEWS
            while not cause and time.monotonic() < deadline:  # the end of a process may be noted a moment later
                lost = self._lost()
                if lost:
                    cause = f"{_ranks(lost[:1])} is gone: its process has ended. Connection closed by peer"
                else:
                    time.sleep(0.05)
            self._fail(self._first_cause(cause), problem)
        assert self.failure is not None
        return self.failure

    def _fail(self, cause: str, problem: str) -> str:
        self.failure = f"[rank {self._ranks[self._rank]}] process group {self.group_name}: " + "; ".join(filter(None, (cause, problem)))
        return self.failure

    def _first_cause(self, cause: str) -> str:
        """What the first who noticed a failure says: those who raise its error end, and are gone then, too."""
        try:
            store = self.get_group_store()
            store.compare_set("cause", "", cause)
            return store.get("cause").decode()
        except DistError:
            return cause

    def close(self) -> None:
        """Ends the group's thread, once it has done what it was given. If the group has failed, that may take until the end of the program."""
        self._works.put(None)
        if not self._has_failed and not self._is_running and self.failure is None:
            atexit.unregister(self._await_thread)

    def _await_thread(self) -> None:
        """At the end of a program: whoever waits for this process is told. If the group has failed, waits a little for the others to notice.

        The host of the store tells them what happened. Its thread may be in native code, from where it must not come back while the
        interpreter ends; it does when the others end. If they do not, this process ends at once.
        """
        self._works.put(None)
        if self._agreement is not None:
            self._agreement.close()
        deadline = time.monotonic() + _NEWS
        while self._is_running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.await_others()
        if self._is_running:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(1)
        if (self._has_failed or self.failure is not None) and hasattr(signal, "setitimer"):
            # Native threads may wait for processes that are gone, and the rest of the exit for them: no later than this the system ends it
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, _LAST)

    def await_others(self) -> None:
        """If the group has failed: waits a little for the others to notice, where this process hosts the store."""
        deadline = time.monotonic() + _NEWS
        while self.failure is not None and self._is_asked(deadline):
            time.sleep(0.02)

    def _is_asked(self, deadline: float) -> bool:
        """Whether this process hosts the store, and some of the others have not ended, nor is it time to give up."""
        store = self._world_store
        return (isinstance(store, TCPStore) and store.is_host and len(self._lost()) < self.size() - 1
                and time.monotonic() < deadline)


def _ranks(numbers: list[int]) -> str:
    return ("rank " if len(numbers) == 1 else "ranks ") + ", ".join(map(str, numbers))
