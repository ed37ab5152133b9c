"""The functionals on Tensors (…, C, H, W): argument checks, then a kernel of `_kernels`."""
from __future__ import annotations

import warnings
from typing import Any, Sequence

import numpy as np

import flambeau as torch

from ._arrays import apply, as_tensor
from ._kernels import color, filters, geometry, resampling
from ._kernels.color import MAX_VALUES


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _assert_image_tensor(img: Any) -> None:
    if img.ndim < 2:
        raise TypeError("Tensor is not a torch image.")


def _assert_3d(img: Any) -> None:
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")


def _assert_channels(img: Any, permitted: list[int]) -> None:
    channels = get_dimensions(img)[0]
    if channels not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {permitted}, but found {channels}")


def _assert_uint8(img: Any) -> None:
    if img.dtype != torch.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")


def _assert_factor(factor: float, name: str) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    _assert_image_tensor(img)
    return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    _assert_image_tensor(img)
    return [img.shape[-1], img.shape[-2]]


def get_image_num_channels(img: Any) -> int:
    """The number of channels; 1 for (H, W)."""
    if img.ndim < 2:
        raise TypeError(f"Input ndim should be 2 or more. Got {img.ndim}")
    return 1 if img.ndim == 2 else img.shape[-3]


def _max_value(dtype: Any) -> int:
    return color.max_value(_name(dtype))


def convert_image_dtype(image: Any, dtype: Any = None) -> Any:
    """See `functional.convert_image_dtype`."""
    dtype = torch.float32 if dtype is None else dtype
    if image.dtype == dtype:
        return image
    if (image.dtype == torch.float32 and dtype in (torch.int32, torch.int64)
            or image.dtype == torch.float64 and dtype == torch.int64):
        raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
    if dtype == torch.bfloat16:
        return convert_image_dtype(image, torch.float32).to(dtype)
    return apply(color.convert_dtype, image, _name(dtype))


def vflip(img: Any) -> Any:
    _assert_image_tensor(img)
    return img.flip(-2)


