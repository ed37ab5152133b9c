"""Tensors of which every process holds a part, as the operations on whole ones meet them."""
from __future__ import annotations

from typing import Any, NoReturn

from ..ir.types import TensorType
from ..runtime.trace import Value
from .storage import Storage
from .tensor import Tensor


class PartedValue(Value):
    """Stands in the storage of such a tensor for its type (dtype and whole shape). It cannot be recorded or read.

    local: the tensor that is this process's part.
    """

    __slots__ = ("local",)

    def __init__(self, type: TensorType, local: Tensor):
        super().__init__(type)
        self.local = local

    def record(self, spec: Any, operands: list) -> NoReturn:
        raise RuntimeError(f"{spec.name}: there is no such operation on a DTensor; to_local() gives this process's part of it, "
                           "full_tensor() all of it")

    def array(self) -> NoReturn:
        raise RuntimeError("a DTensor's elements are not all in this process; to_local() gives its part, full_tensor() all of them")


class PartedStorage(Storage):
    """The storage of such a tensor. Writes go to `local` by the methods that know of it; others would be lost, and are refused."""

    __slots__ = ()

    def write(self, value: Value) -> NoReturn:
        raise RuntimeError("there is no such write to a DTensor; one to to_local() changes this process's part")


def local_part(t: Tensor) -> Tensor:
    """What this process computes on: t itself, or its part of it."""
    value = t._storage.value
    return value.local if value.__class__ is PartedValue else t  # type: ignore[attr-defined]
