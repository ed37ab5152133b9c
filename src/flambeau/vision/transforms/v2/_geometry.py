"""Transforms that move pixels, and boxes, masks and keypoints along with them."""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

import flambeau as torch

from ... import tv_tensors
from .. import _draws
from .. import transforms as _transforms
from .._functional_pil import _is_pil_image
from .._kernels import geometry
from ..transforms import _TWO_SIZES, _affine_ranges
from . import functional as F
from ._transform import Transform, _RandomApplyTransform
from ._utils import (_check_padding_arg, _check_padding_mode_arg, _check_sequence_input, _get_fill, _setup_angle,
                     _setup_fill_arg,
                     _setup_number_or_seq, _setup_size, get_bounding_boxes, has_all, has_any, is_pure_tensor,
                     query_size)
from .functional._arguments import pad_sides


class RandomHorizontalFlip(_RandomApplyTransform):
    """Left and right exchanged, with probability p."""

    _v1_transform_cls = _transforms.RandomHorizontalFlip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input flipped."""
        return self._call_kernel(F.horizontal_flip, inpt)


class RandomVerticalFlip(_RandomApplyTransform):
    """Top and bottom exchanged, with probability p."""

    _v1_transform_cls = _transforms.RandomVerticalFlip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input flipped."""
        return self._call_kernel(F.vertical_flip, inpt)


class Resize(Transform):
    """Resizes to `size` = (h, w), the shorter side to `size`, or (None) the longer side to `max_size`."""

    _v1_transform_cls = _transforms.Resize

    def __init__(self, size: Any, interpolation: Any = "bilinear", max_size: int | None = None,
                 antialias: bool | None = True) -> None:
        super().__init__()
        if isinstance(size, int):
            size = [size]
        elif isinstance(size, Sequence) and len(size) in (1, 2):
            size = list(size)
        elif size is not None:
            raise ValueError("size can be an integer, a sequence of one or two integers, or None, "
                             f"but got {size} instead.")
        elif not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input resized."""
        return self._call_kernel(F.resize, inpt, self.size, interpolation=self.interpolation, max_size=self.max_size,
                                 antialias=self.antialias)


class CenterCrop(Transform):
    """The window of `size` in the middle; smaller inputs are padded with 0."""

    _v1_transform_cls = _transforms.CenterCrop

    def __init__(self, size: Any):
        super().__init__()
        self.size = _setup_size(size, _TWO_SIZES)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input cropped."""
        return self._call_kernel(F.center_crop, inpt, output_size=self.size)


class RandomResizedCrop(Transform):
    """A window of random area and aspect ratio, resized to `size`."""

    _v1_transform_cls = _transforms.RandomResizedCrop

    def __init__(self, size: Any, scale: Any = (0.08, 1.0), ratio: Any = (3.0 / 4.0, 4.0 / 3.0),
                 interpolation: Any = "bilinear", antialias: bool | None = True) -> None:
        super().__init__()
        self.size = _setup_size(size, _TWO_SIZES)
        if not isinstance(scale, Sequence) or len(scale) != 2:
            raise TypeError("Scale should be a sequence of two floats.")
        if not isinstance(ratio, Sequence) or len(ratio) != 2:
            raise TypeError("Ratio should be a sequence of two floats.")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """top, left, height, width."""
        blank = torch.empty((1, *query_size(flat_inputs)))
        top, left, height, width = _transforms.RandomResizedCrop.get_params(blank, self.scale, self.ratio)
        return {"top": top, "left": left, "height": height, "width": width}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input cropped and resized."""
        return self._call_kernel(F.resized_crop, inpt, **params, size=self.size, interpolation=self.interpolation,
                                 antialias=self.antialias)


class _SeveralCrops(Transform):
    """The base of FiveCrop and TenCrop, which boxes and masks cannot follow."""

    def _call_kernel(self, functional: Callable, inpt: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)):
            warnings.warn(f"{type(self).__name__}() is currently passing through inputs of type "
                          f"tv_tensors.{type(inpt).__name__}. This will likely change in the future.", stacklevel=2)
        return super()._call_kernel(functional, inpt, *args, **kwargs)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """TypeError if there are boxes or masks."""
        if has_any(flat_inputs, tv_tensors.BoundingBoxes, tv_tensors.Mask):
            raise TypeError(f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()")


class FiveCrop(_SeveralCrops):
    """The four corners and the middle, as a tuple of five images."""

    _v1_transform_cls = _transforms.FiveCrop

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = _setup_size(size, _TWO_SIZES)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The five crops."""
        return self._call_kernel(F.five_crop, inpt, self.size)


