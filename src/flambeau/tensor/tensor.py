"""`Tensor`: a handle on a storage, a strided view of it, and a place in the autograd graph.

Its operators and methods are attached in `tensor/methods.py`; here are the parts that the recorder relies on.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import dtype
from ..ir.types import TensorType, contiguous_strides, tensor_type
from ..primitives.shape import bitcast, reshape, strided_view
from ..ir.graph import trace as trace_graph
from ..runtime.specialization import Specialization
from ..runtime.trace import Value, record, trace
from .grad_mode import inferring, mode
from .size import Size
from .storage import InferenceStorage, Storage


MANY, NO_GRAD = "many", "no_grad"


class View:
    """Geometry of a tensor that is not its whole storage in natural order, and where its value was last derived.

    dtype: what the memory is read as; strides and offset count its elements. base: the tensor that this is a view of (None
    after `detach`). tracked: whether writes through other views of the base reach this tensor's autograd history.
    origin: None, or why a write through this view cannot be differentiated: MANY (made with others by one call), NO_GRAD.
    """

    __slots__ = ("shape", "strides", "offset", "dtype", "base", "tracked", "version", "epoch", "slot", "node_version", "origin")

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: dtype, base: Any, tracked: bool,
                 version: int):
        self.shape, self.strides, self.offset, self.dtype = shape, strides, offset, dtype
        self.base, self.tracked, self.origin = base, tracked, None
        self.version = self.node_version = version
        self.epoch = -1
        self.slot = -1


_view_specs: dict[tuple, Specialization] = {}


def view_specialization(base: TensorType, shape: tuple, strides: tuple, offset: int, dtype: dtype) -> Specialization:
    """The recorded call that reads a view out of a base value: a reshape where that is all it is."""
    key = (base, shape, strides, offset, dtype)
    spec = _view_specs.get(key)
    if spec is None:
        whole = offset == 0 and strides == contiguous_strides(shape) and tensor_type(dtype, shape).nbytes == base.nbytes

        def body(x):
            x = bitcast(x, dtype)
            return reshape(x, shape) if whole else strided_view(x, shape, strides, offset)
        graph, _ = trace_graph(body, [base])
        spec = _view_specs[key] = Specialization("view" if whole else "strided_view", "AsStridedBackward0", graph, True)
    return spec


class TensorMeta(type):
    """Keeps `isinstance(x, torch.Tensor)` plain; exists so that legacy tensor types can answer isinstance by dtype."""


class Tensor:
    """A multi-dimensional array of one dtype that records what is done to it."""

    __slots__ = ("_storage", "_view", "_node", "_nr", "__dict__", "__weakref__")

    _storage: Storage
    _view: View | None
    _node: Any
    _nr: int

    if TYPE_CHECKING:  # what is attached elsewhere: a type checker does not see it
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __len__(self) -> int: ...
        def __add__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __pow__ = __rpow__ = __add__
        __matmul__ = __and__ = __or__ = __xor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__
        __invert__ = __int__ = __float__ = __index__ = __iter__ = __neg__

    # ------------------------------------------------------------------ geometry

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions."""
        return Size(self._storage.value.type.shape if self._view is None else self._view.shape)

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return self._storage.value.type.dtype if self._view is None else self._view.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._storage.value.type.shape if self._view is None else self._view.shape)

    def _geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """(shape, strides, offset) in elements."""
        v = self._view
        if v is None:
            type = self._storage.value.type
            return type.shape, type.strides, 0
        return v.shape, v.strides, v.offset

    # ------------------------------------------------------------------ value

    def _value(self) -> Value:
        """The current content as a dense value in this tensor's shape; records a view call if this is a view."""
        view = self._view
        storage = self._storage
        if view is None:
            return storage.value
        if view.node_version != storage.version:
            self._refresh_node()
        if view.epoch == trace.epoch and view.version == storage.version:
            return trace.slots[view.slot]
        with trace.lock:
            base = storage.value
            if (base.buffer is not None or base.__class__ is not Value) and view.dtype is base.type.dtype and trace.capture is None:
                piece = _computed_piece(base, view)
                if piece is not None:
                    return piece
            value = record(view_specialization(base.type, view.shape, view.strides, view.offset, view.dtype), [base])[0]
            view.version = storage.version
            view.epoch = value.epoch if value.buffer is None else -1
            view.slot = value.slot
            return value

    def _refresh_node(self) -> None:
        """After a write to the base by another way: this view's history is now a view of the base's new history."""
        view = self._view
        assert view is not None
        view.node_version = self._storage.version
        base = view.base
        if not view.tracked or base is None:
            return
        if base._node is None:
            if not self.is_leaf:  # type: ignore[attr-defined]  # a leaf has a history of its own
                self._node = None
        elif view.origin is MANY and mode.enabled:
            from .write import refuse_write
            refuse_write(self, "its base or another view of its base has been modified inplace")
        else:
            from .node import as_strided_node
            self._node, self._nr = as_strided_node(base, view), 0


SMALL = 1 << 14  # elements that are copied rather than make a program of their own for each offset


def _computed_piece(base: Value, view: View) -> Value | None:
    """A part of a value that is already computed, as a value of its own, so that a loop over slices keeps one program: a
    contiguous part shares the memory, a small strided one is copied. None for transposes and the like, which are recorded."""
    if base.buffer is None:  # on a device, which has a rule of its own, or inside a transformation, which records
        read = getattr(base, "read_view", None)
        return None if read is None else read(view.shape, view.strides, view.offset)
    shape, offset = view.shape, view.offset
    t = tensor_type(base.type.dtype, shape)
    dense = view.strides == contiguous_strides(shape)
    if dense and t.size == base.type.size or not dense and (offset == 0 or t.size > SMALL) or t.size == 0:
        return None
    memory = base.array()
    size = memory.itemsize
    if dense:
        array = np.ndarray(shape, memory.dtype, memory, offset * size)
    else:
        array = np.ndarray(shape, memory.dtype, memory, offset * size, tuple([s * size for s in view.strides])).copy()
    piece = Value(t, array)
    piece.pinned = base.pinned
    if dense:
        piece.address = base.location() + offset * size
    return piece


_new = object.__new__
DENSE: set[type] = {Tensor}  # the classes whose tensors are nothing but a storage and a geometry; subclasses join them


def make_tensor(value: Value, node: Any = None, nr: int = 0) -> Tensor:
    """A tensor that is the whole of a new storage holding `value`."""
    storage = _new(InferenceStorage if inferring and mode.inference else Storage)
    storage.value, storage.version = value, 0
    t = _new(Tensor)
    t._storage, t._view, t._node, t._nr = storage, None, node, nr
    return t


def alias(t: Tensor, cls: type = Tensor) -> Any:
    """A second handle on t's memory and geometry, without history."""
    if cls is not Tensor and cls not in DENSE:
        from .overriding import adopt
        adopt(cls)
    out = _new(cls)
    out._storage = t._storage
    v = t._view
    out._view = None if v is None else View(v.shape, v.strides, v.offset, v.dtype, None, False, t._storage.version)
    out._node, out._nr = None, 0
    return out
