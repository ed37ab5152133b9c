"""What a tensor says of the parts of sparse layouts: strided ones, and those of another layout, have no such parts."""
from __future__ import annotations

from typing import Any, NoReturn

_NAMES = {"strided": "Strided", "sparse_coo": "Sparse", "sparse_csr": "SparseCsr", "sparse_csc": "SparseCsc",
          "sparse_bsr": "SparseBsr", "sparse_bsc": "SparseBsc"}
_WANTED = {
    **dict.fromkeys(("coalesce", "is_coalesced", "indices"), "sparse coordinate"), "values": "sparse",
    **dict.fromkeys(("crow_indices", "col_indices"), "sparse row compressed"),
    **dict.fromkeys(("ccol_indices", "row_indices"), "sparse column compressed"),
}


def _absent(name: str) -> Any:
    def method(self: Any) -> NoReturn:
        raise RuntimeError(f"{name} expected {_WANTED[name]} tensor layout but got {_NAMES[self.layout.name]}")
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"A part of tensors of {_WANTED[name]} layout. RuntimeError for others."
    return method


def sparse_dim(self: Any) -> int:
    """How many dimensions are indexed by positions: none of a strided tensor."""
    return 0


def dense_dim(self: Any) -> int:
    """How many dimensions are strided: all of a strided tensor."""
    return self.ndim


METHODS = {**{name: _absent(name) for name in _WANTED}, "sparse_dim": sparse_dim, "dense_dim": dense_dim}
