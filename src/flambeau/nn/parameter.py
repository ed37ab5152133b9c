"""Tensors that a module owns: parameters, buffers, and those whose shape is not known yet."""
from __future__ import annotations

from typing import Any

import flambeau

from ..tensor.overriding import disabled
from ..tensor.tensor import DENSE, Tensor, alias


class _ParameterMeta(type(Tensor)):
    """Lets a tensor of another class count as a Parameter: `Parameter(x)` of such a tensor keeps its class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False))


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a module which it is assigned to lists among its parameters.

    data: the values, whose memory is shared; empty if left out.  requires_grad: whether it is to be trained (True).
    Errors: RuntimeError if a gradient is required of a type that is not floating point or complex.
    """

    __torch_function__ = disabled  # the results of operations on parameters are plain tensors

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = flambeau.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            if requires_grad and data.dtype.kind not in "fc":
                raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
            return alias(data, cls).requires_grad_(requires_grad)
        parameter = data.detach().requires_grad_(requires_grad)
        if type(parameter) is not type(data):
            raise RuntimeError(f"Creating a Parameter from an instance of type {type(data).__name__} requires that "
                               "detach() returns an instance of the same type, but return type "
                               f"{type(parameter).__name__} was found instead. To use the type as a Parameter, please "
                               "correct the detach() semantics defined by its __torch_dispatch__() implementation.")
        parameter._is_param = True
        return parameter

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        text = super().__repr__()
        return "Parameter containing:\n" + (text if type(self) is Parameter else f"Parameter({text})")


DENSE.add(Parameter)


class _BufferMeta(type(Tensor)):
    """`Buffer(x)` gives a plain tensor that is marked; the mark makes it an instance."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False))


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a module which it is assigned to lists among its buffers: state that is not trained.

    data: the values, whose memory is shared; empty if left out.  persistent: whether it is part of the state dict
    (True).
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = flambeau.empty(0)
        buffer = data.detach().requires_grad_(data.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer


_SHAPELESS = ("Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
              "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call "
              "`forward` to initialize the parameters before accessing their attributes.")

# what can be asked of a tensor without a shape: its type, its identity, and conversions of the type
_ANSWERABLE = frozenset({"data", "dtype", "device", "requires_grad", "requires_grad_", "grad", "grad_fn", "is_leaf",
                         "materialize", "share_memory_", "is_floating_point", "is_complex", "is_meta", "detach",
                         "copy_", "to", "type", "cpu", "cuda", "float", "double", "half", "bfloat16", "char", "short",
                         "int", "long", "cls_to_become", "persistent"})


class UninitializedTensorMixin:
    """A parameter or buffer whose shape the first call of its (lazy) module will tell."""

    def materialize(self, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, and uninitialised memory; it becomes a Parameter, or a plain tensor."""
        values = flambeau.empty(shape, dtype=self.data.dtype if dtype is None else dtype, device=device)
        self.data = values
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        raise RuntimeError(_SHAPELESS)

    def share_memory_(self):
        raise RuntimeError("Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize "
                           "the parameters before calling `module.share_memory()`.")

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in _ANSWERABLE:
            return super().__getattribute__(name)
        if name in ("shape", "size"):
            raise RuntimeError(_SHAPELESS)
        if hasattr(Tensor, name):
            raise ValueError(
                f"Attempted to use an uninitialized parameter in <method '{name}' of 'torch._C.TensorBase' objects>. This "
                "error happens when you are using a `LazyModule` or explicitly manipulating "
                f"`torch.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call `forward` with a dummy "
                "batch to initialize the parameters before calling torch functions")
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: int):
        return type(self), (self.requires_grad,)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module before its first call; `materialize(shape)` makes it a Parameter."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        return alias(flambeau.empty(0, device=device, dtype=dtype), cls).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict) -> UninitializedParameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return memo[id(self)]


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer of a lazy module before its first call; `materialize(shape)` makes it a plain tensor."""

    __torch_function__ = disabled
    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None,
                persistent: bool = True) -> UninitializedBuffer:
        buffer = alias(flambeau.empty(0, device=device, dtype=dtype), cls).requires_grad_(requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer


def is_lazy(param: Any) -> bool:
    """Whether `param` is still without a shape."""
    return isinstance(param, UninitializedTensorMixin)
