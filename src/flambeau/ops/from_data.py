"""Tensors from Python numbers, nested sequences, NumPy arrays and buffers."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..dtypes import bool_, default_complex, dtype as dtype_class, from_numpy_dtype, get_default_dtype, int64, narrow
from ..tensor.attributes import host_array
from ..tensor.device import CPU, check_device, device as device_class
from ..tensor.placement import device_of, moved
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor, View
from .conversion import as_dtype, converted
from .creation import from_array, leaf

_DEFAULTS = {"f": get_default_dtype, "c": default_complex, "b": lambda: bool_, "i": lambda: int64}
_OWN_DTYPE = (np.generic, np.ndarray, Tensor)  # items that bring a dtype; Python numbers take the default one


# ------------------------------------------------------------------ nested sequences

def _is_sequence(x: Any) -> bool:
    return isinstance(x, (list, tuple)) or hasattr(x, "__len__") and hasattr(x, "__getitem__") \
        and not isinstance(x, (str, bytes, dict, np.ndarray, Tensor))


def _plain(data: Any) -> Any:
    """data with its tensors as arrays and foreign sequences as lists."""
    if isinstance(data, Tensor):
        return host_array(data)
    if not _is_sequence(data):
        return data
    return [_plain(data[i]) for i in range(len(data))]


def _first_leaf(data: Any) -> Any:
    while _is_sequence(data) and len(data):
        data = data[0]
    return data


def _check_lengths(data: Any, dim: int = 0) -> None:
    """PyTorch's error for a ragged sequence or for an element that is not a number."""
    if not _is_sequence(data):
        if isinstance(data, (str, bytes)):
            raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
        if isinstance(data, int) and not -2 ** 63 <= data < 2 ** 63:
            raise ValueError("Overflow when unpacking long long")
        if not isinstance(data, (bool, int, float, complex, np.ndarray, np.generic)):
            raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
        return
    first = data[0] if len(data) else None
    if isinstance(first, str):
        raise ValueError("too many dimensions 'str'")
    for item in data:
        _check_lengths(item, dim + 1)
    for item in data:
        if _is_sequence(item) != _is_sequence(first):
            if _is_sequence(item):
                raise TypeError(f"not a sequence: element of dimension {dim}")
            raise TypeError(f"expected sequence of length {len(first)} at dim {dim + 1}, got {type(item).__name__}")
        if _is_sequence(item) and len(item) != len(first):
            raise ValueError(f"expected sequence of length {len(first)} at dim {dim + 1} (got {len(item)})")


def _kinds(data: Any) -> set[type]:
    """The types of the items of nested sequences."""
    if not isinstance(data, (list, tuple)):
        return {type(data)}
    kinds = set(map(type, data))
    return set().union(*map(_kinds, data)) if kinds & {list, tuple} else kinds


def _infer_dtype(data: Any, array: np.ndarray) -> dtype_class:
    """The dtype of `array`, which NumPy made of data; Python's floats and complex numbers count as the default dtype."""
    if array.size == 0:
        return get_default_dtype()
    if array.dtype.kind not in "fc":
        return _DEFAULTS[array.dtype.kind]() if array.dtype.itemsize == 8 or array.dtype == np.bool_ else from_numpy_dtype(array.dtype)
    own = [kind for kind in _kinds(data) if issubclass(kind, _OWN_DTYPE)]
    if not own:
        return _DEFAULTS[array.dtype.kind]()
    wide = np.float64 in own or np.complex128 in own or any(not issubclass(kind, np.generic) for kind in own)
    return from_numpy_dtype(array.dtype) if wide or array.dtype.type in own else _DEFAULTS[array.dtype.kind]()


def _array_of(data: Any) -> tuple[np.ndarray, dtype_class]:
    """(the values, the dtype that PyTorch infers)."""
    source = _first_leaf(data)
    if isinstance(source, Tensor) or _is_sequence(data) and not isinstance(data, (list, tuple, range)):
        data = _plain(data)
        source = _first_leaf(data)
    try:
        array = np.array(data)
    except (ValueError, TypeError, RuntimeError, OverflowError):
        data = _plain(data)
        _check_lengths(data)
        array = np.array(data)
    if array.dtype.kind in "OUSV" or array.dtype == np.uint64 and isinstance(source, int):
        data = _plain(data)
        _check_lengths(data)
        array = np.array(data)
        if array.dtype.kind == "O":
            raise RuntimeError(f"Could not infer dtype of {type(source).__name__}")
    return array, _infer_dtype(data, array)


