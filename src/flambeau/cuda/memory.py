"""`torch.cuda.memory`: GPUs' memory, as XLA counts it; 0 without a GPU."""
from __future__ import annotations

import warnings
from typing import Any

from .. import accelerator
from ._devices import index_of, is_available


def _counted(count: Any, device: Any, nothing: Any = 0) -> Any:
    return count(f"cuda:{index_of(device)}") if is_available() else nothing


def memory_allocated(device: Any = None) -> int:
    """Bytes of the arrays on a GPU."""
    return _counted(accelerator.memory_allocated, device)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that arrays on a GPU took: see `torch.accelerator.max_memory_allocated`."""
    return _counted(accelerator.max_memory_allocated, device)


def memory_reserved(device: Any = None) -> int:
    """Bytes that XLA holds of a GPU's memory."""
    return _counted(accelerator.memory_reserved, device)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that XLA held of a GPU's memory."""
    return _counted(accelerator.max_memory_reserved, device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Starts the peaks anew."""
    _counted(accelerator.reset_peak_memory_stats, device)


def _warn(message: str) -> None:
    warnings.warn(message, FutureWarning, stacklevel=3)


def memory_cached(device: Any = None) -> int:
    """`memory_reserved` by its old name."""
    _warn("`torch.cuda.memory_cached` has been renamed to `torch.cuda.memory_reserved`")
    return memory_reserved(device)


def max_memory_cached(device: Any = None) -> int:
    """`max_memory_reserved` by its old name."""
    _warn("`torch.cuda.max_memory_cached` has been renamed to `torch.cuda.max_memory_reserved`")
    return max_memory_reserved(device)


_RESETS_ALL = "torch.cuda.{} now calls torch.cuda.reset_peak_memory_stats, which resets /all/ peak memory stats."


def reset_max_memory_allocated(device: Any = None) -> None:
    """`reset_peak_memory_stats` by an old name."""
    _warn(_RESETS_ALL.format("reset_max_memory_allocated"))
    reset_peak_memory_stats(device)


def reset_max_memory_cached(device: Any = None) -> None:
    """`reset_peak_memory_stats` by an old name."""
    _warn(_RESETS_ALL.format("reset_max_memory_cached"))
    reset_peak_memory_stats(device)


def memory_stats(device: Any = None) -> dict[str, int]:
    """XLA's counters, by XLA's names."""
    return _counted(accelerator.memory_stats, device, {})


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """XLA's counters as a table, one a line. abbreviated: only those of memory in bytes."""
    stats = {name: n for name, n in memory_stats(device).items() if not abbreviated or "bytes" in name}
    width = max(map(len, stats), default=0)
    return "\n".join([f"XLA's memory, device {index_of(device) if is_available() else '-'}", *[f"{name:<{width}} {n:>16,}" for name, n in stats.items()]])


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU, of what XLA may use."""
    return accelerator.get_memory_info(f"cuda:{index_of(device)}")


def empty_cache() -> None:
    """Does nothing: XLA keeps the memory that it has."""
