"""Normalisations."""
# ruff: noqa: F821
from __future__ import annotations

import math

from ... import primitives as p
from ...dtypes import float32
from ...ir.graph import Var
from ...ops.promotion import not_implemented, to_float
from ...tensor.op import op
from ...tensor.write import assign


def _wide(x: Var) -> Var:
    """x in the precision in which statistics are taken: float32 for half precision."""
    return p.cast(x, float32) if x.dtype.name in ("float16", "bfloat16") else x


def _per_channel(v: Var, ndim: int) -> Var:
    return p.reshape(v, (1, v.shape[0]) + (1,) * (ndim - 2))


def _moments(x: Var, dims: tuple[int, ...]) -> tuple[Var, Var]:
    """Mean and biased variance over dims, which are kept as size 1."""
    n = math.prod(x.shape[d] for d in dims)
    keep = tuple(1 if i in dims else s for i, s in enumerate(x.shape))
    mean = p.reshape(p.reduce_sum(x, dims) / n, keep)
    d = x - mean
    return mean, p.reshape(p.reduce_sum(d * d, dims) / n, keep)


def _affine(y: Var, weight: Var | None, bias: Var | None, shape: tuple[int, ...]) -> Var:
    if weight is not None:
        y = y * p.reshape(p.cast(weight, y.dtype), shape)
    return y if bias is None else y + p.reshape(p.cast(bias, y.dtype), shape)


@op("NativeBatchNormBackward0", name="batch_norm")
def _batch_norm_train(input: Tensor, weight: Tensor | None, bias: Tensor | None, eps):
    """(normalised, batch mean, unbiased batch variance)."""
    x = _wide(input)
    dims = tuple(i for i in range(x.ndim) if i != 1)
    n = math.prod(x.shape[d] for d in dims)
    mean, var = _moments(x, dims)
    y = (x - mean) * p.rsqrt(var + eps)
    shape = (1, x.shape[1]) + (1,) * (x.ndim - 2)
    y = p.cast(_affine(y, weight, bias, shape), input.dtype)
    channels = (x.shape[1],)
    return y, p.stop_gradient(p.reshape(mean, channels)), p.stop_gradient(p.reshape(var, channels) * (n / max(n - 1, 1)))


@op("NativeBatchNormBackward0", name="batch_norm")
def _batch_norm_eval(input: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps):
    x = _wide(input)
    y = (x - _per_channel(p.cast(mean, x.dtype), x.ndim)) * p.rsqrt(_per_channel(p.cast(var, x.dtype), x.ndim) + eps)
    return p.cast(_affine(y, weight, bias, (1, x.shape[1]) + (1,) * (x.ndim - 2)), input.dtype)


@op("LerpBackward0", name="running_statistics")
def _running(mean: Tensor, var: Tensor, batch_mean: Tensor, batch_var: Tensor, momentum: Scalar):
    m = p.cast(momentum, mean.dtype)
    new = [old * (1 - m) + p.cast(now, old.dtype) * m for old, now in ((mean, batch_mean), (var, batch_var))]
    return new[0], new[1]


def _check_dtypes(input, *parameters) -> None:
    """Parameters have the input's dtype; those of half-precision inputs may be float32."""
    for t in parameters:
        if t is None or t.dtype is input.dtype:
            continue
        if input.dtype.name not in ("float16", "bfloat16"):
            raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype, but got "
                               f"{input.dtype._legacy} input and {t.dtype._legacy} parameters or statistics")
        if t.dtype is not float32:
            raise RuntimeError(f"mixed dtype (CPU): expect parameter to have scalar type of Float, but got {t.dtype._legacy}")


def _verify_batch_size(size) -> None:
    n = size[0] * math.prod(size[2:])
    if n == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


def _check_channels(input, **given) -> None:
    for name, t in given.items():
        if t is not None and t.numel() != input.shape[1]:
            raise RuntimeError(f"{name} should contain {input.shape[1]} elements not {t.numel()}")


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """(x − mean)/√(var + eps)·weight + bias for each channel (dimension 1) (Ioffe & Szegedy 2015).

    In training, mean and biased variance are the batch's, and the running ones move by `momentum` toward them (the
    variance unbiased); otherwise the running ones are used.
    """
    if training:
        _verify_batch_size(input.size())
        if eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    return batch_norm_unchecked(input, running_mean, running_var, weight, bias, training, momentum, eps)


def batch_norm_unchecked(input, running_mean, running_var, weight, bias, training, momentum, eps):
    """`batch_norm`, which also takes one value per channel in training."""
    if not input.numel():
        return input.clone()
    if input.ndim < 2:
        raise RuntimeError(f"batch_norm: expected input with at least 2 dimensions, got {input.ndim}D input of size {list(input.shape)}")
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("running_mean must be defined in evaluation mode")
    if input.dtype.kind not in "fc":
        raise not_implemented("batch_norm", input.dtype)
    _check_dtypes(input, weight, bias, running_mean, running_var)
    if not training:
        return _batch_norm_eval(input, running_mean, running_var, weight, bias, eps)
    out, mean, var = _batch_norm_train(input, weight, bias, eps)
    if running_mean is not None:
        new_mean, new_var = _running(running_mean.detach(), running_var.detach(), mean.detach(), var.detach(), float(momentum))
        assign(running_mean, new_mean)
        assign(running_var, new_var)
    return out


