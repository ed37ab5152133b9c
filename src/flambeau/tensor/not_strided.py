"""Tensors that are not laid out in memory by strides, as the operations on strided ones meet them."""
from __future__ import annotations

from typing import Any, NoReturn

from ..runtime.trace import Value


class NotStrided(NotImplementedError):
    """An operation on strided memory was given a sparse tensor. Ops try their sparse variant then."""

    def __init__(self, name: str):
        super().__init__(f"Could not run 'aten::{name}' with arguments from the 'SparseCPU' backend: there is no such operation on sparse "
                         "tensors; to_dense() gives a strided one")


NotStrided.__name__ = NotStrided.__qualname__ = "NotImplementedError"  # what a user is shown
NotStrided.__module__ = "builtins"


class SparseValue(Value):
    """Stands in the storage of a sparse tensor for its type (dtype and shape). It cannot be recorded or read."""

    __slots__ = ()

    def record(self, spec: Any, operands: list) -> NoReturn:
        raise NotStrided(spec.name)

    def array(self) -> NoReturn:
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage: it is sparse; to_dense() gives a strided one")


def call_sparse(name: str, args: tuple) -> Any:
    """The sparse variant of the op `name`; NotStrided if there is none."""
    from ..sparse.dispatch import call  # the room of sparse tensors loads with the first of them
    return call(name, args)
