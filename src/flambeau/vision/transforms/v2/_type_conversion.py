"""Between PIL images, arrays, Tensors and Images."""
from __future__ import annotations

from typing import Any

import numpy as np

import flambeau as torch

from ... import tv_tensors
from .._functional_pil import _is_pil_image
from . import functional as F
from ._transform import Transform
from ._utils import is_pure_tensor


class PILToTensor(Transform):
    """PIL images as Tensors (C, H, W) of the same values."""

    _transformed_types = (_is_pil_image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The Tensor."""
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """Tensors, PIL images and ndarrays as Images of the same values."""

    _transformed_types = (is_pure_tensor, _is_pil_image, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The Image."""
        return F.to_image(inpt)


class ToPILImage(Transform):
    """Tensors, Images and ndarrays as PIL images of a mode; see `functional.to_pil_image`."""

    _transformed_types = (is_pure_tensor, tv_tensors.Image, np.ndarray)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The PIL image."""
        plain = inpt.as_subclass(torch.Tensor) if isinstance(inpt, tv_tensors.TVTensor) else inpt
        return F.to_pil_image(plain, mode=self.mode)


class ToPureTensor(Transform):
    """TVTensors as plain Tensors."""

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The Tensor."""
        return inpt.as_subclass(torch.Tensor)
