"""Mask R-CNN (He et al. 2017, arXiv:1703.06870)."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, Optional

from .... import nn
from ....nn import Module, init
from ...ops import MultiScaleRoIAlign
from ...ops.misc import Conv2dNormActivation
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface
from .._weights import coco
from ..resnet import ResNet50_Weights
from .faster_rcnn import FasterRCNN, loaded, resnet50_pyramid, settle, v2_heads

__all__ = ["MaskRCNN", "MaskRCNN_ResNet50_FPN_V2_Weights", "MaskRCNN_ResNet50_FPN_Weights", "maskrcnn_resnet50_fpn",
           "maskrcnn_resnet50_fpn_v2"]


class MaskRCNN(FasterRCNN):
    """`FasterRCNN` that gives "masks", too: (N, 1, H, W), probabilities. Targets have "masks" (N, H, W) of 0 and 1."""

    def __init__(self, backbone, num_classes=None,
                 min_size=800, max_size=1333, image_mean=None, image_std=None,
                 rpn_anchor_generator=None, rpn_head=None, rpn_pre_nms_top_n_train=2000, rpn_pre_nms_top_n_test=1000,
                 rpn_post_nms_top_n_train=2000, rpn_post_nms_top_n_test=1000, rpn_nms_thresh=0.7,
                 rpn_fg_iou_thresh=0.7, rpn_bg_iou_thresh=0.3, rpn_batch_size_per_image=256,
                 rpn_positive_fraction=0.5, rpn_score_thresh=0.0,
                 box_roi_pool=None, box_head=None, box_predictor=None, box_score_thresh=0.05, box_nms_thresh=0.5,
                 box_detections_per_img=100, box_fg_iou_thresh=0.5, box_bg_iou_thresh=0.5,
                 box_batch_size_per_image=512, box_positive_fraction=0.25, bbox_reg_weights=None,
                 mask_roi_pool=None, mask_head=None, mask_predictor=None, **kwargs):
        if not isinstance(mask_roi_pool, (MultiScaleRoIAlign, type(None))):
            raise TypeError("mask_roi_pool should be of type MultiScaleRoIAlign or None instead of "
                            f"{type(mask_roi_pool)}")
        if num_classes is not None and mask_predictor is not None:
            raise ValueError("num_classes should be None when mask_predictor is specified")
        channels = backbone.out_channels
        pool = mask_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=14, sampling_ratio=2)
        head = mask_head or MaskRCNNHeads(channels, (256, 256, 256, 256), 1)
        predictor = mask_predictor or MaskRCNNPredictor(256, 256, num_classes)
        super().__init__(
            backbone, num_classes, min_size, max_size, image_mean, image_std, rpn_anchor_generator, rpn_head,
            rpn_pre_nms_top_n_train, rpn_pre_nms_top_n_test, rpn_post_nms_top_n_train, rpn_post_nms_top_n_test,
            rpn_nms_thresh, rpn_fg_iou_thresh, rpn_bg_iou_thresh, rpn_batch_size_per_image, rpn_positive_fraction,
            rpn_score_thresh, box_roi_pool, box_head, box_predictor, box_score_thresh, box_nms_thresh,
            box_detections_per_img, box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image,
            box_positive_fraction, bbox_reg_weights, **kwargs)
        self.roi_heads.mask_roi_pool, self.roi_heads.mask_head = pool, head
        self.roi_heads.mask_predictor = predictor


class MaskRCNNHeads(nn.Sequential):
    """3×3 convolutions of the widths `layers`."""

    _version = 2

    def __init__(self, in_channels, layers, dilation, norm_layer: Callable[..., Module] | None = None):
        blocks = []
        for width in layers:
            blocks.append(Conv2dNormActivation(in_channels, width, kernel_size=3, padding=dilation, dilation=dilation,
                                               norm_layer=norm_layer))
            in_channels = width
        super().__init__(*blocks)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    init.zeros_(layer.bias)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") is None or local_metadata["version"] < 2:
            for i in range(len(self)):  # the convolutions were once called mask_fcn1, …
                for kind in ("weight", "bias"):
                    old = f"{prefix}mask_fcn{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class MaskRCNNPredictor(nn.Sequential):
    """Twice the resolution, then logits of a mask for each class."""

    def __init__(self, in_channels, dim_reduced, num_classes):
        super().__init__(OrderedDict(
            conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2, 0), relu=nn.ReLU(inplace=True),
            mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1, 1, 0)))
        for name, parameter in self.named_parameters():
            if "weight" in name:
                init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")


class MaskRCNN_ResNet50_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "maskrcnn_resnet50_fpn_coco-bf2d0c1e", "detection#mask-r-cnn", metrics=dict(box_map=37.9, mask_map=34.6),
        params=44_401_393, gflops=134.38, mb=169.84, min_size=1)
    DEFAULT = COCO_V1


class MaskRCNN_ResNet50_FPN_V2_Weights(WeightsEnum):
    COCO_V1 = coco(
        "maskrcnn_resnet50_fpn_v2_coco-73cbd019", "https://github.com/pytorch/vision/pull/5773",
        metrics=dict(box_map=47.4, mask_map=41.8), params=46_359_409, gflops=333.577, mb=177.219, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", MaskRCNN_ResNet50_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def maskrcnn_resnet50_fpn(*, weights: Optional[MaskRCNN_ResNet50_FPN_Weights] = None, progress: bool = True,
                          num_classes: Optional[int] = None,
                          weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                          trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> MaskRCNN:
    """`MaskRCNN` on ResNet-50; num_classes (default 91) counts the background."""
    weights = MaskRCNN_ResNet50_FPN_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress)
    return loaded(MaskRCNN(pyramid, num_classes=classes, **kwargs), weights, progress)


@register_model()
@handle_legacy_interface(weights=("pretrained", MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def maskrcnn_resnet50_fpn_v2(*, weights: Optional[MaskRCNN_ResNet50_FPN_V2_Weights] = None, progress: bool = True,
                             num_classes: Optional[int] = None, weights_backbone: Optional[ResNet50_Weights] = None,
                             trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> MaskRCNN:
    """`MaskRCNN` on ResNet-50 with deeper heads; num_classes (default 91) counts the background."""
    weights = MaskRCNN_ResNet50_FPN_V2_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress, v2=True)
    heads = v2_heads()
    heads["mask_head"] = MaskRCNNHeads(256, [256] * 4, 1, norm_layer=nn.BatchNorm2d)
    return loaded(MaskRCNN(pyramid, num_classes=classes, **heads, **kwargs), weights, progress)
