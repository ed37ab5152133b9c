"""`layout`: how a tensor's elements are stored. All tensors here are `strided`; the other names exist to compare with."""
from __future__ import annotations


class layout:
    """A way of storing elements: `strided`, or one of the sparse and nested ones of PyTorch."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return "torch." + self.name

    def __reduce__(self):
        return _layout_by_name, (self.name,)


strided, sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc, jagged = map(
    layout, ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"))


def _layout_by_name(name: str) -> layout:
    return globals()[name]
