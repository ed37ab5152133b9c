# ruff: noqa: F821
"""`x[key]` and `x[key] = value`: NumPy's and PyTorch's indexing.

A key is read left to right. Integers, slices, `None` and `...` are basic: together they make one view. Tensors, lists,
arrays and bools are advanced: they read (or write) that view at computed positions, as `index` and `index_put` say.
"""
from __future__ import annotations

import operator
from math import prod
from typing import Any, NamedTuple, NoReturn, Sequence

import numpy as np

from .. import primitives as p
from ..dtypes import bool_, can_cast, int32, int64, overflow_error, uint8, widen
from ..ir.graph import Var
from ..ops.creation import from_array
from ..runtime.trace import Value
from ..warning import warn_once
from .attributes import host_array, viewed
from .op import op
from .placement import device_of, follow, is_transformed, moved
from .tensor import Tensor
from .views import make_view, unsqueeze
from .write import assign, check_writable, refuse_partial_overlap

SEQUENCE_AS_TUPLE = ("Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in "
                     "pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as "
                     "tensor index, x[torch.tensor(seq)], which will result either in an error or a different result")


# ------------------------------------------------------------------ reading a key

class Parsed(NamedTuple):
    """A key applied to a tensor: the basic view, and (dimension of the view, index tensor) for each advanced index."""

    view: Tensor
    indices: list[tuple[int, Tensor]]


def _as_items(key: Any) -> list:
    """The parts of a key; sequences and arrays become index tensors."""
    if isinstance(key, tuple):
        return [_as_item(k) for k in key]
    if isinstance(key, list) and len(key) < 32:
        for k in key:
            if k is None or k is Ellipsis:
                return [_as_item(k) for k in key]
            if isinstance(k, (Tensor, slice, list, tuple, str, range, np.ndarray)):
                warn_once(SEQUENCE_AS_TUPLE, 5)
                return [_as_item(k) for k in key]
    return [_as_item(key)]


def _as_item(k: Any) -> Any:
    """One part of a key as an int, a slice, None, Ellipsis, a bool or a tensor."""
    if k is None or k is Ellipsis or isinstance(k, (bool, slice, Tensor)):
        return k
    try:
        return operator.index(k)
    except TypeError:
        pass
    if isinstance(k, str):
        raise TypeError("new(): invalid data type 'str'")
    if not isinstance(k, (list, tuple, range, np.ndarray)):
        kind = type(k) if type(k).__module__ == "builtins" else None
        name = kind.__name__ if kind else f"{type(k).__module__}.{type(k).__name__}"
        raise IndexError("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
                         "indices "
                         f"(got {name})")
    return index_tensor(k)


def index_tensor(data: Any) -> Tensor:
    """Positions (int64) or a mask (bool) from a sequence or an array."""
    from ..ops.from_data import array_to_tensor
    array = data if isinstance(data, np.ndarray) else host_array(array_to_tensor(list(data)))
    if array.dtype == np.bool_:
        return from_array(np.array(array, order="C"), bool_)
    return from_array(np.array(array, np.int64, order="C"), int64)


def _specified(item: Any) -> int:
    """How many dimensions of the tensor a part of a key takes."""
    if isinstance(item, Tensor):
        return item.ndim if item.dtype in (bool_, uint8) else 1
    return 0 if item is None or item is Ellipsis or isinstance(item, bool) else 1


def out_of_bounds(index: int, dim: int, size: int) -> IndexError:
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")


