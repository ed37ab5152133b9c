"""Losses."""
# ruff: noqa: F821
from __future__ import annotations

import math
import warnings
from typing import Any

from ... import primitives as p
from ...dtypes import int64
from ...ir.graph import Var
from ...ops.promotion import not_implemented, promoted, promoted_float, to_float
from ...tensor.attributes import host_array
from ...tensor.autocast import in_float32
from ...tensor.indexing import first_outside, known_array
from ...tensor.op import op
from ...tensor.tensor import Tensor as TensorClass
from .activation import log1pexp, log_softmax_of


def legacy_reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    """The `reduction` that the deprecated arguments size_average and reduce mean."""
    if size_average is None and reduce is None:
        return reduction
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    meant = "none" if not reduce else "mean" if size_average else "sum"
    warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{meant}' instead.", UserWarning, stacklevel=4)
    return meant


def check_reduction(reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(loss: Var, reduction: str) -> Var:
    """The loss itself, its sum, or its mean."""
    check_reduction(reduction)
    if reduction == "none":
        return loss
    total = p.reduce_sum(loss, tuple(range(loss.ndim)))
    return total if reduction == "sum" else total / loss.size if loss.size else total * math.nan


def _warn_size(name: str, input, target) -> None:
    if input.shape != target.shape:
        warnings.warn(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to "
                      "incorrect results due to broadcasting. Please ensure they have the same size.", UserWarning, stacklevel=4)


# ------------------------------------------------------------------ regression

def _need_float(kernel: str, *xs: Var) -> tuple[Var, ...]:
    """xs, or PyTorch's error where they are neither floating nor complex."""
    if xs[0].dtype.kind not in "fc":
        raise not_implemented(kernel, xs[0].dtype)
    return xs


@op("MseLossBackward0", name="mse_loss")
def _mse(input: Tensor, target: Tensor, weight: Tensor | None, reduction):
    x, y = _need_float("mse_cpu", *promoted(input, target))
    d = p.sub(x, y)
    loss = d * d
    return _weighted(loss, weight, reduction)


def _weighted(loss: Var, weight: Var | None, reduction: str) -> Var:
    if weight is None:
        return reduced(loss, reduction)
    loss = loss * p.cast(weight, loss.dtype)
    if reduction != "mean":
        return reduced(loss, reduction)
    total = p.reduce_sum(p.broadcast_to(p.cast(weight, loss.dtype), loss.shape), tuple(range(loss.ndim)))
    return p.div(reduced(loss, "sum"), total)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input − target)²."""
    _warn_size("mse_loss", input, target)
    return _mse(input, target, weight, legacy_reduction(size_average, reduce, reduction))


@op("L1LossBackward0", name="l1_loss")
def _l1(input: Tensor, target: Tensor, weight: Tensor | None, reduction):
    x, y = promoted(input, target)
    return _weighted(p.absolute(p.sub(x, y)), weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input − target|."""
    _warn_size("l1_loss", input, target)
    return _l1(input, target, weight, legacy_reduction(size_average, reduce, reduction))


@op("SmoothL1LossBackward0", name="smooth_l1_loss")
def _smooth_l1(input: Tensor, target: Tensor, reduction, beta):
    x, y = _need_float("smooth_l1_cpu", *promoted(input, target))
    d = p.absolute(p.sub(x, y))
    return reduced(p.select(p.lt(d, beta), d * d * 0.5 / beta, d - 0.5 * beta), reduction)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """½d²/beta where d = |input − target| is below beta, else d − beta/2."""
    _warn_size("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _l1(input, target, None, reduction) if beta == 0 else _smooth_l1(input, target, reduction, beta)


@op("HuberLossBackward0", name="huber_loss")
def _huber(input: Tensor, target: Tensor, weight: Tensor | None, reduction, delta):
    x, y = _need_float("huber_cpu", *promoted(input, target))
    d = p.absolute(p.sub(x, y))
    return _weighted(p.select(p.le(d, delta), d * d * 0.5, (d - 0.5 * delta) * delta), weight, reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """½d² where d = |input − target| is at most delta, else delta·(d − delta/2) (Huber 1964)."""
    _warn_size("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    return _huber(input, target, weight, reduction, delta)


# ------------------------------------------------------------------ classification

def _check_class_shapes(input, target, weight) -> None:
    if input.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    size, given = list(input.shape), list(target.shape)
    if len(size) > 1 and size[0] != (given or [0])[0]:
        raise ValueError(f"Expected input batch_size ({size[0]}) to match target batch_size ({(given or [0])[0]}).")
    if len(size) == len(given) == 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {given[0]}")
    if len(size) < 3 and len(given) > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported\n"
                           f"  nll_loss: target is {given} for input {size}")
    if len(size) == 4 and len(given) != 3:
        raise RuntimeError(f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(given)}")
    if size[2:] != given[1:]:
        raise RuntimeError(f"size mismatch (got input: {size} , target: {given}" if len(size) == 4 else
                           f"Expected target size {[size[0], *size[2:]]}, got {given}")
    if target.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype._legacy}")
    classes = input.shape[1] if input.ndim > 1 else input.shape[0]
    if weight is not None and weight.dtype is not input.dtype and input.dtype.itemsize >= 4:
        raise RuntimeError(f"expected scalar type {input.dtype._legacy} but found {weight.dtype._legacy} in the class weights")
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: "
                           f"{list(weight.shape)}")


