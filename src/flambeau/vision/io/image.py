"""Reading and writing image files as uint8 Tensors (C, H, W), by Pillow."""
from __future__ import annotations

import io
import os
import pathlib
import warnings
from enum import Enum
from typing import Any

import numpy as np

import flambeau as torch

from ..transforms._arrays import as_tensor
from ._png import read_deep_png


class ImageReadMode(Enum):
    """What channels a decoder returns: those of the file, or grey, grey and alpha, RGB, RGB and alpha."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PIL_MODES = {ImageReadMode.GRAY: "L", ImageReadMode.GRAY_ALPHA: "LA", ImageReadMode.RGB: "RGB",
              ImageReadMode.RGB_ALPHA: "RGBA"}


def _mode(mode: Any) -> ImageReadMode:
    return ImageReadMode[mode.upper()] if isinstance(mode, str) else mode


# ---- bytes

def read_file(path: str | pathlib.Path) -> Any:
    """The bytes of a file as a Tensor (N,). RuntimeError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return as_tensor(np.frombuffer(bytearray(file.read()), np.uint8))
    except OSError as error:
        raise RuntimeError(f"[Errno {error.errno}] {os.strerror(error.errno or 0)}: '{path}'") from None


def write_file(filename: str | pathlib.Path, data: Any) -> None:
    """Writes the bytes (N,) to a file. RuntimeError if it cannot be opened."""
    if data.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if data.dim() != 1:
        raise RuntimeError("Input data should be a 1-dimensional tensor")
    try:
        with open(filename, "wb") as file:
            file.write(data.numpy().tobytes())
    except OSError as error:
        raise RuntimeError(f"Error opening output file {filename}: {error.strerror}") from None


def _content(data: Any) -> bytes:
    if data.dtype != torch.uint8:
        raise RuntimeError(f"Expected a torch.uint8 tensor. Input tensor must have uint8 data type, got {data.dtype}")
    if data.dim() != 1 or data.numel() == 0:
        raise RuntimeError("Expected a non empty 1-dimensional tensor. Input tensor must be 1-dimensional and "
                           f"non-empty, got {data.dim()} dims  and {data.numel()} numels.")
    return data.numpy().tobytes()


