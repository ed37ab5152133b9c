"""Convolutions, plain and transposed, in one to three dimensions; unfold and fold."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any

from ... import primitives as p
from ...ir.graph import Var
from ...tensor.op import op


def repeat_to(value: Any, n: int, name: str) -> tuple[int, ...]:
    """n ints from one int or a sequence of n (or of one)."""
    if isinstance(value, (tuple, list)):
        value = tuple(int(v) for v in value)
        if len(value) == 1:
            return value * n
        if len(value) != n:
            raise RuntimeError(f"expected {name} to be a single integer value or a list of {n} values to match the convolution "
                               f"dimensions, but got {name}={list(value)}")
        return value
    return (int(value),) * n


def _check(nd: int, input: Var, weight: Var, bias: Var | None, stride, padding, dilation, groups: int, transposed: bool) -> None:
    name = f"conv{'_transpose' if transposed else ''}{nd}d"
    if input.ndim not in (nd + 1, nd + 2):
        raise RuntimeError(f"Expected {nd + 1}D (unbatched) or {nd + 2}D (batched) input to {name}, but got input of size: "
                           f"{list(input.shape)}")
    if weight.ndim != nd + 2:
        raise RuntimeError(f"weight should have at least three dimensions, but got {weight.ndim}D weight {list(weight.shape)}"
                           if weight.ndim < 3 else f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight"
                           f"{list(weight.shape)}, but got {input.ndim}-dimensional input of size {list(input.shape)} instead")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if any(s <= 0 for s in stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(d <= 0 for d in dilation):
        raise RuntimeError("dilation should be greater than zero")
    if not isinstance(padding, str) and any(a < 0 for a in repeat_to(padding, nd, "padding")):
        raise RuntimeError("negative padding is not supported")
    for x, what in ((weight, "weight"), (bias, "bias")):
        if x is not None and x.dtype is not input.dtype:
            raise RuntimeError(f"Input type ({_type_name(input)}) and {what} type ({_type_name(x)}) should be the same")
    channels = input.shape[-nd - 1]
    if transposed:
        if channels != weight.shape[0]:
            raise RuntimeError(f"Given transposed=1, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
                               f"{weight.shape[0]} channels, but got {channels} channels instead")
    else:
        if weight.shape[0] < groups:
            raise RuntimeError(f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
                               f"{list(weight.shape)} instead")
        if weight.shape[0] % groups:
            raise RuntimeError(f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
                               f"[{list(weight.shape)}] instead")
        if channels != weight.shape[1] * groups:
            raise RuntimeError(f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
                               f"{weight.shape[1] * groups} channels, but got {channels} channels instead")
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(f"Given {'transposed=1, ' if transposed else ''}weight of size {list(weight.shape)}, expected bias to be "
                           f"1-dimensional with {outputs} elements, but got bias of size {list(bias.shape)} instead")


def _type_name(x: Var) -> str:
    return f"torch.{x.dtype._legacy}Tensor"


def _with_bias(out: Var, bias: Var | None, nd: int) -> Var:
    return out if bias is None else p.add(out, p.reshape(bias, (bias.shape[0], *(1,) * nd)))


def _conv(nd: int, input: Var, weight: Var, bias: Var | None, stride, padding, dilation, groups) -> Var:
    stride, dilation = repeat_to(stride, nd, "stride"), repeat_to(dilation, nd, "dilation")
    _check(nd, input, weight, bias, stride, padding, dilation, groups, False)
    kernel = weight.shape[2:]
    if isinstance(padding, str):
        if padding == "valid":
            low = high = (0,) * nd
        elif padding == "same":
            if any(s != 1 for s in stride):
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            total = [d * (k - 1) for d, k in zip(dilation, kernel)]
            low = tuple(t // 2 for t in total)
            high = tuple(t - a for t, a in zip(total, low))
        else:
            raise RuntimeError(f"Invalid padding string: '{padding}'")
    else:
        low = high = repeat_to(padding, nd, "padding")
    batched = input.ndim == nd + 2
    x = input if batched else p.reshape(input, (1, *input.shape))
    padded = [n + a + b for n, a, b in zip(x.shape[2:], low, high)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    if any(n < r for n, r in zip(padded, reach)):
        raise RuntimeError(f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
                           f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size")
    out = _with_bias(p.conv(x, weight, stride, low, high, dilation, groups), bias, nd)
    return out if batched else p.reshape(out, out.shape[1:])


@op("ConvolutionBackward0")
def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, dilation=1, groups=1):
    """1-D cross-correlation. input (N, C, L) or (C, L), weight (O, C/groups, K), bias (O,) → (N, O, L_out).

    L_out = ⌊(L + 2·padding − dilation·(K − 1) − 1)/stride⌋ + 1; padding may be "valid" or "same".
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@op("ConvolutionBackward0")
def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, dilation=1, groups=1):
    """2-D cross-correlation. input (N, C, H, W) or (C, H, W), weight (O, C/groups, Kh, Kw), bias (O,) → (N, O, H_out, W_out)."""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@op("ConvolutionBackward0")
