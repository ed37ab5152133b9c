"""`torch.nn.attention`: which kernels `scaled_dot_product_attention` may use."""
from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import Iterator

from ..functional import attention


class SDPBackend(Enum):
    """PyTorch's kernels for attention. Here there is one program for all, which the compiler fuses; it is what MATH and
    FLASH_ATTENTION, the two that PyTorch has on a CPU, stand for."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


_NAMES = {SDPBackend.MATH: "math", SDPBackend.FLASH_ATTENTION: "flash", SDPBackend.EFFICIENT_ATTENTION: "mem_efficient",
          SDPBackend.CUDNN_ATTENTION: "cudnn"}


@contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[None]:
    """Restricts attention to the given kernels within the block. `scaled_dot_product_attention` raises RuntimeError there
    if the CPU has none of them.

    backends: one or a list.  set_priority: their order counts, which it cannot here.
    Errors: AssertionError for anything else.
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, (list, tuple)) or not all(isinstance(b, SDPBackend) for b in chosen):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
                             f"{type(backends).__name__}")
    before = attention.allowed_kernels
    attention.allowed_kernels = {_NAMES[b] for b in chosen if b in _NAMES}
    try:
        yield
    finally:
        attention.allowed_kernels = before


__all__ = ["SDPBackend", "sdpa_kernel"]
