"""Fully convolutional networks (Long et al. 2014, arXiv:1411.4038) on a dilated ResNet."""
from __future__ import annotations

from typing import Any, Optional

from .... import nn
from .._api import WeightsEnum, register_model
from .._utils import IntermediateLayerGetter, handle_legacy_interface
from .._weights import coco_voc
from ..resnet import ResNet, ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from ._utils import _SimpleSegmentationModel, build

__all__ = ["FCN", "FCN_ResNet101_Weights", "FCN_ResNet50_Weights", "fcn_resnet101", "fcn_resnet50"]


class FCN(_SimpleSegmentationModel):
    __doc__ = _SimpleSegmentationModel.__doc__


class FCNHead(nn.Sequential):
    """Features to scores of classes, at the features' resolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        width = in_channels // 4
        super().__init__(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                         nn.Dropout(0.1), nn.Conv2d(width, channels, 1))


def dilated_backbone(backbone: ResNet, aux: Optional[bool]) -> IntermediateLayerGetter:
    """The last stage's features as "out" and, with aux, the third's as "aux"."""
    return IntermediateLayerGetter(backbone, {"layer4": "out", **({"layer3": "aux"} if aux else {})})


def _fcn_resnet(backbone: ResNet, num_classes: int, aux: Optional[bool]) -> FCN:
    features = dilated_backbone(backbone, aux)
    aux_classifier = FCNHead(1024, num_classes) if aux else None
    return FCN(features, FCNHead(2048, num_classes), aux_classifier)


class FCN_ResNet101_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "fcn_resnet101_coco-7ecb50ca", "segmentation#deeplabv3_resnet101", metrics=dict(miou=63.7, pixel_acc=91.9),
        params=54_314_346, gflops=232.738, mb=207.711, min_size=1, resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class FCN_ResNet50_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "fcn_resnet50_coco-1167a1af", "segmentation#fcn_resnet50", metrics=dict(miou=60.5, pixel_acc=91.4),
        params=35_322_218, gflops=152.717, mb=135.009, min_size=1, resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def fcn_resnet50(*, weights: Optional[FCN_ResNet50_Weights] = None, progress: bool = True,
                 num_classes: Optional[int] = None, aux_loss: Optional[bool] = None,
                 weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1, **kwargs: Any) -> FCN:
    """The network `fcn_resnet50`; num_classes defaults to 21, aux_loss adds an auxiliary classifier."""
    return build(lambda backbone, classes, aux: _fcn_resnet(
        resnet50(weights=backbone, replace_stride_with_dilation=[False, True, True]), classes, aux),
        FCN_ResNet50_Weights.verify(weights), ResNet50_Weights.verify(weights_backbone), progress, num_classes,
        aux_loss)


@register_model()
@handle_legacy_interface(weights=("pretrained", FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", ResNet101_Weights.IMAGENET1K_V1))
def fcn_resnet101(*, weights: Optional[FCN_ResNet101_Weights] = None, progress: bool = True,
                  num_classes: Optional[int] = None, aux_loss: Optional[bool] = None,
                  weights_backbone: Optional[ResNet101_Weights] = ResNet101_Weights.IMAGENET1K_V1,
                  **kwargs: Any) -> FCN:
    """The network `fcn_resnet101`; num_classes defaults to 21, aux_loss adds an auxiliary classifier."""
    return build(lambda backbone, classes, aux: _fcn_resnet(
        resnet101(weights=backbone, replace_stride_with_dilation=[False, True, True]), classes, aux),
        FCN_ResNet101_Weights.verify(weights), ResNet101_Weights.verify(weights_backbone), progress, num_classes,
        aux_loss)
