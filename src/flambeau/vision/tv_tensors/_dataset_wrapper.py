"""`wrap_dataset_for_transforms_v2`: a data set whose boxes and masks are TVTensors, which transforms.v2 understands."""
from __future__ import annotations

import collections.abc
from copy import copy
from typing import Any, Callable

import numpy as np

import flambeau as torch

from .. import datasets
from ..transforms.v2 import functional as F
from . import BoundingBoxes, BoundingBoxFormat, Mask

__all__ = ["wrap_dataset_for_transforms_v2"]

Sample = Callable[[int, Any], Any]  # (index, sample of the set) -> the wrapped sample

VOC_CLASSES = ["__background__", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
               "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
               "tvmonitor"]
KITTI_CLASSES = ["Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare"]


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Any = None) -> Any:
    """A set with the samples and attributes of `dataset`, one of torchvision's, but targets for transforms.v2.

    Boxes become BoundingBoxes, segmentations Masks, and dicts of lists where there were lists of dicts.
    target_keys: which entries targets have that are dicts (default: boxes, labels, …; "all"; or names).
    Errors: TypeError for a set that is no torchvision one; ValueError for keys that the set does not have;
    RuntimeError for targets that have no TVTensor.
    """
    known = target_keys is None or target_keys == "all" or (
        isinstance(target_keys, collections.abc.Collection) and all(isinstance(key, str) for key in target_keys))
    if not known:
        raise ValueError("`target_keys` can be None, 'all', or a collection of strings denoting the keys to be "
                         f"returned, but got {target_keys}")
    wrapped = type(f"Wrapped{type(dataset).__name__}", (VisionDatasetTVTensorWrapper, type(dataset)), {})
    return wrapped(dataset, target_keys)


class VisionDatasetTVTensorWrapper:
    """A set around `dataset`, whose transforms it takes over: they come after the wrapping."""

    def __init__(self, dataset: Any, target_keys: Any) -> None:
        make = _maker(type(dataset), target_keys)
        self._dataset = dataset
        self._target_keys = target_keys
        self._wrapper = make(dataset, target_keys)
        for name in ("transform", "target_transform", "transforms"):
            setattr(self, name, getattr(dataset, name))
            setattr(dataset, name, None)

    def __getattr__(self, name: str) -> Any:
        if name == "_dataset":  # of a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> Any:
        sample = self._wrapper(index, self._dataset[index])
        return sample if self.transforms is None else self.transforms(*sample)

    def __getitems__(self, indices: Any) -> list:
        return [self[index] for index in indices]

    def __len__(self) -> int:
        return len(self._dataset)

    def __reduce__(self) -> Any:
        dataset = copy(self._dataset)
        for name in ("transform", "target_transform", "transforms"):
            setattr(dataset, name, getattr(self, name))
        return wrap_dataset_for_transforms_v2, (dataset, self._target_keys)


def _maker(kind: type, target_keys: Any) -> Callable[[Any, Any], Sample]:
    """What makes the wrapper of samples for this class of sets."""
    if not issubclass(kind, datasets.VisionDataset):
        raise TypeError("This wrapper is meant for subclasses of `torchvision.datasets.VisionDataset`, but got a "
                        f"'{kind.__name__}' instead.\nWrap the samples of your own sets yourself: "
                        "tv_tensors.BoundingBoxes, tv_tensors.Mask.")
    for cls in kind.mro():
        if cls in _MAKERS:
            if target_keys is not None and cls not in _WITH_KEYS:
                raise ValueError("`target_keys` is currently only supported for `CocoDetection`, `VOCDetection`, "
                                 f"`Kitti`, and `WIDERFace`, but got {cls.__name__}.")
            return _MAKERS[cls]
    raise TypeError(f"No wrapper exists for dataset class {kind.__name__}. Please wrap the output yourself.")


def _unsupported(description: str) -> RuntimeError:
    return RuntimeError(f"{description} is currently not supported by this wrapper.")


def _chosen(target_keys: Any, available: set[str], default: set[str]) -> set[str]:
    """The entries that targets are to have."""
    keys = default if target_keys is None else available if target_keys == "all" else set(target_keys)
    if keys - available:
        raise ValueError(f"Target keys {sorted(keys - available)} are not available")
    return keys


