"""Window reductions (pooling) over the trailing spatial dimensions of (N, C, *S)."""
from __future__ import annotations

from typing import Sequence

import numpy as np

from ..dtypes import int64
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive
from .contraction import _windows, conv_size
from .elementwise import zeros_like
from .indexing import gather, scatter
from .shape import reshape

Ints = Sequence[int]


def _pool_shape(x, window, stride, low, high, dilation):
    return (*x.shape[:2], *[conv_size(n, k, s, a, b, d)
                            for n, k, s, a, b, d in zip(x.shape[2:], window, stride, low, high, dilation)])


def _padded(x, low, high, value):
    return np.pad(x, [(0, 0), (0, 0)] + list(zip(low, high)), constant_values=value)


def _lowest(dtype):
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _max_pool_kernel(x, window, stride, low, high, dilation):
    shape = _pool_shape(x, window, stride, low, high, dilation)
    out, nd = shape[2:], len(window)
    windows = _windows(_padded(x, low, high, _lowest(x.dtype)), window, out, stride, dilation)
    flat = windows.reshape(*windows.shape[:2 + nd], -1)
    best = np.argmax(flat, axis=-1)  # NaN counts as largest, the first of equals wins
    values = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
    # position inside the window → flat position inside the unpadded plane
    at = np.unravel_index(best, window)
    index = np.zeros(best.shape, np.int64)
    for d in range(nd):
        start = (np.arange(out[d]) * stride[d] - low[d]).reshape((-1,) + (1,) * (nd - 1 - d))
        index = index * x.shape[2 + d] + (start + at[d] * dilation[d])
    return values, index


def _max_pool_vjp(gs, ys, xs, *p):
    if gs[0] is None:
        return (None,)
    return (_flat_scatter(gs[0], ys[1], xs[0].shape),)


def _flat_scatter(g: Var, index: Var, shape) -> Var:
    """Adds g at flat plane positions `index` into zeros of `shape` (N, C, *S)."""
    from .base import full
    plane = int(np.prod(shape[2:]))
    zeros = full((*shape[:2], plane), 0, g.dtype, g.builder)
    flat = (*g.shape[:2], int(np.prod(g.shape[2:])))
    return reshape(scatter(zeros, reshape(index, flat), reshape(g, flat), 2, "add"), shape)


max_pool_p = Primitive("max_pool", lambda x, *p: (tensor_type(x.dtype, _pool_shape(x, *p)), tensor_type(int64, _pool_shape(x, *p))),
                       _max_pool_kernel, _max_pool_vjp, n_outputs=2, kind="window")


def max_pool(x: Var, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> tuple[Var, Var]:
    """Window maxima and their flat positions in each unpadded plane; padding counts as -inf."""
    return max_pool_p((x,), tuple(window), tuple(stride), tuple(low), tuple(high), tuple(dilation))


def _window_sum_kernel(x, window, stride, low, high):
    ones = (1,) * len(window)
    shape = _pool_shape(x, window, stride, low, high, ones)
    windows = _windows(_padded(x, low, high, 0), window, shape[2:], stride, ones)
    return windows.sum(axis=tuple(range(2 + len(window), 2 + 2 * len(window))), dtype=x.dtype)


window_sum_p = Primitive("window_sum", lambda x, w, s, a, b: tensor_type(x.dtype, _pool_shape(x, w, s, a, b, (1,) * len(w))),
                         _window_sum_kernel, lambda g, y, xs, *p: (window_spread(g, xs[0].shape[2:], *p),), kind="window")


def window_sum(x: Var, window: Ints, stride: Ints, low: Ints, high: Ints) -> Var:
    """Window sums; padding counts as 0."""
    return window_sum_p((x,), tuple(window), tuple(stride), tuple(low), tuple(high))


def _window_spread_kernel(g, size, window, stride, low, high):
    out = g.shape[2:]
    full = [max(n + a + b, (t - 1) * s + k) for n, a, b, t, s, k in zip(size, low, high, out, stride, window)]
    x = np.zeros((*g.shape[:2], *full), g.dtype)
    for at in np.ndindex(*window):
        x[(slice(None), slice(None), *[slice(i, i + (t - 1) * s + 1, s) for i, t, s in zip(at, out, stride)])] += g
    return np.ascontiguousarray(x[(slice(None), slice(None), *[slice(a, a + n) for a, n in zip(low, size)])])


window_spread_p = Primitive("window_spread", lambda g, size, *p: tensor_type(g.dtype, (*g.shape[:2], *size)), _window_spread_kernel,
                            lambda ct, y, xs, size, *p: (window_sum(ct, *p),), kind="window")


def window_spread(g: Var, size: Ints, window: Ints, stride: Ints, low: Ints, high: Ints) -> Var:
    """The transpose of `window_sum`: adds each g to all elements of its window, in planes of spatial `size`."""
    return window_spread_p((g,), tuple(size), tuple(window), tuple(stride), tuple(low), tuple(high))


__all__ = ["gather", "max_pool", "window_spread", "window_sum", "zeros_like"]
