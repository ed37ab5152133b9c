"""Pictures from tensors: grids, files, and boxes, masks, keypoints and optical flow drawn on images."""
from __future__ import annotations

import math
import pathlib
import warnings
from typing import Any, BinaryIO, Sequence

import numpy as np

import flambeau as torch

from ._drawing import dashed_line
from .transforms._arrays import apply, as_tensor
from .transforms._functional_tensor import _name
from .transforms._kernels import color
from .transforms.functional import convert_image_dtype, pil_to_tensor, to_pil_image

__all__ = ["make_grid", "save_image", "draw_bounding_boxes", "draw_segmentation_masks", "draw_keypoints",
           "flow_to_image"]


def _batch_of(tensor: Any) -> Any:
    """(H, W), (C, H, W), (N, C, H, W) or a list of equal images as (N, C, H, W) with grey repeated to three
    channels."""
    if isinstance(tensor, list):
        for t in tensor:
            if not isinstance(t, torch.Tensor):
                raise TypeError(f"tensor or list of tensors expected, got a list containing {type(t)}")
        tensor = torch.stack(tensor, dim=0)
    elif not isinstance(tensor, torch.Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 4 and tensor.size(1) == 1:
        tensor = torch.cat((tensor, tensor, tensor), 1)
    return tensor


def _normalized(tensor: Any, value_range: tuple[float, float] | None) -> Any:
    """`tensor` shifted and scaled so that the range (default its minimum and maximum) becomes [0, 1], clipped to it."""
    low, high = value_range if value_range is not None else (float(tensor.min()), float(tensor.max()))
    return (tensor.clamp(min=low, max=high) - low) / max(high - low, 1e-5)


def make_grid(tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False,
              value_range: tuple[float, float] | None = None, scale_each: bool = False, pad_value: float = 0.0) -> Any:
    """One image (3, H', W') of a batch (N, C, H, W) or a list of (C, H, W), `nrow` in a row with `padding` pixels of
    `pad_value` between and around. A single image comes back without a frame.

    normalize: first to [0, 1] from `value_range`, or from the minimum and maximum of all (each, if `scale_each`).
    """
    with torch.no_grad():
        tensor = _batch_of(tensor)
        if normalize is True:
            if value_range is not None and not isinstance(value_range, tuple):
                raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
            tensor = (torch.stack([_normalized(t, value_range) for t in tensor]) if scale_each is True
                      else _normalized(tensor, value_range))
        if tensor.size(0) == 1:
            return tensor.squeeze(0)
        images = tensor.detach().numpy()
        count, channels, height, width = images.shape
        columns = min(nrow, count)
        rows = int(math.ceil(count / columns))
        height, width = height + padding, width + padding
        grid = np.full((channels, height * rows + padding, width * columns + padding), pad_value, images.dtype)
        for k, image in enumerate(images):
            top, left = k // columns * height + padding, k % columns * width + padding
            grid[:, top:top + height - padding, left:left + width - padding] = image
        return as_tensor(grid)


def save_image(tensor: Any, fp: str | pathlib.Path | BinaryIO, format: str | None = None, **kwargs: Any) -> None:
    """Saves an image in [0, 1], or the grid `make_grid(tensor, **kwargs)` of several, to a file (name or object) in the
    format of its extension or `format`."""
    from PIL import Image

    with torch.no_grad():
        grid = make_grid(tensor, **kwargs).detach()
        pixels = grid.mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0).to(torch.uint8).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)


