"""Samplers: in which order the elements of a map-style set are visited.

Each draws from the generator, in the order and number, that PyTorch's sampler of that name draws,
and as late: an order is drawn when its first index is asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

import flambeau as torch

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)

# RandomSampler draws this many indices at a time when it draws with replacement.
REPLACEMENT_BLOCK = 32


def draw_seed(generator: torch.Generator | None = None) -> int:
    """`torch.empty((), dtype=torch.int64).random_(generator=generator)`: two words, high one first, less the sign."""
    high, low = (torch.default_generator if generator is None else generator).words(2).tolist()
    return (high << 32 | low) & (1 << 63) - 1


def _check_positive_int(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value}")


class Sampler(Generic[T_co]):
    """Base of the samplers: `__iter__` gives indices or lists of indices, `__len__`, if there is one, their number."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, …, len(data_source) - 1."""

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A shuffled order, or draws with replacement.

    Args:
        data_source: what has a length n; indices come from [0, n).
        replacement: draw each index independently (default: False, a permutation).
        num_samples: how many indices (default: n). Without replacement, more than n are several permutations.
        generator: where to draw from. Default: an own generator, seeded by one draw from the default generator.

    Errors: TypeError unless `replacement` is a bool; ValueError unless `num_samples` is positive.
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices one iteration gives; follows the length of the set where it was not given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        generator = self.generator
        if generator is None:
            seed = draw_seed()
            generator = torch.Generator()
            generator.manual_seed(seed)
        yield from self._draws(generator) if self.replacement else self._permutations(generator)

    def _draws(self, generator: torch.Generator) -> Iterator[int]:
        n, whole_blocks, rest = len(self.data_source), *divmod(self.num_samples, REPLACEMENT_BLOCK)
        for size in [*itertools.repeat(REPLACEMENT_BLOCK, whole_blocks), rest]:
            yield from torch.randint(high=n, size=(size,), dtype=torch.int64, generator=generator).tolist()

    def _permutations(self, generator: torch.Generator) -> Iterator[int]:
        n = len(self.data_source)
        whole, rest = divmod(self.num_samples, n)
        for _ in range(whole):
            yield from torch.randperm(n, generator=generator).tolist()
        # Drawn even when nothing is left to give: the generator goes on to its next user.
        yield from torch.randperm(n, generator=generator).tolist()[:rest]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in a random order.

    Args:
        indices: a sequence of indices.
        generator: where the permutation is drawn from (default: the default generator).
    """

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: torch.Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in torch.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn in proportion to weights (one `torch.multinomial`).

    Args:
        weights: a 1-D sequence of weights ≥ 0, kept as float64; they need not sum to one.
        num_samples: how many to draw.
        replacement: whether an index may come again (default: True).
        generator: where to draw from (default: the default generator).

    Errors: ValueError unless `num_samples` is a positive int, `replacement` a bool and `weights` 1-D.
    """

    weights: torch.Tensor
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_positive_int("num_samples", num_samples)
        _check_bool("replacement", replacement)
        weights_tensor = torch.as_tensor(weights, dtype=torch.double)
        if len(weights_tensor.shape) != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(weights_tensor.shape)}"
            )
        self.weights = weights_tensor
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from torch.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        ).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; the last one may be shorter, unless `drop_last`.

    Args:
        sampler: any iterable of indices; `len()` needs its length.
        batch_size: a positive int.
        drop_last: leave out a last, shorter batch.
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_positive_int("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1
