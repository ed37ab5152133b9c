"""Copies of tensors: pickling and `copy.deepcopy`. Tensors that share memory still do in the copy."""
from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..dtypes import dtype as dtype_class
from ..ir.types import contiguous_strides
from .attributes import requires_grad_
from .device import CPU, check_device
from .node import AccumulateGrad
from .overriding import adopt
from .placement import moved_value, value_device
from .storage import Storage
from .tensor import DENSE, Tensor, View

_OWN = ("_grad", "_retained")  # what the engine keeps in a tensor's __dict__: not the user's attributes


def tensor_on(storage: Storage, dtype: dtype_class, shape: tuple, strides: tuple, offset: int, requires_grad: bool, cls: type) -> Any:
    """A leaf of type `cls` on a storage's memory."""
    if cls is not Tensor and cls not in DENSE:
        adopt(cls)
    t = object.__new__(cls)
    t._storage = storage
    kind = storage.value.type
    whole = offset == 0 and dtype is kind.dtype and shape == kind.shape and strides == contiguous_strides(shape)
    t._view = None if whole else View(shape, strides, offset, dtype, None, False, storage.version)
    t._node, t._nr = None, 0
    return requires_grad_(t) if requires_grad else t


def _rebuilt(storage: Storage, dtype: dtype_class, shape: tuple, strides: tuple, offset: int, requires_grad: bool, cls: type,
             attributes: dict) -> Tensor:
    t = tensor_on(storage, dtype, shape, strides, offset, requires_grad, cls)
    t.__dict__.update(attributes)
    return t


def _attributes(self: Tensor) -> dict:
    """What the user has set on a tensor."""
    return {name: value for name, value in self.__dict__.items() if name not in _OWN}


def _geometry(self: Tensor) -> tuple:
    shape, strides, offset = self._geometry()
    return tuple(shape), tuple(strides), offset


def reduce_ex(self: Tensor, protocol: Any) -> tuple:
    """For pickle and copy.copy: a leaf on the same storage, with self's requires_grad and attributes."""
    requires_grad = self.requires_grad  # type: ignore[attr-defined]
    return _rebuilt, (self._storage, self.dtype, *_geometry(self), requires_grad, type(self), _attributes(self))


def deepcopy(self: Tensor, memo: dict) -> Tensor:
    """For copy.deepcopy: a leaf on a copy of the storage, with copies of the gradient and of self's attributes."""
    if id(self) in memo:
        return memo[id(self)]
    requires_grad = self.requires_grad  # type: ignore[attr-defined]
    if self._node is not None and type(self._node) is not AccumulateGrad:
        raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If "
                           "you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see "
                           "https://github.com/pytorch/pytorch/pull/103001")
    storage = copy.deepcopy(self._storage, memo)
    result = tensor_on(storage, self.dtype, *_geometry(self), requires_grad, type(self))
    memo[id(self)] = result
    grad = self._node.grad if requires_grad else self.__dict__.get("_grad")
    if grad is not None:
        result.grad = copy.deepcopy(grad, memo)
    result.__dict__.update(copy.deepcopy(_attributes(self), memo))
    return result


def _storage_from(array: np.ndarray, dtype: dtype_class, shape: tuple, where: str = "cpu") -> Storage:
    storage = Storage.from_array(array.reshape(shape), dtype)
    storage.value = moved_value(storage.value, check_device(where))
    return storage


def _reduce_storage(self: Storage, protocol: Any) -> tuple:
    kind = self.value.type
    where = value_device(self.value)
    return _storage_from, (np.array(self.flat()), kind.dtype, kind.shape, *(() if where is CPU else (str(where),)))


def _deepcopy_storage(self: Storage, memo: dict) -> Storage:
    if id(self) not in memo:
        kind = self.value.type
        on_host = value_device(self.value) is CPU  # a device's values are never written to: copies may share them
        memo[id(self)] = _storage_from(np.array(self.flat()), kind.dtype, kind.shape) if on_host else Storage(self.value)
    return memo[id(self)]


Storage.__reduce_ex__ = _reduce_storage  # type: ignore[method-assign, assignment]
Storage.__deepcopy__ = _deepcopy_storage  # type: ignore[attr-defined]

METHODS = {"__reduce_ex__": reduce_ex, "__deepcopy__": deepcopy}
