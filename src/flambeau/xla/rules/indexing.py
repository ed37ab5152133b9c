"""Reading and writing at computed positions. A position out of range is an error that the host meets when it next looks."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..lowering import Context


def _check(context: Context, index: Any, dim: int, size: int, error: type[Exception] = IndexError) -> None:
    if index.size:
        bad = (index < 0) | (index >= size)
        worst = index.reshape(-1)[jnp.argmax(bad.reshape(-1))]
        context.fail_if(jnp.any(bad), worst, error, lambda i: f"index {i} is out of bounds for dimension {dim} with size {size}")


def _combined(at: Any, source: Any, mode: str) -> Any:
    """The indexed update `at`; what is out of range is left out."""
    combine = {"set": at.set, "add": at.add, "mul": at.multiply, "max": at.max, "min": at.min}[mode]
    return combine(source, mode="drop")


def _updated(x: Any, place: tuple, source: Any, mode: str) -> Any:
    if x.dtype == bool and mode in ("add", "mul"):
        mode = "max" if mode == "add" else "min"
    return _combined(x.at[place], source, mode)


def _take(context: Context, x: Any, index: Any, dim: int) -> Any:
    _check(context, index, dim, x.shape[dim])
    if not x.shape[dim]:
        return jnp.zeros((*x.shape[:dim], *index.shape, *x.shape[dim + 1:]), x.dtype)
    return jnp.take(x, index, axis=dim, mode="clip")


def _put(context: Context, x: Any, index: Any, source: Any, dim: int, mode: str) -> Any:
    _check(context, index, dim, x.shape[dim])
    return _updated(x, (slice(None),) * dim + (index,), source, mode) if x.size and index.size else x


def _gather(context: Context, x: Any, index: Any, dim: int) -> Any:
    _check(context, index, dim, x.shape[dim], RuntimeError)
    if not index.size or not x.shape[dim]:
        return jnp.zeros(index.shape, x.dtype)
    cropped = x[tuple(slice(None) if i == dim else slice(0, n) for i, n in enumerate(index.shape))]
    return jnp.take_along_axis(cropped, index, axis=dim, mode="clip")


def _scatter(context: Context, x: Any, index: Any, source: Any, dim: int, mode: str) -> Any:
    _check(context, index, dim, x.shape[dim], RuntimeError)
    if not index.size or not x.size:
        return x
    place = tuple(index if i == dim else lax.broadcasted_iota(jnp.int64, index.shape, i) for i in range(x.ndim))
    return _updated(x, place, source[tuple(slice(0, n) for n in index.shape)], mode)


def _sort(context: Context, x: Any, dim: int, descending: bool) -> tuple[Any, Any]:
    if descending:  # stable and descending: sort the reversed sequence, read it backwards
        index = jnp.flip(x.shape[dim] - 1 - jnp.argsort(jnp.flip(x, dim), axis=dim, stable=True), dim)
    else:
        index = jnp.argsort(x, axis=dim, stable=True)
    return jnp.take_along_axis(x, index, axis=dim), index.astype(jnp.int64)


def _searchsorted(context: Context, edges: Any, values: Any, right: bool) -> Any:
    def find(e: Any, v: Any) -> Any:
        return jnp.searchsorted(e, v, side="right" if right else "left").astype(jnp.int64)
    if edges.ndim == 1:
        return find(edges, values)
    rows = jax.vmap(find)(edges.reshape(-1, edges.shape[-1]), values.reshape(-1, values.shape[-1])) if values.size else values
    return rows.reshape(values.shape).astype(jnp.int64)


RULES = {"take": _take, "put": _put, "gather": _gather, "scatter": _scatter, "sort": _sort, "searchsorted": _searchsorted}
