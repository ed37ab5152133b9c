"""The constructor `torch.Tensor(...)` and the legacy types `torch.FloatTensor`, `torch.LongTensor`, … that share its rules."""
from __future__ import annotations

from typing import Any

from .. import dtypes
from ..dtypes import dtype as dtype_class, get_default_dtype
from ..xla import backend
from .device import check_device
from .layout import strided
from .overriding import adopt
from .placement import moved
from .size import Size
from .tensor import Tensor, alias
from .views import make_view


def construct(args: tuple, dtype: dtype_class, any_dtype: bool = False) -> Tensor:
    """A tensor from sizes (unspecified values, zeros here), from nested data, or on the memory of another tensor.

    any_dtype: whether another tensor may have a dtype other than `dtype`.
    """
    from ..ops.creation import filled, sizes
    from ..ops.from_data import array_to_tensor
    if not args:
        return filled((0,), 0, dtype)
    first = args[0]
    if len(args) == 1:
        if isinstance(first, Tensor) and (first.ndim or first.dtype.kind not in "iu"):
            if not any_dtype and first.dtype is not dtype:
                raise TypeError(f"expected TensorOptions(dtype={dtype.name}, device=cpu) (got TensorOptions(dtype={first.dtype.name}, "
                                "device=cpu))")
            return alias(first)
        if isinstance(first, Size):
            return filled(tuple(first), 0, dtype)
        if isinstance(first, str):
            raise TypeError("new(): invalid data type 'str'")
        if not hasattr(first, "__index__") or getattr(first, "ndim", 0):  # an array has __index__ whatever its shape
            if not hasattr(first, "__len__"):
                raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
            return _from_sequence(array_to_tensor, first, dtype)
    return filled(sizes("new", args), 0, dtype)


def _from_sequence(array_to_tensor: Any, data: Any, dtype: dtype_class) -> Tensor:
    """Legacy types convert what they are given: LongTensor([1.5]) holds 1."""
    from ..ops.conversion import cast_to
    source = array_to_tensor(data)
    return cast_to(source, dtype)


def _new_tensor(cls: type, *args: Any, device: Any = None, **kwargs: Any) -> Any:
    """Tensor(2, 3), Tensor([1, 2]), Tensor(other): of the default dtype. Prefer `tensor`, `empty` and their like."""
    if kwargs and cls.__init__ is object.__init__:
        raise TypeError(f"new() got an unexpected keyword argument '{next(iter(kwargs))}'")
    check_device(device)
    made = construct(args, get_default_dtype(), any_dtype=True)
    return made if cls is Tensor else alias(made, cls)


Tensor.__new__ = staticmethod(_new_tensor)  # type: ignore[method-assign, assignment]


class tensortype(type):
    """The type of the legacy types: isinstance asks for the dtype, and whether the tensor is on a GPU."""

    dtype: dtype_class
    is_cuda = is_sparse = False
    layout = strided

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype and instance.is_cuda == cls.is_cuda  # type: ignore

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        if not cls.is_cuda:
            check_device(device)
            return construct(args, cls.dtype)
        if not backend.devices("cuda"):
            raise TypeError(f"type torch.cuda.{cls.__name__} not available. Torch not compiled with CUDA enabled.")
        return moved(construct(args, cls.dtype), check_device("cuda" if device is None else device))


def legacy_type(dtype: dtype_class, is_cuda: bool = False) -> tensortype:
    """The type with `dtype`, of the CPU or of GPUs."""
    members = {"dtype": dtype, "is_cuda": is_cuda, "__module__": __name__, "__doc__": f"Makes {dtype!r} tensors as `Tensor` does."}
    return tensortype(dtype._legacy + "Tensor", (), members)


FloatTensor = legacy_type(dtypes.float32)
DoubleTensor = legacy_type(dtypes.float64)
HalfTensor = legacy_type(dtypes.float16)
BFloat16Tensor = legacy_type(dtypes.bfloat16)
ByteTensor = legacy_type(dtypes.uint8)
CharTensor = legacy_type(dtypes.int8)
ShortTensor = legacy_type(dtypes.int16)
IntTensor = legacy_type(dtypes.int32)
LongTensor = legacy_type(dtypes.int64)
BoolTensor = legacy_type(dtypes.bool_)
ComplexFloatTensor = legacy_type(dtypes.complex64)
ComplexDoubleTensor = legacy_type(dtypes.complex128)


def _new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of self's dtype by the rules of the constructor `Tensor(...)`."""
    check_device(device)
    return construct(args, self.dtype)


def _make_subclass(cls: type, data: Tensor, require_grad: bool = False) -> Any:
    """data's memory as an instance of a subclass of Tensor."""
    made = alias(data, cls)
    return made.requires_grad_(True) if require_grad else made


def _as_subclass(self: Tensor, cls: type) -> Any:
    """self's memory as an instance of a subclass of Tensor."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"as_subclass(): argument 'cls' must be a subclass of Tensor, not {cls!r}")
    if self._node is None:
        return alias(self, cls)
    adopt(cls)
    made = make_view(self, *self._geometry(), "AliasBackward0", same)
    made.__class__ = cls
    return made


def same(g: Tensor) -> Tensor:
    """The gradient of an alias."""
    return g


METHODS = {"new": _new, "as_subclass": _as_subclass, "_make_subclass": staticmethod(_make_subclass)}
