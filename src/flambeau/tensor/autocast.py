"""Autocast: inside `torch.autocast` some operations take their floating operands in another precision.

Which ones is a table for the CPU and one for devices, by the operation's name, as PyTorch's for the CPU and for CUDA: those that gain
from half precision, those that need float32, and those whose operands must agree. float64 is left alone, and so is what works in place
or into `out`.
"""
from __future__ import annotations

import functools
import threading
import weakref
from typing import Any, Callable, Sequence

from ..dtypes import bfloat16, dtype, float16, float32, float64
from ..runtime.trace import Value
from .tensor import Tensor

LOWER = "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc mm bmm matmul _rmatmul linear addmm addbmm baddbmm " \
    "vecdot einsum tensordot scaled_dot_product_attention prelu lstm_layer rnn_layer"
FLOAT32 = "avg_pool3d binary_cross_entropy binary_cross_entropy_with_logits grid_sample polar prod quantile nanquantile trace cdist " \
    "linalg_cholesky_ex cholesky_inverse cholesky_solve linalg_inv_ex linalg_pinv linalg_solve_ex lu_solve householder_product ormqr " \
    "linalg_ldl_factor_ex geqrf qr svd svdvals eig eigh eigvals eigvalsh triangular_solve _unpool _fractional adaptive_avg_pool3d " \
    "adaptive_max_pool3d pad mse_loss l1_loss smooth_l1_loss huber_loss nll_loss cross_entropy cosine_embedding_loss " \
    "hinge_embedding_loss margin_ranking_loss multi_margin_loss multilabel_margin_loss soft_margin_loss poisson_nll_loss kl_div " \
    "gru_layer lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell fft ifft fft2 ifft2 fftn ifftn rfft irfft rfft2 irfft2 rfftn irfftn hfft " \
    "ihfft hfft2 ihfft2 hfftn ihfftn"
PROMOTE = "cat concat concatenate stack hstack vstack row_stack dstack column_stack index_copy"
DEVICE_FLOAT32 = "acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow _rpow softplus layer_norm " \
    "group_norm norm cosine_similarity poisson_nll_loss cosine_embedding_loss nll_loss hinge_embedding_loss kl_div l1_loss smooth_l1_loss " \
    "huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss triplet_margin_loss multi_margin_loss " \
    "binary_cross_entropy_with_logits cross_entropy dist pdist cdist renorm logsumexp softmax log_softmax prod cumprod cumsum sum"
DEVICE_PROMOTE = PROMOTE + " addcdiv addcmul atan2 bilinear cross dot grid_sample index_put scatter_add"
_CPU = tuple(frozenset(names.split()) for names in (LOWER, FLOAT32, PROMOTE))
_DEVICES = tuple(frozenset(names.split()) for names in (LOWER, DEVICE_FLOAT32, DEVICE_PROMOTE))

CPU_DTYPES = (bfloat16, float16)

# The states with autocast on, of all threads, and other contexts that take part in calls (`interception.py`). Empty most of the
# time: the recorder's path looks at no more.
active: list[State] = []


class State(threading.local):
    """The thread's autocast: on or off and to which dtype, by device type; the casts that are kept until its end."""

    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.dtypes: dict[str, dtype] = {"cpu": bfloat16, "tpu": bfloat16, "xla": bfloat16, "xla:cpu": bfloat16}
        self.cache_enabled = True
        self.nesting = 0
        self.cache: dict[int, tuple] = {}

    def dtype_of(self, device_type: str) -> dtype:
        """What autocast casts to on a device."""
        return self.dtypes.get(device_type, float16)

    def set_enabled(self, device_type: str, enabled: bool) -> None:
        """Switches autocast for a device."""
        was = any(self.enabled.values())
        self.enabled[device_type] = enabled
        if any(self.enabled.values()) != was:
            (active.remove if was else active.append)(self)


state = State()


