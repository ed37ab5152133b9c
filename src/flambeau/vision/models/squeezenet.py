"""SqueezeNet (Iandola et al. 2016, arXiv:1602.07360)."""
from __future__ import annotations

from ... import cat, nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["SqueezeNet", "SqueezeNet1_0_Weights", "SqueezeNet1_1_Weights", "squeezenet1_0", "squeezenet1_1"]


class Fire(Module):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 ones side by side."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return cat([self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1)


# the first convolution (channels, kernel) and, between poolings, (squeezed, expanded) channels of the fire modules
_VERSIONS = {
    "1_0": ((96, 7), [[(16, 64), (16, 64), (32, 128)], [(32, 128), (48, 192), (48, 192), (64, 256)], [(64, 256)]]),
    "1_1": ((64, 3), [[(16, 64), (16, 64)], [(32, 128), (32, 128)], [(48, 192), (48, 192), (64, 256), (64, 256)]]),
}


class SqueezeNet(Module):
    """Fire modules and a convolutional classifier; version "1_0" or "1_1". (N, 3, H, W) → (N, num_classes)."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        (channels, kernel), groups = _VERSIONS[version]
        layers: list[Module] = [nn.Conv2d(3, channels, kernel, stride=2), nn.ReLU(inplace=True)]
        for group in groups:
            layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
            for squeezed, expanded in group:
                layers.append(Fire(channels, squeezed, expanded, expanded))
                channels = 2 * expanded
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(inplace=True),
                                        nn.AdaptiveAvgPool2d((1, 1)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is last:
                    init.normal_(module.weight, mean=0.0, std=0.01)
                else:
                    init.kaiming_uniform_(module.weight)
                init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


class SqueezeNet1_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "squeezenet1_0-b66bff10", "https://github.com/pytorch/vision/pull/49#issuecomment-277560717",
        acc=(58.092, 80.42), params=1_248_424, gflops=0.819, mb=4.778, min_size=21, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class SqueezeNet1_1_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "squeezenet1_1-b8a52dc0", "https://github.com/pytorch/vision/pull/49#issuecomment-277560717",
        acc=(58.178, 80.624), params=1_235_496, gflops=0.349, mb=4.729, min_size=17, crop_size=224)
    DEFAULT = IMAGENET1K_V1


squeezenet1_0 = classifier("squeezenet1_0", SqueezeNet1_0_Weights, SqueezeNet, version="1_0")
squeezenet1_1 = classifier("squeezenet1_1", SqueezeNet1_1_Weights, SqueezeNet, version="1_1")
