"""Tensors as flat NumPy arrays for the engine, and back."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import bfloat16, bool_
from ..ops.creation import from_array
from ..tensor.attributes import stored_array
from ..tensor.grad_mode import mode
from ..tensor.tensor import Tensor
from ..tensor.write import assign


def check_tensor(value: Any, name: str) -> None:
    """TypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"Invalid function argument. Expected parameter `{name}` of type torch.Tensor\n             "
                        f"but got {type(value)} instead.")
    if value.is_sparse:  # type: ignore[attr-defined]
        raise RuntimeError(f"`{name}` is sparse: collectives take dense tensors only")


def check_tensors(values: Any, name: str) -> None:
    """TypeError unless `values` is a list of tensors."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, Tensor) for value in values):
        raise TypeError(f"Invalid function argument. Expected parameter `{name}` of type List[torch.Tensor]\n             "
                        f"but got {type(values)} with elements of type {[type(value) for value in values]}.")
    for value in values:
        check_tensor(value, name)


def flat(t: Tensor) -> np.ndarray:
    """The elements in row-major order (bfloat16 as bits); not to be written to."""
    on_host = t.detach() if t.device.type == "cpu" else t.detach().cpu()  # type: ignore[attr-defined]
    return np.ascontiguousarray(stored_array(on_host)).reshape(-1)


def words(array: np.ndarray) -> np.ndarray:
    """A flat array's bytes as uint32, zeros added at the end: for what only moves."""
    raw = array.view(np.uint8)
    if raw.size % 4:
        raw = np.concatenate([raw, np.zeros(-raw.size % 4, np.uint8)])
    return raw.view(np.uint32)


def from_words(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The array like `like` whose `words` these are."""
    return np.ascontiguousarray(values).view(np.uint8)[:like.nbytes].view(like.dtype)


def numbers(array: np.ndarray, t: Tensor) -> np.ndarray:
    """A flat array of t's as numbers to compute with. RuntimeError for dtypes that nobody adds."""
    if t.dtype is bool_:
        return array.view(np.uint8)
    if t.dtype is bfloat16:
        import ml_dtypes  # comes with jax
        return array.view(ml_dtypes.bfloat16)
    if t.dtype.encoded:
        raise RuntimeError(f"Invalid scalar type: {t.dtype} can be moved between processes, but not reduced")
    return array


def from_numbers(array: np.ndarray, t: Tensor) -> np.ndarray:
    """The reverse of `numbers`."""
    if t.dtype is bool_:
        return array != 0
    return array.view(t.dtype.np)


def made(like: Tensor, array: np.ndarray) -> Tensor:
    """A tensor like `like` with the elements of a flat array, which is taken over."""
    new = from_array(np.ascontiguousarray(array).reshape(like.shape), like.dtype)
    return new if like.device.type == "cpu" else new.to(like.device)  # type: ignore[attr-defined]


def write(t: Tensor, array: np.ndarray) -> None:
    """Overwrites t with the elements of a flat array, which is taken over. Autograd does not see it."""
    new = made(t, array)
    enabled, mode.enabled = mode.enabled, False
    try:
        if t.device.type == "cpu":
            assign(t, new)
        else:
            t.copy_(new)  # type: ignore[attr-defined]
    finally:
        mode.enabled = enabled
