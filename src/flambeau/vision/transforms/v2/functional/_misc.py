"""Normalising, blurring, noise, dtypes, and removing degenerate boxes and points."""
from __future__ import annotations

from typing import Any, Sequence

import flambeau as torch

from .... import tv_tensors
from ..._arrays import apply
from ..._functional_tensor import _max_value, _name, _normalize, _per_channel
from ..._kernels import color, filters
from ...functional import pil_to_tensor, to_pil_image
from . import _boxes
from ._utils import call, is_pure_tensor, register


def normalize(inpt: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Any:
    """(x - mean) / std for each channel of a floating image."""
    return call(normalize, inpt, mean=mean, std=std, inplace=inplace)


def normalize_image(image: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Any:
    """`normalize` on a Tensor (…, C, H, W)."""
    if not image.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {image.dtype}.")
    if image.ndim < 3:
        raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got {image.shape}.")
    if (isinstance(std, (tuple, list)) and not all(std)) or (isinstance(std, (int, float)) and std == 0):
        raise ValueError("std evaluated to zero, leading to division by zero.")
    name = _name(image.dtype)
    mean, std = (_per_channel(values, "float32" if name == "bfloat16" else name) for values in (mean, std))
    if inplace:
        mean, std = (torch.from_numpy(values).to(image.dtype) for values in (mean, std))
        return image.sub_(mean).div_(std)
    return apply(_normalize, image, mean, std)


normalize_video = normalize_image
register(normalize, image=normalize_image)


def gaussian_blur(inpt: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Convolves with a Gaussian of `kernel_size` (odd; one or [x, y]) taps and `sigma` (default 0.15·size + 0.35)
    pixels, reflecting at the edges."""
    return call(gaussian_blur, inpt, kernel_size=kernel_size, sigma=sigma)


def _blur_arguments(kernel_size: Any, sigma: Any) -> tuple[list[int], list[float]]:
    kernel_size = [kernel_size, kernel_size] if isinstance(kernel_size, int) else kernel_size
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in kernel_size]
    elif isinstance(sigma, (int, float)):
        sigma = [float(sigma), float(sigma)]
    elif not isinstance(sigma, (list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    elif len(sigma) == 1:
        sigma = [sigma[0], sigma[0]]
    elif len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(s <= 0.0 for s in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return kernel_size, sigma


def gaussian_blur_image(image: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """`gaussian_blur` on a Tensor (…, C, H, W)."""
    kernel_size, sigma = _blur_arguments(kernel_size, sigma)
    if image.numel() == 0:
        return image
    for taps, n in zip(kernel_size, image.shape[:-3:-1]):
        if taps // 2 >= n:
            raise RuntimeError("Padding size should be less than the corresponding input dimension, but got: padding "
                               f"({taps // 2}, {taps // 2}) at a dimension of size {n}")
    return apply(filters.gaussian_blur, image, tuple(kernel_size), tuple(sigma), filters.softmax_gaussian)


def _gaussian_blur_pil(image: Any, kernel_size: Any, sigma: Any = None) -> Any:
    return to_pil_image(gaussian_blur_image(pil_to_tensor(image), kernel_size, sigma), mode=image.mode)


gaussian_blur_video = gaussian_blur_image
register(gaussian_blur, image=gaussian_blur_image, pil=_gaussian_blur_pil)


def gaussian_noise(inpt: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """The image plus normal noise of this mean and standard deviation (for white = 1), clipped to black and white."""
    return call(gaussian_noise, inpt, mean=mean, sigma=sigma, clip=clip)


def gaussian_noise_image(image: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """`gaussian_noise` on a Tensor, floating or uint8."""
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if image.is_floating_point():
        noisy = image + (mean + torch.randn_like(image) * sigma)
        return torch.clamp(noisy, 0, 1) if clip else noisy
    if image.dtype != torch.uint8:
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={image.dtype}")
    noise = (mean * 255 + torch.randn_like(image, dtype=torch.float32) * (sigma * 255)).to(torch.int16)
    noisy = image + noise
    return (torch.clamp(noisy, 0, 255) if clip else noisy).to(torch.uint8)


def _gaussian_noise_pil(image: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    raise ValueError("Gaussian Noise is not implemented for PIL images.")


gaussian_noise_video = gaussian_noise_image
register(gaussian_noise, image=gaussian_noise_image, pil=_gaussian_noise_pil)


def to_dtype(inpt: Any, dtype: Any = None, scale: bool = False) -> Any:
    """`inpt` in `dtype` (default float32); `scale` maps [0, white] of images to [0, white] of the new dtype."""
    return call(to_dtype, inpt, dtype=torch.float32 if dtype is None else dtype, scale=scale)


def to_dtype_image(image: Any, dtype: Any = None, scale: bool = False) -> Any:
    """`to_dtype` on a Tensor."""
    dtype = torch.float32 if dtype is None else dtype
    if image.dtype == dtype:
        return image
    if not scale or (image.is_floating_point() and dtype.is_floating_point):
        return image.to(dtype)
    if (image.dtype == torch.float32 and dtype in (torch.int32, torch.int64)
            or image.dtype == torch.float64 and dtype == torch.int64):
        raise RuntimeError(f"The conversion from {image.dtype} to {dtype} cannot be performed safely.")
    if dtype == torch.bfloat16:
        return image.to(dtype).mul_(1.0 / _max_value(image.dtype))
    return apply(color.convert_dtype, image, _name(dtype), fused=True)


def _to_dtype_plain(inpt: Any, dtype: Any, scale: bool = False) -> Any:
    return inpt.to(dtype)


def convert_image_dtype(image: Any, dtype: Any = None) -> Any:
    """`to_dtype(image, dtype, scale=True)` on a Tensor."""
    return to_dtype_image(image, dtype=dtype, scale=True)


to_dtype_video = to_dtype_image
register(to_dtype, image=to_dtype_image, mask=_to_dtype_plain, boxes=_to_dtype_plain, keypoints=_to_dtype_plain)


def _metadata(inpt: Any, kind: type, name: str, **given: Any) -> dict[str, Any]:
    """The metadata of a `kind`, or those given for a plain Tensor; ValueError for both or neither."""
    names = " and ".join(given)
    values = ", ".join(f"{key}={value}" for key, value in given.items()).replace(", ", " and ")
    if is_pure_tensor(inpt):
        if any(value is None for value in given.values()):
            raise ValueError(f"{names} cannot be None if {name} is a pure tensor. Got {values}."
                             f"Set those to appropriate values or pass {name} as a tv_tensors.{kind.__name__} object.")
        return given
    if not isinstance(inpt, kind):
        raise ValueError(f"{name} must be a tv_tensors.{kind.__name__} instance or a pure tensor.")
    if any(value is not None for value in given.values()):
        raise ValueError(f"{names} must be None when {name} is a tv_tensors.{kind.__name__} instance. Got {values}. "
                         f"Leave those to None or pass {name} as a pure tensor.")
    return {key: getattr(inpt, key) for key in given}


def sanitize_bounding_boxes(bounding_boxes: Any, format: Any = None, canvas_size: Any = None, min_size: float = 1.0,
                            min_area: float = 1.0) -> tuple[Any, Any]:
    """(the boxes that lie in the image with sides >= min_size and area >= min_area, which ones (N,) those are)."""
    metadata = _metadata(bounding_boxes, tv_tensors.BoundingBoxes, "bounding_boxes", format=format,
                         canvas_size=canvas_size)
    plain = bounding_boxes.as_subclass(torch.Tensor)
    valid = _boxes.sane_boxes(plain, **metadata, min_size=min_size, min_area=min_area)
    kept = plain[valid]
    return (kept if is_pure_tensor(bounding_boxes) else tv_tensors.wrap(kept, like=bounding_boxes)), valid


def sanitize_keypoints(key_points: Any, canvas_size: Any = None) -> tuple[Any, Any]:
    """(the points, or groups of points, that lie wholly in the image, which ones (N,) those are)."""
    metadata = _metadata(key_points, tv_tensors.KeyPoints, "key_points", canvas_size=canvas_size)
    plain = key_points.as_subclass(torch.Tensor)
    valid = _boxes.sane_keypoints(plain, **metadata)
    kept = plain[valid]
    return (kept if is_pure_tensor(key_points) else tv_tensors.wrap(kept, like=key_points)), valid
