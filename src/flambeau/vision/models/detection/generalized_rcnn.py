"""Two-stage detectors: proposals, then heads on them."""
from __future__ import annotations

from collections import OrderedDict

from ....nn import Module
from ....tensor.tensor import Tensor
from ._utils import check_boxes, check_degenerate, image_sizes


class GeneralizedRCNN(Module):
    """A list of images (3, H, W) in [0, 1] → while training a dict of losses, else a dict of detections for each.

    targets: for each image a dict with "boxes" (N, 4), "labels" (N,) and what the heads need.
    """

    def __init__(self, backbone: Module, rpn: Module, roi_heads: Module, transform: Module) -> None:
        super().__init__()
        self.transform, self.backbone, self.rpn, self.roi_heads = transform, backbone, rpn, roi_heads

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None):
        if self.training:
            if targets is None:
                raise AssertionError("targets should not be none when in training mode")
            check_boxes(targets)
        originals = image_sizes(images)
        images, targets = self.transform(images, targets)
        if targets is not None:
            check_degenerate(targets)
        features = self.backbone(images.tensors)
        if isinstance(features, Tensor):
            features = OrderedDict([("0", features)])
        proposals, rpn_losses = self.rpn(images, features, targets)
        detections, losses = self.roi_heads(features, proposals, images.image_sizes, targets)
        detections = self.transform.postprocess(detections, images.image_sizes, originals)
        return {**losses, **rpn_losses} if self.training else detections
