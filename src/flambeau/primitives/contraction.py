"""`dot` (contraction of any two operands) and the three faces of convolution.

Convolution's gradients are convolutions: `conv`, `conv_input_grad` and `conv_weight_grad` are each other's VJPs, so the
set is closed under differentiation. Layouts: input (N, C, *S), weight (O, C/groups, *K), output (N, O, *T).
"""
from __future__ import annotations

import math
from itertools import product
from typing import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive
from .elementwise import conj
from .kernels.blas import threads_for
from .shape import permute, slice_dim

Ints = Sequence[int]
SLAB_BYTES = 8 << 20  # of windows that are copied at a time


def _free(ndim: int, contract: Ints, batch: Ints) -> list[int]:
    return [i for i in range(ndim) if i not in contract and i not in batch]


def _dot_types(a, b, ca, cb, ba, bb):
    assert a.dtype is b.dtype and [a.shape[i] for i in ca] == [b.shape[i] for i in cb], (a, b, ca, cb)
    assert [a.shape[i] for i in ba] == [b.shape[i] for i in bb], (a, b, ba, bb)
    shape = [a.shape[i] for i in ba] + [a.shape[i] for i in _free(len(a.shape), ca, ba)] \
        + [b.shape[i] for i in _free(len(b.shape), cb, bb)]
    return tensor_type(a.dtype, tuple(shape))


def _dot_kernel(a, b, ca, cb, ba, bb):
    fa, fb = _free(a.ndim, ca, ba), _free(b.ndim, cb, bb)
    left = np.transpose(a, (*ba, *fa, *ca))
    right = np.transpose(b, (*bb, *cb, *fb))
    batch = left.shape[:len(ba)]
    rows, columns = left.shape[len(ba):len(ba) + len(fa)], right.shape[len(bb) + len(cb):]
    k = int(np.prod([a.shape[i] for i in ca]))
    left, right = left.reshape(*batch, int(np.prod(rows)), k), right.reshape(*batch, k, int(np.prod(columns)))
    with threads_for(left.size * right.shape[-1]):
        out = np.matmul(left, right)
    return out.reshape((*batch, *rows, *columns))