class _Walk:
    """Applies the basic parts of a key to a geometry, dimension by dimension.

    starts, steps and sizes describe, for each dimension of the source, the part that is kept (size 1 for an integer).
    """

    def __init__(self, t: Tensor):
        self.source, self.source_strides, self.offset = t._geometry()
        self.shape: list[int] = []
        self.strides: list[int] = []
        self.starts: list[int] = []
        self.steps: list[int] = []
        self.sizes: list[int] = []
        self.grad_name = ""

    @property
    def dim(self) -> int:
        """The dimension of the source that is next."""
        return len(self.sizes)

    def _take(self, start: int, step: int, size: int) -> int:
        stride = self.source_strides[self.dim]
        self.offset += start * stride
        self.starts.append(start)
        self.steps.append(step)
        self.sizes.append(size)
        return stride

    def integer(self, i: int) -> None:
        n = self.source[self.dim]
        if not -n <= i < n:
            if not -2 ** 63 <= i < 2 ** 63:
                raise ValueError("Overflow when unpacking long long")
            raise out_of_bounds(i, len(self.shape), n)
        self._take(i + n if i < 0 else i, 1, 1)
        self.grad_name = "SelectBackward0"

    def slice(self, s: slice, alone: bool = False) -> None:
        n = self.source[self.dim]
        if s.step is not None and operator.index(s.step) < 0:
            raise ValueError("step must be greater than zero")
        start, stop, step = s.indices(n)
        size = max(0, -(-(stop - start) // step))
        if alone or start or stop != n or step != 1:
            self.grad_name = "SliceBackward0"
        self.strides.append(self._take(start, step, size) * step)
        self.shape.append(size)

    def skip(self, count: int) -> None:
        for _ in range(count):
            n = self.source[self.dim]
            self.strides.append(self._take(0, 1, n))
            self.shape.append(n)

    def new(self) -> None:
        d = self.dim
        inner = self.source[d] * self.source_strides[d] if d < len(self.source) else 1
        self.shape.append(1)
        self.strides.append(inner)
        self.grad_name = "UnsqueezeBackward0"

    def view(self, t: Tensor, always: bool) -> Tensor:
        """The view; t itself if nothing changed, unless `always`."""
        if not self.grad_name and not always:
            return t
        shape = self.source
        starts, steps, sizes = tuple(self.starts), tuple(self.steps), tuple(self.sizes)
        return make_view(t, tuple(self.shape), tuple(self.strides), self.offset, self.grad_name or "AliasBackward0",
                         lambda g: place_part(g, shape, starts, steps, sizes))


@op("SliceBackward0")
def place_part(grad: Tensor, shape, starts, steps, sizes):
    """Zeros of `shape` with grad, in the shape `sizes`, from `starts` on in steps of `steps`."""
    spans = [(n - 1) * s + 1 if n else 0 for n, s in zip(sizes, steps)]
    high = [n - a - span for n, a, span in zip(shape, starts, spans)]
    return p.pad(p.reshape(grad, sizes), starts, high, [s - 1 for s in steps])


def parse(self: Tensor, key: Any) -> Parsed:
    """Applies a key: see `Parsed`."""
    items = _as_items(key)
    ndim = self.ndim
    specified = sum(map(_specified, items))
    if ndim == 0 and any(type(k) is int or isinstance(k, slice) for k in items):
        raise IndexError("slice() cannot be applied to a 0-dim tensor." if isinstance(items[0], slice) else
                         "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
                         "to convert a 0-dim tensor to a number")
    if specified > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    walk = _Walk(self)
    indices: list[tuple[int, Tensor]] = []
    for item in items:
        if item is None:
            walk.new()
        elif item is Ellipsis:
            walk.skip(ndim - specified)
            specified = ndim  # a second ellipsis stands for nothing
        elif isinstance(item, bool):
            _read_bool(walk, indices, item)
        elif isinstance(item, slice):
            walk.slice(item, alone=len(items) == 1)
        elif isinstance(item, Tensor):
            _read_tensor(walk, indices, item)
        else:
            walk.integer(item)
    walk.skip(ndim - walk.dim)
    for at, index in indices:
        if index.dtype in (bool_, uint8):
            _check_mask(index.shape, at, walk.shape)
    return Parsed(walk.view(self, always=not indices), indices)


def _read_bool(walk: _Walk, indices: list, value: bool) -> None:
    """True and False are masks of no dimension: they add one, of size 1 or 0."""
    indices.append((len(walk.shape), from_array(np.zeros(int(value), np.int64), int64)))
    walk.new()


def _read_tensor(walk: _Walk, indices: list, index: Tensor) -> None:
    kind = index.dtype
    if kind.kind not in "iub" or kind not in (bool_, uint8) and kind.itemsize < 4 and index.ndim:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if kind in (bool_, uint8) and index.ndim == 0:
        _read_bool(walk, indices, bool(index))
    elif kind in (bool_, uint8):
        if kind is uint8:
            warn_once("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.", 6)
        indices.append((len(walk.shape), index))
        walk.skip(index.ndim)
    elif index.ndim == 0 and index._storage.value.__class__ is Value:
        walk.integer(int(host_array(index)))
    else:
        indices.append((len(walk.shape), index))
        walk.skip(1)


def _check_mask(mask: Sequence[int], at: int, shape: list[int]) -> None:
    for k, n in enumerate(mask):
        if shape[at + k] != n:
            raise IndexError(f"The shape of the mask {list(mask)} at index {k} does not match the shape of the indexed "
                             f"tensor {shape} at index {at + k}")


# ------------------------------------------------------------------ advanced reading and writing

def known_array(t: Tensor) -> np.ndarray | None:
    """The tensor's values if they are computed already, else None. Never write to it."""
    value = t._storage.value
    array = value.known()
    if array is None or t._view is None and not value.type.dtype.encoded:
        return array
    return widen(viewed(array, t), t.dtype)


_UNSIGNED = {np.dtype(f"i{n}"): np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


def first_outside(index: Tensor, low: int, high: int) -> int | None:
    """The first position outside low … high-1, if the positions are known already and there is one."""
    array = known_array(index)
    if array is None or not array.size:
        return None
    flat = array if array.ndim == 1 else array.reshape(-1)
    if array.size <= 16:  # NumPy's calls cost more than a loop
        few = flat.tolist()
        inside = max(few) < high and min(few) >= low
    elif low == 0 and array.dtype in _UNSIGNED:  # negative numbers are the largest then: one look instead of two
        inside = np.maximum.reduce(flat.view(_UNSIGNED[array.dtype])) < high
    else:
        inside = np.maximum.reduce(flat) < high and np.minimum.reduce(flat) >= low
    return None if inside else int(array[(array < low) | (array >= high)].flat[0])


def true_positions(array: np.ndarray) -> np.ndarray:
    """The positions of the elements that are not zero, one a column. A division per dimension is cheaper than NumPy's search in
    more than one dimension."""
    found = array if array.dtype == bool else array != 0
    place = found.reshape(-1).nonzero()[0]
    positions = np.empty((array.ndim, len(place)), np.int64)
    for d in range(array.ndim - 1, 0, -1):
        np.divmod(place, array.shape[d], out=(positions[0], positions[d]))
        place = positions[0]
    if array.ndim == 1:
        positions[0] = place
    return positions


def check_range(index: Tensor, size: int, dim: int) -> None:
    """IndexError for positions outside -size … size-1, where they are known now; kernels check the others."""
    bad = first_outside(index, -size, size)
    if bad is not None:
        raise out_of_bounds(bad, dim, size)


def _has_examples(index: Tensor) -> bool:
    from .transforms import has_examples
    return has_examples(index)


def positions(view: Tensor, indices: Sequence[tuple[int, Tensor]]) -> tuple[tuple[int, ...], list[Tensor]]:
    """The dimensions and index tensors of advanced indices, masks replaced by the positions of their true elements."""
    dims: list[int] = []
    tensors: list[Tensor] = []
    for dim, index in indices:
        if index.dtype in (bool_, uint8):
            if is_transformed(index) and _has_examples(index):
                raise RuntimeError("vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over "
                                   "indexing with a boolean mask.")
            for k, found in enumerate(true_positions(host_array(index))):
                dims.append(dim + k)
                tensors.append(from_array(found, int64))
        else:
            dims.append(dim)
            tensors.append(index)
    shapes = [tuple(t.shape) for t in tensors]
    try:
        p.broadcast_shapes(*shapes)
    except RuntimeError:
        raise IndexError("shape mismatch: indexing tensors could not be broadcast together with shapes "
                         + ", ".join(str(list(s)) for s in shapes)) from None
    return tuple(dims), [follow(t, view) for t in tensors]


def wrapped(index: Var, size: int) -> Var:
    """Positions as int64, negative ones counted from the end."""
    index = p.cast(index, int64)
    return p.select(p.lt(index, 0), index + size, index)


def _linear(indices: Sequence[Var], sizes: Sequence[int]) -> Var:
    """Positions in the row-major product of `sizes`; -1, which kernels refuse, where one of them is out of range."""
    if len(indices) == 1:
        return wrapped(indices[0], sizes[0])
    total = valid = None
    for index, n in zip(indices, sizes):
        index = wrapped(index, n)
        inside = p.bitwise_and(p.ge(index, 0), p.lt(index, n))
        valid = inside if valid is None else p.bitwise_and(*p.as_vars(valid, inside))
        total = index if total is None else total * n + index
    return p.select(valid, total, -1)


class _Layout(NamedTuple):
    """How a tensor is arranged so that the indexed dimensions are one: permute by `order`, reshape to `merged`, index
    `dim`."""

    order: tuple[int, ...]
    merged: tuple[int, ...]
    dim: int


def _layout(shape: tuple[int, ...], dims: tuple[int, ...]) -> _Layout:
    """Adjacent indexed dimensions stay in place; others go first, as in NumPy."""
    adjacent = dims == tuple(range(dims[0], dims[0] + len(dims)))
    rest = tuple(i for i in range(len(shape)) if i not in dims)
    order = tuple(range(len(shape))) if adjacent else dims + rest
    dim = dims[0] if adjacent else 0
    moved = tuple(shape[i] for i in order)
    return _Layout(order, (*moved[:dim], prod(shape[i] for i in dims), *moved[dim + len(dims):]), dim)


def _check_index(input: Tensor, indices: Sequence[Tensor], dims: tuple[int, ...]) -> None:
    shape = input._geometry()[0]
    for at, dim in zip(indices, dims):
        check_range(at, shape[dim], dim)


def _check_index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, dims: tuple[int, ...], accumulate: bool) -> None:
    _check_index(input, indices, dims)


@op("IndexBackward0", check=_check_index)
def index(input: Tensor, indices: Tensors, dims):
    """input at the positions `indices`, which are broadcast together, of the dimensions `dims` (ascending)."""
    order, merged, dim = _layout(input.shape, dims)
    at = _linear(indices, [input.shape[d] for d in dims])
    return p.take(p.reshape(p.permute(input, order), merged), at, dim)


@op("IndexBackward0", name="index", check=lambda input, at: check_range(at, input._geometry()[0][0], 0))
def _index_rows(input: Tensor, at: Tensor):
    """input[at], the most frequent of advanced keys."""
    return index.op.body(input, [at], (0,))


@op("IndexBackward0", name="index")
def _index_masked(input: Tensor, at: Tensor, n):
    """input at the positions `at` of its first n dimensions taken as one."""
    return p.take(p.reshape(input, (prod(input.shape[:n]), *input.shape[n:])), at, 0)


@op("IndexPutBackward0", check=_check_index_put)
def index_put(input: Tensor, indices: Tensors, values: Tensor, dims, accumulate):
    """input with `values` (broadcast) set at, or added to, the positions `indices` of the dimensions `dims`."""
    order, merged, dim = _layout(input.shape, dims)
    at = _linear(indices, [input.shape[d] for d in dims])
    moved = p.permute(input, order)
    target = (*merged[:dim], *at.shape, *merged[dim + 1:])
    values = p.broadcast_to(fit_value(values, target), target)
    written = p.put(p.reshape(moved, merged), at, values, dim, "add" if accumulate else "set")
    return p.permute(p.reshape(written, moved.shape), [order.index(i) for i in range(len(order))])


def fit_value(values: Var, target: tuple[int, ...]) -> Var:
    """values without surplus leading dimensions of size 1; RuntimeError where it cannot be broadcast to `target`."""
    shape = values.shape
    surplus = max(0, len(shape) - len(target))
    tail = shape[surplus:]
    if prod(shape[:surplus]) != 1 or any(a not in (1, b) for a, b in zip(reversed(tail), reversed(target))):
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing "
                           f"result of shape {list(target)}")
    return p.reshape(values, tail)


@op("MaskedFillBackward0")
def _fill_where(input: Tensor, mask: Tensor, value: Tensor, dim):
    """input with `value` (one element) where mask, which stands for the dimensions from `dim` on, is true."""
    mask = p.cast(mask, bool_)
    mask = p.reshape(mask, mask.shape + (1,) * (input.ndim - dim - mask.ndim))
    return p.select(mask, p.reshape(p.cast(value, input.dtype), ()), input)


# ------------------------------------------------------------------ the two doors

def getitem(self: Tensor, key: Any) -> Tensor:
    """self[key]: a view for a basic key, else a new tensor."""
    if key.__class__ is int:
        return row(self, key)
    if key.__class__ is slice:
        found = rows(self, key)
        if found is not None:
            return found
    if isinstance(key, Tensor) and key.dtype in (int64, int32) and key.ndim and self.ndim:
        return _index_rows(self, key)
    if key is None:
        return unsqueeze(self, 0)
    if isinstance(key, Tensor) and key.dtype is bool_ and _masks_leading(key, self):
        return _index_masked(self, from_array(np.flatnonzero(host_array(key)), int64), key.ndim)
    view, indices = parse(self, key)
    if not indices:
        return view
    dims, tensors = positions(view, indices)
    return index(view, tensors, dims)


def _masks_leading(mask: Tensor, t: Tensor) -> bool:
    """Whether mask has the shape of t's first dimensions, and both are on the host: the plain case of a mask."""
    shape = mask._geometry()[0]
    return shape != () and shape == t._geometry()[0][:len(shape)] \
        and mask._storage.value.__class__ is Value and t._storage.value.__class__ is Value


def row(self: Tensor, i: int) -> Tensor:
    """self[i], the most frequent key."""
    shape, strides, offset = self._geometry()
    n = shape[0] if shape else 0
    if not -n <= i < n:
        return parse(self, i).view  # for its errors
    i = i + n if i < 0 else i
    return make_view(self, shape[1:], strides[1:], offset + i * strides[0], "SelectBackward0",
                     lambda g: _place_rows(g, shape, i, 1))


def rows(self: Tensor, key: slice) -> Tensor | None:
    """self[start:stop], the batch of a loop over rows; None for other slices."""
    start, stop = key.start, key.stop
    shape, strides, offset = self._geometry()
    if key.step is not None or start.__class__ is not int or stop.__class__ is not int or not shape \
            or not 0 <= start < stop or start >= shape[0]:
        return None
    count = min(stop, shape[0]) - start
    return make_view(self, (count, *shape[1:]), strides, offset + start * strides[0], "SliceBackward0",
                     lambda g: _place_rows(g, shape, start, count))


def _place_rows(grad: Tensor, shape: tuple[int, ...], start: int, count: int) -> Tensor:
    return place_part(grad, shape, (start, *(0,) * (len(shape) - 1)), (1,) * len(shape), (count, *shape[1:]))


def setitem(self: Tensor, key: Any, value: Any) -> None:
    """self[key] = value, a number or a tensor that broadcasts to self[key]."""
    if isinstance(key, bool):
        return write_part(unsqueeze(self, 0), value) if key else None
    view, indices = parse(self, key)
    if not indices:
        return write_part(view, value)
    check_writable(view)
    value = _value_tensor(view, value)
    if len(indices) == 1 and indices[0][1].dtype in (bool_, uint8) and value.shape.numel() == 1 \
            and can_cast(value.dtype, view.dtype):
        return assign(view, _fill_where(view, indices[0][1], value, indices[0][0]))
    if value.dtype is not view.dtype:
        raise RuntimeError("Index put requires the source and destination dtypes match, got "
                           f"{view.dtype._legacy} for the destination and {value.dtype._legacy} for the source.")
    dims, tensors = positions(view, indices)
    assign(view, index_put(view, tensors, value, dims, False))


def _value_tensor(target: Tensor, value: Any) -> Tensor:
    """The value of an assignment as a tensor; numbers take target's dtype."""
    if isinstance(value, Tensor):
        return value
    return _copied(_number(target, value), (), target.dtype)


def _number(target: Tensor, value: Any) -> Any:
    """value, if it is a number that target can hold."""
    if not isinstance(value, (bool, int, float, complex, np.integer, np.bool_)):
        kind = type(value)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise TypeError(f"can't assign a {name} to a torch.{target.dtype._legacy}Tensor")
    value = value.item() if isinstance(value, np.generic) else value
    error = overflow_error(value, target.dtype, check_half=False)
    if error is not None:
        raise error
    return value


@op("CopyBackwards")
def _copied(value: Scalar, shape, dtype):
    """value, converted to dtype and broadcast to shape; surplus leading dimensions of size 1 are dropped."""
    surplus = max(0, value.ndim - len(shape))
    if prod(value.shape[:surplus]) == 1:
        value = p.reshape(value, value.shape[surplus:])
    lead = len(shape) - value.ndim
    for i, n in enumerate(value.shape):
        if lead < 0:
            raise RuntimeError(f"expand(torch.{dtype._legacy}Tensor{{{list(value.shape)}}}, size={list(shape)}): the "
                               f"number of sizes provided ({len(shape)}) must be greater or equal to the number of "
                               f"dimensions in the tensor ({value.ndim})")
        if n not in (1, shape[lead + i]):
            raise RuntimeError(f"The expanded size of the tensor ({shape[lead + i]}) must match the existing size "
                               f"({n}) at non-singleton dimension {lead + i}.  Target sizes: {list(shape)}.  Tensor "
                               f"sizes: {list(value.shape)}")
    return p.broadcast_to(p.cast(value, dtype), shape)


def write_part(view: Tensor, value: Any) -> None:
    """Copies a number or a tensor over a whole view."""
    check_writable(view)
    if not isinstance(value, Tensor):
        value = _number(view, value)
    elif value._storage is view._storage and value._geometry() == view._geometry():
        return  # x[i] += 1 has written already, and now assigns x[i] to itself
    elif value._storage is view._storage:
        refuse_partial_overlap((value,), view)
    elif value.dtype.kind == "c" and view.dtype.kind != "c":
        warn_once("Casting complex values to real discards the imaginary part", 5)
    new = _copied(value, tuple(view.shape), view.dtype)
    if not new._storage.value.__class__ is Value is view._storage.value.__class__:
        new = moved(new, device_of(view))
    assign(view, new)


def delitem(self: Tensor, key: Any) -> NoReturn:
    """TypeError: a tensor's elements cannot be deleted."""
    raise TypeError("Tensor does not support deleting items")


METHODS = {"__getitem__": getitem, "__setitem__": setitem, "__delitem__": delitem}
