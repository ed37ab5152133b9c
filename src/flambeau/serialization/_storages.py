"""What a persistent id in a file becomes: a `StoredStorage`, bytes with an element type, to rebuild tensors on."""
from __future__ import annotations

import sys
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor.device import CPU, check_device, device
from ..tensor.placement import moved_value
from ._tensors import make_storage


class StorageClass:
    """`torch.FloatStorage` and its relatives, which occur in files only inside persistent ids. dtype None: untyped."""

    def __init__(self, name: str, dtype: dtypes.dtype | None):
        self.name = name
        self.dtype = dtype


class Memory:
    """The bytes of one storage of a file, and the Storage that all tensors on them share.

    swapped: the elements lie in the other byte order still (they are turned when their size is known).
    shared: other Memory objects show the same bytes. device: where the Storage is put.
    """

    __slots__ = ("bytes", "swapped", "shared", "device", "_storage")

    def __init__(self, data: np.ndarray, swapped: bool = False, shared: bool = False):
        self.bytes = data
        self.swapped = swapped
        self.shared = shared
        self.device = CPU
        self._storage: Any = None

    def storage(self, dtype: dtypes.dtype, shape: tuple[int, ...]) -> Any:
        """The Storage of these bytes. dtype, shape: of the tensor that asks; the first one's become the storage's."""
        if self._storage is None:
            self._storage = make_storage(self.array(dtype), dtype, shape)
            if self.shared and self.device is CPU:
                self.share()
            self._storage.value = moved_value(self._storage.value, self.device)
        return self._storage

    def share(self) -> None:
        """Other storages see these bytes: all of them must write to them in place."""
        self.shared = True
        if self._storage is not None:
            self._storage.pin_forever()

    def array(self, dtype: dtypes.dtype) -> np.ndarray:
        """The bytes as whole elements of `dtype`, without a copy."""
        array = self.bytes[:self.bytes.size // dtype.itemsize * dtype.itemsize].view(dtype.np)
        if self.swapped:
            self.swap(dtype)
        return array

    def swap(self, dtype: dtypes.dtype) -> None:
        """Turns the bytes of each element (of each part of a complex one)."""
        self.swapped = False
        size = dtype.itemsize // (2 if dtype.is_complex else 1)
        self.bytes[:self.bytes.size // size * size].view(f"u{size}").byteswap(inplace=True)


class StoredStorage:
    """A storage as it came out of a file: `memory` as elements of `dtype` (None: untyped bytes).

    It is what `map_location` functions are given, and what a storage that was saved by itself loads as.
    """

    __slots__ = ("memory", "dtype")

    def __init__(self, memory: Memory, dtype: dtypes.dtype | None):
        self.memory = memory
        self.dtype = dtype

    @property
    def device(self) -> device:
        """Where tensors on it will be."""
        return self.memory.device

    def nbytes(self) -> int:
        """Size in bytes."""
        return self.memory.bytes.size

    def size(self) -> int:
        """Number of elements; bytes if untyped."""
        return self.nbytes() // (self.dtype.itemsize if self.dtype else 1)

    __len__ = size

    def to(self, *, device: Any) -> StoredStorage:
        """Itself, put on a device."""
        self.memory.device = check_device(device)
        return self

    def cpu(self) -> StoredStorage:
        """Itself, put on the CPU."""
        return self.to(device=CPU)

    def cuda(self, device: Any = None) -> StoredStorage:
        """Itself, put on a GPU."""
        return self.to(device="cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    def tolist(self) -> list:
        """The elements as Python numbers."""
        dtype = self.dtype or dtypes.uint8
        return dtypes.widen(self.memory.array(dtype), dtype).tolist()

    def __repr__(self) -> str:
        kind = f"dtype={self.dtype}" if self.dtype else "untyped"
        return f"<storage of {self.size()} elements, {kind}, device={self.device}>"


def part_of(stored: StoredStorage, offset: Any, size: Any) -> StoredStorage:
    """`size` elements, from `offset` on, of a storage with a dtype, on the same memory, as PyTorch 0.1 shared them."""
    if type(offset) is not int or type(size) is not int or offset < 0 or size < 0 or offset + size > stored.size():
        raise UnpicklingError("corrupt storage: a view beyond its end")
    if offset == 0 and size == stored.size():
        return stored
    assert stored.dtype is not None
    stored.memory.share()
    itemsize = stored.dtype.itemsize
    return StoredStorage(Memory(stored.memory.bytes[offset * itemsize:(offset + size) * itemsize], shared=True),
                         stored.dtype)


def persistent_storage(pid: Any, lengths: tuple[int, ...]) -> tuple[dtypes.dtype | None, str, str, int, Any]:
    """(dtype, key, location, elements, the rest) of a persistent id ("storage", class, key, location, elements, …)."""
    if not isinstance(pid, tuple) or len(pid) not in lengths:
        raise UnpicklingError("persistent id must be a tuple of five or six parts")
    kind, cls, key, location, size = (p.decode("latin1") if isinstance(p, bytes) else p for p in pid[:5])
    if kind != "storage":
        raise UnpicklingError(f"Unknown typename for persistent_load, expected 'storage' but got {kind!r:.40}")
    if not isinstance(cls, StorageClass):
        raise UnpicklingError(f"corrupt storage: {cls!r:.80} is no storage class")
    if not isinstance(key, str) or not isinstance(location, str) or type(size) is not int or size < 0:
        raise UnpicklingError("corrupt storage: its key, location or size is of the wrong type")
    return cls.dtype, key, location, size, pid[5:]


def other_byte_order(order: str) -> bool:
    """Whether data in this byte order, "little" or "big", must be turned here. RuntimeError for any other word."""
    if order not in ("little", "big"):
        raise RuntimeError(f"Unknown endianness type: {order[:20]!r}")
    return order != sys.byteorder
