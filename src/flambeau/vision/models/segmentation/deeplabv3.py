"""DeepLab v3 (Chen et al. 2017, arXiv:1706.05587): features at several dilations."""
from __future__ import annotations

from typing import Any, Optional, Sequence

from .... import cat, nn
from ....nn import Module
from ....tensor.tensor import Tensor
from .._api import WeightsEnum, register_model
from .._utils import IntermediateLayerGetter, handle_legacy_interface
from .._weights import coco_voc
from ..mobilenetv3 import MobileNet_V3_Large_Weights, MobileNetV3, mobilenet_v3_large
from ..resnet import ResNet, ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from ._utils import _SimpleSegmentationModel, build, resized, stages_of_mobilenet
from .fcn import FCNHead, dilated_backbone

__all__ = ["DeepLabV3", "DeepLabV3_MobileNet_V3_Large_Weights", "DeepLabV3_ResNet101_Weights",
           "DeepLabV3_ResNet50_Weights", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101", "deeplabv3_resnet50"]


class DeepLabV3(_SimpleSegmentationModel):
    __doc__ = _SimpleSegmentationModel.__doc__


class ASPPConv(nn.Sequential):
    """A dilated 3×3 convolution."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False),
                         nn.BatchNorm2d(out_channels), nn.ReLU())


class ASPPPooling(nn.Sequential):
    """The image's mean features, everywhere."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, out_channels, 1, bias=False),
                         nn.BatchNorm2d(out_channels), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return resized(super().forward(x), x)


class ASPP(Module):
    """Convolutions at several dilations and pooling side by side, projected to out_channels."""

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        self.convs = nn.ModuleList([
            nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels),
                          nn.ReLU()),
            *(ASPPConv(in_channels, out_channels, rate) for rate in tuple(atrous_rates)),
            ASPPPooling(in_channels, out_channels)])
        self.project = nn.Sequential(
            nn.Conv2d(len(self.convs) * out_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels),
            nn.ReLU(), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(cat([conv(x) for conv in self.convs], dim=1))


class DeepLabHead(nn.Sequential):
    """Features to scores of classes, at the features' resolution."""

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        super().__init__(ASPP(in_channels, atrous_rates), nn.Conv2d(256, 256, 3, padding=1, bias=False),
                         nn.BatchNorm2d(256), nn.ReLU(), nn.Conv2d(256, num_classes, 1))


def _deeplabv3_resnet(backbone: ResNet, num_classes: int, aux: Optional[bool]) -> DeepLabV3:
    features = dilated_backbone(backbone, aux)
    aux_classifier = FCNHead(1024, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(2048, num_classes), aux_classifier)


def _deeplabv3_mobilenetv3(backbone: MobileNetV3, num_classes: int, aux: Optional[bool]) -> DeepLabV3:
    layers = backbone.features
    stages = stages_of_mobilenet(layers)
    out, middle = stages[-1], stages[-4]
    features = IntermediateLayerGetter(layers, {str(out): "out", **({str(middle): "aux"} if aux else {})})
    aux_classifier = FCNHead(layers[middle].out_channels, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(layers[out].out_channels, num_classes), aux_classifier)


class DeepLabV3_MobileNet_V3_Large_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "deeplabv3_mobilenet_v3_large-fc3c493d", "segmentation#deeplabv3_mobilenet_v3_large",
        metrics=dict(miou=60.3, pixel_acc=91.2), params=11_029_328, gflops=10.452, mb=42.301, min_size=1,
        resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class DeepLabV3_ResNet101_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "deeplabv3_resnet101_coco-586e9e4e", "segmentation#fcn_resnet101", metrics=dict(miou=67.4, pixel_acc=92.4),
        params=60_996_202, gflops=258.743, mb=233.217, min_size=1, resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class DeepLabV3_ResNet50_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_voc(
        "deeplabv3_resnet50_coco-cd0a2569", "segmentation#deeplabv3_resnet50", metrics=dict(miou=66.4, pixel_acc=92.4),
        params=42_004_074, gflops=178.722, mb=160.515, min_size=1, resize_size=520)
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def deeplabv3_resnet50(*, weights: Optional[DeepLabV3_ResNet50_Weights] = None, progress: bool = True,
                       num_classes: Optional[int] = None, aux_loss: Optional[bool] = None,
                       weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                       **kwargs: Any) -> DeepLabV3:
    """The network `deeplabv3_resnet50`; num_classes defaults to 21, aux_loss adds an auxiliary classifier."""
    return build(lambda backbone, classes, aux: _deeplabv3_resnet(
        resnet50(weights=backbone, replace_stride_with_dilation=[False, True, True]), classes, aux),
        DeepLabV3_ResNet50_Weights.verify(weights), ResNet50_Weights.verify(weights_backbone), progress, num_classes,
        aux_loss)


@register_model()
@handle_legacy_interface(weights=("pretrained", DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", ResNet101_Weights.IMAGENET1K_V1))
def deeplabv3_resnet101(*, weights: Optional[DeepLabV3_ResNet101_Weights] = None, progress: bool = True,
                        num_classes: Optional[int] = None, aux_loss: Optional[bool] = None,
                        weights_backbone: Optional[ResNet101_Weights] = ResNet101_Weights.IMAGENET1K_V1,
                        **kwargs: Any) -> DeepLabV3:
    """The network `deeplabv3_resnet101`; num_classes defaults to 21, aux_loss adds an auxiliary classifier."""
    return build(lambda backbone, classes, aux: _deeplabv3_resnet(
        resnet101(weights=backbone, replace_stride_with_dilation=[False, True, True]), classes, aux),
        DeepLabV3_ResNet101_Weights.verify(weights), ResNet101_Weights.verify(weights_backbone), progress,
        num_classes, aux_loss)


@register_model()
@handle_legacy_interface(weights=("pretrained", DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1),
                         weights_backbone=("pretrained_backbone", MobileNet_V3_Large_Weights.IMAGENET1K_V1))
def deeplabv3_mobilenet_v3_large(
        *, weights: Optional[DeepLabV3_MobileNet_V3_Large_Weights] = None, progress: bool = True,
        num_classes: Optional[int] = None, aux_loss: Optional[bool] = None,
        weights_backbone: Optional[MobileNet_V3_Large_Weights] = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        **kwargs: Any) -> DeepLabV3:
    """The network `deeplabv3_mobilenet_v3_large`; num_classes defaults to 21, aux_loss adds an auxiliary classifier."""
    return build(lambda backbone, classes, aux: _deeplabv3_mobilenetv3(
        mobilenet_v3_large(weights=backbone, dilated=True), classes, aux),
        DeepLabV3_MobileNet_V3_Large_Weights.verify(weights), MobileNet_V3_Large_Weights.verify(weights_backbone),
        progress, num_classes, aux_loss)
