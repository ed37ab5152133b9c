"""Memory that compiled programs have in common: the arena for what lies between a program's steps.

Programs of a thread run one after the other, so they share one arena, as large as the largest needs. A program that meets
another arena than at its last run writes the new addresses into its table (`CompiledProgram.settle`).
"""
from __future__ import annotations

import ctypes
import itertools
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Iterator

import numpy as np

from .memory import ALIGNMENT

LARGE = 1 << 24  # bytes of an arena before which free memory is given back to the system

_serials = itertools.count(1)


@lru_cache(None)
def _trim() -> Any:
    """glibc's function that does it; None where there is none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def give_back() -> None:
    """Gives back to the system what runs of the interpreter and the compiler have left in the allocator's hands: it keeps freed
    arrays, in case that as many come again, which they do not once a program is compiled."""
    trim = _trim()
    if trim is not None:
        trim(0)


class Arena(threading.local):
    """A thread's arena. base: its address, a multiple of ALIGNMENT. size: in bytes. serial: a number that no other memory has had."""

    def __init__(self) -> None:
        self.renew(0)

    def renew(self, size: int) -> None:
        if size >= LARGE:
            give_back()
        self._memory = np.empty(size + ALIGNMENT, np.uint8)
        self.base = -(-self._memory.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.size, self.serial = size, next(_serials)

    def reserve(self, size: int) -> None:
        """Makes it at least so large; what lies in it may be lost."""
        if size > self.size:
            self.renew(size)

    def view(self, offset: int, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
        """The array that begins at `offset`."""
        start = self.base - self._memory.ctypes.data + offset
        count = int(np.prod(shape, dtype=np.int64))
        return self._memory[start:start + count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Inside, programs have another arena: for Python that runs amid a program, and may run one."""
        mine = dict(vars(self))
        self.renew(0)
        try:
            yield
        finally:
            vars(self).update(mine)


arena = Arena()