def array_to_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A copy of data as a tensor."""
    if isinstance(data, (np.ndarray, np.generic)):
        array, inferred = np.asarray(data), from_numpy_dtype(data.dtype)
    else:
        array, inferred = _array_of(data)
    dt = inferred if dtype is None else as_dtype(dtype)
    if not isinstance(data, np.ndarray):
        _check_range(array, dt)
    if dt.encoded:
        return from_array(narrow(array, dt), dt)
    if array.dtype.kind == "c" and dt is bool_:
        array = array != 0
    with np.errstate(all="ignore"):
        return from_array(np.array(array, dtype=dt.np, order="C"), dt)


def _check_range(array: np.ndarray, dt: dtype_class) -> None:
    """PyTorch's errors for numbers that the dtype cannot hold; a negative one wraps in an unsigned dtype."""
    kind = array.dtype.kind
    if kind == "c" and dt.kind not in "cb":
        raise TypeError("must be real number, not complex")
    if dt.kind in "iu" and kind in "iuf" and array.size:
        info = np.iinfo(dt.np)
        low, high = array.min(), array.max()
        if not (low >= (info.min if dt.kind == "i" else -info.max) and high <= info.max):
            raise RuntimeError(f"value cannot be converted to type {dt.name} without overflow")


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of `data` (a number, nested sequences of numbers, an array, or a tensor).

    The dtype is inferred: Python floats give the default dtype, ints int64, bools bool; NumPy arrays keep theirs.
    """
    if isinstance(data, Tensor):
        warnings.warn("To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).", UserWarning,
                      stacklevel=2)
        return leaf(moved(_copied(data, dtype), _where(data, device)), requires_grad)
    return _leaf(moved(array_to_tensor(data, dtype), check_device(device)), requires_grad)


def _where(data: Any, device: Any) -> device_class:
    """The device asked for, or else the default one if one was set, or else that of a tensor that is given."""
    where = check_device(device)
    return device_of(data) if device is None and where is CPU and isinstance(data, Tensor) else where


def _leaf(t: Tensor, requires_grad: bool) -> Tensor:
    if requires_grad and t.dtype.kind not in "fc":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return leaf(t, requires_grad)


def _copied(t: Tensor, dtype: Any) -> Tensor:
    return converted(t.detach(), t.dtype if dtype is None else as_dtype(dtype), copy=True)  # type: ignore[attr-defined]


# ------------------------------------------------------------------ shared memory

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
        warnings.warn("The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means writing to "
                      "this tensor will result in undefined behavior. You may want to copy the array to protect its data or make it "
                      "writable before converting it to a tensor. This type of warning will be suppressed for the rest of this program.",
                      UserWarning, stacklevel=2)
    t = object.__new__(Tensor)
    t._node, t._nr = None, 0
    if ndarray.flags.c_contiguous:
        t._storage, t._view = Storage.adopt(ndarray, dt), None
    else:  # a view into the smallest flat stretch of memory that holds the array
        strides = tuple(s // ndarray.itemsize for s in ndarray.strides)
        reach = 1 + sum((n - 1) * s for n, s in zip(ndarray.shape, strides)) if ndarray.size else 0
        flat = np.lib.stride_tricks.as_strided(ndarray, (reach,), (ndarray.itemsize,))
        t._storage, t._view = Storage.adopt(flat, dt), View(ndarray.shape, strides, 0, dt, None, False, 0)
    return t


def from_file(filename: str, shared: bool | None = None, size: int = 0, *, dtype: Any = None, layout: Any = None, device: Any = None,
              pin_memory: bool = False) -> Tensor:
    """The first `size` elements of a file as a 1-D tensor that is mapped to memory.

    shared: changes are written to the file, which is made if it is missing; otherwise they stay in memory.
    """
    import os
    dt = get_default_dtype() if dtype is None else as_dtype(dtype)
    if dt.encoded:
        raise TypeError(f"Got unsupported ScalarType {dt._legacy}")
    wanted = size * dt.itemsize
    have = os.path.getsize(filename) if os.path.exists(filename) else -1
    if have < wanted:
        if not shared:
            raise RuntimeError(f"unable to mmap {wanted} bytes from file <{filename}>: " + (
                "No such file or directory (2)" if have < 0 else "file is too small"))
        with open(filename, "ab") as file:
            file.truncate(wanted)
    array = np.memmap(filename, dt.np, "r+" if shared else "c", shape=(size,)) if size else np.empty(0, dt.np)
    return moved(from_numpy(array), CPU if device is None else check_device(device))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """data as a tensor, without a copy where that is possible: a tensor with its history, an array's memory."""
    if not isinstance(data, (Tensor, np.ndarray)):
        return moved(array_to_tensor(data, dtype), check_device(device))
    t = moved(data if isinstance(data, Tensor) else _shared(data), _where(data, device))
    return t if dtype is None else converted(t, as_dtype(dtype))


