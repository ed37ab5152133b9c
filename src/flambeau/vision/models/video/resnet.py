"""ResNets for video: R3D, MC3 and R(2+1)D (Tran et al. 2017, arXiv:1711.11248)."""
from __future__ import annotations

from functools import partial
from typing import Callable, Sequence

from .... import nn
from ....nn import Module, init
from ....tensor.tensor import Tensor
from .._api import WeightsEnum
from .._utils import classifier
from .._weights import kinetics

__all__ = ["MC3_18_Weights", "R2Plus1D_18_Weights", "R3D_18_Weights", "VideoResNet", "mc3_18", "r2plus1d_18", "r3d_18"]


class Conv3DSimple(nn.Conv3d):
    """A 3×3×3 convolution."""

    def __init__(self, in_planes: int, out_planes: int, midplanes: int | None = None, stride: int = 1,
                 padding: int = 1) -> None:
        super().__init__(in_planes, out_planes, (3, 3, 3), stride=stride, padding=padding, bias=False)

    @staticmethod
    def get_downsample_stride(stride: int) -> tuple[int, int, int]:
        return stride, stride, stride


class Conv2Plus1D(nn.Sequential):
    """A convolution in space to midplanes channels, then one in time."""

    def __init__(self, in_planes: int, out_planes: int, midplanes: int, stride: int = 1, padding: int = 1) -> None:
        super().__init__(
            nn.Conv3d(in_planes, midplanes, (1, 3, 3), (1, stride, stride), (0, padding, padding), bias=False),
            nn.BatchNorm3d(midplanes), nn.ReLU(inplace=True),
            nn.Conv3d(midplanes, out_planes, (3, 1, 1), (stride, 1, 1), (padding, 0, 0), bias=False))

    @staticmethod
    def get_downsample_stride(stride: int) -> tuple[int, int, int]:
        return stride, stride, stride


class Conv3DNoTemporal(nn.Conv3d):
    """A 3×3 convolution of each frame."""

    def __init__(self, in_planes: int, out_planes: int, midplanes: int | None = None, stride: int = 1,
                 padding: int = 1) -> None:
        super().__init__(in_planes, out_planes, (1, 3, 3), stride=(1, stride, stride), padding=(0, padding, padding),
                         bias=False)

    @staticmethod
    def get_downsample_stride(stride: int) -> tuple[int, int, int]:
        return 1, stride, stride


def _midplanes(inplanes: int, planes: int) -> int:
    """So many that a (2+1)D convolution has as many parameters as a 3D one."""
    return inplanes * planes * 27 // (inplanes * 9 + 3 * planes)


