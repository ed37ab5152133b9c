# ruff: noqa: F821
"""Views: geometry on (shape, strides, offset). No view records anything until it is read."""
from __future__ import annotations

import functools
from math import prod
from typing import Any, Sequence

import numpy as np

from ..ir.types import contiguous_strides, tensor_type
from ..primitives import bitcast, strided_sum, strided_view
from ..runtime.trace import Value
from .grad_mode import mode
from .node import ViewNode
from .not_strided import NotStrided, call_sparse
from .op import op
from .tensor import MANY, NO_GRAD, Tensor, View

_new = object.__new__


def make_view(t: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, grad_name: str, backward: Any,
              dtype: Any = None) -> Tensor:
    """A view of t's storage, read as `dtype` (t's by default); strides and offset count elements of that dtype.

    `backward(grad) -> grad` maps a gradient of the view to one of t; None where there is none.
    """
    out = _new(Tensor)
    storage = t._storage
    parent = t._view
    enabled = mode.enabled
    if parent is None:
        base, tracked = t, enabled
    else:
        if parent.node_version != storage.version:
            t._refresh_node()
        base, tracked = (parent.base, enabled and parent.tracked) if parent.base is not None else (t, enabled)
    view = View(shape, strides, offset, t.dtype if dtype is None else dtype, base, tracked and backward is not None, storage.version)
    if not enabled:
        view.origin = NO_GRAD
    elif parent is not None:
        view.origin = parent.origin
    out._storage, out._view, out._nr = storage, view, 0
    out._node = ViewNode(grad_name, t, backward) if enabled and t._node is not None and backward is not None else None
    return out


def index_error(dim: int, ndim: int) -> IndexError:
    low, high = -max(ndim, 1), max(ndim, 1) - 1
    return IndexError(f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})")


def wrap_dim(dim: int, ndim: int) -> int:
    """A dimension number counted from the front; a 0-dim tensor has the dimensions -1 and 0."""
    if dim.__class__ is not int:
        dim = as_int(dim, "dim")
    n = ndim or 1
    if not -n <= dim < n:
        raise index_error(dim, ndim)
    return dim + n if dim < 0 else dim


def wrap_dims(dims: Any, ndim: int) -> tuple[int, ...]:
    """Dimension numbers counted from the front, without repetition."""
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError(f"dim {next(d for d in wrapped if wrapped.count(d) > 1)} appears multiple times in the list of dims")
    return wrapped


def as_int(value: Any, what: str) -> int:
    """An int from anything that is an index (bool, NumPy integer, 0-dim integer tensor)."""
    try:
        return value.__index__()
    except AttributeError:
        raise TypeError(f"{what} must be int, not {type(value).__name__}") from None


