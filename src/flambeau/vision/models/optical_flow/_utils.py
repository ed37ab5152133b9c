"""Grids and resampling for optical flow."""
from __future__ import annotations

from .... import arange, meshgrid, stack
from ....nn import functional as F
from ....tensor.tensor import Tensor


def grid_sample(img: Tensor, absolute_grid: Tensor, mode: str = "bilinear",
                align_corners: bool | None = None) -> Tensor:
    """`F.grid_sample` at positions in pixels, (N, H', W', 2) as (x, y)."""
    height, width = img.shape[-2:]
    x, y = absolute_grid.split([1, 1], dim=-1)
    x = 2 * x / (width - 1) - 1
    if height > 1:  # stereo matching has maps of one line
        y = 2 * y / (height - 1) - 1
    return F.grid_sample(img, stack((x[..., 0], y[..., 0]), -1), mode=mode, align_corners=align_corners)


def make_coords_grid(batch_size: int, h: int, w: int, device="cpu") -> Tensor:
    """Each pixel's (x, y): (batch_size, 2, h, w)."""
    y, x = meshgrid(arange(h, device=device), arange(w, device=device), indexing="ij")
    return stack((x, y)).float()[None].repeat(batch_size, 1, 1, 1)


def upsample_flow(flow: Tensor, up_mask: Tensor | None = None, factor: int = 8) -> Tensor:
    """Flow (N, C, h, w) at `factor` times the resolution, in pixels of that: bilinear or, with up_mask
    (N, 9 · factor², h, w), as a mean of the nine pixels around with the mask's softmax as weights."""
    n, channels, h, w = flow.shape
    if up_mask is None:
        return factor * F.interpolate(flow, size=(h * factor, w * factor), mode="bilinear", align_corners=True)
    weights = up_mask.view(n, 1, 9, factor, factor, h, w).softmax(dim=2)
    around = F.unfold(factor * flow, kernel_size=3, padding=1).view(n, channels, 9, 1, 1, h, w)
    flow = (weights * around).sum(dim=2)
    return flow.permute(0, 1, 4, 2, 5, 3).reshape(n, channels, h * factor, w * factor)