class BasicBlock(Module):
    """Two convolutions, with normalisation, around which the input is added."""

    expansion = 1

    def __init__(self, inplanes: int, planes: int, conv_builder: Callable[..., Module], stride: int = 1,
                 downsample: Module | None = None) -> None:
        super().__init__()
        middle = _midplanes(inplanes, planes)
        self.conv1 = nn.Sequential(conv_builder(inplanes, planes, middle, stride), nn.BatchNorm3d(planes),
                                   nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv_builder(planes, planes, middle), nn.BatchNorm3d(planes))
        self.relu = nn.ReLU(inplace=True)
        self.downsample, self.stride = downsample, stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.conv1(x))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(Module):
    """1×1×1, a convolution, 1×1×1, around which the input is added."""

    expansion = 4

    def __init__(self, inplanes: int, planes: int, conv_builder: Callable[..., Module], stride: int = 1,
                 downsample: Module | None = None) -> None:
        super().__init__()
        out = planes * self.expansion
        self.conv1 = nn.Sequential(nn.Conv3d(inplanes, planes, kernel_size=1, bias=False), nn.BatchNorm3d(planes),
                                   nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv_builder(planes, planes, _midplanes(inplanes, planes), stride),
                                   nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv3 = nn.Sequential(nn.Conv3d(planes, out, kernel_size=1, bias=False), nn.BatchNorm3d(out))
        self.relu = nn.ReLU(inplace=True)
        self.downsample, self.stride = downsample, stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv3(self.conv2(self.conv1(x)))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class BasicStem(nn.Sequential):
    """A 3×7×7 convolution."""

    def __init__(self) -> None:
        super().__init__(nn.Conv3d(3, 64, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
                         nn.BatchNorm3d(64), nn.ReLU(inplace=True))


class R2Plus1dStem(nn.Sequential):
    """A 7×7 convolution in space, then one over three frames."""

    def __init__(self) -> None:
        super().__init__(nn.Conv3d(3, 45, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
                         nn.BatchNorm3d(45), nn.ReLU(inplace=True),
                         nn.Conv3d(45, 64, (3, 1, 1), stride=(1, 1, 1), padding=(1, 0, 0), bias=False),
                         nn.BatchNorm3d(64), nn.ReLU(inplace=True))


class VideoResNet(Module):
    """(N, 3, T, H, W) → (N, num_classes). conv_makers: the convolution of each of the four stages."""

    def __init__(self, block: type[BasicBlock | Bottleneck],
                 conv_makers: Sequence[type[Conv3DSimple | Conv3DNoTemporal | Conv2Plus1D]], layers: list[int],
                 stem: Callable[..., Module], num_classes: int = 400, zero_init_residual: bool = False) -> None:
        super().__init__()
        self.inplanes = 64
        self.stem = stem()
        for i, (maker, depth) in enumerate(zip(conv_makers, layers), 1):
            self.add_module(f"layer{i}", self._make_layer(block, maker, 32 * 2 ** i, depth, 1 if i == 1 else 2))
        self.avgpool = nn.AdaptiveAvgPool3d((1, 1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm3d):
                init.constant_(module.weight, 1)
            elif isinstance(module, nn.Linear):
                init.normal_(module.weight, 0, 0.01)
            else:
                continue
            if module.bias is not None:
                init.constant_(module.bias, 0)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, Bottleneck):
                    init.constant_(module.conv3[1].weight, 0)

    def _make_layer(self, block: type[BasicBlock | Bottleneck], conv_builder: type, planes: int, blocks: int,
                    stride: int = 1) -> nn.Sequential:
        out, downsample = planes * block.expansion, None
        if stride != 1 or self.inplanes != out:
            downsample = nn.Sequential(
                nn.Conv3d(self.inplanes, out, kernel_size=1, stride=conv_builder.get_downsample_stride(stride),
                          bias=False),
                nn.BatchNorm3d(out))
        stage = [block(self.inplanes, planes, conv_builder, stride, downsample)]
        self.inplanes = out
        return nn.Sequential(*stage, *(block(out, planes, conv_builder) for _ in range(1, blocks)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(self.avgpool(x).flatten(1))


class MC3_18_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "mc3_18-a90a0ba3", "video_classification", acc=(63.96, 84.13), params=11_695_440, gflops=43.343, mb=44.672,
        min_size=1, crop_size=(112, 112), resize_size=(128, 171))
    DEFAULT = KINETICS400_V1


class R2Plus1D_18_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "r2plus1d_18-91a641e6", "video_classification", acc=(67.463, 86.175), params=31_505_325, gflops=40.519,
        mb=120.318, min_size=1, crop_size=(112, 112), resize_size=(128, 171))
    DEFAULT = KINETICS400_V1


class R3D_18_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "r3d_18-b3b3357e", "video_classification", acc=(63.2, 83.479), params=33_371_472, gflops=40.697, mb=127.359,
        min_size=1, crop_size=(112, 112), resize_size=(128, 171))
    DEFAULT = KINETICS400_V1


_builder = partial(classifier, network=VideoResNet, legacy="KINETICS400_V1", block=BasicBlock, layers=[2, 2, 2, 2])
r3d_18 = _builder("r3d_18", R3D_18_Weights, conv_makers=[Conv3DSimple] * 4, stem=BasicStem)
mc3_18 = _builder("mc3_18", MC3_18_Weights, conv_makers=[Conv3DSimple] + [Conv3DNoTemporal] * 3, stem=BasicStem)
r2plus1d_18 = _builder("r2plus1d_18", R2Plus1D_18_Weights, conv_makers=[Conv2Plus1D] * 4, stem=R2Plus1dStem)
