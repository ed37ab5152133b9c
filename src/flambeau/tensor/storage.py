"""`Storage`: the mutable cell behind tensors. It holds the current immutable value of its flat memory, and a version."""
from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from ..runtime.trace import Value, trace


class Storage:
    """value: what the memory holds now, in the shape it was made in. version: counts writes.

    Tensors that share a storage share its memory. While NumPy can see the memory (`share`), writes go to that very memory.
    """

    __slots__ = ("value", "version", "resizable", "__weakref__")

    def __init__(self, value: Value):
        self.value = value
        self.version = 0

    @classmethod
    def from_array(cls, array: np.ndarray, dtype) -> Storage:
        """A storage that takes over `array` (C-contiguous; bfloat16 as uint16 bits), which nobody else may change."""
        from ..ir.types import tensor_type
        return cls(Value(tensor_type(dtype, array.shape), array))

    def write(self, value: Value) -> None:
        """Makes `value` the content."""
        old = self.value
        if value.__class__ is not Value or old.__class__ is not Value:
            from ..runtime.transform import written
            value = written(old, value)
        if old.pinned is not None and old.pinned():
            np.copyto(old.array(), value.array())
        else:
            if old.buffer is not None:
                trace.undo.append((self, old))
            self.value = value
        self.version += 1

    def restore(self, value: Value) -> None:
        """Takes back writes whose program failed before it had computed them."""
        if self.value.buffer is None:
            self.value = value
            self.version += 1

    def flat(self) -> np.ndarray:
        """The current memory as a 1-D array; not to be written to."""
        return self.value.array().reshape(-1)

    def export(self) -> np.ndarray:
        """An array that shares the memory both ways, for as long as it or any view of it lives."""
        array = self.value.array()
        if array.base is not None and self.value.pinned is None:  # a part of another value's memory: what is shared must be its own
            array = array.copy()
            self.value = Value(self.value.type, array)
        exported = np.asarray(memoryview(array))  # whose base is no array, so that NumPy views of it keep it alive
        pinned: Any = self.value.pinned
        if pinned is None or not pinned():
            self.value.pinned = _Exports([weakref.ref(exported)])
        elif pinned.__class__ is _Exports:
            pinned.add(exported)
        return exported

    @classmethod
    def adopt(cls, array: np.ndarray, dtype) -> Storage:
        """A storage on the memory of a caller's array: shared both ways while the caller holds the array."""
        storage = cls.from_array(array, dtype)
        value = storage.value
        if array.base is not None:
            value.pinned = lambda: True  # a view of someone else's array: who else refers to that cannot be known
        else:
            value.pinned = lambda: sys.getrefcount(value.buffer) > _ALONE
        return storage

    def seal(self) -> Any:
        """What `value.pinned` stays as long as nobody outside sees the memory, and may change it: an export puts another object there.
        If somebody sees it now, an object that is never there."""
        pinned: Any = self.value.pinned
        if pinned is not None and pinned():
            return object()
        if pinned.__class__ is not _Exports:
            pinned = self.value.pinned = _Exports([])
        return pinned

    def pin_forever(self) -> None:
        """For memory handed to another library, which does not tell when it lets go."""
        self.value.array()
        self.value.pinned = lambda: True


Storage.saved_version = Storage.version  # type: ignore[attr-defined]  # what a node reads of a storage that backward wants


class InferenceStorage(Storage):
    """A storage made in inference mode."""

    __slots__ = ()

    @property
    def saved_version(self) -> int:
        """RuntimeError: backward would not find out that the memory was changed."""
        raise RuntimeError("Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
                           "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use "
                           "it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.")


class _Exports:
    """The arrays that were given out of a value's memory; called, whether one of them is still there."""

    __slots__ = ("_arrays",)

    def __init__(self, arrays: list[weakref.ref]) -> None:
        self._arrays = arrays

    def add(self, array: np.ndarray) -> None:
        self._arrays = [r for r in self._arrays if r() is not None]
        self._arrays.append(weakref.ref(array))

    def __call__(self) -> bool:
        for r in self._arrays:
            if r() is not None:
                return True
        return False


def _references_alone() -> int:
    """sys.getrefcount of a buffer that only its Value refers to, asked the way `adopt` asks."""
    value = Value(None, np.empty(0))  # type: ignore[arg-type]
    return (lambda: sys.getrefcount(value.buffer))()


_ALONE = _references_alone()
