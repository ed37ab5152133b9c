"""Distances and similarities."""
# ruff: noqa: F821
from __future__ import annotations

from ... import primitives as prim
from ...ops.linear import matmul
from ...ops.norms import root, vector_norm
from ...ops.promotion import not_implemented, promoted, to_float
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


@op("CdistBackward0")
def cdist(x1: Tensor, x2: Tensor, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances of all pairs of rows: (…, P, M), (…, R, M) → (…, P, R).

    compute_mode: whether Euclidean distances come from products of matrices, which is quicker and less exact:
    "use_mm_for_euclid_dist_if_necessary" (the default: from 26 rows on), "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist".
    """
    _check_cdist(x1, x2, p)
    mode = _CDIST_MODES.get(compute_mode)
    if mode is None:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    if p == 2 and (mode == 1 or mode == 0 and max(x1.shape[-2], x2.shape[-2]) > 25):
        return _euclidean_by_products(x1, x2)
    a, b = (prim.reshape(x, (*x.shape[:-2], *rows, x.shape[-1])) for x, rows in ((x1, (x1.shape[-2], 1)), (x2, (1, x2.shape[-2]))))
    a, b = prim.as_vars(a, b)
    d = a - b
    return vector_norm(d, float(p), d.ndim - 1, False)


_CDIST_MODES = {"use_mm_for_euclid_dist_if_necessary": 0, "use_mm_for_euclid_dist": 1, "donot_use_mm_for_euclid_dist": 2}


def _check_cdist(x1, x2, p) -> None:
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    for name, x in (("X1", x1), ("X2", x2)):
        if x.dtype.kind != "f":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {x.dtype._legacy}")
        if x.dtype.name in ("float16", "bfloat16"):
            raise not_implemented("cdist", x.dtype)
    if x1.dtype is not x2.dtype:
        raise RuntimeError(f"expected scalar type {x1.dtype._legacy} but found {x2.dtype._legacy}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")


def _euclidean_by_products(x1, x2):
    """√(|x1|² + |x2|² − 2 x1·x2)."""
    last = (x1.ndim - 1,)
    square1 = prim.reshape(prim.reduce_sum(x1 * x1, last), (*x1.shape[:-1], 1))
    square2 = prim.reshape(prim.reduce_sum(x2 * x2, (x2.ndim - 1,)), (*x2.shape[:-2], 1, x2.shape[-2]))
    order = (*range(x2.ndim - 2), x2.ndim - 1, x2.ndim - 2)
    square = prim.add(square1, square2) - matmul.op.body(x1, prim.permute(x2, order)) * 2
    return root(prim.select(prim.gt(square, 0), square, 0), 0.5)


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
