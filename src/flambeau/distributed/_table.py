"""The table behind the stores: bytes by key, for several threads, with waiting."""
from __future__ import annotations

import threading
import time
from typing import Callable, Sequence


class Table:
    """What a store holds. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._changed = threading.Condition()

    def set(self, key: bytes, value: bytes) -> None:
        self._replace(key, lambda old: value)

    def append(self, key: bytes, value: bytes) -> None:
        self._replace(key, lambda old: (old or b"") + value)

    def add(self, key: bytes, amount: int) -> int:
        """Adds to a number that is written in decimal digits; the sum."""
        return int(self._replace(key, lambda old: b"%d" % (int(old or 0) + amount)))

    def compare_set(self, key: bytes, expected: bytes, desired: bytes) -> bytes:
        """Sets what equals `expected` (or is missing, and b"" is expected); what is there afterwards."""
        with self._changed:
            old = self._entries.get(key)
            if old is None and expected:
                return expected
            return self._replace(key, lambda old: desired) if (old or b"") == expected else old or b""

    def _replace(self, key: bytes, update: Callable[[bytes | None], bytes]) -> bytes:
        with self._changed:
            new = self._entries[key] = update(self._entries.get(key))
            self._changed.notify_all()
            return new

    def delete(self, key: bytes) -> bool:
        with self._changed:
            return self._entries.pop(key, None) is not None

    def wait(self, keys: Sequence[bytes], seconds: float) -> bool:
        """Waits until all keys are there; False if they are not in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self.check(keys):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return self.check(keys)
            return True

    def check(self, keys: Sequence[bytes]) -> bool:
        with self._changed:
            return all(key in self._entries for key in keys)

    def get(self, key: bytes) -> bytes | None:
        with self._changed:
            return self._entries.get(key)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> dict[bytes, bytes]:
        """A copy of all entries."""
        with self._changed:
            return dict(self._entries)

    def replace_all(self, entries: dict[bytes, bytes]) -> None:
        with self._changed:
            self._entries = entries
