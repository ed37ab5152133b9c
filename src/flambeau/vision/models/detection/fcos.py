"""FCOS: boxes as distances of their sides from each place (Tian et al. 2019, arXiv:1904.01355)."""
from __future__ import annotations

import math
from functools import partial
from typing import Any, Callable, Optional

from .... import cat, full, int64, nn, stack, where, zeros_like
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from ...ops import boxes as box_ops, generalized_box_iou_loss, sigmoid_focal_loss
from ...ops.feature_pyramid_network import LastLevelP6P7
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface, load_weights
from .._weights import coco
from ..resnet import ResNet50_Weights
from . import _utils as det_utils
from .anchor_utils import AnchorGenerator
from .faster_rcnn import resnet50_pyramid, settle
from .retinanet import OneStage, check_backbone
from .rpn import permute_and_flatten
from .transform import GeneralizedRCNNTransform

__all__ = ["FCOS", "FCOS_ResNet50_FPN_Weights", "fcos_resnet50_fpn"]


class _Tower(Module):
    """num_convs 3×3 convolutions with group normalisation."""

    def __init__(self, in_channels: int, num_convs: int, norm_layer: Callable[..., Module] | None) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.GroupNorm, 32)
        layers: list[Module] = []
        for _ in range(num_convs):
            layers += [nn.Conv2d(in_channels, in_channels, kernel_size=3, stride=1, padding=1), norm(in_channels),
                       nn.ReLU()]
        self.conv = nn.Sequential(*layers)

    def _initialize(self, *convs: Module) -> None:
        for layer in convs or self.conv.children():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                init.zeros_(layer.bias)


def _rows(maps: list[Tensor], size: int) -> Tensor:
    """(N, A · size, H, W) of each level → (N, places of all levels, size)."""
    return cat([permute_and_flatten(m, m.shape[0], -1, size, *m.shape[-2:]) for m in maps], dim=1)


class FCOSClassificationHead(_Tower):
    """Logits of the classes at each place."""

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4,
                 prior_probability: float = 0.01, norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__(in_channels, num_convs, norm_layer)
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self._initialize()
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, kernel_size=3, stride=1, padding=1)
        self._initialize(self.cls_logits)
        init.constant_(self.cls_logits.bias, -math.log((1 - prior_probability) / prior_probability))

    def forward(self, x: list[Tensor]) -> Tensor:
        return _rows([self.cls_logits(self.conv(features)) for features in x], self.num_classes)


class FCOSRegressionHead(_Tower):
    """Distances of the box's sides, and the logit of how central the place is in it."""

    def __init__(self, in_channels: int, num_anchors: int, num_convs: int = 4,
                 norm_layer: Callable[..., Module] | None = None):
        super().__init__(in_channels, num_convs, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=3, stride=1, padding=1)
        self.bbox_ctrness = nn.Conv2d(in_channels, num_anchors, kernel_size=3, stride=1, padding=1)
        self._initialize(self.bbox_reg, self.bbox_ctrness)
        self._initialize()

    def forward(self, x: list[Tensor]) -> tuple[Tensor, Tensor]:
        maps = [self.conv(features) for features in x]
        return (_rows([F.relu(self.bbox_reg(m)) for m in maps], 4), _rows([self.bbox_ctrness(m) for m in maps], 1))


class FCOSHead(Module):
    """Both heads: "cls_logits" (N, places, classes), "bbox_regression" (N, places, 4), "bbox_ctrness"
    (N, places, 1)."""

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int | None = 4) -> None:
        super().__init__()
        self.box_coder = det_utils.BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(in_channels, num_anchors, num_classes, num_convs or 4)
        self.regression_head = FCOSRegressionHead(in_channels, num_anchors, num_convs or 4)

    def compute_loss(self, targets: list[dict[str, Tensor]], head_outputs: dict[str, Tensor], anchors: list[Tensor],
                     matched_idxs: list[Tensor]) -> dict[str, Tensor]:
        """Focal loss of the classes, GIoU of the boxes, cross-entropy of the centrality, for each place in a box."""
        logits, codes = head_outputs["cls_logits"], head_outputs["bbox_regression"]
        matched = stack(matched_idxs)
        inside = matched >= 0
        boxes, labels = [], []
        for target, match in zip(targets, matched_idxs):
            index = match.clamp(min=0)
            empty = len(target["labels"]) == 0
            labels.append(zeros_like(match) if empty else target["labels"][index])
            boxes.append(zeros_like(anchors[0]) if empty else target["boxes"][index])
        wanted = zeros_like(logits)
        wanted[inside, stack(labels)[inside]] = 1.0
        here, real = stack(anchors)[inside], stack(boxes)[inside]
        left, top, right, bottom = self.box_coder.encode(here, real).unbind(-1)
        central = (_ratio(left, right) * _ratio(top, bottom)).sqrt()
        found = self.box_coder.decode(codes[inside], here)
        count = max(1, int(inside.sum().item()))
        return {
            "classification": sigmoid_focal_loss(logits, wanted, reduction="sum") / count,
            "bbox_regression": generalized_box_iou_loss(found, real, reduction="sum") / count,
            "bbox_ctrness": F.binary_cross_entropy_with_logits(head_outputs["bbox_ctrness"].squeeze(dim=2)[inside],
                                                               central, reduction="sum") / count}

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        logits = self.classification_head(x)
        codes, central = self.regression_head(x)
        return {"cls_logits": logits, "bbox_regression": codes, "bbox_ctrness": central}


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """The smaller by the larger."""
    return a.minimum(b) / a.maximum(b)


