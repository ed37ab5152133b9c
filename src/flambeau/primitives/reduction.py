"""Reductions and scans."""
from __future__ import annotations

from typing import Sequence

import numpy as np

from ..dtypes import bool_, int64
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive, broadcast_to, iota
from .elementwise import cast, conj, div, eq, ones_like, select, zeros_like
from .shape import concat, flip, pad, reshape, slice_dim


def _keep(shape: tuple[int, ...], dims: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if i in dims else s for i, s in enumerate(shape))


def spread(g: Var, like: Var, dims: Sequence[int]) -> Var:
    """Repeats a reduction's result along the dimensions that it lost."""
    return broadcast_to(reshape(g, _keep(like.shape, dims)), like.shape)


def _reduced(x, dims):
    return tensor_type(x.dtype, tuple(s for i, s in enumerate(x.shape) if i not in dims))


def _reduction(name, kernel, vjp):
    prim = Primitive(name, _reduced, kernel, vjp, kind="reduction")

    def apply(x: Var, dims: Sequence[int]) -> Var:
        dims = tuple(sorted(dims))
        return prim((x,), dims) if dims else x
    apply.__name__ = apply.__qualname__ = name
    return apply


def _sum_kernel(x, dims):
    return np.add.reduce(x, axis=dims, dtype=x.dtype) if x.dtype != np.bool_ else np.logical_or.reduce(x, axis=dims)


def _extremum_vjp(g, y, xs, dims):
    """Ties share the cotangent equally, as PyTorch's amax and amin do."""
    hit = cast(eq(xs[0], spread(y, xs[0], dims)), g.dtype)
    return (hit * spread(div(g, reduce_sum(hit, dims)), xs[0], dims),)


def _prod_vjp(g, y, xs, dims):
    """Products of all other elements, exactly also where some are zero: prefix product times suffix product."""
    x = xs[0]
    if not x.size:
        return (zeros_like(x),)
    order = [i for i in range(x.ndim) if i not in dims] + list(dims)
    from .shape import permute
    moved = permute(x, order)
    lead = moved.shape[:x.ndim - len(dims)]
    n = int(np.prod(moved.shape[len(lead):]))
    rows = reshape(moved, (*lead, n))
    last = rows.ndim - 1
    others = _exclusive_product(rows, last) * flip(_exclusive_product(flip(rows, (last,)), last), (last,))
    gx = reshape(conj(others), moved.shape)
    inverse = [order.index(i) for i in range(x.ndim)]
    return (spread(g, x, dims) * permute(gx, inverse),)


def _exclusive_product(x: Var, dim: int) -> Var:
    from .base import full
    n = x.shape[dim]
    head = full(tuple(1 if i == dim else s for i, s in enumerate(x.shape)), 1, x.dtype, x.builder)
    return concat([head, slice_dim(cumprod(x, dim), dim, 0, n - 1)], dim) if n > 1 else head


def _max_kernel(x, dims):
    return np.maximum.reduce(x, axis=dims)


reduce_sum = _reduction("reduce_sum", _sum_kernel, lambda g, y, xs, dims: (spread(g, xs[0], dims),))
reduce_prod = _reduction("reduce_prod", lambda x, dims: np.multiply.reduce(x, axis=dims, dtype=x.dtype), _prod_vjp)
reduce_max = _reduction("reduce_max", _max_kernel, _extremum_vjp)
reduce_min = _reduction("reduce_min", lambda x, dims: np.minimum.reduce(x, axis=dims), _extremum_vjp)


def _arg_types(x, dim):
    return tensor_type(int64, tuple(s for i, s in enumerate(x.shape) if i != dim))


argmax_p = Primitive("argmax", _arg_types, lambda x, dim: np.argmax(x, axis=dim), None, kind="reduction")
argmin_p = Primitive("argmin", _arg_types, lambda x, dim: np.argmin(x, axis=dim), None, kind="reduction")


def argmax(x: Var, dim: int) -> Var:
    """Index of the first largest element along `dim` (NaN counts as largest)."""
    return argmax_p((x,), dim)


def argmin(x: Var, dim: int) -> Var:
    """Index of the first smallest element along `dim` (NaN counts as smallest)."""
    return argmin_p((x,), dim)


# ------------------------------------------------------------------ softmax: composed, with the gradient in its output

def _shifted(x: Var, dim: int) -> Var:
    """x minus its maximum along dim, which cancels in every result below and so takes no gradient."""
    from .elementwise import stop_gradient
    if not x.size:
        return x
    return x - spread(stop_gradient(reduce_max(x, (dim,))), x, (dim,))


def softmax(x: Var, dim: int) -> Var:
    """exp(x − max) / Σ exp(x − max) along dim."""
    from .elementwise import exp
    e = exp(_shifted(x, dim))
    return div(e, spread(reduce_sum(e, (dim,)), x, (dim,)))


def log_softmax(x: Var, dim: int) -> Var:
    """x − max − log Σ exp(x − max) along dim."""
    from .elementwise import exp, log
    shifted = _shifted(x, dim)
    return shifted - spread(log(reduce_sum(exp(shifted), (dim,))), x, (dim,))


# ------------------------------------------------------------------ scans

