"""Layers that move values between channels and pixels. Shi et al. 2016, arXiv:1609.05158."""
from __future__ import annotations

from ...tensor.tensor import Tensor
from .. import functional as F
from .module import Module


class PixelShuffle(Module):
    """Every r² channels become blocks of r × r pixels. Shapes: (*, C·r², H, W) → (*, C, H·r, W·r), r =
    upscale_factor."""

    __constants__ = ["upscale_factor"]

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Blocks of r × r pixels become channels. Shapes: (*, C, H·r, W·r) → (*, C·r², H, W), r = downscale_factor."""

    __constants__ = ["downscale_factor"]

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
