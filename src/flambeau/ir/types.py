"""`TensorType`: the interned (dtype, shape) of a value. Interning makes signatures compare and hash by identity."""
from __future__ import annotations

from functools import lru_cache
from math import prod

from ..dtypes import dtype


class TensorType:
    """dtype and shape of a dense value. Make one with `tensor_type`; equal types are the same object.

    `weak` marks a Python number that came in as a runtime input: it takes part in promotion by category only. `strides` are
    the row-major ones.
    """

    __slots__ = ("dtype", "shape", "strides", "size", "weak")

    def __init__(self, dtype: dtype, shape: tuple[int, ...], weak: bool):
        self.dtype = dtype
        self.shape = shape
        self.strides = contiguous_strides(shape)
        self.size = prod(shape)
        self.weak = weak

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]{'~' if self.weak else ''}"


_interned: dict[tuple, TensorType] = {}


def tensor_type(dtype: dtype, shape: tuple[int, ...], weak: bool = False) -> TensorType:
    """The one `TensorType` of this dtype and shape."""
    key = (dtype, shape, weak)
    found = _interned.get(key)
    if found is None:
        found = _interned.setdefault(key, TensorType(dtype, tuple(int(s) for s in shape), weak))
    return found


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides, in elements; a 0-sized dimension counts as 1, as in PyTorch."""
    return _strides(tuple(shape))


@lru_cache(maxsize=4096)
def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = []
    step = 1
    for s in reversed(shape):
        strides.append(step)
        step *= max(s, 1)
    return tuple(reversed(strides))
