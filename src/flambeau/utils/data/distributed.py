"""DistributedSampler: each of several processes visits its own share of a set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeVar

import flambeau as torch
from flambeau.utils.data.dataset import Dataset
from flambeau.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]

T_co = TypeVar("T_co", covariant=True)


def ask_process_group(query: str) -> int:
    """What the process group answers to "get_world_size" or "get_rank". RuntimeError where there is none."""
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available():
        raise RuntimeError("Requires distributed package to be available")
    return getattr(distributed, query)()


class DistributedSampler(Sampler[T_co]):
    """Every `num_replicas`-th index, beginning with `rank`, of one order that all replicas share.

    The order is a permutation drawn from a generator seeded with `seed + epoch`; call `set_epoch(epoch)` before each
    epoch for another one. All replicas get ⌈n / num_replicas⌉ indices: the order is continued from its beginning
    until it divides, or with `drop_last` its tail is left out.

    Args:
        dataset: what has a length n.
        num_replicas, rank: how many processes, and which one this is (default: asked of the process group).
        shuffle: draw a permutation (default: True); otherwise 0, 1, 2, …
        seed: the same on all replicas (default: 0).
        drop_last: leave out instead of repeating (default: False).

    Errors: ValueError for a rank outside [0, num_replicas); RuntimeError where there is no process group to ask.
    """

    def __init__(
        self,
        dataset: Dataset,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None:
            num_replicas = ask_process_group("get_world_size")
        if rank is None:
            rank = ask_process_group("get_rank")
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        whole, rest = divmod(len(dataset), num_replicas)
        self.num_samples = whole if drop_last or not rest else whole + 1
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[T_co]:
        n = len(self.dataset)
        if self.shuffle:
            generator = torch.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = torch.randperm(n, generator=generator).tolist()
        else:
            order = range(n)
        return itertools.islice(itertools.cycle(order), self.rank, self.total_size, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration: the same number on all replicas, another one each epoch."""
        self.epoch = epoch
