"""The loader's arguments, checked: which contradict each other, and what is said about it."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

WORKER_KINDS = ("process", "thread")


def check_worker_options(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def check_iterable_options(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    """An iterable-style set decides itself what comes when."""
    given = {"shuffle": shuffle if shuffle else None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def check_sampler_options(
    batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def checked_context(context: Any, num_workers: int) -> Any:
    """The context of a start method, or the given one, or None."""
    if context is None:
        return None
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={num_workers}"
        )
    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                f"but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start "
            f"method, but got multiprocessing_context={context}"
        )
    return context


def worker_kind(worker: str | None, context: Any) -> str | None:
    """What workers are, as the argument says, else the environment; None: as it suits the set."""
    if worker is None:
        worker = "process" if context is not None else os.environ.get("FLAMBEAU_WORKERS") or None
    elif worker == "thread" and context is not None:
        raise ValueError("multiprocessing_context is for worker='process', but got worker='thread'")
    if worker is not None and worker not in WORKER_KINDS:
        raise ValueError(f"worker option (or FLAMBEAU_WORKERS) should be one of {WORKER_KINDS}, but got {worker!r}")
    return worker
