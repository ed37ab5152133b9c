"""What the segmentation models share."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable

from ....nn import Module, functional as F
from ....tensor.tensor import Tensor
from .._api import WeightsEnum
from .._utils import _ovewrite_value_param, load_weights


class _SimpleSegmentationModel(Module):
    """A classifier on a backbone's features, at the input's resolution.

    (N, 3, H, W) → an ordered dict: "out" (N, num_classes, H, W) and, with an auxiliary classifier, "aux".
    """

    def __init__(self, backbone: Module, classifier: Module, aux_classifier: Module | None = None) -> None:
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = backbone, classifier, aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x)
        result = OrderedDict(out=resized(self.classifier(features["out"]), x))
        if self.aux_classifier is not None:
            result["aux"] = resized(self.aux_classifier(features["aux"]), x)
        return result


def resized(x: Tensor, like: Tensor) -> Tensor:
    """x, bilinearly resampled to the height and width of `like`."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def build(make: Callable[[WeightsEnum | None, int, bool | None], Module], weights: WeightsEnum | None,
          weights_backbone: WeightsEnum | None, progress: bool, num_classes: int | None,
          aux_loss: bool | None = None) -> Any:
    """make(weights_backbone, num_classes, aux_loss), with `weights`, whose classes and auxiliary loss go first."""
    if weights is not None:
        weights_backbone = None
        num_classes = _ovewrite_value_param("num_classes", num_classes, len(weights.meta["categories"]))
        aux_loss = _ovewrite_value_param("aux_loss", aux_loss, True)
    model = make(weights_backbone, 21 if num_classes is None else num_classes, aux_loss)
    if weights is not None:
        load_weights(model, weights, progress)
    return model


def stages_of_mobilenet(features: Module) -> list[int]:
    """Positions of the first layer, of those that halve the resolution, and of the last."""
    layers = list(features)
    return [0, *(i for i, layer in enumerate(layers) if getattr(layer, "_is_cn", False)), len(layers) - 1]
