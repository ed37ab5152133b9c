"""EfficientNet (Tan and Le 2019, arXiv:1905.11946) and EfficientNet v2 (2021, arXiv:2104.00298)."""
from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional, Sequence

from ... import nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import _make_divisible, classifier
from ._weights import InterpolationMode, imagenet

__all__ = ["EfficientNet", *(f"EfficientNet_{size}_Weights" for size in (
    "B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "V2_L", "V2_M", "V2_S")), *(f"efficientnet_{size}" for size in (
        "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "v2_l", "v2_m", "v2_s"))]


@dataclass
class _MBConvConfig:
    """A stage: num_layers blocks, the first with the stride and the change of channels."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    block: Callable[..., Module]

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: Optional[int] = None) -> int:
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A stage of `MBConv` blocks, scaled in width and depth."""

    def __init__(self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int,
                 num_layers: int, width_mult: float = 1.0, depth_mult: float = 1.0,
                 block: Callable[..., Module] | None = None) -> None:
        super().__init__(expand_ratio, kernel, stride, self.adjust_channels(input_channels, width_mult),
                         self.adjust_channels(out_channels, width_mult), self.adjust_depth(num_layers, depth_mult),
                         block or MBConv)

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float):
        return int(math.ceil(num_layers * depth_mult))


class FusedMBConvConfig(_MBConvConfig):
    """A stage of `FusedMBConv` blocks."""

    def __init__(self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int,
                 num_layers: int, block: Callable[..., Module] | None = None) -> None:
        super().__init__(expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block or FusedMBConv)


class _Residual(Module):
    """`block`, around which the input is added where shapes allow; left out at random while training."""

    def __init__(self, cnf: _MBConvConfig, stochastic_depth_prob: float) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*self._layers(cnf))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def _layers(self, cnf: _MBConvConfig) -> list[Module]:
        raise NotImplementedError

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result = self.stochastic_depth(result)
            result += input
        return result


class MBConv(_Residual):
    """1×1 to more channels, a convolution for each channel, squeeze and excitation, 1×1 back."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Callable[..., Module],
                 se_layer: Callable[..., Module] = SqueezeExcitation) -> None:
        self._make = norm_layer, se_layer
        super().__init__(cnf, stochastic_depth_prob)

    def _layers(self, cnf: _MBConvConfig) -> list[Module]:
        norm_layer, se_layer = self._make
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        width = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers: list[Module] = []
        if width != cnf.input_channels:
            layers.append(conv(cnf.input_channels, width, kernel_size=1))
        layers += [conv(width, width, kernel_size=cnf.kernel, stride=cnf.stride, groups=width),
                   se_layer(width, max(1, cnf.input_channels // 4), activation=partial(nn.SiLU, inplace=True)),
                   conv(width, cnf.out_channels, kernel_size=1, activation_layer=None)]
        return layers


class FusedMBConv(_Residual):
    """One full convolution to more channels, 1×1 back; without expansion, the one only."""

    def __init__(self, cnf: FusedMBConvConfig, stochastic_depth_prob: float,
                 norm_layer: Callable[..., Module]) -> None:
        self._make = norm_layer
        super().__init__(cnf, stochastic_depth_prob)

    def _layers(self, cnf: _MBConvConfig) -> list[Module]:
        conv = partial(Conv2dNormActivation, norm_layer=self._make, activation_layer=nn.SiLU)
        width = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        if width == cnf.input_channels:
            return [conv(cnf.input_channels, cnf.out_channels, kernel_size=cnf.kernel, stride=cnf.stride)]
        return [conv(cnf.input_channels, width, kernel_size=cnf.kernel, stride=cnf.stride),
                conv(width, cnf.out_channels, kernel_size=1, activation_layer=None)]


class EfficientNet(Module):
    """(N, 3, H, W) → (N, num_classes).

    inverted_residual_setting: the stages; stochastic_depth_prob: grows to this from the first block to the last;
    last_channel: features before the classifier (default: four times the last stage's channels).
    """

    def __init__(self, inverted_residual_setting: Sequence[MBConvConfig | FusedMBConvConfig], dropout: float,
                 stochastic_depth_prob: float = 0.2, num_classes: int = 1000,
                 norm_layer: Callable[..., Module] | None = None, last_channel: int | None = None) -> None:
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(inverted_residual_setting, Sequence)
                and all(isinstance(s, _MBConvConfig) for s in inverted_residual_setting)):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[Module] = [conv(3, inverted_residual_setting[0].input_channels, kernel_size=3, stride=2)]
        total, done = sum(cnf.num_layers for cnf in inverted_residual_setting), 0
        for cnf in inverted_residual_setting:
            stage = []
            for i in range(cnf.num_layers):
                block = copy.copy(cnf)
                if i > 0:
                    block.input_channels, block.stride = block.out_channels, 1
                stage.append(block.block(block, stochastic_depth_prob * float(done) / total, norm))
                done += 1
            layers.append(nn.Sequential(*stage))
        channels = inverted_residual_setting[-1].out_channels
        last = last_channel if last_channel is not None else 4 * channels
        layers.append(conv(channels, last, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes))
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                init.ones_(module.weight)
            elif isinstance(module, nn.Linear):
                bound = 1.0 / math.sqrt(module.out_features)
                init.uniform_(module.weight, -bound, bound)
            else:
                continue
            if module.bias is not None:
                init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# expand_ratio, kernel, stride, input and output channels, layers
_V1 = [(1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
       (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1)]
_V1_SCALES = {  # width_mult, depth_mult
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8), "b5": (1.6, 2.2),
    "b6": (1.8, 2.6), "b7": (2.0, 3.1)}
_V2 = {  # the fused stages, then the others
    "s": ([(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)],
          [(4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)]),
    "m": ([(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)],
          [(4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)]),
    "l": ([(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)],
          [(4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)])}


def _efficientnet(size: str, **kwargs: Any) -> EfficientNet:
    """The network of size b0 to b7, or v2_s, v2_m, v2_l."""
    if size in _V1_SCALES:
        width, depth = _V1_SCALES[size]
        return EfficientNet([MBConvConfig(*stage, width_mult=width, depth_mult=depth) for stage in _V1], **kwargs)
    fused, others = _V2[size.removeprefix("v2_")]
    return EfficientNet([*(FusedMBConvConfig(*stage) for stage in fused), *(MBConvConfig(*stage) for stage in others)],
                        **{"last_channel": 1280, **kwargs})


class EfficientNet_B0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b0_rwightman-7f5810bc", "classification#efficientnet-v1", acc=(77.692, 93.532), params=5_288_548,
        gflops=0.386, mb=20.451, min_size=1, crop_size=224, resize_size=256, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B1_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b1_rwightman-bac287d4", "classification#efficientnet-v1", acc=(78.642, 94.186), params=7_794_184,
        gflops=0.687, mb=30.134, min_size=1, crop_size=240, resize_size=256, interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_V2 = imagenet(
        "efficientnet_b1-c27df63c", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-lr-wd-crop-tuning",
        acc=(79.838, 94.934), params=7_794_184, gflops=0.687, mb=30.136, min_size=1, crop_size=240, resize_size=255,
        interpolation=InterpolationMode.BILINEAR)
    DEFAULT = IMAGENET1K_V2


class EfficientNet_B2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b2_rwightman-c35c1473", "classification#efficientnet-v1", acc=(80.608, 95.31), params=9_109_994,
        gflops=1.088, mb=35.174, min_size=1, crop_size=288, resize_size=288, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B3_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b3_rwightman-b3899882", "classification#efficientnet-v1", acc=(82.008, 96.054), params=12_233_232,
        gflops=1.827, mb=47.184, min_size=1, crop_size=300, resize_size=320, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B4_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b4_rwightman-23ab8bcd", "classification#efficientnet-v1", acc=(83.384, 96.594), params=19_341_616,
        gflops=4.394, mb=74.489, min_size=1, crop_size=380, resize_size=384, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b5_lukemelas-1a07897c", "classification#efficientnet-v1", acc=(83.444, 96.628), params=30_389_784,
        gflops=10.266, mb=116.864, min_size=1, crop_size=456, resize_size=456, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B6_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b6_lukemelas-24a108a5", "classification#efficientnet-v1", acc=(84.008, 96.916), params=43_040_704,
        gflops=19.068, mb=165.362, min_size=1, crop_size=528, resize_size=528, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B7_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b7_lukemelas-c5b4e57e", "classification#efficientnet-v1", acc=(84.122, 96.908), params=66_347_960,
        gflops=37.746, mb=254.675, min_size=1, crop_size=600, resize_size=600, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_V2_L_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_v2_l-59c71312", "classification#efficientnet-v2", acc=(85.808, 97.788), params=118_515_272,
        gflops=56.08, mb=454.573, min_size=33, crop_size=480, resize_size=480, interpolation=InterpolationMode.BICUBIC,
        mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    DEFAULT = IMAGENET1K_V1


class EfficientNet_V2_M_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_v2_m-dc08266a", "classification#efficientnet-v2", acc=(85.112, 97.156), params=54_139_356,
        gflops=24.582, mb=208.01, min_size=33, crop_size=480, resize_size=480, interpolation=InterpolationMode.BILINEAR)
    DEFAULT = IMAGENET1K_V1


class EfficientNet_V2_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_v2_s-dd5fe13b", "classification#efficientnet-v2", acc=(84.228, 96.878), params=21_458_488,
        gflops=8.366, mb=82.704, min_size=33, crop_size=384, resize_size=384, interpolation=InterpolationMode.BILINEAR)
    DEFAULT = IMAGENET1K_V1


def _builder(size: str, weights: type[WeightsEnum], dropout: float, **norm: float) -> Callable[..., Any]:
    layer = {"norm_layer": partial(nn.BatchNorm2d, **norm)} if norm else {}
    return classifier(f"efficientnet_{size}", weights, _efficientnet, defaults={"dropout": dropout}, size=size, **layer)


efficientnet_b0 = _builder("b0", EfficientNet_B0_Weights, 0.2)
efficientnet_b1 = _builder("b1", EfficientNet_B1_Weights, 0.2)
efficientnet_b2 = _builder("b2", EfficientNet_B2_Weights, 0.3)
efficientnet_b3 = _builder("b3", EfficientNet_B3_Weights, 0.3)
efficientnet_b4 = _builder("b4", EfficientNet_B4_Weights, 0.4)
efficientnet_b5 = _builder("b5", EfficientNet_B5_Weights, 0.4, eps=0.001, momentum=0.01)
efficientnet_b6 = _builder("b6", EfficientNet_B6_Weights, 0.5, eps=0.001, momentum=0.01)
efficientnet_b7 = _builder("b7", EfficientNet_B7_Weights, 0.5, eps=0.001, momentum=0.01)
efficientnet_v2_s = _builder("v2_s", EfficientNet_V2_S_Weights, 0.2, eps=1e-3)
efficientnet_v2_m = _builder("v2_m", EfficientNet_V2_M_Weights, 0.3, eps=1e-3)
efficientnet_v2_l = _builder("v2_l", EfficientNet_V2_L_Weights, 0.4, eps=1e-3)
