"""The heads of R-CNNs on proposals: classes and boxes; masks (He et al. 2017, arXiv:1703.06870) and keypoints."""
from __future__ import annotations

from typing import Any

from .... import arange, cat, int64, stack, where, zeros, zeros_like
from ....nn import Module, functional as F
from ....tensor.tensor import Tensor
from ...ops import boxes as box_ops
from ...ops.roi_align import roi_align
from . import _utils as det_utils


def fastrcnn_loss(class_logits: Tensor, box_regression: Tensor, labels: list[Tensor],
                  regression_targets: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the classes, and smooth L1 of the codes of the boxes on objects."""
    label, targets = cat(labels, dim=0), cat(list(regression_targets), dim=0)
    positive = where(label > 0)[0]
    codes = box_regression.reshape(class_logits.shape[0], -1, 4)
    box_loss = F.smooth_l1_loss(codes[positive, label[positive]], targets[positive], beta=1 / 9, reduction="sum")
    return F.cross_entropy(class_logits, label), box_loss / label.numel()


# ------------------------------------------------------------------------------------------------- masks

def maskrcnn_inference(x: Tensor, labels: list[Tensor]) -> tuple[Tensor, ...]:
    """The probabilities (L, 1, M, M) of each image's masks, for the classes `labels`, from logits of all classes."""
    label = cat(labels)
    probabilities = x.sigmoid()[arange(x.shape[0]), label][:, None]
    return probabilities.split([len(part) for part in labels], dim=0)


def project_masks_on_boxes(gt_masks: Tensor, boxes: Tensor, matched_idxs: Tensor, M: int) -> Tensor:
    """The parts of the matched masks inside the boxes, at M×M."""
    rois = cat([matched_idxs.to(boxes)[:, None], boxes], dim=1)
    return roi_align(gt_masks[:, None].to(rois), rois, (M, M), 1.0)[:, 0]


def maskrcnn_loss(mask_logits: Tensor, proposals: list[Tensor], gt_masks: list[Tensor], gt_labels: list[Tensor],
                  mask_matched_idxs: list[Tensor]) -> Tensor:
    """Cross-entropy of the masks' pixels, in the mask of the true class."""
    size = mask_logits.shape[-1]
    labels = cat([label[matched] for label, matched in zip(gt_labels, mask_matched_idxs)], dim=0)
    targets = cat([project_masks_on_boxes(masks, boxes, matched, size)
                   for masks, boxes, matched in zip(gt_masks, proposals, mask_matched_idxs)], dim=0)
    if targets.numel() == 0:
        return mask_logits.sum() * 0
    return F.binary_cross_entropy_with_logits(mask_logits[arange(labels.shape[0]), labels], targets)


def expand_boxes(boxes: Tensor, scale: float) -> Tensor:
    """Boxes scaled around their centres."""
    half, centre = (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale, (boxes[:, 2:] + boxes[:, :2]) * 0.5
    return cat((centre - half, centre + half), dim=1)


def expand_masks(mask: Tensor, padding: int) -> tuple[Tensor, float]:
    """Masks with an edge of zeros, and how much larger they are."""
    size = mask.shape[-1]
    return F.pad(mask, (padding,) * 4), float(size + 2 * padding) / size


def paste_mask_in_image(mask: Tensor, box: list[int], im_h: int, im_w: int) -> Tensor:
    """A mask (M, M), resampled to its box, in an image of zeros."""
    x1, y1, x2, y2 = box
    mask = F.interpolate(mask[None, None], size=(max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)), mode="bilinear",
                         align_corners=False)[0, 0]
    left, right, top, bottom = max(x1, 0), min(x2 + 1, im_w), max(y1, 0), min(y2 + 1, im_h)
    if right <= left or bottom <= top:
        return zeros((im_h, im_w), dtype=mask.dtype)
    return F.pad(mask[top - y1:bottom - y1, left - x1:right - x1], (left, im_w - right, top, im_h - bottom))


def paste_masks_in_image(masks: Tensor, boxes: Tensor, img_shape: tuple[int, int], padding: int = 1) -> Tensor:
    """Masks (L, 1, M, M) of boxes (L, 4) as masks of the image, (L, 1, H, W)."""
    masks, scale = expand_masks(masks, padding=padding)
    places = expand_boxes(boxes, scale).to(int64).tolist()
    pasted = [paste_mask_in_image(mask[0], box, *img_shape) for mask, box in zip(masks, places)]
    return stack(pasted, dim=0)[:, None] if pasted else masks.new_empty((0, 1, *img_shape))


# ------------------------------------------------------------------------------------------------- keypoints

def keypoints_to_heatmap(keypoints: Tensor, rois: Tensor, heatmap_size: int) -> tuple[Tensor, Tensor]:
    """For each box and keypoint, the pixel of its heatmap as one number, and whether it is visible and inside."""
    corner, size = rois[:, None, :2], rois[:, None, 2:] - rois[:, None, :2]
    points = keypoints[..., :2]
    places = ((points - corner) * (heatmap_size / size)).floor().long()
    # what lies on the far edge belongs to the last pixel
    places = where(points == rois[:, None, 2:], zeros_like(places) + heatmap_size - 1, places)
    inside = ((places >= 0) & (places < heatmap_size)).all(-1)
    valid = (inside & (keypoints[..., 2] > 0)).long()
    return (places[..., 1] * heatmap_size + places[..., 0]) * valid, valid


def heatmaps_to_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """The brightest points (L, K, 3) of heatmaps (L, K, S, S) resampled to their boxes, and their logits (L, K)."""
    sizes = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    pixels = sizes.ceil()
    points, scores = [], []
    for heat, corner, size, shape in zip(maps, rois[:, :2], sizes, pixels):
        width, height = (int(n) for n in shape.tolist())
        heat = F.interpolate(heat[:, None], size=(height, width), mode="bicubic", align_corners=False)[:, 0]
        score, place = heat.flatten(1).max(dim=1)
        at = stack((place % width, place // width), -1).float()
        at = (at + 0.5) * (size / shape) + corner
        points.append(cat((at, at[:, :1] * 0 + 1), -1))
        scores.append(score)
    if not points:
        return zeros((0, maps.shape[1], 3)), zeros((0, maps.shape[1]))
    return stack(points), stack(scores)


def keypointrcnn_loss(keypoint_logits: Tensor, proposals: list[Tensor], gt_keypoints: list[Tensor],
                      keypoint_matched_idxs: list[Tensor]) -> Tensor:
    """Cross-entropy of the pixel where each visible keypoint lies."""
    n, k, h, w = keypoint_logits.shape
    if h != w:
        raise ValueError("keypoint_logits height and width (last two elements of shape) should be equal. Instead got "
                         f"h = {h} and w = {w}")
    maps = [keypoints_to_heatmap(points[matched], boxes, h)
            for boxes, points, matched in zip(proposals, gt_keypoints, keypoint_matched_idxs)]
    targets, valid = (cat([pair[i].view(-1) for pair in maps], dim=0) for i in (0, 1))
    valid = where(valid)[0]
    if targets.numel() == 0 or len(valid) == 0:
        return keypoint_logits.sum() * 0
    return F.cross_entropy(keypoint_logits.view(n * k, h * w)[valid], targets[valid])


def keypointrcnn_inference(x: Tensor, boxes: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """`heatmaps_to_keypoints` for each image."""
    found = [heatmaps_to_keypoints(maps, of_image)
             for maps, of_image in zip(x.split([b.size(0) for b in boxes], dim=0), boxes)]
    return [points for points, _ in found], [scores for _, scores in found]


# ------------------------------------------------------------------------------------------------- the heads

class RoIHeads(Module):
    """Classes and boxes and, where there are heads for them, masks and keypoints of proposals.

    forward → (detections of each image, losses): the first empty while training, the second otherwise.
    """

    def __init__(self, box_roi_pool, box_head, box_predictor, fg_iou_thresh, bg_iou_thresh, batch_size_per_image,
                 positive_fraction, bbox_reg_weights, score_thresh, nms_thresh, detections_per_img,
                 mask_roi_pool=None, mask_head=None, mask_predictor=None, keypoint_roi_pool=None, keypoint_head=None,
                 keypoint_predictor=None):
        super().__init__()
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = det_utils.Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=False)
        self.fg_bg_sampler = det_utils.BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = det_utils.BoxCoder(bbox_reg_weights or (10.0, 10.0, 5.0, 5.0))
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img = detections_per_img
        self.mask_roi_pool, self.mask_head, self.mask_predictor = mask_roi_pool, mask_head, mask_predictor
        self.keypoint_roi_pool, self.keypoint_head = keypoint_roi_pool, keypoint_head
        self.keypoint_predictor = keypoint_predictor

    def has_mask(self) -> bool:
        return None not in (self.mask_roi_pool, self.mask_head, self.mask_predictor)

    def has_keypoint(self) -> bool:
        return None not in (self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor)

    def assign_targets_to_proposals(self, proposals, gt_boxes, gt_labels):
        """For each image, which target each proposal is for, and its class: 0 background, -1 neither."""
        matched_idxs, labels = [], []
        for of_image, boxes, label in zip(proposals, gt_boxes, gt_labels):
            if boxes.numel() == 0:
                matched_idxs.append(zeros((of_image.shape[0],), dtype=int64))
                labels.append(zeros((of_image.shape[0],), dtype=int64))
                continue
            matched = self.proposal_matcher(self.box_similarity(boxes, of_image))
            index = matched.clamp(min=0)
            found = label[index].to(int64)
            found = where(matched == self.proposal_matcher.BELOW_LOW_THRESHOLD, zeros_like(found), found)
            found = where(matched == self.proposal_matcher.BETWEEN_THRESHOLDS, zeros_like(found) - 1, found)
            matched_idxs.append(index)
            labels.append(found)
        return matched_idxs, labels

    def select_training_samples(self, proposals, targets):
        """(proposals, matches, labels, codes to reach) of the samples of each image; targets are proposals, too."""
        if targets is None:
            raise ValueError("targets should not be None")
        for name, wanted in (("boxes", True), ("labels", True), ("masks", self.has_mask())):
            if wanted and not all(name in target for target in targets):
                raise ValueError(f"Every element of targets should have a {name} key")
        dtype = proposals[0].dtype
        gt_boxes, gt_labels = [t["boxes"].to(dtype) for t in targets], [t["labels"] for t in targets]
        proposals = [cat((of_image, boxes)) for of_image, boxes in zip(proposals, gt_boxes)]
        matched, labels = self.assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        reached = []
        for i, (positive, negative) in enumerate(zip(*self.fg_bg_sampler(labels))):
            sampled = where(positive | negative)[0]
            proposals[i], labels[i], matched[i] = proposals[i][sampled], labels[i][sampled], matched[i][sampled]
            boxes = gt_boxes[i] if gt_boxes[i].numel() else zeros((1, 4), dtype=dtype)
            reached.append(boxes[matched[i]])
        return proposals, matched, labels, self.box_coder.encode(reached, proposals)

    def postprocess_detections(self, class_logits, box_regression, proposals, image_shapes):
        """(boxes, scores, labels) of each image: the best of each class, without those that overlap."""
        classes = class_logits.shape[-1]
        counts = [len(boxes) for boxes in proposals]
        all_boxes = self.box_coder.decode(box_regression, proposals).split(counts, 0)
        all_scores = F.softmax(class_logits, -1).split(counts, 0)
        found: tuple[list[Tensor], ...] = ([], [], [])
        for boxes, scores, shape in zip(all_boxes, all_scores, image_shapes):
            boxes = box_ops.clip_boxes_to_image(boxes, shape)[:, 1:].reshape(-1, 4)  # without the background
            labels = arange(1, classes).view(1, -1).expand(scores.shape[0], -1).reshape(-1)
            scores = scores[:, 1:].reshape(-1)
            keep = where(scores > self.score_thresh)[0]
            boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
            keep = box_ops.remove_small_boxes(boxes, min_size=1e-2)
            boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
            keep = box_ops.batched_nms(boxes, scores, labels, self.nms_thresh)[:self.detections_per_img]
            for result, part in zip(found, (boxes, scores, labels)):
                result.append(part[keep])
        return found

    def forward(self, features: dict[str, Tensor], proposals: list[Tensor], image_shapes: list[tuple[int, int]],
                targets: list[dict[str, Tensor]] | None = None) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        matched = labels = codes = None
        if self.training:
            self._check_types(targets)
            proposals, matched, labels, codes = self.select_training_samples(proposals, targets)
        pooled = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        class_logits, box_regression = self.box_predictor(pooled)
        result: list[dict[str, Tensor]] = []
        losses: dict[str, Tensor] = {}
        if self.training:
            loss, box_loss = fastrcnn_loss(class_logits, box_regression, labels, codes)
            losses = {"loss_classifier": loss, "loss_box_reg": box_loss}
        else:
            found = self.postprocess_detections(class_logits, box_regression, proposals, image_shapes)
            result = [{"boxes": boxes, "labels": label, "scores": scores}
                      for boxes, scores, label in zip(*found)]
        on_objects: Any = [r["boxes"] for r in result], None
        if self.training and (self.has_mask() or self.has_keypoint()):
            positive = [where(label > 0)[0] for label in labels]
            on_objects = ([boxes[p] for boxes, p in zip(proposals, positive)],
                          [match[p] for match, p in zip(matched, positive)])
        if self.has_mask():
            losses.update(self._masks(features, *on_objects, image_shapes, result, targets))
        if self.has_keypoint():
            losses.update(self._keypoints(features, *on_objects, image_shapes, result, targets))
        return result, losses

    def _check_types(self, targets: list[dict[str, Tensor]] | None) -> None:
        for target in targets or ():
            if not target["boxes"].is_floating_point():
                raise TypeError(f"target boxes must of float type, instead got {target['boxes'].dtype}")
            if target["labels"].dtype != int64:
                raise TypeError(f"target labels must of int64 type, instead got {target['labels'].dtype}")
            if self.has_keypoint() and not target["keypoints"].is_floating_point():
                raise TypeError(f"target keypoints must of float type, instead got {target['keypoints'].dtype}")

    def _masks(self, features, boxes, matched, image_shapes, result, targets) -> dict[str, Tensor]:
        """Adds masks to the detections; the loss while training."""
        pooled = self.mask_head(self.mask_roi_pool(features, boxes, image_shapes))
        logits = self.mask_predictor(pooled)
        if self.training:
            return {"loss_mask": maskrcnn_loss(logits, boxes, [t["masks"] for t in targets],
                                               [t["labels"] for t in targets], matched)}
        for found, masks in zip(result, maskrcnn_inference(logits, [r["labels"] for r in result])):
            found["masks"] = masks
        return {}

    def _keypoints(self, features, boxes, matched, image_shapes, result, targets) -> dict[str, Tensor]:
        """Adds keypoints to the detections; the loss while training."""
        pooled = self.keypoint_head(self.keypoint_roi_pool(features, boxes, image_shapes))
        logits = self.keypoint_predictor(pooled)
        if self.training:
            return {"loss_keypoint": keypointrcnn_loss(logits, boxes, [t["keypoints"] for t in targets], matched)}
        for found, points, scores in zip(result, *keypointrcnn_inference(logits, boxes)):
            found["keypoints"], found["keypoints_scores"] = points, scores
        return {}
