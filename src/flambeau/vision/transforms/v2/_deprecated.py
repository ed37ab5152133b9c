"""v1's `ToTensor`, which v2 still has, with a warning."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import functional as F
from .._functional_pil import _is_pil_image
from ._transform import Transform


class ToTensor(Transform):
    """Use `Compose([ToImage(), ToDtype(torch.float32, scale=True)])`."""

    _transformed_types = (_is_pil_image, np.ndarray)

    def __init__(self) -> None:
        warnings.warn("The transform `ToTensor()` is deprecated and will be removed in a future release. Instead, "
                      "please use "
                      "`v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`.Output is equivalent up to "
                      "float "
                      "precision.", stacklevel=2)
        super().__init__()

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """A float Tensor in [0, 1]."""
        return F.to_tensor(inpt)
