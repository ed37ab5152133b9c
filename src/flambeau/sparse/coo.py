"""`SparseTensor`: coordinates of elements and their values (COO).

indices (int64, sparse_dim × nnz) are positions in the first dimensions, values (nnz × dense shape) the elements, or with
dense dimensions the blocks, at them. Equal positions add up; a coalesced tensor has none, and its positions are in order.
"""
from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from ..dtypes import dtype as dtype_class
from ..ops.creation import filled
from ..ops.from_data import as_tensor
from ..tensor.attributes import host_array
from ..tensor.layout import sparse_coo, strided
from ..tensor.not_strided import NotStrided
from ..tensor.tensor import Tensor
from .base import Unstrided, index_tensor, own_values


class SparseTensor(Unstrided):
    """A tensor of layout `torch.sparse_coo`. Made by `sparse_coo_tensor`, `to_sparse`, and operations on such tensors."""

    _indices_array: np.ndarray
    _coalesced: bool

    # ------------------------------------------------------------------ parts

    is_sparse = True
    layout = sparse_coo

    def sparse_dim(self) -> int:
        """How many leading dimensions are indexed."""
        return len(self._indices_array)

    def dense_dim(self) -> int:
        """How many trailing dimensions each value has."""
        return self._values_tensor.ndim - 1

    def is_coalesced(self) -> bool:
        """Whether positions are unique and in order."""
        return self._coalesced

    def _indices(self) -> Tensor:
        """The positions (sparse_dim, nnz), as they are."""
        return index_tensor(self._indices_array, self._values_tensor)

    def _values(self) -> Tensor:
        """The values (nnz, …), as they are, without history."""
        return self._values_tensor.detach()  # type: ignore[attr-defined]

    def indices(self) -> Tensor:
        """The positions (sparse_dim, nnz) of a coalesced tensor. RuntimeError if it is not."""
        self._need_coalesced("indices")
        return self._indices()

    def values(self) -> Tensor:
        """The values (nnz, …) of a coalesced tensor. RuntimeError if it is not."""
        self._need_coalesced("values")
        return self._values_tensor.view(self._values_tensor.shape)  # type: ignore[attr-defined]

    def _need_coalesced(self, what: str) -> None:
        if not self._coalesced:
            raise RuntimeError(f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first")

    def _coalesced_(self, coalesced: bool) -> SparseTensor:
        """Says whether the tensor is coalesced; it is not checked."""
        self._coalesced = bool(coalesced)
        return self

    def sparse_resize_(self, size: Any, sparse_dim: int, dense_dim: int) -> SparseTensor:
        """Gives this tensor another size. RuntimeError for a tensor with elements that would lose some, or change their form."""
        shape = tuple(int(n) for n in size)
        if len(shape) != sparse_dim + dense_dim:
            raise RuntimeError(f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = {sparse_dim}, "
                               f"dense_dim = {dense_dim}")
        if not self._nnz():
            return self.sparse_resize_and_clear_(shape, sparse_dim, dense_dim)
        if sparse_dim != self.sparse_dim() or dense_dim != self.dense_dim():
            raise RuntimeError(f"changing the number of {'sparse' if sparse_dim != self.sparse_dim() else 'dense'} dimensions on a "
                               "non-empty sparse tensor is not supported")
        for kind, part in (("sparse", slice(sparse_dim)), ("dense", slice(sparse_dim, None))):
            if any(new < old if kind == "sparse" else new != old for new, old in zip(shape[part], self.shape[part])):
                raise RuntimeError(f"{'shrinking' if kind == 'sparse' else 'changing'} the size of {kind} dimensions (from "
                                   f"{list(self.shape[part])} to {list(shape[part])}) on a non-empty sparse tensor is not supported.")
        return self._replace(sparse(self._indices_array, self._values_tensor, shape, self._coalesced))

    def sparse_resize_and_clear_(self, size: Any, sparse_dim: int, dense_dim: int) -> SparseTensor:
        """Gives this tensor another size, and forgets its elements."""
        shape = tuple(int(n) for n in size)
        values = filled((0, *shape[sparse_dim:]), 0, self.dtype)
        return self._replace(sparse(np.zeros((sparse_dim, 0), np.int64), values, shape, True))

    def _linear(self) -> np.ndarray:
        """Positions as numbers in the row-major order of the sparse dimensions."""
        return linear_index(self._indices_array, self.shape[:self.sparse_dim()])

    def _replace(self, other: SparseTensor) -> SparseTensor:
        """Takes over what another sparse tensor holds."""
        self._hold(other._values_tensor, other.shape)
        self._indices_array, self._coalesced = other._indices_array, other._coalesced
        return self

    def _with(self, values: Tensor, shape: tuple[int, ...] | None = None) -> SparseTensor:
        return sparse(self._indices_array, values, tuple(self.shape) if shape is None else shape, self._coalesced)

    # ------------------------------------------------------------------ conversions

    def coalesce(self) -> SparseTensor:
        """The same tensor with unique positions in order; values at equal positions are added up."""
        if self._coalesced:
            return self
        linear = self._linear()
        if self._nnz() < 2:
            return sparse(self._indices_array, self._values_tensor, tuple(self.shape), True)
        unique, first, inverse = np.unique(linear, return_index=True, return_inverse=True)
        values = self._values_tensor
        if len(unique) < len(linear):
            zeros = values.new_zeros((len(unique), *values.shape[1:]))  # type: ignore[attr-defined]
            values = zeros.index_add(0, index_tensor(inverse.reshape(-1), zeros), values)  # type: ignore[attr-defined]
        elif not np.array_equal(unique, linear):
            values = values.index_select(0, index_tensor(first, values))  # type: ignore[attr-defined]
        return sparse(self._indices_array[:, first], values, tuple(self.shape), True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The strided tensor with these elements; zero elsewhere."""
        if dtype is not None:
            raise RuntimeError("dtype argument is not supported by sparse_to_dense")
        n = self.sparse_dim()
        flat = self._values_tensor.new_zeros((math.prod(self.shape[:n]), *self.shape[n:]))  # type: ignore[attr-defined]
        return flat.index_add(0, index_tensor(self._linear(), flat), self._values_tensor).reshape(self.shape)  # type: ignore[attr-defined]

    def to_sparse(self, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None, dense_dim: int | None = None) -> SparseTensor:
        """This tensor, or with layout=torch.sparse_csr the matrix by rows."""
        if layout not in (None, sparse_coo, strided):
            from .compressed import compress
            return compress(self, layout, blocksize)  # type: ignore[return-value]
        if layout not in (None, sparse_coo) or sparse_dim not in (None, self.sparse_dim()):
            raise NotStrided("to_sparse")
        return self

    def to_sparse_coo(self) -> SparseTensor:
        """This tensor."""
        return self

    def type(self, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
        """The name of this kind of tensor; or, with a dtype, the tensor converted."""
        if dtype is None:
            return f"torch.sparse.{self.dtype._legacy}Tensor"
        return self._with(self._values_tensor.type(dtype))  # type: ignore[attr-defined]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """False: there are no strides."""
        return False

    def stride(self, dim: int | None = None) -> Any:
        """Zeros: there are no strides."""
        return (0,) * self.ndim if dim is None else 0

    # ------------------------------------------------------------------ copies

    def __reduce_ex__(self, protocol: Any) -> tuple:
        args = (self._indices(), self._values_tensor, tuple(self.shape), self._coalesced)
        return _rebuilt, args

    def __deepcopy__(self, memo: dict) -> SparseTensor:
        from copy import deepcopy
        return _rebuilt(self._indices(), deepcopy(self._values_tensor, memo), tuple(self.shape), self._coalesced)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .printing import representation
        return representation(self)


def sparse(indices: np.ndarray, values: Tensor, shape: Sequence[int], coalesced: bool) -> SparseTensor:
    """A sparse tensor of given parts, unchecked. indices: an int64 array that nobody writes to any more."""
    t = object.__new__(SparseTensor)
    t._hold(values, shape)
    t._indices_array, t._coalesced = indices, coalesced
    return t


def _rebuilt(indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool) -> SparseTensor:
    return sparse(np.array(host_array(indices), np.int64), values, shape, coalesced)


def linear_index(indices: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Positions as numbers in row-major order. RuntimeError for one outside the shape."""
    for d, (row, n) in enumerate(zip(indices, shape)):
        if row.size and (row.min() < 0 or row.max() >= n):
            bad = row[(row < 0) | (row >= n)][0]
            raise RuntimeError(f"size is inconsistent with indices: for dim {d}, size is {n} but found index {bad}")
    if not len(indices) or not indices.shape[1]:
        return np.zeros(indices.shape[1], np.int64)
    return np.ravel_multi_index(tuple(indices), tuple(shape)).astype(np.int64, copy=False)


def sparse_coo_tensor(indices: Any = None, values: Any = None, size: Any = None, *, dtype: dtype_class | None = None, device: Any = None,
                      pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
                      is_coalesced: bool | None = None) -> SparseTensor:
    """A sparse tensor of `values` (nnz, …) at `indices` (sparse_dim, nnz).

    size: by default the smallest that holds all positions. `sparse_coo_tensor(size=…)` alone is all zeros.
    check_invariants: whether positions are checked now (see `torch.sparse.check_sparse_tensor_invariants`). Errors:
    RuntimeError for parts that do not fit each other.
    """
    from ..tensor.device import check_device
    from .invariants import check_sparse_tensor_invariants
    if device is not None:
        check_device(device)
    if values is None and indices is not None and size is None:  # sparse_coo_tensor(size)
        indices, size = None, indices
    if indices is None:
        shape = tuple(int(n) for n in size)
        empty = filled((0,), 0, dtype) if dtype is not None else as_tensor([]).to(dtype)  # type: ignore[attr-defined]
        return sparse(np.zeros((len(shape), 0), np.int64), own_values(empty, requires_grad, ""), shape, True)
    positions = np.array(host_array(indices) if isinstance(indices, Tensor) else np.asarray(indices)).astype(np.int64)
    if not isinstance(values, Tensor):
        values = as_tensor(values, dtype=dtype)
    elif dtype is not None:
        values = values.to(dtype)  # type: ignore[attr-defined]
    shape = _checked(positions, values, size)
    if check_sparse_tensor_invariants.is_enabled() if check_invariants is None else check_invariants:
        linear_index(positions, shape)
    values = own_values(values, requires_grad, "SparseCooTensorWithDimsAndTensorsBackward0")
    return sparse(positions, values, shape, bool(is_coalesced))


def _checked(positions: np.ndarray, values: Tensor, size: Any) -> tuple[int, ...]:
    """The size; PyTorch's errors for parts that do not fit each other."""
    if positions.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(positions.shape)}")
    if values.ndim < 1:
        raise RuntimeError(f"values must have at least one dimension, but got: {list(values.shape)}")
    if values.shape[0] != positions.shape[1]:
        raise RuntimeError(f"indices and values must have same nnz, but got nnz from indices: {positions.shape[1]}, nnz from values: "
                           f"{values.shape[0]}")
    if size is None:
        if positions.size and positions.min() < 0:
            raise RuntimeError(f"found negative index {positions.min()}")
        return (*(int(row.max()) + 1 if row.size else 0 for row in positions), *values.shape[1:])
    shape = tuple(int(n) for n in size)
    n, dense = len(positions), values.ndim - 1
    if len(shape) != n + dense:
        raise RuntimeError(f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = {n}, "
                           f"dense_dim = {dense}")
    if tuple(values.shape[1:]) != shape[n:]:
        raise RuntimeError(f"values has incorrect size, expected {[positions.shape[1], *shape[n:]]}, got {list(values.shape)}")
    return shape


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None,
              dense_dim: int | None = None) -> Tensor:
    """The nonzero elements (or blocks, where fewer than all dimensions are sparse) and their positions."""
    if layout not in (None, sparse_coo, strided):
        from .compressed import compress
        return compress(self, layout, blocksize)
    n = self.ndim if sparse_dim is None else int(sparse_dim)
    if not 0 < n <= self.ndim and self.ndim:
        raise RuntimeError("dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0" if n <= 0 else
                           "dense_to_sparse: sparse_dim argument must be <= self.dim()")
    found = host_array(self) != 0
    found = found.any(axis=tuple(range(n, self.ndim))) if n < self.ndim else found
    positions = np.array(np.nonzero(found), np.int64).reshape(n, -1)
    return gather_at(self, positions, True)


def gather_at(dense: Tensor, positions: np.ndarray, coalesced: bool) -> SparseTensor:
    """The elements of a strided tensor at given positions of its first dimensions."""
    n = len(positions)
    linear = linear_index(positions, dense.shape[:n])
    rows = dense.reshape(math.prod(dense.shape[:n]), *dense.shape[n:])  # type: ignore[attr-defined]
    return sparse(positions, rows.index_select(0, index_tensor(linear, rows)), tuple(dense.shape), coalesced)


def sparse_mask(self: Tensor, mask: SparseTensor) -> SparseTensor:
    """The elements of self at the positions of `mask`."""
    if not isinstance(mask, SparseTensor):
        raise RuntimeError("sparse_mask(): expected mask to be a sparse tensor")
    if self.shape != mask.shape:
        raise RuntimeError(f"sparse_mask(): operands have incompatible sizes; self has size {list(self.shape)} but mask has size "
                           f"{list(mask.shape)}")
    dense = self.to_dense() if isinstance(self, SparseTensor) else self
    return gather_at(dense, mask._indices_array, mask._coalesced)
