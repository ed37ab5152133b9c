"""Exchange of memory with other array libraries through DLPack (https://dmlc.github.io/dlpack), without copies.

A capsule named "dltensor" holds a pointer to a DLManagedTensor; who takes it renames it "used_dltensor" and owes its deleter
a call.
"""
from __future__ import annotations

import ctypes
import enum
import weakref
from math import prod
from typing import Any

import numpy as np

from ..dtypes import BY_NAME, bfloat16, dtype as dtype_class
from ..ir.types import contiguous_strides
from .storage import Storage
from .tensor import Tensor, View


class DLDeviceType(enum.IntEnum):
    """Where memory lies, in DLPack's numbers."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("dtype", _Type), ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = [("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]

_KINDS = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
_BFLOAT = 4

_api = ctypes.pythonapi
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_IsValid.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

_exported: dict[int, tuple] = {}  # what each exported DLManagedTensor (by address) keeps alive


@_Deleter
def _release(managed):
    """The deleter of our exports."""
    _exported.pop(ctypes.addressof(managed.contents), None)


# the same functions on a capsule that is being destroyed, which must not become a Python object again
_is_unused = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _drop_unused(capsule):
    """The destructor of our capsules, for those that nobody took."""
    if _is_unused(capsule, b"dltensor"):
        _exported.pop(_pointer_of(capsule, b"dltensor"), None)


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of a tensor's memory, which is shared from now on."""
    if tensor.requires_grad:  # type: ignore[attr-defined]
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    dt = tensor.dtype
    if dt.encoded and dt is not bfloat16:
        raise BufferError(f"{dt._legacy} is not supported by dlpack")
    shape, strides, offset = tensor._geometry()
    memory = tensor._storage.export()
    managed = _Managed()
    n = len(shape)
    sizes, steps = (ctypes.c_int64 * max(n, 1))(*shape), (ctypes.c_int64 * max(n, 1))(*strides)
    t = managed.tensor
    t.data = memory.ctypes.data + offset * dt.itemsize
    t.device_type, t.device_id, t.ndim, t.byte_offset = DLDeviceType.kDLCPU, 0, n, 0
    t.dtype = _Type(_BFLOAT if dt is bfloat16 else _KINDS[dt.kind], dt.itemsize * 8, 1)
    t.shape, t.strides = ctypes.cast(sizes, ctypes.POINTER(ctypes.c_int64)), ctypes.cast(steps, ctypes.POINTER(ctypes.c_int64))
    managed.deleter = ctypes.cast(_release, ctypes.c_void_p)
    address = ctypes.addressof(managed)
    _exported[address] = (managed, memory, sizes, steps)
    return _api.PyCapsule_New(address, b"dltensor", ctypes.cast(_drop_unused, ctypes.c_void_p))


def _dtype_of(kind: _Type) -> dtype_class:
    if kind.code == _BFLOAT and kind.bits == 16:
        return bfloat16
    for d in BY_NAME.values():
        if not d.encoded and kind.lanes == 1 and _KINDS[d.kind] == kind.code and d.itemsize * 8 == kind.bits:
            return d
    raise RuntimeError(f"Unsupported type in DLPack: code {kind.code}, {kind.bits} bits, {kind.lanes} lanes")


class _Foreign:
    """The memory of a DLManagedTensor as NumPy sees it; gives it back when nothing refers to it any more."""

    def __init__(self, managed: _Managed, nbytes: int):
        tensor = managed.tensor
        address = (tensor.data or 0) + tensor.byte_offset
        self.__array_interface__ = {"data": (address if nbytes else 0, False), "shape": (nbytes,), "typestr": "|u1", "version": 3}
        if managed.deleter:
            weakref.finalize(self, _Deleter(managed.deleter), ctypes.pointer(managed))


def _from_capsule(capsule: Any) -> Tensor:
    if type(capsule).__name__ != "PyCapsule" or not _api.PyCapsule_IsValid(capsule, b"dltensor"):
        raise RuntimeError("from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might "
                           "have already constructed a tensor from it once.")
    managed = _Managed.from_address(_api.PyCapsule_GetPointer(capsule, b"dltensor"))
    t = managed.tensor
    if t.device_type not in (DLDeviceType.kDLCPU, DLDeviceType.kDLCUDAHost):
        raise RuntimeError(f"unsupported DLPack device type {t.device_type}: only memory of the CPU can be taken")
    dt = _dtype_of(t.dtype)
    shape = tuple(t.shape[i] for i in range(t.ndim))
    strides = tuple(t.strides[i] for i in range(t.ndim)) if t.strides else contiguous_strides(shape)
    if any(s < 0 for s in strides):
        raise BufferError("memory with negative strides cannot be taken")
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if prod(shape) else 0
    _api.PyCapsule_SetName(capsule, b"used_dltensor")
    flat = np.asarray(_Foreign(managed, reach * dt.itemsize)).view(dt.np)
    out = object.__new__(Tensor)
    whole = strides == contiguous_strides(shape) and reach == prod(shape)
    out._storage = Storage.adopt(flat.reshape(shape) if whole else flat, dt)
    out._view = None if whole else View(shape, strides, 0, dt, None, False, 0)
    out._node, out._nr = None, 0
    return out


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array (anything with `__dlpack__`), or of a capsule.

    copy: True copies, False and None share. device: the CPU only.
    """
    from .device import check_device
    check_device(device)
    if hasattr(ext_tensor, "__dlpack__"):
        where = ext_tensor.__dlpack_device__()[0]
        if where not in (DLDeviceType.kDLCPU, DLDeviceType.kDLCUDAHost):
            raise RuntimeError(f"unsupported DLPack device type {int(where)}: only memory of the CPU can be taken")
        ext_tensor = ext_tensor.__dlpack__()
    out = _from_capsule(ext_tensor)
    return out.clone() if copy else out  # type: ignore[attr-defined]


def _dlpack(self: Tensor, *, stream: Any = -1, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
    """A DLPack capsule of this tensor's memory (of a copy, with copy=True)."""
    if dl_device is not None and tuple(dl_device) != (DLDeviceType.kDLCPU, 0):
        raise BufferError(f"cannot export to device {tuple(dl_device)}: tensors here lie on the CPU")
    if self.requires_grad:  # type: ignore[attr-defined]
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return to_dlpack(self.clone() if copy else self)  # type: ignore[attr-defined]


METHODS = {"__dlpack__": _dlpack, "__dlpack_device__": lambda self: (DLDeviceType.kDLCPU, 0)}
