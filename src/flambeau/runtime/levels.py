"""The thread's running function transformations (`vmap`, forward and reverse mode). Read `transform.py` next."""
from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Iterator


class _Stack(threading.local):
    def __init__(self) -> None:
        self.levels: list[Any] = []


_stack = _Stack()


def running() -> list[Any]:
    """The running transformations, the innermost last: `transform.Level`s, and `tensor.transforms.ReverseLevel`s."""
    return _stack.levels


@contextmanager
def outside() -> Iterator[None]:
    """Inside, no transformation is running."""
    levels, _stack.levels = _stack.levels, []
    try:
        yield
    finally:
        _stack.levels = levels
