"""The functionals on PIL images: argument checks, then Pillow, whose arithmetic this is by definition."""
from __future__ import annotations

import numbers
import sys
from typing import Any, Sequence

import numpy as np


def _is_pil_image(img: Any) -> bool:
    pil = sys.modules.get("PIL.Image")  # as long as nobody has imported it, there are no such images
    return pil is not None and isinstance(img, pil.Image)


def _assert_pil(img: Any) -> None:
    if not _is_pil_image(img):
        raise TypeError(f"img should be PIL Image. Got {type(img)}")


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    if not _is_pil_image(img):
        raise TypeError(f"Unexpected type {type(img)}")
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    if not _is_pil_image(img):
        raise TypeError(f"Unexpected type {type(img)}")
    return list(img.size)


def get_image_num_channels(img: Any) -> int:
    """The number of bands."""
    if not _is_pil_image(img):
        raise TypeError(f"Unexpected type {type(img)}")
    return len(img.getbands())


def from_array(array: np.ndarray, mode: str) -> Any:
    """The PIL image of this mode with these pixels (H, W) or (H, W, bands)."""
    from PIL import Image

    size = (array.shape[1], array.shape[0])
    return Image.frombuffer(mode, size, array.tobytes(), "raw", mode, 0, 1)


def hflip(img: Any) -> Any:
    _assert_pil(img)
    return img.transpose(0)  # Image.Transpose.FLIP_LEFT_RIGHT


def vflip(img: Any) -> Any:
    _assert_pil(img)
    return img.transpose(1)  # Image.Transpose.FLIP_TOP_BOTTOM


def _enhance(img: Any, kind: str, factor: float) -> Any:
    from PIL import ImageEnhance

    _assert_pil(img)
    return getattr(ImageEnhance, kind)(img).enhance(factor)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    return _enhance(img, "Brightness", brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    return _enhance(img, "Contrast", contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    return _enhance(img, "Color", saturation_factor)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    return _enhance(img, "Sharpness", sharpness_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turns the 8-bit hue band by int(255·hue_factor), wrapping; images without colour come back as they are."""
    from PIL import Image

    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    _assert_pil(img)
    if img.mode in ("L", "1", "I", "F"):
        return img
    h, s, v = img.convert("HSV").split()
    turned = np.array(h, dtype=np.uint8) + np.int32(hue_factor * 255).astype(np.uint8)
    return Image.merge("HSV", (from_array(turned, "L"), s, v)).convert(img.mode)


def adjust_gamma(img: Any, gamma: float, gain: float = 1.0) -> Any:
    _assert_pil(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    table = [int((255 + 1 - 1e-3) * gain * pow(k / 255.0, gamma)) for k in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def _parse_fill(fill: Any, img: Any, name: str = "fillcolor") -> dict[str, Any]:
    """{name: the fill as Pillow wants it for this image}."""
    bands = get_image_num_channels(img)
    fill = 0 if fill is None else fill
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1:
            fill = fill * bands
        elif len(fill) != bands:
            raise ValueError("The number of elements in 'fill' does not match the number of channels of the image "
                             f"({len(fill)} != {bands})")
        fill = tuple(fill)
    if img.mode != "F":
        fill = tuple(int(x) for x in fill) if isinstance(fill, tuple) else int(fill)
    return {name: fill}


def pad(img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Any:
    """See `functional.pad`."""
    _assert_pil(img)
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if fill is not None and not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    padding = tuple(padding) if isinstance(padding, list) else padding
    if isinstance(padding, tuple) and len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    if isinstance(padding, tuple) and len(padding) == 1:
        padding = padding[0]
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    if padding_mode == "constant":
        return _pad_constant(img, padding, fill)
    if isinstance(padding, int):
        padding = (padding,) * 4
    return _pad_by_repeating(img, padding * 2 if len(padding) == 2 else padding, padding_mode)


def _pad_constant(img: Any, padding: Any, fill: Any) -> Any:
    from PIL import ImageOps

    padded = ImageOps.expand(img, border=padding, **_parse_fill(fill, img, name="fill"))
    if img.mode == "P":
        padded.putpalette(img.getpalette())
    return padded


def _pad_by_repeating(img: Any, sides: Sequence[int], mode: str) -> Any:
    """`sides`: left, top, right, bottom; negative ones crop first."""
    from PIL import Image

    if min(sides) < 0:
        left, top, right, bottom = (-min(side, 0) for side in sides)
        img = img.crop((left, top, img.width - right, img.height - bottom))
    left, top, right, bottom = (max(side, 0) for side in sides)
    pixels = np.asarray(img)
    padded = np.pad(pixels, ((top, bottom), (left, right)) + ((0, 0),) * (pixels.ndim - 2), mode=mode)
    result = Image.fromarray(padded)
    if img.mode == "P":
        result.putpalette(img.getpalette())
    return result


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    _assert_pil(img)
    return img.crop((left, top, left + width, top + height))


def resize(img: Any, size: list[int], interpolation: int = 2) -> Any:
    """`size` is [height, width]; `interpolation` Pillow's number (2: bilinear)."""
    _assert_pil(img)
    if not (isinstance(size, list) and len(size) == 2):
        raise TypeError(f"Got inappropriate size arg: {size}")
    return img.resize(tuple(size[::-1]), interpolation)


def affine(img: Any, matrix: list[float], interpolation: int = 0, fill: Any = None) -> Any:
    _assert_pil(img)
    return img.transform(img.size, 0, matrix, interpolation, **_parse_fill(fill, img))  # Image.Transform.AFFINE


def rotate(img: Any, angle: float, interpolation: int = 0, expand: bool = False, center: Any = None,
           fill: Any = None) -> Any:
    _assert_pil(img)
    return img.rotate(angle, interpolation, expand, center, **_parse_fill(fill, img))


def perspective(img: Any, perspective_coeffs: list[float], interpolation: int = 3, fill: Any = None) -> Any:
    _assert_pil(img)
    return img.transform(img.size, 2, perspective_coeffs, interpolation, **_parse_fill(fill, img))  # PERSPECTIVE


def to_grayscale(img: Any, num_output_channels: int) -> Any:
    _assert_pil(img)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else from_array(np.dstack([np.array(grey, np.uint8)] * 3), "RGB")


def _operate(img: Any, name: str, *args: Any) -> Any:
    from PIL import ImageOps

    _assert_pil(img)
    return getattr(ImageOps, name)(img, *args)


def invert(img: Any) -> Any:
    return _operate(img, "invert")


def posterize(img: Any, bits: int) -> Any:
    return _operate(img, "posterize", bits)


def solarize(img: Any, threshold: int) -> Any:
    return _operate(img, "solarize", threshold)


def autocontrast(img: Any) -> Any:
    return _operate(img, "autocontrast")


def equalize(img: Any) -> Any:
    return _operate(img, "equalize")
