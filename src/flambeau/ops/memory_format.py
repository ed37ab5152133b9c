"""Memory formats: the order in which a dense tensor's dimensions lie in memory."""
from __future__ import annotations

from typing import Any

from ..ir.types import contiguous_strides
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
    if len(shape) != (4 if format is channels_last else 5):
        return None
    order = (0, *range(2, len(shape)), 1)
    physical = contiguous_strides(tuple(shape[i] for i in order))
    strides = [0] * len(shape)
    for i, s in zip(order, physical):
        strides[i] = s
    return tuple(strides)


def in_format(x: Tensor, format: Any, like: Tensor) -> Tensor:
    """x, a fresh contiguous tensor, laid out in `format`; `preserve_format` (the default) takes the order of a dense `like`."""
    shape, strides, _ = like._geometry()
    want: tuple[int, ...] | None = strides
    if format is None or format is preserve_format:
        order = dense_order(shape, strides)
    elif format is contiguous_format:
        order = None
    else:
        want = strides_of_format(shape, format)
        if want is None:
            raise RuntimeError(f"required rank {4 if format is channels_last else 5} tensor to use {format.name} format")
        order = dense_order(shape, want)
    if order is None or order == list(range(len(order))):
        return x
    from ..tensor.views import permute
    out = permute(_physical(x, tuple(order)), [order.index(i) for i in range(len(order))])
    assert out._view is not None and want is not None
    out._view.strides = want  # those of dimensions of size 1, too, for which any would do
    return out


def _physical(x: Tensor, order: tuple[int, ...]) -> Tensor:
    from .shape import permute_copy_dims
    return permute_copy_dims(x, order)


def dense_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int] | None:
    """The dimensions from slowest to fastest of a non-overlapping dense layout; None if it is not one or is row-major."""
    if strides == contiguous_strides(shape):
        return None
    order = sorted(range(len(shape)), key=lambda i: (-strides[i], i) if shape[i] != 1 else (-strides[i], i))
    step = 1
    for i in reversed(order):
        if shape[i] != 1:
            if strides[i] != step:
                return None
            step *= shape[i]
    return order
