"""SSDlite: SSD of separable convolutions on MobileNet (Sandler et al. 2018, arXiv:1801.04381; Howard et al. 2019,
arXiv:1905.02244)."""
from __future__ import annotations

import warnings
from collections import OrderedDict
from functools import partial
from typing import Any, Callable, Optional

from .... import nn
from ....nn import Module, init
from ....tensor.tensor import Tensor
from ...ops.misc import Conv2dNormActivation
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface, load_weights
from .._weights import coco
from ..mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from ..segmentation._utils import stages_of_mobilenet
from . import _utils as det_utils
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import _validate_trainable_layers
from .faster_rcnn import settle
from .ssd import SSD, SSDScoringHead

__all__ = ["SSDLite320_MobileNet_V3_Large_Weights", "ssdlite320_mobilenet_v3_large"]


def _normal_init(conv: Module) -> None:
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.normal_(layer.weight, mean=0.0, std=0.03)
            if layer.bias is not None:
                init.constant_(layer.bias, 0.0)


def _prediction_block(in_channels: int, out_channels: int, kernel_size: int,
                      norm_layer: Callable[..., Module]) -> nn.Sequential:
    """A convolution for each channel, then 1×1."""
    return nn.Sequential(
        Conv2dNormActivation(in_channels, in_channels, kernel_size=kernel_size, groups=in_channels,
                             norm_layer=norm_layer, activation_layer=nn.ReLU6),
        nn.Conv2d(in_channels, out_channels, 1))


def _extra_block(in_channels: int, out_channels: int, norm_layer: Callable[..., Module]) -> nn.Sequential:
    """1×1, a convolution of stride 2 for each channel, 1×1."""
    conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
    middle = out_channels // 2
    return nn.Sequential(conv(in_channels, middle, kernel_size=1),
                         conv(middle, middle, kernel_size=3, stride=2, groups=middle),
                         conv(middle, out_channels, kernel_size=1))


class _LiteHead(SSDScoringHead):
    def __init__(self, in_channels: list[int], num_anchors: list[int], columns: int,
                 norm_layer: Callable[..., Module]) -> None:
        convs = nn.ModuleList(_prediction_block(channels, columns * anchors, 3, norm_layer)
                              for channels, anchors in zip(in_channels, num_anchors))
        _normal_init(convs)
        super().__init__(convs, columns)


class SSDLiteClassificationHead(_LiteHead):
    """Logits of the classes of each box."""


class SSDLiteRegressionHead(_LiteHead):
    """Codes of each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], norm_layer: Callable[..., Module]):
        super().__init__(in_channels, num_anchors, 4, norm_layer)


class SSDLiteHead(Module):
    """Both heads: "bbox_regression" (N, boxes, 4) and "cls_logits" (N, boxes, classes)."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int,
                 norm_layer: Callable[..., Module]):
        super().__init__()
        self.classification_head = SSDLiteClassificationHead(in_channels, num_anchors, num_classes, norm_layer)
        self.regression_head = SSDLiteRegressionHead(in_channels, num_anchors, norm_layer)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSDLiteFeatureExtractorMobileNet(Module):
    """A MobileNet's features in the middle of the block c4_pos and at its end, and four coarser maps."""

    def __init__(self, backbone: Module, c4_pos: int, norm_layer: Callable[..., Module], width_mult: float = 1.0,
                 min_depth: int = 16):
        super().__init__()
        if backbone[c4_pos].use_res_connect:
            raise ValueError("backbone[c4_pos].use_res_connect should be False")
        block = backbone[c4_pos].block
        self.features = nn.Sequential(nn.Sequential(*backbone[:c4_pos], block[0]),
                                      nn.Sequential(block[1:], *backbone[c4_pos + 1:]))
        depths = [backbone[-1].out_channels, *(max(min_depth, int(d * width_mult)) for d in (512, 256, 256, 128))]
        extra = nn.ModuleList(_extra_block(before, after, norm_layer) for before, after in zip(depths, depths[1:]))
        _normal_init(extra)
        self.extra = extra

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = []
        for block in (*self.features, *self.extra):
            x = block(x)
            maps.append(x)
        return OrderedDict((str(i), m) for i, m in enumerate(maps))


def _mobilenet_extractor(backbone: Any, trainable_layers: int,
                         norm_layer: Callable[..., Module]) -> SSDLiteFeatureExtractorMobileNet:
    features = backbone.features
    stages = stages_of_mobilenet(features)
    if not 0 <= trainable_layers <= len(stages):
        raise ValueError(f"trainable_layers should be in the range [0, {len(stages)}], instead got "
                         f"{trainable_layers}")
    for layer in features[:len(features) if trainable_layers == 0 else stages[len(stages) - trainable_layers]]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return SSDLiteFeatureExtractorMobileNet(features, stages[-2], norm_layer)


class SSDLite320_MobileNet_V3_Large_Weights(WeightsEnum):
    COCO_V1 = coco(
        "ssdlite320_mobilenet_v3_large_coco-a79551df", "detection#ssdlite320-mobilenetv3-large",
        metrics=dict(box_map=21.3), params=3_440_060, gflops=0.583, mb=13.418, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", SSDLite320_MobileNet_V3_Large_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", MobileNet_V3_Large_Weights.IMAGENET1K_V1))
def ssdlite320_mobilenet_v3_large(
        *, weights: Optional[SSDLite320_MobileNet_V3_Large_Weights] = None, progress: bool = True,
        num_classes: Optional[int] = None,
        weights_backbone: Optional[MobileNet_V3_Large_Weights] = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        trainable_backbone_layers: Optional[int] = None, norm_layer: Optional[Callable[..., Module]] = None,
        **kwargs: Any) -> SSD:
    """`SSD` of separable convolutions on MobileNet v3 for images of 320×320; num_classes (default 91) counts the
    background."""
    weights = SSDLite320_MobileNet_V3_Large_Weights.verify(weights)
    if "size" in kwargs:
        warnings.warn("The size of the model is already fixed; ignoring the parameter.", stacklevel=3)
        del kwargs["size"]
    pretrained, classes = settle(weights, MobileNet_V3_Large_Weights.verify(weights_backbone), num_classes)
    trainable = _validate_trainable_layers(weights is not None or pretrained is not None, trainable_backbone_layers,
                                           6, 6)
    norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    # without trained weights, the narrower tail that the paper recommends
    network = mobilenet_v3_large(weights=pretrained, progress=progress, norm_layer=norm,
                                 reduced_tail=pretrained is None)
    if pretrained is None:
        _normal_init(network)
    features = _mobilenet_extractor(network, trainable, norm)
    size = (320, 320)
    anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    head = SSDLiteHead(det_utils.retrieve_out_channels(features, size), anchors.num_anchors_per_location(), classes,
                       norm)
    defaults = {"score_thresh": 0.001, "nms_thresh": 0.55, "detections_per_img": 300, "topk_candidates": 300,
                "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}  # the backbone takes [-1, 1]
    model = SSD(features, anchors, size, classes, head=head, **{**defaults, **kwargs})
    if weights is not None:
        load_weights(model, weights, progress)
    return model
