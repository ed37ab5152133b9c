"""Sums and softmax of sparse tensors."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.creation import filled
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .base import index_tensor
from .coo import SparseTensor, sparse


def total(input: SparseTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The sum over `dim` (all by default): sparse while a sparse dimension is left, else strided."""
    values = input._values_tensor if dtype is None else input._values_tensor.to(dtype)  # type: ignore[attr-defined]
    n, ndim = input.sparse_dim(), input.ndim
    if dim is None or dim == () or dim == []:
        return values.sum()  # type: ignore[attr-defined]
    if keepdim:
        raise RuntimeError("sum: keepdim=True is not supported for sparse tensors")
    dims = {wrap_dim(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))}
    dense = [d - n + 1 for d in sorted(dims) if d >= n]
    if dense:
        values = values.sum(dense)  # type: ignore[attr-defined]
    kept = [d for d in range(n) if d not in dims]
    if not kept:
        return values.sum(0)  # type: ignore[attr-defined]
    shape = [size for d, size in enumerate(input.shape) if d not in dims]
    summed = sparse(input._indices_array[kept], values, shape, input._coalesced and len(kept) == n)
    return summed.coalesce() if len(kept) < n and input._coalesced or len(kept) < n else summed


def softmax(input: SparseTensor, dim: int, half_to_float: bool = False) -> SparseTensor:
    """exp(x)/Σ exp(x) along `dim`, over the specified elements: the others count as −∞."""
    return _normalised(input.coalesce(), dim, logarithm=False)


def log_softmax(input: SparseTensor, dim: int, half_to_float: bool = False) -> SparseTensor:
    """The logarithm of `softmax`."""
    return _normalised(input.coalesce(), dim, logarithm=True)


def _normalised(input: SparseTensor, dim: int, logarithm: bool) -> SparseTensor:
    d, n = wrap_dim(dim, input.ndim), input.sparse_dim()
    values = input._values_tensor
    if d >= n:
        inner = d - n + 1
        return input._with(values.log_softmax(inner) if logarithm else values.softmax(inner))  # type: ignore[attr-defined]
    rest = [k for k in range(n) if k != d]
    _, group = np.unique(input._indices_array[rest], axis=1, return_inverse=True) if rest else (None, np.zeros(input._nnz(), np.int64))
    at = index_tensor(group.reshape(-1))
    count = int(group.max()) + 1 if group.size else 0
    zeros = filled((count, *values.shape[1:]), 0, values.dtype)
    each = at.reshape(-1, *(1,) * (values.ndim - 1)).expand(values.shape)  # type: ignore[attr-defined]
    highest = zeros.scatter_reduce(0, each, values.detach(), "amax", include_self=False)  # type: ignore[attr-defined]
    shifted = values - highest.index_select(0, at)
    sums = zeros.index_add(0, at, shifted.exp()).index_select(0, at)  # type: ignore[attr-defined]
    return input._with(shifted - sums.log() if logarithm else shifted.exp() / sums)


def norm(input: SparseTensor, p: Any = 2, *rest: Any) -> Tensor:
    """The norm of all elements."""
    if any(rest):
        raise RuntimeError("norm_sparse currently only supports full reductions, so 'dim' must be None")
    return input.coalesce()._values_tensor.norm("fro" if p is None else p)  # type: ignore[attr-defined]


def any_(input: SparseTensor, *rest: Any) -> Tensor:
    """Whether some element is not zero."""
    return input.coalesce()._values_tensor.any()  # type: ignore[attr-defined]


VARIANTS = {"sum": total, "norm": norm, "any": any_}
