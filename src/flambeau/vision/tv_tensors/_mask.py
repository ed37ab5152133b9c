"""`Mask`: a Tensor (…, H, W) of masks, of classes (segmentation) or one for each object (detection)."""
from __future__ import annotations

from typing import Any

from ..transforms.functional import _is_pil_image, pil_to_tensor
from ._tv_tensor import TVTensor


class Mask(TVTensor):
    """Masks from data that `torch.as_tensor` takes, or a PIL image."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Mask:
        if _is_pil_image(data):
            data = pil_to_tensor(data)
        return cls._with(cls._to_tensor(data, dtype=dtype, device=device, requires_grad=requires_grad))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass
