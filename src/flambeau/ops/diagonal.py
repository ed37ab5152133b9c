# ruff: noqa: F821
"""Diagonals and triangles; copies of a tensor with one of its views replaced (`*_scatter`)."""
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..dtypes import int64
from ..ir.graph import Var
from ..ir.types import contiguous_strides
from ..tensor import views
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .promotion import convert, not_implemented, result_dtype

# ------------------------------------------------------------------ diagonals

@op("DiagEmbedBackward0")
def diag_embed(input: Tensor, offset=0, dim1=-2, dim2=-1):
    """Matrices, in dimensions dim1 and dim2 of the result, whose diagonals are the last dimension of input."""
    a, b = _pair(dim1, dim2, input.ndim + 1)
    n = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((a, b)):
        shape.insert(d, n)
    strides = contiguous_strides(tuple(shape))
    rest = [s for d, s in enumerate(strides) if d not in (a, b)]
    start = offset * strides[b] if offset >= 0 else -offset * strides[a]
    zeros = p.full(tuple(shape), 0, input.dtype, input.builder)
    return p.strided_write(zeros, input, (*rest, strides[a] + strides[b]), start) if input.size else zeros


def _pair(dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    a, b = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return a, b


def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """A matrix with a 1-D input on a diagonal, or a copy of a diagonal of a matrix. diagonal > 0 is above the main
    one."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    made = diag_embed(input, diagonal) if input.ndim == 1 else views.clone(views.diagonal(input, diagonal))
    if out is None:
        return made
    from ..tensor.write import write_out
    return write_out(made, out, strict=True)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements of input on a diagonal."""
    return diag_embed(views.reshape(views.contiguous(input), (-1,)), offset)


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Writes fill_value to the main diagonal, in place. wrap: a tall matrix' diagonal begins again after each block of
    columns."""
    shape, strides, offset = self._geometry()
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) != 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    step, n = sum(strides), min(shape)
    _fill(self, n, step, offset, fill_value)
    if wrap and len(shape) == 2 and shape[0] > shape[1] + 1:
        rows, columns = shape
        for row in range(columns + 1, rows, columns + 1):
            count = min(columns, rows - row)
            _fill(self, count, step, offset + row * strides[0], fill_value)
    return self


def _fill(t: Any, n: int, step: int, offset: int, value: Any) -> None:
    """Writes `value` to every step-th element of the memory."""
    views.as_strided(t, (n,), (step,), offset).fill_(value)


@op("TraceBackward0")
def trace(input: Tensor):
    """The sum of the main diagonal of a matrix. Integers give int64."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if input.dtype.kind == "b":
        raise not_implemented("trace", input.dtype)
    n = min(input.shape)
    x = p.cast(input, int64) if input.dtype.kind in "iub" else input
    return p.reduce_sum(p.strided_view(x, (n,), (input.shape[1] + 1,), 0), (0,))


# ------------------------------------------------------------------ triangles

def _triangle(name: str, x: Var, diagonal: int) -> Var:
    if x.ndim < 2:
        raise RuntimeError("tril: input tensor must have at least 2 dimensions")
    rows, columns = p.index_along(x, x.ndim - 2), p.index_along(x, x.ndim - 1)
    below = p.le(columns - rows, diagonal) if name == "tril" else p.ge(columns - rows, diagonal)
    return p.select(below, x, p.zeros_like(x))


@op("TrilBackward0", strict_out="dtype")
def tril(input: Tensor, diagonal=0):
    """The matrices in the last two dimensions with zeros above the given diagonal."""
    return _triangle("tril", input, diagonal)


@op("TriuBackward0", strict_out="dtype")
def triu(input: Tensor, diagonal=0):
    """The matrices in the last two dimensions with zeros below the given diagonal."""
    return _triangle("triu", input, diagonal)


# ------------------------------------------------------------------ matrices from parts

@op("BlockDiagBackward0", name="block_diag")
def _block_diag(tensors: Tensors):
    parts = []
    for i, x in enumerate(convert(result_dtype(*tensors), *tensors)):
        if x.ndim > 2:
            raise RuntimeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has "
                               f"{x.ndim} dimensions")
        parts.append(p.reshape(x, (1,) * (2 - x.ndim) + x.shape))
    width = sum(x.shape[1] for x in parts)
    rows, at = [], 0
    for x in parts:
        rows.append(p.pad(x, (0, at), (0, width - at - x.shape[1])))
        at += x.shape[1]
    return p.concat(rows, 0)


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones (0-D and 1-D tensors are rows) along its diagonal and zeros elsewhere."""
    if not tensors:
        from .creation import empty
        return empty(1, 0)
    return _block_diag(tensors)


@op("StackBackward0")
def vander(x: Tensor, N=None, increasing=False):
    """The Vandermonde matrix: row i holds the powers of x[i], from N − 1 down to 0, or increasing."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    x = p.cast(x, int64) if x.dtype.kind in "iub" else x
    powers = [p.ones_like(x)]
    for _ in range(n - 1):
        powers.append(powers[-1] * x)
    columns = [p.reshape(c, (x.size, 1)) for c in (powers if increasing else reversed(powers))]
    return p.concat(columns, 1) if n else p.full((x.size, 0), 0, x.dtype, x.builder)


