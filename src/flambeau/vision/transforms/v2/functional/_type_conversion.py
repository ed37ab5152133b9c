"""Between PIL images, arrays, Tensors and Images."""
from __future__ import annotations

from typing import Any

import numpy as np

import flambeau as torch

from .... import tv_tensors
from ..._arrays import as_tensor
from ...functional import _is_pil_image, pil_to_tensor, to_pil_image


def to_image(inpt: Any) -> Any:
    """A Tensor (…, C, H, W), ndarray (H, W, C) or PIL image as an Image; values and dtype stay as they are."""
    if isinstance(inpt, np.ndarray):
        inpt = as_tensor(np.array(np.atleast_3d(inpt).transpose(2, 0, 1), order="C"))
    elif _is_pil_image(inpt):
        inpt = pil_to_tensor(inpt)
    elif not isinstance(inpt, torch.Tensor):
        raise TypeError("Input can either be a pure Tensor, a numpy array, or a PIL image, "
                        f"but got {type(inpt)} instead.")
    return tv_tensors.Image(inpt)


__all__ = ["pil_to_tensor", "to_image", "to_pil_image"]
