"""What products of float32 numbers may be rounded to on a device. The CPU's own programs always use full float32."""
from __future__ import annotations

from typing import NamedTuple


class Precision(NamedTuple):
    """matmul: "highest" (float32), "high" (TensorFloat-32, or three bfloat16 products on a TPU) or "medium" (the fastest).
    convolution: "highest" or "high"."""

    matmul: str = "highest"
    convolution: str = "high"


_current = Precision()


def current() -> Precision:
    """What programs are compiled for now."""
    return _current


def set_matmul(name: str) -> None:
    """See `torch.set_float32_matmul_precision`."""
    global _current
    _current = _current._replace(matmul=name)


def set_convolution_tf32(allowed: bool) -> None:
    """See `torch.backends.cudnn.allow_tf32`."""
    global _current
    _current = _current._replace(convolution="high" if allowed else "highest")
