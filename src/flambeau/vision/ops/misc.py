"""Layers that networks for images are built from."""
from __future__ import annotations

from typing import Callable, Sequence

from ... import nn
from ...nn import Module
from ...tensor.tensor import Tensor

__all__ = ["Conv2dNormActivation", "Conv3dNormActivation", "FrozenBatchNorm2d", "MLP", "Permute", "SqueezeExcitation"]


class FrozenBatchNorm2d(Module):
    """Batch normalisation with fixed statistics and affine parameters, all of them buffers.

    Shapes: (N, C, H, W) → the same.
    """

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, _full(num_features, value))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict.pop(prefix + "num_batches_tracked", None)  # weights of a BatchNorm2d fit
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, mean, var = (getattr(self, name).reshape(1, -1, 1, 1)
                                   for name in ("weight", "bias", "running_mean", "running_var"))
        scale = weight * (var + self.eps).rsqrt()
        return x * scale + (bias - mean * scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


def _full(size: int, value: float) -> Tensor:
    from ... import full

    return full((size,), value)


class ConvNormActivation(nn.Sequential):
    """A convolution, a normalisation and an activation, each of the latter two unless it is None.

    padding: None keeps the size (at stride 1). bias: None means only without normalisation. inplace: None for
    activations without such an argument.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, ...] = 3,
                 stride: int | tuple[int, ...] = 1, padding: int | tuple[int, ...] | str | None = None,
                 groups: int = 1, norm_layer: Callable[..., Module] | None = nn.BatchNorm2d,
                 activation_layer: Callable[..., Module] | None = nn.ReLU, dilation: int | tuple[int, ...] = 1,
                 inplace: bool | None = True, bias: bool | None = None,
                 conv_layer: Callable[..., Module] = nn.Conv2d) -> None:
        if padding is None:
            padding = _same_padding(kernel_size, dilation)
        if bias is None:
            bias = norm_layer is None
        layers = [conv_layer(in_channels, out_channels, kernel_size, stride, padding, dilation=dilation,
                             groups=groups, bias=bias)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same_padding(kernel_size: int | Sequence[int], dilation: int | Sequence[int]) -> int | tuple[int, ...]:
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    dims = len(kernel_size if not isinstance(kernel_size, int) else dilation)  # type: ignore[arg-type]
    kernels = (kernel_size,) * dims if isinstance(kernel_size, int) else kernel_size
    dilations = (dilation,) * dims if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernels, dilations))


class Conv2dNormActivation(ConvNormActivation):
    """Conv2d, then by default BatchNorm2d and ReLU in place. (N, in_channels, H, W) → (N, out_channels, H', W')."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int] = 3,
                 stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] | str | None = None,
                 groups: int = 1, norm_layer: Callable[..., Module] | None = nn.BatchNorm2d,
                 activation_layer: Callable[..., Module] | None = nn.ReLU, dilation: int | tuple[int, int] = 1,
                 inplace: bool | None = True, bias: bool | None = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer,
                         activation_layer, dilation, inplace, bias, nn.Conv2d)


class Conv3dNormActivation(ConvNormActivation):
    """Conv3d, then by default BatchNorm3d and ReLU in place. (N, in_channels, D, H, W) → (N, out_channels, …)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int, int] = 3,
                 stride: int | tuple[int, int, int] = 1, padding: int | tuple[int, int, int] | str | None = None,
                 groups: int = 1, norm_layer: Callable[..., Module] | None = nn.BatchNorm3d,
                 activation_layer: Callable[..., Module] | None = nn.ReLU, dilation: int | tuple[int, int, int] = 1,
                 inplace: bool | None = True, bias: bool | None = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer,
                         activation_layer, dilation, inplace, bias, nn.Conv3d)


class SqueezeExcitation(Module):
    """Scales each channel by a gate computed from the means of all channels (Hu et al. 2018, arXiv:1709.01507).

    gate = scale_activation(fc2(activation(fc1(mean over H, W)))), with `squeeze_channels` in between.
    """

    def __init__(self, input_channels: int, squeeze_channels: int, activation: Callable[..., Module] = nn.ReLU,
                 scale_activation: Callable[..., Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def _scale(self, input: Tensor) -> Tensor:
        return self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(input)))))

    def forward(self, input: Tensor) -> Tensor:
        return self._scale(input) * input


class MLP(nn.Sequential):
    """Linear layers, between them a normalisation (if any), an activation and dropout; dropout last, too."""

    def __init__(self, in_channels: int, hidden_channels: list[int],
                 norm_layer: Callable[..., Module] | None = None,
                 activation_layer: Callable[..., Module] | None = nn.ReLU, inplace: bool | None = None,
                 bias: bool = True, dropout: float = 0.0):
        options = {} if inplace is None else {"inplace": inplace}
        layers: list[Module] = []
        sizes = [in_channels, *hidden_channels]
        for before, after in zip(sizes[:-2], sizes[1:-1]):
            layers.append(nn.Linear(before, after, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(after))
            layers += [activation_layer(**options), nn.Dropout(dropout, **options)]  # type: ignore[misc]
        layers += [nn.Linear(*sizes[-2:], bias=bias), nn.Dropout(dropout, **options)]
        super().__init__(*layers)


class Permute(Module):
    """The tensor with its dimensions in the order `dims`."""

    def __init__(self, dims: list[int]):
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)
