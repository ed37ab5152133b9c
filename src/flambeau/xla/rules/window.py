"""Window reductions (pooling)."""
from __future__ import annotations

from itertools import product
from typing import Any, Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax

from ...primitives.contraction import conv_size
from . import plain

Ints = Sequence[int]


def _edges(low: Ints, high: Ints) -> list[tuple[int, int, int]]:
    return [(0, 0, 0), (0, 0, 0), *[(a, b, 0) for a, b in zip(low, high)]]


def _max_pool(x: Any, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> tuple[Any, Any]:
    """The best of the windows' first elements, of their second elements, …: NaN counts as largest, the first of equals wins."""
    size = x.shape[2:]
    out = [conv_size(*p) for p in zip(size, window, stride, low, high, dilation)]
    lowest = np.asarray(-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
    padded = lax.pad(x, lowest, _edges(low, high))
    best, index = None, None
    for at in product(*map(range, window)):
        start = [i * d for i, d in zip(at, dilation)]
        stop = [a + (t - 1) * s + 1 if t else a for a, t, s in zip(start, out, stride)]
        values = lax.slice(padded, (0, 0, *start), (*padded.shape[:2], *stop), (1, 1, *stride))
        place = jnp.zeros(out, jnp.int64)  # in the unpadded plane
        for axis, (n, a, s, lo) in enumerate(zip(size, start, stride, low)):
            place = place * n + lax.broadcasted_iota(jnp.int64, out, axis) * s + (a - lo)
        place = jnp.broadcast_to(place, values.shape)
        if best is None:
            best, index = values, place
        else:
            better = (values > best) | (values != values) & (best == best)
            best, index = jnp.where(better, values, best), jnp.where(better, place, index)
    return best, index


def _window_sum(x: Any, window: Ints, stride: Ints, low: Ints, high: Ints) -> Any:
    padded = lax.pad(x, np.zeros((), x.dtype), _edges(low, high))
    return lax.reduce_window(padded, np.zeros((), x.dtype), lax.add, (1, 1, *window), (1, 1, *stride), "VALID")


def _window_spread(g: Any, size: Ints, window: Ints, stride: Ints, low: Ints, high: Ints) -> Any:
    """Sums over windows of g with stride - 1 zeros between its elements."""
    edges = [(k - 1 - a, n + a - ((t - 1) * s + 1), s - 1) for n, t, k, s, a in zip(size, g.shape[2:], window, stride, low)]
    spread = lax.pad(g, np.zeros((), g.dtype), [(0, 0, 0), (0, 0, 0), *edges])
    return lax.reduce_window(spread, np.zeros((), g.dtype), lax.add, (1, 1, *window), (1,) * g.ndim, "VALID")


RULES = {"max_pool": plain(_max_pool), "window_sum": plain(_window_sum), "window_spread": plain(_window_spread)}
