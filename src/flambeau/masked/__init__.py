"""`torch.masked`: reductions and normalisations that leave out the elements where a mask is False.

Masked-out elements become the identity of the operation (0 for sums, −∞ for maxima, …), so that a slice without any
element left gives that identity, or NaN for means and variances. The class `MaskedTensor` is not here.
"""
from ._ops import (amax, amin, argmax, argmin, cumprod, cumsum, log_softmax, logaddexp, logsumexp, mean, median, norm, normalize, prod,
                   softmax, softmin, std, sum, var)

__all__ = ["amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median", "norm",
           "normalize", "prod", "softmax", "softmin", "std", "sum", "var"]
