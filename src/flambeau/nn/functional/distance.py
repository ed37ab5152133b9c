"""Distances and similarities."""
# ruff: noqa: F821
from __future__ import annotations

from ... import primitives as prim
from ...ops.norms import vector_norm
from ...ops.promotion import promoted, to_float
from ...tensor.op import op
from ...tensor.views import wrap_dim


@op("NormBackward1")
def pairwise_distance(x1: Tensor, x2: Tensor, p=2.0, eps=1e-6, keepdim=False):
    """‖x1 − x2 + eps‖_p along the last dimension."""
    a, b = promoted(x1, x2)
    d = to_float(a - b) + eps
    return vector_norm(d, p, d.ndim - 1, keepdim)


@op("SumBackward1")
def cosine_similarity(x1: Tensor, x2: Tensor, dim=1, eps=1e-8):
    """x1·x2/(max(‖x1‖, eps)·max(‖x2‖, eps)) along dim."""
    a, b = promoted(x1, x2)
    if a.dtype.kind != "f":
        raise RuntimeError("expected common dtype to be floating point, yet common dtype is " + a.dtype.name)
    a, b = prim.as_vars(a, b)
    d = wrap_dim(dim, a.ndim)

    def unit(x):
        norm = vector_norm(x, 2, d, True)
        return x / prim.select(prim.lt(norm, eps), eps, norm)
    return prim.reduce_sum(unit(a) * unit(b), (d,) if a.ndim else ())


@op("PdistBackward0")
def pdist(input: Tensor, p=2.0):
    """The p-norm distances of all pairs of rows, as one vector (upper triangle, row by row)."""
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    n, m = input.shape
    import numpy as np
    rows, columns = np.triu_indices(n, 1)
    at = [_constant_index(x, input) for x in (rows, columns)]
    d = prim.take(input, at[0], 0) - prim.take(input, at[1], 0)
    return vector_norm(d, p, 1, False)


def _constant_index(index, like):
    """An index vector as a graph constant: indices of an upper triangle, from a table of running offsets."""
    from ...dtypes import int64
    parts = [prim.full((1,), int(i), int64, like.builder) for i in index]
    return prim.concat(parts, 0) if parts else prim.full((0,), 0, int64, like.builder)
