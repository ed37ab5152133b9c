"""Transforms of colours."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flambeau as torch

from .. import _draws
from .. import transforms as _transforms
from . import functional as F
from ._transform import Transform, _RandomApplyTransform
from ._utils import query_chw


class Grayscale(Transform):
    """To grey, in 1 or 3 equal channels."""

    _v1_transform_cls = _transforms.Grayscale

    def __init__(self, num_output_channels: int = 1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The grey image."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=self.num_output_channels)


class RandomGrayscale(_RandomApplyTransform):
    """To grey with probability p, the number of channels kept."""

    _v1_transform_cls = _transforms.RandomGrayscale

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p=p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """num_input_channels."""
        return {"num_input_channels": query_chw(flat_inputs)[0]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The grey image."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=params["num_input_channels"])


class RGB(Transform):
    """Grey images to three equal channels; RGB stays."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The RGB image."""
        return self._call_kernel(F.grayscale_to_rgb, inpt)


_JITTERS = (("brightness_factor", F.adjust_brightness), ("contrast_factor", F.adjust_contrast),
            ("saturation_factor", F.adjust_saturation), ("hue_factor", F.adjust_hue))


class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue by random factors, in random order; see v1's."""

    _v1_transform_cls = _transforms.ColorJitter

    def __init__(self, brightness: Any = None, contrast: Any = None, saturation: Any = None, hue: Any = None) -> None:
        super().__init__()
        self.brightness = self._check_input(brightness, "brightness")
        self.contrast = self._check_input(contrast, "contrast")
        self.saturation = self._check_input(saturation, "saturation")
        self.hue = self._check_input(hue, "hue", center=0, bound=(-0.5, 0.5), clip_first_on_zero=False)

    def _check_input(self, value: Any, name: str, center: float = 1.0, bound: tuple[float, float] = (0, float("inf")),
                     clip_first_on_zero: bool = True) -> tuple[float, float] | None:
        if value is None:
            return None
        if isinstance(value, (int, float)):
            if value < 0:
                raise ValueError(f"If {name} is a single number, it must be non negative.")
            value = [center - value, center + value]
            if clip_first_on_zero:
                value[0] = max(value[0], 0.0)
        elif isinstance(value, Sequence) and len(value) == 2:
            value = [float(v) for v in value]
        else:
            raise TypeError(f"{name}={value} should be a single number or a sequence with length 2.")
        if not bound[0] <= value[0] <= value[1] <= bound[1]:
            raise ValueError(f"{name} values should be between {bound} and increasing, but got {value}.")
        return None if value[0] == value[1] == center else (float(value[0]), float(value[1]))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """fn_idx (the order) and the four factors, None for those without a range."""
        order = torch.tensor(_draws.randperm(4))
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [None if limits is None else _draws.uniform(*limits) for limits in ranges]
        return {"fn_idx": order, **{name: factor for (name, _), factor in zip(_JITTERS, factors)}}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image with all four changes."""
        for k in params["fn_idx"].tolist():
            name, functional = _JITTERS[k]
            if params[name] is not None:
                inpt = self._call_kernel(functional, inpt, **{name: params[name]})
        return inpt


class RandomChannelPermutation(Transform):
    """The channels in random order."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """permutation."""
        return {"permutation": torch.tensor(_draws.randperm(query_chw(flat_inputs)[0]))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image with its channels permuted."""
        return self._call_kernel(F.permute_channels, inpt, params["permutation"])


class RandomPhotometricDistort(Transform):
    """Each of brightness, contrast, saturation, hue and channel order changed with probability p (SSD, Liu et al.
    2015)."""

    def __init__(self, brightness: tuple[float, float] = (0.875, 1.125), contrast: tuple[float, float] = (0.5, 1.5),
                 saturation: tuple[float, float] = (0.5, 1.5), hue: tuple[float, float] = (-0.05, 0.05),
                 p: float = 0.5):
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Four factors or None, contrast_before (the saturation and hue), channel_permutation or None."""
        channels, *_ = query_chw(flat_inputs)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        params: dict[str, Any] = {name: _draws.uniform(*limits) if _draws.happens(self.p) else None
                                  for (name, _), limits in zip(_JITTERS, ranges)}
        params["contrast_before"] = _draws.happens(0.5)
        params["channel_permutation"] = torch.tensor(_draws.randperm(channels)) if _draws.happens(self.p) else None
        return params

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The distorted image."""
        order = (0, 1, 2, 3) if params["contrast_before"] else (0, 2, 3, 1)
        for name, functional in (_JITTERS[k] for k in order):
            if params[name] is not None:
                inpt = self._call_kernel(functional, inpt, **{name: params[name]})
        if params["channel_permutation"] is not None:
            inpt = self._call_kernel(F.permute_channels, inpt, permutation=params["channel_permutation"])
        return inpt


class RandomEqualize(_RandomApplyTransform):
    """`functional.equalize` with probability p."""

    _v1_transform_cls = _transforms.RandomEqualize

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image equalized."""
        return self._call_kernel(F.equalize, inpt)


class RandomInvert(_RandomApplyTransform):
    """`functional.invert` with probability p."""

    _v1_transform_cls = _transforms.RandomInvert

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image inverted."""
        return self._call_kernel(F.invert, inpt)


class RandomPosterize(_RandomApplyTransform):
    """`functional.posterize` with probability p."""

    _v1_transform_cls = _transforms.RandomPosterize

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image posterized."""
        return self._call_kernel(F.posterize, inpt, bits=self.bits)


class RandomSolarize(_RandomApplyTransform):
    """`functional.solarize` with probability p."""

    _v1_transform_cls = _transforms.RandomSolarize

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image solarized."""
        return self._call_kernel(F.solarize, inpt, threshold=self.threshold)


class RandomAutocontrast(_RandomApplyTransform):
    """`functional.autocontrast` with probability p."""

    _v1_transform_cls = _transforms.RandomAutocontrast

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image stretched."""
        return self._call_kernel(F.autocontrast, inpt)


class RandomAdjustSharpness(_RandomApplyTransform):
    """`functional.adjust_sharpness` with probability p."""

    _v1_transform_cls = _transforms.RandomAdjustSharpness

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image sharpened."""
        return self._call_kernel(F.adjust_sharpness, inpt, sharpness_factor=self.sharpness_factor)
