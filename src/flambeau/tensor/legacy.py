"""The constructor `torch.Tensor(...)` and the legacy types `torch.FloatTensor`, `torch.LongTensor`, … that share its rules."""
from __future__ import annotations

from typing import Any

from .. import dtypes
from ..dtypes import dtype as dtype_class, get_default_dtype
from .device import check_device
from .layout import strided
from .size import Size
from .tensor import Tensor, alias


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
    """The type of the legacy types: isinstance asks for the dtype."""

    dtype: dtype_class
    is_cuda = is_sparse = False
    layout = strided

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        check_device(device)
        return construct(args, cls.dtype)


def _legacy(dtype: dtype_class) -> tensortype:
    name = dtype._legacy + "Tensor"
    return tensortype(name, (), {"dtype": dtype, "__module__": __name__, "__doc__": f"Makes {dtype!r} tensors as `Tensor` does."})


FloatTensor = _legacy(dtypes.float32)
DoubleTensor = _legacy(dtypes.float64)
HalfTensor = _legacy(dtypes.float16)
BFloat16Tensor = _legacy(dtypes.bfloat16)
ByteTensor = _legacy(dtypes.uint8)
CharTensor = _legacy(dtypes.int8)
ShortTensor = _legacy(dtypes.int16)
IntTensor = _legacy(dtypes.int32)
LongTensor = _legacy(dtypes.int64)
BoolTensor = _legacy(dtypes.bool_)
ComplexFloatTensor = _legacy(dtypes.complex64)
ComplexDoubleTensor = _legacy(dtypes.complex128)


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
    made = alias(self, cls)
    made._node, made._nr = self._node, self._nr
    return made


METHODS = {"new": _new, "as_subclass": _as_subclass, "_make_subclass": staticmethod(_make_subclass)}
