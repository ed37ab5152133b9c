"""Sparse tensors as text, PyTorch's to the character."""
from __future__ import annotations

from ..dtypes import get_default_dtype
from ..tensor.attributes import host_array
from ..tensor.printing import _add_suffixes, format_values
from .coo import SparseTensor

INDENT = len("tensor(")


def _part(name: str, array) -> str:
    prefix = f"{name}=tensor("
    size = f", size={tuple(array.shape)}" if not array.size else ""
    return prefix + format_values(array, INDENT + len(prefix)) + size + ")"


def representation(t: SparseTensor) -> str:
    """Positions, values, size and number of elements."""
    values = host_array(t._values_tensor)
    between = ",\n" + " " * INDENT
    text = "tensor(" + _part("indices", t._indices_array) + between + _part("values", values)
    default = get_default_dtype()
    suffixes = [f"nnz={t._nnz()}"]
    if not (t.dtype is default or values.size and t.dtype.name in ("int64", "bool")):
        suffixes.append(f"dtype={t.dtype}")
    suffixes.append("layout=torch.sparse_coo")
    node = t.grad_fn  # type: ignore[attr-defined]
    if node is not None:
        suffixes.append(f"grad_fn=<{node.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return _add_suffixes(text + between + f"size={tuple(t.shape)}", suffixes, INDENT)
