# ruff: noqa: F821
"""Joining (cat, stack and relatives) and splitting (views of consecutive parts)."""
from __future__ import annotations

from functools import reduce
from typing import Any, Callable, Sequence

from .. import primitives as p
from ..dtypes import can_cast, promote
from ..ir.graph import Var
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..tensor.views import as_int, slice_view, split_view, wrap_dim
from .promotion import convert, result_dtype


# ------------------------------------------------------------------ joining

def _is_legacy_empty(x: Var) -> bool:
    """Tensors of shape (0,) may be joined with anything."""
    return x.shape == (0,)


def join(tensors: Sequence[Var], dim: Any) -> Var:
    """The operands, in their common dtype, one after the other along `dim`; PyTorch's errors where shapes do not
    fit."""
    for i, x in enumerate(tensors):
        if x.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    like = next((x for x in tensors if not _is_legacy_empty(x)), tensors[0])
    d = wrap_dim(dim, like.ndim)
    dt = result_dtype(*tensors)
    parts = []
    for i, x in enumerate(tensors):
        if _is_legacy_empty(x) and like.ndim != 1:
            continue
        if x.ndim != like.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {like.ndim} and {x.ndim}")
        for k, (a, b) in enumerate(zip(like.shape, x.shape)):
            if k != d and a != b:
                raise RuntimeError(f"Sizes of tensors must match except in dimension {d}. Expected size {a} but got "
                                   f"size {b} for tensor number {i} in the list.")
        parts.append(x)
    return p.concat(convert(dt, *parts), d)


def _check_joined_out(out: Any, tensors: Any, *args: Any) -> None:
    """PyTorch's error for an `out` that cannot hold what these tensors promote to."""
    if isinstance(out, Tensor) and tensors and not can_cast(reduce(promote, [t.dtype for t in tensors]), out.dtype):
        raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {out.dtype._legacy}")


def _cat(name: str) -> Callable:
    @op("CatBackward0", name=name, check_out=_check_joined_out)
    def cat(tensors: Tensors, dim=0):
        """The tensors one after the other along an existing dimension `dim`."""
        if not tensors:
            raise ValueError("torch.cat(): expected a non-empty list of Tensors")
        return join(tensors, dim)
    return cat


cat, concat, concatenate = _cat("cat"), _cat("concat"), _cat("concatenate")


@op("StackBackward0", check_out=_check_joined_out)
def stack(tensors: Tensors, dim=0):
    """Tensors of one shape along a new dimension `dim`."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0].shape
    for i, x in enumerate(tensors):
        if x.shape != first:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                               f"{list(x.shape)} at entry {i}")
    d = wrap_dim(dim, len(first) + 1)
    xs = convert(result_dtype(*tensors), *tensors)
    return p.concat([p.reshape(x, (*first[:d], 1, *first[d:])) for x in xs], d)


def widened(x: Var, ndim: int) -> Var:
    """x with at least 1, 2 or 3 dimensions: rows come before, and the third dimension after, what is there."""
    shape = x.shape
    if ndim == 3 and len(shape) < 3:
        shape = {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)]
    return p.reshape(x, (1,) * max(0, ndim - len(shape)) + shape)


def _require(name: str, tensors: Sequence) -> None:
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")


@op("CatBackward0", check_out=_check_joined_out)
def hstack(tensors: Tensors):
    """Joins tensors column by column: along dimension 1, or 0 for 1-D tensors."""
    _require("hstack", tensors)
    xs = [widened(x, 1) for x in tensors]
    return join(xs, 0 if xs[0].ndim == 1 else 1)


def _vstack(name: str) -> Callable:
    @op("CatBackward0", name=name, check_out=_check_joined_out)
    def vstack(tensors: Tensors):
        """Joins tensors row by row; 1-D tensors become rows."""
        _require("vstack", tensors)
        return join([widened(x, 2) for x in tensors], 0)
    return vstack


vstack, row_stack = _vstack("vstack"), _vstack("row_stack")


@op("CatBackward0", check_out=_check_joined_out)
def dstack(tensors: Tensors):
    """Joins tensors along the third dimension."""
    _require("dstack", tensors)
    return join([widened(x, 3) for x in tensors], 2)


@op("CatBackward0", check_out=_check_joined_out)
def column_stack(tensors: Tensors):
    """Joins tensors along dimension 1; 0-D and 1-D tensors become columns."""
    _require("column_stack", tensors)
    return join([x if x.ndim > 1 else p.reshape(x, (x.size, 1)) for x in tensors], 1)


# ------------------------------------------------------------------ splitting

def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of `tensor` along `dim`: parts of one size (the last may be smaller), or of the sizes in a list."""
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    size = as_int(split_size_or_sections, "split_size")
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    return split_view(tensor, equal_parts(tensor, size, dim), wrap_dim(dim, tensor.ndim), "SplitBackward0")


