"""CUDA's switches."""
from __future__ import annotations

from typing import Any

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


def is_built() -> bool:
    """Whether jax has its part for GPUs."""
    return bool(backend.devices("cuda"))
