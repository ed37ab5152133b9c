"""The region proposal network (Ren et al. 2015, arXiv:1506.01497)."""
from __future__ import annotations

from .... import arange, cat, full, int64, nn, where, zeros, zeros_like
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from ...ops import boxes as box_ops
from ...ops.misc import Conv2dNormActivation
from . import _utils as det_utils
from .anchor_utils import AnchorGenerator
from .image_list import ImageList


class RPNHead(Module):
    """For each map, the logits that there is an object and the codes of its box: (N, A, H, W) and (N, 4·A, H, W)."""

    _version = 2

    def __init__(self, in_channels: int, num_anchors: int, conv_depth=1) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Conv2dNormActivation(in_channels, in_channels, kernel_size=3, norm_layer=None)
                                    for _ in range(conv_depth)))
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, kernel_size=1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    init.constant_(layer.bias, 0)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") is None or local_metadata["version"] < 2:
            for kind in ("weight", "bias"):  # there was one convolution
                if f"{prefix}conv.{kind}" in state_dict:
                    state_dict[f"{prefix}conv.0.0.{kind}"] = state_dict.pop(f"{prefix}conv.{kind}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        features = [self.conv(feature) for feature in x]
        return [self.cls_logits(t) for t in features], [self.bbox_pred(t) for t in features]


def permute_and_flatten(layer: Tensor, N: int, A: int, C: int, H: int, W: int) -> Tensor:
    """(N, A · C, H, W) → (N, H · W · A, C)."""
    return layer.view(N, -1, C, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, C)


def concat_box_prediction_layers(box_cls: list[Tensor], box_regression: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Scores and codes of all maps and images, in the anchors' order: (L, classes), (L, 4)."""
    scores, codes = [], []
    for cls, regression in zip(box_cls, box_regression):
        n, ac, h, w = cls.shape
        a = regression.shape[1] // 4
        scores.append(permute_and_flatten(cls, n, a, ac // a, h, w))
        codes.append(permute_and_flatten(regression, n, a, 4, h, w))
    return cat(scores, dim=1).flatten(0, -2), cat(codes, dim=1).reshape(-1, 4)


class RegionProposalNetwork(Module):
    """Proposals (L, 4) for each image and, while training, the losses of objectness and boxes."""

    def __init__(self, anchor_generator: AnchorGenerator, head: Module, fg_iou_thresh: float, bg_iou_thresh: float,
                 batch_size_per_image: int, positive_fraction: float, pre_nms_top_n: dict[str, int],
                 post_nms_top_n: dict[str, int], nms_thresh: float, score_thresh: float = 0.0) -> None:
        super().__init__()
        self.anchor_generator, self.head = anchor_generator, head
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = det_utils.Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = det_utils.BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self._pre_nms_top_n, self._post_nms_top_n = pre_nms_top_n, post_nms_top_n
        self.nms_thresh, self.score_thresh, self.min_size = nms_thresh, score_thresh, 1e-3

    def pre_nms_top_n(self) -> int:
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self) -> int:
        return self._post_nms_top_n["training" if self.training else "testing"]

    def assign_targets_to_anchors(self, anchors: list[Tensor],
                                  targets: list[dict[str, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
        """For each image: 1 for anchors on objects, 0 on background, -1 in between; and their boxes."""
        labels, matched = [], []
        for of_image, target in zip(anchors, targets):
            boxes = target["boxes"]
            if boxes.numel() == 0:
                matched.append(zeros(of_image.shape))
                labels.append(zeros((of_image.shape[0],)))
                continue
            found = self.proposal_matcher(self.box_similarity(boxes, of_image))
            matched.append(boxes[found.clamp(min=0)])
            label = (found >= 0).float()
            between = found == self.proposal_matcher.BETWEEN_THRESHOLDS
            labels.append(where(between, zeros_like(label) - 1, label))
        return labels, matched

    def _get_top_n_idx(self, objectness: Tensor, num_anchors_per_level: list[int]) -> Tensor:
        """The best anchors of each level: (N, K)."""
        best, offset = [], 0
        for level in objectness.split(num_anchors_per_level, 1):
            count = min(self.pre_nms_top_n(), level.shape[1])
            best.append(level.topk(count, dim=1)[1] + offset)
            offset += level.shape[1]
        return cat(best, dim=1)

    def filter_proposals(self, proposals: Tensor, objectness: Tensor, image_shapes: list[tuple[int, int]],
                         num_anchors_per_level: list[int]) -> tuple[list[Tensor], list[Tensor]]:
        """The best proposals of each image, without those that overlap, and their scores."""
        images = proposals.shape[0]
        objectness = objectness.detach().reshape(images, -1)
        levels = cat([full((n,), i, dtype=int64) for i, n in enumerate(num_anchors_per_level)])
        levels = levels.reshape(1, -1).expand_as(objectness)
        best = self._get_top_n_idx(objectness, num_anchors_per_level)
        rows = arange(images)[:, None]
        scores_of = objectness[rows, best].sigmoid()
        final: tuple[list[Tensor], list[Tensor]] = ([], [])
        for boxes, scores, level, shape in zip(proposals[rows, best], scores_of, levels[rows, best], image_shapes):
            boxes = box_ops.clip_boxes_to_image(boxes, shape)
            keep = box_ops.remove_small_boxes(boxes, self.min_size)
            boxes, scores, level = boxes[keep], scores[keep], level[keep]
            keep = where(scores >= self.score_thresh)[0]
            boxes, scores, level = boxes[keep], scores[keep], level[keep]
            keep = box_ops.batched_nms(boxes, scores, level, self.nms_thresh)[:self.post_nms_top_n()]
            final[0].append(boxes[keep])
            final[1].append(scores[keep])
        return final

    def compute_loss(self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor],
                     regression_targets: list[Tensor]) -> tuple[Tensor, Tensor]:
        positive, negative = (where(cat(masks, dim=0))[0] for masks in self.fg_bg_sampler(labels))
        sampled = cat([positive, negative], dim=0)
        box_loss = F.smooth_l1_loss(pred_bbox_deltas[positive], cat(list(regression_targets), dim=0)[positive],
                                    beta=1 / 9, reduction="sum") / sampled.numel()
        return F.binary_cross_entropy_with_logits(objectness.flatten()[sampled], cat(labels, dim=0)[sampled]), box_loss

    def forward(self, images: ImageList, features: dict[str, Tensor],
                targets: list[dict[str, Tensor]] | None = None) -> tuple[list[Tensor], dict[str, Tensor]]:
        maps = list(features.values())
        objectness, deltas = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        per_level = [level.shape[1] * level.shape[2] * level.shape[3] for level in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        proposals = self.box_coder.decode(deltas.detach(), anchors).view(len(anchors), -1, 4)
        boxes, _ = self.filter_proposals(proposals, objectness, images.image_sizes, per_level)
        if not self.training:
            return boxes, {}
        if targets is None:
            raise ValueError("targets should not be None")
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        loss, box_loss = self.compute_loss(objectness, deltas, labels, self.box_coder.encode(matched, anchors))
        return boxes, {"loss_objectness": loss, "loss_rpn_box_reg": box_loss}
