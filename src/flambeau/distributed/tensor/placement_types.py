"""How a tensor lies on the processes of a mesh."""
from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Placement", "Replicate", "Shard"]


class Placement:
    """Base of the ways in which a tensor can lie on the processes along one dimension of a mesh."""

    def is_shard(self, dim: int | None = None) -> bool:
        """Whether each process has a part (along `dim`)."""
        return isinstance(self, Shard) and dim in (None, self.dim)

    def is_replicate(self) -> bool:
        """Whether each process has all of it."""
        return isinstance(self, Replicate)

    def is_partial(self) -> bool:
        """Whether each process has a summand of it."""
        return False


@dataclass(frozen=True)
class Shard(Placement):
    """Each process has a part along the dimension `dim`: the first ones ceil(n / processes) rows, the last ones fewer or none."""

    dim: int


@dataclass(frozen=True)
class Replicate(Placement):
    """Each process has all of it."""
