"""Dropout and its relatives, with PyTorch's masks."""
# ruff: noqa: F821
from __future__ import annotations

import math

from ... import primitives as p
from ...dtypes import float64
from ...ir.types import contiguous_strides
from ...ops.random import draw
from ...random import generator_on
from ...tensor.device import CPU
from ...tensor.op import op
from ...tensor.placement import device_of
from ...tensor.tensor import make_tensor


def _check(p_drop: float) -> None:
    if not 0.0 <= p_drop <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p_drop}")


def _keep_body(state, keep, shape, dt):
    """Ones with probability `keep`: one float64 draw, two words, for each."""
    from ...ops.random import uniform01
    u, state = uniform01(state, math.prod(shape), float64)
    return p.cast(p.lt(p.reshape(u, shape), p.broadcast_to(keep, shape)), dt), state


def keep_mask(shape, like, p_drop: float):
    """A tensor of ones (kept, probability 1 − p) and zeros, of like's dtype and device."""
    generator = None if device_of(like) is CPU else generator_on(None, device_of(like))
    return make_tensor(draw("bernoulli_", _keep_body, (tuple(shape), like.dtype), (1.0 - p_drop,), generator)[0])


def _keep_mask_like(input, p_drop: float):
    """keep_mask for every element of input, drawn in the order in which PyTorch has them in memory: that of a permuted tensor."""
    shape, strides = tuple(input.shape), input.stride()
    order = sorted(range(len(shape)), key=lambda d: -strides[d])
    permuted = tuple(shape[d] for d in order)
    if order == list(range(len(shape))) or tuple(strides[d] for d in order) != contiguous_strides(permuted):
        return keep_mask(shape, input, p_drop)
    inverse = sorted(range(len(shape)), key=order.__getitem__)
    return keep_mask(permuted, input, p_drop).permute(inverse)


@op("MulBackward0")
def _scaled(input: Tensor, mask: Tensor, scale: Scalar):
    return p.mul(input, p.mul(mask, p.cast(scale, mask.dtype)))


@op("NativeDropoutBackward0")
def _dropped(input: Tensor, mask: Tensor, scale: Scalar):
    return p.mul(p.mul(input, mask), p.cast(scale, input.dtype))


def _apply(input, shape, p_drop, inplace):
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"result type Float can't be cast to the desired output type {input.dtype._legacy}")
    if p_drop == 1.0:
        return input.mul_(0) if inplace else input * 0
    mask = _keep_mask_like(input, p_drop) if shape == input.shape else keep_mask(shape, input, p_drop)
    scale = 1.0 / (1.0 - p_drop)
    if inplace:
        return input.mul_(_scaled_mask(mask, scale))
    return _scaled(input, mask, scale)


@op("DivBackward0")
def _scaled_mask(mask: Tensor, scale: Scalar):
    return p.mul(mask, p.cast(scale, mask.dtype))


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeroes each element with probability p and scales the others by 1/(1 − p), in training only (Hinton et al. 2012)."""
    _check(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    return _apply(input, input.shape, p, inplace)


def _feature_shape(input) -> tuple[int, ...]:
    return (*input.shape[:2], *(1,) * (input.ndim - 2))


def _feature_dropout(name: str, unbatched: int | None):
    def fn(input, p=0.5, training=True, inplace=False):
        _check(p)
        if not training or p == 0 or input.numel() == 0:
            return input
        if unbatched is not None and input.ndim == unbatched:
            out = _apply(input.unsqueeze(0), _feature_shape(input.unsqueeze(0)), p, inplace)
            return out.squeeze(0)
        if input.ndim < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        return _apply(input, _feature_shape(input), p, inplace)
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = "Dropout of whole channels (Tompson et al. 2015)."
    return fn


dropout1d, dropout2d, dropout3d = _feature_dropout("dropout1d", 2), _feature_dropout("dropout2d", None), _feature_dropout("dropout3d", 4)

_SELU_NEGATIVE_LIMIT = -1.7580993408473766  # −λα


@op("AddBackward0")
def _alpha_dropped(input: Tensor, mask: Tensor, a: Scalar, p_drop: Scalar):
    """a·(x·mask + α'·(1 − mask)) + b keeps mean and variance of SELU activations (Klambauer et al. 2017)."""
    a, q = p.cast(a, input.dtype), p.cast(p_drop, input.dtype)
    lost = (1 - mask) * _SELU_NEGATIVE_LIMIT
    shift = p.mul(a, q) * -_SELU_NEGATIVE_LIMIT
    return (input * mask + lost) * a + shift


def _alpha(input, shape, p_drop, inplace):
    from ...tensor.write import assign, check_writable
    if p_drop == 1.0:
        return input.mul_(0) if inplace else input * 0
    a = 1.0 / math.sqrt((_SELU_NEGATIVE_LIMIT ** 2 * p_drop + 1) * (1 - p_drop))
    out = _alpha_dropped(input, keep_mask(shape, input, p_drop), a, p_drop)
    if inplace:
        check_writable(input)
        assign(input, out)
        return input
    return out


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps the mean and variance of SELU activations."""
    _check(p)
    return _alpha(input, input.shape, p, inplace) if training and p > 0 else input


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Alpha dropout of whole channels."""
    _check(p)
    return _alpha(input, _feature_shape(input), p, inplace) if training and p > 0 else input
