"""The first format, of early releases of PyTorch 0.1: a tar file of three members. What is pickled is in brackets.

    storages | <n> | n times: <(key, location, class)>, number of elements, elements
             | <[(key of a part, key of the whole, offset, elements)]>
    tensors  | <n> | n times: <(key, key of the storage, class)>, dimensions (int32), 4 bytes, shape, strides, offset
    pickle   | <the object>, in which persistent ids are keys of tensors, or (class, source file, source)

Keys are integers, as text in persistent ids. Numbers are int64, little-endian as the elements.
"""
from __future__ import annotations

import struct
import sys
from pickle import UnpicklingError
from typing import Any, Callable, NamedTuple

from .. import dtypes
from ._allowlist import WeightsOnly
from ._machine import PickleMachine
from ._options import options
from ._rebuild import MAX_DIMENSIONS, rebuild_tensor
from ._memory import memory_to_fill
from ._source import Source
from ._storages import Memory, StorageClass, StoredStorage, part_of

_BLOCK = 512  # bytes; headers have one, data are padded to whole ones
_SMALL = 4096  # bytes that the pickle of a table's entry may have
_PLAIN_FILE = (b"0", b"\0")


class StoredData(NamedTuple):
    """A storage of the file. position: of its elements in the file; size: elements."""

    dtype: dtypes.dtype
    location: str
    position: int
    size: int


class Part(NamedTuple):
    """A storage that is a part of another one, from element `offset` on."""

    whole: int
    offset: int
    size: int


class Geometry(NamedTuple):
    """A tensor of the file."""

    storage: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Tables(NamedTuple):
    """What the file says of its storages and tensors, by key; `pickle`: where the object begins."""

    members: dict[str, tuple[int, int]]
    storages: dict[int, StoredData]
    parts: dict[int, Part]
    tensors: dict[int, Geometry]
    pickle: int


def is_tar(source: Source) -> bool:
    """Whether the source is a tar file."""
    return source.read(257, 5) == b"ustar"


class TarReader:
    """Reads a tar file. run_pickle and restore are those of `LegacyReader`."""

    def __init__(self, source: Source, run_pickle: Callable[..., tuple[Any, int]], restore: Callable[[Any, str], Any]):
        self.source = source
        self.run_pickle = run_pickle
        self.restore = restore

    def read(self) -> Any:
        """The object. RuntimeError or UnpicklingError if the file is damaged or none of PyTorch's."""
        window = self.source.window()
        tables = read_tables(self.source, window)
        storages = {key: self._storage(data) for key, data in tables.storages.items()}
        for key, part in tables.parts.items():
            storages[key] = part_of(look_up(storages, part.whole), part.offset, part.size)
        tensors = {key: rebuild_tensor(look_up(storages, t.storage), t.offset, t.shape, t.strides)
                   for key, t in tables.tensors.items()}
        return self.run_pickle(window, tables.pickle, lambda pid: find_persistent(tensors, pid))[0]

    def _storage(self, data: StoredData) -> StoredStorage:
        array = memory_to_fill(data.size * data.dtype.itemsize)
        if options.skip_data:
            array[:] = 0
        else:
            self.source.read_into(data.position, array)
        return self.restore(StoredStorage(Memory(array, swapped=sys.byteorder == "big"), data.dtype), data.location)


def find_persistent(tensors: dict[int, Any], pid: Any) -> Any:
    """What a persistent id stands for: one of the tensors, or a class, whose source code is not compared."""
    if isinstance(pid, tuple) and len(pid) == 3:
        return pid[0]
    pid = pid.decode("latin1") if isinstance(pid, bytes) else pid
    if not isinstance(pid, (int, str)) or not str(pid).isdecimal():
        raise UnpicklingError("corrupt file: a persistent id that is no tensor's key")
    return look_up(tensors, int(pid))


def look_up(table: dict[int, Any], key: int) -> Any:
    """The entry of a key; RuntimeError if there is none."""
    if key not in table:
        raise RuntimeError(f"corrupt file: it has no storage or tensor of the key {key}")
    return table[key]


# ------------------------------------------------------------------ tables

