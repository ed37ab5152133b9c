"""How `linear_cross_entropy` may be cut into chunks."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...dtypes import dtype


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """What PyTorch asks for to save memory in `linear_cross_entropy`. Here the loss is one recorded call whose logits the
    compiler places, so that these change nothing.

    allow_retain_graph: whether backward may run twice.  batch_chunk_size: samples in a chunk.
    chunking_method: how that size is chosen.  acc_policy, acc_dtype: what gradients are summed in.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: Literal["accurate", "balanced", "compact", "auto"] = "auto"
    acc_dtype: dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in ("auto", "accurate", "balanced", "compact"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        name, _, factor = (self.chunking_method or "auto").partition(":")
        if name not in ("auto", "aspect_ratio") or factor and (name == "auto" or not factor.isdigit() or int(factor) < 1):
            raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and self.acc_dtype.kind != "f":
            raise ValueError("acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                             f"{self.acc_dtype!r}.")
