"""`KeyPoints`: a Tensor (…, 2) of points (x, y), with the size of the image they are in."""
from __future__ import annotations

from typing import Any

from ._tv_tensor import TVTensor


class KeyPoints(TVTensor):
    """Points from data that `torch.as_tensor` takes; one point (2,) becomes (1, 2). canvas_size: (height, width)."""

    _metadata = ("canvas_size",)
    canvas_size: tuple[int, int]

    def __new__(cls, data: Any, *, canvas_size: tuple[int, int], dtype: Any = None, device: Any = None,
                requires_grad: bool | None = None) -> KeyPoints:
        tensor = cls._to_tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)
        if tensor.ndim == 1:
            tensor = tensor.unsqueeze(0)
        elif tensor.shape[-1] != 2:
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tensor.shape}")
        return cls._with(tensor, canvas_size=canvas_size)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass
