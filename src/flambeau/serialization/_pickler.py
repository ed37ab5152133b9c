"""Pickling for files: tensors as rebuild calls, storages as persistent ids, flambeau's classes as PyTorch's.

It extends Python's own `pickle._Pickler` (the one in Python, which lets a subclass decide how a class is named), so
that a file holds `torch.nn.modules.conv.Conv2d` where the program had `flambeau.nn.modules.conv.Conv2d`.
"""
from __future__ import annotations

import pickle
import types
from collections import OrderedDict
from typing import Any

from .. import dtypes
from ..tensor.layout import layout, sparse_bsr, sparse_coo, sparse_csr, strided
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor
from ._location import location_tag
from ._names import storage_class, torch_path
from ._storages import StoredStorage
from ._tensors import attributes, buffer_of, describe


class NamedGlobal:
    """Stands for a function that exists by this name in PyTorch; pickled as that name, never called."""

    def __init__(self, module: str, name: str):
        self.path = (module, name)

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{'.'.join(self.path)} is only a name in a file")


_UTILS = {name: NamedGlobal("torch._utils", name) for name in (
    "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor")}
_GET_LAYOUT = NamedGlobal("torch.serialization", "_get_layout")
_FROM_TYPE = NamedGlobal("torch._tensor", "_rebuild_from_type_v2")
_STORAGES = {d: NamedGlobal(*storage_class(d)) for d in dtypes.ALL}
_UNTYPED = NamedGlobal("torch.storage", "UntypedStorage")
_TENSOR = NamedGlobal("torch", "Tensor")


class StorageKeys:
    """The storages of a file in order of appearance. `stored[key]` is (storage, flat array of its elements)."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[Any, Any]] = {}
        self._keys: dict[int, str] = {}
        self._classes: dict[str, str] = {}

    def key(self, storage: Any) -> str:
        """The key of a storage: the number of those before it. One memory, however reached, has one key."""
        if isinstance(storage, StoredStorage):
            storage = storage.memory.storage(storage.dtype or dtypes.uint8, (storage.size(),))
        key = self._keys.get(id(storage))
        if key is None:
            key = self._keys[id(storage)] = str(len(self._keys))
            self.stored[key] = (storage, buffer_of(storage))
        return key

    def persistent_id(self, storage: Any, dtype: dtypes.dtype | None) -> tuple:
        """("storage", class, key, location, number of elements), with which a file refers to a storage."""
        key = self.key(storage)
        kind = _STORAGES[dtype] if dtype is not None else _UNTYPED
        size = self.stored[key][1].nbytes
        if self._classes.setdefault(key, kind.path[1]) != kind.path[1] and size:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        if kind.path[1] != "UntypedStorage":
            assert dtype is not None
            size //= dtype.itemsize
        return "storage", kind, key, location_tag(storage), size


class _StorageReference:
    """A storage as the element type that a tensor gives it; becomes a persistent id."""

    __slots__ = ("storage", "dtype")

    def __init__(self, storage: Any, dtype: dtypes.dtype | None):
        self.storage = storage
        self.dtype = dtype


def reduce_tensor(tensor: Tensor) -> tuple:
    """The call that rebuilds a tensor, as PyTorch's own tensors are pickled."""
    from ..nn.parameter import Parameter
    state = attributes(tensor)
    if isinstance(tensor, Parameter):
        data = _PlainTensor(tensor)
        args: tuple = (data, tensor.requires_grad, OrderedDict())
        if state:
            return _UTILS["_rebuild_parameter_with_state"], (*args, state)
        return _UTILS["_rebuild_parameter"], args
    function, args = _rebuild_call(tensor, tensor.requires_grad)
    cls = type(tensor)
    if cls is Tensor and not state:
        return function, args
    return _FROM_TYPE, (function, _TENSOR if cls is Tensor else cls, args, state or None)


