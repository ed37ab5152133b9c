"""Primitives that move data: reshape, permute, slice, pad, flip, concat, strided views and writes. None of them computes."""
from __future__ import annotations

from typing import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..dtypes import dtype
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive, broadcast_to, constant

reshape_p = Primitive("reshape", lambda x, shape: tensor_type(x.dtype, shape), lambda x, shape: x.reshape(shape),
                      lambda g, y, xs, shape: (reshape(g, xs[0].shape),), moves_data=True, cheap=True, kind="view")


def reshape(x: Var, shape: tuple[int, ...]) -> Var:
    """The elements of x, row by row, in another shape of the same size."""
    return x if x.shape == tuple(shape) else reshape_p((x,), tuple(shape))


def _inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(perm))


permute_p = Primitive("permute", lambda x, perm: tensor_type(x.dtype, tuple(x.shape[p] for p in perm)),
                      np.transpose, lambda g, y, xs, perm: (permute(g, _inverse(perm)),), moves_data=True, cheap=True, kind="view")


def permute(x: Var, perm: Sequence[int]) -> Var:
    """Dimension i of the result is dimension perm[i] of x."""
    perm = tuple(perm)
    return x if perm == tuple(range(len(perm))) else permute_p((x,), perm)


def _slice_types(x, starts, stops, steps):
    return tensor_type(x.dtype, tuple(max(0, -(-(b - a) // s)) for a, b, s in zip(starts, stops, steps)))


def _slice_vjp(g, y, xs, starts, stops, steps):
    low = starts
    inner = tuple(s - 1 for s in steps)
    size = tuple((n - 1) * s + 1 if n else 0 for n, s in zip(g.shape, steps))
    high = tuple(full - a - n for full, a, n in zip(xs[0].shape, starts, size))
    return (pad(g, low, high, inner),)


slice_p = Primitive("slice", _slice_types,
                    lambda x, starts, stops, steps: x[tuple(slice(a, b, s) for a, b, s in zip(starts, stops, steps))],
                    _slice_vjp, moves_data=True, cheap=True, kind="view")


def slice_(x: Var, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int] | None = None) -> Var:
    """x[start:stop:step] in each dimension; 0 <= start <= stop <= size, step >= 1."""
    steps = tuple(steps) if steps is not None else (1,) * x.ndim
    if all(a == 0 and b == n and s == 1 for a, b, s, n in zip(starts, stops, steps, x.shape)):
        return x
    return slice_p((x,), tuple(starts), tuple(stops), steps)


def slice_dim(x: Var, dim: int, start: int, stop: int, step: int = 1) -> Var:
    """x[start:stop:step] along one dimension."""
    starts, stops, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[dim], stops[dim], steps[dim] = start, stop, step
    return slice_(x, starts, stops, steps)


def _pad_types(x, low, high, inner, value):
    return tensor_type(x.dtype, tuple(a + b + (n + (n - 1) * i if n else 0) for n, a, b, i in zip(x.shape, low, high, inner)))


def _pad_kernel(x, low, high, inner, value):
    out = np.full(_pad_types(_Shape(x), low, high, inner, value).shape, value, x.dtype)
    # negative padding crops
    to, source = [], []
    for n, full, a, i in zip(x.shape, out.shape, low, inner):
        step = i + 1
        first = max(0, -(a // step)) if a < 0 else 0
        last = max(first, min(n, -(-(full - a) // step)))
        to.append(slice(a + first * step, max(a + (last - 1) * step + 1, 0) if last > first else a + first * step, step))
        source.append(slice(first, last))
    if all(s.stop > s.start for s in source):
        out[tuple(to)] = x[tuple(source)]
    return out


class _Shape:
    def __init__(self, x):
        from ..dtypes import float32
        self.shape, self.dtype = x.shape, float32


def _pad_vjp(g, y, xs, low, high, inner, value):
    """Undo the padding: pad the cotangent where the padding cropped, then slice."""
    widen_low = tuple(max(0, -a) for a in low)
    widen_high = tuple(max(0, -b) for b in high)
    g = pad(g, widen_low, widen_high)
    starts = tuple(max(0, a) for a in low)
    steps = tuple(i + 1 for i in inner)
    stops = tuple(a + (n - 1) * s + 1 if n else a for a, n, s in zip(starts, xs[0].shape, steps))
    return (slice_(g, starts, stops, steps),)


pad_p = Primitive("pad", _pad_types, _pad_kernel, _pad_vjp, moves_data=True, cheap=True, kind="view")


def pad(x: Var, low: Sequence[int], high: Sequence[int], inner: Sequence[int] | None = None, value=0) -> Var:
    """x with `value` before, after and between its elements; negative low/high crop."""
    low, high = tuple(low), tuple(high)
    inner = tuple(inner) if inner is not None else (0,) * x.ndim
    if not any(low) and not any(high) and not any(inner):
        return x
    if x.dtype.kind in "iu":
        value = int(value)
    elif x.dtype.encoded and value != 0:
        raise AssertionError(f"pad of {x.dtype.name} takes zeros; use select for other values")
    return pad_p((x,), low, high, inner, value)


flip_p = Primitive("flip", lambda x, dims: tensor_type(x.dtype, x.shape), np.flip,
                   lambda g, y, xs, dims: (flip(g, dims),), moves_data=True, cheap=True, kind="view")


def flip(x: Var, dims: Sequence[int]) -> Var:
    """x with the order along `dims` reversed."""
    return flip_p((x,), tuple(dims)) if dims else x


def _concat_types(*args):
    *xs, dim = args
    shape = list(xs[0].shape)
    shape[dim] = sum(x.shape[dim] for x in xs)
    return tensor_type(xs[0].dtype, tuple(shape))


def _concat_vjp(g, y, xs, dim):
    cotangents, at = [], 0
    for x in xs:
        cotangents.append(slice_dim(g, dim, at, at + x.shape[dim]))
        at += x.shape[dim]
    return tuple(cotangents)


concat_p = Primitive("concat", _concat_types, lambda *args: np.concatenate(args[:-1], axis=args[-1]), _concat_vjp,
                     moves_data=True, kind="concat")


def concat(xs: Sequence[Var], dim: int) -> Var:
    """The operands one after the other along `dim`."""
    return xs[0] if len(xs) == 1 else concat_p(tuple(xs), dim)


def copied(x: Var) -> Var:
    """x, which has a dimension, in row-major memory of its own, whatever it is a view of."""
    return concat_p((x,), 0)


# ------------------------------------------------------------------ memory read as another type

def _bitcast_types(x, dt, source):
    return tensor_type(dt, (x.size * source.itemsize // dt.itemsize,))


def _bitcast_vjp(g, y, xs, dt, source):
    """Complex numbers are pairs of reals, and so are their gradients; between other types nothing flows."""
    pairs = {dt.kind, source.kind} == {"f", "c"} and dt.to_real() is source.to_real()
    return (reshape(bitcast(g, source), xs[0].shape) if pairs else None,)


bitcast_p = Primitive("bitcast", _bitcast_types, lambda x, dt, source: np.ascontiguousarray(x).reshape(-1).view(dt.np),
                      _bitcast_vjp, moves_data=True, cheap=True, kind="bits")


def bitcast(x: Var, dt: dtype) -> Var:
    """The bytes of x, row by row, read as a flat array of `dt`; x itself if that is its dtype."""
    return x if x.dtype is dt else bitcast_p((x,), dt, x.dtype)


# ------------------------------------------------------------------ strided views of flat memory

def _window(flat: np.ndarray, shape, strides, offset, writeable=False):
    return as_strided(flat[offset:], shape, tuple(s * flat.itemsize for s in strides), writeable=writeable)


def _strided_view_kernel(x, shape, strides, offset):
    if 0 in shape:
        return np.empty(shape, x.dtype)
    return _window(np.ascontiguousarray(x).reshape(-1), shape, strides, offset)


strided_view_p = Primitive("strided_view", lambda x, shape, strides, offset: tensor_type(x.dtype, shape), _strided_view_kernel,
                           lambda g, y, xs, shape, strides, offset: (strided_sum(g, xs[0].shape, strides, offset),),
                           moves_data=True, cheap=True, kind="view")


def strided_view(x: Var, shape: Sequence[int], strides: Sequence[int], offset: int) -> Var:
    """The view (shape, strides, offset), in elements, of x's flat row-major memory."""
    return strided_view_p((x,), tuple(shape), tuple(strides), offset)


def _strided_write_kernel(x, new, strides, offset):
    out = np.array(x, copy=True, order="C")
    if new.size:
        _window(out.reshape(-1), new.shape, strides, offset, True)[...] = new
    return out


def _strided_write_vjp(g, y, xs, strides, offset):
    zero = broadcast_to(constant(0, g.dtype, g.builder), xs[1].shape)
    return strided_write(g, zero, strides, offset), strided_view(g, xs[1].shape, strides, offset)


strided_write_p = Primitive("strided_write", lambda x, new, strides, offset: x, _strided_write_kernel, _strided_write_vjp,
                            moves_data=True, kind="write")


def strided_write(x: Var, new: Var, strides: Sequence[int], offset: int) -> Var:
    """x with the view (new.shape, strides, offset) of its flat memory replaced by `new`; the view must not overlap itself."""
    return strided_write_p((x, new), tuple(strides), offset)


# What devices record for views at many offsets of a memory: one program is told the offset. Views' gradients do not come from how their
# values are read, so what is differentiated are writes, and gradients of writes: views that do not overlap themselves.

def _strided_write_at_kernel(x, new, at, strides):
    return _strided_write_kernel(x, new, strides, int(at))


def _strided_view_at_vjp(g, y, xs, shape, strides):
    x, at = xs
    zeros = broadcast_to(constant(0, g.dtype, g.builder), x.shape)
    return strided_write_at(zeros, g, at, strides), None


def _strided_write_at_vjp(g, y, xs, strides):
    _, new, at = xs
    zeros = broadcast_to(constant(0, g.dtype, g.builder), new.shape)
    return strided_write_at(g, zeros, at, strides), strided_view_at(g, at, new.shape, strides), None


strided_view_at_p = Primitive("strided_view_at", lambda x, at, shape, strides: tensor_type(x.dtype, shape),
                              lambda x, at, shape, strides: _strided_view_kernel(x, shape, strides, int(at)), _strided_view_at_vjp,
                              moves_data=True)
strided_write_at_p = Primitive("strided_write_at", lambda x, new, at, strides: x, _strided_write_at_kernel, _strided_write_at_vjp,
                               moves_data=True)


def strided_view_at(x: Var, at: Var, shape: Sequence[int], strides: Sequence[int]) -> Var:
    """strided_view(x, shape, strides, at), for an offset that the graph does not know."""
    return strided_view_at_p((x, at), tuple(shape), tuple(strides))


def strided_write_at(x: Var, new: Var, at: Var, strides: Sequence[int]) -> Var:
    """strided_write(x, new, strides, at), for an offset that the graph does not know."""
    return strided_write_at_p((x, new, at), tuple(strides))


def _strided_sum_kernel(g, shape, strides, offset):
    out = np.zeros(int(np.prod(shape)), g.dtype)
    if g.size:
        index = offset + sum(np.arange(n).reshape((-1,) + (1,) * (g.ndim - 1 - i)) * s
                             for i, (n, s) in enumerate(zip(g.shape, strides))) if g.ndim else np.asarray(offset)
        np.add.at(out, np.broadcast_to(index, g.shape), g)
    return out.reshape(shape)


strided_sum_p = Primitive("strided_sum", lambda g, shape, strides, offset: tensor_type(g.dtype, shape), _strided_sum_kernel,
                          lambda ct, y, xs, shape, strides, offset: (strided_view(ct, xs[0].shape, strides, offset),), kind="write")


def strided_sum(g: Var, shape: Sequence[int], strides: Sequence[int], offset: int) -> Var:
    """The transpose of `strided_view`: zeros of `shape` with each element of g added at its place."""
    return strided_sum_p((g,), tuple(shape), tuple(strides), offset)