class TenCrop(_SeveralCrops):
    """`FiveCrop` of the image and of its mirror image, as a tuple of ten."""

    _v1_transform_cls = _transforms.TenCrop

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = _setup_size(size, _TWO_SIZES)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The ten crops."""
        return self._call_kernel(F.ten_crop, inpt, self.size, vertical_flip=self.vertical_flip)


class Pad(Transform):
    """Pads by `padding`: a number, (x, y), or (left, top, right, bottom); `fill` may be a dict by input type."""

    _v1_transform_cls = _transforms.Pad

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        _check_padding_arg(padding)
        _check_padding_mode_arg(padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill = fill
        self._fill = _setup_fill_arg(fill)
        self.padding_mode = padding_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input padded."""
        return self._call_kernel(F.pad, inpt, padding=self.padding, fill=_get_fill(self._fill, type(inpt)),
                                 padding_mode=self.padding_mode)


class RandomZoomOut(_RandomApplyTransform):
    """With probability p, the input at a random place of a canvas larger by a factor from `side_range` (SSD)."""

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.fill = fill
        self._fill = _setup_fill_arg(fill)
        _check_sequence_input(side_range, "side_range", req_sizes=(2,))
        self.side_range = side_range
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """padding."""
        height, width = query_size(flat_inputs)
        real = np.float32  # what a tensor of one number computes in
        low, high = self.side_range
        factor = real(low) + real(_draws.rand()) * real(high - low)
        canvas_width, canvas_height = int(real(width) * factor), int(real(height) * factor)
        left = int(real(canvas_width - width) * real(_draws.rand()))
        top = int(real(canvas_height - height) * real(_draws.rand()))
        return {"padding": [left, top, canvas_width - (left + width), canvas_height - (top + height)]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input padded."""
        return self._call_kernel(F.pad, inpt, **params, fill=_get_fill(self._fill, type(inpt)))


class RandomRotation(Transform):
    """Turns by an angle in `degrees` = (low, high), or (-degrees, degrees)."""

    _v1_transform_cls = _transforms.RandomRotation

    def __init__(self, degrees: Any, interpolation: Any = "nearest", expand: bool = False, center: Any = None,
                 fill: Any = 0) -> None:
        super().__init__()
        self.degrees = _setup_angle(degrees, name="degrees", req_sizes=(2,))
        self.interpolation = interpolation
        self.expand = expand
        self.fill = fill
        self._fill = _setup_fill_arg(fill)
        if center is not None:
            _check_sequence_input(center, "center", req_sizes=(2,))
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """angle."""
        return {"angle": _draws.uniform(self.degrees[0], self.degrees[1])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input turned."""
        return self._call_kernel(F.rotate, inpt, **params, interpolation=self.interpolation, expand=self.expand,
                                 center=self.center, fill=_get_fill(self._fill, type(inpt)))


class RandomAffine(Transform):
    """Turns, moves, scales and shears by random amounts; the arguments are v1's."""

    _v1_transform_cls = _transforms.RandomAffine

    def __init__(self, degrees: Any, translate: Any = None, scale: Any = None, shear: Any = None,
                 interpolation: Any = "nearest", fill: Any = 0, center: Any = None) -> None:
        super().__init__()
        self.degrees, shear = _affine_ranges(degrees, translate, scale, shear)
        self.translate = translate
        self.scale = scale
        self.shear = shear
        self.interpolation = interpolation
        self.fill = fill
        self._fill = _setup_fill_arg(fill)
        if center is not None:
            _check_sequence_input(center, "center", req_sizes=(2,))
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """angle, translate, scale, shear."""
        height, width = query_size(flat_inputs)
        drawn = _transforms.RandomAffine.get_params(self.degrees, self.translate, self.scale, self.shear,
                                                    [width, height])
        return dict(zip(("angle", "translate", "scale", "shear"), drawn))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input moved."""
        return self._call_kernel(F.affine, inpt, **params, interpolation=self.interpolation,
                                 fill=_get_fill(self._fill, type(inpt)), center=self.center)


class RandomCrop(Transform):
    """A window of `size` at a random place, after padding by `padding` (and as far as `pad_if_needed` asks)."""

    _v1_transform_cls = _transforms.RandomCrop

    def __init__(self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0,
                 padding_mode: str = "constant") -> None:
        super().__init__()
        self.size = _setup_size(size, _TWO_SIZES)
        if pad_if_needed or padding is not None:
            if padding is not None:
                _check_padding_arg(padding)
            _check_padding_mode_arg(padding_mode)
        self.padding = pad_sides(padding) if padding else None
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self._fill = _setup_fill_arg(fill)
        self.padding_mode = padding_mode

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """needs_crop, top, left, height, width; needs_pad, padding."""
        left, right, top, bottom = self.padding or [0, 0, 0, 0]
        h, w = query_size(flat_inputs)
        h, w = h + top + bottom, w + left + right
        height, width = self.size
        if self.pad_if_needed:
            dy, dx = max(height - h, 0), max(width - w, 0)
            top, bottom, left, right = top + dy, bottom + dy, left + dx, right + dx
            h, w = h + 2 * dy, w + 2 * dx
        if h < height or w < width:
            raise ValueError(f"Required crop size {(height, width)} is larger than "
                             f"{'padded ' if self.padding is not None else ''}input image size {(h, w)}.")
        padding = [left, top, right, bottom]
        crop_top = _draws.randint(0, h - height + 1) if h > height else 0
        crop_left = _draws.randint(0, w - width + 1) if w > width else 0
        return {"needs_crop": (h, w) != (height, width), "top": crop_top, "left": crop_left, "height": height,
                "width": width, "needs_pad": any(padding), "padding": padding}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input padded and cropped."""
        if params["needs_pad"]:
            inpt = self._call_kernel(F.pad, inpt, padding=params["padding"], fill=_get_fill(self._fill, type(inpt)),
                                     padding_mode=self.padding_mode)
        if params["needs_crop"]:
            inpt = self._call_kernel(F.crop, inpt,
                                     **{name: params[name] for name in ("top", "left", "height", "width")})
        return inpt


class RandomPerspective(_RandomApplyTransform):
    """With probability p, moves each corner inwards by up to `distortion_scale` of half the image."""

    _v1_transform_cls = _transforms.RandomPerspective

    def __init__(self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Any = "bilinear",
                 fill: Any = 0) -> None:
        super().__init__(p=p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError("Argument distortion_scale value should be between 0 and 1")
        self.distortion_scale = distortion_scale
        self.interpolation = interpolation
        self.fill = fill
        self._fill = _setup_fill_arg(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """coefficients."""
        height, width = query_size(flat_inputs)
        points = _transforms.RandomPerspective.get_params(width, height, self.distortion_scale)
        return {"coefficients": geometry.perspective_coefficients(*points)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input in perspective."""
        return self._call_kernel(F.perspective, inpt, startpoints=None, endpoints=None,
                                 fill=_get_fill(self._fill, type(inpt)), interpolation=self.interpolation, **params)


class ElasticTransform(Transform):
    """Moves each pixel by smooth noise: uniform in ±1, blurred by `sigma`, times `alpha` pixels."""

    _v1_transform_cls = _transforms.ElasticTransform

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha = _setup_number_or_seq(alpha, "alpha")
        self.sigma = _setup_number_or_seq(sigma, "sigma")
        self.interpolation = interpolation
        self.fill = fill
        self._fill = _setup_fill_arg(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """displacement."""
        height, width = query_size(flat_inputs)
        parts = []
        for alpha, sigma, length in zip(self.alpha, self.sigma, (width, height)):
            noise = torch.from_numpy(_draws.rand_array(1, 1, height, width) * np.float32(2) - np.float32(1))
            if sigma > 0.0:
                taps = int(8 * sigma + 1) | 1
                noise = F.gaussian_blur(noise, [taps, taps], list(self.sigma))
            parts.append(noise * alpha / length)
        return {"displacement": torch.cat(parts, 1).permute([0, 2, 3, 1])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input deformed."""
        return self._call_kernel(F.elastic, inpt, **params, fill=_get_fill(self._fill, type(inpt)),
                                 interpolation=self.interpolation)


class RandomIoUCrop(Transform):
    """A random window that overlaps a box by at least a random share (SSD); boxes centred outside become empty.

    Follow it with `SanitizeBoundingBoxes`, which removes those.
    """

    def __init__(self, min_scale: float = 0.3, max_scale: float = 1.0, min_aspect_ratio: float = 0.5,
                 max_aspect_ratio: float = 2.0, sampler_options: list[float] | None = None, trials: int = 40):
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """TypeError unless there are boxes and an image."""
        if not (has_all(flat_inputs, tv_tensors.BoundingBoxes)
                and has_any(flat_inputs, _is_pil_image, tv_tensors.Image, is_pure_tensor)):
            raise TypeError(f"{type(self).__name__}() requires input sample to contain tensor or PIL images and "
                            "bounding boxes. "
                            "Sample can also contain masks.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """top, left, height, width and is_within_crop_area (N,); empty if the whole image is to be kept."""
        size = query_size(flat_inputs)
        boxes = get_bounding_boxes(flat_inputs)
        corners = F.convert_bounding_box_format(boxes.as_subclass(torch.Tensor), boxes.format,
                                                tv_tensors.BoundingBoxFormat.XYXY).numpy()
        while True:
            overlap = self.options[_draws.randint(0, len(self.options))]
            if overlap >= 1.0:
                return {}
            for _ in range(self.trials):
                params = self._try(size, corners, overlap)
                if params is not None:
                    return params

    def _try(self, size: tuple[int, int], boxes: np.ndarray, overlap: float) -> dict[str, Any] | None:
        real, (h, w) = np.float32, size
        shares = [real(self.min_scale) + real(self.max_scale - self.min_scale) * real(_draws.rand()) for _ in range(2)]
        width, height = int(real(w) * shares[0]), int(real(h) * shares[1])
        if not self.min_aspect_ratio <= width / height <= self.max_aspect_ratio:
            return None
        left, top = int(real(w - width) * real(_draws.rand())), int(real(h - height) * real(_draws.rand()))
        right, bottom = left + width, top + height
        if left == right or top == bottom:
            return None
        center = 0.5 * (boxes[:, :2] + boxes[:, 2:])
        within = ((center > (left, top)) & (center < (right, bottom))).all(1)
        if not within.any() or _overlaps(boxes[within], (left, top, right, bottom)).max() < overlap:
            return None
        return {"top": top, "left": left, "height": height, "width": width,
                "is_within_crop_area": torch.from_numpy(within)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input cropped."""
        if not params:
            return inpt
        output = self._call_kernel(F.crop, inpt, **{name: params[name] for name in ("top", "left", "height", "width")})
        if isinstance(output, tv_tensors.BoundingBoxes):
            kept = output.as_subclass(torch.Tensor) * params["is_within_crop_area"][:, None].to(output.dtype)
            return tv_tensors.wrap(kept, like=output)
        return output


def _overlaps(boxes: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with one window, both as corners, in float32."""
    boxes, window = boxes.astype(np.float32), np.array(window, np.float32)
    sides = np.clip(np.minimum(boxes[:, 2:], window[2:]) - np.maximum(boxes[:, :2], window[:2]), 0, None)
    common = sides.prod(1)
    return common / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (window[2:] - window[:2]).prod() - common)


class ScaleJitter(Transform):
    """Resizes to fit `target_size` = (width, height) times a factor from `scale_range` (Ghiasi et al. 2020)."""

    def __init__(self, target_size: tuple[int, int], scale_range: tuple[float, float] = (0.1, 2.0),
                 interpolation: Any = "bilinear", antialias: bool | None = True):
        super().__init__()
        self.target_size = target_size
        self.scale_range = scale_range
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """size."""
        height, width = query_size(flat_inputs)
        real, (low, high) = np.float32, self.scale_range
        scale = real(low) + real(_draws.rand()) * real(high - low)
        factor = real(min(self.target_size[1] / height, self.target_size[0] / width)) * scale
        return {"size": (int(real(height) * factor), int(real(width) * factor))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input resized."""
        return self._call_kernel(F.resize, inpt, size=params["size"], interpolation=self.interpolation,
                                 antialias=self.antialias)


class RandomShortestSize(Transform):
    """Resizes the shorter side to one of `min_size`, the longer to at most `max_size`."""

    def __init__(self, min_size: Any, max_size: int | None = None, interpolation: Any = "bilinear",
                 antialias: bool | None = True):
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """size."""
        height, width = query_size(flat_inputs)
        factor = self.min_size[_draws.randint(0, len(self.min_size))] / min(height, width)
        if self.max_size is not None:
            factor = min(factor, self.max_size / max(height, width))
        return {"size": (int(height * factor), int(width * factor))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input resized."""
        return self._call_kernel(F.resize, inpt, size=params["size"], interpolation=self.interpolation,
                                 antialias=self.antialias)


class RandomResize(Transform):
    """Resizes the shorter side to a whole number in [min_size, max_size)."""

    def __init__(self, min_size: int, max_size: int, interpolation: Any = "bilinear",
                 antialias: bool | None = True) -> None:
        super().__init__()
        self.min_size = min_size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """size."""
        return {"size": [_draws.randint(self.min_size, self.max_size)]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input resized."""
        return self._call_kernel(F.resize, inpt, params["size"], interpolation=self.interpolation,
                                 antialias=self.antialias)