def _label(input, target):
    """The labels; that of an input without a batch, which may be a vector of one, without dimensions."""
    return target.reshape(()) if input.ndim == 1 and target.shape == (1,) else target


def _bad_label(target, classes: int, ignored: int) -> int | None:
    """A label outside 0 … classes−1 that is not `ignored`, where the labels are already known and there is one."""
    if first_outside(target, 0, classes) is None:
        return None
    labels = host_array(target)
    bad = labels[((labels < 0) | (labels >= classes)) & (labels != ignored)]
    return int(bad.flat[0]) if bad.size else None


def _check_labels(input, target, weight, ignore_index, *rest) -> None:
    shape = input._geometry()[0]
    classes = shape[1] if len(shape) > 1 else shape[0]
    bad = _bad_label(target, classes, ignore_index)
    if bad is not None:
        raise IndexError(f"Target {bad} is out of bounds. (labels are 0 to {classes - 1} for input of shape {list(input.shape)})")


def _picked(logp: Var, target: Var, weight: Var | None, ignore_index: int) -> tuple[Var, Var]:
    """(−weight·log-probability of each target, each target's weight); ignored targets have 0 of both. Class dimension 1 (or 0)."""
    dim = 1 if logp.ndim > 1 else 0
    target = p.cast(target, int64)
    ignored = p.eq(target, ignore_index)
    at = p.select(ignored, 0, target)
    index = p.reshape(at, (*target.shape[:dim], 1, *target.shape[dim:]))
    chosen = p.reshape(p.gather(logp, index, dim), target.shape)
    if weight is None:
        w = p.select(ignored, 0.0, p.ones_like(chosen))
    else:
        w = p.select(ignored, 0.0, p.take(p.cast(weight, logp.dtype), at, 0))
    return p.select(ignored, 0.0, p.neg(chosen) * w), w


def _nll_of(logp: Var, target: Var, weight: Var | None, ignore_index: int, reduction: str) -> Var:
    check_reduction(reduction)
    loss, w = _picked(logp, target, weight, ignore_index)
    if reduction == "none":
        return loss
    every = tuple(range(loss.ndim))
    total = p.reduce_sum(loss, every)
    return total if reduction == "sum" else p.div(total, p.reduce_sum(w, every))


@op("NllLossBackward0", name="nll_loss", check=_check_labels)
def _nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index, reduction):
    _check_class_shapes(input, target, weight)
    return _nll_of(input, target, weight, ignore_index, reduction)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """−input[n, target[n]]·weight[target[n]]: the negative log likelihood, from log-probabilities (N, C, …) and labels (N, …).

    "mean" divides by the sum of the weights of the targets; targets equal to ignore_index do not count.
    """
    return _nll(input, _label(input, target), weight, ignore_index, legacy_reduction(size_average, reduce, reduction))


