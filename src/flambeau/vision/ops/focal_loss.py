"""The focal loss (Lin et al. 2017, arXiv:1708.02002)."""
from ...nn import functional as F
from ...tensor.tensor import Tensor
from ._losses import reduce


def sigmoid_focal_loss(inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2,
                       reduction: str = "none") -> Tensor:
    """Binary cross-entropy of logits, times (1 - p_t)^gamma, and alpha for positives or 1 - alpha for negatives.

    alpha = -1: no weighting. ValueError for other alphas outside [0, 1].
    """
    if not (0 <= alpha <= 1) and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = inputs.sigmoid()
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = loss * ((1 - (p * targets + (1 - p) * (1 - targets))) ** gamma)
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return loss if reduction == "none" else _reduce(loss, reduction)


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    return loss.mean() if reduction == "mean" else reduce(loss, reduction)