def hflip(img: Any) -> Any:
    _assert_image_tensor(img)
    return img.flip(-1)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A view of the window, or where it leaves the image a copy padded with 0."""
    _assert_image_tensor(img)
    h, w = img.shape[-2:]
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > w or bottom > h:
        padding = [max(-left + min(0, right), 0), max(-top + min(0, bottom), 0),
                   max(right - max(w, left), 0), max(bottom - max(h, top), 0)]
        return pad(img[..., max(top, 0):bottom, max(left, 0):right], padding, fill=0)
    return img[..., top:bottom, left:right]


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    _assert_3d(img)
    _assert_channels(img, [1, 3])
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    return apply(color.grayscale, img, num_output_channels)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    _assert_factor(brightness_factor, "brightness_factor")
    _assert_image_tensor(img)
    _assert_channels(img, [1, 3])
    return apply(color.adjust_brightness, img, float(brightness_factor))


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    _assert_factor(contrast_factor, "contrast_factor")
    _assert_image_tensor(img)
    _assert_channels(img, [3, 1])
    return apply(color.adjust_contrast, img, float(contrast_factor))


def adjust_hue(img: Any, hue_factor: float) -> Any:
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    _assert_image_tensor(img)
    _assert_channels(img, [1, 3])
    return img if get_dimensions(img)[0] == 1 else apply(color.adjust_hue, img, float(hue_factor))


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    _assert_factor(saturation_factor, "saturation_factor")
    _assert_image_tensor(img)
    _assert_channels(img, [1, 3])
    return img if get_dimensions(img)[0] == 1 else apply(color.adjust_saturation, img, float(saturation_factor))


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    _assert_channels(img, [1, 3])
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return apply(color.adjust_gamma, img, float(gamma), float(gain))


def _parse_pad_padding(padding: int | Sequence[int]) -> list[int]:
    """[left, right, top, bottom] of one, two (x, y) or four (left, top, right, bottom) numbers."""
    if isinstance(padding, int):
        padding = [padding]
    if len(padding) == 1:
        return [padding[0]] * 4
    if len(padding) == 2:
        return [padding[0], padding[0], padding[1], padding[1]]
    left, top, right, bottom = padding
    return [left, right, top, bottom]


def _positions(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """Which position of an axis of length n each position of the padded axis repeats; negative padding crops."""
    if mode == "edge":
        return np.clip(np.arange(-before, n + after), 0, n - 1)
    if mode == "reflect":
        if max(before, after) >= n:
            raise RuntimeError(f"Argument #4: Padding size should be less than the corresponding input dimension, "
                               f"but got: padding ({before}, {after}) at a dimension of size {n}")
        return filters.reflect(n, before, after)
    k = np.arange(-before, n + after) % (2 * n)
    return np.where(k >= n, 2 * n - 1 - k, k)


def _pad_by_repeating(xp: Any, x: Any, left: int, right: int, top: int, bottom: int, mode: str) -> Any:
    x = xp.take(x, _positions(x.shape[-1], left, right, mode), -1)
    return xp.take(x, _positions(x.shape[-2], top, bottom, mode), -2)


def _pad_constant(x: np.ndarray, left: int, right: int, top: int, bottom: int, value: float) -> np.ndarray:
    h, w = x.shape[-2:]
    x = x[..., max(-top, 0):h - max(-bottom, 0), max(-left, 0):w - max(-right, 0)]
    widths = [(0, 0)] * (x.ndim - 2) + [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    return np.pad(x, widths, constant_values=np.asarray(value).astype(x.dtype))


def pad(img: Any, padding: int | Sequence[int], fill: float | None = 0, padding_mode: str = "constant") -> Any:
    """See `functional.pad`."""
    _assert_image_tensor(img)
    fill = 0 if fill is None else fill
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if isinstance(padding, (tuple, list)) and len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    sides = _parse_pad_padding(padding)
    if padding_mode != "constant":
        return apply(_pad_by_repeating, img, *sides, padding_mode)
    return apply(_constant_kernel, img, sides, float(fill))


def _constant_kernel(xp: Any, x: Any, sides: list[int], fill: float) -> Any:
    if isinstance(x, np.ndarray):
        return _pad_constant(x, *sides, fill)
    return torch.nn.functional.pad(x, sides, value=fill)


def resize(img: Any, size: Sequence[int], interpolation: str = "bilinear", antialias: bool | None = True) -> Any:
    """(…, H, W) -> (…, *size). Integers are computed in float32 and rounded."""
    _assert_image_tensor(img)
    if img.ndim > 4 or interpolation not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise NotImplementedError("Input Error: Only 2D to 4D tensors and the modes nearest, nearest-exact, bilinear "
                                  "and "
                                  f"bicubic are supported, got {img.ndim}D and {interpolation}")
    return apply(_resize, img, tuple(size), interpolation, bool(antialias))


def _resize(xp: Any, x: Any, size: tuple[int, int], mode: str, antialias: bool) -> Any:
    dtype = xp.dtype(x)
    if mode.startswith("nearest"):
        return resampling.resize(xp, x, size, mode, False)
    working = x if dtype in ("float32", "float64") else xp.cast(x, "float32")
    out = resampling.resize(xp, working, size, mode, antialias)
    if mode == "bicubic" and dtype == "uint8":
        out = xp.clip(out, 0, 255)
    return out if color.is_float(dtype) and xp.dtype(out) == dtype else xp.cast(
        xp.round(out) if dtype in MAX_VALUES else out, dtype)


def _assert_grid_transform_inputs(img: Any, matrix: list[float] | None, interpolation: str, fill: Any,
                                  coeffs: list[float] | None = None) -> None:
    if not isinstance(img, torch.Tensor):
        raise TypeError("Input img should be Tensor")
    _assert_image_tensor(img)
    if matrix is not None and not isinstance(matrix, list):
        raise TypeError("Argument matrix should be a list")
    if matrix is not None and len(matrix) != 6:
        raise ValueError("Argument matrix should have 6 float values")
    if coeffs is not None and len(coeffs) != 8:
        raise ValueError("Argument coeffs should have 8 float values")
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        warnings.warn("Argument fill should be either int, float, tuple or list", stacklevel=3)
    channels = get_dimensions(img)[0]
    if isinstance(fill, (tuple, list)) and len(fill) > 1 and len(fill) != channels:
        raise ValueError("The number of elements in 'fill' cannot broadcast to match the number of channels of the "
                         "image "
                         f"({len(fill)} != {channels})")
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{interpolation}' is unsupported with Tensor input")


def _grid_dtype(img: Any) -> str:
    return "float64" if img.dtype == torch.float64 else "float32"


def affine(img: Any, matrix: list[float], interpolation: str = "nearest", fill: Any = None) -> Any:
    """The image under the inverse of the 2×3 `matrix` about its centre, at its own size."""
    _assert_grid_transform_inputs(img, matrix, interpolation, fill)
    h, w = img.shape[-2:]
    return apply(resampling.sample, img, geometry.affine_grid(matrix, w, h, w, h, _grid_dtype(img)), interpolation,
                 fill)


def rotate(img: Any, matrix: list[float], interpolation: str = "nearest", expand: bool = False,
           fill: Any = None) -> Any:
    """`affine`, in a frame that grows to hold the whole image if `expand`."""
    _assert_grid_transform_inputs(img, matrix, interpolation, fill)
    h, w = img.shape[-2:]
    out_w, out_h = geometry.rotated_size(matrix, w, h) if expand else (w, h)
    grid = geometry.affine_grid(matrix, w, h, out_w, out_h, _grid_dtype(img))
    return apply(resampling.sample, img, grid, interpolation, fill)


def perspective(img: Any, perspective_coeffs: list[float], interpolation: str = "bilinear", fill: Any = None) -> Any:
    """The image under the projective map with these eight coefficients."""
    _assert_grid_transform_inputs(img, None, interpolation, fill, perspective_coeffs)
    h, w = img.shape[-2:]
    return apply(resampling.sample, img, geometry.perspective_grid(perspective_coeffs, w, h, _grid_dtype(img)),
                 interpolation, fill)


def elastic_transform(img: Any, displacement: Any, interpolation: str = "bilinear", fill: Any = None) -> Any:
    """The image sampled at its own pixels moved by `displacement` (1, H, W, 2), in [-1, 1] coordinates."""
    _assert_grid_transform_inputs(img, None, interpolation, fill)
    moved = displacement.detach().numpy()[0]
    grid = geometry.identity_grid(*img.shape[-2:]) + moved
    return apply(resampling.sample, img, grid, interpolation, fill)


def gaussian_blur(img: Any, kernel_size: Sequence[int], sigma: Sequence[float]) -> Any:
    _assert_image_tensor(img)
    for taps, n in zip(kernel_size, img.shape[:-3:-1]):
        if taps // 2 >= n:
            raise RuntimeError(f"Padding size should be less than the corresponding input dimension, but got: padding "
                               f"({taps // 2}, {taps // 2}) at a dimension of size {n}")
    return apply(filters.gaussian_blur, img, tuple(kernel_size), tuple(sigma))


def invert(img: Any) -> Any:
    _assert_image_tensor(img)
    _assert_3d(img)
    _assert_channels(img, [1, 3])
    return apply(color.invert, img)


def posterize(img: Any, bits: int) -> Any:
    _assert_image_tensor(img)
    _assert_3d(img)
    _assert_uint8(img)
    _assert_channels(img, [1, 3])
    return apply(color.posterize, img, bits)


def solarize(img: Any, threshold: float) -> Any:
    _assert_image_tensor(img)
    _assert_3d(img)
    _assert_channels(img, [1, 3])
    if threshold > _max_value(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return apply(color.solarize, img, threshold)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    _assert_factor(sharpness_factor, "sharpness_factor")
    _assert_image_tensor(img)
    _assert_channels(img, [1, 3])
    return apply(filters.adjust_sharpness, img, float(sharpness_factor))


def autocontrast(img: Any) -> Any:
    _assert_image_tensor(img)
    _assert_3d(img)
    _assert_channels(img, [1, 3])
    return apply(color.autocontrast, img)


def equalize(img: Any) -> Any:
    _assert_image_tensor(img)
    if not 3 <= img.ndim <= 4:
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    _assert_uint8(img)
    _assert_channels(img, [1, 3])
    return as_tensor(color.equalize(img.numpy()))


def normalize(tensor: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Any:
    """(tensor - mean) / std per channel."""
    _assert_image_tensor(tensor)
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError("Expected tensor to be a tensor image of size (..., C, H, W). "
                         f"Got tensor.size() = {tensor.shape}")
    name = _name(tensor.dtype)
    mean, std = (_per_channel(values, "float32" if name == "bfloat16" else name) for values in (mean, std))
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    if mean.size > 1 and tensor.shape[-3] == 1:  # would broadcast to more channels than the image has
        shape = [*tensor.shape[:-3], mean.size, *tensor.shape[-2:]]
        raise RuntimeError(f"output with shape {list(tensor.shape)} doesn't match the broadcast shape {shape}")
    if inplace:
        mean, std = (torch.from_numpy(values).to(tensor.dtype) for values in (mean, std))
        return tensor.sub_(mean).div_(std)
    return apply(_normalize, tensor, mean, std)


def _per_channel(values: Any, dtype: str) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().numpy()
    values = np.array(values, dtype)
    return values.reshape(-1, 1, 1) if values.ndim == 1 else values


def _normalize(xp: Any, x: Any, mean: np.ndarray, std: np.ndarray) -> Any:
    if not isinstance(x, np.ndarray):
        mean, std = xp.array(mean, x), xp.array(std, x)
    return color.normalize(xp, x, mean, std)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """`img` with the window at (i, j) of size (h, w) set to `v`."""
    _assert_image_tensor(img)
    if not inplace:
        img = img.clone()
    img[..., i:i + h, j:j + w] = v
    return img
