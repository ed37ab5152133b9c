"""`Image`: a Tensor (…, C, H, W) that is an image."""
from __future__ import annotations

from typing import Any

from ..transforms.functional import _is_pil_image, pil_to_tensor
from ._tv_tensor import TVTensor


class Image(TVTensor):
    """An image from data that `torch.as_tensor` takes, or a PIL image; (H, W) becomes (1, H, W)."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Image:
        if _is_pil_image(data):
            data = pil_to_tensor(data)
        tensor = cls._to_tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)
        if tensor.ndim < 2:
            raise ValueError(f"Tensor must be 2D or higher, got {tensor.ndim}D tensor.")
        return cls._with(tensor.unsqueeze(0) if tensor.ndim == 2 else tensor)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass
