"""ResNet (He et al. 2015, arXiv:1512.03385), ResNeXt (Xie et al. 2016, arXiv:1611.05431) and Wide ResNet (Zagoruyko and
Komodakis 2016, arXiv:1605.07146)."""
from __future__ import annotations

from functools import partial
from typing import Callable

from ... import nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["ResNeXt101_32X8D_Weights", "ResNeXt101_64X4D_Weights", "ResNeXt50_32X4D_Weights", "ResNet",
           "ResNet101_Weights", "ResNet152_Weights", "ResNet18_Weights", "ResNet34_Weights", "ResNet50_Weights",
           "Wide_ResNet101_2_Weights", "Wide_ResNet50_2_Weights", "resnet101", "resnet152", "resnet18", "resnet34",
           "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "wide_resnet101_2",
           "wide_resnet50_2"]


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size at stride 1, without bias."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, padding=dilation, groups=groups, bias=False, dilation=dilation)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1×1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlock(Module):
    """Two 3×3 convolutions, with normalisation, around which the input is added."""

    expansion = 1

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: Module | None = None, groups: int = 1,
                 base_width: int = 64, dilation: int = 1, norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(Module):
    """1×1, 3×3 and 1×1 convolutions around which the input is added; the 3×3 one has the stride (ResNet v1.5)."""

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: Module | None = None, groups: int = 1,
                 base_width: int = 64, dilation: int = 1, norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(Module):
    """Four stages of residual blocks. (N, 3, H, W) → (N, num_classes).

    layers: blocks of each stage. groups, width_per_group: of the blocks' 3×3 convolutions. zero_init_residual: blocks
    start as the identity. replace_stride_with_dilation: for stages 2 to 4, whether to keep the resolution and widen
    the kernels instead.
    """

    def __init__(self, block: type[BasicBlock | Bottleneck], layers: list[int], num_classes: int = 1000,
                 zero_init_residual: bool = False, groups: int = 1, width_per_group: int = 64,
                 replace_stride_with_dilation: list[bool] | None = None,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        dilate = [False] * 3 if replace_stride_with_dilation is None else replace_stride_with_dilation
        if len(dilate) != 3:
            raise ValueError("replace_stride_with_dilation should be None or a 3-element tuple, got "
                             f"{replace_stride_with_dilation}")
        self.inplanes, self.dilation = 64, 1
        self.groups, self.base_width = groups, width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, 7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _initialize(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                init.constant_(module.weight, 1)
                init.constant_(module.bias, 0)
        if zero_init_residual:
            for module in self.modules():
                last = {BasicBlock: "bn2", Bottleneck: "bn3"}.get(type(module))
                if last is not None and getattr(module, last).weight is not None:
                    init.constant_(getattr(module, last).weight, 0)

    def _make_layer(self, block: type[BasicBlock | Bottleneck], planes: int, blocks: int, stride: int = 1,
                    dilate: bool = False) -> nn.Sequential:
        """A stage; its first block changes the resolution and the number of channels."""
        first_dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        out_planes = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != out_planes:
            downsample = nn.Sequential(conv1x1(self.inplanes, out_planes, stride), self._norm_layer(out_planes))
        shared = (self.groups, self.base_width)
        stage = [block(self.inplanes, planes, stride, downsample, *shared, first_dilation, self._norm_layer)]
        self.inplanes = out_planes
        stage += [block(out_planes, planes, 1, None, *shared, self.dilation, self._norm_layer)
                  for _ in range(1, blocks)]
        return nn.Sequential(*stage)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class ResNet101_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnet101-63fe2227", "classification#resnet", acc=(77.374, 93.546), params=44_549_160, gflops=7.801,
        mb=170.511, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "resnet101-cd907fc2", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(81.886, 95.78),
        params=44_549_160, gflops=7.801, mb=170.53, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNet152_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnet152-394f9c45", "classification#resnet", acc=(78.312, 94.046), params=60_192_808, gflops=11.514,
        mb=230.434, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "resnet152-f82ba261", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(82.284, 96.002),
        params=60_192_808, gflops=11.514, mb=230.474, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNet18_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnet18-f37072fd", "classification#resnet", acc=(69.758, 89.078), params=11_689_512, gflops=1.814, mb=44.661,
        min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class ResNet34_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnet34-b627a593", "classification#resnet", acc=(73.314, 91.42), params=21_797_672, gflops=3.664, mb=83.275,
        min_size=1, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class ResNet50_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnet50-0676ba61", "classification#resnet", acc=(76.13, 92.862), params=25_557_032, gflops=4.089, mb=97.781,
        min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "resnet50-11ad3fa6", "https://github.com/pytorch/vision/issues/3995#issuecomment-1013906621",
        acc=(80.858, 95.434), params=25_557_032, gflops=4.089, mb=97.79, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNeXt101_32X8D_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnext101_32x8d-8ba56ff5", "classification#resnext", acc=(79.312, 94.526), params=88_791_336, gflops=16.414,
        mb=339.586, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "resnext101_32x8d-110c445d", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
        acc=(82.834, 96.228), params=88_791_336, gflops=16.414, mb=339.673, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNeXt101_64X4D_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnext101_64x4d-173b62eb", "https://github.com/pytorch/vision/pull/5935", acc=(83.246, 96.454),
        params=83_455_272, gflops=15.46, mb=319.318, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ResNeXt50_32X4D_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "resnext50_32x4d-7cdf4587", "classification#resnext", acc=(77.618, 93.698), params=25_028_904, gflops=4.23,
        mb=95.789, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "resnext50_32x4d-1a0047aa", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(81.198, 95.34),
        params=25_028_904, gflops=4.23, mb=95.833, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class Wide_ResNet101_2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "wide_resnet101_2-32ee1156", "https://github.com/pytorch/vision/pull/912#issue-445437439", acc=(78.848, 94.284),
        params=126_886_696, gflops=22.753, mb=242.896, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "wide_resnet101_2-d733dc28", "https://github.com/pytorch/vision/issues/3995#new-recipe", acc=(82.51, 96.02),
        params=126_886_696, gflops=22.753, mb=484.747, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class Wide_ResNet50_2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "wide_resnet50_2-95faca4d", "https://github.com/pytorch/vision/pull/912#issue-445437439", acc=(78.468, 94.086),
        params=68_883_240, gflops=11.398, mb=131.82, min_size=1, crop_size=224)
    IMAGENET1K_V2 = imagenet(
        "wide_resnet50_2-9ba9bcbe", "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
        acc=(81.602, 95.758), params=68_883_240, gflops=11.398, mb=263.124, min_size=1, crop_size=224, resize_size=232)
    DEFAULT = IMAGENET1K_V2


_basic = partial(classifier, network=ResNet, block=BasicBlock)
_deep = partial(classifier, network=ResNet, block=Bottleneck)
resnet18 = _basic("resnet18", ResNet18_Weights, layers=[2, 2, 2, 2])
resnet34 = _basic("resnet34", ResNet34_Weights, layers=[3, 4, 6, 3])
resnet50 = _deep("resnet50", ResNet50_Weights, layers=[3, 4, 6, 3])
resnet101 = _deep("resnet101", ResNet101_Weights, layers=[3, 4, 23, 3])
resnet152 = _deep("resnet152", ResNet152_Weights, layers=[3, 8, 36, 3])
resnext50_32x4d = _deep("resnext50_32x4d", ResNeXt50_32X4D_Weights, layers=[3, 4, 6, 3], groups=32, width_per_group=4)
resnext101_32x8d = _deep("resnext101_32x8d", ResNeXt101_32X8D_Weights, layers=[3, 4, 23, 3], groups=32,
                         width_per_group=8)
resnext101_64x4d = _deep("resnext101_64x4d", ResNeXt101_64X4D_Weights, layers=[3, 4, 23, 3], groups=64,
                         width_per_group=4)
wide_resnet50_2 = _deep("wide_resnet50_2", Wide_ResNet50_2_Weights, layers=[3, 4, 6, 3], width_per_group=128)
wide_resnet101_2 = _deep("wide_resnet101_2", Wide_ResNet101_2_Weights, layers=[3, 4, 23, 3], width_per_group=128)
