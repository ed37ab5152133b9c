"""Matrix products with sparse operands. The gradient of a sparse operand is taken at its own positions, as `torch.sparse.mm` does."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.shape import cat, stack
from ..tensor.tensor import Tensor
from .base import index_tensor
from .coo import SparseTensor, sparse


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices: of two sparse ones sparse, else strided."""
    for name, m in (("input", input), ("mat2", mat2)):
        if m.ndim != 2:
            raise RuntimeError(f"sparse.mm: {name} must be a matrix, got {m.ndim}-D tensor")
    if input.dtype is not mat2.dtype:
        raise RuntimeError(f"expected scalar type {input.dtype._legacy} but found {mat2.dtype._legacy}")
    if input.shape[1] != mat2.shape[0]:
        if isinstance(input, SparseTensor) and not isinstance(mat2, SparseTensor):
            raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {input.shape[1]}, got {mat2.shape[0]}")
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({input.shape[0]}x{input.shape[1]} and {mat2.shape[0]}x{mat2.shape[1]})")
    if not isinstance(input, SparseTensor):
        return mm(mat2.t(), input.t()).t()  # type: ignore[attr-defined]
    if isinstance(mat2, SparseTensor):
        return _sparse_times_sparse(input.coalesce(), mat2.coalesce())
    rows, columns = _entries(input)
    terms = input._values_tensor.unsqueeze(1) * mat2.index_select(0, index_tensor(columns, mat2))  # type: ignore[attr-defined]
    return terms.new_zeros((input.shape[0], mat2.shape[1])).index_add(0, index_tensor(rows, terms), terms)  # type: ignore[attr-defined]


def _entries(matrix: SparseTensor) -> np.ndarray:
    if matrix.sparse_dim() != 2:
        raise RuntimeError(f"sparse.mm: expected a matrix with two sparse dimensions, got {matrix.sparse_dim()}")
    matrix._linear()  # for its errors
    return matrix._indices_array


def _sparse_times_sparse(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """Each entry (i, k) of a meets the entries (k, j) of b, which lie together since b is in order."""
    (rows, inner), (b_rows, b_columns) = _entries(a), _entries(b)
    first, last = np.searchsorted(b_rows, inner, "left"), np.searchsorted(b_rows, inner, "right")
    counts = last - first
    from_a = np.repeat(np.arange(len(rows)), counts)
    ends = np.cumsum(counts)
    from_b = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
    values = a._values_tensor.index_select(0, index_tensor(from_a, a._values_tensor)) \
        * b._values_tensor.index_select(0, index_tensor(from_b, b._values_tensor))  # type: ignore[attr-defined]
    positions = np.stack([rows[from_a], b_columns[from_b]])
    return sparse(positions, values, (a.shape[0], b.shape[1]), False).coalesce()


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return mm(input, vec.unsqueeze(1)).squeeze(1)  # type: ignore[attr-defined]


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """input @ other, for matrices and vectors."""
    if input.ndim == 2 and other.ndim == 1:
        return mv(input, other)
    if input.ndim == 1 and other.ndim == 2:
        return mv(other.t(), input)  # type: ignore[attr-defined]
    return bmm(input, other) if input.ndim == other.ndim == 3 else mm(input, other)


def addmm(input: Any, mat1: Tensor, mat2: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta·input + alpha·(mat1 @ mat2)."""
    return input * beta + mm(mat1, mat2) * alpha


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of the matrices of a sparse batch (B, N, M) and a strided one (B, M, P)."""
    return stack([mm(input[i], mat2[i]) for i in range(input.shape[0])])  # type: ignore[index]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weightᵀ + bias, for a matrix input."""
    out = mm(input, weight.t())  # type: ignore[attr-defined]
    return out if bias is None else out + bias


# ------------------------------------------------------------------ products with sparse results

def _rows_of_product(input: SparseTensor, mat2: Tensor) -> tuple[np.ndarray, Tensor]:
    """The rows of input @ mat2 that input has entries in, and their numbers."""
    rows = np.unique(_entries(input.coalesce())[0])
    return rows, mm(input, mat2).index_select(0, index_tensor(rows))  # type: ignore[attr-defined]


def smm(input: Tensor, mat2: Tensor) -> SparseTensor:
    """input @ mat2 of a sparse and a strided matrix, as a sparse one: all columns of the rows that input has entries in."""
    if not isinstance(input, SparseTensor):
        raise RuntimeError("tensor.sspaddmm(...) can only be called on sparse tensors")
    rows, values = _rows_of_product(input, mat2)
    columns = mat2.shape[1]
    positions = np.stack([np.repeat(rows, columns), np.tile(np.arange(columns), len(rows))])
    return sparse(positions, values.reshape(-1), (input.shape[0], columns), True)  # type: ignore[attr-defined]


def hspmm(mat1: Tensor, mat2: Tensor, *, out: Any = None) -> SparseTensor:
    """mat1 @ mat2 of a sparse and a strided matrix, with sparse rows and strided columns."""
    if not isinstance(mat1, SparseTensor):
        raise RuntimeError("hspmm: Argument #1: expected a sparse matrix")
    rows, values = _rows_of_product(mat1, mat2)
    result = sparse(rows[None, :], values, (mat1.shape[0], mat2.shape[1]), True)
    return result if out is None else out._replace(result)


def sspaddmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> SparseTensor:
    """beta·input + alpha·(mat1 @ mat2) of sparse input and mat1 and a strided mat2: the entries of both, side by side."""
    if not isinstance(input, SparseTensor):
        raise RuntimeError("tensor.sspaddmm(...) can only be called on sparse tensors")
    product = smm(mat1, mat2)
    values = cat([input._values_tensor * beta, product._values_tensor * alpha])
    positions = np.concatenate([input._indices_array, product._indices_array], axis=1)
    result = sparse(positions, values, tuple(input.shape), False)
    return result if out is None else out._replace(result)


VARIANTS = {"mm": mm, "mv": mv, "matmul": matmul, "addmm": addmm, "bmm": bmm, "linear": linear}
