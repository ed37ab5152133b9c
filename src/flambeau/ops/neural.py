"""Functions of `torch.*` about layers whose arguments come in another order, or are other ones, than those of
`torch.nn.functional`: what PyTorch's C++ calls by these names."""
from __future__ import annotations

from typing import Any

from ..linalg import accepts_out
from ..nn import functional as F
from ..nn.functional.activation import _log_softmax as log_softmax, _softmax as softmax
from ..nn.functional.conv import conv_tbc
from ..tensor.tensor import Tensor

__all__ = ["alpha_dropout", "alpha_dropout_", "batch_norm", "conv_tbc", "cosine_embedding_loss", "ctc_loss", "dropout", "dropout_",
           "embedding", "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "group_norm",
           "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "log_softmax", "margin_ranking_loss",
           "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "native_batch_norm", "native_channel_shuffle", "native_group_norm",
           "native_layer_norm", "poisson_nll_loss", "softmax", "triplet_margin_loss", "zero_"]

REDUCTIONS = ("none", "mean", "sum")  # by the numbers that the losses take here


def batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
               training: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor:
    """`torch.nn.functional.batch_norm`; in training without its check of the batch's size."""
    if training and input.ndim > 1 and input.numel() == input.shape[1]:
        from ..nn.functional.normalization import batch_norm_unchecked
        return batch_norm_unchecked(input, running_mean, running_var, weight, bias, training, momentum, eps)
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
                  use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor:
    """`torch.nn.functional.instance_norm`."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Tensor:
    """`torch.nn.functional.group_norm`."""
    return F.group_norm(input, num_groups, weight, bias, eps)


def layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
               cudnn_enable: bool = True) -> Tensor:
    """`torch.nn.functional.layer_norm`."""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def _moments(x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """The mean of x over dims, and 1 / √(biased variance + eps)."""
    mean: Any = x.mean(dims, True)  # type: ignore[attr-defined]
    return mean, (x.var(dims, correction=0, keepdim=True) + eps).rsqrt()  # type: ignore[attr-defined]


def native_layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None,
                      eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(`layer_norm`, the mean, 1 / √(variance + eps)), the last two with dimensions of size 1 where they were taken."""
    out = F.layer_norm(input, normalized_shape, weight, bias, eps)
    return out, *_moments(input.detach(), tuple(range(input.ndim - len(normalized_shape), input.ndim)), eps)


def native_group_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int,
                      eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(`group_norm` of input, which has N·C·HxW elements, the mean of each group, 1 / √(variance + eps)): the last two (N, group)."""
    grouped: Any = input.reshape(N, group, C * HxW // group)  # type: ignore[attr-defined]
    mean, scale = _moments(grouped, (2,), eps)
    return F.group_norm(input, group, weight, bias, eps), mean.squeeze(2), scale.squeeze(2)  # type: ignore[attr-defined]


@accepts_out
def native_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
                      running_var: Tensor | None, training: bool, momentum: float, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(`batch_norm`, the batch's mean, 1 / √(its variance + eps)), the last two (C,), and empty when not training."""
    out = batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, False)
    x: Any = input.detach()
    if not training:
        return out, x.new_empty(0), x.new_empty(0)
    mean, scale = _moments(x, tuple(d for d in range(x.ndim) if d != 1), eps)
    return out, mean.flatten(), scale.flatten()  # type: ignore[attr-defined]


def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    """`torch.nn.functional.grid_sample`, with modes and paddings by number, in the order in which it lists them."""
    return F.grid_sample(input, grid, ("bilinear", "nearest", "bicubic")[interpolation_mode],
                         ("zeros", "border", "reflection")[padding_mode], align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def zero_(input: Tensor) -> Tensor:
    """Fills input with zeros."""
    return input.zero_()  # type: ignore[attr-defined]


def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """weight[indices]; a padding_idx of −1 means none."""
    return F.embedding(indices, weight, None if padding_idx == -1 else padding_idx, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """`torch.nn.functional.channel_shuffle`."""
    return F.channel_shuffle(input, groups)


# ------------------------------------------------------------------ dropout: (input, p, train)

def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.dropout`."""
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.dropout` in place."""
    return F.dropout(input, p, train, True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.alpha_dropout`."""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.alpha_dropout` in place."""
    return F.alpha_dropout(input, p, train, True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole channels (dimension 1): `torch.nn.functional.dropout2d`."""
    return F.dropout2d(input, p, train)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_dropout` in place."""
    return F.dropout2d(input, p, train, True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.feature_alpha_dropout`."""
    return F.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.feature_alpha_dropout` in place."""
    return F.feature_alpha_dropout(input, p, train, True)


# ------------------------------------------------------------------ losses: reduction is 0 (none, the default in Python), 1 (mean) or 2 (sum)

def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """`torch.nn.functional.kl_div`."""
    from ..nn.functional.loss import _kl
    return _kl(input, target, REDUCTIONS[reduction], log_target)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0) -> Tensor:
    """`torch.nn.functional.cosine_embedding_loss`."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=REDUCTIONS[reduction])


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """`torch.nn.functional.hinge_embedding_loss`."""
    return F.hinge_embedding_loss(input, target, margin, reduction=REDUCTIONS[reduction])


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0) -> Tensor:
    """`torch.nn.functional.margin_ranking_loss`."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=REDUCTIONS[reduction])


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """`torch.nn.functional.poisson_nll_loss`."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=REDUCTIONS[reduction])


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
                        swap: bool = False, reduction: int = 0) -> Tensor:
    """`torch.nn.functional.triplet_margin_loss`."""
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=REDUCTIONS[reduction])


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = 0,
             zero_infinity: bool = False) -> Tensor:
    """`torch.nn.functional.ctc_loss`."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, REDUCTIONS[reduction], zero_infinity)
