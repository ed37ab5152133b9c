"""Batches that a data set made in one piece, to be handed on without being cut into samples and collated again."""
from __future__ import annotations

from typing import Any, Callable


class BatchedSamples(list):
    """The samples of one batch, already collated.

    It is a list of `length` samples to whoever looks at it; `sample(k)` makes the k-th, and is first called when one
    is asked for. A loader whose `collate_fn` is `default_collate` takes `collated` instead: what `default_collate`
    would return for these samples, or None once the list has been changed.
    """

    def __init__(self, collated: Any, length: int, sample: Callable[[int], Any]):
        super().__init__([None] * length)
        self.collated: Any = collated
        self._sample: Callable[[int], Any] | None = sample

    def _materialize(self) -> None:
        if self._sample is not None:
            make, self._sample = self._sample, None
            super().__setitem__(slice(None), [make(k) for k in range(super().__len__())])

    def __radd__(self, other: list) -> list:
        return other + list(self)  # list + list would read the elements without asking for them

    def __reduce__(self):
        return list, (list(self),)


def _after_materializing(name: str, changes: bool):
    method = getattr(list, name)

    def call(self, *args, **kwargs):
        self._materialize()
        if changes:
            self.collated = None
        return method(self, *args, **kwargs)

    call.__name__ = name
    return call


# Everything of `list` that reads elements, and everything that changes the list; its length is known without them.
for _name in ("__add__", "__contains__", "__eq__", "__ge__", "__getitem__", "__gt__", "__iter__", "__le__", "__lt__",
              "__mul__", "__ne__", "__repr__", "__reversed__", "__rmul__", "copy", "count", "index"):
    setattr(BatchedSamples, _name, _after_materializing(_name, changes=False))
for _name in ("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "clear", "extend", "insert", "pop",
              "remove", "reverse", "sort"):
    setattr(BatchedSamples, _name, _after_materializing(_name, changes=True))