def _as_lists(entries: list[dict]) -> dict[str, list]:
    """A list of dicts as a dict of lists."""
    lists: dict[str, list] = {}
    for entry in entries:
        for key, value in entry.items():
            lists.setdefault(key, []).append(value)
    return lists


def _boxes(values: Any, image: Any, format: Any = BoundingBoxFormat.XYXY) -> Any:
    """Corners, of boxes in this format."""
    boxes = BoundingBoxes(values, format=format, canvas_size=tuple(F.get_size(image)))
    return boxes if format == BoundingBoxFormat.XYXY else F.convert_bounding_box_format(
        boxes, new_format=BoundingBoxFormat.XYXY)


def _by_type(target: Any, types: list[str], wrappers: dict[str, Callable[[Any], Any]]) -> Any:
    """The target, or a tuple of those of several types, each through the wrapper of its type."""
    targets = target if isinstance(target, (tuple, list)) else [target]
    wrapped = tuple(wrappers.get(kind, lambda value: value)(value) for kind, value in zip(types, targets))
    return wrapped[0] if len(wrapped) == 1 else wrapped


# ---- one maker for each kind of set

def _unchanged(dataset: Any, target_keys: Any) -> Sample:
    return lambda index, sample: sample


def _caltech101(dataset: Any, target_keys: Any) -> Sample:
    if "annotation" in dataset.target_type:
        raise _unsupported("Caltech101 dataset with `target_type=['annotation', ...]`")
    return _unchanged(dataset, target_keys)


def _segmentation(dataset: Any, target_keys: Any) -> Sample:
    return lambda index, sample: (sample[0], Mask(sample[1]))


def _sbd(dataset: Any, target_keys: Any) -> Sample:
    if dataset.mode == "boundaries":
        raise _unsupported("SBDataset with mode='boundaries'")
    return _segmentation(dataset, target_keys)


def _coco_mask(segmentation: Any, size: tuple[int, int]) -> Any:
    from pycocotools import mask

    if isinstance(segmentation, list):
        segmentation = mask.merge(mask.frPyObjects(segmentation, *size))
    elif not isinstance(segmentation, dict):
        raise ValueError(f"COCO segmentation expected to be a dict or a list, got {type(segmentation)}")
    elif not isinstance(segmentation["counts"], str):
        segmentation = mask.frPyObjects(segmentation, *size)
    return torch.from_numpy(np.array(mask.decode(segmentation)))


def _coco(dataset: Any, target_keys: Any) -> Sample:
    keys = _chosen(target_keys, {"segmentation", "area", "iscrowd", "image_id", "bbox", "category_id", "boxes", "masks",
                                 "labels"}, {"image_id", "boxes", "labels"})

    def wrap(index: int, sample: Any) -> Any:
        (image, notes), image_id = sample, dataset.ids[index]
        if not notes:
            return image, {"image_id": image_id}
        lists, size = _as_lists(notes), tuple(F.get_size(image))
        made = {"image_id": lambda: image_id, "boxes": lambda: _boxes(lists["bbox"], image, BoundingBoxFormat.XYWH),
                "masks": lambda: Mask(torch.stack([_coco_mask(part, size) for part in lists["segmentation"]])),
                "labels": lambda: torch.tensor(lists["category_id"])}
        return image, {**{key: make() for key, make in made.items() if key in keys},
                       **{key: lists[key] for key in keys - made.keys()}}

    return wrap


def _voc_detection(dataset: Any, target_keys: Any) -> Sample:
    keys = _chosen(target_keys, {"annotation", "boxes", "labels"}, {"boxes", "labels"})
    corners = ("xmin", "ymin", "xmax", "ymax")

    def wrap(index: int, sample: Any) -> Any:
        image, target = sample
        objects = _as_lists(target["annotation"]["object"])
        wrapped = target if "annotation" in keys else {}
        if "boxes" in keys:
            wrapped["boxes"] = _boxes([[int(box[corner]) for corner in corners] for box in objects["bndbox"]], image)
        if "labels" in keys:
            wrapped["labels"] = torch.tensor([VOC_CLASSES.index(name) for name in objects["name"]])
        return image, wrapped

    return wrap