@op("NllLossBackward0", name="cross_entropy", check=_check_labels)
def _cross_entropy_labels(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index, reduction, label_smoothing):
    _check_class_shapes(input, target, weight)
    dim = 1 if input.ndim > 1 else 0
    logp = log_softmax_of(*_need_float("log_softmax_lastdim_kernel_impl", input), dim)
    nll = _nll_of(logp, target, weight, ignore_index, reduction)
    if label_smoothing == 0.0:
        return nll
    w = None if weight is None else p.reshape(p.cast(weight, logp.dtype), (logp.shape[dim],) + (1,) * (logp.ndim - dim - 1))
    smooth = p.neg(p.reduce_sum(logp if w is None else logp * w, (dim,)))
    ignored = p.eq(p.cast(target, int64), ignore_index)
    smooth = p.select(ignored, 0.0, smooth)
    if reduction == "none":
        total = smooth
    else:
        total = p.reduce_sum(smooth, tuple(range(smooth.ndim)))
        if reduction == "mean":
            _, counted = _picked(logp, target, weight, ignore_index)
            total = p.div(total, p.reduce_sum(counted, tuple(range(counted.ndim))))
    return nll * (1 - label_smoothing) + total * (label_smoothing / input.shape[dim])


@op("DivBackward1", name="cross_entropy")
def _cross_entropy_probabilities(input: Tensor, target: Tensor, weight: Tensor | None, reduction, label_smoothing):
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    target = p.cast(target, input.dtype)
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    logp = log_softmax_of(input, dim)
    loss = logp * target
    if weight is not None:
        loss = loss * p.reshape(p.cast(weight, logp.dtype), (classes,) + (1,) * (logp.ndim - dim - 1))
    loss = p.neg(p.reduce_sum(loss, (dim,)))
    if reduction == "mean":
        return reduced(loss, "sum") / (input.size // classes)
    return reduced(loss, reduction)


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
    """The cross entropy of softmax(input) over dimension 1 with labels (class indices (N, …)) or with probabilities (N, C, …)."""
    if not isinstance(input, TensorClass) or not isinstance(target, TensorClass):
        bad = ("input", 1, input) if not isinstance(input, TensorClass) else ("target", 2, target)
        raise TypeError(f"cross_entropy_loss(): argument '{bad[0]}' (position {bad[1]}) must be Tensor, not {type(bad[2]).__name__}")
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input.ndim == target.ndim and input.shape == target.shape:
        if target.dtype.kind != "f":
            raise RuntimeError(f"Expected floating point type for target with class probabilities, got {target.dtype._legacy}")
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _cross_entropy_probabilities(input, target, weight, reduction, label_smoothing)
    return _cross_entropy_labels(input, _label(input, target), weight, ignore_index, reduction, label_smoothing)


def _check_linear_cross_entropy(input, weight, target, bias, ignore_index) -> None:
    """PyTorch's errors for shapes that do not belong together."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if weight.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.ndim}")
    if weight.shape[-1] != input.shape[-1]:
        raise RuntimeError("expected equal input and linear_weight last dimensions (in_features), got "
                           f"{input.shape[-1]} and {weight.shape[-1]}, respectively")
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}")
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if weight.ndim > 2 and input.ndim == 1:
        raise RuntimeError(f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, "
                           f"(N, {input.shape[0]}), got unbatched input with shape {tuple(input.shape)}")


def linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None,
                         label_smoothing=0.0, options=None):
    """cross_entropy of the logits input·linear_weightᵀ + linear_bias.

    input (*, D); linear_weight (C, D), or (C, d_1, …, d_K, D) for logits (*, C, d_1, …, d_K); linear_bias as linear_weight
    without D. ignore_index is −100 by default, and only for targets of class numbers. options, which elsewhere say how to
    save memory, change nothing.
    """
    import flambeau as torch
    _check_linear_cross_entropy(input, linear_weight, target, linear_bias, ignore_index)
    logits = torch.tensordot(input, linear_weight, dims=([-1], [-1]))
    if linear_bias is not None:
        logits = logits + linear_bias
    return cross_entropy(logits, target, weight, ignore_index=-100 if ignore_index is None else ignore_index, reduction=reduction,
                         label_smoothing=label_smoothing)


def _check_same(name: str, input, target) -> None:
    if input.shape != target.shape:
        raise ValueError(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. Please "
                         "ensure they have the same size.")


def _check_probabilities(input, *rest) -> None:
    x = known_array(input)
    if x is not None and not ((x >= 0) & (x <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")


@op("BinaryCrossEntropyBackward0", name="binary_cross_entropy", check=_check_probabilities)
def _bce(input: Tensor, target: Tensor, weight: Tensor | None, reduction):
    target = p.cast(target, input.dtype)
    x = p.require(input, p.bitwise_and(p.ge(input, 0), p.le(input, 1)))
    loss = p.bce(x, target)
    if weight is not None:
        loss = loss * p.cast(weight, loss.dtype)
    return reduced(loss, reduction)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """−(t·log x + (1 − t)·log(1 − x)) for probabilities x; logarithms are limited to −100."""
    _check_same("binary_cross_entropy", input, target)
    if input.dtype is not target.dtype and target.dtype.kind != "b":
        raise RuntimeError(f"Found dtype {target.dtype._legacy} but expected {input.dtype._legacy}")
    return _bce(input, target, weight, legacy_reduction(size_average, reduce, reduction))


@op("BinaryCrossEntropyWithLogitsBackward0", name="binary_cross_entropy_with_logits")
def _bce_logits(input: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None, reduction):
    """(1 − t)·x + (1 + (pos_weight − 1)·t)·log(1 + exp(−x)), the logarithm computed without overflow."""
    if target.dtype.kind not in "fc":
        raise RuntimeError(f"result type {input.dtype._legacy} can't be cast to the desired output type {target.dtype._legacy}: "
                           "binary_cross_entropy_with_logits needs a floating-point target")
    x, t = input, p.cast(target, input.dtype)
    negative = log1pexp(p.neg(x))
    if pos_weight is not None:
        negative = negative * (p.sub(p.cast(pos_weight, x.dtype), 1) * t + 1)
    loss = (1 - t) * x + negative
    if weight is not None:
        loss = loss * p.cast(weight, loss.dtype)
    return reduced(loss, reduction)


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    """binary_cross_entropy of σ(input), computed without overflow; pos_weight weighs the positive targets."""
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    return _bce_logits(input, target, weight, pos_weight, legacy_reduction(size_average, reduce, reduction))


@op("KlDivBackward0", name="kl_div")
def _kl(input: Tensor, target: Tensor, reduction, log_target):
    x, t = promoted(input, target)
    if log_target:
        loss = p.exp(t) * (t - x)
    else:
        zero = p.eq(t, 0)
        loss = p.select(zero, 0.0, t * p.log(p.select(zero, 1.0, t))) - t * x
    return reduced(loss, reduction)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """t·(log t − x): the Kullback-Leibler divergence from log-probabilities x; "batchmean" is the mathematical one."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the "
                      "batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in "
                      "the next major release.", UserWarning, stacklevel=2)
    if reduction == "batchmean":
        total = _kl(input, target, "sum", log_target)
        return total / input.shape[0] if input.ndim else total
    return _kl(input, target, reduction, log_target)