def equal_parts(tensor: Tensor, size: int, dim: int) -> list[int]:
    """The sizes of the parts that `split` makes."""
    n = tensor.shape[wrap_dim(dim, tensor.ndim)]
    if size == 0:
        if n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return [0]
    return [min(size, n - at) for at in range(0, n, size)] or [0]


def checked_sizes(tensor: Tensor, sizes: Any, dim: int) -> tuple[list[int], int]:
    """Sizes that add up to that of the dimension, and the dimension counted from the front."""
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, tensor.ndim)
    parts = [as_int(s, "split_sizes") for s in sizes]
    for s in parts:
        if s < 0:
            raise RuntimeError("split_with_sizes expects split_sizes have only non-negative entries, but got "
                               f"split_sizes={parts}")
    if sum(parts) != tensor.shape[d]:
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to {tensor.shape[d]} (input tensor's "
                           f"size at dimension {dim}), but got split_sizes={parts}")
    return parts, d


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of input along `dim`, of the given sizes, which must add up."""
    parts, d = checked_sizes(input, split_sizes, dim)
    return split_view(input, parts, d, "SplitWithSizesBackward0")


def _method_split(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of self along `dim`: parts of one size (the last may be smaller), or of the sizes in a list."""
    return split(self, split_size, dim)


def chunk_size(input: Tensor, chunks: int, dim: int) -> int:
    """The size of parts that makes at most `chunks` of them."""
    if input.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    chunks = as_int(chunks, "chunks")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    return -(-input.shape[wrap_dim(dim, input.ndim)] // chunks)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size (the last may be smaller) along `dim`."""
    size = chunk_size(input, chunks, dim)
    if size == 0:
        return split_with_sizes(input, [0] * chunks, dim)
    return split(input, size, dim)


def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
                 sections: Any = None, tensor_indices_or_sections: Any = None) -> tuple[Tensor, ...]:
    """Views of input along `dim`: a number of nearly equal parts (the first ones get the rest), or parts that end at
    `indices`."""
    given = [a for a in (indices_or_sections, indices, sections, tensor_indices_or_sections) if a is not None]
    if len(given) != 1 or isinstance(given[0], (float, str)):
        raise TypeError("tensor_split() received an invalid combination of arguments - expected one of: (tuple of ints "
                        "indices, int dim), (Tensor tensor_indices_or_sections, int dim), (int sections, int dim)")
    where = given[0]
    if input.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = wrap_dim(dim, input.ndim)
    if isinstance(where, Tensor):
        where = _split_points(where)
    n = input.shape[d]
    if isinstance(where, (tuple, list)):
        ends = [as_int(i, "indices") for i in where]
        bounds = list(zip([0, *ends], [*ends, n]))
    else:
        count = as_int(where, "sections")
        if count <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {count}")
        small, larger = divmod(n, count)
        starts = [i * small + min(i, larger) for i in range(count + 1)]
        bounds = list(zip(starts, starts[1:]))
    return tuple([slice_view(input, d, *slice(a, b).indices(n)) for a, b in bounds])


def _split_points(where: Tensor) -> Any:
    """A tensor of indices, or of one number of sections, as Python ints."""
    from ..dtypes import int64
    if where.dtype is not int64:
        raise RuntimeError("tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                           + {"f": "float"}.get(where.dtype.kind, where.dtype.name))
    if where.ndim > 1:
        raise RuntimeError("tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                           "one-dimensional tensor, but got "
                           f"a tensor with {where.ndim} dims")
    return where.tolist()


def _axis_split(name: str, axis: str, least: int) -> Callable:
    def fn(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None) -> Any:
        if input.ndim < least:
            raise RuntimeError(f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with "
                               f"{input.ndim} "
                               "dimensions!")
        dim = {"hsplit": 0 if input.ndim == 1 else 1, "vsplit": 0, "dsplit": 2}[name]
        where = next((a for a in (indices_or_sections, indices, sections) if a is not None), None)
        if isinstance(where, int) and (where == 0 or input.shape[dim] % where):
            raise RuntimeError(f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
                               f"{input.shape[dim]} is not divisible by the split_size {where}!")
        return tensor_split(input, where, dim)
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"`tensor_split` along the {axis} dimension; a number of sections must divide its size."
    return fn


hsplit = _axis_split("hsplit", "second (of a 1-D tensor, the only)", 1)
vsplit = _axis_split("vsplit", "first", 2)
dsplit = _axis_split("dsplit", "third", 3)


METHODS = {"split": _method_split, "split_with_sizes": split_with_sizes, "chunk": chunk, "tensor_split": tensor_split,
           "hsplit": hsplit, "vsplit": vsplit, "dsplit": dsplit}
