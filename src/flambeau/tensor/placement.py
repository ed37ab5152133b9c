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
    if value.__class__ is Value and where is CPU:
        return value
    from ..runtime import resident
    to = home_of(where)
    return value if resident.home(value) is to else resident.moved(value, to)


class TransferNode(Node):
    """The node of a copy in another place: gradients go back to where the tensor came from (None: the host). split: see `transferred`."""

    __slots__ = ("source", "split")

    def __init__(self, t: Tensor, source: Any, split: int | None):
        super().__init__((edge(t),))
        self.source, self.split = source, split

    def name(self) -> str:
        return "ToCopyBackward0"

    def backward(self, grads: list, create_graph: bool) -> list:
        return [None if grads[0] is None else transferred(grads[0], self.source, self.split)]


def transferred(t: Tensor, to: Any, split: int | None = None) -> Tensor:
    """A copy of t, through which gradients flow, in a device's trace (None: on the host). split: the dimension along which several devices
    share it, or None where each has all of it."""
    from ..runtime import resident
    value = t._value()
    copy = resident.moved(value, to, split)
    return make_tensor(copy, TransferNode(t, resident.home(value), split)) if mode.enabled and t._node is not None else make_tensor(copy)


def moved(t: Tensor, where: device) -> Tensor:
    """t on a device: t itself if it is there already, else a copy through which gradients flow."""
    value = t._storage.value
    if value.__class__ is Value and where is CPU:
        return t
    from ..runtime import resident
    to = home_of(where)
    return t if resident.home(value) is to else transferred(t, to)


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
