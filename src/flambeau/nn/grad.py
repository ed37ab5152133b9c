"""`torch.nn.grad`: the gradients of convolutions, as functions. They are differentiable, too."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Sequence

from .. import primitives as p
from ..ir.graph import Var
from ..tensor.op import op
from .functional.conv import repeat_to


def _geometry(nd: int, input_size: Sequence[int], weight_size: Sequence[int], grad_output: Var, other: Var,
              stride, padding, dilation, groups: int) -> tuple:
    """(stride, low and high padding, dilation, groups), once it is sure that they go together."""
    if len(weight_size) < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if len(input_size) != len(weight_size) or len(weight_size) != nd + 2:
        raise RuntimeError(f"Expected {nd + 2}-dimensional input for {nd + 2}-dimensional weight {list(weight_size)}, but got "
                           f"{len(input_size)}-dimensional input of size {list(input_size)} instead")
    stride, padding, dilation = (repeat_to(v, nd, name) for v, name in
                                 ((stride, "stride"), (padding, "padding"), (dilation, "dilation")))
    if any(a < 0 for a in padding):
        raise RuntimeError("negative padding is not supported")
    if any(s <= 0 for s in (*stride, *dilation)):
        raise RuntimeError("stride and dilation should be greater than zero")
    if input_size[1] != weight_size[1] * groups:
        raise RuntimeError(f"Given groups={groups}, weight of size {list(weight_size)}, expected input{list(input_size)} to have "
                           f"{weight_size[1] * groups} channels, but got {input_size[1]} channels instead")
    if grad_output.dtype is not other.dtype:
        raise RuntimeError(f"expected scalar type {grad_output.dtype._legacy} but found {other.dtype._legacy}")
    planes = [(n + 2 * a - d * (k - 1) - 1) // s + 1
              for n, k, s, a, d in zip(input_size[2:], weight_size[2:], stride, padding, dilation)]
    if grad_output.shape != (input_size[0], weight_size[0], *planes):
        raise RuntimeError(f"grad_output should have the shape of the convolution's output, {[input_size[0], weight_size[0], *planes]}, "
                           f"but has {list(grad_output.shape)}")
    return stride, padding, padding, dilation, groups


def _input(nd: int, input_size, weight: Var, grad_output: Var, *geometry) -> Var:
    size = tuple(map(int, input_size))
    return p.conv_input_grad(grad_output, weight, size[2:], *_geometry(nd, size, weight.shape, grad_output, weight, *geometry))


def _weight(nd: int, input: Var, weight_size, grad_output: Var, *geometry) -> Var:
    size = tuple(map(int, weight_size))
    return p.conv_weight_grad(input, grad_output, size[2:], *_geometry(nd, input.shape, size, grad_output, input, *geometry))


@op("ConvolutionBackwardBackward0")
def conv1d_input(input_size, weight: Tensor, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv1d` in its input, of shape `input_size` (N, C, L): weight (O, C/groups, K), grad_output (N, O, L_out)."""
    return _input(1, input_size, weight, grad_output, stride, padding, dilation, groups)


@op("ConvolutionBackwardBackward0")
def conv1d_weight(input: Tensor, weight_size, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv1d` in its weight, of shape `weight_size` (O, C/groups, K): input (N, C, L), grad_output (N, O, L_out)."""
    return _weight(1, input, weight_size, grad_output, stride, padding, dilation, groups)


@op("ConvolutionBackwardBackward0")
def conv2d_input(input_size, weight: Tensor, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv2d` in its input, of shape `input_size` (N, C, H, W)."""
    return _input(2, input_size, weight, grad_output, stride, padding, dilation, groups)


@op("ConvolutionBackwardBackward0")
def conv2d_weight(input: Tensor, weight_size, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv2d` in its weight, of shape `weight_size` (O, C/groups, Kh, Kw)."""
    return _weight(2, input, weight_size, grad_output, stride, padding, dilation, groups)


@op("ConvolutionBackwardBackward0")
def conv3d_input(input_size, weight: Tensor, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv3d` in its input, of shape `input_size` (N, C, D, H, W)."""
    return _input(3, input_size, weight, grad_output, stride, padding, dilation, groups)


@op("ConvolutionBackwardBackward0")
def conv3d_weight(input: Tensor, weight_size, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv3d` in its weight, of shape `weight_size` (O, C/groups, Kd, Kh, Kw)."""
    return _weight(3, input, weight_size, grad_output, stride, padding, dilation, groups)
