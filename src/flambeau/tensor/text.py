"""`repr`, `str` and `format` of tensors; `printing.py` knows how numbers look."""
from __future__ import annotations

from ..dtypes import get_default_dtype
from .attributes import host_array
from .printing import format_tensor
from .tensor import Tensor


def representation(self: Tensor, *, tensor_contents: str | None = None) -> str:
    """The values, and what of dtype and gradient a reader could not tell from them."""
    kind = type(self)
    plain = kind is Tensor or kind.__name__ == "Parameter"
    node = self.grad_fn  # type: ignore[attr-defined]
    return format_tensor(host_array(self), dtype=self.dtype, default_dtype=get_default_dtype(),
                         requires_grad=self.requires_grad, grad_fn_name=None if node is None else node.name(),
                         prefix="tensor(" if plain else f"{kind.__name__}(")


def formatted(self: Tensor, spec: str) -> str:
    """A tensor of no dimensions formats as its number, any other as its representation."""
    if self.ndim == 0 and type(self) is Tensor:
        return self.item().__format__(spec)  # type: ignore[attr-defined]
    return object.__format__(self, spec)


METHODS = {"__repr__": representation, "__format__": formatted}
