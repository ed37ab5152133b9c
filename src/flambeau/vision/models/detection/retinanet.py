"""RetinaNet (Lin et al. 2017, arXiv:1708.02002)."""
from __future__ import annotations

import math
from functools import partial
from typing import Any, Callable, Optional

from .... import arange, cat, nn, where, zeros_like
from ....nn import Module, init
from ....tensor.tensor import Tensor
from ...ops import boxes as box_ops, sigmoid_focal_loss
from ...ops.feature_pyramid_network import LastLevelP6P7
from ...ops.misc import Conv2dNormActivation
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface
from .._weights import coco
from ..resnet import ResNet50_Weights
from . import _utils as det_utils
from .anchor_utils import AnchorGenerator
from .faster_rcnn import loaded, resnet50_pyramid, settle
from .rpn import permute_and_flatten
from .transform import GeneralizedRCNNTransform

__all__ = ["RetinaNet", "RetinaNet_ResNet50_FPN_V2_Weights", "RetinaNet_ResNet50_FPN_Weights",
           "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2"]


def _sum(x: list[Tensor]) -> Tensor:
    total = x[0]
    for part in x[1:]:
        total = total + part
    return total


def _v1_to_v2_weights(state_dict, prefix) -> None:
    """The towers' layers were once 0, 2, 4, 6 of convolutions and activations."""
    for i in range(4):
        for kind in ("weight", "bias"):
            old = f"{prefix}conv.{2 * i}.{kind}"
            if old in state_dict:
                state_dict[f"{prefix}conv.{i}.0.{kind}"] = state_dict.pop(old)


def _default_anchorgen() -> AnchorGenerator:
    sizes = tuple((x, int(x * 2 ** (1.0 / 3)), int(x * 2 ** (2.0 / 3))) for x in (32, 64, 128, 256, 512))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))


class _Tower(Module):
    """Four 3×3 convolutions, for each feature map, and one more (attribute `_last`) for the anchors' values."""

    _version = 2
    _last = ""

    def __init__(self, in_channels: int, norm_layer: Callable[..., Module] | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Conv2dNormActivation(in_channels, in_channels, norm_layer=norm_layer)
                                    for _ in range(4)))

    def _initialize_conv(self) -> None:
        for layer in self.conv.modules():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    init.constant_(layer.bias, 0)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") is None or local_metadata["version"] < 2:
            _v1_to_v2_weights(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def _values(self, x: list[Tensor], size: int) -> Tensor:
        """(N, anchors, size) of all maps."""
        maps = [getattr(self, self._last)(self.conv(features)) for features in x]
        return cat([permute_and_flatten(m, m.shape[0], -1, size, *m.shape[-2:]) for m in maps], dim=1)


class RetinaNetClassificationHead(_Tower):
    """Logits of the classes of each anchor."""

    _last = "cls_logits"

    def __init__(self, in_channels, num_anchors, num_classes, prior_probability=0.01,
                 norm_layer: Callable[..., Module] | None = None):
        super().__init__(in_channels, norm_layer)
        self._initialize_conv()
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, kernel_size=3, stride=1, padding=1)
        init.normal_(self.cls_logits.weight, std=0.01)
        init.constant_(self.cls_logits.bias, -math.log((1 - prior_probability) / prior_probability))
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self.BETWEEN_THRESHOLDS = det_utils.Matcher.BETWEEN_THRESHOLDS

    def compute_loss(self, targets, head_outputs, matched_idxs):
        """The focal loss for each object, averaged over the images."""
        losses = []
        for target, logits, matched in zip(targets, head_outputs["cls_logits"], matched_idxs):
            foreground = where(matched >= 0)[0]
            wanted = zeros_like(logits)
            wanted[foreground, target["labels"][matched[foreground]]] = 1.0
            valid = where(matched != self.BETWEEN_THRESHOLDS)[0]
            loss = sigmoid_focal_loss(logits[valid], wanted[valid], reduction="sum")
            losses.append(loss / max(1, foreground.numel()))
        return _sum(losses) / len(targets)

    def forward(self, x):
        return self._values(x, self.num_classes)


