# ruff: noqa: F821
"""Transposes, broadcasting, repetition and reversal; and the methods that change a tensor's own geometry (`squeeze_`
…)."""
from __future__ import annotations

import itertools
from typing import Any, Callable, Sequence

import numpy as np

from .. import primitives as p
from ..dtypes import int64
from ..tensor import views
from ..tensor.examples import one_by_one
from ..tensor.op import op
from ..tensor.strides import laid_out, order_of_memory
from ..tensor.tensor import Tensor
from ..tensor.views import (as_int, as_shape, expand, movedim, permute, reshape, spread_over, squeeze, transpose,
                            unsqueeze, wrap_dim, wrap_dims)
from ..tensor.write import check_writable
from ..warning import warn_once
from .creation import from_array


def tensors_of(args: tuple) -> list[Tensor]:
    """Tensors given as several arguments or as one sequence."""
    found = list(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else list(args)
    for i, x in enumerate(found):
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
    return found


# ------------------------------------------------------------------ transposes

def _matrix_transpose(name: str, x: Tensor) -> Tensor:
    if x.ndim == 0:
        instead = "This function is the identity in these cases." if name == "mT" else "Consider using x.conj()."
        warn_once(f"{name if name == 'adjoint()' else 'Tensor.' + name} is deprecated on 0-D tensors. {instead}")
        return views.alias_view(x)
    if x.ndim == 1:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return transpose(x, -2, -1)


def _conjugated(x: Tensor) -> Tensor:
    return x.conj() if x.dtype.kind == "c" else x  # type: ignore[attr-defined]


def _T(self: Tensor) -> Tensor:
    """The dimensions in reverse order (meant for matrices)."""
    if self.ndim == 0:
        warn_once("Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases.")
    elif self.ndim != 2:
        warn_once("The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it "
                  "will throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
                  "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.")
    return permute(self, tuple(range(self.ndim - 1, -1, -1)))


def _mT(self: Tensor) -> Tensor:
    """The transposes of the matrices in the last two dimensions."""
    return _matrix_transpose("mT", self)


def _mH(self: Tensor) -> Tensor:
    """The conjugate transposes of the matrices in the last two dimensions."""
    return _conjugated(_matrix_transpose("mH", self))


def _H(self: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    if self.ndim not in (0, 2):
        hint = ". For batches of matrices, consider using tensor.mH" if self.ndim > 2 else "."
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor{hint}")
    return _conjugated(_matrix_transpose("H", self))


def adjoint(input: Tensor) -> Tensor:
    """The conjugate transposes of the matrices in the last two dimensions."""
    if input.ndim == 1:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return _conjugated(_matrix_transpose("adjoint()", input))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """input with two dimensions exchanged."""
    return transpose(input, axis0, axis1)


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """input with two dimensions exchanged."""
    return transpose(input, dim0, dim1)


def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Moves dimensions `source` to the places `destination`; the others keep their order."""
    return movedim(input, source, destination)


# ------------------------------------------------------------------ shapes of one's own and of others

def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension: a view where possible."""
    return reshape(views.contiguous(input), (-1,))


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """self viewed in the shape of other."""
    return views.view(self, other.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """self in the shape of other: a view where possible."""
    return reshape(self, other.shape)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """self with size-1 dimensions repeated to the shape of other."""
    return expand(self, other.shape)


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """input with size-1 dimensions repeated and leading ones added, as a view."""
    return expand(input, size)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape, as views; those that have it are returned as they are."""
    xs = tensors_of(tensors)
    shape = p.broadcast_shapes(*[tuple(x.shape) for x in xs])
    return tuple([x if tuple(x.shape) == shape else expand(x, shape) for x in xs])


def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes (or sizes of 1-D tensors) broadcast to."""
    from ..tensor.size import Size
    plain = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    for s in itertools.chain(*plain):
        if s < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension ({s}): ({s})")
    try:
        return Size(p.broadcast_shapes(*plain))
    except RuntimeError:
        raise RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape") from None


def _at_least(ndim: int) -> Callable:
    def fn(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return _widen(tensors[0], ndim)
        return tuple([_widen(x, ndim) for x in tensors_of(tensors)])
    fn.__name__ = fn.__qualname__ = f"atleast_{ndim}d"
    fn.__doc__ = f"Views of the tensors with {ndim} or more dimensions; one for one, a tuple for several."
    return fn


def _widen(x: Tensor, ndim: int) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"atleast_{ndim}d(): argument 'tensors' must be tuple of Tensors, not {type(x).__name__}")
    if x.ndim >= ndim:
        return x
    if x.ndim == 0:
        return reshape(x, (1,) * ndim)
    if ndim == 2:
        return unsqueeze(x, 0)
    return unsqueeze(unsqueeze(x, 0), -1) if x.ndim == 1 else unsqueeze(x, -1)


atleast_1d, atleast_2d, atleast_3d = _at_least(1), _at_least(2), _at_least(3)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of coordinates: view i varies along dimension i with the elements of tensor i ("ij"), or with the first two
    dimensions exchanged ("xy")."""
    xs = tensors_of(tensors)
    if not xs:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in xs:
        if x.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x.ndim}")
        if x.dtype is not xs[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warn_once("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: {indexing}")
    swap = indexing == "xy" and len(xs) >= 2
    if swap:
        xs[0], xs[1] = xs[1], xs[0]
    shape = tuple(x.shape.numel() for x in xs)
    grids = [expand(reshape(x, tuple(-1 if k == i else 1 for k in range(len(xs)))), shape) for i, x in enumerate(xs)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one element of each 1-D tensor, as rows."""
    xs = tensors_of(tensors)
    for x in xs:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(xs) == 1:
        return xs[0]
    from .shape import stack
    return stack([ravel(g) for g in meshgrid(*xs, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to choose r elements of a 1-D tensor, in order, as rows."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(input.shape[0]), r))
    if r == 0:
        return input.new_empty((0,))  # type: ignore[attr-defined]
    from .indexing import index_select
    flat = from_array(np.array(rows, np.int64).reshape(-1), int64, input)
    return reshape(index_select(input, 0, flat), (len(rows), r))


# ------------------------------------------------------------------ reversal and rotation

@op("FlipBackward0")
def _flip(input: Tensor, dims):
    return p.flip(input, wrap_dims(dims, input.ndim) if input.ndim else ())


@spread_over("dims")
def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy with the order along `dims` reversed."""
    dims = as_shape(dims)
    wrap_dims(dims, input.ndim)
    return _flip(input, dims)


def fliplr(input: Tensor) -> Tensor:
    """A copy with the columns in reverse order."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return _flip(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """A copy with the rows in reverse order."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return _flip(input, (0,))


def _turned(out: Tensor, input: Tensor, k=1, dims=(0, 1)) -> list[int]:
    """A quarter turn is a flip, which keeps the order in memory, of which two dimensions are then exchanged."""
    order = order_of_memory(input) if k % 4 else list(reversed(range(input.ndim)))
    a, b = wrap_dims(dims, input.ndim)
    return [{a: b, b: a}.get(d, d) for d in order] if k % 2 else order


@laid_out(_turned)
@op("Rot90Backward0")
def rot90(input: Tensor, k=1, dims=(0, 1)):
    """input rotated k times by 90° from the first towards the second of two dimensions."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == input.ndim:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    for i, d in enumerate(dims):
        if not -input.ndim <= d < input.ndim:
            raise RuntimeError(f"Rotation dim{i} out of range, dim{i} = {d}")
    a, b = wrap_dims(dims, input.ndim)
    order = list(range(input.ndim))
    order[a], order[b] = b, a
    return [lambda: input, lambda: p.permute(p.flip(input, (b,)), order), lambda: p.flip(input, (a, b)),
            lambda: p.permute(p.flip(input, (a,)), order)][k % 4]()


@op("RollBackward0")
def roll(input: Tensor, shifts, dims=()):
    """Elements moved by `shifts` places along `dims`, those beyond the end coming back at the start (flattened without
    dims)."""
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims or ())
    if not shifts:
        raise RuntimeError("`shifts` required")
    if not dims and len(shifts) == 1:
        return p.reshape(_rolled(p.reshape(input, (input.size,)), shifts[0], 0), input.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    for s, d in zip(shifts, dims):
        input = _rolled(input, s, wrap_dim(d, input.ndim))
    return input


def _rolled(x, shift: int, dim: int):
    if not x.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    n = x.shape[dim]
    cut = -shift % n if n else 0
    return x if cut == 0 else p.concat([p.slice_dim(x, dim, cut, n), p.slice_dim(x, dim, 0, cut)], dim)


def _reversed(self: Tensor) -> Tensor:
    """A copy with the order along the first dimension reversed."""
    return _flip(self, (0,)) if self.ndim else self


# ------------------------------------------------------------------ repetition

@op("RepeatBackward0")
def _repeat(input: Tensor, repeats):
    lead = len(repeats) - input.ndim
    shape = (1,) * lead + input.shape
    apart = tuple(s for n in shape for s in (1, n))
    wide = tuple(s for r, n in zip(repeats, shape) for s in (r, n))
    return p.reshape(p.broadcast_to(p.reshape(input, apart), wide), tuple(r * n for r, n in zip(repeats, shape)))


@spread_over("repeats")
def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """A copy with the whole tensor repeated so many times along each dimension; new dimensions come first."""
    repeats = as_shape(repeats)
    if len(repeats) < self.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    for r in repeats:
        if r < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {r}: {list(repeats)}")
    return _repeat(self, repeats)


@spread_over("dims")
def tile(input: Tensor, *dims: Any) -> Tensor:
    """`repeat` with missing leading repetitions taken as 1."""
    dims = as_shape(dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *,
                      output_size: int | None = None) -> Tensor:
    """Each element (flattened, or each slice along dim) repeated: a number of times, or as often as `repeats` says for
    each.

    With a tensor of counts alone: 0 repeated counts[0] times, 1 repeated counts[1] times, …
    """
    if repeats is None:
        return _repeated_numbers(input, output_size)
    if dim is None:
        input, dim = ravel(input), 0
    if input.ndim == 0:
        input = reshape(input, (1,))
    d = wrap_dim(dim, input.ndim)
    n = input.shape[d]
    if isinstance(repeats, (tuple, list)):
        from .from_data import tensor
        repeats = tensor(repeats, dtype=int64)
    if not isinstance(repeats, Tensor):
        return _interleave(input, as_int(repeats, "repeats"), d)
    if repeats.ndim > 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype.name not in ("int64", "int32"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    if repeats.ndim and repeats.shape[0] not in (1, n):
        raise RuntimeError(f"repeats must have the same size as input along dim, but got repeats.size(0) = "
                           f"{repeats.shape[0]} and input.size({d}) = {n}")
    from .indexing import index_select
    return index_select(input, d, _repeated_numbers(expand(reshape(repeats, (-1,)), (n,)), output_size))


@one_by_one
def _repeated_numbers(counts: Tensor, output_size: int | None) -> Tensor:
    from ..tensor.attributes import host_array
    if counts.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if counts.dtype.name not in ("int64", "int32"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    host = host_array(counts)
    if (host < 0).any():
        raise RuntimeError("repeats can not be negative")
    if output_size is not None and host.sum() != output_size:
        raise RuntimeError("allocated size does not match required size")
    return from_array(np.repeat(np.arange(host.size, dtype=counts.dtype.np), host), counts.dtype, counts)


@op("RepeatInterleaveBackward0")
def _interleave(input: Tensor, repeats, dim):
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    shape = input.shape
    lead, tail = shape[:dim + 1], shape[dim + 1:]
    x = p.broadcast_to(p.reshape(input, (*lead, 1, *tail)), (*lead, repeats, *tail))
    return p.reshape(x, (*shape[:dim], shape[dim] * repeats, *shape[dim + 1:]))


# ------------------------------------------------------------------ a tensor's own geometry, changed

def _in_place(view: Callable) -> Callable:
    """The method that turns a tensor into a view of what it was."""
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        new = view(self, *args, **kwargs)
        if self._view is None or self._view.base is None:
            new._view.base, new._view.tracked = None, False
        self._view, self._node, self._nr = new._view, new._node if new._node is not None else self._node, new._nr
        return self
    method.__name__ = method.__qualname__ = view.__name__ + "_"
    method.__doc__ = f"`{view.__name__}`, in place: the tensor itself changes its shape."
    return method


def as_strided_(self: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """`as_strided`, in place: the tensor itself changes its sizes and strides."""
    return _in_place(views.as_strided)(self, size, stride, storage_offset)


def resize_as_(self: Tensor, other: Tensor, *, memory_format: Any = None) -> Tensor:
    """Changes the sizes to those of `other`, in place: see `resize_`."""
    return views.resize_(self, other.shape, memory_format=memory_format)


METHODS = {f.__name__: f for f in (
    adjoint, swapaxes, swapdims, moveaxis, ravel, view_as, reshape_as, expand_as, broadcast_to, flip, fliplr, flipud,
    rot90, roll, repeat, tile, repeat_interleave, as_strided_, resize_as_,
    *map(_in_place, (squeeze, unsqueeze, transpose, views.t, swapaxes, swapdims)))} | {
    "__reversed__": _reversed, "T": property(_T), "mT": property(_mT), "H": property(_H), "mH": property(_mH)}
