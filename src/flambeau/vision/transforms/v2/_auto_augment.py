"""AutoAugment, RandAugment, TrivialAugmentWide and AugMix of v2. The policies and spaces are v1's; magnitudes of
Solarize are shares of white, so that floating images work, and signs are drawn as uniforms."""
from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

import flambeau as torch

from ... import tv_tensors
from .. import _draws
from .. import autoaugment as _v1
from .._functional_pil import _is_pil_image
from .._functional_tensor import _max_value
from .._kernels.filters import linspace
from ..autoaugment import AutoAugmentPolicy, geometric, parse_policy, photometric
from . import functional as F
from ._transform import Transform
from ._tree import tree_flatten, tree_unflatten
from ._utils import _get_fill, _setup_fill_arg, check_type, is_pure_tensor


def posterize_bits(most: int, num_bins: int, steps: int) -> list[float]:
    """Bits to keep, rounded after the subtraction (v1 rounds before it, which differs at halves)."""
    k = np.arange(num_bins, dtype=np.float32) / np.float32((num_bins - 1) / steps)
    return np.rint(np.float32(most) - k).astype(int).tolist()


def tonal(num_bins: int, bits: list[float], *names: str) -> Any:
    """Posterize, Solarize, and operations without a magnitude."""
    return {"Posterize": (bits, False), "Solarize": (linspace(1.0, 0.0, num_bins).tolist(), False),
            **{name: (None, False) for name in names}}


class _AutoAugmentBase(Transform):
    """Applies named operations to the one image or video of a sample."""

    def __init__(self, *, interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill = fill
        self._fill = _setup_fill_arg(fill)

    def _find(self, flat_inputs: list[Any]) -> int:
        """Where the image or video is; TypeError if there is not just one, or something that cannot follow it."""
        found = []
        for k, (inpt, needs) in enumerate(zip(flat_inputs, self._needs_transform_list(flat_inputs))):
            if needs and check_type(inpt, (tv_tensors.Image, _is_pil_image, is_pure_tensor, tv_tensors.Video)):
                found.append(k)
            elif isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)):
                raise TypeError(f"Inputs of type {type(inpt).__name__} are not supported by {type(self).__name__}()")
        if not found:
            raise TypeError("Found no image in the sample.")
        if len(found) > 1:
            raise TypeError("Auto augment transformations are only properly defined for a single image or video, "
                            f"but found {len(found)}.")
        return found[0]

    def forward(self, *inputs: Any) -> Any:
        """The sample with its image augmented."""
        flat_inputs, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        k = self._find(flat_inputs)
        flat_inputs[k] = self._augmented(flat_inputs[k], *F.get_size(flat_inputs[k]))
        return tree_unflatten(flat_inputs, spec)

    def _augmented(self, image: Any, height: int, width: int) -> Any:
        raise NotImplementedError

    def _draw(self, space: Any, pick: Callable[[list[float]], int]) -> tuple[str, float]:
        """(operation, magnitude), the operation drawn uniformly."""
        name = list(space)[_draws.randint(0, len(space))]
        return name, self._magnitude(space[name], pick)

    @staticmethod
    def _magnitude(operation: Any, pick: Callable[[list[float]], int]) -> float:
        magnitudes, signed = operation
        if magnitudes is None:
            return 0.0
        magnitude = float(magnitudes[pick(magnitudes)])
        return -magnitude if signed and _draws.rand() <= 0.5 else magnitude

    def _apply(self, image: Any, name: str, magnitude: float) -> Any:
        fill = _get_fill(self._fill, type(image))
        still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0],
                 "interpolation": self.interpolation, "fill": fill}
        if name in ("ShearX", "ShearY"):
            degrees = math.degrees(math.atan(magnitude))
            return F.affine(image,
                            **{**still, "shear": [degrees, 0.0] if name == "ShearX" else [0.0, degrees],
                               "center": [0, 0]})
        if name in ("TranslateX", "TranslateY"):
            return F.affine(image,
                            **{**still,
                               "translate": [int(magnitude), 0] if name == "TranslateX" else [0, int(magnitude)]})
        if name == "Rotate":
            return F.rotate(image, angle=magnitude, interpolation=self.interpolation, fill=fill)
        if name == "Solarize":
            white = _max_value(image.dtype) if isinstance(image, torch.Tensor) else 255.0
            return F.solarize(image, threshold=white * magnitude)
        functional, argument = _OPERATIONS[name]
        return functional(image, *([] if argument is None else [argument(magnitude)]))


def _factor(magnitude: float) -> float:
    return 1.0 + magnitude


_OPERATIONS = {"Identity": (lambda image: image, None), "Brightness": (F.adjust_brightness, _factor),
               "Color": (F.adjust_saturation, _factor), "Contrast": (F.adjust_contrast, _factor),
               "Sharpness": (F.adjust_sharpness, _factor), "Posterize": (F.posterize, int),
               "AutoContrast": (F.autocontrast, None), "Equalize": (F.equalize, None), "Invert": (F.invert, None)}


