"""Arguments of the operations on regions, and parameters grouped for weight decay."""
from __future__ import annotations

from ... import cat, full_like, nn
from ...nn import Module
from ...tensor.tensor import Tensor


def convert_boxes_to_roi_format(boxes: list[Tensor]) -> Tensor:
    """One tensor of rois (K, 5), image number first, from the boxes (L, 4) of each image."""
    concatenated = cat(list(boxes), dim=0)
    ids = cat([full_like(b[:, :1], i) for i, b in enumerate(boxes)], dim=0)
    return cat([ids, concatenated], dim=1)


def check_roi_boxes_shape(boxes: Tensor | list[Tensor]) -> None:
    """AssertionError unless boxes is (K, 5), or a list of (L, 4)."""
    if isinstance(boxes, (list, tuple)):
        if any(b.size(1) != 4 for b in boxes):
            raise AssertionError("The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]")
    elif isinstance(boxes, Tensor):
        if boxes.size(1) != 5:
            raise AssertionError("The boxes tensor shape is not correct as Tensor[K, 5]")
    else:
        raise AssertionError("boxes is expected to be a Tensor[L, 5] or a List[Tensor[K, 4]]")


def rois_of(boxes: Tensor | list[Tensor]) -> Tensor:
    """The boxes, checked, as rois (K, 5)."""
    check_roi_boxes_shape(boxes)
    return boxes if isinstance(boxes, Tensor) else convert_boxes_to_roi_format(boxes)


def split_normalization_params(model: Module,
                               norm_classes: list[type] | None = None) -> tuple[list[Tensor], list[Tensor]]:
    """(parameters of normalisation layers, the others), those that require gradients only."""
    classes = tuple(norm_classes or (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm,
                                     nn.modules.instancenorm._InstanceNorm, nn.LocalResponseNorm))
    for cls in classes:
        if not issubclass(cls, Module):
            raise ValueError(f"Class {cls} is not a subclass of nn.Module.")
    norm: list[Tensor] = []
    other: list[Tensor] = []
    for module in model.modules():
        if next(module.children(), None) is not None:
            other.extend(p for p in module.parameters(recurse=False) if p.requires_grad)
        else:
            (norm if isinstance(module, classes) else other).extend(p for p in module.parameters() if p.requires_grad)
    return norm, other
