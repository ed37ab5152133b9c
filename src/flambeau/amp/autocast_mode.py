"""`autocast` as a context and decorator, and its counterpart for custom functions."""
from __future__ import annotations

import functools
import warnings
from typing import Any, Callable

from ..dtypes import dtype as dtype_class
from ..tensor.autocast import CPU_DTYPES, _cast, state
from ..tensor.tensor import Tensor
from ..xla import backend

__all__ = ["autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]

_DEVICES = ("cpu cuda ipu xpu mkldnn opengl opencl ideep hip ve fpga maia xla lazy vulkan mps meta hpu mtia privateuseone xla:cpu tpu").split()
_WITH_AUTOCAST = frozenset("cpu cuda ipu xpu xla mps hpu mtia maia privateuseone xla:cpu tpu".split())


def is_autocast_available(device_type: str) -> bool:
    """Whether there is an autocast for this type of device."""
    if device_type not in _DEVICES:
        raise RuntimeError(f"Expected one of {', '.join(_DEVICES)} device type at start of device string: {device_type}")
    return device_type in _WITH_AUTOCAST


def _check_device_type(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def state_of(device_type: str) -> dict:
    """Arguments of an `autocast` on this device that restores the present state."""
    return {"enabled": state.enabled.get(device_type, False), "dtype": state.dtype_of(device_type), "cache_enabled": state.cache_enabled}


def autocast_decorator(autocast_instance: autocast, func: Callable) -> Callable:
    """func, run inside the context."""
    @functools.wraps(func)
    def decorate_autocast(*args: Any, **kwargs: Any) -> Any:
        with autocast_instance:
            return func(*args, **kwargs)
    return decorate_autocast


class autocast:
    """A context, or decorator, in which operations that gain from it work in lower precision (Micikevicius et al. 2018).

    device_type: 'cpu', 'tpu', 'xla:cpu' or 'cuda', for which it warns and does nothing where there is no GPU. dtype: bfloat16 or
    float16 (bfloat16 is the default, but float16 on 'cuda'). enabled=False switches
    it off inside another. cache_enabled: whether casts of weights are kept until the outermost context ends.
    """

    def __init__(self, device_type: str, dtype: dtype_class | None = None, enabled: bool = True, cache_enabled: bool | None = None) -> None:
        _check_device_type(device_type)
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.device = device_type
        self.fast_dtype = state.dtype_of(device_type) if dtype is None else dtype
        self._cache_enabled = state.cache_enabled if cache_enabled is None else cache_enabled
        if enabled and device_type == "cuda" and not backend.devices("cuda"):
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", UserWarning, stacklevel=2)
            enabled = False
        if enabled and device_type == "cpu" and self.fast_dtype not in CPU_DTYPES:
            warnings.warn("In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only supports dtypes of "
                          "torch.bfloat16, torch.float16 currently.", UserWarning, stacklevel=2)
            enabled = False
        self._enabled = enabled
        self._before: list[tuple] = []

    def __enter__(self) -> autocast:
        self._before.append((state.enabled.get(self.device, False), state.dtype_of(self.device), state.cache_enabled))
        state.set_enabled(self.device, self._enabled)
        state.dtypes[self.device] = self.fast_dtype
        state.cache_enabled = self._cache_enabled
        state.nesting += 1
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Any:
        state.nesting -= 1
        if state.nesting == 0:
            state.cache.clear()
        enabled, state.dtypes[self.device], state.cache_enabled = self._before.pop()
        state.set_enabled(self.device, enabled)
        return False

    def __call__(self, func: Callable) -> Callable:
        return autocast_decorator(self, func)


# ------------------------------------------------------------------ custom functions

def custom_fwd(fwd: Callable | None = None, *, device_type: str, cast_inputs: dtype_class | None = None) -> Any:
    """Decorates `forward` of an `autograd.Function`: backward (see `custom_bwd`) is to run in the same autocast state.

    cast_inputs: casts floating inputs to this dtype, and runs with autocast off, if autocast is on.
    """
    _check_device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorate_fwd(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        ctx._dtype = state.dtype_of(device_type)
        enabled = state.enabled.get(device_type, False)
        if cast_inputs is None or not enabled:
            ctx._fwd_used_autocast = enabled
            return fwd(*args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(*_cast_all(args, cast_inputs), **_cast_all(kwargs, cast_inputs))
    return decorate_fwd


def _cast_all(value: Any, to: dtype_class) -> Any:
    """The floating tensors in nested containers, cast."""
    if isinstance(value, Tensor):
        return _cast(value, to)
    if isinstance(value, dict):
        return {_cast_all(k, to): _cast_all(v, to) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_cast_all(v, to) for v in value)
    return value


def custom_bwd(bwd: Callable | None = None, *, device_type: str) -> Any:
    """Decorates `backward` of an `autograd.Function`: it runs in the autocast state of `forward` (see `custom_fwd`)."""
    _check_device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorate_bwd(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(*args, **kwargs)
    return decorate_bwd
