"""Memory for what a file holds: large arrays that will be filled at once."""
from __future__ import annotations

import mmap
import os
import weakref

import numpy as np

_OWN_PAGES = 1 << 20  # bytes; smaller arrays come from memory that is in use already
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # Linux has it


def memory_to_fill(nbytes: int) -> np.ndarray:
    """A new array of bytes that will be written at once. What it contains is arbitrary.

    The system hands its pages out in one go. Touched one by one they cost as much as the reading, and as NumPy's huge
    pages, which want memory in long runs, sometimes many times as much. Pages of an array that is gone serve the next one
    of its size: who loads in a loop pays for them once.
    """
    if nbytes < _OWN_PAGES or not _POPULATE:
        return np.empty(nbytes, np.uint8)
    pages = _spare.take(nbytes) or mmap.mmap(-1, nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _POPULATE)
    array = np.frombuffer(pages, np.uint8)
    weakref.finalize(array, _spare.put, pages).atexit = False  # views of the array keep it alive
    return array


class SparePages:
    """Maps that nobody uses, kept for arrays of their sizes as `malloc` keeps what was freed: `limit` bytes at most.

    A request for a size that is not there gives as many bytes back to the system, so what is used and what is kept are
    together no more than what was used at once. There is no lock, as a garbage collection may put from within any method:
    adding a map to a list or taking one is a single step.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._maps: dict[int, list[mmap.mmap]] = {}

    @property
    def nbytes(self) -> int:
        return sum(size * len(maps) for size, maps in list(self._maps.items()))

    def take(self, nbytes: int) -> mmap.mmap | None:
        """A map of nbytes bytes, or None."""
        try:
            return self._maps[nbytes].pop()
        except LookupError:
            self._release(nbytes)
            return None

    def put(self, pages: mmap.mmap) -> None:
        """Keeps a map, if there is room."""
        if self.nbytes + len(pages) <= self.limit:
            self._maps.setdefault(len(pages), []).append(pages)

    def _release(self, nbytes: int) -> None:
        """Gives nbytes bytes back to the system, or all there are."""
        for size, maps in list(self._maps.items()):
            while nbytes > 0:
                try:
                    maps.pop()
                except IndexError:  # none, or another thread has taken it
                    break
                nbytes -= size


def _physical_memory() -> int:
    """In bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0


_spare = SparePages(_physical_memory() // 8)
