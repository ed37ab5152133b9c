"""A tensor as another dtype or device: `Tensor.to`, `type`, `float()`, `cpu()` and their like."""
# ruff: noqa: F821
from __future__ import annotations

import functools
from typing import Any, Callable

from .. import dtypes
from .. import primitives as p
from ..dtypes import dtype as dtype_class, get_default_dtype
from ..tensor.device import CPU, check_device, device as device_class
from ..tensor.legacy import tensortype
from ..tensor.op import inplace, op
from ..tensor.placement import device_of, moved
from ..tensor.tensor import Tensor
from ..tensor.views import clone, contiguous, select
from .memory_format import in_format


@op("ToCopyBackward0")
def _cast_to(input: Tensor, dtype):
    return p.cast(input, dtype)


def cast_to(input: Tensor, dtype: dtype_class) -> Tensor:
    """input converted to dtype, itself if it has it already."""
    return input if input.dtype is dtype else _cast_to(input, dtype)


def as_dtype(dtype: Any) -> dtype_class:
    """A dtype from a dtype or one of Python's number types."""
    if isinstance(dtype, dtype_class):
        return dtype
    plain = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool_, complex: dtypes.complex128}.get(dtype)
    if plain is None:
        raise TypeError(f"dtype must be torch.dtype, not {type(dtype).__name__}")
    return plain


def converted(self: Tensor, dtype: dtype_class, copy: bool = False, memory_format: Any = None) -> Tensor:
    """self in dtype and memory format; self itself where nothing changes, unless copy is set."""
    if self.dtype is dtype and not copy:
        return self if memory_format is None else _laid_out(self, memory_format)
    fresh = in_format(_cast_to(self, dtype), None, self)
    return fresh if memory_format is None else in_format(fresh, memory_format, self)


