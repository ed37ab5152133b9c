"""Tensors from data and constants."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import bfloat16, complex64, dtype as dtype_class, float64, from_numpy_dtype, get_default_dtype, int64, narrow
from ..dtypes import bool_, default_complex
from ..ir.types import tensor_type
from ..runtime.trace import Value
from ..tensor.device import check_device
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor, make_tensor


def leaf(t: Tensor, requires_grad: bool) -> Tensor:
    """t, made a leaf that requires a gradient if asked."""
    if requires_grad:
        t.requires_grad_(True)  # type: ignore[attr-defined]
    return t


def from_array(array: np.ndarray, dt: dtype_class) -> Tensor:
    """A tensor that takes over `array` (row-major, of dt's NumPy type)."""
    return make_tensor(Value(tensor_type(dt, array.shape), array))


def filled(shape: tuple[int, ...], value: Any, dt: dtype_class) -> Tensor:
    """A new tensor of one repeated value, computed at once (allocation is cheaper than a recorded call)."""
    if dt is bfloat16:
        return from_array(np.full(shape, narrow(np.asarray(value, np.float32), dt), np.uint16), dt)
    array = np.zeros(shape, dt.np) if value.__class__ in (int, float, bool) and value == 0 and str(value)[0] != "-" \
        else np.full(shape, value, dt.np)
    return from_array(array, dt)


def _pick_dtype(dtype: Any, default: dtype_class) -> dtype_class:
    if dtype is None:
        return default
    if isinstance(dtype, dtype_class):
        return dtype
    plain = {float: get_default_dtype(), int: int64, bool: bool_, complex: default_complex()}.get(dtype)
    if plain is None:
        raise TypeError(f"dtype must be torch.dtype, not {type(dtype).__name__}")
    return plain


def _infer(data: Any) -> Any:
    """A NumPy array of nested sequences of numbers (and 0-dim tensors), with PyTorch's errors for ragged or foreign data."""
    def convert(x, path):
        if isinstance(x, Tensor):
            return x.detach().numpy() if x.dtype is not bfloat16 else x.float().numpy()  # type: ignore[attr-defined]
        if isinstance(x, (list, tuple)) or not isinstance(x, (str, bytes, int, float, complex)) and hasattr(x, "__len__") \
                and hasattr(x, "__getitem__") and not isinstance(x, np.ndarray):
            items = [convert(x[i], path + 1) for i in range(len(x))]
            lengths = [len(i) if hasattr(i, "__len__") and np.ndim(i) else None for i in items]
            for i, n in enumerate(lengths):
                if n != lengths[0]:
                    if n is None or lengths[0] is None:
                        raise TypeError(f"only tensors of the same nesting can be converted: element {i} of dimension {path}")
                    raise ValueError(f"expected sequence of length {lengths[0]} at dim {path + 1} (got {n})")
            return items
        return x
    plain = _is_plain(data)
    items = data if plain else convert(data, 0)
    try:
        array = np.array(items)
    except (ValueError, TypeError):
        converted = convert(data, 0)
        array = np.array(converted)
    if array.dtype.kind in "OUSV":
        bad = _first_leaf(items)
        if isinstance(bad, int):
            raise RuntimeError("Overflow when unpacking long long")
        if bad is None:
            raise RuntimeError("Could not infer dtype of NoneType")
        if isinstance(bad, str) and isinstance(items, (list, tuple)):
            raise ValueError("too many dimensions 'str'")
        raise RuntimeError(f"Could not infer dtype of {type(bad).__name__}") if not isinstance(bad, str) \
            else TypeError("new(): invalid data type 'str'")
    return array


def _is_plain(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (bool, int, float, complex))


def _first_leaf(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        bad = [d for d in data if not isinstance(d, (bool, int, float, complex, list, tuple)) or isinstance(d, (list, tuple))]
        data = bad[0] if bad else data[0]
    return data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of `data` (a number, nested sequences of numbers, an array, or a tensor).

    The dtype is inferred: Python floats give the default dtype, ints int64, bools bool; NumPy arrays keep theirs.
    """
    check_device(device)
    if isinstance(data, Tensor):
        import warnings
        warnings.warn("To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).", UserWarning,
                      stacklevel=2)
        out = data.detach().clone() if dtype is None else data.detach().clone().to(dtype)  # type: ignore[attr-defined]
        return leaf(out, requires_grad)
    return leaf(array_to_tensor(data, dtype), requires_grad)


def array_to_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A copy of data as a tensor."""
    numpy_data = isinstance(data, (np.ndarray, np.generic))
    array = data if numpy_data else _infer(data)
    if numpy_data:
        if array.dtype.kind == "O":
            from_numpy_dtype(array.dtype)
        default = from_numpy_dtype(array.dtype)
    elif array.size == 0:
        default = get_default_dtype()
    else:
        contains_numpy = array.dtype in (np.float16, np.float32, np.int32, np.uint8) or array.dtype.kind in "fc" and not _is_plain(data)
        default = {"f": get_default_dtype(), "c": default_complex(), "b": bool_}.get(array.dtype.kind, int64)
        if contains_numpy:
            default = from_numpy_dtype(array.dtype)
            if default is float64 and not _has_numpy(data):
                default = get_default_dtype()
    dt = _pick_dtype(dtype, default)
    if array.dtype.kind == "c" and dt.kind not in "cb":
        raise TypeError("can't convert complex to float" if dt.kind == "f" else "can't convert complex to int")
    if dt is bfloat16:
        return from_array(narrow(np.asarray(array, np.float32), dt).copy(), dt)
    with np.errstate(all="ignore"):
        return from_array(np.array(array, dtype=dt.np, order="C"), dt)


def _has_numpy(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic, Tensor))


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares memory with an array: changes of one are seen in the other."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dt = from_numpy_dtype(ndarray.dtype)
    if not ndarray.dtype.isnative:
        raise ValueError("given numpy array has byte order different from the native byte order. Conversion between byte orders is "
                         "currently not supported.")
    if any(s < 0 for s in ndarray.strides):
        raise ValueError("At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
                         "supported. (You can probably work around this by making a copy of your array  with array.copy().) ")
    if not ndarray.flags.writeable:
        import warnings
        warnings.warn("The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means writing to "
                      "this tensor will result in undefined behavior. You may want to copy the array to protect its data or make it "
                      "writable before converting it to a tensor. This type of warning will be suppressed for the rest of this program.",
                      UserWarning, stacklevel=2)
    if ndarray.flags.c_contiguous:
        t = Tensor.__new__(Tensor)
        t._storage, t._view, t._node, t._nr = Storage.adopt(ndarray, dt), None, None, 0
        return t
    return _from_strided(ndarray, dt)


def _from_strided(array: np.ndarray, dt: dtype_class) -> Tensor:
    """A view into the smallest flat stretch of memory that holds a non-contiguous array."""
    from ..tensor.tensor import View
    itemsize = array.itemsize
    strides = tuple(s // itemsize for s in array.strides)
    reach = 1 + sum((n - 1) * s for n, s in zip(array.shape, strides)) if array.size else 0
    flat = np.lib.stride_tricks.as_strided(array, (reach,), (itemsize,))
    t = Tensor.__new__(Tensor)
    t._storage, t._node, t._nr = Storage.adopt(flat, dt), None, 0
    t._view = View(array.shape, strides, 0, None, False, 0)
    return t


def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
              memory_format: Any = None) -> Tensor:
    """Ones of input's shape and (by default) dtype."""
    return leaf(filled(tuple(input.shape), 1, _pick_dtype(dtype, input.dtype)), requires_grad)


__all__ = ["complex64", "filled", "from_array", "from_numpy", "leaf", "ones_like", "tensor"]