def as_shape(args: Any) -> tuple[int, ...]:
    """Sizes given as one sequence or as several arguments."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    return tuple([a if a.__class__ is int else as_int(a, "size") for a in args])


def spread_over(keyword: str) -> Any:
    """For functions that take sizes or dimensions as several arguments, as one sequence, or by the keyword that PyTorch uses."""
    def decorate(fn: Any) -> Any:
        @functools.wraps(fn)
        def function(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if keyword in kwargs:
                args = (*args, kwargs.pop(keyword))
            return fn(self, *args, **kwargs)
        return function
    return decorate


def infer_size(shape: Sequence[int], numel: int) -> tuple[int, ...]:
    """Replaces one -1 by what makes the sizes multiply to numel."""
    shape = tuple(shape)
    for s in shape:
        if s < -1:
            raise RuntimeError(f"invalid shape dimension {s}")
    unknown = [i for i, s in enumerate(shape) if s == -1]
    known = prod(s for s in shape if s != -1)
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if unknown:
        if known == 0:
            raise RuntimeError(f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
                               "size -1 can be any value and is ambiguous" if numel == 0 else
                               f"shape '{list(shape)}' is invalid for input of size {numel}")
        if numel % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        return tuple(numel // known if s == -1 else s for s in shape)
    if known != numel:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return shape


def view_strides(shape: Sequence[int], strides: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """Strides that show memory (shape, strides) in the shape `new`, or None if no strides can.

    Dimensions are grouped into runs that are contiguous among themselves; each new dimension must fit into one run.
    """
    if prod(shape) == 0:
        return contiguous_strides(tuple(new))
    runs: list[list[int]] = []  # [number of elements, stride of the innermost]
    for size, stride in zip(shape, strides):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1][0] *= size
            runs[-1][1] = stride
        else:
            runs.append([size, stride])
    if not runs:
        return contiguous_strides(tuple(new))
    result = [0] * len(new)
    run = len(runs) - 1
    left, step = runs[run]
    for i in range(len(new) - 1, -1, -1):
        size = new[i]
        if size == 1:
            result[i] = step
            continue
        if left == 1:
            run -= 1
            left, step = runs[run]
        if left % size:
            return None
        result[i] = step
        left //= size
        step *= size
    return tuple(result)


# ------------------------------------------------------------------ shapes

def view_as_shape(t: Tensor, shape: Sequence[int], grad_name: str = "ViewBackward0") -> Tensor | None:
    """t in another shape on the same memory, or None if its strides do not allow it."""
    old, strides, offset = t._geometry()
    shape, new, gradient = _viewed(old, strides, tuple(shape))
    return None if new is None else make_view(t, shape, new, offset, grad_name, gradient)


@functools.lru_cache(maxsize=4096)
def _viewed(old: tuple[int, ...], strides: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...] | None, Any]:
    """(the new shape, its strides or None, the view's gradient)."""
    shape = infer_size(shape, prod(old))
    return shape, view_strides(old, strides, shape), lambda g: reshape(g, old)


@spread_over("size")
def view(self: Tensor, *shape: Any, dtype: Any = None) -> Tensor:
    """The same memory in another shape (sizes multiply to the same number; one may be -1), or, given a dtype, as another type.

    Raises RuntimeError where the strides do not allow it; `reshape` copies then.
    """
    from ..dtypes import dtype as dtype_class
    if dtype is None and len(shape) == 1 and isinstance(shape[0], dtype_class):
        dtype = shape[0]
    if dtype is not None:
        from ..ops.bits import view_dtype
        return view_dtype(self, dtype)
    out = view_as_shape(self, as_shape(shape))
    if out is None:
        raise RuntimeError("view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                           "two contiguous subspaces). Use .reshape(...) instead.")
    return out


@spread_over("shape")
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """input in another shape: a view where its strides allow it, else a copy."""
    if not shape:
        raise TypeError('reshape() missing 1 required positional arguments: "shape"')
    return _reshaped(input, as_shape(shape))


def _reshaped(t: Tensor, shape: tuple[int, ...]) -> Tensor:
    out = view_as_shape(t, shape)
    return out if out is not None else view_as_shape(_clone(t), shape, "UnsafeViewBackward0")  # type: ignore[return-value]


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim … end_dim as one."""
    shape = input._geometry()[0]
    flat = _flattened(shape, start_dim, end_dim)
    return input if flat == shape else _reshaped(input, flat)


@functools.lru_cache(maxsize=4096, typed=True)
def _flattened(shape: tuple[int, ...], start_dim: int, end_dim: int) -> tuple[int, ...]:
    ndim = len(shape)
    start, end = wrap_dim(start_dim, ndim), wrap_dim(end_dim, ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if ndim == 0:
        return (1,)
    return shape if start == end else (*shape[:start], prod(shape[start:end + 1]), *shape[end + 1:])


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension `dim` as several, of these sizes (one may be -1)."""
    d = wrap_dim(dim, input.ndim)
    sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    shape = input.shape
    try:
        new = infer_size(sizes, shape[d])
    except RuntimeError:
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({shape[d]}) in the "
                           "input tensor") from None
    return view(input, (*shape[:d], *new, *shape[d + 1:]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """input without its dimensions of size 1, or without those of `dim` that have size 1."""
    shape, strides, offset = input._geometry()
    ndim = len(shape)
    drop = set(range(ndim)) if dim is None else set(wrap_dims(dim, ndim))
    keep = [i for i in range(ndim) if not (i in drop and shape[i] == 1)]
    return make_view(input, tuple([shape[i] for i in keep]), tuple([strides[i] for i in keep]), offset,
                     "SqueezeBackward0" if dim is None else "SqueezeBackward1", lambda g: reshape(g, shape))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """input with a dimension of size 1 put in at `dim`."""
    try:
        shape, strides, offset = input._geometry()
    except NotStrided:
        return call_sparse("unsqueeze", (input, dim))
    d = wrap_dim(dim, len(shape) + 1)
    stride = shape[d] * strides[d] if d < len(shape) else 1
    return make_view(input, (*shape[:d], 1, *shape[d:]), (*strides[:d], stride, *strides[d:]), offset,
                     "UnsqueezeBackward0", lambda g: reshape(g, shape))


@spread_over("dims")
def permute(input: Tensor, *dims: Any) -> Tensor:
    """Dimension i of the result is dimension dims[i] of input."""
    dims = as_shape(dims)
    try:
        shape, strides, offset = input._geometry()
    except NotStrided:
        return call_sparse("permute", (input, *dims))
    if len(dims) != len(shape):
        raise RuntimeError(f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
                           f"ordering of dimensions i.e. input.dim() = {len(shape)} is not equal to len(dims) = {len(dims)}")
    wrapped = tuple(wrap_dim(d, len(shape)) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    inverse = tuple(int(i) for i in np.argsort(wrapped))
    return make_view(input, tuple([shape[i] for i in wrapped]), tuple([strides[i] for i in wrapped]), offset,
                     "PermuteBackward0", lambda g: permute(g, inverse))


def transpose(input: Tensor, dim0: int, dim1: int, _name: str = "TransposeBackward0") -> Tensor:
    """input with two dimensions exchanged."""
    try:
        shape, strides, offset = input._geometry()
    except NotStrided:
        return call_sparse("transpose", (input, dim0, dim1))
    a, b = wrap_dim(dim0, len(shape)), wrap_dim(dim1, len(shape))
    if not shape or a == b:
        return make_view(input, shape, strides, offset, _name, lambda g: g)
    new_shape, new_strides = list(shape), list(strides)
    new_shape[a], new_shape[b] = shape[b], shape[a]
    new_strides[a], new_strides[b] = strides[b], strides[a]
    return make_view(input, tuple(new_shape), tuple(new_strides), offset, _name, lambda g: transpose(g, a, b))


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; 0-D and 1-D tensors as they are."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return transpose(input, 0, 1, "TBackward0") if input.ndim == 2 else alias_view(input)


def alias_view(input: Tensor) -> Tensor:
    """The same view of the same memory as a new tensor."""
    shape, strides, offset = input._geometry()
    return make_view(input, shape, strides, offset, "AliasBackward0", lambda g: g)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Moves dimensions `source` to the places `destination`; the others keep their order."""
    ndim = input.ndim
    src = wrap_dims((source,) if isinstance(source, int) else source, ndim)
    dst = wrap_dims((destination,) if isinstance(destination, int) else destination, ndim)
    if len(src) != len(dst):
        raise RuntimeError(f"movedim: Invalid source or destination dims: source ({list(src)} dims) should contain the same number of "
                           f"dims as destination ({list(dst)} dims)")
    rest = iter([d for d in range(ndim) if d not in src])
    place = dict(zip(dst, src))
    return permute(input, [place[i] if i in place else next(rest) for i in range(ndim)]) if ndim else alias_view(input)


@spread_over("size")
def expand(self: Tensor, *size: Any) -> Tensor:
    """self with size-1 dimensions repeated (stride 0) and leading dimensions added; -1 keeps a size."""
    shape, strides, offset = self._geometry()
    target = list(as_shape(size))
    lead = len(target) - len(shape)
    if lead < 0:
        raise RuntimeError(f"expand(torch.{self.dtype._legacy}Tensor{{{list(shape)}}}, size={target}): the number of sizes provided "
                           f"({len(target)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})")
    new_strides = [0] * lead + list(strides)
    for i, size_i in enumerate(target):
        if i < lead:
            if size_i < 0:
                raise RuntimeError(f"The expanded size of the tensor ({size_i}) isn't allowed in a leading, non-existing dimension {i}")
            continue
        have = shape[i - lead]
        if size_i == -1:
            target[i] = have
        elif have != size_i:
            if have != 1:
                raise RuntimeError(f"The expanded size of the tensor ({size_i}) must match the existing size ({have}) at non-singleton "
                                   f"dimension {i}.  Target sizes: {target}.  Tensor sizes: {list(shape)}")
            new_strides[i] = 0
    from ..ops.reduction import sum_to_size
    return make_view(self, tuple(target), tuple(new_strides), offset, "ExpandBackward0", lambda g: sum_to_size(g, shape))


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements from `start` along `dim`."""
    if input.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, input.ndim)
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    start = as_int(start, "start")
    n = input.shape[d]
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_view(input, d, start, start + length, 1)


def slice_view(input: Tensor, dim: int, start: int, stop: int, step: int) -> Tensor:
    """input[start:stop:step] along dim, with 0 <= start, stop <= size."""
    shape, strides, offset = input._geometry()
    n = max(0, -(-(stop - start) // step))
    new_shape = (*shape[:dim], n, *shape[dim + 1:])
    new_strides = (*strides[:dim], strides[dim] * step, *strides[dim + 1:])
    return make_view(input, new_shape, new_strides, offset + start * strides[dim], "SliceBackward0",
                     lambda g: _place(g, shape, dim, start, step))


def select(input: Tensor, dim: int, index: Any) -> Tensor:
    """The slice number `index` along `dim`, without that dimension."""
    try:
        shape, strides, offset = input._geometry()
    except NotStrided:
        return call_sparse("select", (input, dim, index))
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, len(shape))
    i = as_int(index, "index")
    n = shape[d]
    if not -n <= i < n:
        raise IndexError(f"select(): index {i} out of range for tensor of size {list(shape)} at dimension {d}")
    i = i + n if i < 0 else i
    return make_view(input, (*shape[:d], *shape[d + 1:]), (*strides[:d], *strides[d + 1:]), offset + i * strides[d],
                     "SelectBackward0", lambda g: _place(unsqueeze(g, d), shape, d, i, 1))


@op("SliceBackward0")
def _place(grad: Tensor, shape, dim, start, step):
    """Zeros of `shape` with grad at [start::step] along dim."""
    from ..primitives import pad
    n = grad.shape[dim]
    span = (n - 1) * step + 1 if n else 0
    low, high, inner = [0] * grad.ndim, [0] * grad.ndim, [0] * grad.ndim
    low[dim], inner[dim] = start, step - 1
    high[dim] = shape[dim] - start - span
    return pad(grad, low, high, inner)


def make_views(t: Tensor, geometries: Sequence[tuple], grad_name: str, backward: Any) -> tuple[Tensor, ...]:
    """Views (shape, strides, offset) that share one autograd node. backward(grads) takes a gradient, or None, for each."""
    from .grad_mode import mode
    from .node import MultiViewNode
    views = tuple([make_view(t, *g, grad_name, backward) for g in geometries])
    if mode.enabled and t._node is not None:
        node = MultiViewNode(grad_name, t, backward, len(views))
        for i, v in enumerate(views):
            v._node, v._nr = node, i
    if mode.enabled:
        for v in views:
            v._view.origin = MANY
    return views


@op("CatBackward0")
def _join_gradients(grads: Tensors | None, shapes, dtype, dim, stacked):
    """The gradient of a tensor from those of its parts along `dim`; a missing one is zero."""
    from ..primitives import concat, full, reshape
    builder = next(g.builder for g in grads if g is not None)
    parts = [full(shape, 0, dtype, builder) if g is None else g for g, shape in zip(grads, shapes)]
    return concat([reshape(g, (*g.shape[:dim], 1, *g.shape[dim:])) for g in parts] if stacked else parts, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim` as a tuple."""
    shape, strides, offset = input._geometry()
    d = wrap_dim(dim, len(shape))
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    n, step = shape[d], strides[d]
    part, part_strides = (*shape[:d], *shape[d + 1:]), (*strides[:d], *strides[d + 1:])
    return make_views(input, [(part, part_strides, offset + i * step) for i in range(n)], "UnbindBackward0",
                      lambda gs: _join_gradients(gs, (part,) * n, next(g.dtype for g in gs if g is not None), d, True))


def split_view(input: Tensor, sizes: Sequence[int], dim: int, grad_name: str) -> tuple[Tensor, ...]:
    """Consecutive parts of these sizes along `dim`."""
    shape, strides, offset = input._geometry()
    shapes = tuple([(*shape[:dim], n, *shape[dim + 1:]) for n in sizes])
    geometries, at = [], 0
    for part in shapes:
        geometries.append((part, strides, offset + at * strides[dim]))
        at += part[dim]
    return make_views(input, geometries, grad_name,
                      lambda gs: _join_gradients(gs, shapes, next(g.dtype for g in gs if g is not None), dim, False))


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonal of dimensions dim1 and dim2, as the last dimension."""
    shape, strides, start = input._geometry()
    a, b = wrap_dim(dim1, len(shape)), wrap_dim(dim2, len(shape))
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = max(0, min(shape[a] + min(offset, 0), shape[b] - max(offset, 0)))
    begin = start + (offset * strides[b] if offset >= 0 else -offset * strides[a]) if n else start
    rest = [i for i in range(len(shape)) if i not in (a, b)]
    new_shape = (*[shape[i] for i in rest], n)
    new_strides = (*[strides[i] for i in rest], strides[a] + strides[b])
    return make_view(input, new_shape, new_strides, begin, "DiagonalBackward0",
                     lambda g: diagonal_backward(g, shape, offset, a, b))


@op("DiagonalBackward0")
def diagonal_backward(grad: Tensor, shape, offset, dim1, dim2):
    """Zeros of `shape` with grad on the diagonal."""
    strides = contiguous_strides(shape)
    rest = [i for i in range(len(shape)) if i not in (dim1, dim2)]
    begin = offset * strides[dim2] if offset >= 0 else -offset * strides[dim1]
    return strided_sum(grad, shape, (*[strides[i] for i in rest], strides[dim1] + strides[dim2]), begin if grad.size else 0)


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements along a dimension, `step` apart, as a new last dimension."""
    shape, strides, offset = self._geometry()
    d = wrap_dim(dimension, len(shape))
    n = shape[d] if shape else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not shape:
        return make_view(self, (size,), (1,), offset, "UnfoldBackward0", lambda g: reshape(g, ()))
    new_shape = (*shape[:d], (n - size) // step + 1, *shape[d + 1:], size)
    new_strides = (*strides[:d], strides[d] * step, *strides[d + 1:], strides[d])
    return make_view(self, new_shape, new_strides, offset, "UnfoldBackward0", lambda g: unfold_backward(g, shape, d, step))


@op("UnfoldBackward0")
def unfold_backward(grad: Tensor, shape, dim, step):
    """Adds the windows' gradients up where they came from."""
    s = contiguous_strides(shape)
    return strided_sum(grad, shape, (*s[:dim], s[dim] * step, *s[dim + 1:], s[dim]), 0)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Any view of input's storage: sizes and strides in elements."""
    size, stride = as_shape((tuple(size),)), as_shape((tuple(stride),))
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    base_shape, base_strides, base_offset = input._geometry()
    offset = base_offset if storage_offset is None else storage_offset
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride)) + 1 if 0 not in size else 0
    itemsize = input.dtype.itemsize
    if offset < 0 or reach * itemsize > input._storage.value.type.nbytes:
        raise RuntimeError(f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {itemsize} "
                           f"requiring a storage size of {reach * itemsize} are out of bounds for storage of size "
                           f"{input._storage.value.type.nbytes}")
    return make_view(input, size, stride, offset, "AsStridedBackward0",
                     lambda g: as_strided_backward(g, base_shape, base_strides, base_offset, input.dtype, size, stride, offset))


@op("AsStridedBackward0")
def as_strided_backward(grad: Tensor, base_shape, base_strides, base_offset, base_dtype, shape, strides, offset):
    """The gradient of a strided view in the geometry of the tensor it was made from: through their common memory."""
    def nbytes(shape, strides, offset, itemsize):
        return itemsize * (1 + offset + sum((n - 1) * s for n, s in zip(shape, strides))) if 0 not in shape else 0
    itemsize = grad.dtype.itemsize
    reach = max(nbytes(base_shape, base_strides, base_offset, base_dtype.itemsize), nbytes(shape, strides, offset, itemsize))
    unit = max(itemsize, base_dtype.itemsize)
    flat = strided_sum(grad, (-(-reach // unit) * unit // itemsize,), strides, offset)
    return strided_view(bitcast(flat, base_dtype), base_shape, base_strides, base_offset)


# ------------------------------------------------------------------ copies

@op("CloneBackward0")
def _clone(input: Tensor):
    return input


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own."""
    if memory_format is None and input._view is None:
        return _clone(input)
    from ..ops.memory_format import in_format
    return in_format(_clone(input), memory_format, input)


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie row by row (or in the given memory format) without gaps."""
    shape, strides, _ = self._geometry()
    if memory_format is None:
        want: tuple[int, ...] | None = contiguous_strides(shape)
        if strides == want:
            return True
    else:
        from ..ops.memory_format import strides_of_format
        want = strides_of_format(shape, memory_format)
    return want is not None and (0 in shape or all(a == b for n, a, b in zip(shape, strides, want) if n != 1))


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """self, or a contiguous copy."""
    if is_contiguous(self, memory_format):
        return self
    if memory_format is None:
        return _clone(self)
    from ..ops.memory_format import in_format
    return in_format(_clone(self), memory_format, self)


def resize_(self: Tensor, *shape: Any, memory_format: Any = None) -> Tensor:
    """Changes the sizes in place. New memory is unspecified in PyTorch, and zero here; kept elements keep their order."""
    shape = as_shape(shape)
    storage, dtype = self._storage, self.dtype
    if self._node is not None:
        raise RuntimeError("cannot resize variables that require grad")
    stored = storage.value.type
    offset = 0 if self._view is None else self._view.offset
    n = -(-(offset + prod(shape)) * dtype.itemsize // stored.dtype.itemsize)
    if n > stored.size:
        old = storage.flat()
        data = np.zeros(n, old.dtype)
        data[:old.size] = old
        storage.value = Value(tensor_type(stored.dtype, (n,)), data)
        storage.version += 1
    self._view = View(shape, contiguous_strides(shape), offset, dtype, None, False, storage.version)
    return self


