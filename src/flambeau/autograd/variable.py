"""`Variable`: the name that tensors with gradients had before PyTorch 0.4."""
from __future__ import annotations

from typing import Any

from ..tensor.tensor import Tensor, alias


class VariableMeta(type):
    """Tensors are Variables, and calling Variable gives a tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Tensor:
        """A new handle on data's memory, without history."""
        from ..ops.creation import filled
        if data is not None and not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        made = alias(data) if data is not None else filled((0,), 0.0, Tensor().dtype)
        return made.requires_grad_(True) if requires_grad else made  # type: ignore[attr-defined]


class Variable(metaclass=VariableMeta):
    """Variable(data, requires_grad=False): data as a tensor that may require a gradient."""