def _opened(content: bytes, what: str) -> Any:
    """The Pillow image in `content`, decoded."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise RuntimeError(f"Image is incomplete or truncated: the input {what} is corrupted ({error})") from None
    return image


def _planes(image: Any) -> np.ndarray:
    """(C, H, W)."""
    pixels = np.asarray(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _upright(planes: np.ndarray, image: Any, apply: bool) -> Any:
    """The image as a Tensor, turned and mirrored as its EXIF orientation says, if that is wanted."""
    orientation = image.getexif().get(0x0112, 1) if apply else 1
    if orientation in (5, 6, 7, 8):
        planes = planes.swapaxes(-1, -2)
    if orientation in (2, 3, 6, 7):
        planes = planes[..., ::-1]
    if orientation in (3, 4, 7, 8):
        planes = planes[..., ::-1, :]
    return as_tensor(np.ascontiguousarray(planes))


# ---- decoders

def decode_image(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Any:
    """The image in the bytes (N,), or in a file given by its path: JPEG, PNG, WebP, or GIF (always RGB; several frames
    make it (F, 3, H, W)). uint8, or uint16 for 16-bit PNG. Errors: RuntimeError for other or damaged contents."""
    if not isinstance(input, torch.Tensor):
        input = read_file(str(input))
    content = _content(input)
    if content.startswith(b"\xff\xd8\xff"):
        return decode_jpeg(input, mode, apply_exif_orientation=apply_exif_orientation)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return decode_png(input, mode, apply_exif_orientation)
    if content.startswith((b"GIF89a", b"GIF87a")):
        return decode_gif(input)
    if content.startswith(b"RIFF") and content[8:15] == b"WEBPVP8":
        return decode_webp(input, mode)
    raise RuntimeError("Unsupported image file. Only jpeg, png, webp and gif are currently supported. For avif and "
                       "heic format, please rely on `decode_avif` and `decode_heic` directly.")


def read_image(path: str | pathlib.Path, mode: Any = ImageReadMode.UNCHANGED,
               apply_exif_orientation: bool = False) -> Any:
    """The image in a file; see `decode_image`."""
    return decode_image(read_file(path), mode, apply_exif_orientation=apply_exif_orientation)


def decode_png(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Any:
    """The PNG image in the bytes (N,): uint8, or uint16 if it has 16 bits. UNCHANGED gives a palette image's
    indices."""
    content, mode = _content(input), _mode(mode)
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise RuntimeError("Content is not png!")
    if len(content) > 24 and content[24] == 16:
        image, planes = _opened(content, "png"), read_deep_png(content)
    else:
        image = _opened(content, "png")
        planes = _png_planes(image, mode)
    return _upright(_with_channels(planes, mode), image, apply_exif_orientation)


def _png_planes(image: Any, mode: ImageReadMode) -> np.ndarray:
    """The 8-bit channels of the file; palettes are looked up unless UNCHANGED."""
    if image.mode == "P" and mode is not ImageReadMode.UNCHANGED:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode == "1":
        image = image.convert("L")
    return _planes(image)


def _with_channels(planes: np.ndarray, mode: ImageReadMode) -> np.ndarray:
    """1 to 4 channels as those that the mode asks for; a missing alpha is opaque."""
    if mode is ImageReadMode.UNCHANGED:
        return planes
    has_alpha = len(planes) in (2, 4)
    opaque = np.full_like(planes[:1], np.iinfo(planes.dtype).max)
    color, alpha = (planes[:-1], planes[-1:]) if has_alpha else (planes, opaque)
    if mode in (ImageReadMode.GRAY, ImageReadMode.GRAY_ALPHA):
        color = _grey(color)
    elif len(color) == 1:
        color = np.repeat(color, 3, 0)
    return np.concatenate([color, alpha]) if mode in (ImageReadMode.GRAY_ALPHA, ImageReadMode.RGB_ALPHA) else color


def _grey(color: np.ndarray) -> np.ndarray:
    """libpng's luma with the weights 0.2989, 0.587 and the rest, in 15-bit fixed point (rounded only for 16 bits);
    greys stay as they are."""
    if len(color) == 1:
        return color
    r, g, b = color.astype(np.uint32)
    rounding = 16384 if color.dtype == np.uint16 else 0
    luma = (r * 9794 + g * 19234 + b * 3740 + rounding) >> 15
    return np.where((r == g) & (r == b), r, luma).astype(color.dtype)[None]


def decode_jpeg(input: Any, mode: Any = ImageReadMode.UNCHANGED, device: Any = "cpu",
                apply_exif_orientation: bool = False) -> Any:
    """The JPEG image in the bytes (N,), or a list of images for a list of bytes; UNCHANGED, GRAY or RGB, uint8.

    `device` must be the CPU: there is no other decoder.
    """
    if torch.device(device).type != "cpu":
        raise RuntimeError(f"decode_jpeg: images are decoded on the CPU, not on {device}")
    if isinstance(input, list):
        if not input:
            raise ValueError("Input list must contain at least one element")
        if not all(isinstance(data, torch.Tensor) for data in input):
            raise ValueError("All elements of the input list must be tensors.")
        return [decode_jpeg(data, mode, device, apply_exif_orientation) for data in input]
    content, mode = _content(input), _mode(mode)
    if not content.startswith(b"\xff\xd8"):
        raise RuntimeError("Not a JPEG file: starts with " + " ".join(f"0x{byte:02x}" for byte in content[:2]))
    if mode in (ImageReadMode.GRAY_ALPHA, ImageReadMode.RGB_ALPHA):
        raise RuntimeError("The provided mode is not supported for JPEG files")
    return _decode_jpeg(content, mode, apply_exif_orientation)


def _decode_jpeg(content: bytes, mode: ImageReadMode, apply_exif_orientation: bool) -> Any:
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content))
        if mode is ImageReadMode.GRAY and image.mode == "RGB":
            image.draft("L", image.size)  # the file's own luma
        image.load()
    except OSError as error:
        raise RuntimeError(f"Image is incomplete or truncated ({error})") from None
    if image.mode == "CMYK":
        planes = _from_cmyk(_planes(image), mode)
    else:
        wanted = _PIL_MODES.get(mode, image.mode)
        planes = _planes(image if image.mode == wanted else image.convert(wanted))
    return _upright(planes, image, apply_exif_orientation)


def _from_cmyk(planes: np.ndarray, mode: ImageReadMode) -> np.ndarray:
    """RGB, or grey, or (UNCHANGED) amounts of light instead of ink, of CMYK."""
    if mode is ImageReadMode.UNCHANGED:
        return 255 - planes
    cmyk = 255 - planes.astype(np.int32)
    rgb = cmyk[:3] * cmyk[3:]
    rgb = (rgb + 128 + (rgb >> 8)) >> 8
    if mode is ImageReadMode.GRAY:
        rgb = (rgb[:1] * 19595 + rgb[1:2] * 38470 + rgb[2:] * 7471 + 32768) >> 16
    return rgb.astype(np.uint8)


def decode_gif(input: Any) -> Any:
    """The GIF in the bytes (N,), always RGB: (3, H, W), or (F, 3, H, W) if it has several frames."""
    from PIL import ImageSequence

    content = _content(input)
    if not content.startswith((b"GIF89a", b"GIF87a")):
        raise RuntimeError("DGifOpenFileName() failed - 103: the content is not a gif")
    frames = [_planes(frame.convert("RGB")) for frame in ImageSequence.Iterator(_opened(content, "gif"))]
    return as_tensor(frames[0] if len(frames) == 1 else np.stack(frames))


def _decode_with_alpha(content: bytes, mode: ImageReadMode, what: str, unchanged: str | None) -> Any:
    """Formats that store RGB or RGBA. `unchanged`: the mode that UNCHANGED means; None is the file's."""
    image = _opened(content, what)
    if mode in (ImageReadMode.GRAY, ImageReadMode.GRAY_ALPHA):
        warnings.warn(f"{what} does not support grayscale conversions. The returned tensor will be in the colorspace "
                      "of the original image.", stacklevel=3)
        mode = ImageReadMode.UNCHANGED
    wanted = _PIL_MODES.get(mode) or unchanged or ("RGBA" if "A" in image.mode else "RGB")
    return as_tensor(_planes(image if image.mode == wanted else image.convert(wanted)))


