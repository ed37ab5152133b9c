"""Colours, on images and videos. Kernels `…_image` take a Tensor (…, C, H, W); `…_video` are the same functions."""
from __future__ import annotations

from typing import Any, Sequence

import flambeau as torch

from ... import _functional_pil as F_pil
from ..._arrays import apply, as_tensor
from ..._functional_tensor import _max_value, _name
from ..._kernels import color, filters
from ...functional import pil_to_tensor, to_pil_image
from ._misc import to_dtype_image
from ._utils import call, register


def _check_channels(image: Any) -> None:
    channels = image.shape[-3]
    if channels not in (1, 3):
        raise TypeError(f"Input image tensor permitted channel values are 1 or 3, but found {channels}")


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def _check_grey_channels(num_output_channels: int) -> None:
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels must be 1 or 3, got {num_output_channels}.")


def rgb_to_grayscale(inpt: Any, num_output_channels: int = 1) -> Any:
    """The luma in one or three equal channels."""
    return call(rgb_to_grayscale, inpt, num_output_channels=num_output_channels)


def rgb_to_grayscale_image(image: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` on a Tensor."""
    _check_grey_channels(num_output_channels)
    if image.shape[-3] == 1 and num_output_channels == 3:
        return torch.cat([image] * 3, -3)
    return apply(color.grayscale, image, num_output_channels, fused=True)


def _rgb_to_grayscale_pil(image: Any, num_output_channels: int = 1) -> Any:
    _check_grey_channels(num_output_channels)
    return F_pil.to_grayscale(image, num_output_channels)


to_grayscale = rgb_to_grayscale
register(rgb_to_grayscale, image=rgb_to_grayscale_image, video=False, pil=_rgb_to_grayscale_pil)


def grayscale_to_rgb(inpt: Any) -> Any:
    """Three equal channels of a grey image; RGB stays as it is."""
    return call(grayscale_to_rgb, inpt)


def grayscale_to_rgb_image(image: Any) -> Any:
    """`grayscale_to_rgb` on a Tensor."""
    return image if image.shape[-3] >= 3 else rgb_to_grayscale_image(image, num_output_channels=3)


register(grayscale_to_rgb, image=grayscale_to_rgb_image, video=False, pil=lambda image: image.convert(mode="RGB"))


def adjust_brightness(inpt: Any, brightness_factor: float) -> Any:
    """0 makes the image black, 1 leaves it, 2 doubles its brightness."""
    return call(adjust_brightness, inpt, brightness_factor=brightness_factor)


def adjust_brightness_image(image: Any, brightness_factor: float) -> Any:
    """`adjust_brightness` on a Tensor."""
    _check_factor("brightness_factor", brightness_factor)
    _check_channels(image)
    return apply(color.adjust_brightness, image, float(brightness_factor), fused=True)


adjust_brightness_video = adjust_brightness_image
register(adjust_brightness, image=adjust_brightness_image, pil=F_pil.adjust_brightness)


def adjust_saturation(inpt: Any, saturation_factor: float) -> Any:
    """0 makes the image grey, 1 leaves it, 2 doubles its saturation."""
    return call(adjust_saturation, inpt, saturation_factor=saturation_factor)


def adjust_saturation_image(image: Any, saturation_factor: float) -> Any:
    """`adjust_saturation` on a Tensor."""
    _check_factor("saturation_factor", saturation_factor)
    _check_channels(image)
    return image if image.shape[-3] == 1 else apply(color.adjust_saturation, image, float(saturation_factor),
                                                    fused=True)


adjust_saturation_video = adjust_saturation_image
register(adjust_saturation, image=adjust_saturation_image, pil=F_pil.adjust_saturation)


def adjust_contrast(inpt: Any, contrast_factor: float) -> Any:
    """0 makes the image one grey, 1 leaves it, 2 doubles the distance from the mean."""
    return call(adjust_contrast, inpt, contrast_factor=contrast_factor)


def adjust_contrast_image(image: Any, contrast_factor: float) -> Any:
    """`adjust_contrast` on a Tensor."""
    _check_factor("contrast_factor", contrast_factor)
    _check_channels(image)
    return apply(color.adjust_contrast, image, float(contrast_factor), fused=True)


adjust_contrast_video = adjust_contrast_image
register(adjust_contrast, image=adjust_contrast_image, pil=F_pil.adjust_contrast)


def adjust_sharpness(inpt: Any, sharpness_factor: float) -> Any:
    """0 smooths the image, 1 leaves it, 2 doubles its sharpness."""
    return call(adjust_sharpness, inpt, sharpness_factor=sharpness_factor)


def adjust_sharpness_image(image: Any, sharpness_factor: float) -> Any:
    """`adjust_sharpness` on a Tensor."""
    channels = image.shape[-3]
    if channels not in (1, 3):
        raise TypeError(f"Input image tensor can have 1 or 3 channels, but found {channels}")
    _check_factor("sharpness_factor", sharpness_factor)
    if image.numel() == 0 or min(image.shape[-2:]) <= 2:
        return image
    return apply(filters.adjust_sharpness, image, float(sharpness_factor), fused=True)


adjust_sharpness_video = adjust_sharpness_image
register(adjust_sharpness, image=adjust_sharpness_image, pil=F_pil.adjust_sharpness)


def adjust_hue(inpt: Any, hue_factor: float) -> Any:
    """Turns hues by `hue_factor` in [-0.5, 0.5] of a full circle."""
    return call(adjust_hue, inpt, hue_factor=hue_factor)


def adjust_hue_image(image: Any, hue_factor: float) -> Any:
    """`adjust_hue` on a Tensor."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    _check_channels(image)
    if image.shape[-3] == 1 or image.numel() == 0:
        return image
    return apply(color.adjust_hue, image, float(hue_factor), fused=True)


adjust_hue_video = adjust_hue_image
register(adjust_hue, image=adjust_hue_image, pil=F_pil.adjust_hue)


def adjust_gamma(inpt: Any, gamma: float, gain: float = 1) -> Any:
    """gain · x^gamma on [0, 1]."""
    return call(adjust_gamma, inpt, gamma=gamma, gain=gain)


def adjust_gamma_image(image: Any, gamma: float, gain: float = 1.0) -> Any:
    """`adjust_gamma` on a Tensor."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return apply(color.adjust_gamma, image, float(gamma), float(gain), fused=True)


adjust_gamma_video = adjust_gamma_image
register(adjust_gamma, image=adjust_gamma_image, pil=F_pil.adjust_gamma)


def posterize(inpt: Any, bits: int) -> Any:
    """Keeps the upper `bits` (0 to 8) of the value bits; floats are rounded down to 2^bits levels."""
    return call(posterize, inpt, bits=bits)


def posterize_image(image: Any, bits: int) -> Any:
    """`posterize` on a Tensor."""
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise TypeError(f"bits must be a positive integer in the range [0, 8], got {bits} instead.")
    return apply(color.posterize, image, bits)


posterize_video = posterize_image
register(posterize, image=posterize_image, pil=F_pil.posterize)


def solarize(inpt: Any, threshold: float) -> Any:
    """Inverts all values of at least `threshold`."""
    return call(solarize, inpt, threshold=threshold)


def solarize_image(image: Any, threshold: float) -> Any:
    """`solarize` on a Tensor."""
    if threshold > _max_value(image.dtype):
        raise TypeError("Threshold should be less or equal the maximum value of the dtype, "
                        f"but got {threshold}")
    return apply(color.solarize, image, threshold)


solarize_video = solarize_image
register(solarize, image=solarize_image, pil=F_pil.solarize)


def autocontrast(inpt: Any) -> Any:
    """Stretches each channel so that its darkest value is black and its lightest white."""
    return call(autocontrast, inpt)


def autocontrast_image(image: Any) -> Any:
    """`autocontrast` on a Tensor."""
    _check_channels(image)
    return image if image.numel() == 0 else apply(color.autocontrast, image, fused=True)


autocontrast_video = autocontrast_image
register(autocontrast, image=autocontrast_image, pil=F_pil.autocontrast)


def equalize(inpt: Any) -> Any:
    """Flattens the histogram of each channel."""
    return call(equalize, inpt)


def equalize_image(image: Any) -> Any:
    """`equalize` on a Tensor; other dtypes than uint8 go through it."""
    if image.numel() == 0:
        return image
    flattened = as_tensor(color.equalize(to_dtype_image(image, torch.uint8, scale=True).detach().numpy()))
    return to_dtype_image(flattened, image.dtype, scale=True)


equalize_video = equalize_image
register(equalize, image=equalize_image, pil=F_pil.equalize)


def invert(inpt: Any) -> Any:
    """White minus each value."""
    return call(invert, inpt)


def invert_image(image: Any) -> Any:
    """`invert` on a Tensor."""
    if _name(image.dtype) not in color.MAX_VALUES and not image.is_floating_point():
        raise TypeError(f"Number of value bits is only defined for integer dtypes, but got {image.dtype}.")
    return apply(color.invert, image)


invert_video = invert_image
register(invert, image=invert_image, pil=F_pil.invert)


def permute_channels(inpt: Any, permutation: Sequence[int]) -> Any:
    """The channels in this order: output channel k is input channel permutation[k]."""
    return call(permute_channels, inpt, permutation=permutation)


def permute_channels_image(image: Any, permutation: Sequence[int]) -> Any:
    """`permute_channels` on a Tensor."""
    channels = image.shape[-3]
    if len(permutation) != channels:
        raise ValueError("Length of permutation does not match number of channels: "
                         f"{len(permutation)} != {channels}")
    order = [int(k) for k in permutation]
    return torch.stack([image[..., k, :, :] for k in order], -3) if image.numel() else image


def _permute_channels_pil(image: Any, permutation: Sequence[int]) -> Any:
    return to_pil_image(permute_channels_image(pil_to_tensor(image), permutation))


permute_channels_video = permute_channels_image
register(permute_channels, image=permute_channels_image, pil=_permute_channels_pil)
