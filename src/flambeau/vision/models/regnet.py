"""RegNet (Radosavovic et al. 2020, arXiv:2003.13678)."""
from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial
from typing import Any, Callable

import numpy as np

from ... import nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._api import WeightsEnum
from ._utils import _make_divisible, classifier
from ._weights import SWAG_LICENSE, InterpolationMode, imagenet

_X_SIZES = ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")
__all__ = ["RegNet", *(f"RegNet_{kind}_{size.upper()}_Weights" for kind in "XY" for size in _X_SIZES),
           *(f"regnet_{kind}_{size}" for kind in "xy" for size in _X_SIZES), "RegNet_Y_128GF_Weights",
           "regnet_y_128gf"]


class SimpleStemIN(Conv2dNormActivation):
    """A 3×3 convolution with stride 2."""

    def __init__(self, width_in: int, width_out: int, norm_layer: Callable[..., Module],
                 activation_layer: Callable[..., Module]) -> None:
        super().__init__(width_in, width_out, kernel_size=3, stride=2, norm_layer=norm_layer,
                         activation_layer=activation_layer)


class BottleneckTransform(nn.Sequential):
    """1×1, grouped 3×3, squeeze and excitation (if any), 1×1."""

    def __init__(self, width_in: int, width_out: int, stride: int, norm_layer: Callable[..., Module],
                 activation_layer: Callable[..., Module], group_width: int, bottleneck_multiplier: float,
                 se_ratio: float | None) -> None:
        width = int(round(width_out * bottleneck_multiplier))
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer)
        layers: OrderedDict[str, Module] = OrderedDict()
        layers["a"] = conv(width_in, width, kernel_size=1)
        layers["b"] = conv(width, width, kernel_size=3, stride=stride, groups=width // group_width)
        if se_ratio:
            layers["se"] = SqueezeExcitation(width, int(round(se_ratio * width_in)), activation=activation_layer)
        layers["c"] = conv(width, width_out, kernel_size=1, activation_layer=None)
        super().__init__(layers)


class ResBottleneckBlock(Module):
    """A `BottleneckTransform` around which the input, or a projection of it, is added."""

    def __init__(self, width_in: int, width_out: int, stride: int, norm_layer: Callable[..., Module],
                 activation_layer: Callable[..., Module], group_width: int = 1, bottleneck_multiplier: float = 1.0,
                 se_ratio: float | None = None) -> None:
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(width_in, width_out, kernel_size=1, stride=stride, norm_layer=norm_layer,
                                             activation_layer=None)
        self.f = BottleneckTransform(width_in, width_out, stride, norm_layer, activation_layer, group_width,
                                     bottleneck_multiplier, se_ratio)
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """`depth` blocks of one width, named block{stage_index}-{i}; the first has the stride."""

    def __init__(self, width_in: int, width_out: int, stride: int, depth: int, block_constructor: Callable[..., Module],
                 norm_layer: Callable[..., Module], activation_layer: Callable[..., Module], group_width: int,
                 bottleneck_multiplier: float, se_ratio: float | None = None, stage_index: int = 0) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(f"block{stage_index}-{i}", block_constructor(
                width_in if i == 0 else width_out, width_out, stride if i == 0 else 1, norm_layer, activation_layer,
                group_width, bottleneck_multiplier, se_ratio))


class BlockParams:
    """The stages of a network: depths, widths, group widths, bottleneck multipliers, strides; and the SE ratio."""

    def __init__(self, depths: list[int], widths: list[int], group_widths: list[int],
                 bottleneck_multipliers: list[float], strides: list[int], se_ratio: float | None = None) -> None:
        self.depths, self.widths, self.group_widths = depths, widths, group_widths
        self.bottleneck_multipliers, self.strides, self.se_ratio = bottleneck_multipliers, strides, se_ratio

    @classmethod
    def from_init_params(cls, depth: int, w_0: int, w_a: float, w_m: float, group_width: int,
                         bottleneck_multiplier: float = 1.0, se_ratio: float | None = None,
                         **kwargs: Any) -> "BlockParams":
        """The stages that the paper's parameters stand for: widths w_0 + w_a · i, quantised to powers of w_m times w_0
        and then to multiples of 8; blocks of equal width are a stage."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings")
        continuous = np.arange(depth) * w_a + w_0
        powers = np.round(np.log(continuous / w_0) / math.log(w_m))
        of_blocks = (np.round(w_0 * w_m ** powers / 8) * 8).astype(int).tolist()
        widths = sorted(set(of_blocks))
        depths = [of_blocks.count(width) for width in widths]
        stages = len(widths)
        multipliers = [bottleneck_multiplier] * stages
        widths, groups = cls._adjust_widths_groups_compatibilty(widths, multipliers, [group_width] * stages)
        return cls(depths, widths, groups, multipliers, [2] * stages, se_ratio)

    def _get_expanded_params(self):
        return zip(self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers)

    @staticmethod
    def _adjust_widths_groups_compatibilty(stage_widths: list[int], bottleneck_ratios: list[float],
                                           group_widths: list[int]) -> tuple[list[int], list[int]]:
        """Widths that their groups divide, and groups that are not wider than their stage."""
        inner = [int(w * b) for w, b in zip(stage_widths, bottleneck_ratios)]
        groups = [min(g, w) for g, w in zip(group_widths, inner)]
        inner = [_make_divisible(w, g) for w, g in zip(inner, groups)]
        return [int(w / b) for w, b in zip(inner, bottleneck_ratios)], groups


class RegNet(Module):
    """A stem, the stages of `block_params`, pooling and a linear layer. (N, 3, H, W) → (N, num_classes)."""

    def __init__(self, block_params: BlockParams, num_classes: int = 1000, stem_width: int = 32,
                 stem_type: Callable[..., Module] | None = None, block_type: Callable[..., Module] | None = None,
                 norm_layer: Callable[..., Module] | None = None,
                 activation: Callable[..., Module] | None = None) -> None:
        super().__init__()
        norm, act = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, act)
        stages = []
        channels = stem_width
        for i, (width, stride, depth, group, multiplier) in enumerate(block_params._get_expanded_params(), 1):
            stages.append((f"block{i}", AnyStage(channels, width, stride, depth, block_type or ResBottleneckBlock, norm,
                                                 act, group, multiplier, block_params.se_ratio, stage_index=i)))
            channels = width
        self.trunk_output = nn.Sequential(OrderedDict(stages))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                init.normal_(module.weight, mean=0.0, std=math.sqrt(2.0 / fan_out))
            elif isinstance(module, nn.BatchNorm2d):
                init.ones_(module.weight)
                init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                init.normal_(module.weight, mean=0.0, std=0.01)
                init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


_SIZES = {  # depth, w_0, w_a, w_m, group_width
    "y_400mf": (16, 48, 27.89, 2.09, 8), "y_800mf": (14, 56, 38.84, 2.4, 16), "y_1_6gf": (27, 48, 20.71, 2.65, 24),
    "y_3_2gf": (21, 80, 42.63, 2.66, 24), "y_8gf": (17, 192, 76.82, 2.19, 56), "y_16gf": (18, 200, 106.23, 2.48, 112),
    "y_32gf": (20, 232, 115.89, 2.53, 232), "y_128gf": (27, 456, 160.83, 2.52, 264),
    "x_400mf": (22, 24, 24.48, 2.54, 16), "x_800mf": (16, 56, 35.73, 2.28, 16), "x_1_6gf": (18, 80, 34.01, 2.25, 24),
    "x_3_2gf": (25, 88, 26.31, 2.25, 48), "x_8gf": (23, 80, 49.56, 2.88, 120), "x_16gf": (22, 216, 55.59, 2.1, 128),
    "x_32gf": (23, 320, 69.86, 2.0, 168)}


def _regnet(size: str, **kwargs: Any) -> RegNet:
    """The network of a size: y ones have squeeze and excitation."""
    params = BlockParams.from_init_params(*_SIZES[size], se_ratio=0.25 if size.startswith("y") else None)
    return RegNet(params, **kwargs)


class RegNet_X_16GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_16gf-2007eb11", "classification#medium-models", acc=(80.058, 94.944), params=54_278_536,
        gflops=15.941, mb=207.627, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_16gf-ba3796d7", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(82.716, 96.196),
        params=54_278_536, gflops=15.941, mb=207.627, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_1_6GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_1_6gf-e3633e7f", "classification#small-models", acc=(77.04, 93.44), params=9_190_136, gflops=1.603,
        mb=35.339, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_1_6gf-a12f2b72", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
        acc=(79.668, 94.922), params=9_190_136, gflops=1.603, mb=35.339, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_32GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_32gf-9d47f8d0", "classification#large-models", acc=(80.622, 95.248), params=107_811_560,
        gflops=31.736, mb=412.039, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_32gf-6eb8fdc6", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(83.014, 96.288),
        params=107_811_560, gflops=31.736, mb=412.039, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_3_2GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_3_2gf-f342aeae", "classification#medium-models", acc=(78.364, 93.992), params=15_296_552,
        gflops=3.177, mb=58.756, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_3_2gf-7071aa85", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(81.196, 95.43),
        params=15_296_552, gflops=3.177, mb=58.756, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_400MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_400mf-adf1edd5", "classification#small-models", acc=(72.834, 90.95), params=5_495_976, gflops=0.414,
        mb=21.258, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_400mf-62229a5f", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
        acc=(74.864, 92.322), params=5_495_976, gflops=0.414, mb=21.257, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_800MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_800mf-ad17e45c", "classification#small-models", acc=(75.212, 92.348), params=7_259_656, gflops=0.8,
        mb=27.945, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_800mf-94a99ebd", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
        acc=(77.522, 93.826), params=7_259_656, gflops=0.8, mb=27.945, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_8GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_x_8gf-03ceed89", "classification#medium-models", acc=(79.344, 94.686), params=39_572_648, gflops=7.995,
        mb=151.456, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_8gf-2b70d774", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(81.682, 95.678),
        params=39_572_648, gflops=7.995, mb=151.456, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_128GF_Weights(WeightsEnum):
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_128gf_swag-c8ce3e52", "https://github.com/facebookresearch/SWAG", acc=(88.228, 98.682),
        params=644_812_894, gflops=374.57, mb=2461.564, min_size=1, license=SWAG_LICENSE, crop_size=384,
        resize_size=384, interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_128gf_lc_swag-cbe8ce12", "https://github.com/pytorch/vision/pull/5793", acc=(86.068, 97.844),
        params=644_812_894, gflops=127.518, mb=2461.564, min_size=1, license=SWAG_LICENSE, crop_size=224,
        resize_size=224, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_SWAG_E2E_V1


class RegNet_Y_16GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_16gf-9e6ed7dd", "classification#large-models", acc=(80.424, 95.24), params=83_590_140, gflops=15.912,
        mb=319.49, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_16gf-3e4a00f9", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(82.886, 96.328),
        params=83_590_140, gflops=15.912, mb=319.49, min_size=1, crop_size=224, resize_size=232)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_16gf_swag-43afe44d", "https://github.com/facebookresearch/SWAG", acc=(86.012, 98.054),
        params=83_590_140, gflops=46.735, mb=319.49, min_size=1, license=SWAG_LICENSE, crop_size=384, resize_size=384,
        interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_16gf_lc_swag-f3ec0043", "https://github.com/pytorch/vision/pull/5793", acc=(83.976, 97.244),
        params=83_590_140, gflops=15.912, mb=319.49, min_size=1, license=SWAG_LICENSE, crop_size=224, resize_size=224,
        interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_1_6GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_1_6gf-b11a554e", "classification#small-models", acc=(77.95, 93.966), params=11_202_430, gflops=1.612,
        mb=43.152, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_1_6gf-0d7bc02a", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(80.876, 95.444),
        params=11_202_430, gflops=1.612, mb=43.152, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_32GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_32gf-4dee3f7a", "classification#large-models", acc=(80.878, 95.34), params=145_046_770, gflops=32.28,
        mb=554.076, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_32gf-8db6d4b5", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(83.368, 96.498),
        params=145_046_770, gflops=32.28, mb=554.076, min_size=1, crop_size=224, resize_size=232)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_32gf_swag-04fdfa75", "https://github.com/facebookresearch/SWAG", acc=(86.838, 98.362),
        params=145_046_770, gflops=94.826, mb=554.076, min_size=1, license=SWAG_LICENSE, crop_size=384, resize_size=384,
        interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_32gf_lc_swag-e1583746", "https://github.com/pytorch/vision/pull/5793", acc=(84.622, 97.48),
        params=145_046_770, gflops=32.28, mb=554.076, min_size=1, license=SWAG_LICENSE, crop_size=224, resize_size=224,
        interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_3_2GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_3_2gf-b5a9779c", "classification#medium-models", acc=(78.948, 94.576), params=19_436_338,
        gflops=3.176, mb=74.567, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_3_2gf-9180c971", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(81.982, 95.972),
        params=19_436_338, gflops=3.176, mb=74.567, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_400MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_400mf-c65dace8", "classification#small-models", acc=(74.046, 91.716), params=4_344_144, gflops=0.402,
        mb=16.806, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_400mf-e6988f5f", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(75.804, 92.742),
        params=4_344_144, gflops=0.402, mb=16.806, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_800MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_800mf-1b27b58c", "classification#small-models", acc=(76.42, 93.136), params=6_432_512, gflops=0.834,
        mb=24.774, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_800mf-58fc7688", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(78.828, 94.502),
        params=6_432_512, gflops=0.834, mb=24.774, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_8GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "regnet_y_8gf-d0d0e4a8", "classification#medium-models", acc=(80.032, 95.048), params=39_381_472, gflops=8.473,
        mb=150.701, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "regnet_y_8gf-dc2b1b54", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(82.828, 96.33),
        params=39_381_472, gflops=8.473, mb=150.701, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


def _builder(size: str, weights: type[WeightsEnum], legacy: str | None = "IMAGENET1K_V1") -> Callable[..., Any]:
    norm = partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1)
    return classifier(f"regnet_{size}", weights, _regnet, legacy=legacy, defaults={"norm_layer": norm}, size=size)


regnet_y_400mf = _builder("y_400mf", RegNet_Y_400MF_Weights)
regnet_y_800mf = _builder("y_800mf", RegNet_Y_800MF_Weights)
regnet_y_1_6gf = _builder("y_1_6gf", RegNet_Y_1_6GF_Weights)
regnet_y_3_2gf = _builder("y_3_2gf", RegNet_Y_3_2GF_Weights)
regnet_y_8gf = _builder("y_8gf", RegNet_Y_8GF_Weights)
regnet_y_16gf = _builder("y_16gf", RegNet_Y_16GF_Weights)
regnet_y_32gf = _builder("y_32gf", RegNet_Y_32GF_Weights)
regnet_y_128gf = _builder("y_128gf", RegNet_Y_128GF_Weights, legacy=None)
regnet_x_400mf = _builder("x_400mf", RegNet_X_400MF_Weights)
regnet_x_800mf = _builder("x_800mf", RegNet_X_800MF_Weights)
regnet_x_1_6gf = _builder("x_1_6gf", RegNet_X_1_6GF_Weights)
regnet_x_3_2gf = _builder("x_3_2gf", RegNet_X_3_2GF_Weights)
regnet_x_8gf = _builder("x_8gf", RegNet_X_8GF_Weights)
regnet_x_16gf = _builder("x_16gf", RegNet_X_16GF_Weights)
regnet_x_32gf = _builder("x_32gf", RegNet_X_32GF_Weights)
