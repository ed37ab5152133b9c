"""Functional transforms: one image in, one out, nothing drawn at random. A PIL image is treated by Pillow, a Tensor
(…, C, H, W) by our kernels; the results agree up to the differences between the two that torchvision has.
"""
from __future__ import annotations

import numbers
import sys
import warnings
from enum import Enum
from typing import Any, Sequence

import numpy as np

import flambeau as torch

from . import _functional_pil as F_pil
from . import _functional_tensor as F_t
from ._arrays import as_tensor
from ._kernels import geometry


class InterpolationMode(Enum):
    """How resampling reads between pixels. BOX, HAMMING and LANCZOS are for PIL images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


pil_modes_mapping = {InterpolationMode.NEAREST: 0, InterpolationMode.BILINEAR: 2, InterpolationMode.BICUBIC: 3,
                     InterpolationMode.NEAREST_EXACT: 0, InterpolationMode.BOX: 4, InterpolationMode.HAMMING: 5,
                     InterpolationMode.LANCZOS: 1}
_MODES_BY_NUMBER = {0: InterpolationMode.NEAREST, 1: InterpolationMode.LANCZOS, 2: InterpolationMode.BILINEAR,
                    3: InterpolationMode.BICUBIC, 4: InterpolationMode.BOX, 5: InterpolationMode.HAMMING}

_is_pil_image = F_pil._is_pil_image


def _interpolation_modes_from_int(i: int) -> InterpolationMode:
    return _MODES_BY_NUMBER[i]


def _mode(interpolation: Any) -> InterpolationMode:
    if isinstance(interpolation, int):
        return _MODES_BY_NUMBER[interpolation]
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError("Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
                        "constant")
    return interpolation


def _door(img: Any) -> Any:
    """The module that treats images of this kind."""
    return F_t if isinstance(img, torch.Tensor) else F_pil


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    return _door(img).get_dimensions(img)


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    return _door(img).get_image_size(img)


def get_image_num_channels(img: Any) -> int:
    """The number of channels."""
    return _door(img).get_image_num_channels(img)


# ---- conversions

_PIL_DTYPES = {"I": np.int32, "I;16" if sys.byteorder == "little" else "I;16B": np.int16, "F": np.float32}


def _pixels(pic: Any, dtype: Any = None) -> np.ndarray:
    """A PIL image's pixels as an array (H, W, C) of its own."""
    pixels = np.array(pic, dtype, copy=True)
    return pixels.reshape(pic.height, pic.width, len(pic.getbands()))


def _unit(pixels: np.ndarray) -> Any:
    """(H, W, C) -> Tensor (C, H, W); uint8 becomes the default floating dtype in [0, 1]."""
    pixels = pixels.transpose(2, 0, 1)
    if pixels.dtype != np.uint8:
        return as_tensor(np.array(pixels, order="C"))
    default = torch.get_default_dtype()
    working = np.float64 if default == torch.float64 else np.float32
    scaled = torch.from_numpy(np.divide(pixels, working(255), dtype=working, order="C"))
    return scaled if scaled.dtype == default else scaled.to(default)


