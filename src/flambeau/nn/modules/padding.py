"""Layers that put a border around the last one, two or three dimensions.

padding: one number for every side, or (left, right[, top, bottom[, front, back]]); negative numbers cut.
Shapes: (N, C, …) or (C, …), sizes grow by the paddings.
"""
from __future__ import annotations

from typing import Any

from ...tensor.tensor import Tensor
from .. import functional as F
from .module import Module
from .utils import _ntuple


class _PadNd(Module):
    """A layer that pads in `_mode` the last `_sides / 2` dimensions."""

    __constants__ = ["padding"]
    _mode: str
    _sides: int

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(self._sides)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        low = self._sides // 2 + 1
        if input.dim() not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pads with the values of the other end."""

    _sides = 2


class CircularPad2d(_CircularPadNd):
    """Pads with the values of the other end."""

    _sides = 4


class CircularPad3d(_CircularPadNd):
    """Pads with the values of the other end."""

    _sides = 6


class _ReflectionPadNd(_PadNd):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads with the mirror image, without repeating the edge."""

    _sides = 2


class ReflectionPad2d(_ReflectionPadNd):
    """Pads with the mirror image, without repeating the edge."""

    _sides = 4


class ReflectionPad3d(_ReflectionPadNd):
    """Pads with the mirror image, without repeating the edge."""

    _sides = 6


class _ReplicationPadNd(_PadNd):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads with the value at the edge."""

    _sides = 2


class ReplicationPad2d(_ReplicationPadNd):
    """Pads with the value at the edge."""

    _sides = 4


class ReplicationPad3d(_ReplicationPadNd):
    """Pads with the value at the edge."""

    _sides = 6


class _ConstantPadNd(Module):
    __constants__ = ["padding", "value"]
    _sides: int

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__()
        self.value = value
        self.padding = _ntuple(self._sides)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads with `value`."""

    _sides = 2


class ConstantPad2d(_ConstantPadNd):
    """Pads with `value`."""

    _sides = 4


class ConstantPad3d(_ConstantPadNd):
    """Pads with `value`."""

    _sides = 6


class ZeroPad1d(ConstantPad1d):
    """Pads with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Pads with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Pads with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"
