"""Contexts that take part in this thread's calls of operations, as selective checkpointing does."""
from __future__ import annotations

import threading
from typing import Any, Callable

from .autocast import active


class Interceptor:
    """A context inside which `call` runs every call of a recorded operation; of several the innermost counts."""

    def __enter__(self) -> Any:
        _stack.entered.append(self)
        active.append(self)  # type: ignore[arg-type]  # calls leave the recorder's fast path
        return self

    def __exit__(self, *args: object) -> None:
        _stack.entered.remove(self)
        active.remove(self)  # type: ignore[arg-type]

    def call(self, op: Any, spec: Any, args: tuple, run: Callable[[Callable], list]) -> list:
        """The results of a call of `op` with the arguments args. run(record) makes it, with `record(specialization, operands)`,
        which gives the values of the results, in place of the trace's."""
        raise NotImplementedError


class _Stack(threading.local):
    """The interceptors that this thread is inside of, the innermost last."""

    def __init__(self) -> None:
        self.entered: list[Interceptor] = []


_stack = _Stack()


def current() -> Interceptor | None:
    """Who takes part in this thread's calls."""
    return _stack.entered[-1] if _stack.entered else None