def to_tensor(pic: Any) -> Any:
    """A PIL image or ndarray (H, W) or (H, W, C) as a Tensor (C, H, W).

    uint8 pixels, and the PIL modes L, LA, P, RGB, YCbCr, RGBA, CMYK and 1, become floats in [0, 1]; others keep their
    values. Errors: TypeError for anything else, ValueError for arrays of other ranks.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        return _unit(pic[:, :, None] if pic.ndim == 2 else pic)
    if not _is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    pixels = _pixels(pic, _PIL_DTYPES.get(pic.mode, np.uint8))
    return _unit(pixels * np.uint8(255) if pic.mode == "1" else pixels)


def pil_to_tensor(pic: Any) -> Any:
    """A PIL image as a Tensor (C, H, W) of the same dtype and values."""
    if not _is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return torch.as_tensor(_pixels(pic)).permute((2, 0, 1))


def convert_image_dtype(image: Any, dtype: Any = None) -> Any:
    """Rescales an image to `dtype` (default float32): integers span [0, their maximum], floats [0, 1].

    Errors: RuntimeError for float32 -> int32/int64 and float64 -> int64, which would overflow; TypeError for no Tensor.
    """
    if not isinstance(image, torch.Tensor):
        raise TypeError("Input img should be Tensor Image")
    return F_t.convert_image_dtype(image, dtype)


_MODES_OF_CHANNELS = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}
_MODE_OF_GREY = {"uint8": "L", "int16": "I;16" if sys.byteorder == "little" else "I;16B", "int32": "I", "float32": "F"}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A Tensor (C, H, W) or ndarray (H, W, C), or (H, W), as a PIL image; floats in [0, 1] become uint8, unless mode is
    'F'.

    `mode` defaults to L, I;16, I or F for one channel by dtype, LA for two, RGB for three, RGBA for four.
    Errors: TypeError for other types or dtypes; ValueError for ranks, channels or modes that do not fit.
    """
    if isinstance(pic, torch.Tensor):
        pic = (pic.permute((1, 2, 0)) if pic.ndim == 3 else pic).numpy(force=True)
    elif not isinstance(pic, np.ndarray):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if pic.ndim == 2:
        pic = pic[:, :, None]
    if pic.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    channels = pic.shape[-1]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if np.issubdtype(pic.dtype, np.floating) and mode != "F":
        pic = (pic * 255).astype(np.uint8)
    if channels == 1:
        pic = pic[:, :, 0]
        expected = _MODE_OF_GREY.get(pic.dtype.name)
        if mode is not None and mode != expected:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {np.dtype}. Should be {expected}")
        mode = expected
    else:
        permitted = _MODES_OF_CHANNELS[channels]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {channels}D inputs")
        if mode is None and pic.dtype == np.uint8:
            mode = permitted[0]
    if mode is None:
        raise TypeError(f"Input type {pic.dtype} is not supported")
    return F_pil.from_array(pic, mode)


