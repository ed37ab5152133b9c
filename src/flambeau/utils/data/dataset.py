"""Data sets: map-style (an index gives a sample), iterable-style (a stream of samples), and sets made of sets."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Sequence

# A base class has to be typing's Iterable: it can stand beside Generic, collections.abc's cannot.
from typing import Any, Generic, Iterable, TypeVar  # noqa: UP035

import flambeau as torch
from flambeau.utils.data._utils import arrays
from flambeau.utils.data._utils.batch import BatchedSamples
from flambeau.utils.data._utils.fetch import makes_batches

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A map-style set: `__getitem__(index)` gives a sample, and `__len__()`, which most samplers need, their number.

    An optional `__getitems__(indices)` gives a list of samples at once; the loader asks it instead. It may be a
    `BatchedSamples` (see _utils/batch.py), which brings the batch that `default_collate` would make of them.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[T_co]) -> ConcatDataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """An iterable-style set: `__iter__()` gives a stream of samples.

    Each worker process iterates its own copy of the set, so a set that should be read once has to give each
    worker its own part (`get_worker_info()` tells which), in `__iter__` or in `worker_init_fn`.
    A set with `state_dict()` and `load_state_dict(state)`, which describe how far its stream has come, resumes by
    them; any other one resumes by reading the samples up to that point again.
    """

    def __add__(self, other: Dataset[T_co]) -> ChainDataset:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple["torch.Tensor", ...]]):
    """Sample i is `(tensors[0][i], tensors[1][i], …)`.

    Shapes: tensors (N, …) each, with the same N. Errors: AssertionError for unequal N.
    """

    tensors: tuple[torch.Tensor, ...]

    def __init__(self, *tensors: torch.Tensor) -> None:
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[torch.Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices: list[int]) -> list[tuple[torch.Tensor, ...]]:
        index = arrays.as_index(indices) if self._is_plain() else None
        if index is None:
            return [self[i] for i in indices]
        batch = [arrays.take(tensor, index) for tensor in self.tensors]
        return BatchedSamples(batch, len(indices), lambda k: self[indices[k]])

    def _makes_batches(self) -> bool:
        return type(self).__getitems__ is TensorDataset.__getitems__ and self._is_plain()

    def _is_plain(self) -> bool:
        """Whether a sample is nothing but elements: a subclass may make others, of the set or of Tensor, and a gradient
        would be recorded otherwise."""
        return type(self).__getitem__ is TensorDataset.__getitem__ and all(map(arrays.is_plain, self.tensors))

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Several sets side by side: sample i holds sample i of each, as a tuple (`*args`) or a dict (`**kwargs`).

    Errors: ValueError for no set, for both forms at once, and for sets of different lengths.
    """

    datasets: tuple | dict

    def __init__(self, *args: Dataset[T_co], **kwargs: Dataset[T_co]) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._parts]
        if len(set(lengths)) > 1:
            raise ValueError("Size mismatch between datasets")
        self._length = lengths[0]

    @property
    def _parts(self) -> list[Dataset]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _join(self, parts: Iterable[Any]) -> tuple | dict:
        """One value for each set, in the form of a sample."""
        return dict(zip(self.datasets, parts)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> tuple | dict:
        return self._join(dataset[index] for dataset in self._parts)

    def __getitems__(self, indices: list) -> list[tuple | dict]:
        columns = [self._column(dataset, indices) for dataset in self._parts]
        if all(isinstance(column, BatchedSamples) and column.collated is not None for column in columns):
            batch = self._join(column.collated for column in columns)
            batch = batch if isinstance(batch, dict) else list(batch)  # as default_collate makes of tuples
            return BatchedSamples(batch, len(indices), lambda k: self._join(column[k] for column in columns))
        return [self._join(row) for row in zip(*columns)]

    def _makes_batches(self) -> bool:
        return type(self).__getitems__ is StackDataset.__getitems__ and all(map(makes_batches, self._parts))

    @staticmethod
    def _column(dataset: Dataset, indices: list) -> list:
        if not callable(getattr(dataset, "__getitems__", None)):
            return [dataset[index] for index in indices]
        items = dataset.__getitems__(indices)
        if len(items) != len(indices):
            raise ValueError(f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}")
        return items

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Map-style sets one after the other.

    Errors: AssertionError for no set or an iterable-style one; ValueError for an index below -len.
    """

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    @staticmethod
    def cumsum(sequence: Iterable) -> list[int]:
        """Running sums of the lengths."""
        return list(itertools.accumulate(map(len, sequence)))

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        super().__init__()
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][idx - before]

    @property
    def cummulative_sizes(self) -> list[int]:
        """Old spelling of `cumulative_sizes`."""
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`", category=FutureWarning, stacklevel=2
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset):
    """Iterable-style sets one after the other. Errors: AssertionError, on use, for a map-style one."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        super().__init__()
        self.datasets = datasets

    def _streams(self) -> Iterable[IterableDataset]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self):
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """The samples of `dataset` at `indices`, in that order.

    Errors: NotImplementedError for a subclass with its own `__getitem__` but not its own `__getitems__`, which the
    loader would ask instead.
    """

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. The loader fetches through __getitems__, "
                "so a subclass of Subset with its own __getitem__ must override that one, too:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        dataset, chosen = self.dataset, [self.indices[i] for i in indices]
        if callable(getattr(dataset, "__getitems__", None)):
            return dataset.__getitems__(chosen)
        return [dataset[i] for i in chosen]

    def _makes_batches(self) -> bool:
        return type(self).__getitems__ is Subset.__getitems__ and makes_batches(self.dataset)

    def __len__(self) -> int:
        return len(self.indices)


def _split_lengths(total: int, fractions: Sequence[float]) -> list[int]:
    """⌊total · fraction⌋ each; what is left goes to the first ones, one to each."""
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=3
            )
    return lengths


def random_split(
    dataset: Dataset[T],
    lengths: Sequence[int | float],
    generator: torch.Generator | None = None,
) -> list[Subset[T]]:
    """Subsets of the given lengths that share out `dataset` at random: one permutation, cut into pieces.

    Args:
        lengths: numbers of samples that sum to len(dataset), or fractions that sum to 1 (rounded down, and what
            is left given to the first subsets, one sample to each).
        generator: where the permutation is drawn from (default: the default generator).

    Errors: ValueError for lengths with another sum, or a fraction outside [0, 1]. Warns of an empty fraction.
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _split_lengths(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = iter(torch.randperm(sum(lengths), generator=generator).tolist())
    return [Subset(dataset, list(itertools.islice(order, length))) for length in lengths]
