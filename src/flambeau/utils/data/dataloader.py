"""DataLoader: batches of a set, in the order of a sampler, made here or by workers.

`DataLoader` holds the arguments; each epoch is an iterator: `_SingleProcessDataLoaderIter`, or
`_MultiProcessingDataLoaderIter`, which hands tasks (lists of indices) to a pool of workers, a few ahead, and their
batches out in order.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import flambeau as torch
from flambeau.utils.data._utils.collate import collates_as_default, default_collate, default_convert
from flambeau.utils.data._utils.exception import ExceptionWrapper
from flambeau.utils.data._utils.fetch import (
    _IterableDatasetFetcher,
    _MapDatasetFetcher,
    keeps_state,
    makes_batches,
)
from flambeau.utils.data._utils.options import (
    check_iterable_options,
    check_sampler_options,
    check_worker_options,
    checked_context,
    worker_kind,
)
from flambeau.utils.data._utils.pin_memory import pin_memory
from flambeau.utils.data._utils.resume import Progress, SamplerStreams, capture, program_streams
from flambeau.utils.data._utils.worker import (
    Place,
    ReportRequest,
    Task,
    WorkerPlan,
    _IterableDatasetStopIteration,
    _ResumeIteration,
    get_worker_info,
)
from flambeau.utils.data.dataset import Dataset, IterableDataset
from flambeau.utils.data.distributed import DistributedSampler
from flambeau.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    draw_seed,
)

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

STATE_VERSION = 1


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind: int, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> Any:
        fetcher = _MapDatasetFetcher if kind == _DatasetKind.Map else _IterableDatasetFetcher
        return fetcher(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler):
    """None, for ever: an iterable-style set needs to be asked, but not for anything."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


# What samplers draw from. Another sampler may draw from anything.
_DRAW_NOTHING = {BatchSampler, DistributedSampler, SequentialSampler, _InfiniteConstantSampler}
_DRAW_FROM_GENERATORS = _DRAW_NOTHING | {RandomSampler, SubsetRandomSampler, WeightedRandomSampler}


def _cpu_count() -> int | None:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


