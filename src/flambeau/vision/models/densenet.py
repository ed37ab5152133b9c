"""DenseNet (Huang et al. 2016, arXiv:1608.06993)."""
from __future__ import annotations

import re
from collections import OrderedDict
from functools import partial

from ... import cat, nn
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["DenseNet", "DenseNet121_Weights", "DenseNet161_Weights", "DenseNet169_Weights", "DenseNet201_Weights",
           "densenet121", "densenet161", "densenet169", "densenet201"]


class _DenseLayer(Module):
    """Normalise, 1×1 to bn_size · growth_rate channels, normalise, 3×3 to growth_rate channels."""

    def __init__(self, num_input_features: int, growth_rate: int, bn_size: int, drop_rate: float,
                 memory_efficient: bool = False) -> None:
        super().__init__()
        width = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, growth_rate, 3, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def forward(self, input: Tensor | list[Tensor]) -> Tensor:
        features = cat([input] if isinstance(input, Tensor) else input, 1)
        out = self.conv2(self.relu2(self.norm2(self.conv1(self.relu1(self.norm1(features))))))
        return F.dropout(out, p=self.drop_rate, training=self.training) if self.drop_rate > 0 else out


class _DenseBlock(nn.ModuleDict):
    """Layers each of which sees the outputs of all before it; gives them all, concatenated."""

    _version = 2

    def __init__(self, num_layers: int, num_input_features: int, bn_size: int, growth_rate: int, drop_rate: float,
                 memory_efficient: bool = False) -> None:
        super().__init__()
        for i in range(num_layers):
            self.add_module(f"denselayer{i + 1}", _DenseLayer(
                num_input_features + i * growth_rate, growth_rate, bn_size, drop_rate, memory_efficient))

    def forward(self, init_features: Tensor) -> Tensor:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(nn.Sequential):
    """Halves the resolution between blocks and changes the number of channels."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__(OrderedDict(
            norm=nn.BatchNorm2d(num_input_features), relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(num_input_features, num_output_features, 1, bias=False), pool=nn.AvgPool2d(2, 2)))


class DenseNet(Module):
    """Dense blocks with transitions between them. (N, 3, H, W) → (N, num_classes).

    growth_rate: channels that a layer adds; block_config: layers of each block; bn_size: width of the 1×1
    convolutions in growth rates. memory_efficient is accepted: what a backward pass keeps is settled elsewhere.
    """

    def __init__(self, growth_rate: int = 32, block_config: tuple[int, int, int, int] = (6, 12, 24, 16),
                 num_init_features: int = 64, bn_size: int = 4, drop_rate: float = 0, num_classes: int = 1000,
                 memory_efficient: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(OrderedDict(
            conv0=nn.Conv2d(3, num_init_features, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(num_init_features), relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, stride=2, padding=1)))
        channels = num_init_features
        for i, layers in enumerate(block_config, 1):
            if i > 1:
                self.features.add_module(f"transition{i - 1}", _Transition(channels, channels // 2))
                channels //= 2
            self.features.add_module(f"denseblock{i}", _DenseBlock(layers, channels, bn_size, growth_rate, drop_rate,
                                                                   memory_efficient))
            channels += layers * growth_rate
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                init.constant_(module.weight, 1)
                init.constant_(module.bias, 0)
            elif isinstance(module, nn.Linear):
                init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


def _load_state_dict(model: Module, weights: WeightsEnum, progress: bool) -> None:
    """Loads published weights; old ones call a layer's parts `norm.1` where modules now say `norm1`."""
    state = weights.get_state_dict(progress=progress, check_hash=True)
    model.load_state_dict({re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.", r"\1\2.", key): value
                           for key, value in state.items()})


class DenseNet121_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "densenet121-a639ec97", "https://github.com/pytorch/vision/pull/116", acc=(74.434, 91.972), params=7_978_856,
        gflops=2.834, mb=30.845, min_size=29, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class DenseNet161_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "densenet161-8d451a50", "https://github.com/pytorch/vision/pull/116", acc=(77.138, 93.56), params=28_681_000,
        gflops=7.728, mb=110.369, min_size=29, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class DenseNet169_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "densenet169-b2777c0a", "https://github.com/pytorch/vision/pull/116", acc=(75.6, 92.806), params=14_149_480,
        gflops=3.36, mb=54.708, min_size=29, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class DenseNet201_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "densenet201-c1103571", "https://github.com/pytorch/vision/pull/116", acc=(76.896, 93.37), params=20_013_928,
        gflops=4.291, mb=77.373, min_size=29, crop_size=224)
    DEFAULT = IMAGENET1K_V1


_builder = partial(classifier, network=DenseNet, load=_load_state_dict)
densenet121 = _builder("densenet121", DenseNet121_Weights, growth_rate=32, block_config=(6, 12, 24, 16),
                       num_init_features=64)
densenet161 = _builder("densenet161", DenseNet161_Weights, growth_rate=48, block_config=(6, 12, 36, 24),
                       num_init_features=96)
densenet169 = _builder("densenet169", DenseNet169_Weights, growth_rate=32, block_config=(6, 12, 32, 32),
                       num_init_features=64)
densenet201 = _builder("densenet201", DenseNet201_Weights, growth_rate=32, block_config=(6, 12, 48, 32),
                       num_init_features=64)
