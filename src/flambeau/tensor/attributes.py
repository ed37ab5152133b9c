"""What a tensor says of itself and its place in the graph, and the ways its values leave for Python and NumPy."""
from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from ..dtypes import widen
from ..ir.types import contiguous_strides
from ..runtime.trace import Value
from .device import CPU, META
from .grad_mode import mode
from .layout import strided
from .node import AccumulateGrad, Node, shown
from .placement import device_of, moved
from .storage import InferenceStorage
from .tensor import Tensor, alias


def _requires_grad(self) -> bool:
    """Whether operations on this tensor are recorded for backward."""
    if self._view is not None and self._view.node_version != self._storage.version:
        self._refresh_node()
    return self._node is not None


def _set_requires_grad(self, value: bool) -> None:
    requires_grad_(self, value)


def is_inference(self: Tensor) -> bool:
    """Whether its memory was made in inference mode."""
    return self._storage.__class__ is InferenceStorage


def _version(self: Tensor) -> int:
    """How often the memory was written to; RuntimeError for inference tensors."""
    if is_inference(self):
        raise RuntimeError("Inference tensors do not track version counter.")
    return self._storage.version


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Makes this leaf require a gradient, or not."""
    node = self._node
    if node is not None and type(node) is not AccumulateGrad:
        if not requires_grad:
            raise RuntimeError("you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
                               "subgraph that doesn't require differentiation use var_no_grad = var.detach().")
        return self
    if requires_grad:
        if self.dtype.kind not in "fc":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if is_inference(self) and not mode.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if node is None:
            self._node = AccumulateGrad(self)
            kept = self.__dict__.pop("_grad", None)
            self._node.grad = kept
    elif node is not None:
        if node.grad is not None:
            self.__dict__["_grad"] = node.grad
        self._node = None
    return self


def _grad(self) -> Tensor | None:
    """The accumulated gradient of a leaf (or of a tensor with `retain_grad`), or None."""
    node = self._node
    if type(node) is AccumulateGrad:
        return node.grad
    if node is not None and "_retained" not in self.__dict__:
        import warnings
        warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
                      "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
                      "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access "
                      "the leaf Tensor instead.", UserWarning, stacklevel=2)
    return self.__dict__.get("_grad")


def _set_grad(self, value: Any) -> None:
    if value is not None:
        if not isinstance(value, Tensor):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value.dtype is not self.dtype:
            raise RuntimeError(f"attempting to assign a gradient with dtype '{value.dtype.c_name}' to a tensor with grad_dtype "
                               f"'{self.dtype.c_name}'. The gradient must match the tensor's dtype")
        if value.shape != self.shape:
            raise RuntimeError(f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size '{list(self.shape)}'. "
                               "Please ensure that the gradient and the tensor are the same size")
    if type(self._node) is AccumulateGrad:
        self._node.grad = value
    elif value is None:
        self.__dict__.pop("_grad", None)
    else:
        self.__dict__["_grad"] = value


def _grad_fn(self) -> Node | None:
    """The autograd node that made this tensor; None for leaves."""
    _requires_grad(self)
    return None if type(self._node) is AccumulateGrad else shown(self._node)


def _is_leaf(self) -> bool:
    """Whether this tensor was made by the user, or requires no gradient."""
    _requires_grad(self)
    return self._node is None or type(self._node) is AccumulateGrad


def retain_grad(self: Tensor) -> None:
    """Keeps this non-leaf tensor's gradient in `.grad`."""
    if self._node is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if type(self._node) is AccumulateGrad or "_retained" in self.__dict__:
        return
    import weakref
    this = weakref.ref(self)
    self.__dict__["_retained"] = True

    def keep(g):
        t = this()
        if t is not None:
            old = t.__dict__.get("_grad")
            t.__dict__["_grad"] = g if old is None else old + g
    self._node.add_tensor_hook(self._nr, keep)