@op("PoissonNllLossBackward0", name="poisson_nll_loss")
def _poisson(input: Tensor, target: Tensor, log_input, full, eps, reduction):
    x, t = promoted_float(input, target)
    loss = p.exp(x) - t * x if log_input else x - t * p.log(x + eps)
    if full:
        big = p.gt(t, 1)
        safe = p.select(big, t, 1.0)
        stirling = safe * p.log(safe) - safe + p.log(safe * (2 * math.pi)) * 0.5
        loss = loss + p.select(big, stirling, 0.0)
    return reduced(loss, reduction)


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"):
    """exp(x) − t·x (log_input) or x − t·log(x + eps); full adds Stirling's approximation of log t!."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    return _poisson(input, target, log_input, full, eps, reduction)


@op("MeanBackward0", name="gaussian_nll_loss")
def _gaussian(input: Tensor, target: Tensor, var: Scalar, full, eps, reduction):
    from ...primitives import stop_gradient
    input, target = promoted(input, target)
    var = p.broadcast_to(p.cast(var, input.dtype), p.broadcast_shapes(var.shape, input.shape) if var.ndim else input.shape)
    floor = p.select(p.lt(var, eps), stop_gradient(var * 0 + eps), stop_gradient(var))
    var = var + stop_gradient(floor - var)  # the limit changes the value, not the gradient
    d = input - target
    loss = (p.log(var) + d * d / var) * 0.5
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """½(log var + (input − target)²/var), var limited from below by eps."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if not isinstance(var, float) and var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1) and \
                not (len(var.shape) == len(input.shape) and all(a in (1, b) for a, b in zip(var.shape, input.shape))):
            raise ValueError("var is of incorrect size")
    check_reduction(reduction)
    return _gaussian(input, target, var, full, eps, reduction)


