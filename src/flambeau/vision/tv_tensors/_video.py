"""`Video`: a Tensor (…, T, C, H, W) that is a sequence of images."""
from __future__ import annotations

from typing import Any

from ._tv_tensor import TVTensor


class Video(TVTensor):
    """A video from data that `torch.as_tensor` takes, of at least four dimensions."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Video:
        tensor = cls._to_tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)
        if tensor.ndim < 4:
            raise ValueError(f"Tensor must be 4D or higher, got {tensor.ndim}D tensor.")
        return cls._with(tensor)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass
