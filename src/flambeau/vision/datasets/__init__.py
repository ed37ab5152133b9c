"""Image data sets in their official file formats; see `utils` for downloads and mirrors.

A set's module is loaded when the set, or the module, is first asked for: a program uses one or two of them.
"""
from __future__ import annotations

import importlib
from typing import Any

_SETS = {
    "_optical_flow": ["FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"],
    "_stereo_matching": ["CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "InStereo2k",
                         "Kitti2012Stereo", "Kitti2015Stereo", "Middlebury2014Stereo", "SceneFlowStereo",
                         "SintelStereo"],
    "caltech": ["Caltech101", "Caltech256"],
    "celeba": ["CelebA"],
    "cifar": ["CIFAR10", "CIFAR100"],
    "cityscapes": ["Cityscapes"],
    "clevr": ["CLEVRClassification"],
    "coco": ["CocoCaptions", "CocoDetection"],
    "country211": ["Country211"],
    "dtd": ["DTD"],
    "eurosat": ["EuroSAT"],
    "fakedata": ["FakeData"],
    "fer2013": ["FER2013"],
    "fgvc_aircraft": ["FGVCAircraft"],
    "flickr": ["Flickr30k", "Flickr8k"],
    "flowers102": ["Flowers102"],
    "folder": ["DatasetFolder", "ImageFolder"],
    "food101": ["Food101"],
    "gtsrb": ["GTSRB"],
    "hmdb51": ["HMDB51"],
    "imagenet": ["ImageNet"],
    "imagenette": ["Imagenette"],
    "inaturalist": ["INaturalist"],
    "kinetics": ["Kinetics"],
    "kitti": ["Kitti"],
    "lfw": ["LFWPairs", "LFWPeople"],
    "lsun": ["LSUN", "LSUNClass"],
    "mnist": ["EMNIST", "FashionMNIST", "KMNIST", "MNIST", "QMNIST"],
    "moving_mnist": ["MovingMNIST"],
    "omniglot": ["Omniglot"],
    "oxford_iiit_pet": ["OxfordIIITPet"],
    "pcam": ["PCAM"],
    "phototour": ["PhotoTour"],
    "places365": ["Places365"],
    "rendered_sst2": ["RenderedSST2"],
    "samplers": [],
    "sbd": ["SBDataset"],
    "sbu": ["SBU"],
    "semeion": ["SEMEION"],
    "stanford_cars": ["StanfordCars"],
    "stl10": ["STL10"],
    "sun397": ["SUN397"],
    "svhn": ["SVHN"],
    "ucf101": ["UCF101"],
    "usps": ["USPS"],
    "utils": [],
    "video_utils": [],
    "vision": ["VisionDataset"],
    "voc": ["VOCDetection", "VOCSegmentation"],
    "widerface": ["WIDERFace"],
}
_HOMES = {name: f"{__name__}.{module}" for module, names in _SETS.items() for name in names}
_HOMES["wrap_dataset_for_transforms_v2"] = __name__.replace(".datasets", ".tv_tensors._dataset_wrapper")

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _SETS:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SETS})
