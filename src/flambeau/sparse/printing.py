"""Sparse tensors as text, PyTorch's to the character."""
from __future__ import annotations

from ..dtypes import get_default_dtype
from ..tensor.attributes import host_array
from ..tensor.printing import _add_suffixes, format_values
from .base import Unstrided
from .coo import SparseTensor
from .csr import SparseCSRTensor

INDENT = len("tensor(")
BETWEEN = ",\n" + " " * INDENT


def _part(name: str, array) -> str:
    prefix = f"{name}=tensor("
    size = f", size={tuple(array.shape)}" if not array.size else ""
    return prefix + format_values(array, INDENT + len(prefix)) + size + ")"


def representation(t: SparseTensor) -> str:
    """Positions, values, size and number of elements."""
    text = "tensor(" + _part("indices", t._indices_array) + BETWEEN + _part("values", host_array(t._values_tensor))
    return _add_suffixes(text + BETWEEN + f"size={tuple(t.shape)}", [f"nnz={t._nnz()}", *_kind(t)], INDENT)


def representation_by_rows(t: SparseCSRTensor) -> str:
    """Where rows begin, columns, values, size and number of elements."""
    text = "tensor(" + BETWEEN.join([_part("crow_indices", t._crow), _part("col_indices", t._col),
                                     _part("values", host_array(t._values_tensor))])
    return _add_suffixes(text, [f"size={tuple(t.shape)}", f"nnz={len(t._col)}", *_kind(t)], INDENT)


def _kind(t: Unstrided) -> list[str]:
    """What the numbers do not tell: dtype, layout, gradient."""
    suffixes = []
    if not (t.dtype is get_default_dtype() or t._nnz() and t.dtype.name in ("int64", "bool")):
        suffixes.append(f"dtype={t.dtype}")
    suffixes.append(f"layout={t.layout}")
    node = t.grad_fn  # type: ignore[attr-defined]
    if node is not None:
        suffixes.append(f"grad_fn=<{node.kind()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes
