"""Layers that drop values at random in training and do nothing in evaluation. Hinton et al. 2012, arXiv:1207.0580."""
from __future__ import annotations

from ...tensor.tensor import Tensor
from .. import functional as F
from .module import Module


class _DropoutNd(Module):
    """p: probability of dropping.  inplace: whether the input's memory takes the output."""

    __constants__ = ["p", "inplace"]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Sets each element to 0 with probability p, and multiplies the rest by 1/(1 − p)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Drops whole channels. Shapes: (N, C, L) or (C, L), unchanged."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Drops whole channels. Shapes: (N, C, H, W) or (N, C, L), unchanged. Tompson et al. 2014, arXiv:1411.4280."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Drops whole channels. Shapes: (N, C, D, H, W) or (C, D, H, W), unchanged."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance of inputs that SELU has normalised. Klambauer et al. 2017,
    arXiv:1706.02515."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels. Shapes: (N, C, …), unchanged."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