def _kitti(dataset: Any, target_keys: Any) -> Sample:
    keys = _chosen(target_keys, {"type", "truncated", "occluded", "alpha", "bbox", "dimensions", "location",
                                 "rotation_y", "boxes", "labels"}, {"boxes", "labels"})

    def wrap(index: int, sample: Any) -> Any:
        image, objects = sample
        if objects is None:
            return image, objects
        lists = _as_lists(objects)
        wrapped: dict[str, Any] = {}
        if "boxes" in keys:
            wrapped["boxes"] = _boxes(lists["bbox"], image)
        if "labels" in keys:
            wrapped["labels"] = torch.tensor([KITTI_CLASSES.index(name) for name in lists["type"]])
        return image, {**wrapped, **{key: lists[key] for key in keys - {"boxes", "labels"}}}

    return wrap


def _wider_face(dataset: Any, target_keys: Any) -> Sample:
    available = {"bbox", "blur", "expression", "illumination", "occlusion", "pose", "invalid"}
    keys = _chosen(target_keys, available, available)

    def wrap(index: int, sample: Any) -> Any:
        image, target = sample
        if target is None:
            return image, target
        wrapped = {key: target[key] for key in keys}
        if "bbox" in keys:
            wrapped["bbox"] = _boxes(wrapped["bbox"], image, BoundingBoxFormat.XYWH)
        return image, wrapped

    return wrap


def _celeba(dataset: Any, target_keys: Any) -> Sample:
    if {"attr", "landmarks"} & set(dataset.target_type):
        raise _unsupported("`CelebA` dataset with `target_type=['attr', 'landmarks', ...]`")

    def wrap(index: int, sample: Any) -> Any:
        image, target = sample
        wrappers = {"bbox": lambda box: _boxes(box, image, BoundingBoxFormat.XYWH)}
        return image, _by_type(target, dataset.target_type, wrappers)

    return wrap


def _pet(dataset: Any, target_keys: Any) -> Sample:
    def wrap(index: int, sample: Any) -> Any:
        image, target = sample
        return image, None if target is None else _by_type(target, dataset._target_types, {"segmentation": Mask})

    return wrap


def _instances(mask: Any) -> dict[str, Any]:
    """A mask and a label for each number in the picture; beyond 1000 it is label·1000 + count."""
    data = Mask(mask)
    numbers = data.unique()
    return {"masks": Mask(torch.stack([data == number for number in numbers])),
            "labels": torch.stack([number // 1000 if number >= 1000 else number for number in numbers])}


def _cityscapes(dataset: Any, target_keys: Any) -> Sample:
    if {"polygon", "color"} & set(dataset.target_type):
        raise _unsupported("`Cityscapes` dataset with `target_type=['polygon', 'color', ...]`")
    wrappers = {"instance": _instances, "semantic": Mask}
    return lambda index, sample: (sample[0], _by_type(sample[1], dataset.target_type, wrappers))


_MAKERS: dict[type, Callable[[Any, Any], Sample]] = {
    **dict.fromkeys((datasets.Caltech256, datasets.CIFAR10, datasets.CIFAR100, datasets.ImageNet, datasets.MNIST,
                     datasets.FashionMNIST, datasets.GTSRB, datasets.DatasetFolder, datasets.ImageFolder,
                     datasets.Imagenette, datasets.CocoCaptions), _unchanged),
    datasets.Caltech101: _caltech101, datasets.CelebA: _celeba, datasets.Cityscapes: _cityscapes,
    datasets.CocoDetection: _coco, datasets.Kitti: _kitti, datasets.OxfordIIITPet: _pet, datasets.SBDataset: _sbd,
    datasets.VOCDetection: _voc_detection, datasets.VOCSegmentation: _segmentation, datasets.WIDERFace: _wider_face,
}
_WITH_KEYS = {datasets.CocoDetection, datasets.VOCDetection, datasets.Kitti, datasets.WIDERFace}
