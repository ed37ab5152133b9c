"""VGG (Simonyan and Zisserman 2014, arXiv:1409.1556)."""
from __future__ import annotations

from functools import partial
from typing import cast

from ... import nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import NAN, imagenet

__all__ = ["VGG", "VGG11_BN_Weights", "VGG11_Weights", "VGG13_BN_Weights", "VGG13_Weights", "VGG16_BN_Weights",
           "VGG16_Weights", "VGG19_BN_Weights", "VGG19_Weights", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
           "vgg16_bn", "vgg19", "vgg19_bn"]


class VGG(Module):
    """`features`, 512 channels pooled to 7×7, and three linear layers. (N, 3, H, W) → (N, num_classes)."""

    def __init__(self, features: Module, num_classes: int = 1000, init_weights: bool = True,
                 dropout: float = 0.5) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, num_classes))
        if init_weights:
            for module in self.modules():
                _initialize(module)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _initialize(module: Module) -> None:
    if isinstance(module, nn.Conv2d):
        init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        init.normal_(module.weight, 0, 0.01)
    elif isinstance(module, nn.BatchNorm2d):
        init.constant_(module.weight, 1)
    else:
        return
    if module.bias is not None:
        init.constant_(module.bias, 0)


# channels of the convolutions, M: max pooling; the paper's configurations A, B, D, E
cfgs: dict[str, list[str | int]] = {
    name: [item if item == "M" else int(item) for item in text.split()]
    for name, text in {
        "A": "64 M 128 M 256 256 M 512 512 M 512 512 M",
        "B": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
        "D": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
        "E": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"}.items()}


def make_layers(cfg: list[str | int], batch_norm: bool = False) -> nn.Sequential:
    """The convolutional part that `cfg` lists: channels of 3×3 convolutions, "M" for max pooling."""
    layers: list[Module] = []
    channels = 3
    for item in cfg:
        if item == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        width = cast(int, item)
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(True))
        channels = width
    return nn.Sequential(*layers)


def _vgg(cfg: str, batch_norm: bool, **kwargs) -> VGG:
    return VGG(make_layers(cfgs[cfg], batch_norm), **kwargs)


class VGG11_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg11-8a719046", "classification#alexnet-and-vgg", acc=(69.02, 88.628), params=132_863_336, gflops=7.609,
        mb=506.84, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG11_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg11_bn-6002323d", "classification#alexnet-and-vgg", acc=(70.37, 89.81), params=132_868_840, gflops=7.609,
        mb=506.881, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG13_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg13-19584684", "classification#alexnet-and-vgg", acc=(69.928, 89.246), params=133_047_848, gflops=11.308,
        mb=507.545, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG13_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg13_bn-abd245e5", "classification#alexnet-and-vgg", acc=(71.586, 90.374), params=133_053_736, gflops=11.308,
        mb=507.59, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg16-397923af", "classification#alexnet-and-vgg", acc=(71.592, 90.382), params=138_357_544, gflops=15.47,
        mb=527.796, min_size=32, crop_size=224)
    IMAGENET1K_FEATURES = imagenet(
        "vgg16_features-amdegroot-88682ab5", "https://github.com/amdegroot/ssd.pytorch#training-ssd", acc=(NAN, NAN),
        params=138_357_544, gflops=15.47, mb=527.802, min_size=32, categories=None, crop_size=224,
        mean=(0.48235, 0.45882, 0.40784), std=(0.00392156862745098, 0.00392156862745098, 0.00392156862745098))
    DEFAULT = IMAGENET1K_V1


class VGG16_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg16_bn-6c64b313", "classification#alexnet-and-vgg", acc=(73.36, 91.516), params=138_365_992, gflops=15.47,
        mb=527.866, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG19_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg19-dcbb9e9d", "classification#alexnet-and-vgg", acc=(72.376, 90.876), params=143_667_240, gflops=19.632,
        mb=548.051, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class VGG19_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vgg19_bn-c79401a0", "classification#alexnet-and-vgg", acc=(74.218, 91.842), params=143_678_248, gflops=19.632,
        mb=548.143, min_size=32, crop_size=224)
    DEFAULT = IMAGENET1K_V1


# random initialisation would be overwritten
_builder = partial(classifier, network=_vgg, settings=lambda weights, kwargs: kwargs.update(init_weights=False))
vgg11 = _builder("vgg11", VGG11_Weights, cfg="A", batch_norm=False)
vgg11_bn = _builder("vgg11_bn", VGG11_BN_Weights, cfg="A", batch_norm=True)
vgg13 = _builder("vgg13", VGG13_Weights, cfg="B", batch_norm=False)
vgg13_bn = _builder("vgg13_bn", VGG13_BN_Weights, cfg="B", batch_norm=True)
vgg16 = _builder("vgg16", VGG16_Weights, cfg="D", batch_norm=False)
vgg16_bn = _builder("vgg16_bn", VGG16_BN_Weights, cfg="D", batch_norm=True)
vgg19 = _builder("vgg19", VGG19_Weights, cfg="E", batch_norm=False)
vgg19_bn = _builder("vgg19_bn", VGG19_BN_Weights, cfg="E", batch_norm=True)
