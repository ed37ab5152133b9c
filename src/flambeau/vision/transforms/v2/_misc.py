"""Identity, lambdas, dtypes, normalising, blurring and noise; removing degenerate boxes and points."""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Callable

import flambeau as torch

from ... import tv_tensors
from .. import _draws
from .. import transforms as _transforms
from .._functional_pil import _is_pil_image
from . import functional as F
from ._transform import Transform
from ._tree import tree_flatten, tree_unflatten
from ._utils import (_labels_of, _parse_labels_getter, _setup_number_or_seq, _setup_size, get_bounding_boxes,
                     get_keypoints, has_any, is_pure_tensor)
from .functional import _boxes


class Identity(Transform):
    """Everything as it is."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input."""
        return inpt


class Lambda(Transform):
    """Any callable, on inputs of `types` (default all)."""

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type):
        super().__init__()
        self.lambd = lambd
        self.types = types or self._transformed_types

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """What the callable makes of the input."""
        return self.lambd(inpt) if isinstance(inpt, self.types) else inpt

    def extra_repr(self) -> str:
        """The callable's name and the types."""
        name = getattr(self.lambd, "__name__", None)
        return ", ".join(([name] if name else []) + [f"types={[kind.__name__ for kind in self.types]}"])


class LinearTransformation(Transform):
    """(x - mean_vector) · transformation_matrix on the flattened image; see v1's."""

    _v1_transform_cls = _transforms.LinearTransformation
    _transformed_types = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, transformation_matrix: Any, mean_vector: Any):
        super().__init__()
        checked = _transforms.LinearTransformation(transformation_matrix, mean_vector)
        self.transformation_matrix = checked.transformation_matrix
        self.mean_vector = checked.mean_vector

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """TypeError if there are PIL images."""
        _refuse_pil(self, flat_inputs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image transformed."""
        plain = inpt.as_subclass(torch.Tensor)
        output = _transforms.LinearTransformation(self.transformation_matrix, self.mean_vector)(plain)
        return output if is_pure_tensor(inpt) else tv_tensors.wrap(output, like=inpt)


def _refuse_pil(transform: Transform, flat_inputs: list[Any]) -> None:
    if has_any(flat_inputs, _is_pil_image):
        raise TypeError(f"{type(transform).__name__}() does not support PIL images.")


class Normalize(Transform):
    """(x - mean) / std per channel of floating images."""

    _v1_transform_cls = _transforms.Normalize

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False):
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        self.inplace = inplace

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """TypeError if there are PIL images."""
        _refuse_pil(self, flat_inputs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image normalized."""
        return self._call_kernel(F.normalize, inpt, mean=self.mean, std=self.std, inplace=self.inplace)


class GaussianBlur(Transform):
    """Blurs by a Gaussian of `kernel_size` taps whose sigma is drawn from [low, high]."""

    _v1_transform_cls = _transforms.GaussianBlur

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = _setup_size(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.sigma = _setup_number_or_seq(sigma, "sigma")
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {self.sigma}")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """sigma."""
        sigma = _draws.uniform(self.sigma[0], self.sigma[1])
        return {"sigma": [sigma, sigma]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image blurred."""
        return self._call_kernel(F.gaussian_blur, inpt, self.kernel_size, **params)


class GaussianNoise(Transform):
    """Adds normal noise of this mean and standard deviation (for white = 1), and clips."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The noisy image."""
        return self._call_kernel(F.gaussian_noise, inpt, mean=self.mean, sigma=self.sigma, clip=self.clip)


class ToDtype(Transform):
    """Images and videos (or, by a dict, each type) to a dtype; `scale` maps [0, white] to the new dtype's."""

    _transformed_types = (torch.Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, torch.dtype)):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        if isinstance(dtype,
                      dict) and torch.Tensor in dtype and (tv_tensors.Image in dtype or tv_tensors.Video in dtype):
            warnings.warn("Got `dtype` values for `torch.Tensor` and either `tv_tensors.Image` or `tv_tensors.Video`. "
                          "Note that a "
                          "plain `torch.Tensor` will *not* be transformed by this (or any other transformation) in "
                          "case a "
                          "`tv_tensors.Image` or `tv_tensors.Video` is present in the input.", stacklevel=2)
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input in its dtype."""
        is_image = is_pure_tensor(inpt) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Video))
        if isinstance(self.dtype, torch.dtype):
            dtype = self.dtype if is_image else inpt.dtype
        elif type(inpt) in self.dtype:
            dtype = self.dtype[type(inpt)]
        elif "others" in self.dtype:
            dtype = self.dtype["others"]
        else:
            raise ValueError(f"No dtype was specified for type {type(inpt)}. If you only need to convert the dtype of "
                             "images or "
                             "videos, you can just pass e.g. dtype=torch.float32. If you're passing a dict as dtype, "
                             "you can use "
                             '"others" as a catch-all key e.g. dtype={tv_tensors.Mask: torch.int64, "others": None} to '
                             "pass-through the rest of the inputs.")
        if dtype is None:
            if self.scale and is_image:
                warnings.warn("scale was set to True but no dtype was specified for images or videos: no scaling will "
                              "be done.",
                              stacklevel=2)
            return inpt
        if dtype == inpt.dtype:
            return inpt
        return self._call_kernel(F.to_dtype, inpt, dtype=dtype, scale=self.scale)


class ConvertImageDtype(Transform):
    """`ToDtype(dtype, scale=True)`."""

    _v1_transform_cls = _transforms.ConvertImageDtype

    def __init__(self, dtype: Any = None) -> None:
        super().__init__()
        self.dtype = torch.float32 if dtype is None else dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image in its dtype."""
        return self._call_kernel(F.to_dtype, inpt, dtype=self.dtype, scale=True)


class _Sanitize(Transform):
    """The base of those that drop entries of several parts of a sample together."""

    def _set_labels_getter(self, labels_getter: Any) -> None:
        self.labels_getter = labels_getter
        self._labels_getter = _parse_labels_getter(labels_getter)

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...] | None) -> Any:
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample without the entries to drop."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = _labels_of(self._labels_getter, sample)
        flat_inputs, spec = tree_flatten(sample)
        params = {"valid": self._valid(flat_inputs, labels), "labels": labels}
        return tree_unflatten([self.transform(inpt, params) for inpt in flat_inputs], spec)

    @staticmethod
    def _is_label(inpt: Any, params: dict[str, Any]) -> bool:
        return params["labels"] is not None and any(inpt is label for label in params["labels"])

    @staticmethod
    def _kept(inpt: Any, valid: Any) -> Any:
        if is_pure_tensor(inpt):
            return inpt[valid]
        return tv_tensors.wrap(inpt.as_subclass(torch.Tensor)[valid], like=inpt)


