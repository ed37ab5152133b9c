"""Learned and random augmentation policies: AutoAugment, RandAugment, TrivialAugmentWide, AugMix.

Each draws from a space of named operations; an operation has a range of magnitudes in equal steps, and may be signed.
"""
from __future__ import annotations

import math
from enum import Enum
from typing import Any, Sequence

import numpy as np

import flambeau as torch
from ...nn import Module

from . import _draws
from . import functional as F
from ._kernels.filters import linspace
from .functional import InterpolationMode
from .transforms import _fill_for

__all__ = ["AutoAugmentPolicy", "AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix"]



class AutoAugmentPolicy(Enum):
    """The data sets whose learned policies AutoAugment knows."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# The policies of Cubuk et al. 2018 (arXiv:1805.09501), tables 7 to 9: 25 pairs of operation, probability, magnitude (of
# 10).
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 0.4 8, Rotate 0.6 9; Solarize 0.6 5, AutoContrast 0.6 -; Equalize 0.8 -, Equalize 0.6 -;
        Posterize 0.6 7, Posterize 0.6 6; Equalize 0.4 -, Solarize 0.2 4; Equalize 0.4 -, Rotate 0.8 8;
        Solarize 0.6 3, Equalize 0.6 -; Posterize 0.8 5, Equalize 1.0 -; Rotate 0.2 3, Solarize 0.6 8;
        Equalize 0.6 -, Posterize 0.4 6; Rotate 0.8 8, Color 0.4 0; Rotate 0.4 9, Equalize 0.6 -;
        Equalize 0.0 -, Equalize 0.8 -; Invert 0.6 -, Equalize 1.0 -; Color 0.6 4, Contrast 1.0 8;
        Rotate 0.8 8, Color 1.0 2; Color 0.8 8, Solarize 0.8 7; Sharpness 0.4 7, Invert 0.6 -;
        ShearX 0.6 5, Equalize 1.0 -; Color 0.4 0, Equalize 0.6 -; Equalize 0.4 -, Solarize 0.2 4;
        Solarize 0.6 5, AutoContrast 0.6 -; Invert 0.6 -, Equalize 1.0 -; Color 0.6 4, Contrast 1.0 8;
        Equalize 0.8 -, Equalize 0.6 -""",
    AutoAugmentPolicy.CIFAR10: """
        Invert 0.1 -, Contrast 0.2 6; Rotate 0.7 2, TranslateX 0.3 9; Sharpness 0.8 1, Sharpness 0.9 3;
        ShearY 0.5 8, TranslateY 0.7 9; AutoContrast 0.5 -, Equalize 0.9 -; ShearY 0.2 7, Posterize 0.3 7;
        Color 0.4 3, Brightness 0.6 7; Sharpness 0.3 9, Brightness 0.7 9; Equalize 0.6 -, Equalize 0.5 -;
        Contrast 0.6 7, Sharpness 0.6 5; Color 0.7 7, TranslateX 0.5 8; Equalize 0.3 -, AutoContrast 0.4 -;
        TranslateY 0.4 3, Sharpness 0.2 6; Brightness 0.9 6, Color 0.2 8; Solarize 0.5 2, Invert 0.0 -;
        Equalize 0.2 -, AutoContrast 0.6 -; Equalize 0.2 -, Equalize 0.6 -; Color 0.9 9, Equalize 0.6 -;
        AutoContrast 0.8 -, Solarize 0.2 8; Brightness 0.1 3, Color 0.7 0; Solarize 0.4 5, AutoContrast 0.9 -;
        TranslateY 0.9 9, TranslateY 0.7 9; AutoContrast 0.9 -, Solarize 0.8 3; Equalize 0.8 -, Invert 0.1 -;
        TranslateY 0.7 9, AutoContrast 0.9 -""",
    AutoAugmentPolicy.SVHN: """
        ShearX 0.9 4, Invert 0.2 -; ShearY 0.9 8, Invert 0.7 -; Equalize 0.6 -, Solarize 0.6 6;
        Invert 0.9 -, Equalize 0.6 -; Equalize 0.6 -, Rotate 0.9 3; ShearX 0.9 4, AutoContrast 0.8 -;
        ShearY 0.9 8, Invert 0.4 -; ShearY 0.9 5, Solarize 0.2 6; Invert 0.9 -, AutoContrast 0.8 -;
        Equalize 0.6 -, Rotate 0.9 3; ShearX 0.9 4, Solarize 0.3 3; ShearY 0.8 8, Invert 0.7 -;
        Equalize 0.9 -, TranslateY 0.6 6; Invert 0.9 -, Equalize 0.6 -; Contrast 0.3 3, Rotate 0.8 4;
        Invert 0.8 -, TranslateY 0.0 2; ShearY 0.7 6, Solarize 0.4 8; Invert 0.6 -, Rotate 0.8 4;
        ShearY 0.3 7, TranslateX 0.9 3; ShearX 0.1 6, Invert 0.6 -; Solarize 0.7 2, TranslateY 0.6 7;
        ShearY 0.8 4, Invert 0.8 -; ShearX 0.7 9, TranslateY 0.8 3; ShearY 0.8 5, AutoContrast 0.7 -;
        ShearX 0.7 2, Invert 0.1 -""",
}


