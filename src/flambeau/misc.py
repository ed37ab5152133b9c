"""Small functions of `torch.*` about tensors, settings and the process."""
from __future__ import annotations

from typing import Any

from .dtypes import set_default_dtype
from .ir.types import tensor_type
from .tensor.device import get_default_device as get_default_device, set_default_device as set_default_device
from .tensor.tensor import Tensor

__all__ = ["are_deterministic_algorithms_enabled", "compile", "get_deterministic_debug_mode", "get_device_module", "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads",
           "is_complex", "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_inference", "is_same_size",
           "is_signed", "is_storage", "is_tensor", "numel", "result_type", "set_default_device", "get_default_device",
           "set_default_tensor_type", "set_deterministic_debug_mode", "set_flush_denormal", "set_float32_matmul_precision", "set_num_interop_threads", "set_num_threads",
           "typename", "use_deterministic_algorithms"]


def is_tensor(obj: Any, /) -> bool:
    """Whether obj is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any, /) -> bool:
    """Whether obj is a storage."""
    from .storage import TypedStorage, UntypedStorage
    return isinstance(obj, (TypedStorage, UntypedStorage))


def is_floating_point(input: Tensor) -> bool:
    """Whether input's dtype is a floating one."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether input's dtype is complex."""
    return input.dtype.is_complex


def is_signed(input: Tensor) -> bool:
    """Whether the tensor's dtype has negative numbers."""
    return input.dtype.is_signed


def is_inference(input: Tensor) -> bool:
    """Whether input was made in inference mode."""
    return input.is_inference()  # type: ignore[attr-defined]


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape."""
    return input.shape == other.shape


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.shape.numel()


def typename(obj: Any, /) -> str:
    """The type of obj as text: 'torch.FloatTensor' for tensors, the qualified class name for others."""
    if isinstance(obj, Tensor):
        return f"torch.{obj.dtype._legacy}Tensor"
    cls = obj if isinstance(obj, type) else type(obj)
    module = getattr(obj, "__module__", None) or cls.__module__
    name = getattr(obj, "__qualname__", None) or cls.__qualname__
    return name if module in (None, "builtins", "") else f"{module}.{name}"


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype that an operation on the two (tensors or numbers) would compute in."""
    from .ir.graph import GraphBuilder
    from .ops.promotion import result_dtype
    builder = GraphBuilder()
    operands = [builder.input(tensor_type(x.dtype, tuple(x.shape))) if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return result_dtype(*operands)


# ------------------------------------------------------------------ threads

_interop = 1


def get_num_threads() -> int:
    """The threads that programs run on."""
    from .compiler.threads import get_num_threads as get
    return get()


def set_num_threads(n: int, /) -> None:
    """Sets the threads that programs run on. Results do not depend on it."""
    from .compiler.threads import set_num_threads as set_
    if not isinstance(n, int) or isinstance(n, bool):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    set_(n)


def get_num_interop_threads() -> int:
    """1: programs run one after the other."""
    return _interop


def set_num_interop_threads(n: int, /) -> None:
    """Accepted and remembered; programs run one after the other."""
    global _interop
    if n <= 0:
        raise RuntimeError("Expected nthreads > 0 to be true, but got false.")
    _interop = n


def get_device_module(device: Any = None) -> Any:
    """The module of a kind of device: `torch.cpu` by default and for "cpu", `torch.cuda` for "cuda", …"""
    from importlib import import_module
    from .tensor.device import device as device_class
    kind = "cpu" if device is None else device.type if isinstance(device, device_class) else device_class(device).type
    try:
        return import_module("." + kind, __package__)
    except ModuleNotFoundError:
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'.") from None


# ------------------------------------------------------------------ settings

_deterministic = [False, False]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembers the wish, which is always fulfilled: results are the same run to run."""
    _deterministic[:] = [bool(mode), bool(mode and warn_only)]


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` set."""
    return _deterministic[0]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether only warnings were asked for."""
    return _deterministic[1]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """0 "default", 1 "warn" or 2 "error": `use_deterministic_algorithms` by one number."""
    names = ("default", "warn", "error")
    if isinstance(debug_mode, str):
        if debug_mode not in names:
            raise RuntimeError(f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}")
        debug_mode = names.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """The number that `set_deterministic_debug_mode` takes."""
    return 0 if not _deterministic[0] else 1 if _deterministic[1] else 2


def set_flush_denormal(mode: bool, /) -> bool:
    """False: denormal numbers stay as they are, whatever is asked for."""
    return False


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` set."""
    from .xla import precision
    return precision.current().matmul


def set_float32_matmul_precision(precision: str) -> None:
    """How exact a device's float32 products are: "highest" (float32), "high" (TensorFloat-32 on a GPU, three bfloat16 products on
    a TPU) or "medium" (the fastest it has). Products on the CPU are always in full float32."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"setFloat32MatmulPrecision call failed, {precision} is not one of ['highest', 'high', 'medium']")
    from .xla.precision import set_matmul
    set_matmul(precision)


def set_default_tensor_type(t: Any, /) -> None:
    """Sets the default dtype by a tensor type (`torch.DoubleTensor`) or its name. Deprecated in PyTorch."""
    from .dtypes import ALL
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    kind = name.rsplit(".", 1)[-1]
    found = next((d for d in ALL if d._legacy + "Tensor" == kind), None)
    if found is None:
        raise TypeError(f"invalid type object: {name}")
    set_default_dtype(found)


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: Any = None, backend: Any = "inductor", mode: Any = None,
            options: Any = None, disable: bool = False) -> Any:
    """A function or module whose calls are replayed without their Python, once two calls of a kind have recorded the same.

    What a call depends on (shapes and dtypes of its arguments, plain arguments, modes, the globals and attributes that its
    code mentions, the structure of modules, the options of optimizers) is compared before each replay; where it differs, or
    the function does more than compute (prints, reads values, keeps tensors), calls run and are recorded as always, and a
    notice on the logger "flambeau.compile" says why, once. fullgraph: raise instead. disable: return the model as it is.
    dynamic, backend, mode, options: accepted; there is one compiler, and each shape has its own recording. Without a model,
    a decorator.
    """
    if model is None:
        return lambda fn: compile(fn, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, disable=disable)
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if disable:
        return model
    from .replay.compiled import compile_function, compile_module
    from .nn import Module
    return compile_module(model, fullgraph) if isinstance(model, Module) else compile_function(model, fullgraph)
