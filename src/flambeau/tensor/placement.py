"""Tensors on devices: where one lies, and copies of it elsewhere."""
from __future__ import annotations

from typing import Any

from ..runtime.trace import Value
from .device import CPU, device
from .grad_mode import mode
from .node import Node, edge
from .tensor import Tensor, make_tensor


def device_of(t: Tensor) -> device:
    """Where a tensor lies."""
    value = t._storage.value
    return CPU if value.__class__ is Value else value_device(value)


def value_device(value: Value) -> device:
    """Where a value lies."""
    if value.__class__ is Value:
        return CPU
    from ..runtime.resident import home
    found = home(value)
    return CPU if found is None else found.device


def home_of(where: device) -> Any:
    """The trace of a device; None for the CPU."""
    if where is CPU:
        return None
    from ..runtime import resident
    return resident.home_of(where)


def moved_value(value: Value, where: device) -> Value:
    """value, copied to a device unless it is there already."""
    if value_device(value) is where:
        return value
    from ..runtime import resident
    return resident.moved(value, home_of(where))


class TransferNode(Node):
    """The node of a copy on another device: gradients go back to where the tensor came from."""

    __slots__ = ("source",)

    def __init__(self, t: Tensor):
        super().__init__((edge(t),))
        self.source = device_of(t)

    def name(self) -> str:
        return "ToCopyBackward0"

    def backward(self, grads: list, create_graph: bool) -> list:
        return [None if grads[0] is None else moved(grads[0], self.source)]


def moved(t: Tensor, where: device) -> Tensor:
    """t on a device: t itself if it is there already, else a copy through which gradients flow."""
    if device_of(t) is where:
        return t
    value = moved_value(t._value(), where)
    return make_tensor(value, TransferNode(t)) if mode.enabled and t._node is not None else make_tensor(value)


def follow(t: Tensor, like: Tensor) -> Tensor:
    """t, which an operation on `like` has made on the host, where `like` is."""
    return t if like._storage.value.__class__ is Value else moved(t, device_of(like))


def is_transformed(t: Tensor) -> bool:
    """Whether t stands for something inside `vmap` or forward mode."""
    value = t._storage.value
    if value.__class__ is Value:
        return False
    from ..runtime.transform import Transformed
    return isinstance(value, Transformed)