def _laid_out(self: Tensor, memory_format: Any) -> Tensor:
    """self in the memory format: itself if its strides are exactly those."""
    from .memory_format import contiguous_format, preserve_format, strides_of_format
    if memory_format is preserve_format:
        return self
    if memory_format is contiguous_format:
        return contiguous(self)
    return self if self.stride() == strides_of_format(tuple(self.shape), memory_format) else clone(self, memory_format=memory_format)


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """self with another dtype and/or on another device: to(dtype), to(device, dtype), to(other).

    Further arguments: non_blocking (copies to a device never wait for it, copies to the CPU always do), copy=False (True: always a new tensor), memory_format.
    Returns self where nothing changes.
    """
    names = ("dtype", "non_blocking", "copy")
    if args and (isinstance(args[0], dtype_class) or args[0] in (float, int, bool, complex)):
        pass
    elif args and isinstance(args[0], Tensor):
        names = ("other", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    given = dict(zip(names, args))
    if len(args) > len(names) or given.keys() & kwargs.keys() \
            or not kwargs.keys() <= {"device", "dtype", "non_blocking", "copy", "memory_format", "other", "tensor"}:
        raise _invalid_arguments(args, kwargs)
    given.update(kwargs)
    other = given.get("other", given.get("tensor"))
    if not isinstance(given.get("non_blocking", False), bool) or not isinstance(given.get("copy", False), bool):
        raise _invalid_arguments(args, kwargs)
    wanted = given.get("dtype")
    if other is None:
        where = given.get("device")
        if where is not None and not isinstance(where, (str, int, device_class)):
            raise _invalid_arguments(args, kwargs)
        where = None if where is None else check_device(where)
    else:
        where = device_of(other)
    try:
        dtype = other.dtype if other is not None else self.dtype if wanted is None else as_dtype(wanted)
    except TypeError:
        raise _invalid_arguments(args, kwargs) from None
    if where is None or device_of(self) is where:
        return converted(self, dtype, bool(given.get("copy", False)), given.get("memory_format"))
    return converted(relocated(self, where), dtype, False, given.get("memory_format"))


def relocated(self: Tensor, where: device_class) -> Tensor:
    """A copy on another device, in self's memory format if it is dense."""
    copy = moved(self, where)
    return in_format(copy, None, self)


def _invalid_arguments(args: tuple, kwargs: dict) -> TypeError:
    got = [type(a).__name__ for a in args] + [f"{name}={type(a).__name__}" for name, a in kwargs.items()]
    return TypeError(f"to() received an invalid combination of arguments - got ({', '.join(got)}), but expected one of:\n"
                     " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, "
                     "torch.memory_format memory_format = None)\n"
                     " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)\n"
                     " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)")


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """The name of self's legacy type ("torch.FloatTensor"), or, given a type, dtype or type name, self converted to it."""
    if dtype is None:
        return f"torch.{'cuda.' if device_of(self).type == 'cuda' else ''}{self.dtype._legacy}Tensor"
    if isinstance(dtype, dtype_class):
        return converted(self, dtype)
    if isinstance(dtype, tensortype):
        name = f"torch.{'cuda.' if dtype.is_cuda else ''}{dtype.__name__}"
    else:
        name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", dtype)
    if dtype is Tensor or name == "torch.Tensor":
        return converted(self, get_default_dtype())
    for d in dtypes.ALL:
        if name == f"torch.{d._legacy}Tensor":
            return converted(cpu(self) if device_of(self).type == "cuda" else self, d)
        if name == f"torch.cuda.{d._legacy}Tensor":
            return converted(cuda(self), d)
    raise ValueError(f"invalid type: '{name}'")


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """self in other's dtype, on its device."""
    return converted(moved(self, device_of(other)), other.dtype)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """A copy on the CPU, self if it is there already."""
    return self.to(CPU, memory_format=memory_format) if memory_format is not None else self.to(CPU)  # type: ignore[attr-defined]


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """A copy on a GPU, self if it is there already. AssertionError without one, as PyTorch without CUDA raises."""
    where = check_device("cuda" if device is None else device)
    if where.type != "cuda":
        raise RuntimeError(f"Invalid device, must be cuda device, but got {where}")
    return self.to(where) if memory_format is None else self.to(where, memory_format=memory_format)  # type: ignore[attr-defined]


def _cast_method(name: str, dtype: dtype_class) -> Any:
    def method(self, memory_format=None):
        return converted(self, dtype, memory_format=memory_format)
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"self as {dtype!r}."
    return method


_CASTS = {"float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16, "int": dtypes.int32,
          "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool_,
          "chalf": dtypes.complex32, "cfloat": dtypes.complex64, "cdouble": dtypes.complex128}


# ------------------------------------------------------------------ writes

@op(lambda input, value: "FillBackward0" if value.type.weak else "FillBackward1")
def fill(input: Tensor, value: Scalar):
    """A tensor of input's shape and dtype filled with `value`, a number or a 0-dim tensor."""
    if value.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    if value.dtype.kind == "c" and input.dtype.kind != "c":
        raise RuntimeError(f"value cannot be converted to type {input.dtype._legacy.lower()} without overflow")
    return p.broadcast_to(p.cast(value, input.dtype), input.shape)


@op("ZeroBackward0")
def zero(input: Tensor):
    """Zeros of input's shape and dtype."""
    return p.zeros_like(input)


@op("CopyBackwards")
def _copied(self: Tensor, src: Scalar):
    """src in self's shape and dtype."""
    if p.broadcast_shapes(self.shape, src.shape) != self.shape:
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape "
                           f"{list(p.broadcast_shapes(self.shape, src.shape))}")
    return p.broadcast_to(p.cast(src, self.dtype), self.shape)


_copy_in_place = inplace(_copied)


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Writes src, broadcast and converted, over self; gradients flow to src."""
    if src is self:
        return self
    return _copy_in_place(self, moved(src, device_of(self)) if isinstance(src, Tensor) else src)


def _each_once(method: Callable) -> Callable:
    """A method that writes one value everywhere: of an expanded tensor, to one of the elements that share a place."""
    @functools.wraps(method)
    def fill(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._view is None or 0 not in self._view.strides:
            return method(self, *args, **kwargs)
        target = self
        for d in reversed(range(self.ndim)):
            if self.shape[d] > 1 and self.stride(d) == 0:  # type: ignore[attr-defined]
                target = select(target, d, 0)
        method(target, *args, **kwargs)
        return self
    return fill


METHODS = {
    **{name: _cast_method(name, dtype) for name, dtype in _CASTS.items()},
    "to": to, "type": type_, "type_as": type_as, "cpu": cpu, "cuda": cuda, "fill_": _each_once(inplace(fill)), "zero_": _each_once(inplace(zero)), "copy_": copy_,
}
