"""Fetchers: from one index, or one list of indices, to one batch. The same in the main process and in workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.utils.data._utils.batch import BatchedSamples
from flambeau.utils.data._utils.collate import collates_as_default


def makes_batches(dataset: Any) -> bool:
    """Whether fetching from `dataset` is copying from arrays: its `__getitems__` gives `BatchedSamples`, calls nobody's
    code and draws, if at all, from PyTorch's default generator. A set says so by a method `_makes_batches()`."""
    tell = getattr(dataset, "_makes_batches", None)
    return tell is not None and tell()


def keeps_state(dataset: Any) -> bool:
    """Whether `dataset` tells how far its stream has come, and can go back there."""
    return hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict")


class _BaseDatasetFetcher:
    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last

    def fetch(self, possibly_batched_index: Any) -> Any:
        raise NotImplementedError


class _IterableDatasetFetcher(_BaseDatasetFetcher):
    """Takes as many samples from the stream as there are indices. StopIteration at its end."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> None:
        super().__init__(dataset, auto_collation, collate_fn, drop_last)
        self.dataset_iter = iter(dataset)
        self.ended = False
        self.samples = 0

    def fetch(self, possibly_batched_index: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            sample = next(self.dataset_iter)
            self.samples += 1
            return self.collate_fn(sample)
        wanted = len(possibly_batched_index)
        batch = self._take(wanted)
        if not batch or (self.drop_last and len(batch) < wanted):
            raise StopIteration
        return self.collate_fn(batch)

    def _take(self, count: int) -> list:
        samples = []
        for _ in range(count):
            try:
                samples.append(next(self.dataset_iter))
            except StopIteration:
                self.ended = True
                break
            self.samples += 1
        return samples

    def skip(self, count: int) -> None:
        """Read `count` samples and drop them, one by one."""
        for _ in range(count):
            if not self._take(1):
                break


class _MapDatasetFetcher(_BaseDatasetFetcher):
    """Looks the indices up, all at once where the set can."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> None:
        super().__init__(dataset, auto_collation, collate_fn, drop_last)
        self.takes_collated = collates_as_default(collate_fn)

    def fetch(self, possibly_batched_index: Any) -> Any:
        dataset = self.dataset
        if not self.auto_collation:
            samples = dataset[possibly_batched_index]
        elif getattr(dataset, "__getitems__", None):
            samples = dataset.__getitems__(possibly_batched_index)
            if self.takes_collated and type(samples) is BatchedSamples and samples.collated is not None:
                return samples.collated
        else:
            samples = [dataset[index] for index in possibly_batched_index]
        return self.collate_fn(samples)
