"""Erasing, mixing images of a batch, JPEG artefacts."""
from __future__ import annotations

import math
import numbers
import warnings
from typing import Any, Callable, Sequence

import flambeau as torch
from ....nn import functional as nn_functional

from ... import tv_tensors
from .. import _draws
from .. import transforms as _transforms
from .._functional_pil import _is_pil_image
from . import functional as F
from ._transform import Transform, _RandomApplyTransform
from ._tree import tree_flatten, tree_unflatten
from ._utils import _check_sequence_input, _parse_labels_getter, has_any, is_pure_tensor, query_chw, query_size


class RandomErasing(_RandomApplyTransform):
    """With probability p, overwrites a window of an image by `value`; see v1's."""

    _v1_transform_cls = _transforms.RandomErasing

    def __init__(self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3),
                 value: Any = 0.0, inplace: bool = False):
        super().__init__(p=p)
        checked = _transforms.RandomErasing(p, scale, ratio, value, inplace)
        self.scale = checked.scale
        self.ratio = checked.ratio
        self.value: list[float] | None = None
        if isinstance(value, numbers.Number):
            self.value = [float(value)]
        elif not isinstance(value, str):
            self.value = [float(v) for v in value]
        self.inplace = inplace

    def _call_kernel(self, functional: Callable, inpt: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)):
            warnings.warn(f"{type(self).__name__}() is currently passing through inputs of type "
                          f"tv_tensors.{type(inpt).__name__}. This will likely change in the future.", stacklevel=2)
        return super()._call_kernel(functional, inpt, *args, **kwargs)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """i, j, h, w and v, what to write (None for nothing)."""
        channels, height, width = query_chw(flat_inputs)
        if self.value is not None and len(self.value) not in (1, channels):
            raise ValueError(f"If value is a sequence, it should have either a single value or {channels} "
                             "(number of inpt channels)")
        blank = torch.empty((channels, height, width))
        i, j, h, w, v = _transforms.RandomErasing.get_params(blank, self.scale, self.ratio, self.value)
        return {"i": i, "j": j, "h": h, "w": w, "v": None if v is blank else v}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image with the window overwritten."""
        return inpt if params["v"] is None else self._call_kernel(F.erase, inpt, **params, inplace=self.inplace)


class _BaseMixUpCutMix(Transform):
    """The base of those that mix a batch with itself shifted by one, and its labels alike."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        self.alpha = float(alpha)
        if self.alpha <= 0:
            raise ValueError(f"Expected alpha to be positive, got {alpha}")
        self.num_classes = num_classes
        self._labels_getter = _parse_labels_getter(labels_getter)

    def _draw_share(self) -> float:
        """A number from Beta(alpha, alpha)."""
        return float(_draws.dirichlet([self.alpha, self.alpha])[0, 0])

    def _labels(self, sample: Any) -> Any:
        labels = self._labels_getter(sample)
        if not isinstance(labels, torch.Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError("labels should be index based with shape (batch_size,) or probability based with shape "
                             f"(batch_size, num_classes), but got a tensor of shape {labels.shape} instead.")
        if labels.ndim == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ValueError("When passing 2D labels, the number of elements in last dimension must match num_classes: "
                             f"{labels.shape[-1]} != {self.num_classes}. You can Leave num_classes to None.")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        return labels

    def forward(self, *inputs: Any) -> Any:
        """The batch mixed: images (N, C, H, W) or videos, and labels (N,) or (N, classes) as (N, classes)."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat_inputs, spec = tree_flatten(sample)
        needed = self._needs_transform_list(flat_inputs)
        if has_any(flat_inputs, _is_pil_image, tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints):
            raise ValueError(f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and "
                             "masks.")
        labels = self._labels(sample)
        params = {"labels": labels, "batch_size": labels.shape[0],
                  **self.make_params([inpt for inpt, needs in zip(flat_inputs, needed) if needs])}
        outputs = [self.transform(inpt, params) if needs or inpt is labels else inpt for inpt,
                   needs in zip(flat_inputs, needed)]
        return tree_unflatten(outputs, spec)

    def _mixed_label(self, label: Any, share: float) -> Any:
        if label.ndim == 1:
            label = nn_functional.one_hot(label, num_classes=self.num_classes)
        label = label if label.dtype.is_floating_point else label.float()
        return label.roll(1, 0) * (1.0 - share) + label * share

    def _mixed(self, image: Any, params: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _label_share(self, params: dict[str, Any]) -> float:
        raise NotImplementedError

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The labels, or the images, mixed."""
        if inpt is params["labels"]:
            return self._mixed_label(inpt, self._label_share(params))
        is_video, is_image = isinstance(inpt, tv_tensors.Video), isinstance(inpt, tv_tensors.Image)
        if not (is_video or is_image or is_pure_tensor(inpt)):
            return inpt
        if inpt.ndim != (5 if is_video else 4):
            raise ValueError(f"Expected a batched input with {5 if is_video else 4} dims, but got {inpt.ndim} "
                             "dimensions instead.")
        if inpt.shape[0] != params["batch_size"]:
            raise ValueError("The batch size of the image or video does not match the batch size of the labels: "
                             f"{inpt.shape[0]} != {params['batch_size']}.")
        mixed = self._mixed(inpt.as_subclass(torch.Tensor), params)
        return tv_tensors.wrap(mixed, like=inpt) if is_video or is_image else mixed


class MixUp(_BaseMixUpCutMix):
    """Blends each image of a batch with the one before it by a share from Beta(alpha, alpha) (Zhang et al. 2017)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """lam."""
        return {"lam": self._draw_share()}

    def _label_share(self, params: dict[str, Any]) -> float:
        return params["lam"]

    def _mixed(self, image: Any, params: dict[str, Any]) -> Any:
        return image.roll(1, 0) * (1.0 - params["lam"]) + image * params["lam"]


class CutMix(_BaseMixUpCutMix):
    """Pastes a window of the image before it into each image of a batch (Yun et al. 2019)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """box (x1, y1, x2, y2) and lam_adjusted, the share of the image outside it."""
        share = self._draw_share()
        height, width = query_size(flat_inputs)
        x, y = _draws.randint(0, width), _draws.randint(0, height)
        reach = 0.5 * math.sqrt(1.0 - share)
        half_width, half_height = int(reach * width), int(reach * height)
        x1, y1 = max(x - half_width, 0), max(y - half_height, 0)
        x2, y2 = min(x + half_width, width), min(y + half_height, height)
        return {"box": (x1, y1, x2, y2), "lam_adjusted": float(1.0 - (x2 - x1) * (y2 - y1) / (width * height))}

    def _label_share(self, params: dict[str, Any]) -> float:
        return params["lam_adjusted"]

    def _mixed(self, image: Any, params: dict[str, Any]) -> Any:
        x1, y1, x2, y2 = params["box"]
        mixed = image.clone()
        mixed[..., y1:y2, x1:x2] = image.roll(1, 0)[..., y1:y2, x1:x2]
        return mixed


class JPEG(Transform):
    """Compresses and decompresses with a quality (1 to 100), or one drawn from [low, high]."""

    def __init__(self, quality: Any):
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        if isinstance(quality, int):
            quality = [quality, quality]
        else:
            _check_sequence_input(quality, "quality", req_sizes=(2,))
        if not (1 <= quality[0] <= quality[1] <= 100 and isinstance(quality[0], int) and isinstance(quality[1], int)):
            raise ValueError(f"quality must be an integer from 1 to 100, got quality ={quality!r}")
        self.quality = quality

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """quality."""
        return {"quality": _draws.randint(self.quality[0], self.quality[1] + 1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image with JPEG's artefacts."""
        return self._call_kernel(F.jpeg, inpt, quality=params["quality"])
