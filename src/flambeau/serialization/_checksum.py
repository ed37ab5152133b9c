"""CRC-32 of large buffers beside the reading or writing of them: zlib and the file calls both release the GIL."""
from __future__ import annotations

import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

ASIDE = 1 << 20  # bytes; smaller buffers are not worth handing to a thread
CHUNK = 1 << 24  # bytes read before their checksum is begun


class Checksum:
    """A thread that computes checksums while its owner does input and output. Use as a context manager."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Checksum:
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def begin(self, buffer: Any) -> Running:
        """Starts the checksum of a buffer."""
        running = Running(self)
        running.update(buffer)
        return running

    def submit(self, function: Any, *args: Any) -> Future:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "flambeau-crc32")
        return self._thread.submit(function, *args)


class Running:
    """One checksum under way; `update` adds a buffer, `result` waits for the number."""

    def __init__(self, owner: Checksum):
        self._owner = owner
        self._value = 0
        self._pending: Future | None = None

    def update(self, buffer: Any) -> None:
        if self._pending is None and len(buffer) < ASIDE:
            self._value = zlib.crc32(buffer, self._value)
        else:  # the one thread takes its tasks in order, so this one finds the last one's value
            self._pending = self._owner.submit(self._add, buffer)

    def _add(self, buffer: Any) -> None:
        self._value = zlib.crc32(buffer, self._value)

    def result(self) -> int:
        if self._pending is not None:
            self._pending.result()
        return self._value
