"""Layers that resize signals, images and volumes."""
from __future__ import annotations

from typing import Any

from ...tensor.tensor import Tensor
from .. import functional as F
from .module import Module


class Upsample(Module):
    """Resizes the dimensions after the first two to `size`, or by `scale_factor` (a number, or a tuple of one for
    each).

    mode:  "nearest", "linear" (N, C, L), "bilinear" and "bicubic" (N, C, H, W), "trilinear" (N, C, D, H, W).
    align_corners: the outer pixels' centres, not their edges, are put on each other; for the linear and cubic modes.
    recompute_scale_factor: compute with the ratio of the sizes rather than the given factor.
    """

    __constants__ = ["size", "scale_factor", "mode", "align_corners", "name", "recompute_scale_factor"]

    def __init__(self, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                 align_corners: bool | None = None, recompute_scale_factor: bool | None = None) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def __setstate__(self, state: dict) -> None:
        state.setdefault("recompute_scale_factor", True)  # files of PyTorch before 1.6
        super().__setstate__(state)

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners,
                             recompute_scale_factor=self.recompute_scale_factor)

    def extra_repr(self) -> str:
        size = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Deprecated name of Upsample(mode="nearest") for images."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Deprecated name of Upsample(mode="bilinear", align_corners=True) for images."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
