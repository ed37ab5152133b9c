"""The entries of the weights enums, one function for each kind of task: what all published weights of it share.

All take the file's name (its last eight digits are the start of its SHA-256), the recipe (a URL, or a place among
torchvision's reference trainings), the number of parameters, 10⁹ multiply-adds for one sample, megabytes, and the
smallest input; the rest goes to the transform.
"""
from __future__ import annotations

from functools import partial
from typing import Any, Callable

from ..transforms import _presets
from ..transforms.functional import InterpolationMode
from ._api import Weights
from ._meta import _COCO_CATEGORIES, _IMAGENET_CATEGORIES, _KINETICS400_CATEGORIES, _VOC_CATEGORIES

__all__ = ["InterpolationMode", "NAN", "SWAG_LICENSE", "coco", "coco_voc", "flow", "imagenet", "kinetics"]

FILES = "https://download.pytorch.org/models/"
RECIPES = "https://github.com/pytorch/vision/tree/main/references/"
SWAG_LICENSE = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"
NAN = float("nan")  # not measured


def _weights(file: str, recipe: str, metrics: dict, preset: Callable, settings: dict, *, params: int, gflops: float,
             mb: float, min_size: int | None = None, **meta: Any) -> Weights:
    return Weights(FILES + file + ".pth", partial(preset, **settings) if settings else preset, {
        "num_params": params, "min_size": (min_size, min_size),
        "recipe": recipe if "://" in recipe else RECIPES + recipe,
        "_metrics": metrics, "_ops": gflops, "_file_size": mb, **meta})


def _accuracy(acc: tuple[float, float]) -> dict[str, float]:
    return {"acc@1": acc[0], "acc@5": acc[1]}


def imagenet(file: str, recipe: str, *, acc: tuple[float, float], params: int, gflops: float, mb: float, min_size: int,
             categories: list[str] | None = _IMAGENET_CATEGORIES, license: str | None = None,
             **settings: Any) -> Weights:
    """A classifier of ImageNet-1K. `acc`: top-1 and top-5 accuracy in percent."""
    meta = {"license": license} if license else {}
    return _weights(file, recipe, {"ImageNet-1K": _accuracy(acc)}, _presets.ImageClassification, settings,
                    params=params, gflops=gflops, mb=mb, min_size=min_size, categories=categories, **meta)


def kinetics(file: str, recipe: str, *, acc: tuple[float, float], params: int, gflops: float, mb: float, min_size: int,
             min_temporal_size: int | None = None, **settings: Any) -> Weights:
    """A classifier of Kinetics-400 clips. `acc`: top-1 and top-5 accuracy in percent."""
    meta = {"min_temporal_size": min_temporal_size} if min_temporal_size else {}
    return _weights(file, recipe, {"Kinetics-400": _accuracy(acc)}, _presets.VideoClassification, settings,
                    params=params, gflops=gflops, mb=mb, min_size=min_size, categories=_KINETICS400_CATEGORIES, **meta)


def coco(file: str, recipe: str, *, metrics: dict[str, float], categories: list[str] = _COCO_CATEGORIES,
         **meta: Any) -> Weights:
    """A detector trained on COCO."""
    return _weights(file, recipe, {"COCO-val2017": metrics}, _presets.ObjectDetection, {}, categories=categories,
                    **meta)


def coco_voc(file: str, recipe: str, *, metrics: dict[str, float], resize_size: int, **meta: Any) -> Weights:
    """A segmenter trained on COCO with the classes of Pascal VOC."""
    return _weights(file, recipe, {"COCO-val2017-VOC-labels": metrics}, _presets.SemanticSegmentation,
                    {"resize_size": resize_size}, categories=_VOC_CATEGORIES, **meta)


def flow(file: str, recipe: str, *, metrics: dict[str, dict[str, float]], **meta: Any) -> Weights:
    """An estimator of optical flow."""
    return _weights(file, recipe, metrics, _presets.OpticalFlow, {}, **meta)
