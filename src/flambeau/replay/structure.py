"""Lists, tuples and dicts around tensors: taken apart and put together again."""
from __future__ import annotations

from typing import Any, Callable, Iterator, Sequence

from ..dtypes import dtype
from ..tensor.device import device
from ..tensor.size import Size
from ..tensor.tensor import Tensor

_PLAIN = (bool, int, float, complex, str, bytes, type(None), dtype, device, Size)


class Structure:
    """What stands around the tensors of a value. Equal for equal structures with equal plain values; objects by identity.

    containers: the ids of the lists and dicts it was taken from.
    """

    __slots__ = ("_tree", "containers", "_objects")

    def __init__(self, tree: Any, containers: set[int], objects: list):
        self._tree, self.containers, self._objects = tree, containers, objects

    @classmethod
    def of(cls, value: Any, objects: bool = False) -> tuple[Structure | None, list[Tensor]]:
        """(the structure, the tensors). objects: whether other objects may occur; else None stands for the structure."""
        tensors: list[Tensor] = []
        containers: set[int] = set()
        kept: list[Any] = []

        def take(x: Any) -> tuple:
            if isinstance(x, Tensor):
                tensors.append(x)
                return ("tensor",)
            if x.__class__ in _PLAIN:
                return "plain", x.__class__, x
            if x.__class__ in (list, tuple):
                containers.add(id(x))
                return x.__class__, tuple([take(y) for y in x])
            if x.__class__ is dict:
                containers.add(id(x))
                return dict, tuple([(take(k), take(v)) for k, v in x.items()])
            if isinstance(x, tuple) and hasattr(x, "_fields"):
                return x.__class__, tuple([take(y) for y in x])
            if not objects:
                raise _Foreign
            kept.append(x)
            return "object", id(x), len(kept) - 1
        try:
            return cls(take(value), containers, kept), tensors
        except _Foreign:
            return None, tensors

    def fill(self, tensors: Sequence[Any]) -> Any:
        """The value again, around other tensors."""
        return _fill(self._tree, iter(tensors), self._objects)

    def is_tensor(self) -> bool:
        """Whether it stands around nothing: the value is one tensor."""
        return self._tree == ("tensor",)

    def filler(self) -> Callable[[Sequence[Any]], Any]:
        """`fill`, prepared: for the one tensor or the tuple of tensors that most functions return without a walk."""
        if self.is_tensor():
            return lambda tensors: tensors[0]
        if self._tree[0] is tuple and all(x == ("tensor",) for x in self._tree[1]):
            return tuple
        return self.fill

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self._tree == other._tree

    def __hash__(self) -> int:
        return hash(self._tree)


class _Foreign(Exception):
    pass


def _fill(tree: Any, tensors: Iterator[Any], objects: list) -> Any:
    kind = tree[0]
    if kind == "tensor":
        return next(tensors)
    if kind == "plain":
        return tree[2]
    if kind == "object":
        return objects[tree[2]]
    if kind is dict:
        return {_fill(k, tensors, objects): _fill(v, tensors, objects) for k, v in tree[1]}
    parts = [_fill(x, tensors, objects) for x in tree[1]]
    return parts if kind is list else tuple(parts) if kind is tuple else kind(*parts)
