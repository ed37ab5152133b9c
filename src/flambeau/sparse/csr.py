"""`SparseCSRTensor`: matrices by rows (CSR).

crow_indices[i] … crow_indices[i + 1] are the places of row i's entries in col_indices and values. Operations go through the
matrix's coordinates (`coo.py`), which take one pass over the rows; what is a matrix in the end comes back by rows.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.from_data import as_tensor
from ..ops.indexing import combine_slices
from ..tensor.attributes import host_array
from ..tensor.layout import sparse_coo, sparse_csr
from ..tensor.not_strided import NotStrided
from ..tensor.tensor import Tensor
from .base import Compressed, Unstrided, index_tensor, own_values
from .coo import SparseTensor, sparse, to_sparse


class SparseCSRTensor(Compressed):
    """A matrix of layout `torch.sparse_csr`. Made by `sparse_csr_tensor` and `to_sparse_csr`."""

    _crow: np.ndarray
    _col: np.ndarray

    is_sparse = False  # PyTorch's name for coordinates only
    is_sparse_csr = True
    layout = sparse_csr

    def crow_indices(self) -> Tensor:
        """Where each row begins, and the last one ends: (rows + 1,)."""
        return index_tensor(self._crow)

    def col_indices(self) -> Tensor:
        """The column of each entry: (nnz,)."""
        return index_tensor(self._col)

    def _with(self, values: Tensor, shape: tuple[int, ...] | None = None) -> SparseCSRTensor:
        return _by_rows(self._crow, self._col, values, tuple(self.shape))

    # ------------------------------------------------------------------ conversions

    def to_sparse_coo(self) -> SparseTensor:
        """The same matrix in coordinates."""
        if len(self._crow) != self.shape[0] + 1 or self._crow[-1] != len(self._col):
            raise RuntimeError(f"crow_indices of {list(self._crow.shape)} that end with {self._crow[-1]} do not fit {self.shape[0]} rows of "
                               f"{len(self._col)} entries")
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self._crow))
        linear = rows * self.shape[1] + self._col
        return sparse(np.stack([rows, self._col]), self._values_tensor, tuple(self.shape), bool((np.diff(linear) > 0).all()))

    def to_sparse(self, sparse_dim: Any = None, *, layout: Any = None, blocksize: Any = None, dense_dim: Any = None) -> Tensor:
        """The same matrix in coordinates, or by rows with layout=torch.sparse_csr."""
        return self if layout is sparse_csr else self.to_sparse_coo().to_sparse(sparse_dim, layout=layout, blocksize=blocksize)

    def to_sparse_csr(self, dense_dim: Any = None) -> SparseCSRTensor:
        """This matrix."""
        return self

    # ------------------------------------------------------------------ copies and text

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return _by_rows, (self._crow, self._col, self._values_tensor, tuple(self.shape))

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .printing import representation_compressed
        return representation_compressed(self, self._crow, self._col, True)


def _by_rows(crow: np.ndarray, col: np.ndarray, values: Tensor, shape: tuple[int, ...]) -> SparseCSRTensor:
    t = object.__new__(SparseCSRTensor)
    t._hold(values, shape)
    t._crow, t._col = crow, col
    return t


def sparse_csr_tensor(crow_indices: Any, col_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, device: Any = None,
                      pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None) -> SparseCSRTensor:
    """A matrix by rows. size: by default as many rows as crow_indices begins, and as many columns as col_indices reach."""
    from ..tensor.device import check_device
    from .invariants import check_sparse_tensor_invariants
    check_device(device)
    crow, col = (np.array(host_array(x) if isinstance(x, Tensor) else np.asarray(x)).astype(np.int64) for x in (crow_indices, col_indices))
    if crow.ndim != 1 or col.ndim != 1:
        raise RuntimeError(f"sparse_csr_tensor: flambeau has no batches of matrices by rows yet, got crow_indices of {list(crow.shape)} and "
                           f"col_indices of {list(col.shape)}")
    values = as_tensor(values, dtype=dtype)
    shape = (len(crow) - 1, int(col.max(initial=-1)) + 1) if size is None else tuple(int(n) for n in size)
    if len(shape) != 2 or values.ndim != 1:
        raise RuntimeError(f"sparse_csr_tensor: expected a matrix, got size {list(shape)} and values of {list(values.shape)}")
    matrix = _by_rows(crow, col, own_values(values, requires_grad, "SparseCompressedTensorBackward0"), shape)
    if check_sparse_tensor_invariants.is_enabled() if check_invariants is None else check_invariants:
        matrix.to_sparse_coo()._linear()
    return matrix


def to_sparse_csr(self: Tensor, dense_dim: Any = None) -> SparseCSRTensor:
    """A matrix by rows: of a strided one the nonzero elements."""
    if self.ndim != 2 or dense_dim:
        raise RuntimeError(f"to_sparse_csr: expected a matrix, got {self.ndim}-D tensor (flambeau has no batches of matrices by rows yet)")
    coordinates: Any = self if isinstance(self, SparseTensor) else to_sparse(self)
    coordinates = coordinates.coalesce()
    rows, columns = coordinates._indices_array
    crow = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.shape[0]))]).astype(np.int64)
    return _by_rows(crow, columns.copy(), coordinates._values_tensor, tuple(self.shape))


def to_sparse_coo(self: Tensor) -> Tensor:
    """The nonzero elements in coordinates."""
    return to_sparse(self, layout=sparse_coo)


def call(variant: Any, name: str, args: tuple) -> Any:
    """A sparse variant on matrices by rows: through their coordinates, and back where a matrix comes out."""
    plain = [a.to_sparse_coo() if isinstance(a, SparseCSRTensor) else a for a in args]
    if name in ("t", "transpose") and (name == "t" or {args[1] % 2, args[2] % 2} == {0, 1}):
        return _transposed(args[0])
    if name == "permute":
        raise NotStrided(name)
    if name == "add" and isinstance(plain[0], SparseTensor) and not isinstance(plain[1], SparseTensor):
        plain[:2] = plain[1], plain[0]
    result = variant(*plain)
    return to_sparse_csr(result) if isinstance(result, SparseTensor) and result.ndim == 2 else result


def _transposed(matrix: SparseCSRTensor) -> Tensor:
    """The transpose, which is a matrix by columns of the same numbers."""
    from .compressed import sparse_csc_tensor
    return sparse_csc_tensor(matrix._crow, matrix._col, matrix._values_tensor, tuple(matrix.shape)[::-1])


def reduced_product(input: Tensor, mat2: Tensor, reduce: str) -> Tensor:
    """The product of a matrix by rows and a strided one, with terms combined by `reduce`: see `torch.sparse.mm`."""
    if not isinstance(input, SparseCSRTensor):
        raise NotImplementedError(f"torch.sparse.mm with reduce={reduce!r} expects a matrix by rows (layout torch.sparse_csr), got {input.layout}")
    if isinstance(mat2, Unstrided):
        raise RuntimeError("Expected tensor to have Strided Layout, but got tensor with another one (while checking arguments for sparse_mm_reduce)")
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise RuntimeError(f"sparse_mm_reduce: reduce type of {reduce} has not been enabled.")
    coordinates = input.to_sparse_coo()
    rows, columns = coordinates._indices_array
    terms = coordinates._values_tensor.unsqueeze(1) * mat2.index_select(0, index_tensor(columns, mat2))  # type: ignore[attr-defined]
    zeros, at = terms.new_zeros((input.shape[0], mat2.shape[1])), index_tensor(rows, terms)
    return zeros.index_add(0, at, terms) if reduce == "sum" else combine_slices(zeros, 0, at, terms, reduce, False)


def sampled_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0, out: Any = None) -> SparseCSRTensor:
    """alpha·(mat1 @ mat2) at input's positions, plus beta·input; input is a matrix by rows, the others are strided."""
    if not isinstance(input, SparseCSRTensor):
        raise RuntimeError("sampled_addmm: Expected input to have sparse csr layout")
    rows, columns = input.to_sparse_coo()._indices_array
    left = mat1.index_select(0, index_tensor(rows, mat1))  # type: ignore[attr-defined]
    right = mat2.index_select(1, index_tensor(columns, mat2)).t()  # type: ignore[attr-defined]
    result = input._with((left * right).sum(1) * alpha + input._values_tensor * beta)
    if out is None:
        return result
    out._hold(result._values_tensor, result.shape)
    out._crow, out._col = result._crow, result._col
    return out

