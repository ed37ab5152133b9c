"""Matrices by columns (CSC), and by rows or columns of blocks (BSR, BSC).

pointers[i] … pointers[i + 1] are the places of the entries of column (or row of blocks) i in `indices` and `values`. What is
computed goes through coordinates (`coo.py`), as for matrices by rows (`csr.py`), and comes back in the layout it came from.
"""
from __future__ import annotations

from typing import Any, Callable, NamedTuple, NoReturn, Sequence

import numpy as np

from ..ops.from_data import as_tensor
from ..tensor.attributes import host_array
from ..tensor.layout import layout as Layout, sparse_bsc, sparse_bsr, sparse_csc, sparse_csr
from ..tensor.not_strided import NotStrided
from ..tensor.tensor import Tensor
from .base import Compressed, Unstrided, index_tensor, own_values
from .coo import SparseTensor, sparse, to_sparse
from .csr import SparseCSRTensor, sparse_csr_tensor, to_sparse_csr


class _Kind(NamedTuple):
    """name: as PyTorch's errors have it. by_rows: whether pointers are of rows. transposed: the layout of the transpose."""

    name: str
    by_rows: bool
    blocks: bool
    transposed: Layout


KINDS = {sparse_csc: _Kind("SparseCsc", False, False, sparse_csr), sparse_bsr: _Kind("SparseBsr", True, True, sparse_bsc),
         sparse_bsc: _Kind("SparseBsc", False, True, sparse_bsr)}


class SparseCompressedTensor(Compressed):
    """A matrix of layout `torch.sparse_csc`, `sparse_bsr` or `sparse_bsc`. values: (nnz,), or (blocks, height, width)."""

    _layout: Layout
    _pointers: np.ndarray
    _indices_array: np.ndarray

    is_sparse = is_sparse_csr = False  # PyTorch's names for coordinates and rows only
    layout = property(lambda self: self._layout)

    @property
    def _kind(self) -> _Kind:
        return KINDS[self._layout]

    def _of(self, by_rows: bool, name: str, array: np.ndarray) -> Tensor:
        if self._kind.by_rows is not by_rows:
            raise RuntimeError(f"{name} expected sparse {'row' if by_rows else 'column'} compressed tensor layout but got {self._kind.name}")
        return index_tensor(array)

    def crow_indices(self) -> Tensor:
        """Where each row of blocks begins, and the last one ends."""
        return self._of(True, "crow_indices", self._pointers)

    def col_indices(self) -> Tensor:
        """The column of each block."""
        return self._of(True, "col_indices", self._indices_array)

    def ccol_indices(self) -> Tensor:
        """Where each column (of blocks) begins, and the last one ends."""
        return self._of(False, "ccol_indices", self._pointers)

    def row_indices(self) -> Tensor:
        """The row of each entry (or block)."""
        return self._of(False, "row_indices", self._indices_array)

    def _with(self, values: Tensor, shape: tuple[int, ...] | None = None) -> SparseCompressedTensor:
        return _compressed(self.layout, self._pointers, self._indices_array, values, tuple(self.shape))

    # ------------------------------------------------------------------ conversions

    def to_sparse_coo(self) -> SparseTensor:
        """The same matrix in coordinates, in the order of the values."""
        major, minor = np.repeat(np.arange(len(self._pointers) - 1), np.diff(self._pointers)), self._indices_array
        rows, columns = (major, minor) if self._kind.by_rows else (minor, major)
        if self._kind.blocks:
            height, width = self._values_tensor.shape[1:]
            down, across = (x.reshape(-1) for x in np.indices((height, width)))
            rows, columns = (rows[:, None] * height + down).reshape(-1), (columns[:, None] * width + across).reshape(-1)
        return sparse(np.stack([rows, columns]), self._values_tensor.reshape(-1), tuple(self.shape), False)  # type: ignore[attr-defined]

    def to_sparse(self, sparse_dim: Any = None, *, layout: Any = None, blocksize: Any = None, dense_dim: Any = None) -> Tensor:
        """The same matrix in coordinates, or in another layout."""
        return self.to_sparse_coo() if layout is None else compress(self, layout, blocksize)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """The transpose, of the same values: by columns where this is by rows."""
        if {dim0 % 2, dim1 % 2} != {0, 1}:
            return self
        values, other = self._values_tensor, self._kind.transposed
        if other is sparse_csr:
            return sparse_csr_tensor(self._pointers, self._indices_array, values, tuple(self.shape)[::-1])
        return _compressed(other, self._pointers, self._indices_array, values.mT if self._kind.blocks else values, tuple(self.shape)[::-1])

    def t(self) -> Tensor:
        """The transpose."""
        return self.transpose(0, 1)

    def numpy(self, *, force: bool = False) -> NoReturn:
        raise TypeError(f"can't convert {self._kind.name} layout tensor to numpy. Use Tensor.to_dense() first.")

    # ------------------------------------------------------------------ copies and text

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return _compressed, (self.layout, self._pointers, self._indices_array, self._values_tensor, tuple(self.shape))

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .printing import representation_compressed
        return representation_compressed(self, self._pointers, self._indices_array, self._kind.by_rows)


