"""Reading and writing at computed positions. Indices are int64 and within range (ops normalise negative ones);
kernels check the range, since an index may be known only when the program runs."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import int64
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive, broadcast_to, full
from .elementwise import cast, conj, div, eq, logical_not, mul, select, zeros_like
from .reduction import reduce_max
from .shape import reshape

_UFUNC: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _check(index: np.ndarray, dim: int, size: int, error: type[Exception] = IndexError) -> None:
    """PyTorch raises IndexError where whole slices are meant, RuntimeError in gather and scatter."""
    if index.size and (index.min() < 0 or index.max() >= size):
        bad = index[(index < 0) | (index >= size)].flat[0]
        raise error(f"index {bad} is out of bounds for dimension {dim} with size {size}")


# take: whole slices by index along one dimension

def _take_types(x, index, dim):
    return tensor_type(x.dtype, (*x.shape[:dim], *index.shape, *x.shape[dim + 1:]))


def _take_kernel(x, index, dim):
    _check(index, dim, x.shape[dim])
    return np.take(x, index, axis=dim)


take_p = Primitive("take", _take_types, _take_kernel,
                   lambda g, y, xs, dim: (put(zeros_like(xs[0]), xs[1], g, dim, "add"), None), moves_data=True, kind="gather")


def take(x: Var, index: Var, dim: int) -> Var:
    """x's slices number `index` along `dim`; index's dimensions take the place of `dim`."""
    return take_p((x, index), dim)


def _put_kernel(x, index, source, dim, mode):
    _check(index, dim, x.shape[dim])
    out = np.array(x, copy=True, order="C")
    place = (slice(None),) * dim + (index,)
    if mode == "set":
        out[place] = source
    elif mode == "add" and x.dtype.kind == "f" and x.ndim == 2 and dim == 0 and index.ndim >= 1:
        _add_rows(out, index.reshape(-1), source.reshape(-1, x.shape[1]))
    else:
        _UFUNC[mode].at(out, place, source)
    return out


def _add_rows(out, index, rows):
    """out[index] += rows with repeated indices added up, by sorted segments (np.add.at is many times slower on rows)."""
    if not index.size:
        return
    order = np.argsort(index, kind="stable")
    sorted_index = index[order]
    starts = np.flatnonzero(np.r_[True, sorted_index[1:] != sorted_index[:-1]])
    out[sorted_index[starts]] += np.add.reduceat(rows[order], starts, axis=0)


def _put_vjp(g, y, xs, dim, mode):
    x, index, source = xs
    if mode == "add":
        return g, None, take(g, index, dim)
    if mode == "set":
        return put(g, index, zeros_like(source), dim, "set"), None, take(g, index, dim)
    return _combine_vjp(g, y, x, source, mode, lambda v: take(v, index, dim), lambda v, s, m: put(v, index, s, dim, m))


def _combine_vjp(g, y, x, source, mode, read, write):
    """VJP of scatter-with-product and scatter-with-extremum, given the matching read and write."""
    if mode == "mul":
        zero = eq(source, 0)
        # a zero's gradient is the product of the others, if none of those is zero, too
        others = write(select(eq(x, 0), 1, x), select(zero, 1, source), "mul")
        zeros = write(cast(eq(x, 0), g.dtype), cast(zero, g.dtype), "add")
        product, count = read(mul(g, conj(others))), read(zeros)
        gs = select(zero, select(eq(count, 1), product, 0), select(eq(count, 0), div(product, conj(select(zero, 1, source))), 0))
        return write(g, conj(source), "mul"), None, gs
    count = write(cast(eq(x, y), g.dtype), cast(eq(read(y), source), g.dtype), "add")
    shared = div(g, select(eq(count, 0), 1, count))
    return mul(shared, cast(eq(x, y), g.dtype)), None, mul(read(shared), cast(eq(read(y), source), g.dtype))


put_p = Primitive("put", lambda x, index, source, dim, mode: x, _put_kernel, _put_vjp, kind="scatter")


def put(x: Var, index: Var, source: Var, dim: int, mode: str) -> Var:
    """x with its slices number `index` along `dim` set to, or combined with ('add', 'mul', 'max', 'min'), `source`."""
    return put_p((x, index, source), dim, mode)


def require(x: Var, ok: Var) -> Var:
    """x, in a program that fails where some element of `ok` (bool) is false. The words come from the op's check.

    The failure is that of an index past the end of a table of one zero, which is added to x: no executor needs a rule for it.
    """
    if not x.size:
        return x
    bad = reshape(reduce_max(cast(logical_not(ok), int64), range(ok.ndim)), (1,))
    zero = take(full((1,), 0, x.dtype, x.builder), bad, 0)
    return x + broadcast_to(reshape(zero, ()), x.shape)


# gather and scatter: element by element along one dimension, as torch.gather and torch.scatter

def _gather_kernel(x, index, dim):
    _check(index, dim, x.shape[dim], RuntimeError)
    return np.take_along_axis(_crop(x, index.shape, dim), index, axis=dim)


def _crop(x, shape, dim):
    return x[tuple(slice(None) if i == dim else slice(0, n) for i, n in enumerate(shape))]


gather_p = Primitive("gather", lambda x, index, dim: tensor_type(x.dtype, index.shape), _gather_kernel,
                     lambda g, y, xs, dim: (scatter(zeros_like(xs[0]), xs[1], g, dim, "add"), None), moves_data=True, kind="gather")


def gather(x: Var, index: Var, dim: int) -> Var:
    """out[i][j][k] = x[index[i][j][k]][j][k] for dim 0, and so on; index may be smaller than x in other dimensions."""
    return gather_p((x, index), dim)


def _scatter_kernel(x, index, source, dim, mode):
    _check(index, dim, x.shape[dim], RuntimeError)
    out = np.array(x, copy=True, order="C")
    if not index.size:
        return out
    place = tuple(index if i == dim else np.arange(n).reshape((-1,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(index.shape))
    source = source[tuple(slice(0, n) for n in index.shape)]
    if mode == "set":
        out[place] = source
    else:
        _UFUNC[mode].at(out, place, source)
    return out


def _scatter_vjp(g, y, xs, dim, mode):
    x, index, source = xs

    def fit(v):  # source may be larger than index
        from .shape import pad
        return pad(v, (0,) * v.ndim, tuple(a - b for a, b in zip(source.shape, v.shape)))
    if mode == "add":
        return g, None, fit(gather(g, index, dim))
    if mode == "set":
        return scatter(g, index, zeros_like(source), dim, "set"), None, fit(gather(g, index, dim))
    from .shape import slice_
    part = slice_(source, (0,) * source.ndim, index.shape)
    gx, _, gs = _combine_vjp(g, y, x, part, mode, lambda v: gather(v, index, dim), lambda v, s, m: scatter(v, index, s, dim, m))
    return gx, None, fit(gs)


scatter_p = Primitive("scatter", lambda x, index, source, dim, mode: x, _scatter_kernel, _scatter_vjp, kind="scatter")


def scatter(x: Var, index: Var, source: Var, dim: int, mode: str) -> Var:
    """x with out[index[i][j]][j] set to, or combined with, source[i][j] (for dim 0, and so on)."""
    return scatter_p((x, index, source), dim, mode)


# ------------------------------------------------------------------ order

def _sort_kernel(x, dim, descending):
    if descending:  # stable and descending: sort the reversed sequence, read it backwards
        index = np.flip(x.shape[dim] - 1 - np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)
    else:
        index = np.argsort(x, axis=dim, kind="stable")
    return np.take_along_axis(x, index, axis=dim), np.ascontiguousarray(index, dtype=np.int64)


def _sort_vjp(gs, ys, xs, dim, descending):
    return (None if gs[0] is None else scatter(zeros_like(xs[0]), ys[1], gs[0], dim, "set"),)


sort_p = Primitive("sort", lambda x, dim, descending: (x, tensor_type(int64, x.shape)), _sort_kernel, _sort_vjp, n_outputs=2,
                   kind="sort")


def sort(x: Var, dim: int, descending: bool = False) -> tuple[Var, Var]:
    """Values and indices in order along `dim`, stable; NaN is larger than every number."""
    return sort_p((x,), dim, descending)


def _searchsorted_kernel(edges, values, right):
    side = "right" if right else "left"
    if edges.ndim == 1:
        return np.searchsorted(edges, values, side=side).astype(np.int64)
    out = np.empty(values.shape, np.int64)
    for at in np.ndindex(*edges.shape[:-1]):
        out[at] = np.searchsorted(edges[at], values[at], side=side)
    return out


searchsorted_p = Primitive("searchsorted", lambda edges, values, right: tensor_type(int64, values.shape), _searchsorted_kernel, None,
                           kind="sort")


def searchsorted(edges: Var, values: Var, right: bool) -> Var:
    """Where each value would be inserted into the sorted last dimension of `edges` (1-D, or the same leading dims)."""
    return searchsorted_p((edges, values), right)