class RetinaNetRegressionHead(_Tower):
    """Codes of the box of each anchor."""

    _last = "bbox_reg"

    def __init__(self, in_channels, num_anchors, norm_layer: Callable[..., Module] | None = None):
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=3, stride=1, padding=1)
        init.normal_(self.bbox_reg.weight, std=0.01)
        init.zeros_(self.bbox_reg.bias)
        self._initialize_conv()
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self._loss_type = "l1"

    def compute_loss(self, targets, head_outputs, anchors, matched_idxs):
        """The loss of the boxes for each object, averaged over the images."""
        losses = []
        for target, codes, of_image, matched in zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs):
            foreground = where(matched >= 0)[0]
            loss = det_utils._box_loss(self._loss_type, self.box_coder, of_image[foreground],
                                       target["boxes"][matched[foreground]], codes[foreground])
            losses.append(loss / max(1, foreground.numel()))
        return _sum(losses) / max(1, len(targets))

    def forward(self, x):
        return self._values(x, 4)


class RetinaNetHead(Module):
    """Both heads: a dict of "cls_logits" (N, anchors, classes) and "bbox_regression" (N, anchors, 4)."""

    def __init__(self, in_channels, num_anchors, num_classes, norm_layer: Callable[..., Module] | None = None):
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(in_channels, num_anchors, num_classes,
                                                               norm_layer=norm_layer)
        self.regression_head = RetinaNetRegressionHead(in_channels, num_anchors, norm_layer=norm_layer)

    def compute_loss(self, targets, head_outputs, anchors, matched_idxs):
        return {"classification": self.classification_head.compute_loss(targets, head_outputs, matched_idxs),
                "bbox_regression": self.regression_head.compute_loss(targets, head_outputs, anchors, matched_idxs)}

    def forward(self, x):
        return {"cls_logits": self.classification_head(x), "bbox_regression": self.regression_head(x)}


class OneStage(Module):
    """What detectors without proposals share: images to feature maps, anchors and a head's outputs, and back.

    A list of images (3, H, W) in [0, 1] → for each a dict of boxes (N, 4), scores (N,) and labels (N,); while
    training, with targets, a dict of losses.
    """

    def forward(self, images, targets=None):
        if self.training:
            if targets is None:
                raise AssertionError("targets should not be none when in training mode")
            det_utils.check_boxes(targets)
        originals = det_utils.image_sizes(images)
        images, targets = self.transform(images, targets)
        if targets is not None:
            det_utils.check_degenerate(targets)
        features = self.backbone(images.tensors)
        maps = [features] if isinstance(features, Tensor) else list(features.values())
        outputs = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        if self.training:
            return self._losses(targets, outputs, anchors, maps)
        detections = self._detections(outputs, anchors, images.image_sizes, maps)
        return self.transform.postprocess(detections, images.image_sizes, originals)

    def _by_level(self, outputs, anchors, maps):
        """Outputs and anchors, split into levels."""
        places = [m.shape[2] * m.shape[3] for m in maps]
        per_place = outputs["cls_logits"].shape[1] // sum(places)
        counts = [n * per_place for n in places]
        return ({name: list(values.split(counts, dim=1)) for name, values in outputs.items()},
                [list(of_image.split(counts)) for of_image in anchors])

    def _select(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(scores, anchors, labels) of the best of a level's scores (anchors, classes) above the threshold."""
        classes = scores.shape[-1]
        flat = scores.flatten()
        places = where(flat > self.score_thresh)[0]
        best, order = flat[places].topk(det_utils._topk_min(places, self.topk_candidates, 0))
        places = places[order]
        return best, places // classes, places % classes

    def _without_overlaps(self, boxes, scores, labels) -> dict[str, Tensor]:
        boxes, scores, labels = cat(boxes), cat(scores), cat(labels)
        keep = box_ops.batched_nms(boxes, scores, labels, self.nms_thresh)[:self.detections_per_img]
        return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}


def check_backbone(backbone: Module, anchor_generator: Module | None, kind: type = AnchorGenerator) -> None:
    """ValueError for a backbone without out_channels, TypeError for what is no anchor generator."""
    if not hasattr(backbone, "out_channels"):
        raise ValueError("backbone should contain an attribute out_channels specifying the number of output channels "
                         "(assumed to be the same for all the levels)")
    if not isinstance(anchor_generator, (kind, type(None))):
        raise TypeError(f"anchor_generator should be of type {kind.__name__} or None instead of "
                        f"{type(anchor_generator)}")


