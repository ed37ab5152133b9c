"""GoogLeNet, Inception v1 (Szegedy et al. 2014, arXiv:1409.4842), with batch normalisation."""
from __future__ import annotations

import warnings
from collections import namedtuple
from functools import partial
from typing import Any, Callable

from ... import cat, nn, stack
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ._api import WeightsEnum, register_model
from ._utils import _ovewrite_named_param, handle_legacy_interface, load_weights
from ._weights import imagenet

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "GoogLeNet_Weights", "googlenet"]

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])


class BasicConv2d(Module):
    """A convolution without bias, batch normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(Module):
    """1×1, 3×3 and "5×5" convolutions and a pooling side by side; the 5×5 ones are 3×3 ones in the published
    weights."""

    def __init__(self, in_channels: int, ch1x1: int, ch3x3red: int, ch3x3: int, ch5x5red: int, ch5x5: int,
                 pool_proj: int, conv_block: Callable[..., Module] | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(conv(in_channels, ch3x3red, kernel_size=1),
                                     conv(ch3x3red, ch3x3, kernel_size=3, padding=1))
        self.branch3 = nn.Sequential(conv(in_channels, ch5x5red, kernel_size=1),
                                     conv(ch5x5red, ch5x5, kernel_size=3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
                                     conv(in_channels, pool_proj, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(Module):
    """A classifier on features from the middle of the network, for training."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: Callable[..., Module] | None = None,
                 dropout: float = 0.7) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


# in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj
_MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128), "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(Module):
    """(N, 3, H, W) → (N, num_classes); while training, with aux_logits, GoogLeNetOutputs of three classifiers.

    transform_input: converts inputs normalised for ImageNet to the range [-1, 1] that the weights were trained with.
    """

    def __init__(self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
                 init_weights: bool | None = None, blocks: list[Callable[..., Module]] | None = None,
                 dropout: float = 0.2, dropout_aux: float = 0.7) -> None:
        super().__init__()
        conv, inception, aux = blocks or [BasicConv2d, Inception, InceptionAux]
        if init_weights is None:
            init_weights = initializes_by_default("GoogleNet")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        pool = partial(nn.MaxPool2d, ceil_mode=True)
        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = pool(3, stride=2)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = pool(3, stride=2)
        for name, sizes in _MODULES.items():
            self.add_module(f"inception{name}", inception(*sizes))
            if name == "3b":
                self.maxpool3 = pool(3, stride=2)
            elif name == "4e":
                self.maxpool4 = pool(2, stride=2)
        self.aux1 = aux(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = aux(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights:
            initialize(self, 0.01)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:
            x = to_inception_range(x)
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        x = self.inception3b(self.inception3a(self.maxpool2(x)))
        x = self.inception4a(self.maxpool3(x))
        aux = self.training and self.aux_logits and self.aux1 is not None
        aux1 = self.aux1(x) if aux else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if aux else None
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(x))))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return GoogLeNetOutputs(x, aux2, aux1) if self.training and self.aux_logits else x


def initializes_by_default(name: str) -> bool:
    """True, with the warning that it will not be so for ever."""
    warnings.warn(f"The default weight initialization of {name} will be changed in future releases of torchvision. If "
                  "you wish to keep the old behavior (which leads to long initialization times due to "
                  "scipy/scipy#11299), please set init_weights=True.", FutureWarning, stacklevel=3)
    return True


def built(network: Callable[..., Module], weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any]) -> Any:
    """network(**kwargs). Weights settle its arguments: they are of a network with auxiliary classifiers."""
    if weights is None:
        return network(**kwargs)
    kwargs.setdefault("transform_input", True)
    kwargs["aux_logits"] = True
    _ovewrite_named_param(kwargs, "init_weights", False)
    _ovewrite_named_param(kwargs, "num_classes", len(weights.meta["categories"]))
    model = network(**kwargs)
    load_weights(model, weights, progress)
    return model


def initialize(model: Module, std: float) -> None:
    """Truncated normal weights; of deviation `stddev` where a module has such an attribute."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            init.trunc_normal_(module.weight, mean=0.0, std=float(getattr(module, "stddev", std)), a=-2, b=2)
        elif isinstance(module, nn.BatchNorm2d):
            init.constant_(module.weight, 1)
            init.constant_(module.bias, 0)


def to_inception_range(x: Tensor) -> Tensor:
    """Images normalised with ImageNet's mean and deviation, as images in [-1, 1]."""
    statistics = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    return stack([x[:, i] * (std / 0.5) + (mean - 0.5) / 0.5 for i, (mean, std) in enumerate(statistics)], 1)


class GoogLeNet_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "googlenet-1378be20", "classification#googlenet", acc=(69.778, 89.53), params=6_624_904, gflops=1.498,
        mb=49.731, min_size=15, crop_size=224)
    DEFAULT = IMAGENET1K_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", GoogLeNet_Weights.IMAGENET1K_V1))
def googlenet(*, weights: GoogLeNet_Weights | None = None, progress: bool = True, **kwargs: Any) -> GoogLeNet:
    """The network `googlenet`. With weights, the auxiliary classifiers (which are random) only if aux_logits=True."""
    weights = GoogLeNet_Weights.verify(weights)
    wants_aux = kwargs.get("aux_logits", False)
    model = built(GoogLeNet, weights, progress, kwargs)
    if weights is not None:
        if wants_aux:
            warnings.warn("auxiliary heads in the pretrained googlenet model are NOT pretrained, so make sure to "
                          "train them", stacklevel=3)
        else:
            model.aux_logits, model.aux1, model.aux2 = False, None, None
    return model
