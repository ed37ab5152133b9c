"""MNASNet, B1 variant (Tan et al. 2018, arXiv:1807.11626)."""
from __future__ import annotations

from functools import partial

from ... import nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["MNASNet", "MNASNet0_5_Weights", "MNASNet0_75_Weights", "MNASNet1_0_Weights", "MNASNet1_3_Weights",
           "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"]

_BN_MOMENTUM = 1 - 0.9997  # the paper counts the share that is kept


def _conv(in_ch: int, out_ch: int, kernel: int, stride: int = 1, relu: bool = True, depthwise: bool = False,
          momentum: float = _BN_MOMENTUM) -> list[Module]:
    layers: list[Module] = [nn.Conv2d(in_ch, out_ch, kernel, padding=kernel // 2, stride=stride,
                                      groups=in_ch if depthwise else 1, bias=False),
                            nn.BatchNorm2d(out_ch, momentum=momentum)]
    return layers + [nn.ReLU(inplace=True)] if relu else layers


class _InvertedResidual(Module):
    def __init__(self, in_ch: int, out_ch: int, kernel_size: int, stride: int, expansion_factor: int,
                 bn_momentum: float = 0.1) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        if kernel_size not in (3, 5):
            raise ValueError(f"kernel_size should be 3 or 5 instead of {kernel_size}")
        width = in_ch * expansion_factor
        self.apply_residual = in_ch == out_ch and stride == 1
        self.layers = nn.Sequential(
            *_conv(in_ch, width, 1, momentum=bn_momentum),
            *_conv(width, width, kernel_size, stride, depthwise=True, momentum=bn_momentum),
            *_conv(width, out_ch, 1, relu=False, momentum=bn_momentum))

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


def _round_to_multiple_of(val: float, divisor: int, round_up_bias: float = 0.9) -> int:
    """The multiple of divisor nearest to val, at least divisor and at least round_up_bias · val."""
    rounded = max(divisor, int(val + divisor / 2) // divisor * divisor)
    return rounded if rounded >= round_up_bias * val else rounded + divisor


def _get_depths(alpha: float) -> list[int]:
    return [_round_to_multiple_of(depth * alpha, 8) for depth in (32, 16, 24, 40, 80, 96, 192, 320)]


_STACKS = [(3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1)]  # kernel, stride,
#                                                                                       expansion, number of blocks


class MNASNet(Module):
    """(N, 3, H, W) → (N, num_classes). alpha scales the channels."""

    _version = 2

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha, self.num_classes = alpha, num_classes
        first, *depths = _get_depths(alpha)
        layers = [*_conv(3, first, 3, 2), *_conv(first, first, 3, depthwise=True),
                  *_conv(first, depths[0], 1, relu=False)]
        for in_ch, out_ch, (kernel, stride, expansion, repeats) in zip(depths, depths[1:], _STACKS):
            blocks = [_InvertedResidual(in_ch, out_ch, kernel, stride, expansion, _BN_MOMENTUM)]
            blocks += [_InvertedResidual(out_ch, out_ch, kernel, 1, expansion, _BN_MOMENTUM)
                       for _ in range(1, repeats)]
            layers.append(nn.Sequential(*blocks))
        self.layers = nn.Sequential(*layers, *_conv(depths[-1], 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                init.ones_(module.weight)
                init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
                init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))


class MNASNet0_5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mnasnet0.5_top1_67.823-3ffadce67e", "https://github.com/1e100/mnasnet_trainer", acc=(67.734, 87.49),
        params=2_218_512, gflops=0.104, mb=8.591, min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class MNASNet0_75_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mnasnet0_75-7090bc5f", "https://github.com/pytorch/vision/pull/6019", acc=(71.18, 90.496), params=3_170_208,
        gflops=0.215, mb=12.303, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class MNASNet1_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mnasnet1.0_top1_73.512-f206786ef8", "https://github.com/1e100/mnasnet_trainer", acc=(73.456, 91.51),
        params=4_383_312, gflops=0.314, mb=16.915, min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class MNASNet1_3_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "mnasnet1_3-a4c69d6f", "https://github.com/pytorch/vision/pull/6019", acc=(76.506, 93.522), params=6_282_256,
        gflops=0.526, mb=24.246, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


_builder = partial(classifier, network=MNASNet)
mnasnet0_5 = _builder("mnasnet0_5", MNASNet0_5_Weights, alpha=0.5)
mnasnet0_75 = _builder("mnasnet0_75", MNASNet0_75_Weights, alpha=0.75)
mnasnet1_0 = _builder("mnasnet1_0", MNASNet1_0_Weights, alpha=1.0)
mnasnet1_3 = _builder("mnasnet1_3", MNASNet1_3_Weights, alpha=1.3)