# ------------------------------------------------------------------ copies with a view replaced

def _fitting(src: Var, shape: tuple[int, ...], dtype: Any) -> Var:
    if src.shape != shape:
        raise RuntimeError(f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, "
                           f"slice size = {list(shape)}")
    return p.cast(src, dtype)


def _written(input: Var, src: Var, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Var:
    src = _fitting(src, shape, input.dtype)
    return p.strided_write(input, src, strides, offset) if src.size else input


@op("DiagonalScatterBackward0")
def diagonal_scatter(input: Tensor, src: Tensor, offset=0, dim1=0, dim2=1):
    """A copy of input with `src` on a diagonal of dimensions dim1 and dim2."""
    a, b = _pair(dim1, dim2, input.ndim)
    shape, strides = input.shape, contiguous_strides(input.shape)
    n = max(0, min(shape[a] + min(offset, 0), shape[b] - max(offset, 0)))
    rest = [d for d in range(input.ndim) if d not in (a, b)]
    start = offset * strides[b] if offset >= 0 else -offset * strides[a]
    window = (*[shape[d] for d in rest], n), (*[strides[d] for d in rest], strides[a] + strides[b])
    return _written(input, src, *window, start)


@op("SelectScatterBackward0")
def select_scatter(input: Tensor, src: Tensor, dim, index):
    """A copy of input with slice number `index` along `dim` replaced by src."""
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, input.ndim)
    shape, strides, n = input.shape, contiguous_strides(input.shape), input.shape[d]
    if not -n <= index < n:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {d}")
    return _written(input, src, shape[:d] + shape[d + 1:], strides[:d] + strides[d + 1:], (index % n) * strides[d])


@op("SliceScatterBackward0", strict_out="dtype")
def slice_scatter(input: Tensor, src: Tensor, dim=0, start=None, end=None, step=1):
    """A copy of input with its slice [start:end:step] along `dim` replaced by src."""
    if input.ndim == 0:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    d = wrap_dim(dim, input.ndim)
    shape, strides = input.shape, contiguous_strides(input.shape)
    first, last, _ = slice(start, end, step).indices(shape[d])
    n = max(0, -(-(last - first) // step))
    window = (*shape[:d], n, *shape[d + 1:]), (*strides[:d], strides[d] * step, *strides[d + 1:])
    return _written(input, src, *window, first * strides[d])


@op("AsStridedScatterBackward0", name="as_strided_scatter")
def _as_strided_scatter(input: Tensor, src: Tensor, size, stride, offset):
    return _written(input, src, size, stride, offset)


def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy of input with the view (size, stride, storage_offset) of its memory replaced by src; the view must not
    overlap itself."""
    from ..tensor.write import overlaps
    size, stride = tuple(size), tuple(stride)
    if overlaps(size, stride):
        raise RuntimeError("unsupported operation: more than one element of the written-to tensor refers to a single "
                           "memory location. Please clone() the tensor before performing the operation.")
    window = views.as_strided(input, size, stride, storage_offset)
    return _as_strided_scatter(input, src, size, stride, window._geometry()[2])


METHODS = {f.__name__: f for f in (diag_embed, diag, diagflat, fill_diagonal_, trace, tril, triu, diagonal_scatter,
                                   select_scatter, slice_scatter, as_strided_scatter)} | {
    "tril_": inplace(tril), "triu_": inplace(triu)}
