"""MobileNet v2 (Sandler et al. 2018, arXiv:1801.04381)."""
from __future__ import annotations

from typing import Callable

from ... import nn
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation
from ._api import WeightsEnum
from ._utils import _make_divisible, classifier
from ._weights import imagenet

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]


class InvertedResidual(Module):
    """1×1 to expand_ratio times the channels, 3×3 for each channel, 1×1 back without activation."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = int(round(inp * expand_ratio))
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        layers: list[Module] = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, hidden, 1, norm_layer=norm, activation_layer=nn.ReLU6))
        layers += [Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, norm_layer=norm,
                                        activation_layer=nn.ReLU6),
                   nn.Conv2d(hidden, oup, 1, bias=False), norm(oup)]
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup
        self._is_cn = stride > 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


# expand_ratio, channels, blocks, stride of the first
_SETTING = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]


class MobileNetV2(Module):
    """(N, 3, H, W) → (N, num_classes). Channels are multiples of round_nearest after scaling by width_mult."""

    def __init__(self, num_classes: int = 1000, width_mult: float = 1.0,
                 inverted_residual_setting: list[list[int]] | None = None, round_nearest: int = 8,
                 block: Callable[..., Module] | None = None, norm_layer: Callable[..., Module] | None = None,
                 dropout: float = 0.2) -> None:
        super().__init__()
        block, norm = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or len(setting[0]) != 4:
            raise ValueError("inverted_residual_setting should be non-empty or a 4-element list, got "
                             f"{inverted_residual_setting}")
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[Module] = [Conv2dNormActivation(3, channels, stride=2, norm_layer=norm,
                                                       activation_layer=nn.ReLU6)]
        for expand_ratio, width, blocks, stride in setting:
            out = _make_divisible(width * width_mult, round_nearest)
            for i in range(blocks):
                features.append(block(channels, out, stride if i == 0 else 1, expand_ratio=expand_ratio,
                                      norm_layer=norm))
                channels = out
        features.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, norm_layer=norm,
                                             activation_layer=nn.ReLU6))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


def initialize(model: Module) -> None:
    """The MobileNets' initialisation: Kaiming by fan-out for convolutions, N(0, 0.01²) for linear layers, no bias."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            init.ones_(module.weight)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, 0, 0.01)
        else:
            continue
        if module.bias is not None:
            init.zeros_(module.bias)


class MobileNet_V2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mobilenet_v2-b0353104", "classification#mobilenetv2", acc=(71.878, 90.286), params=3_504_872, gflops=0.301,
        mb=13.555, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "mobilenet_v2-7ebf99e0", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-reg-tuning",
        acc=(72.154, 90.822), params=3_504_872, gflops=0.301, mb=13.598, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


mobilenet_v2 = classifier("mobilenet_v2", MobileNet_V2_Weights, MobileNetV2)