class RetinaNet(OneStage):
    __doc__ = OneStage.__doc__

    def __init__(self, backbone, num_classes, min_size=800, max_size=1333, image_mean=None, image_std=None,
                 anchor_generator=None, head=None, proposal_matcher=None, score_thresh=0.05, nms_thresh=0.5,
                 detections_per_img=300, fg_iou_thresh=0.5, bg_iou_thresh=0.4, topk_candidates=1000, **kwargs):
        super().__init__()
        check_backbone(backbone, anchor_generator)
        self.backbone = backbone
        self.anchor_generator = anchor_generator or _default_anchorgen()
        self.head = head or RetinaNetHead(backbone.out_channels,
                                          self.anchor_generator.num_anchors_per_location()[0], num_classes)
        self.proposal_matcher = proposal_matcher or det_utils.Matcher(fg_iou_thresh, bg_iou_thresh,
                                                                      allow_low_quality_matches=True)
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.transform = GeneralizedRCNNTransform(min_size, max_size, image_mean or [0.485, 0.456, 0.406],
                                                  image_std or [0.229, 0.224, 0.225], **kwargs)
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def compute_loss(self, targets, head_outputs, anchors):
        matched = []
        for of_image, target in zip(anchors, targets):
            if target["boxes"].numel() == 0:
                matched.append(arange(of_image.shape[0]) * 0 - 1)
            else:
                matched.append(self.proposal_matcher(box_ops.box_iou(target["boxes"], of_image)))
        return self.head.compute_loss(targets, head_outputs, anchors, matched)

    def _losses(self, targets, outputs, anchors, maps):
        return self.compute_loss(targets, outputs, anchors)

    def _detections(self, outputs, anchors, image_shapes, maps):
        return self.postprocess_detections(*self._by_level(outputs, anchors, maps), image_shapes)

    def postprocess_detections(self, head_outputs, anchors, image_shapes):
        """The best boxes of each image, from the outputs of each level."""
        detections = []
        for i, shape in enumerate(image_shapes):
            found: tuple[list, list, list] = ([], [], [])
            for codes, logits, of_level in zip(head_outputs["bbox_regression"], head_outputs["cls_logits"],
                                               anchors[i]):
                scores, places, labels = self._select(logits[i].sigmoid())
                boxes = self.box_coder.decode_single(codes[i][places], of_level[places])
                for part, value in zip(found, (box_ops.clip_boxes_to_image(boxes, shape), scores, labels)):
                    part.append(value)
            detections.append(self._without_overlaps(*found))
        return detections


class RetinaNet_ResNet50_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "retinanet_resnet50_fpn_coco-eeacb38b", "detection#retinanet", metrics=dict(box_map=36.4), params=34_014_999,
        gflops=151.54, mb=130.267, min_size=1)
    DEFAULT = COCO_V1


class RetinaNet_ResNet50_FPN_V2_Weights(WeightsEnum):
    COCO_V1 = coco(
        "retinanet_resnet50_fpn_v2_coco-5905b1c5", "https://github.com/pytorch/vision/pull/5756",
        metrics=dict(box_map=41.5), params=38_198_935, gflops=152.238, mb=146.037, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", RetinaNet_ResNet50_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def retinanet_resnet50_fpn(*, weights: Optional[RetinaNet_ResNet50_FPN_Weights] = None, progress: bool = True,
                           num_classes: Optional[int] = None,
                           weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                           trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> RetinaNet:
    """`RetinaNet` on ResNet-50; num_classes (default 91) counts the background."""
    weights = RetinaNet_ResNet50_FPN_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress, returned_layers=[2, 3, 4],
                               extra_blocks=partial(LastLevelP6P7, 256, 256))
    return loaded(RetinaNet(pyramid, classes, **kwargs), weights, progress)


@register_model()
@handle_legacy_interface(weights=("pretrained", RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def retinanet_resnet50_fpn_v2(*, weights: Optional[RetinaNet_ResNet50_FPN_V2_Weights] = None, progress: bool = True,
                              num_classes: Optional[int] = None, weights_backbone: Optional[ResNet50_Weights] = None,
                              trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> RetinaNet:
    """`RetinaNet` on ResNet-50 with group normalisation in the heads; num_classes (default 91) counts the
    background."""
    weights = RetinaNet_ResNet50_FPN_V2_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress, v2=True, norm_layer=None,
                               returned_layers=[2, 3, 4], extra_blocks=partial(LastLevelP6P7, 2048, 256))
    anchors = _default_anchorgen()
    head = RetinaNetHead(pyramid.out_channels, anchors.num_anchors_per_location()[0], classes,
                         norm_layer=partial(nn.GroupNorm, 32))
    head.regression_head._loss_type = "giou"
    return loaded(RetinaNet(pyramid, classes, anchor_generator=anchors, head=head, **kwargs), weights, progress)