def register_hook(self: Tensor, hook: Any) -> Any:
    """hook(grad) runs when this tensor's gradient is known; what it returns replaces it. Returns a handle with `remove()`."""
    if self._node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return self._node.add_tensor_hook(self._nr, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Any) -> Any:
    """hook(tensor) runs after this leaf's `.grad` has been accumulated."""
    if type(self._node) is not AccumulateGrad:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors" if self._node is not None else
                           "cannot register a hook on a tensor that doesn't require gradient")
    from .node import _handle
    if self._node.post_accumulate_hooks is None:
        self._node.post_accumulate_hooks = {}
    return _handle(self._node.post_accumulate_hooks, hook)


def detach(self: Tensor) -> Tensor:
    """The same memory without history; without its tangent, too."""
    if self._storage.value.__class__ is not Value:
        from .transforms import without_tangents
        return alias(without_tangents(self))
    out = alias(self)
    if self._storage.__class__ is InferenceStorage and not mode.inference:
        out.__dict__["_cut_off"] = True  # `check_writable` lets it be written to
    return out


def detach_(self: Tensor) -> Tensor:
    """Cuts this tensor off from its history, in place."""
    if self._view is not None and self._view.base is not None and self._view.tracked and self._node is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                           "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() "
                           "cannot be called on these gradients.")
    self._node = None
    return self


def _data(self) -> Tensor:
    return detach(self) if self._storage.__class__ is InferenceStorage else alias(self)


def _set_data(self, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
    plain = alias(new)
    self._storage, self._view = plain._storage, plain._view


# ------------------------------------------------------------------ values

def host_array(t: Tensor) -> np.ndarray:
    """The tensor's values as an array that must not be written to (encoded dtypes widened)."""
    return widen(stored_array(t), t.dtype)


def every_value(t: Tensor) -> np.ndarray:
    """`host_array`, and in `vmap` the values of all examples: for checks that do not care which value is whose."""
    if t._storage.value.__class__ is Value:
        return host_array(t)
    from ..runtime.transform import every_array
    return widen(every_array(t._value()), t.dtype)


def stored_array(t: Tensor) -> np.ndarray:
    """The tensor's memory as an array that must not be written to (of encoded dtypes the bits)."""
    return viewed(t._storage.value.array(), t)


def viewed(memory: np.ndarray, t: Tensor) -> np.ndarray:
    """What t shows of the array in its storage."""
    if t._view is None:
        return memory
    shape, strides, offset = t._geometry()
    return _strided(memory.reshape(-1).view(t.dtype.np), shape, strides, offset)


def _strided(flat: np.ndarray, shape, strides, offset) -> np.ndarray:
    if 0 in shape:
        return np.empty(shape, flat.dtype)
    if strides == contiguous_strides(shape):
        return flat[offset:offset + math.prod(shape)].reshape(shape)  # much cheaper to make than by as_strided
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, tuple(s * flat.itemsize for s in strides))


def item(self: Tensor) -> Any:
    """The only element as a Python number."""
    if self.shape.numel() != 1:
        raise RuntimeError(f"a Tensor with {self.shape.numel()} elements cannot be converted to Scalar")
    return _only_value(self)


def _scalar(self: Tensor) -> Any:
    """`item` for Python's conversions, which have an error of their own."""
    if self.shape.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return _only_value(self)


def _only_value(self: Tensor) -> Any:
    if device_of(self) is META:
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")
    return host_array(self).item()


def tolist(self: Tensor) -> Any:
    """The values as nested lists of Python numbers."""
    return host_array(self).tolist()


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """An array on the same memory: changes of one are seen in the other. force=True copies where that is needed."""
    if force:
        return moved(alias(self), CPU).resolve_conj().numpy()  # type: ignore[attr-defined]
    if self._storage.value.__class__ is not Value and device_of(self) is not CPU:
        raise TypeError(f"can't convert {device_of(self)} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
    if _requires_grad(self):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.dtype.encoded:
        raise TypeError(f"Got unsupported ScalarType {self.dtype._legacy}")
    exported = self._storage.export()
    if self._view is None:
        return exported
    shape, strides, offset = self._geometry()
    return _strided(exported.reshape(-1).view(self.dtype.np), shape, strides, offset)


def _array(self: Tensor, dtype: Any = None, copy: Any = None) -> np.ndarray:
    array = numpy(self)
    return array if dtype is None else array.astype(dtype, copy=False)


def _bool(self: Tensor) -> bool:
    n = self.shape.numel()
    if n == 0:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
    if n != 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    if self._storage.value.__class__ is not Value:
        from .transforms import check_control_flow
        check_control_flow(self)
    return bool(_only_value(self))


def _index(self: Tensor) -> int:
    if self.dtype.kind not in "iub" or self.shape.numel() != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(host_array(self).item())


def _len(self: Tensor) -> int:
    if self.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self.shape[0]


def _iter(self: Tensor):
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))  # type: ignore[attr-defined]


