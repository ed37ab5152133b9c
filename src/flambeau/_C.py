"""The public names of `torch._C` that programs use: contexts in which `__torch_function__` is not asked."""
from __future__ import annotations

from .overrides.dispatch import DisableTorchFunction, DisableTorchFunctionSubclass, state
from .tensor.overriding import disabled as _disabled_torch_function_impl
from .tensor.tensor import Tensor as TensorBase

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "TensorBase", "_disabled_torch_function_impl", "_is_torch_function_enabled",
           "_is_torch_function_mode_enabled"]


def _is_torch_function_enabled() -> bool:
    """Whether classes override functions now."""
    return not state.subclasses_off


def _is_torch_function_mode_enabled() -> bool:
    """Whether a mode is active."""
    return bool(state.modes) and not state.modes_off
