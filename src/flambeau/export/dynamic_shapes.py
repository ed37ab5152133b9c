"""`Dim`: the size of a dynamic axis, by a name of its own or as a hint."""
from __future__ import annotations

from typing import Any

__all__ = ["Dim", "dims"]


class _Size:
    """What `Dim` and its hints have in common. min, max: the sizes that are meant; None: any."""

    def __init__(self, name: str, min: int | None, max: int | None):
        self.min, self.max = min, max
        self._name = name

    def _limits(self, hidden: int | None = None) -> str:
        limits = ("min", self.min, hidden), ("max", self.max, None)
        return "".join(f", {key}={value}" for key, value, usual in limits if value not in (None, usual))


class _DimHint(_Size):
    """How an axis without a name is meant: AUTO and DYNAMIC are dynamic, STATIC is not. Called, it takes limits."""

    def __call__(self, min: int | None = None, max: int | None = None) -> _DimHint:
        return _DimHint(self._name, min, max)

    @property
    def is_static(self) -> bool:
        """Whether the axis has the example's size only."""
        return self._name == "STATIC"

    def __repr__(self) -> str:
        return f"DimHint({self._name}{self._limits()})"


class Dim(_Size):
    """The size of an axis under a name; axes of one name have one size.

    min, max: the sizes that are meant, 0 and more by default. Dim.AUTO, Dim.DYNAMIC and Dim.STATIC stand for axes
    without a name. Raises AssertionError for a name that is no identifier and for limits that contradict each other.
    """

    AUTO, DYNAMIC, STATIC = (_DimHint(name, None, None) for name in ("AUTO", "DYNAMIC", "STATIC"))

    def __init__(self, name: str, *, min: int | None = None, max: int | None = None):
        assert name.isidentifier(), f"Dim name must be a valid identifier, got {name}"
        super().__init__(name, 0 if min is None else min, max)
        assert max is None or max >= (min or 0), f"Cannot create Dim with inconsistent min={min}, max={max}"
        self.__name__ = name

    def __repr__(self) -> str:
        return f"Dim('{self._name}'{self._limits(hidden=2)})"  # PyTorch shows every smallest size but 2


def dims(*names: str, min: int | None = None, max: int | None = None) -> tuple[Any, ...]:
    """A `Dim` for each name."""
    return tuple(Dim(name, min=min, max=max) for name in names)
