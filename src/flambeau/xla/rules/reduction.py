"""Reductions and scans."""
from __future__ import annotations

from typing import Any, Callable

import jax.numpy as jnp
import numpy as np
from jax import lax

from ..lowering import Context
from . import plain


def _sum(context: Context, x: Any, dims: tuple[int, ...]) -> Any:
    if x.dtype == bool:
        return jnp.any(x, axis=dims)
    # one after another, a few hundred float32 numbers would be off by several units in the last place
    wide = np.float64 if context.quick and x.dtype == np.float32 else x.dtype
    return jnp.sum(x, axis=dims, dtype=wide).astype(x.dtype)


def _prod(x: Any, dims: tuple[int, ...]) -> Any:
    return jnp.all(x, axis=dims) if x.dtype == bool else jnp.prod(x, axis=dims, dtype=x.dtype)


def _running(scan: Callable[..., Any]) -> Callable[..., Any]:
    """Each running extremum is the last element so far that equals it; from the first NaN on, the last NaN."""
    def function(x: Any, dim: int) -> tuple[Any, Any]:
        best = scan(x, axis=dim)
        position = lax.broadcasted_iota(jnp.int64, x.shape, dim)
        index = lax.cummax(jnp.where((x == best) | (x != x), position, 0), axis=dim)
        return jnp.take_along_axis(x, index, dim), index
    return plain(function)


def _logcumsumexp(x: Any, dim: int) -> Any:
    return lax.cumlogsumexp(x, axis=dim) if x.dtype.kind == "f" else jnp.log(jnp.cumsum(jnp.exp(x), axis=dim))


RULES = {
    "reduce_sum": _sum, "reduce_prod": plain(_prod),
    "reduce_max": plain(lambda x, dims: jnp.max(x, axis=dims)), "reduce_min": plain(lambda x, dims: jnp.min(x, axis=dims)),
    "argmax": plain(lambda x, dim: jnp.argmax(x, axis=dim)), "argmin": plain(lambda x, dim: jnp.argmin(x, axis=dim)),
    "cumsum": plain(lambda x, dim: jnp.cumsum(x, axis=dim, dtype=x.dtype)),
    "cumprod": plain(lambda x, dim: jnp.cumprod(x, axis=dim, dtype=x.dtype)),
    "cummax": _running(lax.cummax), "cummin": _running(lax.cummin), "logcumsumexp": plain(_logcumsumexp),
}