def _check_image(image: Any, kind: str, channels: Sequence[int], message: str) -> None:
    if not isinstance(image, torch.Tensor):
        raise TypeError(f"{kind}, got {type(image)}")
    if not (image.dtype == torch.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in channels:
        raise ValueError(message)


def _palette(count: int) -> list[tuple[int, ...]]:
    """Colours that differ from object to object; the first is black."""
    return [tuple(k * c % 255 for c in (2 ** 25 - 1, 2 ** 15 - 1, 2 ** 21 - 1)) for k in range(count)]


def _parse_colors(colors: Any, *, num_objects: int, dtype: Any = None) -> list[tuple[float, ...]]:
    """One RGB triple for each object: of a name or triple for all, a list of them, or (None) a palette; in [0, 1] for a
    floating dtype."""
    if colors is None:
        colors = _palette(num_objects)
    elif isinstance(colors, list):
        if len(colors) < num_objects:
            raise ValueError("Number of colors must be equal or larger than the number of objects, "
                             f"but got {len(colors)} < {num_objects}.")
    elif not isinstance(colors, (tuple, str)):
        raise ValueError(f"colors must be a tuple or a string, or a list thereof, but got {colors}.")
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        colors = [colors] * num_objects
    if any(isinstance(color, str) for color in colors):
        from PIL import ImageColor

        colors = [ImageColor.getrgb(color) if isinstance(color, str) else color for color in colors]
    if dtype is not None and dtype.is_floating_point:
        colors = [tuple(v / 255 for v in color) for color in colors]
    return colors


def _to_canvas(image: Any) -> Any:
    """The PIL image to draw on."""
    return to_pil_image(convert_image_dtype(image, torch.uint8))


def _from_canvas(canvas: Any, dtype: Any) -> Any:
    drawn = pil_to_tensor(canvas)
    return apply(color.convert_dtype, drawn, _name(dtype), fused=True) if dtype.is_floating_point else drawn


def draw_bounding_boxes(image: Any, boxes: Any, labels: list[str] | None = None, colors: Any = None,
                        fill: bool | None = False,
                        width: int = 1, font: str | None = None, font_size: int | None = None, label_colors: Any = None,
                        label_background_colors: Any = None, fill_labels: bool = False) -> Any:
    """A copy of `image` (C, H, W), uint8 or floating in [0, 1], with `boxes` (N, 4) = (x1, y1, x2, y2), or (N, 8) with
    four corners each, drawn on it.

    labels: one text (or None) for each box, in Pillow's default font or the TrueType file `font`; colors: see
    `_parse_colors`; fill: a translucent interior; fill_labels: a background behind the texts. Grey becomes RGB.
    """
    from PIL import ImageDraw, ImageFont

    _check_image(image, "Tensor expected", (1, 3), "Only grayscale and RGB images are supported")
    if boxes.shape[-1] == 4 and ((boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any()):
        raise ValueError("Boxes need to be in (xmin, ymin, xmax, ymax) format. "
                         "Use torchvision.ops.box_convert to convert them")
    count = boxes.shape[0]
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is None:
        labels = [None] * count
    elif len(labels) != count:
        raise ValueError(f"Number of boxes ({count}) and labels ({len(labels)}) mismatch. "
                         "Please specify labels for each box.")
    colors = _parse_colors(colors, num_objects=count)
    text_colors, backgrounds = colors, colors
    if label_colors or fill_labels:
        text_colors = _parse_colors(label_colors or "black", num_objects=count)
    if fill_labels and label_background_colors:
        backgrounds = _parse_colors(label_background_colors, num_objects=count)
    if font is not None:
        text_font = ImageFont.truetype(font=font, size=font_size or 10)
    else:
        if font_size is not None:
            warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=2)
        text_font = ImageFont.load_default()
    with torch.no_grad():
        canvas = _to_canvas(torch.cat([image] * 3, 0) if image.size(0) == 1 else image)
        draw = ImageDraw.ImageDraw(canvas, "RGBA" if fill else None)
        for box, color, label, text_color, background in zip(boxes.to(torch.int64).tolist(), colors, labels,
                                                             text_colors, backgrounds):
            inside = (*color, 100) if fill else None
            if len(box) > 4:
                _draw_rotated(draw, box, color, inside, width)
            else:
                draw.rectangle(box, width=width, outline=color, fill=inside)
            if label is not None:
                _draw_label(draw, box, label, width, text_font, text_color, background if fill_labels else None)
        return _from_canvas(canvas, image.dtype)


def _draw_rotated(draw: Any, corners: list[int], color: Any, inside: Any, width: int) -> None:
    """A box by its corners; the first side, which tells where the top is, is dashed."""
    points = list(zip(corners[::2], corners[1::2]))
    dashed_line(draw, points[0], points[1], color, width)
    for start, end in zip(points[1:], [*points[2:], points[0]]):
        draw.line((start, end), width=width, fill=color)
    draw.polygon(corners, fill=inside, outline=None, width=0)


def _draw_label(draw: Any, box: list[int], label: str, width: int, font: Any, color: Any, background: Any) -> None:
    at = (box[0] + width + 1, box[1] + width + 1)
    if background is not None:
        left, top, right, bottom = draw.textbbox(at, label, font=font)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=background)
    draw.text(at, label, fill=color, font=font)


