"""Rearranging, selecting and joining sparse tensors. The results share no memory with their operands."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..ops.creation import filled
from ..ops.shape import cat as dense_cat
from ..tensor.attributes import host_array
from ..tensor.views import as_shape, wrap_dim
from ..tensor.tensor import Tensor
from .base import index_tensor
from .coo import SparseTensor, sparse


def permute(input: SparseTensor, *dims: Any) -> SparseTensor:
    """Dimension i of the result is dimension dims[i] of input; sparse and dense dimensions stay apart."""
    order = [wrap_dim(d, input.ndim) for d in as_shape(dims)]
    if sorted(order) != list(range(input.ndim)):
        raise RuntimeError("permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering "
                           f"of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(order)}")
    n = input.sparse_dim()
    if any(d >= n for d in order[:n]):
        raise RuntimeError("transpose: transposed dimensions must both be sparse or both dense")
    values = input._values_tensor.permute(0, *[d - n + 1 for d in order[n:]])  # type: ignore[attr-defined]
    moved = order[:n] != list(range(n))
    return sparse(input._indices_array[order[:n]], values, [input.shape[d] for d in order], input._coalesced and not moved)


def transpose(input: SparseTensor, dim0: int, dim1: int) -> SparseTensor:
    """input with two dimensions exchanged."""
    a, b = wrap_dim(dim0, input.ndim), wrap_dim(dim1, input.ndim)
    order = list(range(input.ndim))
    order[a], order[b] = b, a
    return permute(input, *order)


def t(input: SparseTensor) -> SparseTensor:
    """The transpose of a matrix."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return transpose(input, 0, 1) if input.ndim == 2 else input


def unsqueeze(input: SparseTensor, dim: int) -> SparseTensor:
    """input with a dimension of size 1 put in at `dim`."""
    d, n = wrap_dim(dim, input.ndim + 1), input.sparse_dim()
    shape = (*input.shape[:d], 1, *input.shape[d:])
    if d > n:
        return input._with(input._values_tensor.unsqueeze(d - n + 1), shape)  # type: ignore[attr-defined]
    return sparse(np.insert(input._indices_array, d, 0, axis=0), input._values_tensor, shape, input._coalesced)


def index_select(input: SparseTensor, dim: int, index: Tensor) -> SparseTensor:
    """The slices number index[0], index[1], … of input along `dim`."""
    d, n = wrap_dim(dim, input.ndim), input.sparse_dim()
    wanted = host_array(index).reshape(-1)
    shape = [len(wanted) if k == d else size for k, size in enumerate(input.shape)]
    if wanted.size and (wanted.min() < -input.shape[d] or wanted.max() >= input.shape[d]):
        raise IndexError("index_select(): index out of range in self")
    wanted = np.where(wanted < 0, wanted + input.shape[d], wanted)
    if d >= n:
        values = input._values_tensor.index_select(d - n + 1, index_tensor(wanted, input._values_tensor))  # type: ignore[attr-defined]
        return input._with(values, tuple(shape))
    input = input.coalesce()
    old, new = np.nonzero(input._indices_array[d][:, None] == wanted[None, :])
    positions = input._indices_array[:, old]
    positions[d] = new
    values = input._values_tensor.index_select(0, index_tensor(old, input._values_tensor))  # type: ignore[attr-defined]
    return sparse(positions, values, shape, False).coalesce()  # the positions differ: this puts them in order


def select(input: SparseTensor, dim: int, index: Any) -> Tensor:
    """The slice number `index` along `dim`: sparse while a sparse dimension is left, else strided."""
    d, n, i = wrap_dim(dim, input.ndim), input.sparse_dim(), int(index)
    size = input.shape[d]
    if not -size <= i < size:
        raise IndexError(f"select(): index {i} out of range for tensor of size {list(input.shape)} at dimension {d}")
    i += size if i < 0 else 0
    shape = [s for k, s in enumerate(input.shape) if k != d]
    if d >= n:
        return input._with(input._values_tensor.select(d - n + 1, i), tuple(shape))  # type: ignore[attr-defined]
    at = np.flatnonzero(input._indices_array[d] == i)
    values = input._values_tensor.index_select(0, index_tensor(at, input._values_tensor))  # type: ignore[attr-defined]
    if n == 1:
        return values.sum(0)  # type: ignore[attr-defined]
    return sparse(np.delete(input._indices_array[:, at], d, axis=0), values, shape, input._coalesced)


def narrow_copy(input: SparseTensor, dim: int, start: int, length: int) -> SparseTensor:
    """`length` slices from number `start` on along `dim`."""
    size = input.shape[dim]
    start = start + size if start < 0 else start
    if not 0 <= start <= start + length <= size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return index_select(input, dim, index_tensor(np.arange(start, start + length)))


def getitem(self: SparseTensor, key: Any) -> Tensor:
    """self[key] for integers and full slices."""
    items = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in items:
        k = items.index(Ellipsis)
        items[k:k + 1] = [slice(None)] * (self.ndim - len(items) + 1)
    out: Any = self
    dim = 0
    for item in items:
        if isinstance(item, slice):
            start, stop, step = item.indices(out.shape[dim])
            if (start, stop, step) != (0, out.shape[dim], 1):
                out = index_select(out, dim, index_tensor(np.arange(start, stop, step)))
            dim += 1
        elif isinstance(item, Tensor) and item.ndim == 1 and item.dtype.kind == "i":
            out = index_select(out, dim, item)
            dim += 1
        else:
            out = select(out, dim, item) if isinstance(out, SparseTensor) else out.select(dim, item)
    return out


def cat(tensors: Sequence[Tensor], dim: int = 0) -> SparseTensor:
    """Sparse tensors side by side along `dim`."""
    parts = list(tensors)
    if not all(isinstance(x, SparseTensor) for x in parts):
        raise RuntimeError("Concatenating sparse tensors, but a dense tensor was found")
    first: Any = parts[0]
    d, n = wrap_dim(dim, first.ndim), first.sparse_dim()
    for i, x in enumerate(parts):
        if x.sparse_dim() != n or [s for k, s in enumerate(x.shape) if k != d] != [s for k, s in enumerate(first.shape) if k != d]:
            raise RuntimeError(f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), but tensor "
                               f"at position {i} has shape: {list(x.shape)}")
    shape = list(first.shape)
    shape[d] = sum(x.shape[d] for x in parts)
    starts = np.cumsum([0] + [x.shape[d] for x in parts])
    pieces, values = [], []
    for x, start in zip(parts, starts):
        x: Any = x
        piece, v = x._indices_array.copy(), x._values_tensor
        if d < n:
            piece[d] += start
        else:
            size = list(v.shape)
            before, after = list(size), list(size)
            before[d - n + 1], after[d - n + 1] = int(start), shape[d] - int(start) - x.shape[d]
            v = dense_cat([filled(tuple(before), 0, v.dtype), v, filled(tuple(after), 0, v.dtype)], d - n + 1)
        pieces.append(piece)
        values.append(v)
    return sparse(np.concatenate(pieces, axis=1), dense_cat(values), shape, False)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> SparseTensor:
    """Sparse tensors side by side along a new dimension."""
    return cat([unsqueeze(x, dim) for x in tensors], dim)  # type: ignore[arg-type]


VARIANTS = {"index_select": index_select, "cat": cat, "stack": stack, "transpose": transpose, "permute": permute, "t": t,
            "unsqueeze": unsqueeze, "select": select, "narrow_copy": narrow_copy}
