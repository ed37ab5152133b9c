"""Reductions."""
from __future__ import annotations

from ..dtypes import bool_, int64
from .. import primitives as p
from ..tensor.op import op
from ..tensor.views import as_shape, wrap_dims


def dims_of(dim, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim` names: None and () mean all."""
    if dim is None or isinstance(dim, (tuple, list)) and not dim:
        return tuple(range(ndim))
    return tuple(d for d in wrap_dims(dim, ndim) if ndim)


def kept(x, source, dims, keepdim):
    """x with the reduced dimensions kept as size 1, if asked."""
    return p.reshape(x, tuple(1 if i in dims else s for i, s in enumerate(source.shape))) if keepdim else x


@op("SumToSizeBackward0")
def sum_to_size(input: Tensor, size):
    """Sums input down to `size`, which must be broadcastable to input's."""
    return p.sum_to(input, tuple(size))


@op("SumBackward0")
def sum(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim` (all by default). Integers and booleans give int64."""
    x = p.cast(input, dtype or (int64 if input.dtype.kind in "iub" else input.dtype))
    dims = dims_of(dim, x.ndim)
    return kept(p.reduce_sum(x, dims), x, dims, keepdim)


__all__ = ["bool_", "dims_of", "kept", "sum", "sum_to_size"]

METHODS = {"sum": sum, "sum_to_size": lambda self, *size: sum_to_size(self, as_shape(size))}