def parse_policy(policy: AutoAugmentPolicy) -> list[tuple[tuple[str, float, int | None], ...]]:
    """The policy as 25 pairs of (operation, probability, magnitude step or None)."""
    if policy not in _POLICIES:
        raise ValueError(f"The provided policy {policy} is not recognized.")
    pairs = []
    for pair in _POLICIES[policy].split(";"):
        steps = [step.split() for step in pair.split(",")]
        pairs.append(tuple((name, float(p), None if k == "-" else int(k)) for name, p, k in steps))
    return pairs


def posterize_bits(most: int, num_bins: int, steps: int) -> list[float]:
    """Bits to keep: from `most` down by `steps` in equal parts of the bins, rounded to even at halves."""
    k = np.arange(num_bins, dtype=np.float32) / np.float32((num_bins - 1) / steps)
    return [most - int(step) for step in np.rint(k)]


def _range(low: float, high: float, num_bins: int) -> list[float]:
    return linspace(low, high, num_bins).tolist()


def _apply_op(img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Any) -> Any:
    """The named operation. Shears are about the upper left corner, as in the paper's Pillow code."""
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], "interpolation": interpolation,
             "fill": fill}
    if op_name in ("ShearX", "ShearY"):
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if op_name == "ShearX" else [0.0, degrees]
        return F.affine(img, **{**still, "shear": shear, "center": [0, 0]})
    if op_name in ("TranslateX", "TranslateY"):
        shift = [int(magnitude), 0] if op_name == "TranslateX" else [0, int(magnitude)]
        return F.affine(img, **{**still, "translate": shift})
    if op_name == "Rotate":
        return F.rotate(img, magnitude, interpolation=interpolation, fill=fill)
    factors = {"Brightness": F.adjust_brightness, "Color": F.adjust_saturation, "Contrast": F.adjust_contrast,
               "Sharpness": F.adjust_sharpness}
    if op_name in factors:
        return factors[op_name](img, 1.0 + magnitude)
    if op_name == "Posterize":
        return F.posterize(img, int(magnitude))
    if op_name == "Solarize":
        return F.solarize(img, magnitude)
    plain = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Invert": F.invert,
             "Identity": lambda image: image}
    if op_name in plain:
        return plain[op_name](img)
    raise ValueError(f"The provided operator {op_name} is not recognized.")


def geometric(num_bins: int, shear: float, shift: tuple[float, float], angle: float) -> Any:
    """The signed operations that move pixels; `shift` is (x, y)."""
    return {"ShearX": (_range(0.0, shear, num_bins), True), "ShearY": (_range(0.0, shear, num_bins), True),
            "TranslateX": (_range(0.0, shift[0], num_bins), True),
            "TranslateY": (_range(0.0, shift[1], num_bins), True), "Rotate": (_range(0.0, angle, num_bins), True)}


def photometric(num_bins: int, most: float) -> Any:
    """The signed operations that change colours."""
    return {name: (_range(0.0, most, num_bins), True) for name in ("Brightness", "Color", "Contrast", "Sharpness")}


def tonal(num_bins: int, bits: list[float], *names: str) -> Any:
    """Posterize, Solarize, and operations without a magnitude."""
    return {"Posterize": (bits, False), "Solarize": (_range(255.0, 0.0, num_bins), False),
            **{name: (None, False) for name in names}}


class AutoAugment(Module):
    """Two operations of a learned policy (Cubuk et al. 2018), drawn from its 25 pairs."""

    def __init__(self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
                 interpolation: InterpolationMode = InterpolationMode.NEAREST, fill: Any = None) -> None:
        super().__init__()
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = self._get_policies(policy)

    def _get_policies(self, policy: AutoAugmentPolicy) -> Any:
        return parse_policy(policy)

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Any:
        height, width = image_size
        return {**geometric(num_bins, 0.3, (150.0 / 331.0 * width, 150.0 / 331.0 * height), 30.0),
                **photometric(num_bins, 0.9),
                **tonal(num_bins, posterize_bits(8, num_bins, 4), "AutoContrast", "Equalize", "Invert")}

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Any, Any]:
        """(which pair, two uniforms to compare with the probabilities, two signs)."""
        policy_id = _draws.randint(0, transform_num)
        probs = torch.from_numpy(_draws.rand_array(2))
        return policy_id, probs, torch.tensor([_draws.randint(0, 2) for _ in range(2)])

    def forward(self, img: Any) -> Any:
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        transform_id, probs, signs = self.get_params(len(self.policies))
        space = self._augmentation_space(10, (height, width))
        for (name, p, step), prob, sign in zip(self.policies[transform_id], probs.tolist(), signs.tolist()):
            if prob <= float(np.float32(p)):
                magnitudes, signed = space[name]
                magnitude = 0.0 if step is None else float(magnitudes[step])
                img = _apply_op(img, name, -magnitude if signed and sign == 0 else magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


def draw_op(space: Any, pick: Any) -> tuple[str, float]:
    """(operation, magnitude): the operation drawn uniformly, the step by `pick(magnitudes)`, the sign last."""
    name = list(space)[_draws.randint(0, len(space))]
    magnitudes, signed = space[name]
    magnitude = 0.0 if magnitudes is None else float(magnitudes[pick(magnitudes)])
    return name, -magnitude if signed and _draws.randint(0, 2) else magnitude


class RandAugment(Module):
    """`num_ops` random operations of one common magnitude (Cubuk et al. 2019, arXiv:1909.13719)."""

    def __init__(self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
                 interpolation: InterpolationMode = InterpolationMode.NEAREST, fill: Any = None) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Any:
        height, width = image_size
        return {"Identity": (None, False),
                **geometric(num_bins, 0.3, (150.0 / 331.0 * width, 150.0 / 331.0 * height), 30.0),
                **photometric(num_bins, 0.9),
                **tonal(num_bins, posterize_bits(8, num_bins, 4), "AutoContrast", "Equalize")}

    def forward(self, img: Any) -> Any:
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        space = self._augmentation_space(self.num_magnitude_bins, (height, width))
        for _ in range(self.num_ops):
            name, magnitude = draw_op(space, lambda magnitudes: self.magnitude)
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
                f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})")


