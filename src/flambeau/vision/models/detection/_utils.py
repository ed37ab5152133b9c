"""What the detectors share: coding boxes relative to others, matching boxes to targets, sampling, losses of boxes."""
from __future__ import annotations

import math
from typing import Iterable

from .... import arange, cat, exp, full_like, log, no_grad, randperm, stack, where, zeros
from .... import uint8
from ....nn import Module, functional as F
from ....tensor.tensor import Tensor
from ...ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss
from ...ops.misc import FrozenBatchNorm2d

LARGEST_SCALING = math.log(1000.0 / 16)


class BalancedPositiveNegativeSampler:
    """Picks batch_size_per_image of the matches of each image at random, at most positive_fraction of them positive."""

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image, self.positive_fraction = batch_size_per_image, positive_fraction

    def __call__(self, matched_idxs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Masks (uint8) of the positives (matches of 1 and more) and negatives (0) that are picked, for each image."""
        picked: tuple[list[Tensor], list[Tensor]] = ([], [])
        for matched in matched_idxs:
            places = where(matched >= 1)[0], where(matched == 0)[0]
            positives = min(places[0].numel(), int(self.batch_size_per_image * self.positive_fraction))
            counts = positives, min(places[1].numel(), self.batch_size_per_image - positives)
            for masks, place, count in zip(picked, places, counts):
                mask = zeros(matched.shape, dtype=uint8)
                mask[place[randperm(place.numel())[:count]]] = 1
                masks.append(mask)
        return picked


class BoxCoder:
    """Boxes as shifts of the centre, in sizes of a reference box, and logarithms of the scaling, times `weights`."""

    def __init__(self, weights: tuple[float, float, float, float], bbox_xform_clip: float = LARGEST_SCALING) -> None:
        self.weights, self.bbox_xform_clip = weights, bbox_xform_clip

    def encode(self, reference_boxes: list[Tensor], proposals: list[Tensor]) -> tuple[Tensor, ...]:
        """Codes (L, 4) of the reference boxes of each image, relative to its proposals."""
        codes = self.encode_single(cat(reference_boxes, dim=0), cat(proposals, dim=0))
        return codes.split([len(boxes) for boxes in reference_boxes], 0)

    def encode_single(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        (px, py, pw, ph), (x, y, w, h) = _centred(proposals), _centred(reference_boxes)
        wx, wy, ww, wh = self.weights
        return stack((wx * (x - px) / pw, wy * (y - py) / ph, ww * log(w / pw), wh * log(h / ph)), 1)

    def decode(self, rel_codes: Tensor, boxes: list[Tensor]) -> Tensor:
        """Boxes (L, classes, 4) of codes (L, classes · 4), relative to the boxes of all images."""
        total = sum(len(b) for b in boxes)
        if total > 0:
            rel_codes = rel_codes.reshape(total, -1)
        decoded = self.decode_single(rel_codes, cat(boxes, dim=0))
        return decoded.reshape(total, -1, 4) if total > 0 else decoded

    def decode_single(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        x, y, w, h = (part[:, None] for part in _centred(boxes.to(rel_codes.dtype)))
        dx, dy, dw, dh = (rel_codes[:, i::4] / weight for i, weight in enumerate(self.weights))
        half_w, half_h = (0.5 * size * exp(d.clamp(max=self.bbox_xform_clip)) for size, d in ((w, dw), (h, dh)))
        cx, cy = dx * w + x, dy * h + y
        return stack((cx - half_w, cy - half_h, cx + half_w, cy + half_h), dim=2).flatten(1)


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centres and sizes."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes[:, 0] + 0.5 * width, boxes[:, 1] + 0.5 * height, width, height


class BoxLinearCoder:
    """Boxes as the distances of their sides from the centre of a reference box, in its sizes if normalize_by_size."""

    def __init__(self, normalize_by_size: bool = True) -> None:
        self.normalize_by_size = normalize_by_size

    def _scale(self, boxes: Tensor) -> Tensor:
        size = boxes[..., 2:] - boxes[..., :2]
        return cat((size, size), -1)

    def encode(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """(left, top, right, bottom) of proposals from the centres of the reference boxes: (…, 4)."""
        reference_boxes = reference_boxes.to(proposals.dtype)
        centre = 0.5 * (reference_boxes[..., :2] + reference_boxes[..., 2:])
        distances = cat((centre - proposals[..., :2], proposals[..., 2:] - centre), -1)
        return distances / self._scale(reference_boxes) if self.normalize_by_size else distances

    def decode(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """The boxes whose codes relative to `boxes` are rel_codes: (…, 4)."""
        boxes = boxes.to(rel_codes.dtype)
        centre = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        if self.normalize_by_size:
            rel_codes = rel_codes * self._scale(boxes)
        return cat((centre - rel_codes[..., :2], centre + rel_codes[..., 2:]), -1)


class Matcher:
    """Gives each prediction the target that it fits best, from a matrix of fits (targets, predictions).

    Below low_threshold: -1; between the thresholds: -2. allow_low_quality_matches: the predictions that fit a target
    best get their target in any case.
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False) -> None:
        if low_threshold > high_threshold:
            raise AssertionError("low_threshold should be <= high_threshold")
        self.high_threshold, self.low_threshold = high_threshold, low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        if match_quality_matrix.numel() == 0:
            what = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueError(f"No {what} boxes available for one of the images during training")
        fit, best = match_quality_matrix.max(dim=0)
        matches = where(fit < self.low_threshold, full_like(best, self.BELOW_LOW_THRESHOLD), best)
        between = (fit >= self.low_threshold) & (fit < self.high_threshold)
        matches = where(between, full_like(best, self.BETWEEN_THRESHOLDS), matches)
        if self.allow_low_quality_matches:
            highest = match_quality_matrix.max(dim=1)[0]
            matches = where((match_quality_matrix == highest[:, None]).any(0), best, matches)
        return matches