class _PlainTensor:
    """A parameter's memory as a tensor of its own, without a gradient."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


def _rebuild_call(tensor: Tensor, requires_grad: bool) -> tuple[NamedGlobal, tuple]:
    record = describe(tensor)
    reference = _StorageReference(record.storage, record.dtype)
    args: tuple = (reference, record.offset, record.shape, record.strides, requires_grad, OrderedDict())
    if _STORAGES[record.dtype].path == _UNTYPED.path:
        return _UTILS["_rebuild_tensor_v3"], (*args, record.dtype)
    return _UTILS["_rebuild_tensor_v2"], args


def _reduce_sparse(tensor: Any) -> tuple:
    """A sparse tensor by its parts; without its gradient's history, as PyTorch's."""
    if tensor.layout is not sparse_coo:
        by_rows = tensor.layout in (sparse_csr, sparse_bsr)
        indices = (tensor.crow_indices(), tensor.col_indices()) if by_rows else (tensor.ccol_indices(), tensor.row_indices())
        return _UTILS["_rebuild_sparse_tensor"], (tensor.layout, (*indices, tensor.values().detach(), tensor.shape))
    parts = (tensor._indices(), tensor._values(), tensor.shape, tensor.is_coalesced())
    return _UTILS["_rebuild_sparse_tensor"], (tensor.layout, parts)


def _own_pickling(cls: type) -> bool:
    """Whether a subclass of Tensor says itself how it is pickled."""
    return (cls.__reduce_ex__ is not Tensor.__reduce_ex__) or (cls.__reduce__ is not Tensor.__reduce__)


def pickler_class(pickle_module: Any) -> type:
    """The Pickler of `save` on top of a module's: the standard library's, or one derived from its Python version."""
    base = pickle._Pickler if pickle_module is pickle else pickle_module.Pickler  # type: ignore[attr-defined]
    if not (isinstance(base, type) and issubclass(base, pickle._Pickler)):  # type: ignore[attr-defined]
        raise TypeError(
            "pickle_module must be pickle, or have a Pickler that is written in Python (as dill has), and "
            f"{pickle_module!r} has not"
        )

    class TorchPickler(base):  # type: ignore[misc, valid-type]
        dispatch = dict(base.dispatch)

        def __init__(self, file: Any, keys: Any, protocol: int):
            super().__init__(file, protocol)
            self.keys = keys

        def persistent_id(self, obj: Any) -> Any:
            t = type(obj)
            if t is _StorageReference:
                return self.keys.persistent_id(obj.storage, obj.dtype)
            if t is Storage:
                return self.keys.persistent_id(obj, obj.value.type.dtype)
            if t is StoredStorage:
                return self.keys.persistent_id(obj, obj.dtype)
            return None

        def reducer_override(self, obj: Any) -> Any:
            t = type(obj)
            if t is _PlainTensor:
                return _rebuild_call(obj.tensor, False)
            if t is dtypes.dtype:
                return obj.name
            if t is layout:
                return _GET_LAYOUT, (repr(obj),)
            if isinstance(obj, Tensor) and obj.layout is not strided:  # type: ignore[attr-defined]
                return _reduce_sparse(obj)
            if isinstance(obj, Tensor) and not _own_pickling(t):
                return reduce_tensor(obj)
            return NotImplemented

        def save_global(self, obj: Any, name: str | None = None) -> None:
            path = torch_path(obj, name) if not isinstance(obj, NamedGlobal) else obj.path
            if path is None:
                super().save_global(obj, name)
            else:
                _write_global(self, path)
                self.memoize(obj)

        dispatch[types.FunctionType] = save_global
        dispatch[NamedGlobal] = save_global

    return TorchPickler


def _write_global(pickler: Any, path: tuple[str, str]) -> None:
    module, name = path
    if pickler.proto >= 4:
        pickler.save(module)
        pickler.save(name)
        pickler.write(pickle.STACK_GLOBAL)
    elif "." in name:  # a nested class, which the older opcode cannot name
        outer, _, inner = name.rpartition(".")
        pickler.save_reduce(getattr, (NamedGlobal(module, outer), inner))
    else:
        pickler.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
