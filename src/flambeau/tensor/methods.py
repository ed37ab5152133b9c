"""Attaches the surface to `Tensor`. Each family in `ops/` lists the methods that it gives in a table `METHODS`."""
from __future__ import annotations

from .. import autograd
from ..ops import (arithmetic, bits, bitwise, comparison, complex, conversion, creation, diagonal, einsum, factorizations, from_data,
                   histogram, indexing, linalg, linear, masking, norms, pointwise, random, rearrange, reduction, scan, shape,
                   sorting, special, spectral, statistics, view_copies)
from . import indexing as subscript
from . import copying, layouts, legacy, memory, text, views
from .attributes import ATTRIBUTES
from .tensor import Tensor

FAMILIES = (creation, from_data, conversion, arithmetic, pointwise, special, comparison, bits, bitwise, complex, linear, random, reduction, shape,
            rearrange, indexing, masking, statistics, scan, sorting, histogram,
            diagonal, view_copies, norms, einsum, linalg, factorizations, spectral, subscript, text, copying, layouts, legacy, memory, autograd)

# methods whose module loads when they are first called
_LATE = {**dict.fromkeys(("softmax", "log_softmax", "prelu", "hardshrink", "relu_"), "nn.functional.activation"),
         **dict.fromkeys(("__dlpack__", "__dlpack_device__"), "tensor.dlpack")}


def _late(name: str, module: str):
    def method(self, *args, **kwargs):
        from importlib import import_module
        found = import_module("flambeau." + module).METHODS[name]
        setattr(Tensor, name, found)
        return found(self, *args, **kwargs)
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


def attach() -> None:
    """Gives Tensor its attributes and methods."""
    for name, attribute in ATTRIBUTES.items():
        setattr(Tensor, name, attribute)
    for name in ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t", "movedim", "expand",
                 "narrow", "select", "unbind", "diagonal", "unfold", "as_strided", "clone", "is_contiguous", "contiguous", "resize_"):
        setattr(Tensor, name, getattr(views, name))
    for name, module in _SPARSE.items():
        setattr(Tensor, name, _sparse(name, module))
    Tensor.to_dense = _to_dense  # type: ignore[attr-defined]
    for name, module in _LATE.items():
        setattr(Tensor, name, _late(name, module))
    for family in FAMILIES:
        for name, method in getattr(family, "METHODS", {}).items():
            setattr(Tensor, name, method)


attach()