def draw_segmentation_masks(image: Any, masks: Any, alpha: float = 0.8, colors: Any = None) -> Any:
    """A copy of the RGB `image` (3, H, W) with boolean `masks` (N, H, W) or (H, W) painted on it: `alpha` is their
    opacity; pixels in more than one mask are black."""
    _check_image(image, "The image must be a tensor", (3,), "Pass an RGB image. Other Image formats are not supported")
    if masks.ndim == 2:
        masks = masks[None, :, :]
    if masks.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != torch.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if masks.shape[0] == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    with torch.no_grad():
        inside = masks.numpy()
        painted = image.detach().clone().numpy()
        for mask, color in zip(inside, _parse_colors(colors, num_objects=len(inside), dtype=image.dtype)):
            painted[:, mask] = np.array(color, painted.dtype)[:, None]
        painted[:, inside.sum(0) > 1] = 0
        return (image * (1 - alpha) + as_tensor(painted) * alpha).to(image.dtype)


def draw_keypoints(image: Any, keypoints: Any, connectivity: list[tuple[int, int]] | None = None, colors: Any = None,
                   radius: int = 2, width: int = 3, visibility: Any = None) -> Any:
    """A copy of the RGB `image` (3, H, W) with dots at `keypoints` (N, K, 2) = (x, y).

    connectivity: pairs of keypoints to join by lines of `width`; visibility: (N, K), points not to draw are 0.
    """
    from PIL import ImageDraw

    _check_image(image, "The image must be a tensor", (3,), "Pass an RGB image. Other Image formats are not supported")
    if keypoints.ndim != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    if visibility is None:
        visibility = torch.ones(tuple(keypoints.shape[:-1]), dtype=torch.bool)
    if visibility.ndim == 3:
        visibility = visibility.squeeze(-1)
    if visibility.ndim != 2:
        raise ValueError(f"visibility must be of shape (num_instances, K). Got ndim={visibility.ndim}")
    if visibility.shape != keypoints.shape[:-1]:
        raise ValueError("keypoints and visibility must have the same dimensionality for num_instances and K. "
                         f"Got visibility.shape={visibility.shape!r} and keypoints.shape={keypoints.shape!r}")
    with torch.no_grad():
        canvas = _to_canvas(image)
        draw = ImageDraw.Draw(canvas)
        for points, visible in zip(keypoints.to(torch.int64).tolist(), visibility.bool().tolist()):
            for (x, y), shown in zip(points, visible):
                if shown:
                    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colors, outline=None, width=0)
            for a, b in connectivity or ():
                if visible[a] and visible[b]:
                    draw.line((tuple(points[a]), tuple(points[b])), width=width)
        return _from_canvas(canvas, image.dtype)


def flow_to_image(flow: Any) -> Any:
    """Optical flow (2, H, W) or (N, 2, H, W), float32, as uint8 RGB: direction is hue, length (relative to the longest)
    saturation, by the colour wheel of Baker et al. 2007."""
    if flow.dtype != torch.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    shape = flow.shape
    if flow.ndim == 3:
        flow = flow[None]
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise ValueError(f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {shape}.")
    vectors = flow.detach().numpy()
    longest = np.sqrt((vectors ** 2).sum(1)).max()
    image = _color_of(vectors / (longest + np.finfo(np.float32).eps))
    return as_tensor(image[0] if len(shape) == 3 else image)


def _color_of(flow: np.ndarray) -> np.ndarray:
    """(N, 2, H, W) of length at most 1 -> uint8 (N, 3, H, W)."""
    wheel = _colorwheel()
    length = np.sqrt((flow ** 2).sum(1))
    angle = np.arctan2(-flow[:, 1], -flow[:, 0]) / np.float32(np.pi)
    position = (angle + 1) / 2 * (len(wheel) - 1)
    below = np.floor(position).astype(np.int64)
    above = np.where(below + 1 == len(wheel), 0, below + 1)
    part = (position - below).astype(np.float32)[..., None]
    color = (1 - part) * (wheel[below] / np.float32(255)) + part * (wheel[above] / np.float32(255))
    color = 1 - length[..., None] * (1 - color)
    return np.floor(255 * color).astype(np.uint8).transpose(0, 3, 1, 2)


def _colorwheel() -> np.ndarray:
    """(55, 3): red, yellow, green, cyan, blue, magenta, with as many steps between as the eye distinguishes."""
    corners = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255))
    rows = []
    for (start, end), steps in zip(zip(corners, corners[1:] + corners[:1]), (15, 6, 4, 11, 13, 6)):
        ramp = np.floor(255 * np.arange(steps) / steps)[:, None]
        start, end = np.array(start), np.array(end)
        rows.append(np.where(end > start, ramp, np.where(end < start, 255 - ramp, start)))
    return np.concatenate(rows).astype(np.float32)
