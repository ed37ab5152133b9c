"""Sums, products and functions of single elements of sparse tensors."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..ops import comparison, pointwise
from ..ops.arithmetic import div as dense_div, floor_divide as dense_floor_divide, mul as dense_mul, pow as dense_pow
from ..ops.shape import cat
from ..tensor.tensor import Tensor
from ..tensor.write import assign, check_writable
from .base import index_tensor
from .coo import SparseTensor, sparse

MIXED = "add(sparse, dense) is not supported. Use add(dense, sparse) instead."


# ------------------------------------------------------------------ sums

def add(input: Any, other: Any, alpha: Any = 1) -> Tensor:
    """input + alpha·other. A sparse and a strided tensor give a strided one, in this order only: add(strided, sparse)."""
    if not isinstance(input, SparseTensor):
        if not isinstance(input, Tensor):
            raise RuntimeError(MIXED)
        return _add_to_dense(input, other, alpha)
    if not isinstance(other, SparseTensor):
        raise RuntimeError(MIXED)
    if input.shape != other.shape:
        raise RuntimeError(f"add: expected sizes of 'self' and 'other' to match, but {list(input.shape)} != {list(other.shape)}")
    if input.sparse_dim() != other.sparse_dim():
        raise RuntimeError("add: expected 'self' and 'other' to have same number of sparse dimensions, but 'self' has "
                           f"{input.sparse_dim()} sparse dimensions and 'other' has {other.sparse_dim()}")
    second = other._values_tensor if alpha == 1 else other._values_tensor * alpha
    if np.array_equal(input._indices_array, other._indices_array) and input._coalesced == other._coalesced:
        return input._with(input._values_tensor + second)  # type: ignore[operator]
    indices = np.concatenate([input._indices_array, other._indices_array], axis=1)
    total = sparse(indices, cat([input._values_tensor, second]), tuple(input.shape), False)
    return total.coalesce() if input._coalesced and other._coalesced else total


def _add_to_dense(dense: Tensor, other: SparseTensor, alpha: Any) -> Tensor:
    if dense.shape != other.shape:
        raise RuntimeError(f"add: expected 'self' and 'other' to have same size, but self has size {list(dense.shape)} while other has "
                           f"size {list(other.shape)} (FYI: dense-sparse addition does not currently support broadcasting)")
    n = other.sparse_dim()
    values = other._values_tensor if alpha == 1 else other._values_tensor * alpha
    rows = dense.reshape(-1, *dense.shape[n:])  # type: ignore[attr-defined]
    if values.dtype is not rows.dtype:
        rows, values = rows + values.new_zeros(()), values + rows.new_zeros(())  # type: ignore[attr-defined]
    return rows.index_add(0, index_tensor(other._linear(), rows), values).reshape(dense.shape)


def add_(self: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """Adds alpha·other to self, in place."""
    if isinstance(self, SparseTensor):
        return self._replace(add(self, other, alpha))  # type: ignore[arg-type]
    check_writable(self)
    assign(self, add(self, other, alpha).to(self.dtype))  # type: ignore[attr-defined]
    return self


def sub(input: Any, other: Any, alpha: Any = 1) -> Tensor:
    """input − alpha·other."""
    return add(input, other, -alpha)


def sub_(self: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """Takes alpha·other from self, in place."""
    return add_(self, other, -alpha)


# ------------------------------------------------------------------ products

def mul(input: Any, other: Any) -> SparseTensor:
    """The product with a number, or element by element with a tensor that broadcasts to this shape: sparse."""
    if not isinstance(input, SparseTensor):
        input, other = other, input
    if isinstance(other, SparseTensor):
        return _intersection(input.coalesce(), other.coalesce())
    if not isinstance(other, Tensor) or other.ndim == 0:
        return input._with(dense_mul(input._values_tensor, other))
    values = _at_positions(other.expand(input.shape), input)  # type: ignore[attr-defined]
    return input._with(dense_mul(input._values_tensor, values))


def _at_positions(dense: Tensor, at: SparseTensor) -> Tensor:
    n = at.sparse_dim()
    return dense.reshape(-1, *dense.shape[n:]).index_select(0, index_tensor(at._linear()))  # type: ignore[attr-defined]


def _intersection(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    if a.shape != b.shape or a.sparse_dim() != b.sparse_dim():
        raise RuntimeError(f"mul(sparse, sparse): expected operands of one shape and number of sparse dimensions, but got {list(a.shape)} "
                           f"and {list(b.shape)}")
    _, at_a, at_b = np.intersect1d(a._linear(), b._linear(), assume_unique=True, return_indices=True)
    values = dense_mul(a._values_tensor.index_select(0, index_tensor(at_a, a._values_tensor)),  # type: ignore[attr-defined]
                       b._values_tensor.index_select(0, index_tensor(at_b, b._values_tensor)))  # type: ignore[attr-defined]
    return sparse(a._indices_array[:, at_a], values, tuple(a.shape), True)


def _divided(function: Callable, input: Any, other: Any, *rest: Any) -> SparseTensor:
    if not isinstance(input, SparseTensor) or isinstance(other, Tensor) and (other.is_sparse or other.ndim):  # type: ignore[attr-defined]
        shape = list(other.shape) if isinstance(other, Tensor) else []
        raise RuntimeError(f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {shape} for divisor)")
    return input._with(function(input._values_tensor, other, *rest))


def div(input: Any, other: Any, rounding_mode: Any = None) -> SparseTensor:
    """The quotient by a number or a strided tensor of no dimensions."""
    if rounding_mode is not None and isinstance(input, SparseTensor):
        input = input.coalesce()  # rounded parts do not add up to the rounded sum
    return _divided(lambda x, y: dense_div(x, y, rounding_mode=rounding_mode), input, other)


def floor_divide(input: Any, other: Any) -> SparseTensor:
    """The quotient by a number, rounded down."""
    return _divided(dense_floor_divide, input.coalesce() if isinstance(input, SparseTensor) else input, other)


def pow(input: Any, exponent: Any) -> SparseTensor:
    """A positive power of each element."""
    if not isinstance(input, SparseTensor) or isinstance(exponent, Tensor):
        raise RuntimeError("pow: expected a sparse base and a number for the exponent")
    if exponent <= 0:
        raise RuntimeError("pow: the exponent of a sparse tensor must be positive, for zeros to stay zeros")
    input = input.coalesce()
    return input._with(dense_pow(input._values_tensor, exponent))


# ------------------------------------------------------------------ functions that keep zero

def _elementwise(function: Callable, linear: bool = False) -> Callable:
    def variant(input: SparseTensor, *args: Any) -> SparseTensor:
        input = input if linear else input.coalesce()
        return input._with(function(input._values_tensor, *args))
    return variant


KEEP_ZERO = ("abs", "absolute", "asin", "arcsin", "asinh", "arcsinh", "atan", "arctan", "atanh", "arctanh", "ceil", "deg2rad", "expm1",
             "floor", "frac", "log1p", "nan_to_num", "rad2deg", "relu", "round", "sgn", "sign", "signbit", "sin", "sinh", "sqrt", "square",
             "tan", "tanh", "trunc", "fix", "positive")
VARIANTS = {
    "add": add, "add_": add_, "sub": sub, "subtract": sub, "sub_": sub_, "mul": mul, "multiply": mul, "div": div, "divide": div,
    "true_divide": div, "floor_divide": floor_divide, "pow": pow,
    "neg": _elementwise(pointwise.neg, linear=True), "negative": _elementwise(pointwise.neg, linear=True),
    **{name: _elementwise(getattr(pointwise, name)) for name in KEEP_ZERO},
    **{name: _elementwise(getattr(comparison, name)) for name in ("isnan", "isinf", "isposinf", "isneginf")},
}
