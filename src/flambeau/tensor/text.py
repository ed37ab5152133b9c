"""`repr`, `str` and `format` of tensors; `printing.py` knows how numbers look."""
from __future__ import annotations

import numpy as np

from ..dtypes import get_default_dtype
from ..runtime.levels import running
from .attributes import host_array
from .device import CPU, META
from .placement import device_of, is_transformed
from .printing import format_tensor
from .tensor import Tensor, make_tensor


def representation(self: Tensor, *, tensor_contents: str | None = None) -> str:
    """The values (or `tensor_contents`, where something else is to stand for them), and what of dtype and gradient a reader could not
    tell from them."""
    if is_transformed(self):
        return _transformed(self)
    kind, where = type(self), device_of(self)
    plain = kind is Tensor or kind.__name__ == "Parameter"
    node = self.grad_fn  # type: ignore[attr-defined]
    if where is META:
        array, tensor_contents = np.broadcast_to(np.zeros((), np.bool_), self.shape), "..."
    else:
        array = host_array(self)
    text = format_tensor(array, dtype=self.dtype, default_dtype=get_default_dtype(),
                         requires_grad=self.requires_grad, grad_fn_name=None if node is None else node.kind(),
                         device=None if where is CPU else str(where), contents=tensor_contents,
                         prefix="tensor(" if plain else f"{kind.__name__}(")
    return f"Parameter({text})" if "_is_param" in self.__dict__ else text  # a subclass's instance that `nn.Parameter` has marked


def _transformed(t: Tensor) -> str:
    """Inside `vmap` and forward mode: what the tensor stands for."""
    from ..runtime.transform import Batched
    value = t._value()
    if isinstance(value, Batched):
        number = [level for level in running() if level is not None].index(value.level) + 1 if value.level.alive else -1
        inside = representation(make_tensor(value.physical)).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={number}, bdim=0, value=\n    {inside}\n)"
    primal, tangent = (representation(make_tensor(v)) for v in (value.primal, value.tangent))  # type: ignore[attr-defined]
    return f"{primal[:-1]}, tangent={tangent})" if value.level.alive else primal  # type: ignore[attr-defined]


def formatted(self: Tensor, spec: str) -> str:
    """A tensor of no dimensions formats as its number, any other as its representation."""
    if self.ndim == 0 and type(self) is Tensor:
        return self.item().__format__(spec)  # type: ignore[attr-defined]
    return object.__format__(self, spec)


METHODS = {"__repr__": representation, "__format__": formatted}
