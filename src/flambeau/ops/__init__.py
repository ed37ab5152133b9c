"""The surface: public functions of `torch.*` as composites over primitives, one family a file."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "aten":  # PyTorch's `torch.ops` is a namespace of operations, not of files
        from .._ops import aten
        return aten
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
