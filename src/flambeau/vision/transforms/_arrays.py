"""Image kernels are written once, over an array namespace `xp`, and run on NumPy arrays or on Tensors.

NumPy is the ordinary way: augmentation makes new sizes and offsets for every image, so there is no program to reuse,
and it runs in loader workers. A tensor whose gradient is wanted, or whose dtype NumPy lacks, goes through Tensor ops.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

import flambeau as torch


class NumPy:
    """The namespace over ndarrays. Every function returns an array of its own unless it says otherwise."""

    stack = staticmethod(np.stack)
    concat = staticmethod(np.concatenate)
    where = staticmethod(np.where)
    floor = staticmethod(np.floor)
    round = staticmethod(np.rint)
    fmod = staticmethod(np.fmod)
    isfinite = staticmethod(np.isfinite)
    zeros_like = staticmethod(np.zeros_like)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)

    @staticmethod
    def dtype(x: np.ndarray) -> str:
        return x.dtype.name

    @staticmethod
    def cast(x: np.ndarray, dtype: str) -> np.ndarray:
        """`x` in the named dtype; `x` itself if it has it."""
        return x if x.dtype.name == dtype else x.astype(dtype)

    @staticmethod
    def array(values: Any, like: np.ndarray, dtype: str | None = None) -> np.ndarray:
        """A small constant array."""
        return np.asarray(values, dtype=dtype or like.dtype)

    @staticmethod
    def clip(x: np.ndarray, low: float, high: float) -> np.ndarray:
        return np.clip(x, low, high, dtype=x.dtype)

    @staticmethod
    def power(x: np.ndarray, exponent: float) -> np.ndarray:
        return np.power(x, x.dtype.type(exponent))

    @staticmethod
    def flip(x: np.ndarray, axis: int) -> np.ndarray:
        return np.ascontiguousarray(np.flip(x, axis))

    @staticmethod
    def take(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
        """The slices of `x` at integer positions along `axis`."""
        return np.take(x, index, axis=axis)

    @staticmethod
    def amax(x: np.ndarray, axes: tuple[int, ...], keepdims: bool = False) -> np.ndarray:
        return x.max(axis=axes, keepdims=keepdims)

    @staticmethod
    def amin(x: np.ndarray, axes: tuple[int, ...], keepdims: bool = False) -> np.ndarray:
        return x.min(axis=axes, keepdims=keepdims)

    @staticmethod
    def mean(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The mean over `axes`, kept as size 1."""
        return x.mean(axis=axes, keepdims=True)

    @staticmethod
    def multiply_add(a: Any, b: Any, c: Any) -> np.ndarray:
        """a*b + c, rounded once to float32 as the CPU's fused instruction does; rounded twice in other dtypes."""
        if np.result_type(a, b, c) != np.float32:
            return a * b + c
        return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)


class Tensors:
    """The namespace over Tensors."""

    @staticmethod
    def stack(xs, axis=0):
        return torch.stack(tuple(xs), axis)

    @staticmethod
    def concat(xs, axis=0):
        return torch.cat(tuple(xs), axis)

    @staticmethod
    def where(condition, a, b):
        return torch.where(condition, a, b)

    @staticmethod
    def floor(x):
        return torch.floor(x)

    @staticmethod
    def round(x):
        return torch.round(x)

    @staticmethod
    def fmod(x, y):
        return torch.fmod(x, y)

    @staticmethod
    def isfinite(x):
        return torch.isfinite(x)

    @staticmethod
    def zeros_like(x):
        return torch.zeros_like(x)

    @staticmethod
    def maximum(a, b):
        return torch.maximum(a, b)

    @staticmethod
    def minimum(a, b):
        return torch.minimum(a, b)

    @staticmethod
    def dtype(x) -> str:
        return str(x.dtype).rpartition(".")[2]

    @staticmethod
    def cast(x, dtype: str):
        return x.to(getattr(torch, dtype))

    @staticmethod
    def array(values, like, dtype: str | None = None):
        return torch.as_tensor(values, dtype=getattr(torch, dtype) if dtype else like.dtype, device=like.device)

    @staticmethod
    def clip(x, low, high):
        return x.clamp(low, high)

    @staticmethod
    def power(x, exponent: float):
        return x.pow(exponent)

    @staticmethod
    def flip(x, axis: int):
        return x.flip(axis)

    @staticmethod
    def take(x, index: np.ndarray, axis: int):
        picked = x.index_select(axis, torch.as_tensor(index.reshape(-1), dtype=torch.int64, device=x.device))
        axis %= x.ndim
        return picked.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1:])

    @staticmethod
    def amax(x, axes, keepdims=False):
        # over one axis the gradient goes to one of several equal elements; over more it is shared among them
        return x.max(axes[0], keepdims).values if len(axes) == 1 else x.amax(axes, keepdims)

    @staticmethod
    def amin(x, axes, keepdims=False):
        return x.min(axes[0], keepdims).values if len(axes) == 1 else x.amin(axes, keepdims)

    @staticmethod
    def mean(x, axes):
        return x.mean(axes, keepdim=True)

    @staticmethod
    def multiply_add(a, b, c):
        return a * b + c


def _for_numpy(image: Any) -> bool:
    """Whether NumPy may compute on this tensor: nobody asks for its gradient, and it has the dtype."""
    wants_grad = image.requires_grad and torch.is_grad_enabled()
    return not wants_grad and image.dtype is not torch.bfloat16 and image.device.type == "cpu"


def as_tensor(array: np.ndarray) -> Any:
    """A Tensor that takes over `array`. (One on a view of another array would have to be watched for changes.)"""
    return torch.from_numpy(array if array.base is None and array.flags.c_contiguous else array.copy(order="C"))


def apply(kernel: Callable, image: Any, *args: Any, **kwargs: Any) -> Any:
    """`kernel(xp, x, …)` on the Tensor `image`, as a Tensor."""
    if _for_numpy(image):
        array = image.detach().numpy()
        result = kernel(NumPy, array, *args, **kwargs)
        return as_tensor(result.copy() if result is array else result)
    return kernel(Tensors, image, *args, **kwargs)
