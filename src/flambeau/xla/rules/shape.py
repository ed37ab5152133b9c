"""Primitives that move data.

A strided view of flat memory is a chain of steps, each of which cuts the last dimension into equal rows; a view whose rows
reach into each other (sliding windows) is gathered instead.
"""
from __future__ import annotations

from math import prod
from typing import Any, NamedTuple, Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax

from ...dtypes import dtype
from ..backend import array_type
from . import plain

Ints = Sequence[int]


def _slice(x: Any, starts: Ints, stops: Ints, steps: Ints) -> Any:
    return lax.slice(x, starts, [max(a, b) for a, b in zip(starts, stops)], steps)


def _pad(x: Any, low: Ints, high: Ints, inner: Ints, value: Any) -> Any:
    return lax.pad(x, np.zeros((), x.dtype) if not value else np.asarray(value, x.dtype), list(zip(low, high, inner)))


# ------------------------------------------------------------------ memory read as another type

def _bitcast(x: Any, dt: dtype, source: dtype) -> Any:
    if source.kind == "b":
        x = x.astype(jnp.uint8)
    elif x.dtype.kind == "c":
        x = jnp.stack([jnp.real(x), jnp.imag(x)], -1)
    wanted = array_type(dt)
    part = np.dtype(np.uint8) if dt.kind == "b" else np.dtype(f"f{wanted.itemsize // 2}") if wanted.kind == "c" else wanted
    flat = x.reshape(-1)
    if part.itemsize > flat.dtype.itemsize:  # several elements become one
        flat = flat.reshape(-1, part.itemsize // flat.dtype.itemsize)
    numbers = lax.bitcast_convert_type(flat, part).reshape(-1)
    return numbers != 0 if dt.kind == "b" else lax.complex(numbers[0::2], numbers[1::2]) if wanted.kind == "c" else numbers


# ------------------------------------------------------------------ strided views of flat memory

class _Step(NamedTuple):
    """Of the last dimension, `rows` rows of `length` elements from `start` on."""

    start: int
    rows: int
    length: int


class _Chain(NamedTuple):
    """steps, then element `rest` of the last rows; the dimensions of the view in the order of the steps."""

    steps: list[_Step]
    rest: int
    order: list[int]


def _chain(shape: Ints, strides: Ints, offset: int) -> _Chain | None:
    """How a view without repeated elements is cut out of memory; None if its rows reach into each other."""
    order = sorted((i for i, n in enumerate(shape) if n > 1), key=lambda i: -strides[i])
    reach = 1 + sum((shape[i] - 1) * strides[i] for i in order)
    steps = []
    for i in order:
        n, s = shape[i], strides[i]
        reach -= (n - 1) * s
        within = offset % s if s else 0
        if s == 0 or within + reach > s:
            within = 0
        if s == 0 or reach > s:
            return None
        steps.append(_Step(offset - within, n, s))
        offset = within
    return _Chain(steps, offset, order)


def _long_enough(flat: Any, step: _Step) -> Any:
    """flat, whose last dimension is padded where a step's last row ends beyond it."""
    missing = step.start + step.rows * step.length - flat.shape[-1]
    return flat if missing <= 0 else lax.pad(flat, np.zeros((), flat.dtype), [(0, 0, 0)] * (flat.ndim - 1) + [(0, missing, 0)])


def _rows(flat: Any, step: _Step) -> Any:
    flat = lax.slice_in_dim(_long_enough(flat, step), step.start, step.start + step.rows * step.length, axis=flat.ndim - 1)
    return flat.reshape(*flat.shape[:-1], step.rows, step.length)


def _places(shape: Ints, strides: Ints, offset: int) -> Any:
    """The index in flat memory of each element of a view."""
    index = jnp.full(tuple(shape), offset, jnp.int64)
    for axis, s in enumerate(strides):
        index = index + lax.broadcasted_iota(jnp.int64, tuple(shape), axis) * s
    return index


def strided_view(x: Any, shape: Ints, strides: Ints, offset: int) -> Any:
    if 0 in shape:
        return jnp.zeros(shape, x.dtype)
    distinct = [n if s else 1 for n, s in zip(shape, strides)]
    flat, chain = x.reshape(-1), _chain(distinct, strides, offset)
    if chain is None:
        return flat[_places(shape, strides, offset)]
    for step in chain.steps:
        flat = _rows(flat, step)
    flat = lax.index_in_dim(flat, chain.rest, flat.ndim - 1, keepdims=False)
    flat = jnp.transpose(flat, [chain.order.index(i) for i in sorted(chain.order)]).reshape(distinct)
    return jnp.broadcast_to(flat, shape)


def _strided_write(x: Any, new: Any, strides: Ints, offset: int) -> Any:
    if not new.size:
        return x
    flat, chain = x.reshape(-1), _chain(new.shape, strides, offset)
    if chain is None:
        return flat.at[_places(new.shape, strides, offset)].set(new).reshape(x.shape)
    kept = sorted(chain.order)
    new = jnp.transpose(new.reshape([new.shape[i] for i in kept]), [kept.index(i) for i in chain.order])
    return _written(flat, new, chain, 0).reshape(x.shape)


def _written(flat: Any, new: Any, chain: _Chain, level: int) -> Any:
    """flat, whose last dimension is cut by the steps from `level` on, with `new` in its places."""
    last = flat.ndim - 1
    if level == len(chain.steps):
        return lax.dynamic_update_slice_in_dim(flat, new[..., None], chain.rest, last)
    step, size = chain.steps[level], flat.shape[-1]
    rows = _written(_rows(flat, step), new, chain, level + 1)
    rows = rows.reshape(*flat.shape[:-1], step.rows * step.length)
    changed = lax.dynamic_update_slice_in_dim(_long_enough(flat, step), rows, step.start, last)
    return lax.slice_in_dim(changed, 0, size, axis=last)


def _reach(shape: Ints, strides: Ints) -> int:
    """How many elements of memory there are from a view's first to its last."""
    return 1 + sum((n - 1) * s for n, s in zip(shape, strides))


def _strided_view_at(x: Any, at: Any, shape: Ints, strides: Ints) -> Any:
    return strided_view(lax.dynamic_slice(x.reshape(-1), (at,), (_reach(shape, strides),)), shape, strides, 0)


def _strided_write_at(x: Any, new: Any, at: Any, strides: Ints) -> Any:
    flat = x.reshape(-1)
    window = _strided_write(lax.dynamic_slice(flat, (at,), (_reach(new.shape, strides),)), new, strides, 0)
    return lax.dynamic_update_slice(flat, window, (at,)).reshape(x.shape)


def _strided_sum(g: Any, shape: Ints, strides: Ints, offset: int) -> Any:
    repeated = tuple(i for i, s in enumerate(strides) if not s)
    g = jnp.sum(g, repeated, dtype=g.dtype, keepdims=True) if repeated and g.size else g
    zeros = jnp.zeros(prod(shape), g.dtype)
    if not g.size:
        return zeros.reshape(shape)
    if _chain(g.shape, strides, offset) is not None:
        return _strided_write(zeros, g, strides, offset).reshape(shape)
    return zeros.at[_places(g.shape, strides, offset)].add(g).reshape(shape)


RULES = {
    "reshape": plain(jnp.reshape), "permute": plain(jnp.transpose), "slice": plain(_slice), "pad": plain(_pad),
    "flip": plain(jnp.flip), "concat": plain(lambda *args: jnp.concatenate(args[:-1], axis=args[-1])),
    "bitcast": plain(_bitcast), "strided_view": plain(strided_view), "strided_write": plain(_strided_write),
    "strided_view_at": plain(_strided_view_at), "strided_write_at": plain(_strided_write_at),
    "strided_sum": plain(_strided_sum),
}
