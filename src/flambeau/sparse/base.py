"""`Unstrided`: what sparse tensors have in common, whatever their layout.

Positions are data of the host. The values are an ordinary tensor: what happens to them is recorded and differentiated as
everything else, so the gradient of a sparse tensor is the gradient of its values at its own positions.
"""
from __future__ import annotations

from copy import deepcopy
from typing import Any, Sequence

import numpy as np

from ..dtypes import int64
from ..ir.types import tensor_type
from ..ops.creation import from_array
from ..tensor.not_strided import NotStrided, SparseValue
from ..tensor.overriding import disabled
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor
from ..tensor.views import make_view


class Unstrided(Tensor):
    """A tensor of positions and values. Subclasses say with `_with` how other values stand at the same positions."""

    _values_tensor: Tensor
    __torch_function__ = disabled  # a layout, in PyTorch's eyes, not a class of tensors

    def _with(self, values: Tensor, shape: tuple[int, ...] | None = None) -> Any:
        """Other values at the same positions. shape: of the result, if its dense dimensions differ."""
        raise NotImplementedError

    def _hold(self, values: Tensor, shape: Sequence[int]) -> None:
        """Makes `values` this tensor's, and `shape` its shape."""
        self._storage = Storage(SparseValue(tensor_type(values.dtype, tuple(shape))))
        self._view, self._node, self._nr = None, values._node, values._nr
        self._values_tensor = values

    def _nnz(self) -> int:
        """How many values are specified, equal positions counted each."""
        return self._values_tensor.shape[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        """TypeError: which positions are specified does not change."""
        raise TypeError("Cannot assign to a sparse tensor")

    # ------------------------------------------------------------------ gradients

    @property
    def grad(self) -> Any:  # type: ignore[override]
        """The gradient at this tensor's positions, accumulated so far, or None."""
        g = self._values_tensor.grad  # type: ignore[attr-defined]
        return None if g is None else self._with(g)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._values_tensor.grad = None if value is None else value._values_tensor  # type: ignore[attr-defined]

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Makes this leaf require a gradient, or not."""
        self._values_tensor.requires_grad_(requires_grad)  # type: ignore[attr-defined]
        self._node, self._nr = self._values_tensor._node, self._values_tensor._nr
        return self

    requires_grad = property(lambda self: self._values_tensor.requires_grad, requires_grad_)

    def detach(self) -> Any:
        """The same positions and values without history."""
        return self._with(self._values_tensor.detach())  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ conversions

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """With values of another dtype (or device: the CPU is the only one)."""
        return self._with(self._values_tensor.to(*args, **kwargs))  # type: ignore[attr-defined]

    def clone(self, *, memory_format: Any = None) -> Any:
        """A copy with memory of its own."""
        return self._with(self._values_tensor.clone())  # type: ignore[attr-defined]

    def numpy(self, *, force: bool = False) -> Any:
        name = "Sparse" if self.is_sparse else "SparseCsr"  # type: ignore[attr-defined]
        raise TypeError(f"can't convert {name} layout tensor to numpy. Use Tensor.to_dense() first.")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def _geometry(self) -> Any:
        raise NotStrided("as_strided")

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)


class Compressed(Unstrided):
    """A matrix whose rows (or columns) each say where their entries begin."""

    def values(self) -> Tensor:
        """The entries (nnz,), or blocks (nnz, height, width)."""
        return self._values_tensor.view(self._values_tensor.shape)  # type: ignore[attr-defined]

    def sparse_dim(self) -> int:
        """2: rows and columns."""
        return 2

    def dense_dim(self) -> int:
        """0: entries are single elements."""
        return 0

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The strided matrix."""
        return self.to_sparse_coo().to_dense(dtype)  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict) -> Any:
        return self._with(deepcopy(self._values_tensor, memo))


def _conversion(name: str) -> Any:
    def method(self: Unstrided, *args: Any, **kwargs: Any) -> Any:
        return self._with(getattr(self._values_tensor, name)(*args, **kwargs))
    method.__name__ = name
    method.__doc__ = f"With values converted by `{name}`."
    return method


for _name in ("float", "double", "half", "bfloat16", "int", "long", "short", "char", "byte", "bool", "cfloat", "cdouble", "cpu"):
    setattr(Unstrided, _name, _conversion(_name))


def index_tensor(array: np.ndarray, beside: Tensor | None = None) -> Tensor:
    """Positions as an int64 tensor, on the device of `beside`."""
    return from_array(np.ascontiguousarray(array, np.int64), int64, beside)


def own_values(values: Tensor, requires_grad: bool, made_by: str) -> Tensor:
    """The values of a new sparse tensor: a leaf if it is to require a gradient, else with their history."""
    if requires_grad:
        return values.detach().requires_grad_()  # type: ignore[attr-defined]
    return make_view(values, *values._geometry(), made_by, lambda g: g)
