"""Deformable convolution (Dai et al. 2017, arXiv:1703.06211; with a mask, Zhu et al. 2018, arXiv:1811.11168)."""
from __future__ import annotations

import math

from ... import arange, einsum, empty, float32
from ...nn import Module, Parameter, init
from ...tensor.tensor import Tensor
from ._regions import pair

__all__ = ["DeformConv2d", "deform_conv2d"]


def deform_conv2d(input: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None,
                  stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0),
                  dilation: tuple[int, int] = (1, 1), mask: Tensor | None = None) -> Tensor:
    """Convolution whose kernel reads, at each output, pixels moved by `offset` and scaled by `mask`.

    Shapes: input (N, C, H, W), weight (C_out, C / groups, kh, kw), offset (N, 2·G·kh·kw, H', W') with (y, x) for each
    place of the kernel and each of G groups of channels, mask (N, G·kh·kw, H', W') → (N, C_out, H', W').
    Values between pixels are bilinear, and 0 outside the image. Differentiable in all tensors.
    """
    (n, c, height, width), (c_out, c_group, kh, kw) = input.shape, weight.shape
    (sy, sx), (py, px), (dy, dx) = pair(stride), pair(padding), pair(dilation)
    places = kh * kw
    groups, moved = c // c_group, offset.shape[1] // (2 * places)
    oh, ow = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, p, d, k, s in
              ((height, py, dy, kh, sy), (width, px, dx, kw, sx)))
    if moved == 0:
        raise RuntimeError("the shape of the offset tensor at dimension 1 is not valid. It should be a multiple of 2 * "
                           f"weight.size[2] * weight.size[3].\nGot offset.shape[1]={offset.shape[1]}, while 2 * "
                           f"weight.size[2] * weight.size[3]={2 * places}")
    if c % moved or tuple(offset.shape) != (n, 2 * moved * places, oh, ow):
        raise RuntimeError(f"offset must have shape ({n}, 2 * groups * {places}, {oh}, {ow}) for groups that divide "
                           f"the {c} channels; got {tuple(offset.shape)}")
    if mask is not None and tuple(mask.shape) != (n, moved * places, oh, ow):
        raise RuntimeError(f"mask must have shape ({n}, {moved * places}, {oh}, {ow}); got {tuple(mask.shape)}")
    offset = offset.view(n, moved, places, 2, oh, ow)
    kernel = arange(places)
    y = offset[:, :, :, 0] + _grid(kernel // kw * dy - py, oh, sy, -2).to(offset.dtype)
    x = offset[:, :, :, 1] + _grid(kernel % kw * dx - px, ow, sx, -1).to(offset.dtype)
    samples = _bilinear(input.reshape(n, moved, c // moved, height, width), y, x)
    if mask is not None:
        samples = samples * mask.view(n, moved, 1, places, oh, ow)
    samples = samples.reshape(n, groups, c_group, places, oh, ow)
    out = einsum("ngckhw,gock->ngohw", samples, weight.view(groups, c_out // groups, c_group, places))
    out = out.reshape(n, c_out, oh, ow)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def _grid(starts: Tensor, outputs: int, stride: int, dim: int) -> Tensor:
    """(places, outputs, 1) or (places, 1, outputs): the pixel that a place of the kernel reads for each output."""
    return (starts[:, None] + arange(outputs) * stride).unsqueeze(-1 if dim == -2 else -2)


def _bilinear(input: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values of input (N, G, C, H, W) at y and x (N, G, K, H', W'): (N, G, C, K, H', W')."""
    n, groups, channels, height, width = input.shape
    flat = input.reshape(n, groups, channels, height * width)
    top, left = y.detach().floor(), x.detach().floor()
    result = None
    for row in (top, top + 1):
        for column in (left, left + 1):
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs())
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = weight * inside.to(weight.dtype)
            index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()
            index = index.reshape(n, groups, 1, -1).expand(-1, -1, channels, -1)
            part = flat.gather(3, index).view(n, groups, channels, *y.shape[2:]) * weight.unsqueeze(2)
            result = part if result is None else result + part
    assert result is not None
    return result


class DeformConv2d(Module):
    """`deform_conv2d` with a weight and a bias; forward takes the input, the offset and, if any, the mask."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0,
                 dilation: int = 1, groups: int = 1, bias: bool = True):
        super().__init__()
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.dilation = pair(padding), pair(dilation)
        self.weight = Parameter(empty(out_channels, in_channels // groups, *self.kernel_size, dtype=float32))
        if bias:
            self.bias = Parameter(empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initialisation of convolutions."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        return deform_conv2d(input, offset, self.weight, self.bias, stride=self.stride, padding=self.padding,
                             dilation=self.dilation, mask=mask)

    def __repr__(self) -> str:
        parts = [f"{self.in_channels}", f"{self.out_channels}", f"kernel_size={self.kernel_size}",
                 f"stride={self.stride}"]
        parts += [f"{name}={value}" for name, value, default in (
            ("padding", self.padding, (0, 0)), ("dilation", self.dilation, (1, 1)), ("groups", self.groups, 1),
            ("bias", self.bias is not None, True)) if value != default]
        return f"{type(self).__name__}({', '.join(parts)})"
