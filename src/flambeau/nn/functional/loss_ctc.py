"""The loss of connectionist temporal classification."""

# ruff: noqa: F821
from __future__ import annotations

from typing import Any

import numpy as np

from ... import primitives as p
from ...dtypes import int64
from ...ops.creation import from_array
from ...tensor.attributes import host_array
from ...tensor.autocast import in_float32
from ...tensor.examples import one_by_one
from ...tensor.op import op
from ...tensor.tensor import Tensor as TensorClass
from .loss import check_reduction, reduced


@op("CtcLossBackward0", name="ctc_loss")
def _ctc_loss(
    log_probs: Tensor, labels: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank, reduction, zero_infinity
):
    single = log_probs.ndim == 2
    if single:
        log_probs = p.reshape(log_probs, (log_probs.shape[0], 1, log_probs.shape[1]))
    loss = p.ctc(log_probs, labels, input_lengths, target_lengths, blank, zero_infinity)
    if reduction == "mean":
        loss = loss / p.cast(p.maximum(target_lengths, 1), loss.dtype)
    return p.reshape(loss, ()) if single and reduction == "none" else reduced(loss, reduction)


def _lengths(value: Any, batch: int, name: str) -> np.ndarray:
    lengths = host_array(value) if isinstance(value, TensorClass) else np.asarray(value)
    if lengths.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    lengths = lengths.reshape(-1).astype(np.int64)
    if len(lengths) != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return lengths


def _labels(targets: Any, lengths: np.ndarray) -> np.ndarray:
    """The labels as (N, S): those of a flat tensor, one sample after the other, are laid out in rows."""
    values = host_array(targets).astype(np.int64)
    longest = int(lengths.max(initial=0))
    if values.ndim == 2:
        if values.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{values.shape[1]} for argument "
                "#2 'targets' (while checking arguments for ctc_loss_allocate_outputs)"
            )
        return values[:, :longest]
    if values.size < lengths.sum():
        raise RuntimeError(
            f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {values.size} for argument #2 "
            "'targets' (while checking arguments for ctc_loss_allocate_outputs)"
        )
    rows = np.zeros((len(lengths), longest), np.int64)
    rows[np.arange(longest) < lengths[:, None]] = values[: lengths.sum()]
    return rows


@one_by_one
@in_float32
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """−log of the probability of all ways to spell the targets along the input (Graves et al. 2006).

    log_probs:  (T, N, C) or (T, C), from log_softmax. As in PyTorch, their gradient is that of the scores before it.
    targets:  (N, S), or (Σ target_lengths,) with one sample after the other; class numbers other than `blank`.
    input_lengths, target_lengths:  (N,), tensors or tuples. "mean" divides each loss by its target length first.
    zero_infinity:  the losses of targets that are too long, and their gradients, are 0 instead of infinite.
    """
    check_reduction(reduction)
    if log_probs.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{log_probs.dtype._legacy}'")
    if not log_probs.numel():
        raise RuntimeError("log_probs tensor must not be empty")
    if not 0 <= blank < log_probs.shape[-1]:
        raise RuntimeError("blank must be in label range")
    batch = log_probs.shape[1] if log_probs.ndim == 3 else 1
    lengths = _lengths(input_lengths, batch, "input_lengths")
    spelled = _lengths(target_lengths, batch, "target_lengths")
    if (lengths > log_probs.shape[0]).any():
        raise RuntimeError(
            f"Expected input_lengths to have value at most {log_probs.shape[0]}, but got value "
            f"{lengths.max()} (while checking "
            "arguments for ctc_loss_allocate_outputs)"
        )
    labels = _labels(targets, spelled)
    labels = np.where(np.arange(labels.shape[1]) < spelled[:, None], labels, blank)
    operands = [from_array(a, int64, log_probs) for a in (labels, lengths, spelled)]
    return _ctc_loss(log_probs, *operands, blank, reduction, bool(zero_infinity))