# ------------------------------------------------------------------ margins and rankings

@op("SoftMarginLossBackward0", name="soft_margin_loss")
def _soft_margin(input: Tensor, target: Tensor, reduction):
    x, t = promoted(input, target)
    return reduced(log1pexp(p.neg(t * x)), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(−t·x)) for t = ±1."""
    return _soft_margin(input, target, legacy_reduction(size_average, reduce, reduction))


def _hinge(x: Var) -> Var:
    return p.select(p.gt(x, 0), x, 0)


@op("MeanBackward0", name="hinge_embedding_loss")
def _hinge_embedding(input: Tensor, target: Tensor, margin, reduction):
    x, t = promoted(input, target)
    x, t = p.as_vars(x, t)
    loss = p.select(p.ne(t, 1), _hinge(margin - x), 0) + p.select(p.ne(t, -1), x, 0)
    return reduced(loss, reduction)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """x for t = 1, max(0, margin − x) for t = −1."""
    return _hinge_embedding(input, target, margin, legacy_reduction(size_average, reduce, reduction))


@op("MeanBackward0", name="margin_ranking_loss")
def _margin_ranking(input1: Tensor, input2: Tensor, target: Tensor, margin, reduction):
    a, b, t = promoted(input1, input2, target)
    return reduced(_clamp0(to_float(p.neg(t) * (a - b)) + margin), reduction)


def _clamp0(x: Var) -> Var:
    """max(x, 0) whose gradient at 0 is 1, as clamp_min's."""
    return p.select(p.ge(x, 0), x, 0)


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, −t·(x1 − x2) + margin)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
                           f"{input1.size()}, input2: {input2.size()}, target: {target.size()} ")
    return _margin_ranking(input1, input2, target, margin, reduction)