def _stride(self: Tensor, dim: int | None = None) -> Any:
    """The step in memory, in elements, along each dimension (or along `dim`)."""
    from .views import wrap_dim
    strides = self._geometry()[1]
    return strides if dim is None else strides[wrap_dim(dim, len(strides))]


def size(self: Tensor, dim: int | None = None) -> Any:
    """The sizes, or that of one dimension."""
    from .views import index_error
    shape = self.shape
    if dim is None:
        return shape
    if not -len(shape) <= dim < len(shape):
        raise index_error(dim, len(shape))
    return shape[dim]


def _converted(t: Tensor) -> Tensor:
    """t, with PyTorch's warning where its history gets lost in a conversion to a Python number."""
    if t._node is not None and _requires_grad(t):
        from ..warning import warn_once
        warn_once("Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
                  "Consider using tensor.detach() first.")
    return t


def _numel(self: Tensor) -> int:
    """The number of elements."""
    return prod(self.shape)


ATTRIBUTES: dict[str, Any] = {
    "requires_grad": property(_requires_grad, _set_requires_grad), "grad": property(_grad, _set_grad, lambda self: _set_grad(self, None)),
    "grad_fn": property(_grad_fn), "is_leaf": property(_is_leaf), "data": property(_data, _set_data),
    "output_nr": property(lambda self: self._nr), "_version": property(_version), "is_inference": is_inference,
    "_base": property(lambda self: None if self._view is None else self._view.base),
    "retains_grad": property(lambda self: "_retained" in self.__dict__),
    "device": property(device_of), "is_cuda": property(lambda self: device_of(self).type == "cuda"),
    "is_cpu": property(lambda self: device_of(self) is CPU),
    "layout": property(lambda self: strided), "is_sparse": property(lambda self: False), "is_quantized": property(lambda self: False), "is_meta": property(lambda self: device_of(self) is META),
    "is_mps": property(lambda self: False), "is_xpu": property(lambda self: False), "is_nested": property(lambda self: False),
    "is_mkldnn": property(lambda self: False), "is_sparse_csr": property(lambda self: False),
    "itemsize": property(lambda self: self.dtype.itemsize), "nbytes": property(lambda self: self.shape.numel() * self.dtype.itemsize),
    "element_size": lambda self: self.dtype.itemsize, "numel": _numel, "nelement": _numel,
    "dim": lambda self: self.ndim, "ndimension": lambda self: self.ndim, "size": size, "stride": _stride,
    "storage_offset": lambda self: self._geometry()[2], "is_floating_point": lambda self: self.dtype.kind == "f",
    "is_complex": lambda self: self.dtype.kind == "c", "is_signed": lambda self: self.dtype.is_signed,
    "get_device": lambda self: -1 if device_of(self).index is None else device_of(self).index, "requires_grad_": requires_grad_, "retain_grad": retain_grad, "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook, "detach": detach, "detach_": detach_,
    "item": item, "tolist": tolist, "numpy": numpy, "__array__": _array, "__bool__": _bool, "__index__": _index, "__len__": _len,
    "__iter__": _iter, "__int__": lambda self: int(_scalar(self)), "__float__": lambda self: float(_scalar(_converted(self))),
    "__complex__": lambda self: complex(_scalar(_converted(self))), "__hash__": object.__hash__, "__array_priority__": 1000,
}