def cast_operands(name: str, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments of an operation as autocast wants them in this thread."""
    kind = _device_type(args)
    if not state.enabled.get(kind, False):
        return args
    lower, wide, promote = _CPU if kind == "cpu" else _DEVICES
    if name in lower:
        to = state.dtype_of(kind)
    elif name in wide:
        to = float32
    elif name in promote:
        to = _widest(args, state.dtype_of(kind))
    else:
        return args
    return tuple([_cast(a, to) for a in args])


def _device_type(args: Sequence[Any]) -> str:
    """Where an operation runs: where its first tensor lies that is not a number."""
    tensors = [t for a in args for t in (a if isinstance(a, (tuple, list)) else (a,)) if isinstance(t, Tensor)]
    if all(t._storage.value.__class__ is Value for t in tensors):
        return "cpu"
    from .placement import device_of
    return next((device_of(t).type for t in tensors if device_of(t).type != "cpu"), "cpu")


def in_float32(fn: Callable) -> Callable:
    """Decorates a function that is no recorded operation and takes its floating operands in float32 inside autocast."""
    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        if not active:
            return fn(*args, **kwargs)
        kind = _device_type((*args, *kwargs.values()))
        if not state.enabled.get(kind, False):
            return fn(*args, **kwargs)
        state.set_enabled(kind, False)  # what fn calls is part of it
        try:
            return fn(*[_cast(a, float32) for a in args], **{name: _cast(a, float32) for name, a in kwargs.items()})
        finally:
            state.set_enabled(kind, True)
    return function


def _widest(args: Sequence[Any], lower: dtype) -> dtype:
    """float32 if any operand is (or has another precision than the lower one), else the lower precision."""
    found = [t.dtype for a in args for t in (a if isinstance(a, (tuple, list)) else (a,)) if isinstance(t, Tensor) and t.dtype.kind == "f"]
    return float64 if float64 in found else lower if all(d is lower for d in found) else float32


def _cast(a: Any, to: dtype) -> Any:
    if isinstance(a, Tensor):
        d = a.dtype
        if d is to or d.kind != "f" or d is float64:
            return a
        return _kept(a, to) if d is float32 else _cast_to(a, to)
    if a.__class__ in (tuple, list) and any(isinstance(x, Tensor) for x in a):
        return a.__class__([_cast(x, to) for x in a])
    return a


def _cast_to(t: Tensor, to: dtype) -> Tensor:
    from ..ops.conversion import cast_to
    return cast_to(t, to)


def _kept(t: Tensor, to: dtype) -> Tensor:
    """A cast that is made once: of leaves that require gradients, the weights."""
    from .node import AccumulateGrad
    if not state.cache_enabled or t._view is not None or type(t._node) is not AccumulateGrad:
        return _cast_to(t, to)
    found = state.cache.get(id(t))
    if found is not None and found[0]() is t and found[1] == t._storage.version and found[2].dtype is to \
            and (found[2]._node is not None) == _recording():
        return found[2]
    made = _cast_to(t, to)
    state.cache[id(t)] = (weakref.ref(t), t._storage.version, made)
    return made


def _recording() -> bool:
    from .grad_mode import mode
    return mode.enabled


# ------------------------------------------------------------------ torch.*

def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether autocast is on for a device type (CUDA's if none is given)."""
    return state.enabled.get("cuda" if device_type is None else device_type, False)


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switches autocast for a device type (CUDA's if only a bool is given)."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    state.set_enabled(device_type, bool(enabled))


def get_autocast_dtype(device_type: str) -> dtype:
    """The dtype that autocast casts to on a device type."""
    return state.dtype_of(device_type)


def set_autocast_dtype(device_type: str, dtype: dtype) -> None:
    """Sets the dtype that autocast casts to on a device type."""
    state.dtypes[device_type] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights are kept until autocast ends."""
    return state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Sets whether casts of weights are kept until autocast ends."""
    state.cache_enabled = bool(enabled)


def autocast_increment_nesting() -> int:
    """Counts one context more; returns how many there are."""
    state.nesting += 1
    return state.nesting


def autocast_decrement_nesting() -> int:
    """Counts one context less; returns how many are left."""
    state.nesting -= 1
    return state.nesting


def clear_autocast_cache() -> None:
    """Forgets kept casts."""
    state.cache.clear()


def _deprecated(name: str, new: str) -> None:
    import warnings
    warnings.warn(f"torch.{name} is deprecated. Please use torch.{new} instead.", DeprecationWarning, stacklevel=3)


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on for the CPU. Deprecated: `is_autocast_enabled('cpu')`."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switches autocast for the CPU. Deprecated: `set_autocast_enabled('cpu', enabled)`."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> dtype:
    """The dtype that autocast casts to on the CPU. Deprecated: `get_autocast_dtype('cpu')`."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: dtype) -> None:
    """Sets the dtype that autocast casts to on the CPU. Deprecated: `set_autocast_dtype('cpu', dtype)`."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> dtype:
    """The dtype that autocast casts to on CUDA. Deprecated: `get_autocast_dtype('cuda')`."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: dtype) -> None:
    """Sets the dtype that autocast casts to on CUDA. Deprecated: `set_autocast_dtype('cuda', dtype)`."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)
