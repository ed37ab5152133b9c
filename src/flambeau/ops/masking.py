# ruff: noqa: F821
"""Masks: masked_fill, masked_scatter, masked_select; and the positions of true elements: nonzero, argwhere."""
from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as p
from ..dtypes import bool_, int64, overflow_error
from ..ir.graph import Var
from ..tensor.attributes import host_array
from ..tensor.examples import of_its_own_size
from ..tensor.indexing import known_array, true_positions
from ..tensor.op import inplace, op
from ..tensor.placement import follow
from ..tensor.tensor import Tensor, View
from ..tensor.write import refuse_shared_memory
from .creation import from_array

def _check_fill(input, mask, value) -> None:
    """A number must fit into input's dtype."""
    error = None if isinstance(value, Tensor) else overflow_error(value, input.dtype)
    if error is not None:
        raise error


@op(lambda input, mask, value: f"MaskedFillBackward{0 if value.type.weak else 1}", check=_check_fill)
def masked_fill(input: Tensor, mask: Tensor, value: Scalar):
    """input with `value` (a number or a 0-dim tensor) where the boolean mask, which broadcasts, is true. The dtype is
    input's."""
    if mask.dtype is not bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.c_name}")
    if value.ndim:
        raise RuntimeError(f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} "
                           "dimension(s).")
    if value.dtype.kind == "c" and input.dtype.kind in "iuf":
        raise overflow_error(1j, input.dtype)
    return p.select(*_broadcast(mask, p.cast(value, input.dtype), input))


def _broadcast(mask: Var, *values: Var) -> list[Var]:
    shape = p.broadcast_shapes(mask.shape, *[v.shape for v in values])
    return [p.broadcast_to(v, shape) for v in (mask, *values)]


def _check_supply(input, mask, source) -> None:
    array = known_array(mask)
    if array is not None:
        repeated = 1
        for n in p.broadcast_shapes(tuple(input.shape), tuple(mask.shape)):
            repeated *= n
        needed = int(array.sum()) * (repeated // array.size if array.size else 0)
        if needed > source.shape.numel():
            raise RuntimeError("Number of elements of source < number of ones in mask")


@op("MaskedScatterBackward0", check=_check_supply)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor):
    """input with the elements of source, in order, where the boolean mask is true."""
    if source.dtype is not input.dtype:
        raise RuntimeError(f"masked_scatter: expected self and source to have same dtypes but got{input.dtype._legacy} "
                           f"and {source.dtype._legacy}")
    if mask.dtype is not bool_:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype._legacy}")
    mask, x = _broadcast(mask, input)
    flat = p.reshape(mask, (mask.size,))
    if not flat.size or not source.size:
        return x
    nth = p.cumsum(p.cast(flat, int64), 0) - 1
    # where the mask is false the place does not matter; where it is true, one past the end is an error at the run
    place = p.select(flat, nth, 0)
    return p.select(mask, p.reshape(p.take(p.reshape(source, (source.size,)), place, 0), mask.shape), x)


@op("MaskedSelectBackward0", name="masked_select", strict_out=True)
def _masked_select(input: Tensor, places: Tensor, shape):
    x = p.broadcast_to(input, shape)
    return p.take(p.reshape(x, (x.size,)), places, 0)


@of_its_own_size("masked_select")
def masked_select(input: Tensor, mask: Tensor, *, out: Any = None) -> Tensor:
    """The elements of input where the boolean mask is true, as one dimension; the two are broadcast."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"masked_select(): argument 'mask' (position 2) must be Tensor, not {type(mask).__name__}")
    if mask.dtype is not bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    if out is not None:
        refuse_shared_memory((mask,), out)
    shape = p.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    places = from_array(np.flatnonzero(np.broadcast_to(host_array(mask), shape)).astype(np.int64), int64, input)
    return _masked_select(input, places, shape, **({} if out is None else {"out": out}))


# ------------------------------------------------------------------ positions of what is not zero

def _by_columns(columns: np.ndarray) -> Tensor:
    """A tensor (n, d) from its columns (d, n), which stay where they are in memory."""
    d, n = columns.shape
    if d < 2 or n < 2:
        return from_array(columns.reshape(n, d), int64)
    t = from_array(columns, int64)
    t._view = View((n, d), (1, n), 0, int64, None, False, t._storage.version)
    return t


@of_its_own_size("nonzero")
def nonzero(input: Tensor, *, out: Any = None, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero, one a row (int64); as_tuple gives a tensor for each
    dimension."""
    if as_tuple:
        return tuple([from_array(found, int64, input) for found in true_positions(np.atleast_1d(host_array(input)))])
    result = follow(_by_columns(true_positions(host_array(input))), input)
    if out is None:
        return result
    if out.dtype is not int64:
        raise RuntimeError("nonzero: Expected out tensor to have scalar type Long but got scalar "
                           f"type{out.dtype._legacy}")
    from ..tensor.write import write_out
    return write_out(result, out)


def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one a row (int64)."""
    return nonzero(input)


METHODS = {f.__name__: f for f in (masked_fill, masked_scatter, masked_select, nonzero, argwhere)} | {
    f.__name__ + "_": inplace(f) for f in (masked_fill, masked_scatter)}
