"""Attaches the surface to `Tensor`. Each family in `ops/` lists the methods that it gives in a table `METHODS`."""
from __future__ import annotations

from types import FunctionType
from typing import Any

from .. import autograd
from ..ops import (arithmetic, bits, bitwise, comparison, complex, conversion, creation, diagonal, einsum, factorizations, from_data,
                   histogram, indexing, linalg, linear, masking, norms, pointwise, random, rearrange, reduction, scan, shape,
                   sorting, special, spectral, statistics, view_copies)
from . import indexing as subscript
from . import copying, layouts, legacy, memory, text, views
from .attributes import ATTRIBUTES
from .op import public_function
from .overriding import copied, handles_refusals_itself, records
from .tensor import Tensor

FAMILIES = (creation, from_data, conversion, arithmetic, pointwise, special, comparison, bits, bitwise, complex, linear, random, reduction, shape,
            rearrange, indexing, masking, statistics, scan, sorting, histogram,
            diagonal, view_copies, norms, einsum, linalg, factorizations, spectral, subscript, text, copying, layouts, legacy, memory, autograd)

# methods whose module loads when they are first called
_LATE = {**dict.fromkeys(("softmax", "log_softmax", "prelu", "hardshrink", "relu_"), "nn.functional.activation"),
         **dict.fromkeys(("__dlpack__", "__dlpack_device__"), "tensor.dlpack")}


def _late(name: str):
    def method(self, *args, **kwargs):
        load_all()
        return getattr(Tensor, name)(self, *args, **kwargs)
    method.__name__ = method.__qualname__ = name
    return method


# methods of the room of sparse tensors, which loads with the first of them
_SPARSE = {"smm": "products", "sspaddmm": "products", "to_sparse": "coo", "sparse_mask": "coo", "to_sparse_csr": "csr", "to_sparse_coo": "csr",
           **dict.fromkeys(("to_sparse_csc", "to_sparse_bsr", "to_sparse_bsc"), "compressed")}


def _sparse(name: str, module: str):
    def method(self, *args, **kwargs):
        from importlib import import_module
        return getattr(import_module("flambeau.sparse." + module), name)(self, *args, **kwargs)
    method.__name__ = method.__qualname__ = name
    return method


def _to_dense(self, dtype=None, *, masked_grad=None):
    """The tensor itself, in another dtype if one is given: it is strided already."""
    return self if dtype is None else self.to(dtype)


_copies: dict[int, Any] = {}


def _own(name: str, attribute: Any) -> Any:
    """A method or property whose function belongs to Tensor alone: `Tensor.add` is not `torch.add`, as a handler of calls may ask."""
    if isinstance(attribute, property):
        return property(copied(attribute.fget), attribute.fset and copied(attribute.fset), attribute.fdel, attribute.__doc__)  # type: ignore
    if not isinstance(attribute, FunctionType):
        return attribute
    if handles_refusals_itself(attribute):
        return attribute  # made for this
    copy = _copies.get(id(attribute))  # two names of one function are two names of its copy
    if copy is None:
        copy = _copies[id(attribute)] = public_function(attribute.op) if records(attribute) else copied(attribute)  # type: ignore[attr-defined]
        copy.__module__, copy.__qualname__ = Tensor.__module__, "Tensor." + name
    return copy


def load_all() -> None:
    """Loads the methods that wait for their first call."""
    from importlib import import_module
    while _LATE:
        name, module = _LATE.popitem()
        setattr(Tensor, name, _own(name, import_module("flambeau." + module).METHODS[name]))


def _torch_function(cls: type, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
    """What subclasses inherit: calls func; its results are of the subclass, too."""
    from ..overrides.dispatch import torch_function
    return torch_function(cls, func, types, args, kwargs)


def attach() -> None:
    """Gives Tensor its attributes and methods."""
    Tensor.__torch_function__ = classmethod(_torch_function)  # type: ignore[attr-defined]
    for name in ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t", "movedim", "expand",
                 "narrow", "select", "unbind", "diagonal", "unfold", "as_strided", "clone", "is_contiguous", "contiguous", "resize_"):
        setattr(Tensor, name, _own(name, getattr(views, name)))
    for name, module in _SPARSE.items():
        setattr(Tensor, name, _sparse(name, module))
    Tensor.to_dense = _to_dense  # type: ignore[attr-defined]
    for name in _LATE:
        setattr(Tensor, name, _late(name))
    for table in (ATTRIBUTES, *[getattr(family, "METHODS", {}) for family in FAMILIES]):
        for name, attribute in table.items():
            setattr(Tensor, name, _own(name, attribute))


attach()
