"""`torch.sparse`: tensors of which most elements are zero. `coo.py` has the tensor, `dispatch.py` what operations it knows."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..tensor.attributes import host_array
from ..tensor.layout import sparse_coo, strided
from ..tensor.tensor import Tensor
from . import dispatch, reductions
from .base import index_tensor
from .coo import SparseTensor
from .coo import sparse as _sparse
from .csr import reduced_product, sampled_addmm
from .gradcheck import as_sparse_gradcheck
from .invariants import check_sparse_tensor_invariants

__all__ = ["addmm", "as_sparse_gradcheck", "check_sparse_tensor_invariants", "mm", "sampled_addmm", "sum", "softmax", "log_softmax", "spdiags"]


def _need_sparse(name: str, t: Any) -> SparseTensor:
    if not isinstance(t, SparseTensor):
        raise RuntimeError(f"torch.sparse.{name}: expected a sparse tensor, got "
                           f"{'a strided one' if isinstance(t, Tensor) else type(t).__name__}")
    return t


def mm(input: Tensor, mat2: Tensor, reduce: str | None = None) -> Tensor:
    """The product of a sparse matrix (N, M) and a matrix (M, P), which may be sparse: the result is then sparse, too.

    reduce: how the terms of each element are combined where input is a matrix by rows and mat2 strided: "sum", "mean", "amax" or
    "amin" over the specified elements of the row; 0 where there are none.
    """
    if reduce is not None:
        return reduced_product(input, mat2, reduce)
    return input.mm(mat2) if type(input) is type(mat2) is Tensor else dispatch.call("mm", (input, mat2))  # type: ignore[attr-defined]


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0) -> Tensor:
    """beta·mat + alpha·(mat1 @ mat2) for a sparse mat1 and strided mat and mat2."""
    return dispatch.call("addmm", (mat, mat1, mat2, beta, alpha))


def sum(input: Tensor, dim: int | Sequence[int] | None = None, dtype: Any = None) -> Tensor:
    """The sum over `dim` (all by default) of a sparse tensor: sparse while a sparse dimension is left, else strided."""
    return reductions.total(_need_sparse("sum", input), dim, dtype=dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """exp(x)/Σ exp(x) along `dim` over the specified elements of a sparse tensor; the others count as −∞."""
    input = _need_sparse("softmax", input)
    return reductions.softmax(input if dtype is None else input.to(dtype), dim)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """The logarithm of `softmax`."""
    input = _need_sparse("log_softmax", input)
    return reductions.log_softmax(input if dtype is None else input.to(dtype), dim)


def spdiags(diagonals: Tensor, offsets: Tensor, shape: tuple[int, int], layout: Any = None) -> SparseTensor:
    """The sparse matrix whose diagonal number offsets[i] (above the main one if positive) is diagonals[i].

    Element j of a diagonal stands in column j; what falls outside `shape` is left out.
    """
    if layout not in (None, sparse_coo, strided):
        raise RuntimeError(f"spdiags: flambeau has no layout {layout} yet")
    numbers = np.atleast_1d(host_array(offsets))
    if numbers.dtype.kind != "i":
        raise RuntimeError("spdiags(): offsets must be of an integer type")
    if len(np.unique(numbers)) != len(numbers):
        raise RuntimeError("spdiags(): Offset tensor contains duplicate values")
    rows_of = diagonals.reshape(len(numbers), -1)  # type: ignore[attr-defined]
    columns = np.arange(rows_of.shape[1])[None, :].repeat(len(numbers), 0)
    rows = columns - numbers[:, None]
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    values = rows_of.reshape(-1).index_select(0, index_tensor(np.flatnonzero(inside)))
    return _sparse(np.stack([rows[inside], columns[inside]]), values, shape, False)
