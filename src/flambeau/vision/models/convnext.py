"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545)."""
from __future__ import annotations

from functools import partial
from typing import Any, Callable

from ... import nn, ones
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["ConvNeXt", "ConvNeXt_Base_Weights", "ConvNeXt_Large_Weights", "ConvNeXt_Small_Weights",
           "ConvNeXt_Tiny_Weights", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of each position's channels, (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(Module):
    """A 7×7 convolution for each channel, then a two-layer perceptron at each position, scaled and added."""

    def __init__(self, dim, layer_scale: float, stochastic_depth_prob: float,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True), Permute([0, 2, 3, 1]), norm(dim),
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), Permute([0, 3, 1, 2]))
        self.layer_scale = nn.Parameter(ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.stochastic_depth(self.layer_scale * self.block(input))
        result += input
        return result


class CNBlockConfig:
    """A stage: num_layers blocks of input_channels, then a halving of the resolution to out_channels (if any)."""

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels, self.out_channels, self.num_layers = input_channels, out_channels, num_layers

    def __repr__(self) -> str:
        return (f"CNBlockConfig(input_channels={self.input_channels}, out_channels={self.out_channels}, "
                f"num_layers={self.num_layers})")


class ConvNeXt(Module):
    """(N, 3, H, W) → (N, num_classes). stochastic_depth_prob grows to this from the first block to the last."""

    def __init__(self, block_setting: list[CNBlockConfig], stochastic_depth_prob: float = 0.0,
                 layer_scale: float = 1e-6, num_classes: int = 1000, block: Callable[..., Module] | None = None,
                 norm_layer: Callable[..., Module] | None = None, **kwargs: Any) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not all(isinstance(s, CNBlockConfig) for s in block_setting):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        block, norm = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        layers: list[Module] = [Conv2dNormActivation(
            3, block_setting[0].input_channels, kernel_size=4, stride=4, padding=0, norm_layer=norm,
            activation_layer=None, bias=True)]
        total, done = sum(cnf.num_layers for cnf in block_setting), 0
        for cnf in block_setting:
            stage = []
            for _ in range(cnf.num_layers):
                stage.append(block(cnf.input_channels, layer_scale, stochastic_depth_prob * done / (total - 1.0)))
                done += 1
            layers.append(nn.Sequential(*stage))
            if cnf.out_channels is not None:
                layers.append(nn.Sequential(norm(cnf.input_channels),
                                            nn.Conv2d(cnf.input_channels, cnf.out_channels, kernel_size=2, stride=2)))
        last = block_setting[-1]
        channels = last.out_channels if last.out_channels is not None else last.input_channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(channels), nn.Flatten(1), nn.Linear(channels, num_classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(width: int, depths: tuple[int, ...], **kwargs: Any) -> ConvNeXt:
    widths = [width, 2 * width, 4 * width, 8 * width, None]
    return ConvNeXt([CNBlockConfig(a, b, n) for a, b, n in zip(widths, widths[1:], depths)],  # type: ignore[arg-type]
                    **kwargs)


class ConvNeXt_Base_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "convnext_base-6075fbad", "classification#convnext", acc=(84.062, 96.87), params=88_591_464, gflops=15.355,
        mb=338.064, min_size=32, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Large_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "convnext_large-ea097f82", "classification#convnext", acc=(84.414, 96.976), params=197_767_336, gflops=34.361,
        mb=754.537, min_size=32, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Small_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "convnext_small-0c510722", "classification#convnext", acc=(83.616, 96.65), params=50_223_688, gflops=8.684,
        mb=191.703, min_size=32, crop_size=224, resize_size=230)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Tiny_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "convnext_tiny-983f1562", "classification#convnext", acc=(82.52, 96.146), params=28_589_128, gflops=4.456,
        mb=109.119, min_size=32, crop_size=224, resize_size=236)
    DEFAULT = IMAGENET1K_V1


def _builder(size: str, weights: type[WeightsEnum], width: int, depths: tuple[int, ...],
             stochastic_depth_prob: float) -> Callable[..., Any]:
    return classifier(f"convnext_{size}", weights, _convnext, width=width, depths=depths,
                      defaults={"stochastic_depth_prob": stochastic_depth_prob})


convnext_tiny = _builder("tiny", ConvNeXt_Tiny_Weights, 96, (3, 3, 9, 3), 0.1)
convnext_small = _builder("small", ConvNeXt_Small_Weights, 96, (3, 3, 27, 3), 0.4)
convnext_base = _builder("base", ConvNeXt_Base_Weights, 128, (3, 3, 27, 3), 0.5)
convnext_large = _builder("large", ConvNeXt_Large_Weights, 192, (3, 3, 27, 3), 0.5)
