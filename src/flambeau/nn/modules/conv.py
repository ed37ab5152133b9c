"""Convolution layers, ordinary, transposed and lazy, in one, two and three dimensions.

The layers of a kind differ in the number of spatial dimensions only; sizes (kernel_size, stride, padding, dilation) are
one number or one for each of these dimensions. Dumoulin & Visin 2016, arXiv:1603.07285, has the arithmetic of shapes.
"""
from __future__ import annotations

import math
from typing import Any

import flambeau

from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _pair, _reverse_repeat_tuple, _single, _triple

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d",
           "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: checks, parameters, initial values, text. Sizes are tuples here.

    Initial: weight and bias uniform on ±1/√fan_in.
    """

    __constants__ = ["stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels",
                     "out_channels", "kernel_size"]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple, stride: tuple, padding: str | tuple,
                 dilation: tuple, transposed: bool, output_padding: tuple, groups: int, bias: bool, padding_mode: str,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(step != 1 for step in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {set(_PADDING_MODES)}, but got "
                             f"padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = _border(padding, kernel_size, dilation)
        self.weight = Parameter(flambeau.empty(self._weight_shape(), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(flambeau.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        if self.transposed:
            return self.in_channels, self.out_channels // self.groups, *self.kernel_size
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # with this slope the bound is 1/√fan_in
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * len(value):
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def _border(padding: str | tuple, kernel_size: tuple, dilation: tuple) -> Any:
    """The padding as `F.pad` wants it: before and after, last dimension first."""
    if not isinstance(padding, str):
        return _reverse_repeat_tuple(padding, 2)
    border = []
    for step, size in zip(reversed(dilation), reversed(kernel_size)):
        total = step * (size - 1) if padding == "same" else 0
        border += [total // 2, total - total // 2]
    return border


class _Conv(_ConvNd):
    """An ordinary convolution of `_tuple`'s number of dimensions, by the function `_convolve`."""

    _tuple: Any
    _convolve: Any

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        tuple_ = self._tuple
        super().__init__(in_channels, out_channels, tuple_(kernel_size), tuple_(stride),
                         padding if isinstance(padding, str) else tuple_(padding), tuple_(dilation), False, tuple_(0),
                         groups, bias, padding_mode, device, dtype)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            return self._convolve(input, weight, bias, self.stride, self._tuple(0), self.dilation, self.groups)
        return self._convolve(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Cross-correlation of signals with kernels: y[n, o, i] = bias[o] + Σ_{c,k} x[n, c, i·stride + k·dilation −
    padding] weight[o, c, k].

    Shapes:  (N, C_in, L) or (C_in, L) → (N, C_out, L_out), L_out = ⌊(L + 2·padding − dilation·(kernel_size − 1) −
             1)/stride⌋ + 1; weight (C_out, C_in/groups, kernel_size).
    padding: a size, "valid" (none) or "same" (L_out = L).  padding_mode: "zeros", "reflect", "replicate", "circular".
    groups:  the channels are divided into so many groups that do not see each other.
    """

    _tuple, _convolve = staticmethod(_single), staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation of images with kernels, as Conv1d, over height and width.

    Shapes:  (N, C_in, H, W) or (C_in, H, W) → (N, C_out, H_out, W_out); weight (C_out, C_in/groups, *kernel_size).
    """

    _tuple, _convolve = staticmethod(_pair), staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation of volumes with kernels, as Conv1d, over depth, height and width.

    Shapes:  (N, C_in, D, H, W) or (C_in, D, H, W) → (N, C_out, D_out, H_out, W_out); weight (C_out, C_in/groups,
             *kernel_size).
    """

    _tuple, _convolve = staticmethod(_triple), staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    """A transposed convolution: the gradient of a convolution in its input."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple, stride: tuple, padding: tuple,
                 dilation: tuple, transposed: bool, output_padding: tuple, groups: int, bias: bool, padding_mode: str,
                 device: Any = None, dtype: Any = None) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding,
                         groups, bias, padding_mode, device, dtype)

    def _output_padding(self, input: Tensor, output_size: Any, stride: tuple, padding: tuple, kernel_size: tuple,
                        num_spatial_dims: int, dilation: tuple | None = None) -> Any:
        """What to add to the smallest output to get `output_size`; without one, the layer's own output_padding."""
        if output_size is None:
            return self.output_padding
        others = input.dim() - num_spatial_dims
        if len(output_size) == others + num_spatial_dims:
            output_size = output_size[others:]
        if len(output_size) != num_spatial_dims:
            raise ValueError(f"ConvTranspose{num_spatial_dims}D: for {input.dim()}D input, output_size must have "
                             f"{num_spatial_dims} or {others + num_spatial_dims} elements (got {len(output_size)})")
        smallest = [(size - 1) * step - 2 * pad + spread * (kernel - 1) + 1 for size, step, pad, spread, kernel in
                    zip(input.shape[others:], stride, padding, dilation or (1,) * num_spatial_dims, kernel_size)]
        largest = [size + step - 1 for size, step in zip(smallest, stride)]
        if not all(low <= size <= high for low, size, high in zip(smallest, output_size, largest)):
            raise ValueError(f"requested an output size of {output_size}, but valid sizes range from {smallest} to "
                             f"{largest} (for an input of {input.shape[2:]})")
        return tuple(size - low for size, low in zip(output_size, smallest))


