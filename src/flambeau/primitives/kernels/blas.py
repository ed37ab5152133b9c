"""NumPy's BLAS on one thread for products that are too small to share out.

OpenBLAS's threads wait for each other by spinning. On a machine with other work that takes many times as long as the
product itself; for a small one they cost more than they bring even on an idle machine.
"""
from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from functools import lru_cache
from typing import Callable, Iterator

import numpy as np

SMALL = 1 << 27  # multiplications: some milliseconds on one thread


@lru_cache(None)
def _threads() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """OpenBLAS's (get, set) number of threads, from the library in NumPy's wheel; None where there is another BLAS."""
    import glob
    home = os.path.dirname(np.__file__)
    for path in glob.glob(os.path.join(home, os.pardir, "numpy.libs", "*openblas*")) + glob.glob(os.path.join(home, ".dylibs", "*openblas*")):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads"):
            try:
                return library[name.format("get")], library[name.format("set")]  # type: ignore[return-value]
            except AttributeError:
                continue
    return None


@contextmanager
def threads_for(multiplications: int) -> Iterator[None]:
    """Inside, NumPy's products run on the calling thread if they are small."""
    threads = _threads() if multiplications < SMALL else None
    before = 1 if threads is None else threads[0]()
    if before == 1:
        yield
        return
    threads[1](1)  # type: ignore[index]
    try:
        yield
    finally:
        threads[1](before)  # type: ignore[index]
