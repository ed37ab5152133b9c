"""Functions of v1 that v2 still has, with a warning."""
from __future__ import annotations

import warnings
from typing import Any

from ... import functional as F


def to_tensor(inpt: Any) -> Any:
    """`transforms.functional.to_tensor`; use `to_image` and `to_dtype(…, scale=True)`."""
    warnings.warn("The function `to_tensor(...)` is deprecated and will be removed in a future release. Instead, "
                  "please use "
                  "`to_image(...)` followed by `to_dtype(..., dtype=torch.float32, scale=True)`.", stacklevel=2)
    return F.to_tensor(inpt)


def get_image_size(inpt: Any) -> list[int]:
    """[width, height]; use `get_size`, which is [height, width]."""
    warnings.warn("The function `get_image_size(...)` is deprecated and will be removed in a future release. Instead, "
                  "please "
                  "use `get_size(...)` which returns `[h, w]` instead of `[w, h]`.", stacklevel=2)
    return F.get_image_size(inpt)
