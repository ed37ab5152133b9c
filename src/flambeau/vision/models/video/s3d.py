"""S3D: Inception with convolutions that are separate in space and time (Xie et al. 2017, arXiv:1712.04851)."""
from __future__ import annotations

from functools import partial
from typing import Callable

from .... import cat, nn
from ....nn import Module
from ...ops.misc import Conv3dNormActivation
from .._api import WeightsEnum
from .._utils import classifier
from .._weights import kinetics

__all__ = ["S3D", "S3D_Weights", "s3d"]


class TemporalSeparableConv(nn.Sequential):
    """A convolution in space, then one in time."""

    def __init__(self, in_planes: int, out_planes: int, kernel_size: int, stride: int, padding: int,
                 norm_layer: Callable[..., Module]):
        k, s, p = kernel_size, stride, padding
        conv = partial(Conv3dNormActivation, bias=False, norm_layer=norm_layer)
        super().__init__(conv(in_planes, out_planes, kernel_size=(1, k, k), stride=(1, s, s), padding=(0, p, p)),
                         conv(out_planes, out_planes, kernel_size=(k, 1, 1), stride=(s, 1, 1), padding=(p, 0, 0)))


class SepInceptionBlock3D(Module):
    """1×1×1, two separable convolutions and a pooling side by side."""

    def __init__(self, in_planes: int, b0_out: int, b1_mid: int, b1_out: int, b2_mid: int, b2_out: int, b3_out: int,
                 norm_layer: Callable[..., Module]):
        super().__init__()
        conv = partial(Conv3dNormActivation, kernel_size=1, stride=1, norm_layer=norm_layer)
        self.branch0 = conv(in_planes, b0_out)
        self.branch1 = nn.Sequential(conv(in_planes, b1_mid),
                                     TemporalSeparableConv(b1_mid, b1_out, 3, 1, 1, norm_layer))
        self.branch2 = nn.Sequential(conv(in_planes, b2_mid),
                                     TemporalSeparableConv(b2_mid, b2_out, 3, 1, 1, norm_layer))
        self.branch3 = nn.Sequential(nn.MaxPool3d(kernel_size=(3, 3, 3), stride=1, padding=1), conv(in_planes, b3_out))

    def forward(self, x):
        return cat((self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)), 1)


# in_planes, b0_out, b1_mid, b1_out, b2_mid, b2_out, b3_out, between poolings
_BLOCKS = [
    [(192, 64, 96, 128, 16, 32, 32), (256, 128, 128, 192, 32, 96, 64)],
    [(480, 192, 96, 208, 16, 48, 64), (512, 160, 112, 224, 24, 64, 64), (512, 128, 128, 256, 24, 64, 64),
     (512, 112, 144, 288, 32, 64, 64), (528, 256, 160, 320, 32, 128, 128)],
    [(832, 256, 160, 320, 32, 128, 128), (832, 384, 192, 384, 48, 128, 128)]]


class S3D(Module):
    """(N, 3, T, H, W) → (N, num_classes); T at least 14, H and W at least 224 (the last pooling is 2×7×7)."""

    def __init__(self, num_classes: int = 400, dropout: float = 0.2,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm3d, eps=0.001, momentum=0.001)
        spatial = partial(nn.MaxPool3d, kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        pools = [spatial(), nn.MaxPool3d((3, 3, 3), stride=(2, 2, 2), padding=(1, 1, 1)),
                 nn.MaxPool3d((2, 2, 2), stride=(2, 2, 2), padding=(0, 0, 0))]
        layers: list[Module] = [
            TemporalSeparableConv(3, 64, 7, 2, 3, norm), spatial(),
            Conv3dNormActivation(64, 64, kernel_size=1, stride=1, norm_layer=norm),
            TemporalSeparableConv(64, 192, 3, 1, 1, norm)]
        for pool, group in zip(pools, _BLOCKS):
            layers += [pool, *(SepInceptionBlock3D(*sizes, norm_layer=norm) for sizes in group)]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AvgPool3d(kernel_size=(2, 7, 7), stride=1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout),
                                        nn.Conv3d(1024, num_classes, kernel_size=1, stride=1, bias=True))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x))).mean(dim=(2, 3, 4))


class S3D_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "s3d-d76dad2f", "video_classification#s3d", acc=(68.368, 88.05), params=8_320_048, gflops=17.979, mb=31.972,
        min_size=224, min_temporal_size=14, crop_size=(224, 224), resize_size=(256, 256))
    DEFAULT = KINETICS400_V1


s3d = classifier("s3d", S3D_Weights, S3D, legacy="KINETICS400_V1")