@op("MulBackward0", name="instance_norm")
def _instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, eps):
    x = _wide(input)
    dims = tuple(range(2, x.ndim))
    mean, var = _moments(x, dims)
    n = math.prod(x.shape[2:])
    y = _affine((x - mean) * p.rsqrt(var + eps), weight, bias, (1, x.shape[1]) + (1,) * (x.ndim - 2))
    each = (x.shape[0], x.shape[1])
    batch_mean = p.reduce_sum(p.reshape(mean, each), (0,)) / each[0]
    batch_var = p.reduce_sum(p.reshape(var, each), (0,)) * (n / max(n - 1, 1) / each[0])
    return p.cast(y, input.dtype), p.stop_gradient(batch_mean), p.stop_gradient(batch_var)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5):
    """Batch normalisation of each sample on its own (Ulyanov et al. 2016)."""
    if use_input_stats:
        if math.prod(input.shape[2:]) == 1:
            raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.size()}")
    elif running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    _check_dtypes(input, weight, bias, running_mean, running_var)
    if not use_input_stats:
        return _batch_norm_eval(input, running_mean, running_var, weight, bias, eps)
    out, mean, var = _instance_norm(input, weight, bias, eps)
    if running_mean is not None:
        new_mean, new_var = _running(running_mean.detach(), running_var.detach(), mean.detach(), var.detach(), float(momentum))
        assign(running_mean, new_mean)
        assign(running_var, new_var)
    return out


def _normalized_dims(name: str, input: Var, normalized_shape, weight, bias) -> tuple[int, ...]:
    shape = tuple(normalized_shape)
    if name == "layer_norm":
        _check_dtypes(input, weight, bias)
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
                           "normalized_shape = []")
    for what, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.shape != shape:
            raise RuntimeError(f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape {list(v.shape)} and "
                               f"normalized_shape = {list(shape)}")
    if input.shape[input.ndim - len(shape):] != shape or input.ndim < len(shape):
        raise RuntimeError(f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got input "
                           f"of size{list(input.shape)}")
    return tuple(range(input.ndim - len(shape), input.ndim))


@op("NativeLayerNormBackward0")
def layer_norm(input: Tensor, normalized_shape, weight: Tensor | None = None, bias: Tensor | None = None, eps=1e-5):
    """(x − mean)/√(var + eps)·weight + bias over the last dimensions, which have the shape normalized_shape (Ba et al. 2016)."""
    dims = _normalized_dims("layer_norm", input, normalized_shape, weight, bias)
    x = _wide(input)
    mean, var = _moments(x, dims)
    y = (x - mean) * p.rsqrt(var + eps)
    return p.cast(_affine(y, weight, bias, tuple(normalized_shape)), input.dtype)


@op("MulBackward0")
def rms_norm(input: Tensor, normalized_shape, weight: Tensor | None = None, eps=None):
    """x/√(mean(x²) + eps)·weight over the last dimensions; eps defaults to the dtype's machine epsilon (Zhang & Sennrich 2019)."""
    from ...dtypes import finfo
    dims = _normalized_dims("rms_norm", input, normalized_shape, weight, None)
    x = _wide(input)
    n = math.prod(x.shape[d] for d in dims)
    keep = tuple(1 if i in dims else s for i, s in enumerate(x.shape))
    square = p.reshape(p.reduce_sum(x * x, dims) / n, keep)
    y = x * p.rsqrt(square + (finfo(x.dtype).eps if eps is None else eps))
    return p.cast(_affine(y, weight, None, tuple(normalized_shape)), input.dtype)


@op("NativeGroupNormBackward0")
def group_norm(input: Tensor, num_groups, weight: Tensor | None = None, bias: Tensor | None = None, eps=1e-5):
    """Normalises groups of channels of each sample, then scales and shifts each channel (Wu & He 2018)."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    _check_dtypes(input, weight, bias)
    n, c = input.shape[:2]
    if num_groups <= 0 or c % num_groups:
        raise RuntimeError(f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(input.shape)} "
                           f"and num_groups={num_groups}")
    for what, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.shape != (c,):
            raise RuntimeError(f"Expected {what} to be a vector of size equal to the number of channels in input, but got {what} of shape "
                               f"{list(v.shape)} and input of shape {list(input.shape)}")
    x = _wide(input)
    grouped = p.reshape(x, (n, num_groups, math.prod(x.shape[1:]) // num_groups))
    mean, var = _moments(grouped, (2,))
    y = p.reshape((grouped - mean) * p.rsqrt(var + eps), x.shape)
    return p.cast(_affine(y, weight, bias, (1, c) + (1,) * (x.ndim - 2)), input.dtype)


@op("DivBackward0")
def local_response_norm(input: Tensor, size, alpha=1e-4, beta=0.75, k=1.0):
    """x/(k + alpha·mean of x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012)."""
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality                          input (got {input.ndim} dimensions)")
    if not input.size:
        return input  # of any dtype
    x = to_float(input)
    n, c = x.shape[:2]
    squares = p.reshape(x * x, (n, 1, c, math.prod(x.shape[2:])))
    low = size // 2
    total = p.window_sum(squares, (size, 1), (1, 1), (low, 0), (size - 1 - low, 0))
    mean = p.reshape(total, x.shape) / size
    return p.div(x, p.power(mean * alpha + k, beta))


@op("DivBackward0")
def normalize(input: Tensor, p=2.0, dim=1, eps=1e-12):
    """x/max(‖x‖_p, eps) along dim."""
    from ... import primitives as prim
    from ...ops.norms import require_float, vector_norm
    require_float(input)
    norm = vector_norm(input, p, dim, True)
    limited = prim.cast(prim.select(prim.lt(norm, eps), eps, norm), input.dtype)
    return prim.div(input, prim.broadcast_to(limited, input.shape))