class _ConvTranspose(_ConvTransposeNd):
    """A transposed convolution of `_tuple`'s number of dimensions, by the function `_convolve`."""

    _tuple: Any
    _convolve: Any

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None) -> None:
        tuple_ = self._tuple
        super().__init__(in_channels, out_channels, tuple_(kernel_size), tuple_(stride), tuple_(padding),
                         tuple_(dilation), True, tuple_(output_padding), groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        if self.padding_mode != "zeros":
            raise ValueError(f"Only `zeros` padding mode is supported for {type(self).__name__}")
        output_padding = self._output_padding(input, output_size, self.stride, self.padding, self.kernel_size,
                                              len(self.kernel_size), self.dilation)
        return self._convolve(input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups,
                              self.dilation)


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of signals: each input value adds its multiple of the kernel to the output, `stride`
    places apart.

    Shapes:  (N, C_in, L) or (C_in, L) → (N, C_out, L_out),
             L_out = (L − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1;
             weight (C_in, C_out/groups, kernel_size).
    output_padding: added to one side of the output; or give forward the `output_size` wanted, of the `stride` possible
    ones.
    """

    _tuple, _convolve = staticmethod(_single), staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images, as ConvTranspose1d, over height and width.

    Shapes:  (N, C_in, H, W) or (C_in, H, W) → (N, C_out, H_out, W_out); weight (C_in, C_out/groups, *kernel_size).
    """

    _tuple, _convolve = staticmethod(_pair), staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes, as ConvTranspose1d, over depth, height and width.

    Shapes:  (N, C_in, D, H, W) or (C_in, D, H, W) → (N, C_out, D_out, H_out, W_out); weight (C_in, C_out/groups,
             *kernel_size).
    """

    _tuple, _convolve = staticmethod(_triple), staticmethod(F.conv_transpose3d)


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that takes `in_channels` from its first input."""

    def _make_lazy(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that `input` asks for, and their initial values."""
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input: Tensor) -> int:
        unbatched = self._get_num_spatial_dims() + 1
        if input.dim() not in (unbatched, unbatched + 1):
            raise RuntimeError(f"Expected {unbatched}D (unbatched) or {unbatched + 1}D (batched) input to "
                               f"{type(self).__name__}, but got input of size: {input.shape}")
        return input.shape[-unbatched]

    def _get_num_spatial_dims(self) -> int:
        return len(self.kernel_size)


class _LazyConv(_LazyConvXdMixin):
    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
                 groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
        self._make_lazy(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                 groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode,
                         device, dtype)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d that takes `in_channels` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d that takes `in_channels` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d that takes `in_channels` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose3d
