"""The one place where serialization touches Tensor and Storage: records in, tensors out.

A record is what a file knows of a tensor: (storage, dtype, offset, shape, strides, requires_grad), offset and strides
in elements; a storage is a flat NumPy array (bfloat16 as uint16 bits).
"""
from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import dtype
from ..ir.types import contiguous_strides
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor, View

# attributes that the engine keeps in a tensor's __dict__; not the user's, so not in files
_ENGINE_ATTRIBUTES = frozenset({"_grad", "_retained"})


class TensorRecord(NamedTuple):
    storage: Storage
    dtype: dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool


def describe(tensor: Tensor) -> TensorRecord:
    """What a file says of a tensor."""
    shape, strides, offset = tensor._geometry()
    return TensorRecord(tensor._storage, tensor.dtype, offset, (*shape,), (*strides,), tensor.requires_grad)


def attributes(tensor: Tensor) -> dict[str, Any]:
    """The Python attributes that a user has set on a tensor."""
    return {k: v for k, v in tensor.__dict__.items() if k not in _ENGINE_ATTRIBUTES}


def set_attributes(tensor: Tensor, state: dict[str, Any]) -> None:
    tensor.__dict__.update((k, v) for k, v in state.items() if k not in _ENGINE_ATTRIBUTES)


def buffer_of(storage: Storage) -> np.ndarray:
    """The flat memory, computed if it was pending; not to be written to."""
    return storage.flat()


def make_storage(buffer: np.ndarray, dtype: dtype, shape: tuple[int, ...]) -> Storage:
    """A storage on a flat array of `dtype.np`, without a copy. shape: of the first tensor on it, if that covers all
    of it (a tensor in its storage's own shape needs no view)."""
    return Storage.from_array(buffer.reshape(shape) if prod(shape) == buffer.size else buffer, dtype)


def make_tensor(storage: Storage, dtype: dtype, offset: int, shape: tuple[int, ...], strides: tuple[int, ...],
                requires_grad: bool, cls: type = Tensor) -> Any:
    """A leaf of type `cls` that reads a storage as `dtype`. The caller has checked that the geometry lies within it."""
    tensor: Any = object.__new__(cls)
    tensor._storage = storage
    kind = storage.value.type
    whole = offset == 0 and shape == kind.shape and dtype is kind.dtype and strides == contiguous_strides(shape)
    tensor._view = None if whole else View(shape, strides, offset, dtype, None, False, storage.version)
    tensor._node, tensor._nr = None, 0
    if requires_grad:
        tensor.requires_grad_(True)
    return tensor