class TrivialAugmentWide(Module):
    """One random operation of random magnitude from a wide space (Müller and Hutter 2021, arXiv:2103.10158)."""

    def __init__(self, num_magnitude_bins: int = 31, interpolation: InterpolationMode = InterpolationMode.NEAREST,
                 fill: Any = None) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int) -> Any:
        return {"Identity": (None, False), **geometric(num_bins, 0.99, (32.0, 32.0), 135.0),
                **photometric(num_bins, 0.99),
                **tonal(num_bins, posterize_bits(8, num_bins, 6), "AutoContrast", "Equalize")}

    def forward(self, img: Any) -> Any:
        fill = _fill_for(img, self.fill)
        name, magnitude = draw_op(self._augmentation_space(self.num_magnitude_bins),
                                  lambda magnitudes: _draws.randint(0, len(magnitudes)))
        return _apply_op(img, name, magnitude, self.interpolation, fill)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
                f"interpolation={self.interpolation}, "
                f"fill={self.fill})")


class AugMix(Module):
    """A random mixture of `mixture_width` chains of operations with the image itself (Hendrycks et al. 2019,
    arXiv:1912.02781).

    Chains are `chain_depth` long, or 1 to 3 if that is not positive; the weights are Dirichlet(alpha). uint8 in and
    out.
    """

    _PARAMETER_MAX = 10

    def __init__(self, severity: int = 3, mixture_width: int = 3, chain_depth: int = -1, alpha: float = 1.0,
                 all_ops: bool = True, interpolation: InterpolationMode = InterpolationMode.BILINEAR,
                 fill: Any = None) -> None:
        super().__init__()
        if not 1 <= severity <= self._PARAMETER_MAX:
            raise ValueError(f"The severity must be between [1, {self._PARAMETER_MAX}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Any:
        height, width = image_size
        return {**geometric(num_bins, 0.3, (width / 3.0, height / 3.0), 30.0),
                **tonal(num_bins, posterize_bits(4, num_bins, 4), "AutoContrast", "Equalize"),
                **(photometric(num_bins, 0.9) if self.all_ops else {})}

    def forward(self, orig_img: Any) -> Any:
        fill = _fill_for(orig_img, self.fill)
        _, height, width = F.get_dimensions(orig_img)
        img = orig_img if isinstance(orig_img, torch.Tensor) else F.pil_to_tensor(orig_img)
        space = self._augmentation_space(self._PARAMETER_MAX, (height, width))
        batch = img.reshape([1] * max(4 - img.ndim, 0) + list(img.shape))
        m, weights = self._mixture(batch.shape[0])
        column = [batch.shape[0]] + [1] * (batch.ndim - 1)
        mix = m[:, 0].reshape(column) * batch
        for i in range(self.mixture_width):
            mix = mix + weights[:, i].reshape(column) * self._chain(batch, space, fill)
        mix = mix.reshape(img.shape).to(img.dtype)
        return mix if isinstance(orig_img, torch.Tensor) else F.to_pil_image(mix)

    def _mixture(self, n: int) -> tuple[Any, Any]:
        """(N, 2) shares of the image and of the chains; (N, mixture_width) weights of the chains."""
        m = torch.from_numpy(_draws.dirichlet([self.alpha] * 2, n))
        weights = torch.from_numpy(_draws.dirichlet([self.alpha] * self.mixture_width, n))
        return m, weights * m[:, 1].reshape([n, -1])

    def _chain(self, image: Any, space: Sequence[str], fill: Any) -> Any:
        depth = self.chain_depth if self.chain_depth > 0 else _draws.randint(1, 4)
        for _ in range(depth):
            name, magnitude = draw_op(space, lambda magnitudes: _draws.randint(0, self.severity))
            image = _apply_op(image, name, magnitude, self.interpolation, fill)
        return image

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
                f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
                f"interpolation={self.interpolation}, fill={self.fill})")
