"""What the communication hooks of DistributedDataParallel are given."""
from __future__ import annotations

from typing import Sequence

from ..tensor.tensor import Tensor


class GradBucket:
    """The gradients of some parameters, one after another in one tensor of one dimension."""

    def __init__(self, index: int, buffer: Tensor, parameters: Sequence[Tensor], is_last: bool) -> None:
        self._index, self._buffer, self._parameters, self._is_last = index, buffer, list(parameters), is_last

    def index(self) -> int:
        """The bucket's number; 0 holds the last layers' gradients."""
        return self._index

    def buffer(self) -> Tensor:
        """The gradients; they have not been divided by the number of processes."""
        return self._buffer

    def set_buffer(self, buffer: Tensor) -> None:
        """Puts others in their place."""
        self._buffer = buffer

    def gradients(self) -> list[Tensor]:
        """Views of the buffer, one for each parameter."""
        parts = self._buffer.split([p.shape.numel() for p in self._parameters])  # type: ignore[attr-defined]
        return [part.view(p.shape) for part, p in zip(parts, self._parameters)]

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of the buffer."""
        return list(self._parameters)

    def is_last(self) -> bool:
        """Whether no other bucket comes after it."""
        return self._is_last
