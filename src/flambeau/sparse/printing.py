"""Sparse tensors as text, PyTorch's to the character."""
from __future__ import annotations

import numpy as np

from ..dtypes import get_default_dtype
from ..tensor.attributes import host_array
from ..tensor.printing import _add_suffixes, format_values
from .base import Unstrided
from .coo import SparseTensor

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


def representation_compressed(t: Unstrided, pointers: np.ndarray, indices: np.ndarray, by_rows: bool) -> str:
    """Where rows (or columns) begin, the others' indices, values, size and number of elements."""
    names = ("crow_indices", "col_indices") if by_rows else ("ccol_indices", "row_indices")
    text = "tensor(" + BETWEEN.join([_part(names[0], pointers), _part(names[1], indices), _part("values", host_array(t._values_tensor))])
    return _add_suffixes(text, [f"size={tuple(t.shape)}", f"nnz={len(indices)}", *_kind(t)], INDENT)


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
