"""Lite R-ASPP, the segmentation head of MobileNet v3 (Howard et al. 2019, arXiv:1905.02244)."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any, Optional

from .... import nn
from ....nn import Module
from ....tensor.tensor import Tensor
from .._api import WeightsEnum, register_model
from .._utils import IntermediateLayerGetter, _ovewrite_value_param, handle_legacy_interface, load_weights
from .._weights import coco_voc
from ..mobilenetv3 import MobileNet_V3_Large_Weights, MobileNetV3, mobilenet_v3_large
from ._utils import resized, stages_of_mobilenet

__all__ = ["LRASPP", "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large"]


class LRASPP(Module):
    """(N, 3, H, W) → an ordered dict with "out" (N, num_classes, H, W). The backbone gives "low" and "high"."""

    def __init__(self, backbone: Module, low_channels: int, high_channels: int, num_classes: int,
                 inter_channels: int = 128) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        return OrderedDict(out=resized(self.classifier(self.backbone(input)), input))


class LRASPPHead(Module):
    """Coarse features, gated by their mean, and fine features: both give scores, which are added."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(nn.Conv2d(high_channels, inter_channels, 1, bias=False),
                                 nn.BatchNorm2d(inter_channels), nn.ReLU(inplace=True))
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False),
                                   nn.Sigmoid())
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        gated = self.cbr(high) * self.scale(high)
        return self.low_classifier(low) + self.high_classifier(resized(gated, low))


def _lraspp_mobilenetv3(backbone: MobileNetV3, num_classes: int) -> LRASPP:
    layers = backbone.features
    stages = stages_of_mobilenet(layers)
    low, high = stages[-4], stages[-1]
    features = IntermediateLayerGetter(layers, {str(low): "low", str(high): "high"})
    return LRASPP(features, layers[low].out_channels, layers[high].out_channels, num_classes)


class LRASPP_MobileNet_V3_Large_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "lraspp_mobilenet_v3_large-d234d4ea", "segmentation#lraspp_mobilenet_v3_large",
        metrics=dict(miou=57.9, pixel_acc=91.2), params=3_221_538, gflops=2.086, mb=12.49, min_size=1, resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", MobileNet_V3_Large_Weights.IMAGENET1K_V1))
def lraspp_mobilenet_v3_large(
        *, weights: Optional[LRASPP_MobileNet_V3_Large_Weights] = None, progress: bool = True,
        num_classes: Optional[int] = None,
        weights_backbone: Optional[MobileNet_V3_Large_Weights] = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        **kwargs: Any) -> LRASPP:
    """The network `lraspp_mobilenet_v3_large`; num_classes defaults to 21."""
    if kwargs.pop("aux_loss", False):
        raise NotImplementedError("This model does not use auxiliary loss")
    weights = LRASPP_MobileNet_V3_Large_Weights.verify(weights)
    weights_backbone = MobileNet_V3_Large_Weights.verify(weights_backbone)
    if weights is not None:
        weights_backbone = None
        num_classes = _ovewrite_value_param("num_classes", num_classes, len(weights.meta["categories"]))
    model = _lraspp_mobilenetv3(mobilenet_v3_large(weights=weights_backbone, dilated=True),
                                21 if num_classes is None else num_classes)
    if weights is not None:
        load_weights(model, weights, progress)
    return model