def read_tables(source: Source, window: Any) -> Tables:
    """Everything but the object and the elements. window: the source's bytes."""
    members = _members(source)
    missing = {"storages", "tensors", "pickle"} - members.keys()
    if missing:
        raise RuntimeError(f"this tar file was not made by torch.save: it has no member {min(missing)!r}")
    storages, parts = _read_storages(_Cursor(window, *members["storages"]))
    tensors = _read_tensors(_Cursor(window, *members["tensors"]))
    return Tables(members, storages, parts, tensors, members["pickle"][0])


def _members(source: Source) -> dict[str, tuple[int, int]]:
    """Where the data of each plain file begin and end."""
    found: dict[str, tuple[int, int]] = {}
    at = 0
    while (header := source.read(at, _BLOCK)).strip(b"\0"):
        name = header[:100].rstrip(b"\0").decode("latin1")
        digits = header[124:136].strip(b"\0 ") or b"0"
        if len(header) < _BLOCK or not digits.isdigit() or b"8" in digits or b"9" in digits:
            raise RuntimeError(f"corrupt tar file: a damaged header at byte {at}")
        begin = at + _BLOCK
        end = begin + int(digits, 8)
        if end > source.size:
            raise RuntimeError(f"corrupt tar file: its member {name!r} reaches beyond the end of the file")
        if header[156:157] in _PLAIN_FILE:
            found[name] = begin, end
        at = begin + -(-(end - begin) // _BLOCK) * _BLOCK
    return found


class _Cursor:
    """Reads pickles and numbers of a member one after the other. The pickles of tables are plain data."""

    def __init__(self, window: Any, begin: int, end: int):
        self.window = window
        self.at = begin
        self.end = end

    def pickle(self, limit: int = _SMALL) -> Any:
        self._need(1)
        machine = PickleMachine(self.window, WeightsOnly(), self.at, encoding="latin1",
                                end=min(self.end, self.at + limit), free=0)
        found = machine.run()
        self.at = machine.position
        return found

    def count(self) -> int:
        n = self.pickle()
        if type(n) is not int or n < 0:
            raise RuntimeError("corrupt file: the number of its storages or tensors is no number")
        return n

    def numbers(self, layout: str) -> tuple[int, ...]:
        size = struct.calcsize(layout)
        return struct.unpack(layout, self.window[self.skip(size):self.at])

    def skip(self, nbytes: int) -> int:
        """Goes on behind so many bytes; where they begin."""
        self._need(nbytes)
        self.at += nbytes
        return self.at - nbytes

    def _need(self, nbytes: int) -> None:
        if not 0 <= nbytes <= self.end - self.at:
            raise RuntimeError("corrupt file: a member ends before its data do")


def _read_storages(cursor: _Cursor) -> tuple[dict[int, StoredData], dict[int, Part]]:
    storages: dict[int, StoredData] = {}
    for _ in range(cursor.count()):
        entry = cursor.pickle()
        if not _is_entry(entry, (int, str, StorageClass)) or entry[2].dtype is None:
            raise RuntimeError("corrupt file: an entry in its table of storages is of the wrong type")
        key, location, kind = entry
        (size,) = cursor.numbers("<q")
        storages[key] = StoredData(kind.dtype, location, cursor.skip(size * kind.dtype.itemsize), size)
    entries = cursor.pickle(limit=cursor.end)
    if not isinstance(entries, list) or not all(_is_entry(entry, (int, int, int, int)) for entry in entries):
        raise RuntimeError("corrupt file: its table of parts of storages is of the wrong type")
    return storages, {key: Part(*part) for key, *part in entries}


def _read_tensors(cursor: _Cursor) -> dict[int, Geometry]:
    tensors: dict[int, Geometry] = {}
    for _ in range(cursor.count()):
        entry = cursor.pickle()
        dimensions, _unused = cursor.numbers("<ii")
        if not _is_entry(entry, (int, int, type)) or not 0 <= dimensions <= MAX_DIMENSIONS:
            raise RuntimeError("corrupt file: an entry in its table of tensors is of the wrong type")
        shape, strides = (cursor.numbers(f"<{dimensions}q") for _ in range(2))
        offset, = cursor.numbers("<q")
        tensors[entry[0]] = Geometry(entry[1], offset, shape, strides)
    return tensors


def _is_entry(entry: Any, types: tuple[type, ...]) -> bool:
    return isinstance(entry, tuple) and len(entry) == len(types) and all(map(isinstance, entry, types))
