"""Results that are still to come: `torch.futures`."""
from __future__ import annotations

import threading
from typing import Any, Callable, Generic, Sequence, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")
S = TypeVar("S")


class Future(Generic[T]):
    """A value that somebody sets once, or an exception in its place. devices: nothing depends on them.

    The future of a collective is completed by the thread that waits for it, or for one of those made of it by `then`.
    """

    def __init__(self, *, devices: Sequence[Any] | None = None) -> None:
        self._changed = threading.Condition()
        self._is_done = False
        self._result: Any = None
        self._error: Exception | None = None
        self._callbacks: list[Callable[[Future[T]], Any]] = []
        self._origin: Future | None = None  # completes this one

    def _advance(self, wait: bool) -> None:
        """Does what the calling thread has to do for the value; `wait`: even if it takes its time."""
        if self._origin is not None:
            self._origin._advance(wait)

    def done(self) -> bool:
        """Whether there is a value or an exception."""
        self._advance(wait=False)
        return self._is_done

    def wait(self) -> T:
        """Waits for the value; raises the exception."""
        self._advance(wait=True)
        with self._changed:
            self._changed.wait_for(lambda: self._is_done)
        return self.value()

    def value(self) -> T:
        """The value, which is there; raises the exception. RuntimeError if there is neither."""
        if not self.done():
            raise RuntimeError("Future.value: there is no value yet; wait() for it")
        if self._error is not None:
            raise self._error
        return self._result

    def then(self, callback: Callable[[Future[T]], S]) -> Future[S]:
        """A future of what callback(this one) returns, called when this one is done. Its exception becomes a RuntimeError."""
        following: Future[S] = Future()
        following._origin = self

        def run(done: Future[T]) -> None:
            try:
                result = callback(done)
            except Exception as error:
                following.set_exception(RuntimeError(f"Got the following error when running the callback: {type(error).__name__}: {error}"))
            else:
                following.set_result(result)
        self.add_done_callback(run)
        return following

    def add_done_callback(self, callback: Callable[[Future[T]], Any]) -> None:
        """Calls callback(this one) when there is a value or an exception; at once if there is."""
        with self._changed:
            if not self._is_done:
                self._callbacks.append(callback)
                return
        callback(self)

    def set_result(self, result: T) -> None:
        """Gives the value. RuntimeError if there is one."""
        self._complete(result, None)

    def set_exception(self, result: Exception) -> None:
        """Gives an exception in the place of a value."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._complete(None, result)

    def _complete(self, result: Any, error: Exception | None) -> None:
        with self._changed:
            if self._is_done:
                raise RuntimeError("Attempting to mark a completed Future as complete again. Note that a Future can only be marked "
                                   "completed once.")
            self._result, self._error, self._is_done = result, error, True
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            callback(self)


class _All(Future):
    """Done when all of several are."""

    def __init__(self, futures: Sequence[Future]) -> None:
        super().__init__()
        self._futures, self._missing, self._counting = list(futures), len(futures), threading.Lock()
        for each in self._futures:
            each.add_done_callback(self._count)
        if not self._futures:
            self.set_result([])

    def _advance(self, wait: bool) -> None:
        for each in self._futures:
            each._advance(wait)

    def _count(self, done: Future) -> None:
        with self._counting:
            self._missing -= 1
            is_last = self._missing == 0
        if is_last:
            self.set_result(self._futures)


def collect_all(futures: list[Future]) -> Future[list[Future]]:
    """A future of all of them, done when they are."""
    return _All(futures)


def wait_all(futures: list[Future]) -> list:
    """Waits for all of them; their values. Raises the first exception, in their order."""
    return [each.wait() for each in collect_all(futures).wait()]
