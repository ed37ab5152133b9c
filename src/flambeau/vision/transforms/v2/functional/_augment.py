"""Augmentations that do not move pixels."""
from __future__ import annotations

import io
from typing import Any

import flambeau as torch

from ....io import decode_jpeg, encode_jpeg
from ...functional import pil_to_tensor, to_pil_image
from ._utils import call, register


def erase(inpt: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """The image with the window at row i, column j of size (h, w) set to `v`."""
    return call(erase, inpt, i=i, j=j, h=h, w=w, v=v, inplace=inplace)


def erase_image(image: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """`erase` on a Tensor (…, C, H, W)."""
    image = image if inplace else image.clone()
    image[..., i:i + h, j:j + w] = v
    return image


def _erase_pil(image: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    return to_pil_image(erase_image(pil_to_tensor(image), i, j, h, w, v), mode=image.mode)


erase_video = erase_image
register(erase, image=erase_image, pil=_erase_pil)


def jpeg(image: Any, quality: int) -> Any:
    """The image after JPEG compression with this quality (1 to 100), uint8 with 1 or 3 channels."""
    return call(jpeg, image, quality=quality)


def jpeg_image(image: Any, quality: int) -> Any:
    """`jpeg` on a Tensor (…, C, H, W)."""
    images = image.reshape((-1, *image.shape[-3:]))
    if images.shape[0] == 0:
        return image.clone()
    return torch.stack([decode_jpeg(encode_jpeg(one, quality=quality)) for one in images]).reshape(image.shape)


def _jpeg_pil(image: Any, quality: int) -> Any:
    from PIL import Image

    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return Image.open(buffer).copy()


jpeg_video = jpeg_image
register(jpeg, image=jpeg_image, pil=_jpeg_pil)