def _compressed(layout: Layout, pointers: np.ndarray, indices: np.ndarray, values: Tensor, shape: tuple[int, ...]) -> SparseCompressedTensor:
    t = object.__new__(SparseCompressedTensor)
    t._hold(values, shape)
    t._layout, t._pointers, t._indices_array = layout, pointers, indices
    return t


# ------------------------------------------------------------------ making them

def compress(self: Tensor, layout: Any, blocksize: Any = None) -> Tensor:
    """A matrix in a compressed layout: of a strided one the nonzero elements, or the blocks that have some."""
    if layout is sparse_csr:
        if isinstance(self, SparseCompressedTensor) and self._kind.blocks:
            _refuse_conversion(self, layout)
        return self.to_sparse_coo().to_sparse_csr() if isinstance(self, SparseCompressedTensor) else to_sparse_csr(self)
    if layout not in KINDS:
        raise RuntimeError(f"to_sparse: unknown layout {layout}")
    kind = KINDS[layout]
    if self.ndim != 2:
        raise RuntimeError(f"to_{str(layout)[6:]}: expected a matrix, got {self.ndim}-D tensor (flambeau has no batches of sparse matrices yet)")
    size = _block_size(self, kind, blocksize)
    if isinstance(self, SparseCompressedTensor) and self._kind.blocks and kind.blocks and size != tuple(self._values_tensor.shape[1:]):
        where = "to_" if self.layout is layout else "sparse_compressed_to_"
        raise RuntimeError(f"{where}{str(layout)[6:]}: conversion from {self._kind.name} to {kind.name} with blocksize changed from "
                           f"{list(self._values_tensor.shape[1:])} to {list(size)} is not supported")
    if isinstance(self, SparseCompressedTensor) and self.layout is layout:
        return self
    if isinstance(self, SparseCompressedTensor) and self._kind.blocks and not kind.blocks:
        _refuse_conversion(self, layout)
    if kind.blocks and not isinstance(self, Unstrided):
        return _blocks_of(self, layout, size)
    entries: Any = self.to_sparse_coo() if isinstance(self, (SparseCompressedTensor, SparseCSRTensor)) else self
    entries = (entries if isinstance(entries, SparseTensor) else to_sparse(entries)).coalesce()
    return _in_blocks(entries, layout, size) if kind.blocks else _by_columns(entries)


def _refuse_conversion(self: SparseCompressedTensor, layout: Any) -> NoReturn:
    raise RuntimeError(f"sparse_compressed_to_{str(layout)[6:]}: expected SparseCsr or SparseCsc layout but got {self._kind.name}")


def _block_size(self: Tensor, kind: _Kind, blocksize: Any) -> tuple[int, int]:
    if not kind.blocks:
        return 1, 1
    if blocksize is None:
        if isinstance(self, SparseCompressedTensor) and self._kind.blocks:
            return tuple(self._values_tensor.shape[1:])  # type: ignore[return-value]
        raise RuntimeError(f"dense_to_sparse: conversion from Strided to {kind.name} without blocksize argument given is not supported")
    size = (blocksize, blocksize) if isinstance(blocksize, int) else tuple(int(n) for n in blocksize)
    if len(size) != 2 or min(size) < 1 or any(n % b for n, b in zip(self.shape, size)):
        name = "sparse_bsr" if kind.by_rows else "sparse_bsc"
        raise RuntimeError(f"dense_to_{name}: tensor sparse size ({self.shape[0]},{self.shape[1]}) must be divisible by given blocksize "
                           f"({','.join(map(str, size))})")
    return size  # type: ignore[return-value]


def _pointers_of(major: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(major, minlength=n))]).astype(np.int64)


def _by_columns(entries: SparseTensor) -> SparseCompressedTensor:
    rows, columns = entries._indices_array
    order = np.lexsort((rows, columns))
    values = entries._values_tensor.index_select(0, index_tensor(order))  # type: ignore[attr-defined]
    return _compressed(sparse_csc, _pointers_of(columns, entries.shape[1]), rows[order], values, tuple(entries.shape))


