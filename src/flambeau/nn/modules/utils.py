"""Sizes given as one number or as one for each dimension."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _ntuple(n: int) -> Callable[[Any], tuple]:
    """A function that makes one number n times that number, and an iterable a tuple."""
    def parse(x: Any) -> tuple:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = f"_ntuple_{n}"
    return parse


_single = _ntuple(1)
_pair = _ntuple(2)
_triple = _ntuple(3)
_quadruple = _ntuple(4)


def _reverse_repeat_tuple(t: Iterable[int], n: int) -> tuple:
    """The numbers of t from last to first, each n times; turns a convolution's padding into that of `F.pad`."""
    return tuple(x for x in reversed(t) for _ in range(n))