def _accumulated(accumulate):
    """Single precision is accumulated in double precision, as PyTorch does."""
    def kernel(x, dim):
        return accumulate(x, axis=dim, dtype=np.float64 if x.dtype == np.float32 else x.dtype).astype(x.dtype, copy=False)
    return kernel


cumsum_p = Primitive("cumsum", lambda x, dim: x, _accumulated(np.cumsum),
                     lambda g, y, xs, dim: (flip(cumsum(flip(g, (dim,)), dim), (dim,)),), kind="scan")


def cumsum(x: Var, dim: int) -> Var:
    return cumsum_p((x,), dim)


def _cumprod_vjp(g, y, xs, dim):
    """Σ over k ≥ i of g_k · Π over j ≤ k, j ≠ i of x_j: the product before i times S_i = g_i + x_{i+1} · S_{i+1}.

    There is no division, so zeros need no care, here and in the gradients of this gradient.
    """
    x, n = xs[0], xs[0].shape[dim]
    head = ones_like(slice_dim(x, dim, 0, min(n, 1)))
    before = concat([head, slice_dim(y, dim, 0, n - 1)], dim) if n > 1 else head
    return (conj(before) * _backward_recurrence(_later(conj(x), dim, 1), g, dim),)


def _backward_recurrence(a: Var, b: Var, dim: int) -> Var:
    """S where S_i = b_i + a_i · S_{i+1}, and nothing comes after the last: each pass doubles the terms that are summed."""
    step = 1
    while step < b.shape[dim]:
        a, b, step = a * _later(a, dim, step), b + a * _later(b, dim, step), 2 * step
    return b


def _later(x: Var, dim: int, step: int) -> Var:
    """The element `step` places further along `dim`; 0 after the last."""
    shift = [step if d == dim else 0 for d in range(x.ndim)]
    return pad(x, [-n for n in shift], shift)


cumprod_p = Primitive("cumprod", lambda x, dim: x, _accumulated(np.cumprod), _cumprod_vjp, kind="scan")


def cumprod(x: Var, dim: int) -> Var:
    return cumprod_p((x,), dim)


def _running(extremum):
    """Each running extremum is the last element so far that equals it; from the first NaN on, the last NaN."""
    def kernel(x, dim):
        best = extremum.accumulate(x, axis=dim)
        position = np.arange(x.shape[dim]).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
        index = np.maximum.accumulate(np.where((x == best) | (x != x), position, 0), axis=dim)
        return np.take_along_axis(x, index, dim), index
    return kernel


def _running_vjp(gs, ys, xs, dim):
    from .indexing import scatter
    return (None if gs[0] is None else scatter(zeros_like(xs[0]), ys[1], gs[0], dim, "add"),)


def _running_types(x, dim):
    return x, tensor_type(int64, x.shape)


cummax_p = Primitive("cummax", _running_types, _running(np.maximum), _running_vjp, n_outputs=2, kind="scan")
cummin_p = Primitive("cummin", _running_types, _running(np.minimum), _running_vjp, n_outputs=2, kind="scan")


def cummax(x: Var, dim: int) -> tuple[Var, Var]:
    """Running maximum along `dim` and the index of each (the last of equals)."""
    return cummax_p((x,), dim)


def cummin(x: Var, dim: int) -> tuple[Var, Var]:
    """Running minimum along `dim` and the index of each (the last of equals)."""
    return cummin_p((x,), dim)


def _logcumsumexp_kernel(x, dim):
    return np.logaddexp.accumulate(x, axis=dim) if x.dtype.kind == "f" else np.log(np.cumsum(np.exp(x), axis=dim))


def _logcumsumexp_vjp(g, y, xs, dim):
    """sum over k >= i of g_k exp(x_i - y_k), split by sign so that it stays in the log domain."""
    from .elementwise import absolute, exp, gt, log, lt, neg
    x = xs[0]
    if x.dtype.kind == "c":
        return (conj(exp(x)) * flip(cumsum(flip(g * conj(exp(neg(y))), (dim,)), dim), (dim,)),)

    def part(keep):
        masked = select(keep, log(select(keep, absolute(g), ones_like(g))), float("-inf"))
        shifted = select(eq(y, float("-inf")), float("-inf"), masked - y)  # nothing has been added up so far
        total = flip(logcumsumexp(flip(shifted, (dim,)), dim), (dim,))
        return exp(total + x)
    return (part(gt(g, 0)) - part(lt(g, 0)),)


logcumsumexp_p = Primitive("logcumsumexp", lambda x, dim: x, _logcumsumexp_kernel, _logcumsumexp_vjp, kind="scan")


def logcumsumexp(x: Var, dim: int) -> Var:
    return logcumsumexp_p((x,), dim)


def index_along(x: Var, dim: int) -> Var:
    """An int64 Var of x's shape whose elements are their index along `dim`."""
    n = x.shape[dim]
    return broadcast_to(reshape(iota(n, int64, x.builder), tuple(n if i == dim else 1 for i in range(x.ndim))), x.shape)


__all__ = ["argmax", "argmin", "bool_", "cummax", "cummin", "cumprod", "cumsum", "index_along", "logcumsumexp", "reduce_max",
           "reduce_min", "reduce_prod", "reduce_sum", "spread"]
