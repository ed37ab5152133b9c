"""`torch.multiprocessing`: Python's `multiprocessing`, and functions that start one function in several processes.

Tensors travel between processes as their bytes, not as shared memory, except those that were moved to memory that forked
processes share (`Tensor.share_memory_`).
"""
# ruff: noqa: F401, F403
import multiprocessing
from multiprocessing import *

from .spawn import (ENV_VAR_PARALLEL_START, ProcessContext, ProcessException, ProcessExitedException, ProcessRaisedException,
                    SpawnContext, spawn, start_processes)


def get_all_sharing_strategies() -> set[str]:
    """The one way in which tensors are sent: as bytes, in files of the system."""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """"file_system"."""
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """AssertionError for what `get_all_sharing_strategies` does not name; otherwise nothing changes."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}: there is 'file_system'")
