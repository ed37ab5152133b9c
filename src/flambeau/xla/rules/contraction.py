"""Contractions: matrix products and the three faces of convolution, in the precision that the switches ask for."""
from __future__ import annotations

from typing import Any, Sequence

import jax.numpy as jnp
from jax import lax

from ..lowering import Context

Ints = Sequence[int]
_PRECISION = {"highest": lax.Precision.HIGHEST, "high": lax.Precision.HIGH, "medium": lax.Precision.DEFAULT}


def _sum_type(x: Any) -> Any:
    """Half precision is added up in float32."""
    return jnp.float32 if x.dtype.itemsize == 2 and jnp.issubdtype(x.dtype, jnp.floating) else x.dtype


def _dot(context: Context, a: Any, b: Any, ca: Ints, cb: Ints, ba: Ints, bb: Ints) -> Any:
    boolean = a.dtype == bool
    if boolean:
        a, b = a.astype(jnp.int32), b.astype(jnp.int32)
    out = lax.dot_general(a, b, ((ca, cb), (ba, bb)), precision=_PRECISION[context.precision.matmul], preferred_element_type=_sum_type(a))
    return out != 0 if boolean else out


def _convolve(context: Context, x: Any, w: Any, stride: Ints, padding: Sequence[tuple[int, int]], spread: Ints, dilation: Ints,
              groups: int) -> Any:
    """Channels-first cross-correlation; `spread` puts zeros between the elements of x."""
    return lax.conv_general_dilated(x, w, stride, padding, lhs_dilation=spread, rhs_dilation=dilation, feature_group_count=groups,
                                    precision=_PRECISION[context.precision.convolution], preferred_element_type=_sum_type(x))


def _conv(context: Context, x: Any, w: Any, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Any:
    return _convolve(context, x, w, stride, list(zip(low, high)), (1,) * len(stride), dilation, groups)


def _conv_input_grad(context: Context, g: Any, w: Any, size: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Any:
    """The convolution of g, with stride - 1 zeros between its elements, and w turned round, from outputs to inputs."""
    kernel, out = w.shape[2:], g.shape[2:]
    padding = []
    for n, t, k, s, lo, d in zip(size, out, kernel, stride, low, dilation):
        reach = (k - 1) * d
        padding.append((reach - lo, n + lo - ((t - 1) * s + 1)))
    if not (g.size and w.size):
        return jnp.zeros((g.shape[0], w.shape[1] * groups, *size), g.dtype)
    turned = jnp.flip(w, tuple(range(2, w.ndim))).reshape(groups, w.shape[0] // groups, *w.shape[1:])
    turned = jnp.swapaxes(turned, 1, 2).reshape(groups * w.shape[1], w.shape[0] // groups, *kernel)
    return _convolve(context, g, turned, (1,) * len(stride), padding, stride, dilation, groups)


def _conv_weight_grad(context: Context, x: Any, g: Any, kernel: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: int) -> Any:
    """The convolution of x with g in the place of the kernel: batch and channels change places."""
    n, c, o = x.shape[0], x.shape[1] // groups, g.shape[1] // groups
    if not (g.size and x.size):
        return jnp.zeros((groups * o, c, *kernel), g.dtype)
    padding = []
    for size, t, k, s, lo, d in zip(x.shape[2:], g.shape[2:], kernel, stride, low, dilation):
        padding.append((lo, (k - 1) * d + (t - 1) * s + 1 - size - lo))
    left = jnp.moveaxis(x.reshape(n, groups, c, *x.shape[2:]), 2, 0)
    left = jnp.swapaxes(left, 1, 2).reshape(c, groups * n, *x.shape[2:])
    right = jnp.swapaxes(g, 0, 1)
    found = _convolve(context, left, right, dilation, padding, (1,) * len(stride), stride, groups)
    return jnp.swapaxes(found, 0, 1)


RULES = {"dot": _dot, "conv": _conv, "conv_input_grad": _conv_input_grad, "conv_weight_grad": _conv_weight_grad}
