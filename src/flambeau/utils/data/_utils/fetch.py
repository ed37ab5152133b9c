"""Fetchers: from one index, or one list of indices, to one batch. The same in the main process and in workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.utils.data._utils.collate import collates_as_default


def batch_getter(dataset: Any) -> Callable[[list[int]], Any] | None:
    """`dataset.__getbatch__`, if that is what its class last said about fetching.

    A subclass that overrides `__getitem__` or `__getitems__` below it gives other samples than `__getbatch__` knows of.
    """
    for cls in type(dataset).__mro__:
        if "__getbatch__" in vars(cls):
            return dataset.__getbatch__
        if "__getitem__" in vars(cls) or "__getitems__" in vars(cls):
            return None
    return None


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
    """Looks the indices up: a batch at a time where the set can, else a list of samples, else one by one."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> None:
        super().__init__(dataset, auto_collation, collate_fn, drop_last)
        by_default = auto_collation and collates_as_default(collate_fn)
        self.get_batch = batch_getter(dataset) if by_default else None

    def fetch(self, possibly_batched_index: Any) -> Any:
        if self.get_batch is not None:
            batch = self.get_batch(possibly_batched_index)
            if batch is not NotImplemented:
                return batch
        dataset = self.dataset
        if not self.auto_collation:
            return self.collate_fn(dataset[possibly_batched_index])
        if getattr(dataset, "__getitems__", None):
            return self.collate_fn(dataset.__getitems__(possibly_batched_index))
        return self.collate_fn([dataset[index] for index in possibly_batched_index])