def decode_webp(input: Any, mode: Any = ImageReadMode.UNCHANGED) -> Any:
    """The WebP image in the bytes (N,), RGB or (if the file or the mode says so) RGB with alpha."""
    content = _content(input)
    if not (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        raise RuntimeError("WebPGetFeatures failed with error code 3: the content is not webp")
    return _decode_with_alpha(content, _mode(mode), "webp", None)


def decode_avif(input: Any, mode: Any = ImageReadMode.UNCHANGED) -> Any:
    """The AVIF image in the bytes (N,). Needs a Pillow with AVIF (11.3 or later)."""
    from PIL import features

    if not features.check("avif"):
        raise RuntimeError("This Pillow cannot read AVIF: `pip install 'pillow>=11.3'`.")
    return _decode_with_alpha(_content(input), _mode(mode), "avif", None)


def decode_heic(input: Any, mode: Any = ImageReadMode.UNCHANGED) -> Any:
    """The HEIC image in the bytes (N,). Needs the package pillow-heif."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise RuntimeError("To read HEIC images, `pip install pillow-heif`.") from None
    register_heif_opener()
    return _decode_with_alpha(_content(input), _mode(mode), "heic", None)


# ---- encoders

def _encoded(image: Any, **options: Any) -> Any:
    from PIL import Image

    if image.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if image.dim() != 3:
        raise RuntimeError("Input data should be a 3-dimensional tensor")
    if image.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {image.shape[0]}")
    pixels = image.numpy()
    picture = Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return as_tensor(np.frombuffer(bytearray(buffer.getvalue()), np.uint8))


def encode_png(input: Any, compression_level: int = 6) -> Any:
    """The bytes (N,) of a PNG of the uint8 image (1 or 3, H, W); compression_level is zlib's, 0 to 9."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encoded(input, format="png", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """The bytes (N,) of a JPEG (4:2:0) of the uint8 image (1 or 3, H, W), or a list of them for a list; quality 1 to
    100."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        if not input:
            raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
        return [encode_jpeg(image, quality) for image in input]
    return _encoded(input, format="jpeg", quality=quality)


def write_png(input: Any, filename: str | pathlib.Path, compression_level: int = 6) -> None:
    """Writes the image to a PNG file; see `encode_png`."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Any, filename: str | pathlib.Path, quality: int = 75) -> None:
    """Writes the image to a JPEG file; see `encode_jpeg`."""
    write_file(filename, encode_jpeg(input, quality))
