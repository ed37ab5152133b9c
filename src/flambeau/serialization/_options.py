"""The switches of torch.serialization: byte order of old files, checksums, memory maps, and `skip_data`."""
from __future__ import annotations

import enum
import mmap
import threading
from typing import Any


class LoadEndianness(enum.Enum):
    """Byte order that `load` assumes of a file that does not say its own (written before PyTorch 2.1)."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


class SourceChangeWarning(Warning):
    """A whole module in a legacy file was saved with source code that differs from today's."""


class _Options:
    """The process's switches; `skip_data` is per thread, because it is a block of one thread's program."""

    endianness: LoadEndianness | None = None
    compute_crc32 = True
    mmap_flags = getattr(mmap, "MAP_PRIVATE", 2)
    _thread = threading.local()

    @property
    def maps_are_shared(self) -> bool:
        return self.mmap_flags == getattr(mmap, "MAP_SHARED", 1)

    @property
    def skip_data(self) -> bool:
        return getattr(self._thread, "skip_data", False)

    @skip_data.setter
    def skip_data(self, value: bool) -> None:
        self._thread.skip_data = value


options = _Options()


def get_default_load_endianness() -> LoadEndianness | None:
    """The byte order set by `set_default_load_endianness`; None means this machine's."""
    return options.endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Sets the byte order of files that do not say theirs."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    options.endianness = endianness


def get_crc32_options() -> bool:
    """Whether `save` writes the checksums of the zip records."""
    return options.compute_crc32


def set_crc32_options(compute_crc32: bool) -> None:
    """False makes `save` write 0 for each checksum; flambeau and PyTorch read such files, zip programs complain."""
    options.compute_crc32 = bool(compute_crc32)


def get_default_mmap_options() -> int:
    """The flags of `load(mmap=True)`: mmap.MAP_PRIVATE unless changed."""
    return options.mmap_flags


class set_default_mmap_options:
    """Sets the flags of `load(mmap=True)`, for good or, as a context manager, for the block.

    flags: mmap.MAP_PRIVATE (writes to loaded tensors stay in memory) or mmap.MAP_SHARED (they go to the file).
    Raises ValueError for any other value.
    """

    def __init__(self, flags: int) -> None:
        if flags not in (getattr(mmap, "MAP_PRIVATE", 2), getattr(mmap, "MAP_SHARED", 1)):
            raise ValueError(
                f"Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, "
                f"but got {flags}"
            )
        self.previous = options.mmap_flags
        options.mmap_flags = flags

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        options.mmap_flags = self.previous


class skip_data:
    """Inside this context `save` leaves the space of the tensors' data empty, and `load` does not read it (zeros).

    The file has its right size and layout, so that the data can be written into it later. materialize_fake_tensors
    belongs to PyTorch's fake tensors, which do not exist here: True raises ValueError.
    """

    def __init__(self, materialize_fake_tensors: bool = False):
        if materialize_fake_tensors:
            raise ValueError("materialize_fake_tensors: there are no fake tensors here")
        self.previous = False

    def __enter__(self) -> None:
        self.previous = options.skip_data
        options.skip_data = True

    def __exit__(self, type: Any, value: Any, tb: Any) -> None:
        options.skip_data = self.previous