def normalize(tensor: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Any:
    """(tensor - mean) / std for each channel of a floating Tensor (…, C, H, W).

    Errors: TypeError for other types or dtypes; ValueError for fewer than 3 dimensions or a std of 0.
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    return F_t.normalize(tensor, mean=mean, std=std, inplace=inplace)


# ---- sizes and windows

def _compute_resized_output_size(image_size: tuple[int, int], size: Any, max_size: int | None = None,
                                 allow_size_none: bool = False) -> list[int]:
    """[height, width] for `size`: two numbers as they are; one is the shorter side, the longer kept <= max_size; None
    (where allowed) makes the longer side max_size."""
    h, w = image_size
    short, long = (w, h) if w <= h else (h, w)
    if size is None:
        if not allow_size_none:
            raise ValueError("This should never happen!!")
        if not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        new_short, new_long = int(max_size * short / long), max_size
    elif len(size) == 1:
        new_short = size[0]
        new_long = int(new_short * long / short)
        if max_size is not None:
            if max_size <= new_short:
                raise ValueError(f"max_size = {max_size} must be strictly greater than the requested size for the "
                                 "smaller "
                                 f"edge size = {size}")
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    else:
        return [size[0], size[1]]
    return [new_long, new_short] if w <= h else [new_short, new_long]


def resize(img: Any, size: Any, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None,
           antialias: bool | None = True) -> Any:
    """Resizes to `size` = [height, width], or so that the shorter side is `size` and the longer at most `max_size`.

    `antialias` concerns tensors with bilinear or bicubic interpolation; PIL images always are antialiased.
    """
    interpolation = _mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element "
                             "tuple/list")
        if max_size is not None and len(size) != 1:
            raise ValueError("max_size should only be passed if size specifies the length of the smaller edge, "
                             "i.e. size should be an int or a sequence of length 1 in torchscript mode.")
    elif isinstance(size, int):
        size = [size]
    _, height, width = get_dimensions(img)
    output_size = _compute_resized_output_size((height, width), size, max_size)
    if [height, width] == output_size:
        return img
    if isinstance(img, torch.Tensor):
        return F_t.resize(img, output_size, interpolation.value, antialias)
    if antialias is False:
        warnings.warn("Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.",
                      stacklevel=2)
    return F_pil.resize(img, output_size, pil_modes_mapping[interpolation])


def pad(img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Pads all sides by a number, left/right and top/bottom by two, or left, top, right, bottom by four.

    `padding_mode`: "constant" (with `fill`), "edge", "reflect" (edge not repeated) or "symmetric" (edge repeated).
    """
    return _door(img).pad(img, padding, fill, padding_mode)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of this size at (top, left); what lies outside the image is 0."""
    return _door(img).crop(img, top, left, height, width)


def _pair(size: Any) -> Any:
    """(h, w) of a number or a sequence of one."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)
    return (size[0], size[0]) if isinstance(size, (tuple, list)) and len(size) == 1 else size


def center_crop(img: Any, output_size: Any) -> Any:
    """The window of `output_size` (a number or [height, width]) in the middle; smaller images are padded with 0."""
    height, width = _pair(output_size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        dx, dy = max(width - w, 0), max(height - h, 0)
        img = pad(img, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2], fill=0)
        _, h, w = get_dimensions(img)
        if (height, width) == (h, w):
            return img
    return crop(img, int(round((h - height) / 2.0)), int(round((w - width) / 2.0)), height, width)


def resized_crop(img: Any, top: int, left: int, height: int, width: int, size: Any,
                 interpolation: InterpolationMode = InterpolationMode.BILINEAR, antialias: bool | None = True) -> Any:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    return _door(img).hflip(img)


def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    return _door(img).vflip(img)


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The windows of `size` in the corners (top left, top right, bottom left, bottom right) and the middle."""
    size = _pair(size)
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    height, width = size
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
    corners = [(0, 0), (0, w - width), (h - height, 0), (h - height, w - width)]
    return (*(crop(img, top, left, height, width) for top, left in corners), center_crop(img, [height, width]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the image and of its horizontal (or vertical) mirror image."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """A Tensor (…, C, H, W) with the window at row i, column j of size (h, w) set to `v`."""
    if not isinstance(img, torch.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return F_t.erase(img, i, j, h, w, v, inplace=inplace)


# ---- geometry

_get_inverse_affine_matrix = geometry.inverse_affine_matrix
_get_perspective_coeffs = geometry.perspective_coefficients


def perspective(img: Any, startpoints: Sequence[Sequence[int]], endpoints: Sequence[Sequence[int]],
                interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None) -> Any:
    """The projective image that takes four corners `startpoints` [x, y] to `endpoints`; `fill` where nothing comes
    from."""
    coeffs = _get_perspective_coeffs(startpoints, endpoints)
    interpolation = _mode(interpolation)
    if isinstance(img, torch.Tensor):
        return F_t.perspective(img, coeffs, interpolation=interpolation.value, fill=fill)
    return F_pil.perspective(img, coeffs, interpolation=pil_modes_mapping[interpolation], fill=fill)


def _centre_offset(img: Any, center: Sequence[float] | None) -> list[float]:
    """`center` (x, y) in pixels, relative to the middle of the image."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = get_dimensions(img)
    return [1.0 * (c - s * 0.5) for c, s in zip(center, [width, height])]


def _check_angle_and_center(angle: Any, center: Any) -> None:
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")


def rotate(img: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
           center: Sequence[float] | None = None, fill: Any = None) -> Any:
    """The image turned by `angle` degrees counter-clockwise about `center` (x, y; default its middle).

    `expand` grows the frame to hold all of it; `fill` (a number or one per channel) shows where nothing comes from.
    """
    interpolation = _mode(interpolation)
    _check_angle_and_center(angle, center)
    if not isinstance(img, torch.Tensor):
        return F_pil.rotate(img, angle, pil_modes_mapping[interpolation], expand, center, fill)
    # tensors turn clockwise for positive angles
    matrix = _get_inverse_affine_matrix(_centre_offset(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    return F_t.rotate(img, matrix, interpolation.value, expand, fill)


def _two_shears(shear: Any) -> list[float]:
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shear = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)
    if len(shear) == 1:
        shear = [shear[0], shear[0]]
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return shear


def affine(img: Any, angle: float, translate: Sequence[int], scale: float, shear: Any,
           interpolation: Any = InterpolationMode.NEAREST, fill: Any = None,
           center: Sequence[float] | None = None) -> Any:
    """The image turned by `angle` degrees clockwise, sheared (degrees, x and y), scaled, all about `center`, and moved
    by `translate` (x, y) pixels, in a frame of its own size."""
    interpolation = _mode(interpolation)
    _check_angle_and_center(angle, None)
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    shear = _two_shears(shear)
    _check_angle_and_center(angle, center)
    if isinstance(img, torch.Tensor):
        matrix = _get_inverse_affine_matrix(_centre_offset(img, center), float(angle), [1.0 * t for t in translate],
                                            scale, shear)
        return F_t.affine(img, matrix, interpolation.value, fill)
    _, height, width = get_dimensions(img)
    center = [width * 0.5, height * 0.5] if center is None else center
    matrix = _get_inverse_affine_matrix(center, angle, translate, scale, shear)
    return F_pil.affine(img, matrix, pil_modes_mapping[interpolation], fill)


def elastic_transform(img: Any, displacement: Any, interpolation: Any = InterpolationMode.BILINEAR,
                      fill: Any = None) -> Any:
    """The image sampled at its pixels moved by `displacement`, a Tensor (1, H, W, 2) of (x, y) in units of half the
    image."""
    if isinstance(interpolation, int):
        warnings.warn("Argument interpolation should be of type InterpolationMode instead of int. "
                      "Please, use InterpolationMode enum.", stacklevel=2)
    interpolation = _mode(interpolation)
    if not isinstance(displacement, torch.Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    tensor = _as_tensor(img)
    shape = (1, *tensor.shape[-2:], 2)
    if shape != tuple(displacement.shape):
        raise ValueError(f"Argument displacement shape should be {shape}, but given {displacement.shape}")
    return _like(img, F_t.elastic_transform(tensor, displacement, interpolation.value, fill))


def _as_tensor(img: Any) -> Any:
    if isinstance(img, torch.Tensor):
        return img
    if not _is_pil_image(img):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    return pil_to_tensor(img)


def _like(img: Any, result: Any) -> Any:
    """The Tensor `result` as what `img` is."""
    return result if isinstance(img, torch.Tensor) else to_pil_image(result, mode=img.mode)


# ---- colours and filters

def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 makes the image black, 1 leaves it, 2 doubles its brightness."""
    return _door(img).adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 makes the image one grey, 1 leaves it, 2 doubles the distance from the mean."""
    return _door(img).adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 makes the image grey, 1 leaves it, 2 doubles its saturation."""
    return _door(img).adjust_saturation(img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turns hues by `hue_factor` in [-0.5, 0.5] of a full circle."""
    return _door(img).adjust_hue(img, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """255 · gain · (img / 255)^gamma."""
    return _door(img).adjust_gamma(img, gamma, gain)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A PIL image as mode L, or RGB with three equal bands."""
    if not _is_pil_image(img):
        raise TypeError("Input should be PIL Image")
    return F_pil.to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The luma 0.2989 R + 0.587 G + 0.114 B, in one or three equal channels."""
    if isinstance(img, torch.Tensor):
        return F_t.rgb_to_grayscale(img, num_output_channels)
    return F_pil.to_grayscale(img, num_output_channels)


def _blur_arguments(kernel_size: Any, sigma: Any) -> tuple[list[int], list[float]]:
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    kernel_size = [kernel_size, kernel_size] if isinstance(kernel_size, int) else kernel_size
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in kernel_size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    if isinstance(sigma, (int, float)):
        sigma = [float(sigma), float(sigma)]
    elif len(sigma) == 1:
        sigma = [sigma[0], sigma[0]]
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(s <= 0.0 for s in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return kernel_size, sigma


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Convolves with a Gaussian of `kernel_size` (odd; one or [x, y]) taps and `sigma` (default 0.15·size + 0.35)
    pixels, reflecting at the edges."""
    kernel_size, sigma = _blur_arguments(kernel_size, sigma)
    return _like(img, F_t.gaussian_blur(_as_tensor(img), kernel_size, sigma))


def invert(img: Any) -> Any:
    """White minus each value."""
    return _door(img).invert(img)


def posterize(img: Any, bits: int) -> Any:
    """Keeps the upper `bits` (0 to 8) bits of each uint8 channel."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _door(img).posterize(img, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Inverts all values of at least `threshold`."""
    return _door(img).solarize(img, threshold)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """0 smooths the image, 1 leaves it, 2 doubles its sharpness."""
    return _door(img).adjust_sharpness(img, sharpness_factor)


def autocontrast(img: Any) -> Any:
    """Stretches each channel so that its darkest value is black and its lightest white."""
    return _door(img).autocontrast(img)


def equalize(img: Any) -> Any:
    """Flattens the histogram of each channel."""
    return _door(img).equalize(img)