def _blocks_of(dense: Tensor, layout: Layout, size: tuple[int, int]) -> SparseCompressedTensor:
    """The blocks of a strided matrix that are not zero, with all of their elements."""
    (height, width), by_rows = size, KINDS[layout].by_rows
    down, across = dense.shape[0] // height, dense.shape[1] // width
    order = (0, 2, 1, 3) if by_rows else (2, 0, 1, 3)
    blocks = dense.reshape(down, height, across, width).permute(order).reshape(-1, height, width)  # type: ignore[attr-defined]
    kept = np.flatnonzero(host_array(blocks).any(axis=(1, 2)))
    n, rest = (down, across) if by_rows else (across, down)
    return _compressed(layout, _pointers_of(kept // rest, n), kept % rest, blocks.index_select(0, index_tensor(kept)), tuple(dense.shape))


def _in_blocks(entries: SparseTensor, layout: Layout, size: tuple[int, int]) -> SparseCompressedTensor:
    (rows, columns), (height, width) = entries._indices_array, size
    by_rows = KINDS[layout].by_rows
    across, down = entries.shape[1] // width, entries.shape[0] // height
    major, minor, n, rest = (rows // height, columns // width, down, across) if by_rows else (columns // width, rows // height, across, down)
    blocks, number = np.unique(major * rest + minor, return_inverse=True)
    place = (number.reshape(-1) * height + rows % height) * width + columns % width
    values = entries._values_tensor
    zeros = values.new_zeros(len(blocks) * height * width)  # type: ignore[attr-defined]
    filled = zeros.index_put((index_tensor(place),), values).reshape(len(blocks), height, width)
    return _compressed(layout, _pointers_of(blocks // rest, n), blocks % rest, filled, tuple(entries.shape))


def sparse_compressed_tensor(compressed_indices: Any, plain_indices: Any, values: Any, size: Any = None, *, dtype: Any = None,
                             layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
                             check_invariants: bool | None = None) -> Tensor:
    """A matrix of a compressed layout. size: by default as many columns (or rows) as compressed_indices begins, and as many of the
    others as plain_indices reach."""
    if layout is sparse_csr:
        return sparse_csr_tensor(compressed_indices, plain_indices, values, size, dtype=dtype, device=device, requires_grad=requires_grad,
                                 check_invariants=check_invariants)
    if layout not in KINDS:
        raise RuntimeError(f"sparse_compressed_tensor expected sparse compressed tensor layout but got {'none' if layout is None else layout}")
    from ..tensor.device import check_device
    from .invariants import check_sparse_tensor_invariants
    check_device(device)
    kind = KINDS[layout]
    pointers, indices = (np.array(host_array(x) if isinstance(x, Tensor) else np.asarray(x)).astype(np.int64)
                         for x in (compressed_indices, plain_indices))
    values = as_tensor(values, dtype=dtype)
    rank = 3 if kind.blocks else 1
    if values.ndim < rank:
        raise RuntimeError(f"values must have dimensionality > sum of batch and block dimensionalities (=0 + {rank - 1}) but got {values.ndim}")
    if pointers.ndim != 1 or indices.ndim != 1 or values.ndim != rank:
        raise RuntimeError(f"sparse_compressed_tensor: expected a matrix, got values of {list(values.shape)} (flambeau has no batches of sparse "
                           "matrices and no dense dimensions yet)")
    height, width = values.shape[1:] if kind.blocks else (1, 1)
    if size is None:
        counts = (len(pointers) - 1, int(indices.max(initial=-1)) + 1)
        size = ((counts if kind.by_rows else counts[::-1])[0] * height, (counts if kind.by_rows else counts[::-1])[1] * width)
    matrix = _compressed(layout, pointers, indices, own_values(values, requires_grad, "SparseCompressedTensorBackward0"), tuple(map(int, size)))
    if check_sparse_tensor_invariants.is_enabled() if check_invariants is None else check_invariants:
        _check(matrix, height, width)
    return matrix


def _check(matrix: SparseCompressedTensor, height: int, width: int) -> None:
    """RuntimeError where the indices do not describe a matrix of this size."""
    kind, (rows, columns) = matrix._kind, (matrix.shape[0] // height, matrix.shape[1] // width)
    n, reach, pointers, indices = (rows, columns, "crow", "col") if kind.by_rows else (columns, rows, "ccol", "row")
    p = matrix._pointers
    if len(p) != n + 1 or p[0] != 0 or p[-1] != len(matrix._indices_array) or (np.diff(p) < 0).any():
        raise RuntimeError(f"`{pointers}_indices[..., 0] == 0`, its growth to nnz or its length is not satisfied.")
    if len(matrix._indices_array) and not 0 <= matrix._indices_array.min() <= matrix._indices_array.max() < reach:
        raise RuntimeError(f"`0 <= {indices}_indices < {'ncols' if kind.by_rows else 'nrows'}` is not satisfied.")


def _constructor(layout: Layout, pointers: str, indices: str) -> Callable:
    def make(compressed_indices: Any, plain_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, device: Any = None,
             pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None) -> Tensor:
        return sparse_compressed_tensor(compressed_indices, plain_indices, values, size, dtype=dtype, layout=layout, device=device,
                                        requires_grad=requires_grad, check_invariants=check_invariants)
    make.__name__ = make.__qualname__ = f"{layout.name}_tensor"
    make.__doc__ = f"A matrix of layout `torch.{layout.name}` from its {pointers}, {indices} and values: see `sparse_compressed_tensor`."
    return make


sparse_csc_tensor = _constructor(sparse_csc, "ccol_indices", "row_indices")
sparse_bsr_tensor = _constructor(sparse_bsr, "crow_indices", "col_indices")
sparse_bsc_tensor = _constructor(sparse_bsc, "ccol_indices", "row_indices")


def to_sparse_csc(self: Tensor, dense_dim: Any = None) -> Tensor:
    """A matrix by columns: of a strided one the nonzero elements."""
    return compress(self, sparse_csc)


def to_sparse_bsr(self: Tensor, blocksize: int | Sequence[int], dense_dim: Any = None) -> Tensor:
    """A matrix by rows of blocks: of a strided one the blocks that are not zero."""
    return compress(self, sparse_bsr, blocksize)


def to_sparse_bsc(self: Tensor, blocksize: int | Sequence[int], dense_dim: Any = None) -> Tensor:
    """A matrix by columns of blocks: of a strided one the blocks that are not zero."""
    return compress(self, sparse_bsc, blocksize)


def _to_sparse_csr(self: Tensor, dense_dim: Any = None) -> Tensor:
    return compress(self, sparse_csr)


# ------------------------------------------------------------------ computing with them

_ELEMENTWISE = ("neg", "abs", "mul", "div", "add", "sub", "relu", "sin", "tanh", "sqrt")  # results keep the layout


def call(variant: Any, name: str, args: tuple) -> Any:
    """A sparse variant on matrices of these layouts: through their coordinates. Products of two are by rows."""
    first = next(a for a in args if isinstance(a, SparseCompressedTensor))
    if name in ("mm", "matmul", "addmm", "mv", "addmv"):
        _check_product(name, args)
    plain = [a.to_sparse_coo() if isinstance(a, (SparseCompressedTensor, SparseCSRTensor)) else a for a in args]
    if name == "add" and isinstance(plain[0], SparseTensor) and not isinstance(plain[1], SparseTensor):
        plain[:2] = plain[1], plain[0]
    if name == "permute":
        raise NotStrided(name)
    if name == "select" and first._kind.blocks:
        raise RuntimeError("select(): no view exists for the given input, consider using torch.select_copy.")
    result = variant(*plain)
    if not isinstance(result, SparseTensor) or result.ndim != 2:
        return result
    return compress(result, first.layout, first._values_tensor.shape[1:] or None) if name in _ELEMENTWISE else to_sparse_csr(result)


def _check_product(name: str, args: tuple) -> None:
    """RuntimeError for products that PyTorch does not have on a CPU."""
    left, right = args[-2:] if name in ("mm", "matmul", "mv") else args[1:3]
    kinds = [a._kind.name if isinstance(a, SparseCompressedTensor) else "SparseCsr" if isinstance(a, SparseCSRTensor) else "Strided"
             for a in (left, right)]
    if "Strided" not in kinds and any("Bs" in kind for kind in kinds):
        raise RuntimeError(f"zeros_sparse_compressed expected sparse compressed (non-block) tensor layout but got {kinds[0]}")
    if kinds[0] == "SparseBsc" or kinds == ["Strided", "SparseBsr"]:
        if right.ndim == 1:
            raise RuntimeError(f"torch.addmv: operation not supported for mat with {kinds[0]} layout")
        raise RuntimeError(f"addmm: computation on CPU is not implemented for Strided + {kinds[0]} @ {kinds[1]}")
