"""`torch.storage`: the memory behind tensors as one-dimensional sequences, of bytes or of elements."""
from __future__ import annotations

from typing import Any

import numpy as np

from .autograd import no_grad
from .dtypes import dtype as dtype_class, uint8
from .tensor.device import CPU, check_device
from .tensor.memory import is_shared, share_memory_
from .tensor.placement import device_of, moved_value
from .tensor.storage import Storage
from .tensor.tensor import Tensor, View

__all__ = ["TypedStorage", "UntypedStorage"]


class _Memory:
    """The whole of a storage, read as elements of `dtype`. Changes are seen by all tensors on it."""

    __slots__ = ("_flat",)
    _of: Any  # the same kind of handle, on another storage

    def __init__(self, storage: Storage, dtype: dtype_class):
        n = storage.value.type.nbytes // dtype.itemsize
        flat = object.__new__(Tensor)
        flat._storage, flat._view = storage, View((n,), (1,), 0, dtype, None, False, storage.version)
        flat._node, flat._nr = None, 0
        self._flat = flat

    @property
    def device(self) -> Any:
        """Where the memory lies."""
        return device_of(self._flat)

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is a GPU's."""
        return self.device.type == "cuda"

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._flat.shape[0] * self._flat.dtype.itemsize

    def size(self) -> int:
        """The number of elements."""
        return self._flat.shape[0]

    def __len__(self) -> int:
        return self._flat.shape[0]

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._flat.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of the memory, until it is next written to."""
        return self._flat.data_ptr()  # type: ignore[attr-defined]

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return self._flat.tolist()  # type: ignore[attr-defined]

    def __iter__(self):
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.tolist()[index]
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return self._flat[index].item()  # type: ignore[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        with no_grad():
            self._flat[index] = value  # type: ignore[index]

    def fill_(self, value: Any) -> Any:
        """Writes value to all elements."""
        with no_grad():
            self._flat.fill_(value)  # type: ignore[attr-defined]
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> Any:
        """Copies the elements of another storage of this size."""
        with no_grad():
            self._flat.copy_(source._flat)  # type: ignore[attr-defined]
        return self

    def is_shared(self) -> bool:
        """Whether forked processes share the memory."""
        return is_shared(self._flat)

    def share_memory_(self) -> Any:
        """Moves the elements to memory that forked processes share."""
        share_memory_(self._flat)
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """False."""
        return False

    def cpu(self) -> Any:
        """A copy on the CPU; itself if it is there."""
        return self.to(device=CPU)

    def cuda(self, device: Any = None) -> Any:
        """A copy on a GPU; itself if it is there."""
        return self.to(device="cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    def to(self, *, device: Any) -> Any:
        """A copy on a device; itself if it is there."""
        where = check_device(device)
        return self if self.device is where else self._of(Storage(moved_value(self._flat._storage.value, where)))

    def _copy(self) -> Storage:
        return self._flat.clone()._storage  # type: ignore[attr-defined]


class UntypedStorage(_Memory):
    """Bytes: `tensor.untyped_storage()`, or UntypedStorage(n) for n bytes of zeros."""

    __slots__ = ()

    def __init__(self, size: int | Storage = 0):
        if not isinstance(size, Storage):
            from .ops.creation import filled
            size = filled((size,), 0, uint8)._storage
        super().__init__(size, uint8)

    @staticmethod
    def from_file(filename: str, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """The first bytes of a file, mapped to memory. shared: changes are written to the file, which is made if it is
        missing; otherwise they stay in memory."""
        from .ops.from_data import from_file
        return UntypedStorage(from_file(filename, shared, nbytes, dtype=uint8)._storage)

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def __getitem__(self, index: Any) -> Any:
        """A byte as a number; for a slice, a storage on this part of the memory."""
        if not isinstance(index, slice):
            return super().__getitem__(index)
        begin, end, step = index.indices(len(self))
        if step != 1:
            raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
        whole = self._flat._storage
        whole.pin_forever()  # from now on both are written in place
        return self._of(Storage.adopt(whole.flat().view(np.uint8)[begin:end], uint8))

    def _of(self, storage: Storage) -> UntypedStorage:
        return UntypedStorage(storage)

    def clone(self) -> UntypedStorage:
        """A copy."""
        return self._of(self._copy())

    def __repr__(self) -> str:
        return "".join(f" {x}\n" for x in self.tolist()) + f"[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


class TypedStorage(_Memory):
    """Elements of a dtype: `tensor.storage()`. Deprecated in PyTorch in favour of `UntypedStorage`."""

    __slots__ = ()

    def __init__(self, *, wrap_storage: UntypedStorage, dtype: dtype_class):
        super().__init__(wrap_storage._flat._storage, dtype)

    @property
    def dtype(self) -> dtype_class:
        """The element type."""
        return self._flat.dtype

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._flat._storage)

    def _of(self, storage: Storage) -> TypedStorage:
        return TypedStorage(wrap_storage=UntypedStorage(storage), dtype=self.dtype)

    def clone(self) -> TypedStorage:
        """A copy."""
        return self._of(self._copy())

    def __repr__(self) -> str:
        return "".join(f" {x}\n" for x in self.tolist()) + (f"[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size "
                                                            f"{len(self)}]")
