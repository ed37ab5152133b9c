"""Tensors as NumPy arrays and back: samples become a batch by copying memory, without a call being recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.dtypes import bfloat16, from_numpy_dtype
from flambeau.ops.creation import from_array
from flambeau.tensor.attributes import host_array
from flambeau.tensor.tensor import Tensor


def is_plain(tensor: Any) -> bool:
    """Whether nothing is lost when the values are copied: no subclass, no gradient, and a dtype that NumPy has."""
    return type(tensor) is Tensor and not tensor.requires_grad and tensor.dtype is not bfloat16


def is_computed(tensor: Tensor) -> bool:
    """Whether the values are there, and asking for them runs nothing."""
    return tensor._storage.value.buffer is not None


def take(tensor: Tensor, indices: list[int]) -> Tensor:
    """`tensor[indices]` of a plain tensor, (N, …) → (len(indices), …)."""
    return from_array(np.ascontiguousarray(host_array(tensor)[indices]), tensor.dtype)


def stack(arrays: Sequence[np.ndarray]) -> Tensor | None:
    """Arrays of one shape and dtype along a new first axis; None where they are not alike or of a foreign dtype."""
    first = arrays[0]
    out = np.empty((len(arrays), *first.shape), first.dtype)
    shape, dtype = first.shape, first.dtype
    for k, array in enumerate(arrays):
        if array.shape != shape or array.dtype != dtype:
            return None
        out[k] = array
    return tensor_of(out)


def stack_tensors(tensors: Sequence[Any]) -> Tensor | None:
    """The same for plain tensors that are computed; None where one is not."""
    if not all(is_plain(tensor) and is_computed(tensor) for tensor in tensors):
        return None
    return stack([host_array(tensor) for tensor in tensors])


def tensor_of(array: np.ndarray) -> Tensor | None:
    """A tensor that takes over `array`, which nobody else may change; None for a dtype that tensors do not have."""
    try:
        dtype = from_numpy_dtype(array.dtype)
    except TypeError:
        return None
    return from_array(array, dtype) if array.dtype.isnative else None
