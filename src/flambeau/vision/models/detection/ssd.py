"""SSD: boxes of several scales on several feature maps (Liu et al. 2015, arXiv:1512.02325)."""
from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from typing import Any, Optional

from .... import arange, cat, full_like, nn, ones, stack, where, zeros
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from ...ops import boxes as box_ops
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface, load_weights
from .._weights import coco
from ..vgg import VGG, VGG16_Weights, vgg16
from . import _utils as det_utils
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import _validate_trainable_layers
from .faster_rcnn import settle
from .retinanet import OneStage
from .rpn import permute_and_flatten
from .transform import GeneralizedRCNNTransform

__all__ = ["SSD300_VGG16_Weights", "ssd300_vgg16"]


def _xavier_init(conv: Module) -> None:
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                init.constant_(layer.bias, 0.0)


class SSDScoringHead(Module):
    """One convolution for each feature map: (N, boxes of all maps, num_columns)."""

    def __init__(self, module_list: nn.ModuleList, num_columns: int):
        super().__init__()
        self.module_list, self.num_columns = module_list, num_columns

    def forward(self, x: list[Tensor]) -> Tensor:
        maps = [module(features) for module, features in zip(self.module_list, x)]
        return cat([permute_and_flatten(m, m.shape[0], -1, self.num_columns, *m.shape[-2:]) for m in maps], dim=1)


def _convolutions(in_channels: list[int], num_anchors: list[int], columns: int) -> nn.ModuleList:
    convs = nn.ModuleList(nn.Conv2d(channels, columns * anchors, kernel_size=3, padding=1)
                          for channels, anchors in zip(in_channels, num_anchors))
    _xavier_init(convs)
    return convs


class SSDClassificationHead(SSDScoringHead):
    """Logits of the classes of each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int):
        super().__init__(_convolutions(in_channels, num_anchors, num_classes), num_classes)


class SSDRegressionHead(SSDScoringHead):
    """Codes of each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int]):
        super().__init__(_convolutions(in_channels, num_anchors, 4), 4)


