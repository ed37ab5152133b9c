"""Moving pixels: flips, resizing, crops, padding, affine and projective maps, elastic deformation.

Kernels `…_image` take a Tensor (…, C, H, W), `…_mask` one of masks (…, H, W); `…_video` are the image kernels. Those
for boxes and keypoints are in `_boxes`.
"""
from __future__ import annotations

import warnings
from typing import Any, Sequence

import numpy as np

import flambeau as torch

from ... import _functional_pil as F_pil
from ... import _functional_tensor as F_t
from ..._arrays import apply, as_tensor
from ..._kernels import geometry, resampling
from ...functional import InterpolationMode, pil_modes_mapping, pil_to_tensor, to_pil_image
from ._arguments import (affine_arguments, center_crop_anchor, interpolation_mode, pad_sides, pair,
                         perspective_coefficients)
from ._boxes import (affine_bounding_boxes, affine_keypoints, center_crop_bounding_boxes, center_crop_keypoints,
                     compute_resized_output_size, crop_bounding_boxes, crop_keypoints, elastic_bounding_boxes,
                     elastic_keypoints, horizontal_flip_bounding_boxes, horizontal_flip_keypoints, pad_bounding_boxes,
                     pad_keypoints, perspective_bounding_boxes, perspective_keypoints, resize_bounding_boxes,
                     resize_keypoints, resized_crop_bounding_boxes, resized_crop_keypoints, rotate_bounding_boxes,
                     rotate_keypoints, vertical_flip_bounding_boxes, vertical_flip_keypoints)
from ._utils import call, register, with_leading_dimension

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


# ---- flips

def horizontal_flip(inpt: Any) -> Any:
    """Left and right exchanged."""
    return call(horizontal_flip, inpt)


def horizontal_flip_image(image: Any) -> Any:
    """`horizontal_flip` on a Tensor."""
    return image.flip(-1)


hflip = horizontal_flip
horizontal_flip_mask = horizontal_flip_video = horizontal_flip_image
register(horizontal_flip, image=horizontal_flip_image, pil=F_pil.hflip, mask=horizontal_flip_mask,
         boxes=horizontal_flip_bounding_boxes, keypoints=horizontal_flip_keypoints)


def vertical_flip(inpt: Any) -> Any:
    """Top and bottom exchanged."""
    return call(vertical_flip, inpt)


def vertical_flip_image(image: Any) -> Any:
    """`vertical_flip` on a Tensor."""
    return image.flip(-2)


vflip = vertical_flip
vertical_flip_mask = vertical_flip_video = vertical_flip_image
register(vertical_flip, image=vertical_flip_image, pil=F_pil.vflip, mask=vertical_flip_mask,
         boxes=vertical_flip_bounding_boxes, keypoints=vertical_flip_keypoints)


# ---- resize

def resize(inpt: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None,
           antialias: bool | None = True) -> Any:
    """Resizes to `size` = [height, width]; to the shorter side `size`, the longer at most `max_size`; or, with None, to
    the longer side `max_size`. Masks are always resized by the nearest pixel."""
    return call(resize, inpt, size=size, interpolation=interpolation, max_size=max_size, antialias=antialias)


def resize_image(image: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None,
                 antialias: bool | None = True) -> Any:
    """`resize` on a Tensor. uint8 with bilinear, bicubic or Lanczos weights is computed in integers."""
    mode = interpolation_mode(interpolation).value
    if mode == "lanczos" and not antialias:
        raise ValueError("InterpolationMode.LANCZOS requires antialias=True")
    if mode in ("box", "hamming"):
        raise NotImplementedError(f"Interpolation mode '{mode}' is for PIL images only")
    new = tuple(compute_resized_output_size(tuple(image.shape[-2:]), size, max_size))
    if new == tuple(image.shape[-2:]):
        return image
    if image.numel() == 0:
        return image.reshape((*image.shape[:-2], *new))
    if image.dtype == torch.uint8 and not mode.startswith("nearest"):
        return as_tensor(resampling.resize_uint8(image.numpy(), new, mode, bool(antialias)))
    return apply(F_t._resize, image, new, mode, bool(antialias))


def _resize_pil(image: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None,
                antialias: Any = True) -> Any:
    if antialias is False:
        warnings.warn("Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.",
                      stacklevel=4)
    new = compute_resized_output_size((image.height, image.width), size, max_size)
    if new == [image.height, image.width]:
        return image
    return image.resize((new[1], new[0]), resample=pil_modes_mapping[interpolation_mode(interpolation)])


