"""The format before PyTorch 1.6: five pickles in a row, then the bytes of each storage.

    magic number | protocol version 1001 | {protocol_version, little_endian, type_sizes} | the object | [storage keys]
    then for each key, in that order: number of elements (int64), elements

Storages in the object are persistent ids ("storage", class, key, location, elements, view), view being None or (key
of the view, offset, elements) in files of PyTorch 0.1; ("module", class, source file, source) says with which source
code a whole module was saved.
"""
from __future__ import annotations

import io
import pickle
import struct
import sys
from typing import Any, Callable

import numpy as np

from .. import dtypes
from ._options import LoadEndianness, options
from ._pickler import StorageKeys, pickler_class
from ._memory import memory_to_fill
from ._source import Source
from ._storages import Memory, StoredStorage, other_byte_order, part_of, persistent_storage

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_ENDS_EARLY = "unexpected EOF. The file might be corrupted: it ends before its tensors' data do"
_TYPE_SIZES = {"short": 2, "int": 4, "long": 4}


class _LegacyKeys(StorageKeys):
    """Persistent ids as the legacy format writes them, with a sixth part for views, which no longer occur."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[str, int] = {}  # in elements of the class that the persistent id names

    def persistent_id(self, storage: Any, dtype: dtypes.dtype | None) -> tuple:
        pid = super().persistent_id(storage, dtype)
        self.sizes[pid[2]] = pid[4]
        return *pid, None


def save(obj: Any, stream: Any, pickle_module: Any, protocol: int) -> None:
    """Writes the legacy format."""
    keys = _LegacyKeys()
    pickled = io.BytesIO()
    pickler_class(pickle_module)(pickled, keys, protocol).dump(obj)
    system = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": _TYPE_SIZES,
    }
    for head in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        stream.write(pickle.dumps(head, protocol))
    stream.write(pickled.getbuffer())
    stream.write(pickle.dumps(sorted(keys.stored), protocol))
    for key in sorted(keys.stored):
        stream.write(struct.pack("=q", keys.sizes[key]))
        stream.write(memoryview(keys.stored[key][1].view(np.uint8)))


class LegacyReader:
    """Reads a legacy file.

    run_pickle(data, position, load_persistent) -> (object, position behind it) reads one pickle.
    restore(storage, location) puts a storage where it belongs.
    """

    def __init__(self, source: Source, run_pickle: Callable[..., tuple[Any, int]], restore: Callable[[Any, str], Any]):
        self.source = source
        self.run_pickle = run_pickle
        self.restore = restore
        self.swapped = False
        self.memories: dict[str, tuple[Memory, dtypes.dtype]] = {}
        self.storages: dict[str, StoredStorage] = {}
        self.allocated = 0

    def read(self) -> Any:
        """The object, with all data read. RuntimeError or UnpicklingError if the file is damaged."""
        window = self.source.window()
        position = 0
        magic, position = self.run_pickle(window, position, None)
        if magic != MAGIC_NUMBER:
            raise RuntimeError("Invalid magic number; corrupt file?")
        version, position = self.run_pickle(window, position, None)
        if version != PROTOCOL_VERSION:
            raise RuntimeError(f"Invalid protocol version: {version!r:.40}")
        system, position = self.run_pickle(window, position, None)
        little = system.get("little_endian", True) if isinstance(system, dict) else True
        self.swapped = other_byte_order("little" if little else "big")
        result, position = self.run_pickle(window, position, self._persistent)
        keys, position = self.run_pickle(window, position, None)
        self._read_storages(keys, position, little)
        return result

    def _persistent(self, pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] in ("module", b"module"):
            return pid[1]  # its source code is not compared: what runs is today's
        dtype, key, location, size, view = persistent_storage(pid, (5, 6))
        stored = self._storage(key, dtype or dtypes.uint8, location, size)
        if not view or view[0] is None:
            return stored
        _, offset, elements = view[0]
        return part_of(stored, offset, elements)

    def _storage(self, key: str, dtype: dtypes.dtype, location: str, size: int) -> StoredStorage:
        """The storage of a key; its data, which come later in the file, are read into it then."""
        found = self.storages.get(key)
        if found is None:
            self.allocated += size * dtype.itemsize
            if self.allocated > self.source.size:
                raise RuntimeError(
                    f"corrupt file: its storages would need {self.allocated} bytes, the whole file has "
                    f"{self.source.size}"
                )
            memory = Memory(memory_to_fill(size * dtype.itemsize))
            self.memories[key] = (memory, dtype)
            found = self.storages[key] = self.restore(StoredStorage(memory, dtype), location)
        return found

    def _read_storages(self, keys: Any, position: int, little: bool) -> None:
        """Fills the storages that the object refers to. Every key must have its data, every datum its key."""
        if not isinstance(keys, list):
            raise RuntimeError("corrupt file: the list of storages is missing")
        names = [k.decode("ascii") if isinstance(k, bytes) else k for k in keys]
        if not all(isinstance(name, str) for name in names) or sorted(names) != sorted(self.memories):
            raise RuntimeError("corrupt file: the list of storages does not fit the object")
        for name in names:
            memory, dtype = self.memories[name]
            head = self.source.read(position, 8)
            if len(head) < 8:
                raise RuntimeError(_ENDS_EARLY)
            size = struct.unpack("<q" if little else ">q", head)[0]
            if size * dtype.itemsize != memory.bytes.size:
                raise RuntimeError(
                    f"corrupt file: storage has wrong byte size: expected {memory.bytes.size} got "
                    f"{size * dtype.itemsize}"
                )
            position += 8
            if options.skip_data:
                memory.bytes[:] = 0
            else:
                try:
                    self.source.read_into(position, memory.bytes)
                except EOFError:
                    raise RuntimeError(_ENDS_EARLY) from None
            position += memory.bytes.size
            if self.swapped:
                memory.swap(dtype)


def assumed_byte_order() -> str:
    """Of a file that does not say: what `set_default_load_endianness` said, else this machine's."""
    if options.endianness in (None, LoadEndianness.NATIVE):
        return sys.byteorder
    return "little" if options.endianness is LoadEndianness.LITTLE else "big"