class SSDMatcher(Matcher):
    """A matcher where, besides, each target keeps the prediction that fits it best."""

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold, threshold, allow_low_quality_matches=False)

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        matches = super().__call__(match_quality_matrix)
        best = match_quality_matrix.max(dim=1)[1]
        matches[best] = arange(best.shape[0])
        return matches


def overwrite_eps(model: Module, eps: float) -> None:
    """Sets the eps of all frozen normalisations: the first published weights were trained with 0."""
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps


def retrieve_out_channels(model: Module, size: tuple[int, int]) -> list[int]:
    """The channels of each of a backbone's outputs for images of (width, height)."""
    training = model.training
    model.eval()
    with no_grad():
        features = model(zeros(1, 3, size[1], size[0]))
    model.train(training)
    return [x.size(1) for x in (features.values() if isinstance(features, dict) else [features])]


def _topk_min(input: Tensor, orig_kval: int, axis: int) -> int:
    return min(orig_kval, input.size(axis))


def _box_loss(type: str, box_coder: BoxCoder, anchors_per_image: Tensor, matched_gt_boxes_per_image: Tensor,
              bbox_regression_per_image: Tensor, cnf: dict[str, float] | None = None) -> Tensor:
    """The summed loss of codes: "l1" or "smooth_l1" of the codes, "ciou", "diou" or "giou" of the boxes."""
    cnf = cnf or {}
    if type in ("l1", "smooth_l1"):
        target = box_coder.encode_single(matched_gt_boxes_per_image, anchors_per_image)
        if type == "l1":
            return F.l1_loss(bbox_regression_per_image, target, reduction="sum")
        return F.smooth_l1_loss(bbox_regression_per_image, target, reduction="sum", beta=cnf.get("beta", 1.0))
    losses = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}
    if type not in losses:
        raise ValueError(f"Unsupported loss {type}")
    boxes = box_coder.decode_single(bbox_regression_per_image, anchors_per_image)
    return losses[type](boxes, matched_gt_boxes_per_image, reduction="sum", eps=cnf.get("eps", 1e-7))


def check_boxes(targets: Iterable[dict[str, Tensor]]) -> None:
    """AssertionError unless each target's boxes are a tensor (N, 4)."""
    for target in targets:
        boxes = target["boxes"]
        if not isinstance(boxes, Tensor):
            raise AssertionError(f"Expected target boxes to be of type Tensor, got {type(boxes)}.")
        if boxes.dim() != 2 or boxes.shape[-1] != 4:
            raise AssertionError(f"Expected target boxes to be a tensor of shape [N, 4], got {boxes.shape}.")


def check_degenerate(targets: Iterable[dict[str, Tensor]]) -> None:
    """AssertionError if a target has a box without area."""
    for i, target in enumerate(targets):
        boxes = target["boxes"]
        flat = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
        if flat.any():
            box = boxes[where(flat)[0][0]].tolist()
            raise AssertionError("All bounding boxes should have positive height and width."
                                 f" Found invalid box {box} for target at index {i}.")


def image_sizes(images: list[Tensor]) -> list[tuple[int, int]]:
    """(height, width) of each image, (…, H, W). AssertionError for what is no image."""
    sizes = []
    for image in images:
        if len(image.shape[-2:]) != 2:
            raise AssertionError("expecting the last two dimensions of the Tensor to be H and W instead got "
                                 f"{image.shape[-2:]}")
        sizes.append((image.shape[-2], image.shape[-1]))
    return sizes


__all__ = ["BalancedPositiveNegativeSampler", "BoxCoder", "BoxLinearCoder", "Matcher", "SSDMatcher", "overwrite_eps",
           "retrieve_out_channels"]
