"""The functions that files name to rebuild tensors (`torch._utils._rebuild_tensor_v2` and its relatives).

Every argument comes from a file, so each is checked: a geometry must lie within its storage.
"""
from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .. import dtypes
from ..ir.types import contiguous_strides
from ..tensor.device import device
from ..tensor.layout import sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr
from ..tensor.size import Size
from ..tensor.tensor import Tensor
from ._storages import Memory, StoredStorage
from ._tensors import describe, make_tensor, set_attributes

MAX_DIMENSIONS = 64
MAX_ELEMENTS = 1 << 62


def _sizes(what: str, sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, (tuple, list)) or len(sizes) > MAX_DIMENSIONS:
        raise RuntimeError(f"corrupt tensor: {what} must be at most {MAX_DIMENSIONS} integers")
    for n in sizes:
        if type(n) is not int or not 0 <= n < MAX_ELEMENTS:
            raise RuntimeError(f"corrupt tensor: {what} holds {n!r:.80}, expected integers of at least 0")
    return tuple(sizes)


def check_geometry(storage_size: int, offset: Any, shape: Any,
                   strides: Any) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """(offset, shape, strides) if every element lies within a storage of `storage_size` elements; else RuntimeError."""
    shape, strides = _sizes("the shape", shape), _sizes("the strides", strides)
    (offset,) = _sizes("the storage offset", (offset,))
    if len(shape) != len(strides):
        raise RuntimeError(f"corrupt tensor: mismatch in length of strides and shape: {strides} and {shape}")
    numel = 1
    for n in shape:
        numel *= max(n, 1)
    if numel >= MAX_ELEMENTS:
        raise RuntimeError(f"corrupt tensor: a shape of {shape}")
    needed = 0 if 0 in shape else offset + 1 + sum((n - 1) * st for n, st in zip(shape, strides))
    if needed > storage_size:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset} require a storage of "
            f"{needed} elements, out of bounds for one of {storage_size}"
        )
    return offset, shape, strides