def resize_mask(mask: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None) -> Any:
    """`resize` on a Tensor of masks, by the nearest pixel."""
    mode = interpolation_mode(interpolation)
    mode = mode if mode in (NEAREST, InterpolationMode.NEAREST_EXACT) else NEAREST
    return with_leading_dimension(resize_image)(mask, size, mode, max_size)


resize_video = resize_image
register(resize, image=resize_image, pil=_resize_pil, mask=resize_mask, boxes=resize_bounding_boxes,
         keypoints=resize_keypoints)


# ---- sampling at a grid

def _check_grid_arguments(image: Any, interpolation: InterpolationMode, fill: Any) -> None:
    if isinstance(fill, (tuple, list)):
        if len(fill) > 1 and len(fill) != image.shape[-3]:
            raise ValueError("The number of elements in 'fill' cannot broadcast to match the number of channels of "
                             "the image "
                             f"({len(fill)} != {image.shape[-3]})")
    elif fill is not None and not isinstance(fill, (int, float)):
        raise ValueError("Argument fill should be either int, float, tuple or list")
    if interpolation not in (NEAREST, BILINEAR):
        raise ValueError(f"Interpolation mode '{interpolation.value}' is unsupported with Tensor input")


def _sampled(image: Any, grid: np.ndarray, interpolation: InterpolationMode, fill: Any) -> Any:
    if image.numel() == 0:
        return image.reshape((*image.shape[:-2], *grid.shape[:2]))
    return apply(resampling.sample, image, grid, interpolation.value, fill, fused=True)


def _centre_offset(image: Any, center: Sequence[float] | None) -> list[float]:
    return [0.0, 0.0] if center is None else [c - s * 0.5 for c, s in zip(center, image.shape[:-3:-1])]


def affine(inpt: Any, angle: float, translate: Sequence[float], scale: float, shear: Any, interpolation: Any = NEAREST,
           fill: Any = None, center: Sequence[float] | None = None) -> Any:
    """Turned by `angle` degrees clockwise, sheared (degrees, x and y), scaled, about `center`, and moved by
    `translate`."""
    return call(affine, inpt, angle=angle, translate=translate, scale=scale, shear=shear, interpolation=interpolation,
                fill=fill, center=center)


def affine_image(image: Any, angle: float, translate: Sequence[float], scale: float, shear: Any,
                 interpolation: Any = NEAREST, fill: Any = None, center: Sequence[float] | None = None) -> Any:
    """`affine` on a Tensor."""
    interpolation = interpolation_mode(interpolation)
    angle, translate, shear, center = affine_arguments(angle, translate, scale, shear, center)
    _check_grid_arguments(image, interpolation, fill)
    matrix = geometry.inverse_affine_matrix(_centre_offset(image, center), angle, [float(t) for t in translate], scale,
                                            shear)
    h, w = image.shape[-2:]
    return _sampled(image, geometry.affine_grid(matrix, w, h, w, h, F_t._grid_dtype(image)), interpolation, fill)


def _affine_pil(image: Any, angle: float, translate: Sequence[float], scale: float, shear: Any,
                interpolation: Any = NEAREST, fill: Any = None, center: Sequence[float] | None = None) -> Any:
    interpolation = interpolation_mode(interpolation)
    angle, translate, shear, center = affine_arguments(angle, translate, scale, shear, center)
    center = [image.width * 0.5, image.height * 0.5] if center is None else center
    matrix = geometry.inverse_affine_matrix(center, angle, translate, scale, shear)
    return F_pil.affine(image, matrix, pil_modes_mapping[interpolation], fill)


def affine_mask(mask: Any, angle: float, translate: Sequence[float], scale: float, shear: Any, fill: Any = None,
                center: Sequence[float] | None = None) -> Any:
    """`affine` on a Tensor of masks, by the nearest pixel."""
    return with_leading_dimension(affine_image)(mask, angle, translate, scale, shear, NEAREST, fill, center)


affine_video = affine_image
register(affine, image=affine_image, pil=_affine_pil, mask=affine_mask, boxes=affine_bounding_boxes,
         keypoints=affine_keypoints)