def _tensordot(a, b, axes):
    shared = math.prod([a.shape[i] for i in axes[0]])
    with threads_for(a.size * b.size // max(shared, 1)):
        return np.tensordot(a, b, axes)


def _dot_vjp(g, y, xs, ca, cb, ba, bb):
    a, b = xs
    fa, fb = _free(a.ndim, ca, ba), _free(b.ndim, cb, bb)
    nb = len(ba)
    batch = tuple(range(nb))
    g_a, g_b = tuple(range(nb, nb + len(fa))), tuple(range(nb + len(fa), nb + len(fa) + len(fb)))

    def back(other, free_other, g_other, contract_other, batch_other, target_batch, target_free, target_contract):
        # dot gives (batch, free of g, contracted dims of the other operand in its order)
        out = dot(g, conj(other), g_other, free_other, batch, batch_other)
        partner = dict(zip(contract_other, target_contract))
        tail = [partner[i] for i in sorted(contract_other)]
        order = list(target_batch) + list(target_free) + tail
        return permute(out, [order.index(i) for i in range(len(order))])
    return (back(b, fb, g_b, cb, bb, ba, fa, ca), back(a, fa, g_a, ca, ba, bb, fb, cb))


dot_p = Primitive("dot", _dot_types, _dot_kernel, _dot_vjp, kind="contraction")


def dot(a: Var, b: Var, contract_a: Ints, contract_b: Ints, batch_a: Ints = (), batch_b: Ints = ()) -> Var:
    """Sums products over paired dimensions. Result: batch dims, then a's free dims, then b's, each in their order."""
    return dot_p((a, b), tuple(contract_a), tuple(contract_b), tuple(batch_a), tuple(batch_b))


def matmul(a: Var, b: Var) -> Var:
    """(…, M, K) @ (…, K, N) with equal leading dimensions."""
    batch = tuple(range(a.ndim - 2))
    return dot(a, b, (a.ndim - 1,), (b.ndim - 2,), batch, batch)


# ------------------------------------------------------------------ convolution

def conv_size(n: int, k: int, stride: int, low: int, high: int, dilation: int) -> int:
    """Output size along one dimension: floor((n + low + high - dilation·(k-1) - 1) / stride) + 1."""
    return (n + low + high - dilation * (k - 1) - 1) // stride + 1


def _windows(x: np.ndarray, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> np.ndarray:
    """View (N, C, *out, *kernel) of a padded input."""
    s = x.strides[2:]
    return as_strided(x, (*x.shape[:2], *out, *kernel),
                      (*x.strides[:2], *[a * b for a, b in zip(s, stride)], *[a * b for a, b in zip(s, dilation)]), writeable=False)


def _slabs(n: int, nbytes: int) -> list[slice]:
    """The examples of a batch, in parts whose windows (of `nbytes` for all) do not fill much memory once they are copied."""
    step = max(1, n * SLAB_BYTES // max(nbytes, 1))
    return [slice(i, i + step) for i in range(0, max(n, 1), step)]


def _padded(x: np.ndarray, low: Ints, high: Ints) -> np.ndarray:
    if not any(low) and not any(high):
        return np.ascontiguousarray(x)
    x = np.pad(x, [(0, 0), (0, 0)] + [(max(a, 0), max(b, 0)) for a, b in zip(low, high)])
    crop = tuple(slice(max(-a, 0), x.shape[i + 2] - max(-b, 0)) for i, (a, b) in enumerate(zip(low, high)))
    return np.ascontiguousarray(x[(slice(None), slice(None), *crop)])


def _conv_types(x, w, stride, low, high, dilation, groups):
    spatial = tuple(conv_size(n, k, s, a, b, d) for n, k, s, a, b, d in zip(x.shape[2:], w.shape[2:], stride, low, high, dilation))
    return tensor_type(x.dtype, (x.shape[0], w.shape[0], *spatial))


def _conv_kernel(x, w, stride, low, high, dilation, groups):
    n, o, kernel = x.shape[0], w.shape[0], w.shape[2:]
    out = tuple(conv_size(a, k, s, lo, hi, d) for a, k, s, lo, hi, d in zip(x.shape[2:], kernel, stride, low, high, dilation))
    nd = len(kernel)
    windows = _windows(_padded(x, low, high), kernel, out, stride, dilation)
    k_axes = tuple(range(2 + nd, 2 + 2 * nd))
    c = x.shape[1] // groups
    results = []
    for g in range(groups):
        part = windows[:, g * c:(g + 1) * c]
        kernel_part = w[g * (o // groups):(g + 1) * (o // groups)]
        results.append(np.concatenate([_tensordot(part[s], kernel_part, ((1, *k_axes), tuple(range(1, 2 + nd))))
                                       for s in _slabs(n, part.nbytes)]))  # (N, *T, O/g)
    y = results[0] if groups == 1 else np.concatenate(results, axis=-1)
    return np.ascontiguousarray(np.moveaxis(y, -1, 1)).astype(x.dtype, copy=False).reshape(n, o, *out)


def _conv_vjp(g, y, xs, *p):
    x, w = xs
    return conv_input_grad(g, conj(w), x.shape[2:], *p), conv_weight_grad(conj(x), g, w.shape[2:], *p)


conv_p = Primitive("conv", _conv_types, _conv_kernel, _conv_vjp, kind="contraction")


def conv(x: Var, w: Var, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Var:
    """Cross-correlation: y[n,o,t] = Σ_{c,k} x[n,c, t·stride + k·dilation - low] · w[o,c,k]."""
    return conv_p((x, w), tuple(stride), tuple(low), tuple(high), tuple(dilation), groups)


def _conv_input_grad_kernel(g, w, size, stride, low, high, dilation, groups):
    n, o = g.shape[:2]
    kernel, out = w.shape[2:], g.shape[2:]
    c = w.shape[1]
    full = tuple(a + lo + hi for a, lo, hi in zip(size, low, high))
    span = tuple(max(f, (t - 1) * s + d * (k - 1) + 1) for f, t, s, d, k in zip(full, out, stride, dilation, kernel))
    x = np.zeros((n, c * groups, *span), g.dtype)
    og = o // groups
    slabs = _slabs(n, n * c * math.prod((*out, *kernel)) * g.itemsize)
    for q, part in product(range(groups), slabs):
        # (N, *T, C, *K): all products at once, then one shifted add per kernel position
        products = _tensordot(g[part, q * og:(q + 1) * og], w[q * og:(q + 1) * og], ((1,), (0,)))
        products = np.moveaxis(products, len(out) + 1, 1)
        for at in np.ndindex(*kernel):
            place = tuple(slice(i * d, i * d + (t - 1) * s + 1, s) for i, d, t, s in zip(at, dilation, out, stride))
            x[(part, slice(q * c, (q + 1) * c), *place)] += products[(Ellipsis, *at)]
    crop = tuple(slice(lo, lo + a) if lo >= 0 else slice(0, a) for lo, a in zip(low, size))
    if any(lo < 0 for lo in low):
        x = np.pad(x, [(0, 0), (0, 0)] + [(max(-lo, 0), 0) for lo in low])
    short = [max(0, s.stop - m) for s, m in zip(crop, x.shape[2:])]
    if any(short):
        x = np.pad(x, [(0, 0), (0, 0)] + [(0, m) for m in short])
    return np.ascontiguousarray(x[(slice(None), slice(None), *crop)])


def _conv_like(x, w, g, p):
    """conv(x, w) in the shape of g: a transposed convolution's output may be padded by more than its stride."""
    y = conv(x, w, *p)
    for dim, n in enumerate(g.shape):
        y = y if y.shape[dim] == n else slice_dim(y, dim, 0, n)
    return y


def _conv_input_grad_vjp(ct, y, xs, size, *p):
    g, w = xs
    return _conv_like(ct, conj(w), g, p), conv_weight_grad(ct, conj(g), w.shape[2:], *p)


conv_input_grad_p = Primitive(
    "conv_input_grad", lambda g, w, size, stride, low, high, dilation, groups:
        tensor_type(g.dtype, (g.shape[0], w.shape[1] * groups, *size)),
    _conv_input_grad_kernel, _conv_input_grad_vjp, kind="contraction")


def conv_input_grad(g: Var, w: Var, size: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Var:
    """The transpose of `conv` in its input (of spatial `size`): also what a transposed convolution computes."""
    return conv_input_grad_p((g, w), tuple(size), tuple(stride), tuple(low), tuple(high), tuple(dilation), groups)


def _conv_weight_grad_kernel(x, g, kernel, stride, low, high, dilation, groups):
    out = g.shape[2:]
    nd = len(kernel)
    x = _padded(x, low, high)
    short = [max(0, (t - 1) * s + d * (k - 1) + 1 - n) for t, s, d, k, n in zip(out, stride, dilation, kernel, x.shape[2:])]
    if any(short):
        x = np.pad(x, [(0, 0), (0, 0)] + [(0, m) for m in short])
    windows = _windows(x, kernel, out, stride, dilation)
    c, o = x.shape[1] // groups, g.shape[1] // groups
    axes = (0, *range(2, 2 + nd))
    slabs = _slabs(x.shape[0], windows[:, :c].nbytes)
    parts = [sum(_tensordot(g[s, q * o:(q + 1) * o], windows[s, q * c:(q + 1) * c], (axes, axes)) for s in slabs)
             for q in range(groups)]  # (O/g, C/g, *K)
    return parts[0] if groups == 1 else np.concatenate(parts)


conv_weight_grad_p = Primitive(
    "conv_weight_grad", lambda x, g, kernel, stride, low, high, dilation, groups:
        tensor_type(x.dtype, (g.shape[1], x.shape[1] // groups, *kernel)),
    _conv_weight_grad_kernel,
    lambda ct, y, xs, kernel, *p: (conv_input_grad(conj(xs[1]), ct, xs[0].shape[2:], *p), _conv_like(conj(xs[0]), ct, xs[1], p)), kind="contraction")


def conv_weight_grad(x: Var, g: Var, kernel: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Var:
    """The transpose of `conv` in its weight (of spatial size `kernel`)."""
    return conv_weight_grad_p((x, g), tuple(kernel), tuple(stride), tuple(low), tuple(high), tuple(dilation), groups)