class FCOS(OneStage):
    __doc__ = OneStage.__doc__

    def __init__(self, backbone: Module, num_classes: int, min_size: int = 800, max_size: int = 1333,
                 image_mean: list[float] | None = None, image_std: list[float] | None = None,
                 anchor_generator: AnchorGenerator | None = None, head: Module | None = None,
                 center_sampling_radius: float = 1.5, score_thresh: float = 0.2, nms_thresh: float = 0.6,
                 detections_per_img: int = 100, topk_candidates: int = 1000, **kwargs):
        super().__init__()
        check_backbone(backbone, anchor_generator)
        self.backbone = backbone
        self.anchor_generator = anchor_generator or AnchorGenerator(((8,), (16,), (32,), (64,), (128,)), ((1.0,),) * 5)
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        if per_place != 1:
            raise ValueError("anchor_generator.num_anchors_per_location()[0] should be 1 instead of "
                             f"{per_place}")
        self.head = head or FCOSHead(backbone.out_channels, per_place, num_classes)
        self.box_coder = det_utils.BoxLinearCoder(normalize_by_size=True)
        self.transform = GeneralizedRCNNTransform(min_size, max_size, image_mean or [0.485, 0.456, 0.406],
                                                  image_std or [0.229, 0.224, 0.225], **kwargs)
        self.center_sampling_radius, self.score_thresh, self.nms_thresh = (center_sampling_radius, score_thresh,
                                                                           nms_thresh)
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def _match(self, anchors: Tensor, boxes: Tensor, per_level: list[int]) -> Tensor:
        """The box that each place is for, or -1: one around it whose centre is near and whose size suits the level;
        the smallest of several."""
        centres, sizes = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2] - anchors[:, 0]
        apart = (centres[:, None] - ((boxes[:, :2] + boxes[:, 2:]) / 2)[None]).abs().max(dim=2)[0]
        sides = cat((centres[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - centres[:, None]), dim=2)
        low, high = sizes * 4, sizes * 8
        low[:per_level[0]] = 0
        high[-per_level[-1]:] = math.inf
        farthest = sides.max(dim=2)[0]
        fits = ((apart < self.center_sampling_radius * sizes[:, None]) & (sides.min(dim=2)[0] > 0)
                & (farthest > low[:, None]) & (farthest < high[:, None]))
        value, best = (fits.float() * (1e8 - box_ops.box_area(boxes)[None])).max(dim=1)
        return where(value < 1e-5, zeros_like(best) - 1, best)

    def compute_loss(self, targets: list[dict[str, Tensor]], head_outputs: dict[str, Tensor], anchors: list[Tensor],
                     num_anchors_per_level: list[int]) -> dict[str, Tensor]:
        matched = [self._match(of_image, target["boxes"], num_anchors_per_level) if target["boxes"].numel() else
                   full((of_image.size(0),), -1, dtype=int64) for of_image, target in zip(anchors, targets)]
        return self.head.compute_loss(targets, head_outputs, anchors, matched)

    def _losses(self, targets, outputs, anchors, maps):
        return self.compute_loss(targets, outputs, anchors, [m.shape[2] * m.shape[3] for m in maps])

    def _detections(self, outputs, anchors, image_shapes, maps):
        return self.postprocess_detections(*self._by_level(outputs, anchors, maps), image_shapes)

    def postprocess_detections(self, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]],
                               image_shapes: list[tuple[int, int]]) -> list[dict[str, Tensor]]:
        """The best boxes of each image, from the outputs of each level; scores count centrality."""
        detections = []
        for i, shape in enumerate(image_shapes):
            found: tuple[list, list, list] = ([], [], [])
            for codes, logits, central, of_level in zip(head_outputs["bbox_regression"], head_outputs["cls_logits"],
                                                        head_outputs["bbox_ctrness"], anchors[i]):
                scores, places, labels = self._select((logits[i].sigmoid() * central[i].sigmoid()).sqrt())
                boxes = self.box_coder.decode(codes[i][places], of_level[places])
                for part, value in zip(found, (box_ops.clip_boxes_to_image(boxes, shape), scores, labels)):
                    part.append(value)
            detections.append(self._without_overlaps(*found))
        return detections


class FCOS_ResNet50_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "fcos_resnet50_fpn_coco-99b0c9b7", "detection#fcos-resnet-50-fpn", metrics=dict(box_map=39.2),
        params=32_269_600, gflops=128.207, mb=123.608, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", FCOS_ResNet50_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def fcos_resnet50_fpn(*, weights: Optional[FCOS_ResNet50_FPN_Weights] = None, progress: bool = True,
                      num_classes: Optional[int] = None,
                      weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                      trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> FCOS:
    """`FCOS` on ResNet-50; num_classes (default 91) counts the background."""
    weights = FCOS_ResNet50_FPN_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress, returned_layers=[2, 3, 4],
                               extra_blocks=partial(LastLevelP6P7, 256, 256))
    model = FCOS(pyramid, classes, **kwargs)
    if weights is not None:
        load_weights(model, weights, progress)
    return model