def _tensor(stored: Any, dtype: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any, metadata: Any) -> Any:
    if type(stored) is not StoredStorage or type(dtype) is not dtypes.dtype:
        raise RuntimeError("corrupt tensor: it has no storage or no dtype")
    if type(requires_grad) is not bool:
        raise RuntimeError("corrupt tensor: requires_grad must be True or False")
    offset, shape, strides = check_geometry(stored.nbytes() // dtype.itemsize, offset, shape, strides)
    storage = stored.memory.storage(dtype, shape)
    flags = {k for k, v in metadata.items() if v} if isinstance(metadata, dict) else set()
    if not flags:
        return make_tensor(storage, dtype, offset, shape, strides, requires_grad)
    plain: Any = make_tensor(storage, dtype, offset, shape, strides, False)
    if not flags <= {"conj", "neg"}:
        raise RuntimeError(f"corrupt tensor: unknown flags {sorted(map(str, flags))}")
    if "conj" in flags:
        plain = plain.conj()
    if "neg" in flags:
        plain = plain.neg()
    return plain.requires_grad_(requires_grad)


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Any:
    """A tensor of the storage's dtype (PyTorch before 0.4)."""
    return rebuild_tensor_v2(storage, offset, size, stride, False, None)


def rebuild_tensor_v2(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, backward_hooks: Any,
                      metadata: Any = None) -> Any:
    """A tensor of the storage's dtype. metadata: {"conj": True}, {"neg": True} if conjugated or negated when read."""
    return _tensor(storage, getattr(storage, "dtype", None), offset, size, stride, requires_grad, metadata)


def rebuild_tensor_v3(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, backward_hooks: Any,
                      dtype: Any, metadata: Any = None) -> Any:
    """A tensor of a dtype that has no storage class, on untyped bytes."""
    return _tensor(storage, dtype, offset, size, stride, requires_grad, metadata)


def parameter_class() -> type:
    """nn.Parameter, imported when the first file needs it: nn is large, and state_dicts hold plain tensors."""
    from ..nn.parameter import Parameter
    return Parameter


def rebuild_parameter(data: Any, requires_grad: Any = True, backward_hooks: Any = None) -> Any:
    """An nn.Parameter on a tensor's memory."""
    if not isinstance(data, Tensor) or type(requires_grad) is not bool:
        raise RuntimeError("corrupt parameter: it has no tensor")
    return make_tensor(*describe(data)._replace(requires_grad=requires_grad), cls=parameter_class())


def rebuild_parameter_with_state(data: Any, requires_grad: Any, backward_hooks: Any, state: Any) -> Any:
    """An nn.Parameter with the Python attributes that it had."""
    return set_state(rebuild_parameter(data, requires_grad, backward_hooks), state)


def set_state(tensor: Any, state: Any) -> Any:
    """Gives a tensor its Python attributes: a dict, or (dict, dict of slots)."""
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts:
        if part is None:
            continue
        if not isinstance(part, dict) or not all(isinstance(k, str) for k in part):
            raise RuntimeError("corrupt tensor: its attributes must be a dict of names")
        set_attributes(tensor, part)
    return tensor


def rebuild_from_type_v2(function: Any, cls: Any, args: Any, state: Any) -> Any:
    """A tensor with Python attributes, or of a subclass of Tensor."""
    tensor = function(*args)
    if not isinstance(cls, type) or not issubclass(cls, Tensor) or not isinstance(tensor, Tensor):
        raise RuntimeError("corrupt tensor: its type is no tensor type")
    if type(tensor) is not cls:
        tensor = make_tensor(*describe(tensor), cls=cls)
    setstate = getattr(cls, "__setstate__", None)
    if setstate is not None and setstate is not getattr(Tensor, "__setstate__", None):
        setstate(tensor, state)  # a subclass's own code, which its author has let in
        return tensor
    return tensor if state is None else set_state(tensor, state)


def rebuild_from_numpy(data: Any, dtype: Any, location: Any, requires_grad: Any) -> Any:
    """A tensor that was on a device without storages (XLA, …), written as a NumPy array."""
    if not isinstance(data, np.ndarray) or data.dtype.hasobject or type(dtype) is not dtypes.dtype:
        raise RuntimeError("corrupt tensor: it has no array")
    device(location)
    flat = np.ascontiguousarray(data).astype(dtype.np).reshape(-1)
    stored = StoredStorage(Memory(flat.view(np.uint8)), dtype)
    return rebuild_tensor_v2(stored, 0, data.shape, contiguous_strides(data.shape), requires_grad, None)


def rebuild_sparse_tensor(layout: Any, data: Any) -> Any:
    """A sparse tensor of (indices, values, size), with whether it is coalesced in newer files."""
    from ..sparse.coo import linear_index, sparse, sparse_coo_tensor
    from ..tensor.attributes import host_array
    compressed = layout in (sparse_csr, sparse_csc, sparse_bsr, sparse_bsc) and isinstance(data, tuple) and len(data) == 4
    if compressed and all(isinstance(x, Tensor) for x in data[:3]):
        from ..sparse.compressed import sparse_compressed_tensor
        pointers, indices, values = data[:3]
        return sparse_compressed_tensor(pointers, indices, values, _sizes("the size", data[3]), layout=layout, check_invariants=True)
    if layout is not sparse_coo or not isinstance(data, tuple) or len(data) not in (3, 4):
        raise RuntimeError("corrupt sparse tensor: it has no parts, or a layout that flambeau does not have yet")
    indices, values, size, *coalesced = data
    if not isinstance(indices, Tensor) or not isinstance(values, Tensor) or indices.dtype is not dtypes.int64:
        raise RuntimeError("corrupt sparse tensor: it has no positions or no values")
    made = sparse_coo_tensor(indices, values, _sizes("the size", size))
    linear = linear_index(host_array(indices), tuple(made.shape)[:made.sparse_dim()])
    ordered = bool(coalesced and coalesced[0] is True)
    if ordered and not bool((np.diff(linear) > 0).all()):
        raise RuntimeError("corrupt sparse tensor: it is said to be coalesced, and is not")
    return sparse(made._indices_array, values, tuple(made.shape), ordered)


def size_of(sizes: Any = ()) -> Size:
    """torch.Size."""
    return Size(_sizes("a torch.Size", sizes))


def _absent(what: str):
    def refuse(*args: Any) -> NoReturn:
        raise RuntimeError(
            f"this file holds {what}, which flambeau does not have yet; `flambeau inspect` shows what else is in it"
        )

    return refuse


# PyTorch's names (module.name) for the functions above
REBUILDERS = {
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._utils._set_obj_state": set_state,
    "torch._utils._rebuild_device_tensor_from_numpy": rebuild_from_numpy,
    "torch._utils._rebuild_xla_tensor": rebuild_from_numpy,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type_v2,
    "torch._utils._rebuild_sparse_tensor": rebuild_sparse_tensor,
    "torch._utils._rebuild_sparse_csr_tensor": _absent("a sparse tensor in rows or columns"),
    "torch._utils._rebuild_qtensor": _absent("a quantized tensor"),
    "torch._utils._rebuild_nested_tensor": _absent("a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": _absent("a tensor on the meta device"),
    "torch._utils._rebuild_wrapper_subclass": _absent("a wrapper subclass of Tensor"),
}