class DataLoader(Generic[T_co]):
    """Batches of `dataset`, an iterable.

    Args:
        dataset: a map-style set, or an `IterableDataset`.
        batch_size: samples in a batch (default: 1). None: no batches, each sample by itself.
        shuffle: a new random order each epoch (default: False).
        sampler: an iterable of indices, instead of `shuffle`.
        batch_sampler: an iterable of lists of indices, instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: how many workers fetch batches ahead (default: 0: the program does, when it asks for one).
        collate_fn: a batch from a list of samples (default: `default_collate`; without batches `default_convert`).
        pin_memory: copy batches to pinned memory. Without an accelerator this has no effect, and warns.
        drop_last: leave out a last, shorter batch (default: False).
        timeout: seconds to wait for a batch of a worker before a RuntimeError (default: 0, no limit).
        worker_init_fn: called in each worker with its number, after seeding and before the first batch.
        multiprocessing_context: a start method ("fork", "spawn", "forkserver") or a context of `multiprocessing`.
        generator: where the order and the workers' base seed are drawn from (default: the default generator).
        prefetch_factor: how many batches each worker is ahead (default: 2 with workers).
        persistent_workers: keep the workers for the next epoch (default: False).
        pin_memory_device: deprecated, without effect.
        in_order: hand out batches in order (default: True), or as soon as they come.
        worker: "process", or "thread", where the set's work releases the GIL: nothing is copied between them, and
            an iterable-style set is copied shallowly for each. flambeau's own. Default: the environment variable
            FLAMBEAU_WORKERS, else processes; but none where fetching is copying from arrays (a TensorDataset), which
            the program does faster itself, with the draws that the workers would make.

    For one seed, batches are PyTorch's: each epoch draws a base seed; worker i seeds its streams with base seed + i.

    Errors: ValueError for arguments that contradict each other. An exception in a worker is raised here, of
    the same class, with its traceback in its message; a worker that dies is a RuntimeError.
    """

    dataset: Dataset[T_co]
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Sampler | Iterable
    pin_memory_device: str
    prefetch_factor: int | None
    _iterator: _BaseDataLoaderIter | None
    __initialized = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        worker: str | None = None,
    ) -> None:
        check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers)
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.worker = worker_kind(worker, multiprocessing_context)
        self.in_order = in_order

        is_iterable = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if is_iterable else _DatasetKind.Map
        if is_iterable:
            check_iterable_options(shuffle, sampler, batch_sampler)
        shuffle = bool(shuffle)
        check_sampler_options(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            if is_iterable:
                sampler = _InfiniteConstantSampler()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self._progress: Progress | None = None
        self._loaded_state: dict | None = None
        self._IterableDataset_len_called: int | None = None
        self._iterator = None
        self.__initialized = True
        self.check_worker_number_rationality()

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    def _worker_kind(self) -> str:
        """What workers are. Unless it has been said, nobody if none can do it faster, or notice."""
        copies = (
            self._dataset_kind == _DatasetKind.Map
            and self._auto_collation
            and collates_as_default(self.collate_fn)
            and self.worker_init_fn is None
            and makes_batches(self.dataset)
        )
        return self.worker or ("inline" if copies else "process")

    @property
    def multiprocessing_context(self) -> Any:
        """The context that workers are started in; None: the default one."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, multiprocessing_context: Any) -> None:
        self.__multiprocessing_context = checked_context(multiprocessing_context, self.num_workers)

    def __setattr__(self, attr: str, val: Any) -> None:
        if self.__initialized and attr in (
            "batch_size",
            "batch_sampler",
            "sampler",
            "drop_last",
            "dataset",
            "persistent_workers",
        ):
            raise ValueError(f"{attr} attribute should not be set after {self.__class__.__name__} is initialized")
        super().__setattr__(attr, val)

    def __iter__(self) -> _BaseDataLoaderIter:
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        iterator = self._iterator
        if iterator is not None and iterator._can_go_on() and self._loaded_state is None:
            iterator._reset(self)
            return iterator
        if iterator is not None:
            iterator._shutdown_workers()
        self._iterator = self._get_iterator()
        return self._iterator

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        """What an epoch's indices come from: lists of them with batches, else single ones."""
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        """The number of batches; for an iterable-style set as its `__len__` says, which workers may not keep to."""
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn when there are to be more workers than CPUs that this process may use."""
        cpus = _cpu_count()
        if not self.num_workers or (cpus is not None and self.num_workers <= cpus):
            return
        if cpus is None:
            suggestion = "DataLoader is not able to compute a suggested max number of worker in current system."
        else:
            unaware = "" if hasattr(os, "sched_getaffinity") else " (`cpuset` is not taken into account)"
            suggestion = (
                f"Our suggested max number of worker in current system is {cpus}{unaware}, which is smaller "
                "than what this DataLoader is going to create."
            )
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. {suggestion} "
            "Please be aware that excessive worker creation might get DataLoader running slow or even freeze, "
            "lower the worker number to avoid potential slowness/freeze if necessary.",
            stacklevel=2,
        )

    # ---- resuming

    def state_dict(self) -> dict[str, Any]:
        """Where the newest epoch of this loader is, as plain data that can be saved.

        A loader made with the same arguments that loads it goes on with the batch after the last one handed out: the
        same batches in the same order, the workers' random draws included. Between two epochs it goes on with the
        next one. flambeau's own.

        The program's random streams (`torch.get_rng_state()`, …) are not in it: where samples are made without
        workers and with random draws, save these as well. A sampler that draws from them in the midst of an epoch
        is not repeated.
        """
        if self._loaded_state is not None:
            return self._loaded_state
        progress = self._progress or Progress(finished=True)
        return {
            "version": STATE_VERSION,
            "kind": self._dataset_kind,
            "num_workers": self.num_workers,
            "generators": self._sampler_streams.explicit_states(),
            "dataset": self.dataset.state_dict() if self._dataset_tells_state else None,
            **progress.as_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on, in the next iteration, from a `state_dict()`.

        Errors: ValueError for a state of another version or kind of set, or, of an iterable-style set in the midst of
        an epoch, of another number of workers. A map-style set may get another number; the workers' random draws then
        begin anew.
        """
        if state_dict.get("version") != STATE_VERSION:
            raise ValueError(f"not the state of a DataLoader that this version can load: {state_dict.get('version')!r}")
        if state_dict["kind"] != self._dataset_kind:
            raise ValueError("the state is of a DataLoader of another kind of dataset (map-style, iterable-style)")
        under_way = not state_dict["finished"]
        if under_way and state_dict["num_workers"] != self.num_workers and self._dataset_kind == _DatasetKind.Iterable:
            raise ValueError(
                f"an epoch of an IterableDataset that {state_dict['num_workers']} workers have begun cannot be "
                f"continued by {self.num_workers}: each has its own part of the stream"
            )
        self._loaded_state = state_dict
        if not under_way:
            self._sampler_streams.set_explicit_states(state_dict["generators"])

    def _take_loaded_state(self) -> dict | None:
        """The state to go on from, once."""
        state, self._loaded_state = self._loaded_state, None
        if state is not None and state["finished"] and not self.persistent_workers:
            return None
        return state

    @property
    def _dataset_tells_state(self) -> bool:
        return self.num_workers == 0 and keeps_state(self.dataset)

    @property
    def _sampler_streams(self) -> SamplerStreams:
        samplers = [self._index_sampler]
        while getattr(samplers[-1], "sampler", None) is not None and len(samplers) < 8:
            samplers.append(samplers[-1].sampler)
        generators = [getattr(holder, "generator", None) for holder in (self, *samplers)]
        own = {id(g): g for g in generators if g is not None and g is not torch.default_generator}
        kinds = {type(sampler) for sampler in samplers}
        return SamplerStreams(list(own.values()), not kinds <= _DRAW_NOTHING, not kinds <= _DRAW_FROM_GENERATORS)


class _BaseDataLoaderIter:
    """One epoch of a loader."""

    def __init__(self, loader: DataLoader) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._pin_memory = _can_pin(loader)
        self._timeout = loader.timeout
        self._collate_fn = loader.collate_fn
        self._persistent_workers = loader.persistent_workers
        self._resumed = loader._take_loaded_state()
        self._open_epoch(loader)
        self._base_seed = self._resumed["base_seed"] if self._resumed else draw_seed(loader.generator)
        self._progress.base_seed = self._base_seed

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def _reset(self, loader: DataLoader, first_iter: bool = False) -> None:
        """Begin another epoch."""
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        self._resumed = None
        self._open_epoch(loader)
        self._progress.base_seed = self._base_seed

    def _open_epoch(self, loader: DataLoader) -> None:
        """Ask the sampler for its iterator, and go to the place that is resumed from."""
        state, streams = self._resumed, loader._sampler_streams
        self._num_yielded = 0
        self._progress = loader._progress = Progress()
        if state is None or state["finished"]:
            self._progress.at_iter = streams.capture()
            self._sampler_iter = itertools.chain(self._progress.noted_first(streams), iter(self._index_sampler))
            return
        self._progress = loader._progress = Progress.from_state(state)
        self._num_yielded = state["yielded"]
        with streams.replay(state["at_iter"]):
            indices = iter(self._index_sampler)
        if state["drawn"] == 0:
            indices = itertools.chain(self._progress.noted_first(streams), indices)
        elif self._dataset_kind == _DatasetKind.Map:
            with streams.replay(state["at_first"]):
                for task in range(state["passed"]):
                    self._pass(task, next(indices))
                drawn_ahead = list(itertools.islice(indices, state["drawn"] - state["passed"]))
            indices = itertools.chain(drawn_ahead, indices)
        self._sampler_iter = indices
        streams.set_explicit_states(state["generators"])

    def _pass(self, task: int, index: Any) -> None:
        """While resuming: task number `task` was done."""

    def _next_index(self) -> Any:
        self._progress.drawn += 1
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        try:
            data = self._next_data()
        except StopIteration:
            self._progress.finished = True
            raise
        self._num_yielded += 1
        self._progress.yielded = self._num_yielded
        length = self._IterableDataset_len_called
        if length is not None and self._dataset_kind == _DatasetKind.Iterable and self._num_yielded > length:
            self._warn_of_length(length)
        return data

    def _warn_of_length(self, length: int) -> None:
        message = (
            f"Length of IterableDataset {self._dataset} was reported to be {length}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._num_workers > 0:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly configuring the "
                "IterableDataset replica at each worker. Please see "
                "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
            )
        warnings.warn(message, stacklevel=3)

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", self.__class__.__name__)


def _can_pin(loader: DataLoader) -> bool:
    if not loader.pin_memory:
        return False
    if loader.pin_memory_device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{loader.pin_memory_device}'.",
            stacklevel=4,
        )
    if torch.accelerator.is_available():
        return True
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, "
        "then device pinned memory won't be used.",
        stacklevel=4,
    )
    return False


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches a batch when it is asked for one."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        if self._num_workers != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires num_workers == 0")
        self._dataset_fetcher = self._make_fetcher(loader)

    def _make_fetcher(self, loader: DataLoader) -> Any:
        create = functools.partial(
            _DatasetKind.create_fetcher,
            self._dataset_kind,
            self._dataset,
            self._auto_collation,
            self._collate_fn,
            self._drop_last,
        )
        state, progress = self._resumed, self._progress
        if state is not None and state["dataset"] is not None:
            self._dataset.load_state_dict(state["dataset"])
        if self._dataset_kind == _DatasetKind.Map or loader._dataset_tells_state:
            return create()
        if state is None:
            progress.at_fetcher = capture(program_streams())
            return create()
        with loader._sampler_streams.replay(progress.at_fetcher):
            fetcher = create()
            fetcher.skip(progress.drawn * (loader.batch_size or 1))
        return fetcher

    def _next_data(self) -> Any:
        index = self._next_index()
        self._progress.passed = self._progress.drawn
        data = self._dataset_fetcher.fetch(index)
        return pin_memory(data) if self._pin_memory else data


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Hands tasks to workers in turn, `prefetch_factor` ahead for each, and takes batches in the order of the tasks."""

    _shutdown = True  # until there are workers

    def __init__(self, loader: DataLoader) -> None:
        self._in_order = loader.in_order
        self._prefetch_factor = loader.prefetch_factor
        super().__init__(loader)
        if self._num_workers <= 0:
            raise AssertionError("num_workers must be greater than 0 for MultiProcessingDataLoaderIter")
        if self._prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._pool = self._start_workers(loader)
        self._workers = self._pool.workers
        self._shutdown = False
        self._reset(loader, first_iter=True)

    def _start_workers(self, loader: DataLoader) -> Any:
        # Here, so that a program without workers does not import multiprocessing.
        from flambeau.utils.data._utils.pool import InlinePool, ProcessPool, ThreadPool

        pool = {"process": ProcessPool, "thread": ThreadPool, "inline": InlinePool}[loader._worker_kind()]
        create_fetcher = functools.partial(
            _DatasetKind.create_fetcher,
            self._dataset_kind,
            auto_collation=self._auto_collation,
            collate_fn=self._collate_fn,
            drop_last=self._drop_last,
        )
        plans = [
            WorkerPlan(
                create_fetcher=create_fetcher,
                dataset=self._dataset,
                is_iterable=self._dataset_kind == _DatasetKind.Iterable,
                base_seed=self._base_seed,
                init_fn=loader.worker_init_fn,
                num_workers=self._num_workers,
                worker_id=worker_id,
                place=self._place(worker_id),
            )
            for worker_id in range(self._num_workers)
        ]
        return pool(plans, loader.multiprocessing_context)

    # ---- the place in the epoch

    def _open_epoch(self, loader: DataLoader) -> None:
        self._repeat: list[list] = [[] for _ in range(self._num_workers)]
        super()._open_epoch(loader)
        progress = self._progress
        if len(progress.reports) != self._num_workers:
            progress.reports = [None] * self._num_workers
            progress.tasks = [0] * self._num_workers
            progress.next_worker = 0

    def _pass(self, task: int, index: Any) -> None:
        """A worker has to repeat what it did after its last report, to have its streams where they were."""
        round_, worker = divmod(task, self._num_workers)
        reports = self._resumed["reports"]
        if self._in_order and len(reports) == self._num_workers and reports[worker]:
            if round_ >= reports[worker]["tasks"]:
                self._repeat[worker].append(index)

    def _place(self, worker: int) -> Place:
        """Where a worker begins its first epoch."""
        state = self._resumed
        if state is None or len(state["reports"]) != self._num_workers or not state["reports"][worker]:
            return Place()
        report = state["reports"][worker]
        if state["finished"]:
            return Place({"streams": report["streams"], "tasks": 0, "dataset": report.get("dataset")})
        if self._dataset_kind == _DatasetKind.Iterable:
            index = next(iter(self._index_sampler))
            return Place(report, (index,) * (state["tasks"][worker] - report["tasks"]))
        return Place(report, tuple(self._repeat[worker]))

    def _reset(self, loader: DataLoader, first_iter: bool = False) -> None:
        if self._resumed is None or not first_iter:
            super()._reset(loader, first_iter)
        workers = range(self._num_workers)
        self._send_idx = self._progress.passed
        self._passed_ahead = set(self._progress.ahead)
        self._task_info: dict[int, int] = {}  # number → worker, of the tasks that workers have
        self._workers_status = [True for _ in workers]  # whether its stream goes on
        self._workers_num_tasks = [0 for _ in workers]
        self._turns = itertools.islice(itertools.cycle(workers), self._progress.next_worker, None)
        if not first_iter:
            self._collect_reports(_ResumeIteration())
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _collect_reports(self, request: Any) -> None:
        """Ask all workers; what they were still at for the epoch before is dropped."""
        for worker in range(self._num_workers):
            self._pool.send(worker, request)
        for worker in range(self._num_workers):
            while True:
                _, result = self._pool.receive((worker,))
                if isinstance(result.data, type(request)):
                    break
            self._progress.reports[worker] = result.report

    # ---- tasks and batches

    def _try_put_index(self) -> None:
        """Give the next task, if there is one, to the worker whose turn it is."""
        try:
            index = self._next_index()
            while self._send_idx in self._passed_ahead:
                index = self._next_index()
                self._send_idx += 1
        except StopIteration:
            return
        worker = self._next_worker()
        if worker is None:
            return
        self._pool.send(worker, Task(self._send_idx, index))
        self._task_info[self._send_idx] = worker
        self._workers_num_tasks[worker] += 1
        self._send_idx += 1

    def _next_worker(self) -> int | None:
        active = sum(self._workers_status)
        for worker in itertools.islice(self._turns, self._num_workers):
            if not self._workers_status[worker]:
                continue
            # Out of order, a slow worker is not given more than its share.
            if self._in_order or self._workers_num_tasks[worker] < self._prefetch_factor * self._num_workers // active:
                return worker
        return None

    def _get_data(self) -> tuple[int, Any]:
        """(worker, its result), of the worker that has the next task."""
        awaited = itertools.islice(self._task_info.values(), 1 if self._in_order else None)
        answer = self._pool.receive(awaited, self._timeout)
        if answer is None:
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        return answer

    def _next_data(self) -> Any:
        while self._task_info:
            worker, result = self._get_data()
            del self._task_info[result.number]
            self._workers_num_tasks[worker] -= 1
            if not isinstance(result.data, _IterableDatasetStopIteration):
                return self._process_data(result, worker)
            self._mark_worker_as_unavailable(worker)
        if not self._progress.finished:
            self._end_epoch()
        raise StopIteration

    def _process_data(self, result: Any, worker_idx: int) -> Any:
        self._try_put_index()
        self._progress.hand_out(worker_idx, result.report)
        if self._dataset_kind == _DatasetKind.Map:
            self._progress.pass_task(result.number)
        if isinstance(result.data, ExceptionWrapper):
            result.data.reraise()
        return pin_memory(result.data) if self._pin_memory else result.data

    def _mark_worker_as_unavailable(self, worker_id: int) -> None:
        """Its stream has ended: its tasks, which it will not answer, go to others."""
        self._workers_status[worker_id] = False
        if not self._persistent_workers:
            self._pool.release(worker_id)
        unanswered = [number for number, worker in self._task_info.items() if worker == worker_id]
        for number in unanswered:
            del self._task_info[number]
        self._workers_num_tasks[worker_id] = 0
        for _ in range(len(unanswered) + 1):
            self._try_put_index()

    # ---- the end

    def _end_epoch(self) -> None:
        if self._persistent_workers:
            self._collect_reports(ReportRequest())
        else:
            self._shutdown_workers()

    def _can_go_on(self) -> bool:
        """Whether the workers are there for another epoch."""
        return not self._shutdown and not self._pool.broken

    def _shutdown_workers(self) -> None:
        if not self._shutdown:
            self._shutdown = True
            self._pool.close()

    def __del__(self) -> None:
        self._shutdown_workers()
