"""Where a tensor's memory lies, and access to its elements from Python."""
from __future__ import annotations

import mmap
from typing import Any, Callable

import numpy as np

from ..addresses import address_of
from ..dtypes import from_numpy_dtype, narrow
from ..runtime.trace import Value
from .attributes import host_array
from .device import META
from .layout import strided
from .placement import device_of
from .tensor import Tensor, alias
from .write import assign, check_writable


def data_ptr(self: Tensor) -> int:
    """The address of the first element (0 if there is none), until the tensor is next written to."""
    if not self._storage.value.type.size or device_of(self) is META:
        return 0
    return address_of(self._storage.value.array()) + self._geometry()[2] * self.dtype.itemsize


def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the slowest to the fastest in memory."""
    shape, strides, _ = self._geometry()
    return tuple(sorted(range(len(shape)), key=lambda d: (-strides[d], -shape[d], d)))


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same view of the same memory."""
    return self._storage is tensor._storage and self._geometry() == tensor._geometry() and self.dtype is tensor.dtype


def set_(self: Tensor, source: Tensor | None = None, storage_offset: int | None = None, size: Any = None, stride: Any = None) -> Tensor:
    """Makes self a view of source's memory: source itself, or the given offset, sizes and strides in it."""
    if source is None:
        from ..ops.creation import filled
        source = filled((0,), 0, self.dtype)
    if not isinstance(source, Tensor):
        raise TypeError(f"set_(): argument 'source' (position 1) must be Tensor, not {type(source).__name__}")
    if source.dtype is not self.dtype:
        raise RuntimeError(f"Could not set tensor of type {source.dtype.name} to a tensor of type {self.dtype.name}")
    if size is not None or storage_offset is not None:
        shape = tuple(size if size is not None else source.shape)
        from ..ir.types import contiguous_strides
        source = source.detach().as_strided(shape, tuple(stride) if stride is not None else contiguous_strides(shape),  # type: ignore
                                            storage_offset or 0)
    plain = alias(source)
    self._storage, self._view = plain._storage, plain._view
    return self


def untyped_storage(self: Tensor) -> Any:
    """The memory that this tensor is a view of, as bytes."""
    from ..storage import UntypedStorage
    return UntypedStorage(self._storage)


def storage(self: Tensor) -> Any:
    """The memory that this tensor is a view of, as elements of its dtype. Deprecated in PyTorch."""
    from ..storage import TypedStorage
    from ..warning import warn_once
    warn_once("TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. This should "
              "only matter to you if you are using storages directly.  To access UntypedStorage directly, use tensor.untyped_storage() "
              "instead of tensor.storage()")
    return TypedStorage(wrap_storage=untyped_storage(self), dtype=self.dtype)


def is_shared(self: Tensor) -> bool:
    """Whether processes that are forked later share this tensor's memory: see `share_memory_`."""
    array: Any = self._storage.value.buffer
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, (mmap.mmap, memoryview))


def share_memory_(self: Tensor) -> Tensor:
    """Moves the tensor to memory that processes forked later share with this one, and each other."""
    if not is_shared(self):
        memory = self._storage
        old = memory.value.array()
        shared = np.frombuffer(mmap.mmap(-1, max(old.nbytes, 1)), old.dtype, old.size).reshape(old.shape)
        np.copyto(shared, old)
        memory.value = Value(memory.value.type, shared)
        memory.pin_forever()
        memory.version += 1
    return self


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Raises RuntimeError, as PyTorch without an accelerator does: pinned memory is for copies to one."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


# ------------------------------------------------------------------ element by element

def _write_array(self: Tensor, values: np.ndarray) -> Tensor:
    from ..ops.creation import from_array
    assign(self, from_array(np.ascontiguousarray(narrow(values, self.dtype)).reshape(self.shape), self.dtype))
    return self


def _check_elementwise(self: Tensor, name: str) -> None:
    if self.requires_grad:  # type: ignore[attr-defined]
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    check_writable(self)


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces each element by callable(element). Slow: Python runs for each element."""
    _check_elementwise(self, "apply_")
    values = host_array(self)
    return _write_array(self, np.array([callable(x) for x in values.reshape(-1).tolist()], dtype=values.dtype))


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces each element a by callable(a, b), b being tensor's (broadcast). Slow: Python runs for each element."""
    _check_elementwise(self, "map_")
    values = host_array(self)
    others = np.broadcast_to(host_array(tensor), values.shape)
    pairs = zip(values.reshape(-1).tolist(), others.reshape(-1).tolist())
    return _write_array(self, np.array([callable(a, b) for a, b in pairs], dtype=values.dtype))


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy's functions give when they are called on tensors: a tensor again (booleans as uint8)."""
    from ..ops.creation import from_array
    array = np.array(array)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    return from_array(array, from_numpy_dtype(array.dtype))


def _reversed(self: Tensor) -> Any:
    """The slices along the first dimension from the last to the first."""
    return self if self.ndim == 0 else self.flip(0)  # type: ignore[attr-defined]


def _grad_dtype(self: Tensor) -> Any:
    if not self.is_leaf:  # type: ignore[attr-defined]
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    return self.dtype


METHODS: dict[str, Any] = {
    "untyped_storage": untyped_storage, "storage": storage, "is_shared": is_shared, "share_memory_": share_memory_,
    "data_ptr": data_ptr, "const_data_ptr": data_ptr, "dim_order": dim_order, "is_set_to": is_set_to, "set_": set_,
    "is_same_size": lambda self, other: self.shape == other.shape, "pin_memory": pin_memory, "is_pinned": lambda self, device=None: False,
    "apply_": apply_, "map_": map_, "__array_wrap__": _array_wrap, "__reversed__": _reversed, "layout": property(lambda self: strided),
    "grad_dtype": property(_grad_dtype), "is_distributed": lambda self: False,
}
