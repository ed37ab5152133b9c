"""Rearranging channels and pixels: pixel_shuffle, pixel_unshuffle and channel_shuffle."""
# ruff: noqa: F821
from __future__ import annotations

from ... import primitives as p
from ...tensor.op import op


@op("PixelShuffleBackward0")
def pixel_shuffle(input: Tensor, upscale_factor):
    """(*, C·r², H, W) → (*, C, H·r, W·r): r² channels become the pixels of an r by r square (Shi et al. 2016)."""
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError(f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError("pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
                           f"input.size(-3)={c} is not divisible by {r * r}")
    n = len(batch)
    x = p.reshape(input, (*batch, c // (r * r), r, r, h, w))
    x = p.permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return p.reshape(x, (*batch, c // (r * r), h * r, w * r))


@op("PixelUnshuffleBackward0")
def pixel_unshuffle(input: Tensor, downscale_factor):
    """(*, C, H·r, W·r) → (*, C·r², H, W): the inverse of pixel_shuffle."""
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError(f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for size, name, at in ((h, "height", -2), (w, "width", -1)):
        if size % r:
            raise RuntimeError(f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({at})={size} is not "
                               f"divisible by {r}")
    n = len(batch)
    x = p.reshape(input, (*batch, c, h // r, r, w // r, r))
    x = p.permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return p.reshape(x, (*batch, c * r * r, h // r, w // r))


@op("ChannelShuffleBackward0")
def channel_shuffle(input: Tensor, groups):
    """Interleaves the channels of `groups` groups of (N, C, *) (Zhang et al. 2018)."""
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    b, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    x = p.reshape(input, (b, groups, c // groups, *rest))
    return p.reshape(p.permute(x, (0, 2, 1, *range(3, x.ndim))), input.shape)
