"""Inception v3 (Szegedy et al. 2015, arXiv:1512.00567)."""
from __future__ import annotations

from collections import namedtuple
from typing import Any, Callable

from ... import cat, nn
from ...nn import Module, functional as F
from ...tensor.tensor import Tensor
from ._api import WeightsEnum, register_model
from ._utils import handle_legacy_interface
from ._weights import imagenet
from .googlenet import built, initialize, initializes_by_default, to_inception_range

__all__ = ["Inception3", "InceptionOutputs", "Inception_V3_Weights", "inception_v3"]

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
ConvBlock = Callable[..., Module]


class BasicConv2d(Module):
    """A convolution without bias, batch normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Mixed(Module):
    """Branches side by side. Each is a pooling or a chain of the module's convolutions, named `NAME_1`, `NAME_2`, …."""

    def _chain(self, conv: ConvBlock, name: str, channels: int, *layers: tuple) -> None:
        """Adds convolutions `name_1`, … (`name`, if it is one): (out_channels, kernel_size, padding, stride)."""
        for i, (out, kernel, padding, *stride) in enumerate(layers, 1):
            self.add_module(name if len(layers) == 1 else f"{name}_{i}",
                            conv(channels, out, kernel_size=kernel, padding=padding, stride=stride[0] if stride else 1))
            channels = out

    def _run(self, name: str, x: Tensor) -> Tensor:
        if name in self._modules:
            return getattr(self, name)(x)
        for key, module in self._modules.items():
            if key.rpartition("_")[0] == name and module is not None:
                x = module(x)
        return x


def _pooled(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(_Mixed):
    """1×1, 5×5, two 3×3, pooling: for the 35×35 grid."""

    def __init__(self, in_channels: int, pool_features: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self._chain(conv, "branch1x1", in_channels, (64, 1, 0))
        self._chain(conv, "branch5x5", in_channels, (48, 1, 0), (64, 5, 2))
        self._chain(conv, "branch3x3dbl", in_channels, (64, 1, 0), (96, 3, 1), (96, 3, 1))
        self._chain(conv, "branch_pool", in_channels, (pool_features, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        return cat([*(self._run(name, x) for name in ("branch1x1", "branch5x5", "branch3x3dbl")),
                    self.branch_pool(_pooled(x))], 1)


class InceptionB(_Mixed):
    """Halves the 35×35 grid."""

    def __init__(self, in_channels: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self._chain(conv, "branch3x3", in_channels, (384, 3, 0, 2))
        self._chain(conv, "branch3x3dbl", in_channels, (64, 1, 0), (96, 3, 1), (96, 3, 0, 2))

    def forward(self, x: Tensor) -> Tensor:
        return cat([self.branch3x3(x), self._run("branch3x3dbl", x), F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionC(_Mixed):
    """7×7 convolutions as pairs of 1×7 and 7×1: for the 17×17 grid."""

    def __init__(self, in_channels: int, channels_7x7: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv, c = conv_block or BasicConv2d, channels_7x7
        wide, high = ((1, 7), (0, 3)), ((7, 1), (3, 0))
        self._chain(conv, "branch1x1", in_channels, (192, 1, 0))
        self._chain(conv, "branch7x7", in_channels, (c, 1, 0), (c, *wide), (192, *high))
        self._chain(conv, "branch7x7dbl", in_channels, (c, 1, 0), (c, *high), (c, *wide), (c, *high), (192, *wide))
        self._chain(conv, "branch_pool", in_channels, (192, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        return cat([*(self._run(name, x) for name in ("branch1x1", "branch7x7", "branch7x7dbl")),
                    self.branch_pool(_pooled(x))], 1)


class InceptionD(_Mixed):
    """Halves the 17×17 grid."""

    def __init__(self, in_channels: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self._chain(conv, "branch3x3", in_channels, (192, 1, 0), (320, 3, 0, 2))
        self._chain(conv, "branch7x7x3", in_channels, (192, 1, 0), (192, (1, 7), (0, 3)), (192, (7, 1), (3, 0)),
                    (192, 3, 0, 2))

    def forward(self, x: Tensor) -> Tensor:
        return cat([self._run("branch3x3", x), self._run("branch7x7x3", x),
                    F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionE(Module):
    """3×3 convolutions that fork into 1×3 and 3×1: for the 8×8 grid."""

    def __init__(self, in_channels: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3_2b = conv(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = conv(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return cat([self.branch1x1(x), self.branch3x3_2a(once), self.branch3x3_2b(once),
                    self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice), self.branch_pool(_pooled(x))], 1)


class InceptionAux(Module):
    """A classifier on the 17×17 features, for training."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: ConvBlock | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.conv1.stddev = 0.01
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class Inception3(Module):
    """(N, 3, H, W) → (N, num_classes), H and W at least 75; while training, with aux_logits, InceptionOutputs.

    transform_input: converts inputs normalised for ImageNet to the range [-1, 1] that the weights were trained with.
    """

    def __init__(self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
                 inception_blocks: list[ConvBlock] | None = None, init_weights: bool | None = None,
                 dropout: float = 0.5) -> None:
        super().__init__()
        conv, a, b, c, d, e, aux = inception_blocks or [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD,
                                                        InceptionE, InceptionAux]
        if init_weights is None:
            init_weights = initializes_by_default("inception_v3")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = aux(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights:
            initialize(self, 0.1)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        if self.transform_input:
            x = to_inception_range(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        aux = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(self.dropout(self.avgpool(x)).flatten(1))
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


class Inception_V3_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "inception_v3_google-0cc3c7bd", "classification#inception-v3", acc=(77.294, 93.45), params=27_161_264,
        gflops=5.713, mb=103.903, min_size=75, crop_size=299, resize_size=342)
    DEFAULT = IMAGENET1K_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", Inception_V3_Weights.IMAGENET1K_V1))
def inception_v3(*, weights: Inception_V3_Weights | None = None, progress: bool = True, **kwargs: Any) -> Inception3:
    """The network `inception_v3`; inputs are best 299×299."""
    weights = Inception_V3_Weights.verify(weights)
    wants_aux = kwargs.get("aux_logits", True)
    model = built(Inception3, weights, progress, kwargs)
    if weights is not None and not wants_aux:
        model.aux_logits, model.AuxLogits = False, None
    return model