def rotate(inpt: Any, angle: float, interpolation: Any = NEAREST, expand: bool = False,
           center: Sequence[float] | None = None, fill: Any = None) -> Any:
    """Turned by `angle` degrees counter-clockwise about `center` (x, y; default the middle), in a frame that grows with
    `expand`."""
    return call(rotate, inpt, angle=angle, interpolation=interpolation, expand=expand, center=center, fill=fill)


def _quarter_turns(image: Any, angle: float, expand: bool) -> int | None:
    """How many exact turns by 90° do it, if any number does."""
    if angle % 180 == 0 or (angle % 90 == 0 and (expand or image.shape[-1] == image.shape[-2])):
        return int(angle // 90)
    return None


def rotate_image(image: Any, angle: float, interpolation: Any = NEAREST, expand: bool = False,
                 center: Sequence[float] | None = None, fill: Any = None) -> Any:
    """`rotate` on a Tensor; multiples of 90° about the middle are exact."""
    angle = angle % 360
    turns = _quarter_turns(image, angle, expand) if center is None else None
    if turns is not None:
        return torch.rot90(image, k=turns, dims=(-2, -1)) if turns else image.clone()
    interpolation = interpolation_mode(interpolation)
    _check_grid_arguments(image, interpolation, fill)
    matrix = geometry.inverse_affine_matrix(_centre_offset(image, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    h, w = image.shape[-2:]
    out_w, out_h = geometry.rotated_size(matrix, w, h) if expand else (w, h)
    return _sampled(image, geometry.affine_grid(matrix, w, h, out_w, out_h, F_t._grid_dtype(image)), interpolation,
                    fill)


def _rotate_pil(image: Any, angle: float, interpolation: Any = NEAREST, expand: bool = False, center: Any = None,
                fill: Any = None) -> Any:
    return F_pil.rotate(image, angle, pil_modes_mapping[interpolation_mode(interpolation)], expand, center, fill)


def rotate_mask(mask: Any, angle: float, expand: bool = False, center: Sequence[float] | None = None,
                fill: Any = None) -> Any:
    """`rotate` on a Tensor of masks, by the nearest pixel."""
    return with_leading_dimension(rotate_image)(mask, angle, NEAREST, expand, center, fill)


rotate_video = rotate_image
register(rotate, image=rotate_image, pil=_rotate_pil, mask=rotate_mask, boxes=rotate_bounding_boxes,
         keypoints=rotate_keypoints)


def perspective(inpt: Any, startpoints: Any, endpoints: Any, interpolation: Any = BILINEAR, fill: Any = None,
                coefficients: Sequence[float] | None = None) -> Any:
    """The projective image that takes four corners `startpoints` [x, y] to `endpoints`, or that has these
    `coefficients`."""
    return call(perspective, inpt, startpoints=startpoints, endpoints=endpoints, interpolation=interpolation, fill=fill,
                coefficients=coefficients)


def perspective_image(image: Any, startpoints: Any, endpoints: Any, interpolation: Any = BILINEAR, fill: Any = None,
                      coefficients: Sequence[float] | None = None) -> Any:
    """`perspective` on a Tensor."""
    coefficients = perspective_coefficients(startpoints, endpoints, coefficients)
    interpolation = interpolation_mode(interpolation)
    _check_grid_arguments(image, interpolation, fill)
    h, w = image.shape[-2:]
    return _sampled(image, geometry.perspective_grid(coefficients, w, h, F_t._grid_dtype(image)), interpolation, fill)


def _perspective_pil(image: Any, startpoints: Any, endpoints: Any, interpolation: Any = BILINEAR, fill: Any = None,
                     coefficients: Sequence[float] | None = None) -> Any:
    coefficients = perspective_coefficients(startpoints, endpoints, coefficients)
    return F_pil.perspective(image, coefficients, pil_modes_mapping[interpolation_mode(interpolation)], fill)


def perspective_mask(mask: Any, startpoints: Any, endpoints: Any, fill: Any = None,
                     coefficients: Sequence[float] | None = None) -> Any:
    """`perspective` on a Tensor of masks, by the nearest pixel."""
    return with_leading_dimension(perspective_image)(mask, startpoints, endpoints, NEAREST, fill, coefficients)


perspective_video = perspective_image
register(perspective, image=perspective_image, pil=_perspective_pil, mask=perspective_mask,
         boxes=perspective_bounding_boxes, keypoints=perspective_keypoints)


def elastic(inpt: Any, displacement: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    """Sampled at its pixels moved by `displacement`, a Tensor (1, H, W, 2) of (x, y) in units of half the image."""
    return call(elastic, inpt, displacement=displacement, interpolation=interpolation, fill=fill)


def elastic_image(image: Any, displacement: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    """`elastic` on a Tensor."""
    if not isinstance(displacement, torch.Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    interpolation = interpolation_mode(interpolation)
    h, w = image.shape[-2:]
    if tuple(displacement.shape) != (1, h, w, 2):
        raise ValueError(f"Argument displacement shape should be {(1, h, w, 2)}, but given {displacement.shape}")
    _check_grid_arguments(image, interpolation, fill)
    dtype = F_t._grid_dtype(image)
    grid = geometry.identity_grid(h, w, dtype) + displacement.detach().numpy()[0].astype(dtype)
    return _sampled(image, grid, interpolation, fill)


def _elastic_pil(image: Any, displacement: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    return to_pil_image(elastic_image(pil_to_tensor(image), displacement, interpolation, fill), mode=image.mode)


def elastic_mask(mask: Any, displacement: Any, fill: Any = None) -> Any:
    """`elastic` on a Tensor of masks, by the nearest pixel."""
    return with_leading_dimension(elastic_image)(mask, displacement, NEAREST, fill)


elastic_transform = elastic
elastic_video = elastic_image
register(elastic, image=elastic_image, pil=_elastic_pil, mask=elastic_mask, boxes=elastic_bounding_boxes,
         keypoints=elastic_keypoints)


# ---- pad and crop

def pad(inpt: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """Pads all sides by a number, left/right and top/bottom by two, or left, top, right, bottom by four.

    `padding_mode`: "constant" (with `fill`, a number or one per channel), "edge", "reflect" or "symmetric".
    """
    return call(pad, inpt, padding=padding, fill=fill, padding_mode=padding_mode)


def pad_image(image: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """`pad` on a Tensor."""
    sides = pad_sides(padding)
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("`padding_mode` should be either `'constant'`, `'edge'`, `'reflect'` or `'symmetric'`, "
                         f"but got `'{padding_mode}'`.")
    fill = 0 if fill is None else fill[0] if isinstance(fill, (list, tuple)) and len(fill) == 1 else fill
    if padding_mode != "constant":
        if not isinstance(fill, (int, float)):
            raise ValueError(f"Padding mode '{padding_mode}' is not supported if fill is not scalar")
        return apply(F_t._pad_by_repeating, image, *sides, padding_mode)
    if isinstance(fill, (int, float)):
        return apply(F_t._constant_kernel, image, sides, float(fill))
    if len(fill) != image.shape[-3]:
        raise RuntimeError(f"The number of elements in fill ({len(fill)}) must match the number of channels "
                           f"({image.shape[-3]})")
    planes = [apply(F_t._constant_kernel, image[..., k:k + 1, :, :], sides, float(value)) for k,
              value in enumerate(fill)]
    return torch.cat(planes, -3)


def pad_mask(mask: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """`pad` on a Tensor of masks; `fill` must be one number."""
    if isinstance(fill, (tuple, list)):
        raise ValueError("Non-scalar fill value is not supported")
    return with_leading_dimension(pad_image)(mask, padding, fill, padding_mode)


pad_video = pad_image
register(pad, image=pad_image, pil=F_pil.pad, mask=pad_mask, boxes=pad_bounding_boxes, keypoints=pad_keypoints)


def crop(inpt: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of this size at (top, left); what lies outside the image is 0."""
    return call(crop, inpt, top=top, left=left, height=height, width=width)


def crop_image(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """`crop` on a Tensor: a view, if the window lies inside."""
    return F_t.crop(image, top, left, height, width)


crop_mask = crop_video = crop_image
register(crop, image=crop_image, pil=F_pil.crop, mask=crop_mask, boxes=crop_bounding_boxes, keypoints=crop_keypoints)


def center_crop(inpt: Any, output_size: Any) -> Any:
    """The window of `output_size` (a number or [height, width]) in the middle; smaller images are padded with 0."""
    return call(center_crop, inpt, output_size=output_size)


def _center_cropped(image: Any, size: tuple[int, int], output_size: Any, pad_by: Any, crop_to: Any) -> Any:
    (h, w), (height, width) = size, pair(output_size)
    dy, dx = max(height - h, 0), max(width - w, 0)
    if dy or dx:
        image = pad_by(image, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2], fill=0)
        h, w = h + dy, w + dx
        if (h, w) == (height, width):
            return image
    return crop_to(image, *center_crop_anchor(height, width, h, w), height, width)


def center_crop_image(image: Any, output_size: Any) -> Any:
    """`center_crop` on a Tensor."""
    return _center_cropped(image, tuple(image.shape[-2:]), output_size, pad_image, crop_image)


def _center_crop_pil(image: Any, output_size: Any) -> Any:
    return _center_cropped(image, (image.height, image.width), output_size, F_pil.pad, F_pil.crop)


center_crop_mask = with_leading_dimension(center_crop_image)
center_crop_video = center_crop_image
register(center_crop, image=center_crop_image, pil=_center_crop_pil, mask=lambda mask,
         output_size: center_crop_mask(mask, output_size),
         boxes=center_crop_bounding_boxes, keypoints=center_crop_keypoints)


def resized_crop(inpt: Any, top: int, left: int, height: int, width: int, size: Any, interpolation: Any = BILINEAR,
                 antialias: bool | None = True) -> Any:
    """`crop`, then `resize`."""
    return call(resized_crop, inpt, top=top, left=left, height=height, width=width, size=size,
                interpolation=interpolation, antialias=antialias)


def resized_crop_image(image: Any, top: int, left: int, height: int, width: int, size: Any,
                       interpolation: Any = BILINEAR, antialias: bool | None = True) -> Any:
    """`resized_crop` on a Tensor."""
    return resize_image(crop_image(image, top, left, height, width), size, interpolation, antialias=antialias)


def _resized_crop_pil(image: Any, top: int, left: int, height: int, width: int, size: Any,
                      interpolation: Any = BILINEAR, antialias: bool | None = True) -> Any:
    return _resize_pil(F_pil.crop(image, top, left, height, width), size, interpolation, antialias=antialias)


def resized_crop_mask(mask: Any, top: int, left: int, height: int, width: int, size: Any) -> Any:
    """`resized_crop` on a Tensor of masks, by the nearest pixel."""
    return resize_mask(crop_mask(mask, top, left, height, width), size)


resized_crop_video = resized_crop_image
register(resized_crop, image=resized_crop_image, pil=_resized_crop_pil, mask=resized_crop_mask,
         boxes=resized_crop_bounding_boxes, keypoints=resized_crop_keypoints)


def five_crop(inpt: Any, size: Any) -> tuple[Any, ...]:
    """The windows of `size` in the corners (top left, top right, bottom left, bottom right) and the middle."""
    return call(five_crop, inpt, size=size)


def _five_cropped(image: Any, frame: tuple[int, int], size: Any, crop_to: Any, center_crop_to: Any) -> tuple[Any, ...]:
    (h, w), target = frame, pair(size)
    if len(target) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    height, width = target
    if width > w or height > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
    corners = [(0, 0), (0, w - width), (h - height, 0), (h - height, w - width)]
    return (*(crop_to(image, top, left, height, width) for top, left in corners),
            center_crop_to(image, [height, width]))


def five_crop_image(image: Any, size: Any) -> tuple[Any, ...]:
    """`five_crop` on a Tensor."""
    return _five_cropped(image, tuple(image.shape[-2:]), size, crop_image, center_crop_image)


def _five_crop_pil(image: Any, size: Any) -> tuple[Any, ...]:
    return _five_cropped(image, (image.height, image.width), size, F_pil.crop, _center_crop_pil)


five_crop_video = five_crop_image
register(five_crop, image=five_crop_image, pil=_five_crop_pil)


def ten_crop(inpt: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the image and of its horizontal (or vertical) mirror image."""
    return call(ten_crop, inpt, size=size, vertical_flip=vertical_flip)


def ten_crop_image(image: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`ten_crop` on a Tensor."""
    mirrored = vertical_flip_image(image) if vertical_flip else horizontal_flip_image(image)
    return five_crop_image(image, size) + five_crop_image(mirrored, size)


def _ten_crop_pil(image: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    mirrored = F_pil.vflip(image) if vertical_flip else F_pil.hflip(image)
    return _five_crop_pil(image, size) + _five_crop_pil(mirrored, size)


ten_crop_video = ten_crop_image
register(ten_crop, image=ten_crop_image, pil=_ten_crop_pil)
