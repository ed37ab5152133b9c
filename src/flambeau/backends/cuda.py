"""CUDA's switches."""
from __future__ import annotations

from typing import Any, Callable

from ..nn.functional import attention
from ..xla import backend, precision


class _MatmulSwitches:
    """Precision switches of a GPU's matrix products. allow_tf32: whether float32 ones may use TensorFloat-32, which is another name
    for `torch.set_float32_matmul_precision` "high". The other two are allowed, and mean nothing: half precision is summed in float32."""

    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 products may use TensorFloat-32."""
        return precision.current().matmul != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allowed: Any) -> None:
        precision.set_matmul("high" if allowed else "highest")

    @property
    def fp32_precision(self) -> str:
        """ "tf32" or "ieee": `allow_tf32` by its newer name."""
        return "tf32" if self.allow_tf32 else "ieee"

    @fp32_precision.setter
    def fp32_precision(self, name: str) -> None:
        if name not in ("tf32", "ieee", "none"):
            raise RuntimeError(f"Invalid precision: {name}")
        self.allow_tf32 = name == "tf32"


matmul = _MatmulSwitches()


# ------------------------------------------------------------------ kernels of attention
# `scaled_dot_product_attention` is one program here; it runs unless both "math" and "flash", which PyTorch has on a CPU, are off.

def _kernel(name: str, what: str) -> tuple[Callable[[bool], None], Callable[[], bool]]:
    def enable(enabled: bool) -> None:
        if not isinstance(enabled, bool):
            raise RuntimeError(f"set_sdp_use_{name} expects a bool, but got {type(enabled).__name__}")
        attention.allowed_kernels = attention.allowed_kernels | {name} if enabled else attention.allowed_kernels - {name}

    def is_enabled() -> bool:
        return name in attention.allowed_kernels
    enable.__name__ = enable.__qualname__ = f"enable_{name}_sdp"
    is_enabled.__name__ = is_enabled.__qualname__ = f"{name}_sdp_enabled"
    enable.__doc__ = f"Allows `scaled_dot_product_attention` the {what} kernel, or forbids it."
    is_enabled.__doc__ = f"Whether `scaled_dot_product_attention` may use the {what} kernel; True at first."
    return enable, is_enabled


enable_math_sdp, math_sdp_enabled = _kernel("math", "plain")
enable_flash_sdp, flash_sdp_enabled = _kernel("flash", "flash attention")
enable_mem_efficient_sdp, mem_efficient_sdp_enabled = _kernel("mem_efficient", "memory-efficient")
enable_cudnn_sdp, cudnn_sdp_enabled = _kernel("cudnn", "cuDNN")


def is_flash_attention_available() -> bool:
    """False: XLA has kernels of its own."""
    return False


def is_ck_sdpa_available() -> bool:
    """False: XLA has kernels of its own."""
    return False


def is_built() -> bool:
    """Whether jax has its part for GPUs."""
    return bool(backend.devices("cuda"))
