"""Keypoint R-CNN: Mask R-CNN (He et al. 2017, arXiv:1703.06870) with a heatmap for each keypoint."""
from __future__ import annotations

from typing import Any, Optional

from .... import nn
from ....nn import Module, functional as F, init
from ...ops import MultiScaleRoIAlign
from .._api import WeightsEnum, register_model
from .._meta import _COCO_PERSON_CATEGORIES, _COCO_PERSON_KEYPOINT_NAMES
from .._utils import _ovewrite_value_param, handle_legacy_interface
from .._weights import coco
from ..resnet import ResNet50_Weights
from .faster_rcnn import FasterRCNN, loaded, resnet50_pyramid, settle

__all__ = ["KeypointRCNN", "KeypointRCNN_ResNet50_FPN_Weights", "keypointrcnn_resnet50_fpn"]


class KeypointRCNN(FasterRCNN):
    """`FasterRCNN` that gives "keypoints" (N, K, 3), (x, y, 1), and "keypoints_scores" (N, K), logits, too.

    Targets have "keypoints" (N, K, 3): x, y and whether it is visible.
    """

    def __init__(self, backbone, num_classes=None,
                 min_size=None, max_size=1333, image_mean=None, image_std=None,
                 rpn_anchor_generator=None, rpn_head=None, rpn_pre_nms_top_n_train=2000, rpn_pre_nms_top_n_test=1000,
                 rpn_post_nms_top_n_train=2000, rpn_post_nms_top_n_test=1000, rpn_nms_thresh=0.7,
                 rpn_fg_iou_thresh=0.7, rpn_bg_iou_thresh=0.3, rpn_batch_size_per_image=256,
                 rpn_positive_fraction=0.5, rpn_score_thresh=0.0,
                 box_roi_pool=None, box_head=None, box_predictor=None, box_score_thresh=0.05, box_nms_thresh=0.5,
                 box_detections_per_img=100, box_fg_iou_thresh=0.5, box_bg_iou_thresh=0.5,
                 box_batch_size_per_image=512, box_positive_fraction=0.25, bbox_reg_weights=None,
                 keypoint_roi_pool=None, keypoint_head=None, keypoint_predictor=None, num_keypoints=None, **kwargs):
        if not isinstance(keypoint_roi_pool, (MultiScaleRoIAlign, type(None))):
            raise TypeError("keypoint_roi_pool should be of type MultiScaleRoIAlign or None instead of "
                            f"{type(keypoint_roi_pool)}")
        if num_keypoints is not None and keypoint_predictor is not None:
            raise ValueError("num_keypoints should be None when keypoint_predictor is specified")
        pool = keypoint_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=14, sampling_ratio=2)
        head = keypoint_head or KeypointRCNNHeads(backbone.out_channels, (512,) * 8)
        predictor = keypoint_predictor or KeypointRCNNPredictor(512, 17 if num_keypoints is None else num_keypoints)
        super().__init__(
            backbone, num_classes, min_size or (640, 672, 704, 736, 768, 800), max_size, image_mean, image_std,
            rpn_anchor_generator, rpn_head, rpn_pre_nms_top_n_train, rpn_pre_nms_top_n_test, rpn_post_nms_top_n_train,
            rpn_post_nms_top_n_test, rpn_nms_thresh, rpn_fg_iou_thresh, rpn_bg_iou_thresh, rpn_batch_size_per_image,
            rpn_positive_fraction, rpn_score_thresh, box_roi_pool, box_head, box_predictor, box_score_thresh,
            box_nms_thresh, box_detections_per_img, box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image,
            box_positive_fraction, bbox_reg_weights, **kwargs)
        self.roi_heads.keypoint_roi_pool, self.roi_heads.keypoint_head = pool, head
        self.roi_heads.keypoint_predictor = predictor


class KeypointRCNNHeads(nn.Sequential):
    """3×3 convolutions of the widths `layers`, each with ReLU."""

    def __init__(self, in_channels, layers):
        blocks: list[Module] = []
        for width in layers:
            blocks += [nn.Conv2d(in_channels, width, 3, stride=1, padding=1), nn.ReLU(inplace=True)]
            in_channels = width
        super().__init__(*blocks)
        for layer in self.children():
            if isinstance(layer, nn.Conv2d):
                init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                init.constant_(layer.bias, 0)


class KeypointRCNNPredictor(Module):
    """Logits of a heatmap for each keypoint, at four times the resolution."""

    def __init__(self, in_channels, num_keypoints):
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(in_channels, num_keypoints, 4, stride=2, padding=1)
        init.kaiming_normal_(self.kps_score_lowres.weight, mode="fan_out", nonlinearity="relu")
        init.constant_(self.kps_score_lowres.bias, 0)
        self.up_scale, self.out_channels = 2, num_keypoints

    def forward(self, x):
        return F.interpolate(self.kps_score_lowres(x), scale_factor=float(self.up_scale), mode="bilinear",
                             align_corners=False, recompute_scale_factor=False)


class KeypointRCNN_ResNet50_FPN_Weights(WeightsEnum):
    COCO_LEGACY = coco(
        "keypointrcnn_resnet50_fpn_coco-9f466800", "https://github.com/pytorch/vision/issues/1606",
        metrics=dict(box_map=50.6, kp_map=61.1), params=59_137_258, gflops=133.924, mb=226.054, min_size=1,
        categories=_COCO_PERSON_CATEGORIES, keypoint_names=_COCO_PERSON_KEYPOINT_NAMES)
    COCO_V1 = coco(
        "keypointrcnn_resnet50_fpn_coco-fc266e95", "detection#keypoint-r-cnn", metrics=dict(box_map=54.6, kp_map=65.0),
        params=59_137_258, gflops=137.42, mb=226.054, min_size=1, categories=_COCO_PERSON_CATEGORIES,
        keypoint_names=_COCO_PERSON_KEYPOINT_NAMES)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(
    weights=("pretrained", lambda kwargs: KeypointRCNN_ResNet50_FPN_Weights.COCO_LEGACY
             if kwargs["pretrained"] == "legacy" else KeypointRCNN_ResNet50_FPN_Weights.COCO_V1),
    weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def keypointrcnn_resnet50_fpn(*, weights: Optional[KeypointRCNN_ResNet50_FPN_Weights] = None, progress: bool = True,
                              num_classes: Optional[int] = None, num_keypoints: Optional[int] = None,
                              weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                              trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> KeypointRCNN:
    """`KeypointRCNN` on ResNet-50; num_classes (default 2) counts the background, num_keypoints defaults to 17."""
    weights = KeypointRCNN_ResNet50_FPN_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes, default=2)
    if weights is not None:
        num_keypoints = _ovewrite_value_param("num_keypoints", num_keypoints, len(weights.meta["keypoint_names"]))
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress)
    model = KeypointRCNN(pyramid, classes, num_keypoints=17 if num_keypoints is None else num_keypoints, **kwargs)
    return loaded(model, weights, progress)