@op("MeanBackward0", name="cosine_embedding_loss")
def _cosine_embedding(input1: Tensor, input2: Tensor, target: Tensor, margin, reduction):
    a, b = promoted_float(input1, input2)
    a, b = p.as_vars(a, b)
    dim = (a.ndim - 1,)
    eps = 1e-12
    prod = p.reduce_sum(a * b, dim)
    sizes = (p.reduce_sum(a * a, dim) + eps) * (p.reduce_sum(b * b, dim) + eps)
    cos = p.div(prod, p.sqrt(sizes))
    t = p.cast(target, cos.dtype)
    cos, t = p.as_vars(cos, t)
    loss = p.select(p.eq(t, 1), 1 - cos, 0) + p.select(p.eq(t, -1), _clamp0(cos - margin), 0)
    return reduced(loss, reduction)


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 − cos(x1, x2) for t = 1, max(0, cos(x1, x2) − margin) for t = −1."""
    if target.ndim == 0 and input1.ndim != 1:
        raise RuntimeError(f"0D target tensor expects 1D input tensors, but found inputs with sizes {list(input1.shape)} and "
                           f"{list(input2.shape)}.")
    if target.ndim == 1 and input1.ndim != 2:
        raise RuntimeError(f"1D target tensor expects 2D input tensors, but found inputs with sizes {list(input1.shape)} and "
                           f"{list(input2.shape)}.")
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    return _cosine_embedding(input1, input2, target, margin, legacy_reduction(size_average, reduce, reduction))


def _check_margin_labels(input, target, *rest) -> None:
    if _bad_label(target, input.shape[-1] if input.ndim else 1, 0) is not None:
        raise RuntimeError(f"multi_margin_loss: target out of range (for input of shape {list(input.shape)})")


@op("MultiMarginLossBackward0", name="multi_margin_loss", check=_check_margin_labels)
def _multi_margin(input: Tensor, target: Tensor, weight: Tensor | None, p_norm, margin, reduction):
    x = input if input.ndim == 2 else p.reshape(input, (1, input.size))
    t = p.reshape(target, (x.shape[0], 1))
    right = p.gather(x, t, 1)
    z = _clamp0(margin - right + x)
    z = z if p_norm == 1 else z * z
    if weight is not None:
        z = z * p.reshape(p.take(weight, p.reshape(t, (x.shape[0],)), 0), (x.shape[0], 1))
    own = p.eq(p.index_along(x, 1), p.broadcast_to(t, x.shape))
    loss = p.reduce_sum(p.select(own, 0.0, z), (1,)) / x.shape[1]
    loss = loss if input.ndim == 2 or target.ndim else p.reshape(loss, ())
    return reduced(loss, reduction)


def _need_classes(input) -> None:
    """PyTorch's error for inputs without classes, or with more than a batch dimension beside them."""
    if input.ndim > 2 or input.ndim and not input.shape[-1]:
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}")


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Σ_{i≠t} max(0, margin − x_t + x_i)^p / C."""
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _need_classes(input)
    if target.dtype is not int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype._legacy}")
    if input.ndim == 2 and (target.ndim != 1 or target.shape[0] != input.shape[0]):
        raise RuntimeError("multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). "
                           f"Expected target size [{input.shape[0]}], but got {list(target.shape)}. Input has shape {list(input.shape)}.")
    return _multi_margin(input, target, weight, p, margin, reduction)


def _check_listed_labels(input, target, *rest) -> None:
    labels = known_array(target)
    if labels is not None and labels.size and (labels.min() < -1 or labels.max() >= (input.shape[-1] if input.ndim else 1)):
        raise RuntimeError(f"multilabel_margin_loss: argument #2 'target' is out of range (for input of shape {list(input.shape)})")


@op("MultilabelMarginLossBackward0", name="multilabel_margin_loss", check=_check_listed_labels)
def _multilabel_margin(input: Tensor, target: Tensor, reduction):
    """Targets are listed in each row up to the first −1."""
    x = input if input.ndim == 2 else p.reshape(input, (1, input.size))
    t = p.reshape(target, x.shape)
    n, c = x.shape
    ended = p.gt(p.cumsum(p.cast(p.lt(t, 0), int64), 1), 0)
    at = p.select(ended, 0, t)
    listed = p.scatter(p.full((n, c), 0, int64, x.builder), at, p.select(ended, 0, p.ones_like(t)), 1, "max")
    right = p.reshape(p.gather(x, at, 1), (n, c, 1))
    z = _clamp0(1 - right + p.reshape(x, (n, 1, c)))
    skip = p.bitwise_or(p.broadcast_to(p.reshape(ended, (n, c, 1)), z.shape), p.broadcast_to(p.reshape(p.ne(listed, 0), (n, 1, c)), z.shape))
    loss = p.reduce_sum(p.select(skip, 0.0, z), (1, 2)) / c
    return reduced(loss if input.ndim == 2 else p.reshape(loss, ()), reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Σ over targets j and others i of max(0, 1 − (x_j − x_i)) / C; target lists class numbers, ended by −1."""
    _need_classes(input)
    if input.shape != target.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    return _multilabel_margin(input, target, legacy_reduction(size_average, reduce, reduction))


@op("MeanBackward0", name="multilabel_soft_margin_loss")
def _multilabel_soft_margin(input: Tensor, target: Tensor, weight: Tensor | None, reduction):
    from .activation import logsigmoid
    x, t = promoted(input, target)
    loss = p.neg(t * logsigmoid.op.body(x) + (1 - t) * logsigmoid.op.body(p.neg(x)))
    if weight is not None:
        loss = loss * weight
    last = loss.ndim - 1
    return reduced(p.reduce_sum(loss, (last,)) / loss.shape[last], reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of the binary cross entropy of σ(input) with 0/1 targets."""
    return _multilabel_soft_margin(input, target, weight, legacy_reduction(size_average, reduce, reduction))


@in_float32
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None,
                        reduction="mean"):
    """max(0, d(a, p) − d(a, n) + margin), d the p-norm distance; swap uses the smaller of d(a, n) and d(p, n) (Balntas et al. 2016)."""
    from .distance import pairwise_distance
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
                                             margin=margin, swap=swap, reduction=legacy_reduction(size_average, reduce, reduction))


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
    """triplet_margin_loss with any distance."""
    import flambeau as torch
    from .distance import pairwise_distance
    check_reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError("The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
                           f"{anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = torch.minimum(far, distance(positive, negative))
    loss = torch.clamp_min(margin + near - far, 0)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss
