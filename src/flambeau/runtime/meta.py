"""The `meta` device: values that have a type and no memory. A call on them yields the types of its results and computes nothing."""
from __future__ import annotations

from typing import Any, NoReturn, Sequence

from ..ir.types import TensorType, tensor_type
from .resident import DeviceTrace, Resident
from .specialization import Specialization
from .trace import Value

NO_DATA = "Cannot copy out of meta tensor; no data!"


class Meta(Resident):
    """A value without data."""

    __slots__ = ()

    def ready(self) -> NoReturn:
        """NotImplementedError: there is nothing to read."""
        raise NotImplementedError(NO_DATA)

    def array(self) -> NoReturn:
        """NotImplementedError: there is nothing to read."""
        raise NotImplementedError(NO_DATA)

    def read_view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Meta:
        return Meta(tensor_type(self.type.dtype, shape), self.home)

    def write_at(self, new: Value, strides: tuple[int, ...], offset: int) -> None:
        return None


class MetaTrace(DeviceTrace):
    """Where calls on the meta device are recorded: nowhere."""

    def __init__(self, device: Any):
        super().__init__(device, None, "meta")

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        """The outputs of a call on this device's values, numbers and 0-dim host values."""
        for v in operands:
            if isinstance(v, Value) and (v.home is not self if isinstance(v, Resident) else v.type.shape):
                where = v.home.device if isinstance(v, Resident) else "cpu"
                raise RuntimeError(f"Tensor on device {where} is not on the expected device {self.device}!")
        return self.of(spec.out_types)

    def of(self, types: Sequence[TensorType]) -> list[Value]:
        """Values of these types."""
        return [Meta(t, self) for t in types]