class SanitizeBoundingBoxes(_Sanitize):
    """Drops boxes that leave the image or are smaller than `min_size` or `min_area`, with their masks and labels.

    labels_getter: "default" (the key or part of the sample that says label), a callable, or None for no labels.
    """

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default") -> None:
        super().__init__()
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        self.min_size = min_size
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_area = min_area
        self._set_labels_getter(labels_getter)

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...] | None) -> Any:
        boxes = get_bounding_boxes(flat_inputs)
        for label in labels or ():
            if boxes.shape[0] != label.shape[0]:
                raise ValueError(f"Number of boxes (shape={boxes.shape}) and must match the number of labels."
                                 f"Found labels with shape={label.shape}).")
        return _boxes.sane_boxes(boxes.as_subclass(torch.Tensor), boxes.format, boxes.canvas_size, self.min_size,
                                 self.min_area)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The boxes, masks or labels that stay."""
        if not (self._is_label(inpt, params) or isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.Mask))):
            return inpt
        if isinstance(inpt, tv_tensors.Mask) and inpt.shape[0] != params["valid"].shape[0]:
            return inpt  # a mask of classes, not of objects
        return self._kept(inpt, params["valid"])


class SanitizeKeyPoints(_Sanitize):
    """Drops keypoints (or groups of them) that leave the image, with their labels."""

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__()
        self._set_labels_getter(labels_getter)

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...] | None) -> Any:
        points = get_keypoints(flat_inputs)
        for label in labels or ():
            if points.shape[0] != label.shape[0]:
                raise ValueError(f"Number of kepyoints (shape={points.shape}) must match the number of labels."
                                 f"Found labels with shape={label.shape}).")
        return _boxes.sane_keypoints(points.as_subclass(torch.Tensor), points.canvas_size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The points or labels that stay."""
        if self._is_label(inpt, params) or isinstance(inpt, tv_tensors.KeyPoints):
            return self._kept(inpt, params["valid"])
        return inpt
