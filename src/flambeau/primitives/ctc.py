"""Connectionist temporal classification (Graves et al. 2006): the losses of a batch, with their gradients.

The forward-backward recursions run on the host in float64, all samples together, one step per time.
"""

from __future__ import annotations

import numpy as np

from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive, broadcast_to
from .shape import reshape


def _paths(labels: np.ndarray, blank: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels with blanks around each (N, 2S+1), and where a path may skip the blank before a label."""
    n, s = labels.shape
    path = np.full((n, 2 * s + 1), blank, np.int64)
    path[:, 1::2] = labels
    skip = np.zeros(path.shape, bool)
    skip[:, 2:] = (path[:, 2:] != blank) & (path[:, 2:] != path[:, :-2])
    return path, skip


def _shifted(a: np.ndarray, by: int) -> np.ndarray:
    """a moved right (by > 0) or left, with log 0 coming in."""
    out = np.full_like(a, -np.inf)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def _forward(emitted: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """log α (T, N, L): the log-probabilities of all ways to be at each place of the path after each step."""
    alpha = np.full_like(emitted, -np.inf)
    alpha[0, :, :2] = emitted[0, :, :2]
    for t in range(1, len(emitted)):
        a = alpha[t - 1]
        a = (
            np.logaddexp(a, _shifted(a, 1))
            if a.shape[1] < 3
            else np.logaddexp(np.logaddexp(a, _shifted(a, 1)), np.where(skip, _shifted(a, 2), -np.inf))
        )
        alpha[t] = a + emitted[t]
    return alpha


def _backward(emitted: np.ndarray, skip: np.ndarray, ends: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """log β (T, N, L): the same from each place to one of the `ends`, reached at the last of each sample's steps."""
    beta = np.full_like(emitted, -np.inf)
    b = np.full_like(emitted[0], -np.inf)
    for t in range(len(emitted) - 1, -1, -1):
        b2 = _shifted(np.where(skip, b, -np.inf), -2) if b.shape[1] > 2 else np.full_like(b, -np.inf)
        b = np.logaddexp(np.logaddexp(b, _shifted(b, -1)), b2)
        b = np.where((steps == t + 1)[:, None], np.where(ends, 0.0, -np.inf), b) + emitted[t]
        b = np.where((t < steps)[:, None], b, -np.inf)
        beta[t] = b
    return beta


def _ctc_kernel(log_probs, labels, input_lengths, target_lengths, blank, zero_infinity):
    lp = log_probs.astype(np.float64)
    path, skip = _paths(labels, blank)
    samples = np.arange(lp.shape[1])
    emitted = lp[:, samples[:, None], path]
    place = np.arange(path.shape[1])
    ends = (place == 2 * target_lengths[:, None]) | (place == 2 * target_lengths[:, None] - 1)
    with np.errstate(all="ignore"):
        alpha = _forward(emitted, skip)
        beta = _backward(emitted, skip, ends, input_lengths)
        last = alpha[np.maximum(input_lengths - 1, 0), samples]
        loss = -np.logaddexp.reduce(np.where(ends, last, -np.inf), axis=1)
        loss = np.where(input_lengths == 0, np.where(target_lengths == 0, 0.0, np.inf), loss)
        expected = np.zeros_like(lp)
        np.add.at(expected, (slice(None), samples[:, None], path), np.exp(alpha + beta - emitted + loss[:, None]))
        # with regard to the scores before log_softmax: their probability less the expected count of each class
        grad = np.exp(lp) - expected
    impossible = np.isinf(loss)
    grad[:, impossible] = 0 if zero_infinity else np.nan
    grad[np.arange(len(lp))[:, None] >= input_lengths] = 0
    if zero_infinity:
        loss = np.where(impossible, 0, loss)
    return loss.astype(log_probs.dtype), grad.astype(log_probs.dtype)


def _ctc_vjp(gs, ys, xs, blank, zero_infinity):
    g = gs[0]
    if g is None:
        return None, None, None, None
    grad = ys[1]
    return broadcast_to(reshape(g, (1, g.shape[0], 1)), grad.shape) * grad, None, None, None


ctc_p = Primitive(
    "ctc",
    lambda lp, labels, inputs, targets, blank, zero: (tensor_type(lp.dtype, lp.shape[1:2]), lp),
    _ctc_kernel,
    _ctc_vjp,
    n_outputs=2,
    kind="host",
)


def ctc(log_probs: Var, labels: Var, input_lengths: Var, target_lengths: Var, blank: int, zero_infinity: bool) -> Var:
    """The loss of each sample (N,), from log_probs (T, N, C), labels (N, S) and lengths (N,)."""
    return ctc_p((log_probs, labels, input_lengths, target_lengths), blank, zero_infinity)[0]