class AutoAugment(_AutoAugmentBase):
    """Two operations of a learned policy (Cubuk et al. 2018)."""

    _v1_transform_cls = _v1.AutoAugment

    def __init__(self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET, interpolation: Any = "nearest",
                 fill: Any = None) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        self.policy = policy
        self._policies = parse_policy(policy)

    def _augmented(self, image: Any, height: int, width: int) -> Any:
        space = {**geometric(10, 0.3, (150.0 / 331.0 * width, 150.0 / 331.0 * height), 30.0), **photometric(10, 0.9),
                 **tonal(10, posterize_bits(8, 10, 4), "AutoContrast", "Equalize", "Invert")}
        for name, p, step in self._policies[_draws.randint(0, len(self._policies))]:
            if _draws.rand() <= float(np.float32(p)):
                image = self._apply(image, name, self._magnitude(space[name], lambda magnitudes: step))
        return image


class RandAugment(_AutoAugmentBase):
    """`num_ops` random operations of one common magnitude (Cubuk et al. 2019)."""

    _v1_transform_cls = _v1.RandAugment

    def __init__(self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
                 interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueError(f"num_ops should be a non-negative integer, but got {num_ops} instead.")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def _augmented(self, image: Any, height: int, width: int) -> Any:
        bins = self.num_magnitude_bins
        space = {"Identity": (None, False),
                 **geometric(bins, 0.3, (150.0 / 331.0 * width, 150.0 / 331.0 * height), 30.0),
                 **photometric(bins, 0.9), **tonal(bins, posterize_bits(8, bins, 4), "AutoContrast", "Equalize")}
        for _ in range(self.num_ops):
            image = self._apply(image, *self._draw(space, lambda magnitudes: self.magnitude))
        return image


class TrivialAugmentWide(_AutoAugmentBase):
    """One random operation of random magnitude from a wide space (Müller and Hutter 2021)."""

    _v1_transform_cls = _v1.TrivialAugmentWide

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = "nearest", fill: Any = None):
        super().__init__(interpolation=interpolation, fill=fill)
        self.num_magnitude_bins = num_magnitude_bins

    def _augmented(self, image: Any, height: int, width: int) -> Any:
        bins = self.num_magnitude_bins
        space = {"Identity": (None, False), **geometric(bins, 0.99, (32.0, 32.0), 135.0), **photometric(bins, 0.99),
                 **tonal(bins, posterize_bits(8, bins, 6), "AutoContrast", "Equalize")}
        return self._apply(image, *self._draw(space, lambda magnitudes: _draws.randint(0, bins)))


class AugMix(_AutoAugmentBase):
    """A random mixture of chains of operations with the image itself (Hendrycks et al. 2019); see v1's."""

    _v1_transform_cls = _v1.AugMix
    _PARAMETER_MAX = 10

    def __init__(self, severity: int = 3, mixture_width: int = 3, chain_depth: int = -1, alpha: float = 1.0,
                 all_ops: bool = True, interpolation: Any = "bilinear", fill: Any = None) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        if not 1 <= severity <= self._PARAMETER_MAX:
            raise ValueError(f"The severity must be between [1, {self._PARAMETER_MAX}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _space(self, height: int, width: int) -> Any:
        bins = self._PARAMETER_MAX
        return {**geometric(bins, 0.3, (width / 3.0, height / 3.0), 30.0),
                **tonal(bins, posterize_bits(4, bins, 4), "AutoContrast", "Equalize"),
                **(photometric(bins, 0.9) if self.all_ops else {})}

    def _augmented(self, image: Any, height: int, width: int) -> Any:
        plain = image.as_subclass(torch.Tensor) if isinstance(image, torch.Tensor) else F.pil_to_tensor(image)
        dims = 5 if isinstance(image, tv_tensors.Video) else 4
        batch = plain.reshape([1] * max(dims - plain.ndim, 0) + list(plain.shape))
        n, space = batch.shape[0], self._space(height, width)
        m = torch.from_numpy(_draws.dirichlet([self.alpha] * 2, n))
        weights = torch.from_numpy(_draws.dirichlet([self.alpha] * self.mixture_width, n)) * m[:, 1].reshape([n, -1])
        column = [n] + [1] * (batch.ndim - 1)
        mix = m[:, 0].reshape(column) * batch
        for i in range(self.mixture_width):
            chain = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else _draws.randint(1, 4)):
                chain = self._apply(chain, *self._draw(space, lambda magnitudes: _draws.randint(0, self.severity)))
            mix = mix + weights[:, i].reshape(column) * chain
        mix = mix.reshape(plain.shape).to(plain.dtype)
        if isinstance(image, tv_tensors.TVTensor):
            return tv_tensors.wrap(mix, like=image)
        return mix if isinstance(image, torch.Tensor) else F.to_pil_image(mix)