class SSDHead(Module):
    """Both heads: "bbox_regression" (N, boxes, 4) and "cls_logits" (N, boxes, classes)."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int):
        super().__init__()
        self.classification_head = SSDClassificationHead(in_channels, num_anchors, num_classes)
        self.regression_head = SSDRegressionHead(in_channels, num_anchors)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSD(OneStage):
    __doc__ = OneStage.__doc__

    def __init__(self, backbone: Module, anchor_generator: DefaultBoxGenerator, size: tuple[int, int],
                 num_classes: int, image_mean: list[float] | None = None, image_std: list[float] | None = None,
                 head: Module | None = None, score_thresh: float = 0.01, nms_thresh: float = 0.45,
                 detections_per_img: int = 200, iou_thresh: float = 0.5, topk_candidates: int = 400,
                 positive_fraction: float = 0.25, **kwargs: Any):
        super().__init__()
        self.backbone, self.anchor_generator = backbone, anchor_generator
        self.box_coder = det_utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        if head is None:
            channels = getattr(backbone, "out_channels", None) or det_utils.retrieve_out_channels(backbone, size)
            if len(channels) != len(anchor_generator.aspect_ratios):
                raise ValueError(f"The length of the output channels from the backbone ({len(channels)}) do not match "
                                 "the length of the anchor generator aspect ratios "
                                 f"({len(anchor_generator.aspect_ratios)})")
            head = SSDHead(channels, anchor_generator.num_anchors_per_location(), num_classes)
        self.head = head
        self.proposal_matcher = det_utils.SSDMatcher(iou_thresh)
        self.transform = GeneralizedRCNNTransform(
            min(size), max(size), image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225],
            size_divisible=1, fixed_size=size, **kwargs)
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def compute_loss(self, targets: list[dict[str, Tensor]], head_outputs: dict[str, Tensor], anchors: list[Tensor],
                     matched_idxs: list[Tensor]) -> dict[str, Tensor]:
        """Smooth L1 of the codes, and cross-entropy for the objects and the hardest of the other boxes."""
        logits = head_outputs["cls_logits"]
        box_losses, labels, objects = [], [], 0
        for target, codes, of_image, matched in zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs):
            found = where(matched >= 0)[0]
            index = matched[found]
            objects += found.numel()
            wanted = self.box_coder.encode_single(target["boxes"][index], of_image[found])
            box_losses.append(F.smooth_l1_loss(codes[found], wanted, reduction="sum"))
            label = zeros((logits.shape[1],), dtype=target["labels"].dtype)
            label[found] = target["labels"][index]
            labels.append(label)
        label = stack(labels)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), label.view(-1), reduction="none").view(label.shape)
        positive = label > 0
        count = self.neg_to_pos_ratio * positive.sum(1, keepdim=True)
        negative = loss.detach().masked_fill(positive, -math.inf)  # an object is no hard negative
        rank = negative.sort(1, descending=True)[1].sort(1)[1]
        total = max(1, objects)
        return {"bbox_regression": stack(box_losses).sum() / total,
                "classification": (loss[positive].sum() + loss[rank < count].sum()) / total}

    def _losses(self, targets, outputs, anchors, maps):
        matched = [self.proposal_matcher(box_ops.box_iou(target["boxes"], of_image)) if target["boxes"].numel() else
                   arange(of_image.shape[0]) * 0 - 1 for of_image, target in zip(anchors, targets)]
        return self.compute_loss(targets, outputs, anchors, matched)

    def _detections(self, outputs, anchors, image_shapes, maps):
        return self.postprocess_detections(outputs, anchors, image_shapes)

    def postprocess_detections(self, head_outputs: dict[str, Tensor], image_anchors: list[Tensor],
                               image_shapes: list[tuple[int, int]]) -> list[dict[str, Tensor]]:
        """The best boxes of each class and image."""
        detections = []
        all_scores = F.softmax(head_outputs["cls_logits"], dim=-1)
        for codes, scores, anchors, shape in zip(head_outputs["bbox_regression"], all_scores, image_anchors,
                                                 image_shapes):
            boxes = box_ops.clip_boxes_to_image(self.box_coder.decode_single(codes, anchors), shape)
            found: tuple[list, list, list] = ([], [], [])
            for label in range(1, scores.shape[1]):
                best, places, _ = self._select(scores[:, label:label + 1])
                for part, value in zip(found, (boxes[places], best, full_like(places, label))):
                    part.append(value)
            detections.append(self._without_overlaps(*found))
        return detections


class SSDFeatureExtractorVGG(Module):
    """VGG's layers to conv4_3, normalised and scaled, then to conv5_3 and dilated ones, then more and more coarse
    ones: six maps (seven with highres)."""

    def __init__(self, backbone: Module, highres: bool):
        super().__init__()
        pools = [i for i, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        backbone[pools[2]].ceil_mode = True
        self.scale_weight = nn.Parameter(ones(512) * 20)
        self.features = nn.Sequential(*backbone[:pools[3]])
        # channels before, between and after, and the options of the second convolution
        blocks: list[tuple[int, int, int, dict]] = [
            (1024, 256, 512, {"kernel_size": 3, "padding": 1, "stride": 2}),
            (512, 128, 256, {"kernel_size": 3, "padding": 1, "stride": 2}),
            (256, 128, 256, {"kernel_size": 3}), (256, 128, 256, {"kernel_size": 3})]
        if highres:
            blocks.append((256, 128, 256, {"kernel_size": 4}))
        extra = nn.ModuleList(nn.Sequential(
            nn.Conv2d(before, between, kernel_size=1), nn.ReLU(inplace=True),
            nn.Conv2d(between, after, **options), nn.ReLU(inplace=True)) for before, between, after, options in blocks)
        _xavier_init(extra)
        fc = nn.Sequential(nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=False),
                           nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6), nn.ReLU(inplace=True),
                           nn.Conv2d(1024, 1024, kernel_size=1), nn.ReLU(inplace=True))
        _xavier_init(fc)
        extra.insert(0, nn.Sequential(*backbone[pools[3]:-1], fc))
        self.extra = extra

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        maps = [self.scale_weight.view(1, -1, 1, 1) * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            maps.append(x)
        return OrderedDict((str(i), m) for i, m in enumerate(maps))


def _vgg_extractor(backbone: VGG, highres: bool, trainable_layers: int) -> SSDFeatureExtractorVGG:
    features = backbone.features
    stages = [0, *(i for i, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d))][:-1]
    if not 0 <= trainable_layers <= len(stages):
        raise AssertionError(f"trainable_layers should be in the range [0, {len(stages)}]. Instead got "
                             f"{trainable_layers}")
    for layer in features[:len(features) if trainable_layers == 0 else stages[len(stages) - trainable_layers]]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return SSDFeatureExtractorVGG(features, highres)


class SSD300_VGG16_Weights(WeightsEnum):
    COCO_V1 = coco(
        "ssd300_vgg16_coco-b556d3b4", "detection#ssd300-vgg16", metrics=dict(box_map=25.1), params=35_641_826,
        gflops=34.858, mb=135.988, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", SSD300_VGG16_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", VGG16_Weights.IMAGENET1K_FEATURES))
def ssd300_vgg16(*, weights: Optional[SSD300_VGG16_Weights] = None, progress: bool = True,
                 num_classes: Optional[int] = None,
                 weights_backbone: Optional[VGG16_Weights] = VGG16_Weights.IMAGENET1K_FEATURES,
                 trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> SSD:
    """`SSD` on VGG-16 for images of 300×300; num_classes (default 91) counts the background."""
    weights = SSD300_VGG16_Weights.verify(weights)
    if "size" in kwargs:
        warnings.warn("The size of the model is already fixed; ignoring the parameter.", stacklevel=3)
        del kwargs["size"]
    backbone, classes = settle(weights, VGG16_Weights.verify(weights_backbone), num_classes)
    trainable = _validate_trainable_layers(weights is not None or backbone is not None, trainable_backbone_layers, 5, 4)
    features = _vgg_extractor(vgg16(weights=backbone, progress=progress), False, trainable)
    anchors = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2], [2]],
                                  scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05], steps=[8, 16, 32, 64, 100, 300])
    # the backbone was trained on pixels from 0 to 255
    defaults = {"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1.0 / 255.0] * 3}
    model = SSD(features, anchors, (300, 300), classes, **{**defaults, **kwargs})
    if weights is not None:
        load_weights(model, weights, progress)
    return model
