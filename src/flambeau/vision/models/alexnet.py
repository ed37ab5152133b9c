"""AlexNet in its one-tower form (Krizhevsky 2014, arXiv:1404.5997)."""
from __future__ import annotations

from ... import nn
from ...nn import Module
from ...tensor.tensor import Tensor
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import imagenet

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]


class AlexNet(Module):
    """Five convolutions and three linear layers: (N, 3, H, W) → (N, num_classes), H and W at least 63."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        relu = nn.ReLU
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), relu(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), relu(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), relu(True),
            nn.Conv2d(384, 256, 3, padding=1), relu(True),
            nn.Conv2d(256, 256, 3, padding=1), relu(True), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), relu(True),
            nn.Dropout(dropout), nn.Linear(4096, 4096), relu(True),
            nn.Linear(4096, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class AlexNet_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "alexnet-owt-7be5be79", "classification#alexnet-and-vgg", acc=(56.522, 79.066), params=61_100_840, gflops=0.714,
        mb=233.087, min_size=63, crop_size=224)
    DEFAULT = IMAGENET1K_V1


alexnet = classifier("alexnet", AlexNet_Weights, AlexNet)