def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, dilation=1, groups=1):
    """3-D cross-correlation. input (N, C, D, H, W) or (C, D, H, W), weight (O, C/groups, Kd, Kh, Kw), bias (O,)."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(nd, input: Var, weight: Var, bias: Var | None, stride, padding, output_padding, groups, dilation) -> Var:
    stride, dilation = repeat_to(stride, nd, "stride"), repeat_to(dilation, nd, "dilation")
    padding, extra = repeat_to(padding, nd, "padding"), repeat_to(output_padding, nd, "output_padding")
    _check(nd, input, weight, bias, stride, padding, dilation, groups, True)
    if any(e < 0 for e in extra):
        raise RuntimeError("negative output_padding is not supported")
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation)):
        raise RuntimeError("output padding must be smaller than either stride or dilation, but got output_padding "
                           f"{list(extra)}, stride {list(stride)}, dilation {list(dilation)}")
    batched = input.ndim == nd + 2
    x = input if batched else p.reshape(input, (1, *input.shape))
    size = tuple((n - 1) * s - 2 * a + d * (k - 1) + e + 1
                 for n, s, a, d, k, e in zip(x.shape[2:], stride, padding, dilation, weight.shape[2:], extra))
    if any(s <= 0 for s in size):
        raise RuntimeError(f"Given input size per channel: ({' x '.join(map(str, x.shape[2:]))}). Calculated output size per channel: "
                           f"({' x '.join(map(str, size))}). Output size is too small")
    out = p.conv_input_grad(x, weight, size, stride, padding, padding, dilation, groups)
    out = _with_bias(out, bias, nd)
    return out if batched else p.reshape(out, out.shape[1:])


@op("ConvolutionBackward0")
def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The transpose of `conv1d` in its input: weight (C, O/groups, K); L_out = (L−1)·stride − 2·padding + dilation·(K−1) + output_padding + 1."""
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@op("ConvolutionBackward0")
def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The transpose of `conv2d` in its input: weight (C, O/groups, Kh, Kw)."""
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@op("ConvolutionBackward0")
def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The transpose of `conv3d` in its input: weight (C, O/groups, Kd, Kh, Kw)."""
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _blocks(size, kernel, dilation, padding, stride) -> tuple[int, ...]:
    return tuple((n + 2 * a - d * (k - 1) - 1) // s + 1 for n, k, d, a, s in zip(size, kernel, dilation, padding, stride))


def _positions(size, kernel, dilation, padding, stride):
    """Shape and strides, in a padded plane, of all (kernel position, block) pairs."""
    plane = [n + 2 * a for n, a in zip(size, padding)]
    blocks = _blocks(size, kernel, dilation, padding, stride)
    return plane, blocks, (plane[1] * dilation[0], dilation[1]), (plane[1] * stride[0], stride[1])


def _pair_of(value, name: str) -> tuple[int, int]:
    pair = repeat_to(value, 2, name)
    return pair[0], pair[1]


@op("Im2ColBackward0")
def unfold(input: Tensor, kernel_size, dilation=1, padding=0, stride=1):
    """All kernel-sized blocks of a batch of images as columns: (N, C, H, W) → (N, C·Kh·Kw, L)."""
    kernel, dilation = _pair_of(kernel_size, "kernel_size"), _pair_of(dilation, "dilation")
    padding, stride = _pair_of(padding, "padding"), _pair_of(stride, "stride")
    if input.ndim not in (3, 4):
        raise RuntimeError(f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
                           f"but got: {list(input.shape)}")
    x = input if input.ndim == 4 else p.reshape(input, (1, *input.shape))
    n, c = x.shape[:2]
    plane, blocks, k_strides, b_strides = _positions(x.shape[2:], kernel, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(f"Given input with spatial size ({x.shape[2]}, {x.shape[3]}), kernel_size={kernel}, dilation={dilation}, "
                           f"padding={padding}, calculated shape of the array of sliding blocks as {blocks}, but its components must be "
                           "at least one.")
    x = p.pad(x, (0, 0, *padding), (0, 0, *padding))
    image = plane[0] * plane[1]
    cols = p.strided_view(x, (n, c, *kernel, *blocks), (c * image, image, *k_strides, *b_strides), 0)
    out = p.reshape(cols, (n, c * math.prod(kernel), math.prod(blocks)))
    return out if input.ndim == 4 else p.reshape(out, out.shape[1:])


@op("Col2ImBackward0")
def fold(input: Tensor, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Adds blocks given as columns into images, the transpose of `unfold`: (N, C·Kh·Kw, L) → (N, C, H, W)."""
    size, kernel = _pair_of(output_size, "output_size"), _pair_of(kernel_size, "kernel_size")
    dilation, padding, stride = _pair_of(dilation, "dilation"), _pair_of(padding, "padding"), _pair_of(stride, "stride")
    if input.ndim not in (2, 3):
        raise RuntimeError(f"Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, "
                           f"but got: {list(input.shape)}")
    x = input if input.ndim == 3 else p.reshape(input, (1, *input.shape))
    if x.shape[1] % math.prod(kernel):
        raise RuntimeError(f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
                           f"{x.shape[1]} and kernel_size=({kernel[0]}, {kernel[1]}).")
    n, c = x.shape[0], x.shape[1] // math.prod(kernel)
    plane, blocks, k_strides, b_strides = _positions(size, kernel, dilation, padding, stride)
    if x.shape[2] != math.prod(blocks):
        raise RuntimeError(f"Given output_size=({size[0]}, {size[1]}), kernel_size=({kernel[0]}, {kernel[1]}), dilation=({dilation[0]}, "
                           f"{dilation[1]}), padding=({padding[0]}, {padding[1]}), stride=({stride[0]}, {stride[1]}), expected size of "
                           f"input's dimension 2 to match the calculated number of sliding blocks {blocks[0]} * {blocks[1]} = "
                           f"{math.prod(blocks)}, but got input.size(2)={x.shape[2]}.")
    cols = p.reshape(x, (n, c, *kernel, *blocks))
    image = plane[0] * plane[1]
    out = p.strided_sum(cols, (n, c, *plane), (c * image, image, *k_strides, *b_strides), 0)
    out = p.pad(out, (0, 0, -padding[0], -padding[1]), (0, 0, -padding[0], -padding[1]))
    return out if input.ndim == 3 else p.reshape(out, out.shape[1:])


def conv_tbc(input, weight, bias, pad=0):
    """conv1d on (time, batch, channels): weight (width, C_in, C_out), bias (C_out,), zeros padded at both ends."""
    if input.ndim != 3 or weight.ndim != 3 or bias.ndim != 1:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel" if input.ndim != 3 else
                           "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels." if weight.ndim != 3 else
                           "Bias must be 1-D")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor.")
    if weight.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)
