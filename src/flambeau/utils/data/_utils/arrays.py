"""Tensors as NumPy arrays and back: samples become a batch by copying memory, without a call being recorded.

The arrays hold what a tensor's memory holds: of a dtype that NumPy lacks, the bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.dtypes import dtype as dtype_class, from_numpy_dtype, int64
from flambeau.ir.types import contiguous_strides
from flambeau.ops.creation import from_array
from flambeau.tensor.attributes import stored_array
from flambeau.tensor.device import CPU, check_device
from flambeau.tensor.placement import device_of, moved
from flambeau.tensor.tensor import Tensor


def is_plain(tensor: Any) -> bool:
    """Whether nothing is lost when the values are copied: no subclass and no gradient."""
    return type(tensor) is Tensor and not tensor.requires_grad


def is_computed(tensor: Tensor) -> bool:
    """Whether the values are there, and asking for them runs nothing."""
    return tensor._storage.value.buffer is not None


def as_index(indices: list) -> np.ndarray | None:
    """Python ints as an array; None for anything else, which a tensor may be indexed by, too."""
    if not indices or type(indices[0]) is not int:
        return None
    index = np.array(indices)
    return index if index.dtype == np.int64 and index.ndim == 1 else None


def take(tensor: Tensor, index: np.ndarray) -> Tensor:
    """`tensor[index]` of a plain tensor: (N, …) by (B,) → (B, …). Errors: IndexError outside [-N, N)."""
    if device_of(tensor) is not CPU:
        return tensor[from_array(index, int64, tensor)]  # type: ignore[index]
    return from_array(stored_array(tensor).take(index, axis=0), tensor.dtype)


def stack(arrays: Sequence[np.ndarray], dtype: dtype_class | None = None) -> Tensor | None:
    """Arrays of one shape and type along a new first axis, as a tensor of `dtype` (default: as the arrays).

    None where they are not alike, or of a type that tensors do not have.
    """
    first = arrays[0]
    shape, np_type = first.shape, first.dtype
    out = np.empty((len(arrays), *shape), np_type)
    for k, array in enumerate(arrays):
        if array.shape != shape or array.dtype != np_type:
            return None
        out[k] = array
    return tensor_of(out, dtype)


def stack_tensors(tensors: Sequence[Any]) -> Tensor | None:
    """The same for plain tensors that are computed; None where one is not."""
    rows = _rows(tensors)
    if rows is not None:
        return from_array(rows, tensors[0].dtype)
    dtype = tensors[0].dtype
    if not all([is_plain(tensor) and is_computed(tensor) and tensor.dtype is dtype for tensor in tensors]):
        return None
    return stack([stored_array(tensor) for tensor in tensors], dtype)


def _rows(tensors: Sequence[Any]) -> np.ndarray | None:
    """Views of one shape at whole rows of one tensor's memory (`x[3], x[0], …`), gathered at once; else None."""
    first = tensors[0]
    view = first._view
    if view is None or not is_computed(first):
        return None
    storage, shape, strides = first._storage, view.shape, view.strides
    size = math.prod(shape)
    if size == 0 or strides != contiguous_strides(shape):
        return None
    starts = []
    for tensor in tensors:
        if tensor.__class__ is not Tensor or tensor._storage is not storage or tensor._node is not None:
            return None
        other = tensor._view
        if other is None or other.shape != shape or other.strides != strides or other.offset % size:
            return None
        if other.node_version != storage.version:  # it may have got a history by a write to its base
            return None
        starts.append(other.offset // size)
    memory = storage.flat()
    if memory.size % size or memory.dtype != storage.value.type.dtype.np:
        return None
    return memory.reshape(-1, size).take(starts, axis=0).reshape(len(starts), *shape)


def placed(tensor: Tensor) -> Tensor:
    """The tensor where tensors are made when no device is given."""
    return moved(tensor, check_device(None))


def tensor_of(array: np.ndarray, dtype: dtype_class | None = None) -> Tensor | None:
    """A tensor that takes over `array`, row-major, which nobody else may change.

    dtype: what the array holds (default: by its type; None for a type that tensors do not have).
    """
    if dtype is None:
        if not array.dtype.isnative:
            return None
        try:
            dtype = from_numpy_dtype(array.dtype)
        except TypeError:
            return None
    return from_array(array, dtype)
