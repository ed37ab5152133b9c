"""Memory formats: the order in which a dense tensor's dimensions lie in memory."""
from __future__ import annotations

from typing import Any

from ..ir.types import contiguous_strides
from ..tensor.strides import channels_last_strides, is_dense, lay_out
from ..tensor.tensor import Tensor


class memory_format:
    """How a dense tensor is laid out: `contiguous_format`, `preserve_format`, `channels_last`, `channels_last_3d`."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return "torch." + self.name

    def __reduce__(self):
        return _format_by_name, (self.name,)


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


def _format_by_name(name: str) -> memory_format:
    return globals()[name]


def strides_of_format(shape: tuple[int, ...], format: memory_format) -> tuple[int, ...] | None:
    """The dense strides of `shape` in a format, or None where the format does not fit the number of dimensions."""
    if format in (contiguous_format, preserve_format):
        return contiguous_strides(shape)
    return channels_last_strides(shape) if len(shape) == (4 if format is channels_last else 5) else None


def in_format(x: Tensor, format: Any, like: Tensor) -> Tensor:
    """x, the whole of a fresh storage, laid out in `format`; `preserve_format` (the default) takes the strides of a dense `like`."""
    shape, strides, _ = like._geometry()
    want: tuple[int, ...] | None = strides
    if format is None or format is preserve_format:
        if not is_dense(shape, strides):
            return x
    elif format is contiguous_format:
        want = contiguous_strides(shape)
    else:
        want = strides_of_format(shape, format)
        if want is None:
            raise RuntimeError(f"required rank {4 if format is channels_last else 5} tensor to use {format.name} format")
    return lay_out(x, want)
