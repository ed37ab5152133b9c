"""MobileNet v3 (Howard et al. 2019, arXiv:1905.02244)."""
from __future__ import annotations

from functools import partial
from typing import Any, Callable

from ... import nn
from ...nn import Module
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._api import WeightsEnum
from ._utils import _make_divisible, classifier
from ._weights import imagenet
from .mobilenetv2 import initialize

__all__ = ["MobileNetV3", "MobileNet_V3_Large_Weights", "MobileNet_V3_Small_Weights", "mobilenet_v3_large",
           "mobilenet_v3_small"]


class InvertedResidualConfig:
    """One block: channels before, within and after; activation "HS" (Hardswish) or "RE" (ReLU)."""

    def __init__(self, input_channels: int, kernel: int, expanded_channels: int, out_channels: int, use_se: bool,
                 activation: str, stride: int, dilation: int, width_mult: float):
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride, self.dilation = stride, dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float):
        """channels · width_mult as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8)


class InvertedResidual(Module):
    """1×1 to more channels, a convolution for each channel, squeeze and excitation (if any), 1×1 back."""

    def __init__(self, cnf: InvertedResidualConfig, norm_layer: Callable[..., Module],
                 se_layer: Callable[..., Module] = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)):
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        width = cnf.expanded_channels
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer,
                       activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU)
        layers: list[Module] = []
        if width != cnf.input_channels:
            layers.append(conv(cnf.input_channels, width, kernel_size=1))
        layers.append(conv(width, width, kernel_size=cnf.kernel, stride=1 if cnf.dilation > 1 else cnf.stride,
                           dilation=cnf.dilation, groups=width))
        if cnf.use_se:
            layers.append(se_layer(width, _make_divisible(width // 4, 8)))
        layers.append(conv(width, cnf.out_channels, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels
        self._is_cn = cnf.stride > 1

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result += input
        return result


class MobileNetV3(Module):
    """(N, 3, H, W) → (N, num_classes). last_channel: width of the hidden linear layer."""

    def __init__(self, inverted_residual_setting: list[InvertedResidualConfig], last_channel: int,
                 num_classes: int = 1000, block: Callable[..., Module] | None = None,
                 norm_layer: Callable[..., Module] | None = None, dropout: float = 0.2, **kwargs: Any) -> None:
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(inverted_residual_setting, (list, tuple))
                and all(isinstance(s, InvertedResidualConfig) for s in inverted_residual_setting)):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        block = block or InvertedResidual
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        first, last = inverted_residual_setting[0].input_channels, inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(conv(3, first, kernel_size=3, stride=2),
                                      *(block(cnf, norm) for cnf in inverted_residual_setting),
                                      conv(last, 6 * last, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(6 * last, last_channel), nn.Hardswish(inplace=True),
                                        nn.Dropout(p=dropout, inplace=True), nn.Linear(last_channel, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# kernel, expanded and output channels, squeeze and excitation, activation, stride; * marks the tail, whose channels
# reduced_tail halves and whose stride `dilated` turns into dilation
_BLOCKS = {
    "large": (16, """3 16 16 - RE 1, 3 64 24 - RE 2, 3 72 24 - RE 1, 5 72 40 SE RE 2, 5 120 40 SE RE 1,
        5 120 40 SE RE 1, 3 240 80 - HS 2, 3 200 80 - HS 1, 3 184 80 - HS 1, 3 184 80 - HS 1, 3 480 112 SE HS 1,
        3 672 112 SE HS 1, 5 672 160* SE HS 2*, 5 960* 160* SE HS 1*, 5 960* 160* SE HS 1*""", 1280),
    "small": (16, """3 16 16 SE RE 2, 3 72 24 - RE 2, 3 88 24 - RE 1, 5 96 40 SE HS 2, 5 240 40 SE HS 1,
        5 240 40 SE HS 1, 5 120 48 SE HS 1, 5 144 48 SE HS 1, 5 288 96* SE HS 2*, 5 576* 96* SE HS 1*,
        5 576* 96* SE HS 1*""", 1024),
}


def _mobilenet_v3_conf(arch: str, width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False,
                       **kwargs: Any) -> tuple[list[InvertedResidualConfig], int]:
    """(the blocks, last_channel) of "mobilenet_v3_large" or "mobilenet_v3_small"."""
    size = arch.removeprefix("mobilenet_v3_")
    if size not in _BLOCKS:
        raise ValueError(f"Unsupported model type {arch}")
    channels, text, last = _BLOCKS[size]
    divider = 2 if reduced_tail else 1
    setting = []
    for block in text.split(","):
        kernel, expanded, out, se, activation, stride = block.split()
        width, channels_out = (int(c[:-1]) // divider if c.endswith("*") else int(c) for c in (expanded, out))
        dilation = 2 if stride.endswith("*") and dilated else 1
        setting.append(InvertedResidualConfig(channels, int(kernel), width, channels_out, se == "SE", activation,
                                              int(stride.rstrip("*")), dilation, width_mult))
        channels = channels_out
    return setting, InvertedResidualConfig.adjust_channels(last // divider, width_mult)


def _mobilenet_v3(arch: str, width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False,
                  **kwargs: Any) -> MobileNetV3:
    return MobileNetV3(*_mobilenet_v3_conf(arch, width_mult, reduced_tail, dilated), **kwargs)


class MobileNet_V3_Large_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mobilenet_v3_large-8738ca79", "classification#mobilenetv3-large--small", acc=(74.042, 91.34), params=5_483_032,
        gflops=0.217, mb=21.114, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "mobilenet_v3_large-5c1a4163", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-reg-tuning",
        acc=(75.274, 92.566), params=5_483_032, gflops=0.217, mb=21.107, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class MobileNet_V3_Small_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mobilenet_v3_small-047dcff4", "classification#mobilenetv3-large--small", acc=(67.668, 87.402),
        params=2_542_856, gflops=0.057, mb=9.829, min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


mobilenet_v3_large = classifier("mobilenet_v3_large", MobileNet_V3_Large_Weights, _mobilenet_v3,
                                arch="mobilenet_v3_large")
mobilenet_v3_small = classifier("mobilenet_v3_small", MobileNet_V3_Small_Weights, _mobilenet_v3,
                                arch="mobilenet_v3_small")
