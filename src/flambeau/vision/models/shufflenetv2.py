"""ShuffleNet v2 (Ma et al. 2018, arXiv:1807.11164)."""
from __future__ import annotations

from functools import partial
from typing import Callable

from ... import cat, nn
from ...nn import Module
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["ShuffleNetV2", "ShuffleNet_V2_X0_5_Weights", "ShuffleNet_V2_X1_0_Weights", "ShuffleNet_V2_X1_5_Weights",
           "ShuffleNet_V2_X2_0_Weights", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5",
           "shufflenet_v2_x2_0"]


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleaves the channels of the groups: (N, groups·C, H, W) → the same."""
    n, channels, height, width = x.size()
    return x.view(n, groups, channels // groups, height, width).transpose(1, 2).contiguous().view(x.size())


def _conv(inp: int, oup: int, kernel: int = 1, stride: int = 1, relu: bool = True, depthwise: bool = False):
    layers = [nn.Conv2d(inp, oup, kernel, stride, kernel // 2, groups=inp if depthwise else 1, bias=False),
              nn.BatchNorm2d(oup)]
    return layers + [nn.ReLU(inplace=True)] if relu else layers


class InvertedResidual(Module):
    """At stride 1, convolves half of the channels; at stride 2, all of them twice. Then shuffles."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        self.stride = stride
        width = oup // 2
        if stride == 1 and inp != width << 1:
            raise ValueError(f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. If stride == 1 "
                             "then inp should be equal to oup // 2 << 1.")
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(*_conv(inp, inp, 3, stride, relu=False, depthwise=True), *_conv(inp, width))
        self.branch2 = nn.Sequential(*_conv(inp if stride > 1 else width, width),
                                     *_conv(width, width, 3, stride, relu=False, depthwise=True),
                                     *_conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, convolved = x.chunk(2, dim=1)
            return channel_shuffle(cat((kept, self.branch2(convolved)), 1), 2)
        return channel_shuffle(cat((self.branch1(x), self.branch2(x)), 1), 2)


class ShuffleNetV2(Module):
    """(N, 3, H, W) → (N, num_classes). stages_repeats: blocks of stages 2 to 4; stages_out_channels: five widths."""

    def __init__(self, stages_repeats: list[int], stages_out_channels: list[int], num_classes: int = 1000,
                 inverted_residual: Callable[..., Module] = InvertedResidual) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        self._stage_out_channels = stages_out_channels
        channels, *stages, last = stages_out_channels
        self.conv1 = nn.Sequential(*_conv(3, channels, 3, 2))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for i, (repeats, width) in enumerate(zip(stages_repeats, stages), 2):
            self.add_module(f"stage{i}", nn.Sequential(
                inverted_residual(channels, width, 2),
                *(inverted_residual(width, width, 1) for _ in range(repeats - 1))))
            channels = width
        self.conv5 = nn.Sequential(*_conv(channels, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


class ShuffleNet_V2_X0_5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "shufflenetv2_x0.5-f707e7126e", "https://github.com/ericsun99/Shufflenet-v2-Pytorch", acc=(60.552, 81.746),
        params=1_366_792, gflops=0.04, mb=5.282, min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "shufflenetv2_x1-5666bf0f80", "https://github.com/ericsun99/Shufflenet-v2-Pytorch", acc=(69.362, 88.316),
        params=2_278_604, gflops=0.145, mb=8.791, min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "shufflenetv2_x1_5-3c479a10", "https://github.com/pytorch/vision/pull/5906", acc=(72.996, 91.086),
        params=3_503_624, gflops=0.296, mb=13.557, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X2_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "shufflenetv2_x2_0-8be3c8ee", "https://github.com/pytorch/vision/pull/5906", acc=(76.23, 93.006),
        params=7_393_996, gflops=0.583, mb=28.433, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


_builder = partial(classifier, network=ShuffleNetV2, stages_repeats=[4, 8, 4])
shufflenet_v2_x0_5 = _builder("shufflenet_v2_x0_5", ShuffleNet_V2_X0_5_Weights,
                              stages_out_channels=[24, 48, 96, 192, 1024])
shufflenet_v2_x1_0 = _builder("shufflenet_v2_x1_0", ShuffleNet_V2_X1_0_Weights,
                              stages_out_channels=[24, 116, 232, 464, 1024])
shufflenet_v2_x1_5 = _builder("shufflenet_v2_x1_5", ShuffleNet_V2_X1_5_Weights,
                              stages_out_channels=[24, 176, 352, 704, 1024])
shufflenet_v2_x2_0 = _builder("shufflenet_v2_x2_0", ShuffleNet_V2_X2_0_Weights,
                              stages_out_channels=[24, 244, 488, 976, 2048])