def _shared(array: np.ndarray) -> Tensor:
    return from_numpy(array) if array.flags.writeable else array_to_tensor(array)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """obj (a tensor, array, storage, DLPack or buffer exporter, or nested sequence) as a tensor.

    copy: True always copies, False raises ValueError where a copy is needed, None copies only then.
    """
    from ..misc import is_storage
    where = _where(obj, device)
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(obj, Tensor):
        source = obj
    elif isinstance(obj, np.generic):
        source = from_array(np.array(obj), from_numpy_dtype(obj.dtype))
    elif isinstance(obj, np.ndarray):
        source = _shared(obj)
    elif hasattr(obj, "__dlpack__"):
        from ..tensor.dlpack import from_dlpack
        source = from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        source = frombuffer(obj, dtype=get_default_dtype() if wanted is None else wanted)
    elif is_storage(obj):
        source = obj._flat.view(get_default_dtype() if wanted is None else wanted)
    else:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return _leaf(moved(array_to_tensor(obj, wanted), where), requires_grad)
    needs_cast = wanted is not None and wanted is not source.dtype
    if copy is False and needs_cast:
        raise ValueError(f"can't alias tensor with dtype '{source.dtype}' into dtype '{wanted}'.")
    if copy is False and device_of(source) is not where:
        raise ValueError(f"can't alias tensor from device '{device_of(source)}' to '{where}'.")
    result = converted(moved(source, where), source.dtype if wanted is None else wanted, copy=bool(copy))
    if result.requires_grad and not requires_grad:  # type: ignore[attr-defined]
        return result.detach()  # type: ignore[attr-defined]
    return _leaf(result, requires_grad) if requires_grad and not result.requires_grad else result  # type: ignore[attr-defined]


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-D tensor on a buffer's memory: `count` elements (-1: all) of `dtype` from byte `offset`."""
    dt = as_dtype(dtype)
    try:
        view = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    size, itemsize = view.nbytes, dt.itemsize
    if size == 0 or count == 0:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1")
    if count < 0 and (size - offset) % itemsize:
        raise ValueError(f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of element size "
                         f"({itemsize})")
    n = (size - offset) // itemsize if count < 0 else count
    if offset + n * itemsize > size:
        raise ValueError(f"requested buffer length ({n} * {itemsize} bytes) after offset ({offset} bytes) must not be greater than actual "
                         f"buffer length ({size} bytes)")
    if view.readonly:
        warnings.warn("The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can write to "
                      "the underlying (supposedly non-writable) buffer using the tensor.", UserWarning, stacklevel=2)
    t = object.__new__(Tensor)
    t._storage = Storage.adopt(np.frombuffer(buffer, dt.np, n, offset), dt)
    t._view, t._node, t._nr = None, None, 0
    return _leaf(t, requires_grad)


def _new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
                pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of data, of this tensor's dtype by default."""
    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad)


METHODS = {"new_tensor": _new_tensor}
