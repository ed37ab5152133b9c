"""`torch.cuda` where there is no CUDA: it says so, and its counters and switches are idle.

What would need a GPU raises the error that PyTorch built without CUDA raises.
"""
from __future__ import annotations

from typing import Any

from .amp import autocast as autocast


def _unavailable() -> AssertionError:
    return AssertionError("Torch not compiled with CUDA enabled")


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: there is no device to support it."""
    return False


def device_count() -> int:
    """0."""
    return 0


def init() -> None:
    """Raises AssertionError: there is no CUDA to start."""
    raise _unavailable()


def current_device() -> int:
    """Raises AssertionError: there is no current device."""
    raise _unavailable()


def set_device(device: Any) -> None:
    """Raises AssertionError for a device number; negative numbers do nothing."""
    if isinstance(device, int) and device < 0:
        return
    raise _unavailable()


def get_device_name(device: Any = None) -> str:
    """Raises AssertionError: no device has a name."""
    raise _unavailable()


def get_device_properties(device: Any = None) -> Any:
    """Raises AssertionError: no device has properties."""
    raise _unavailable()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Raises AssertionError: no device has capabilities."""
    raise _unavailable()


def synchronize(device: Any = None) -> None:
    """Raises AssertionError: there is nothing to wait for."""
    raise _unavailable()


def empty_cache() -> None:
    """Does nothing: no device memory is cached."""


def memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """0 bytes."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """0 bytes."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Does nothing: there are no statistics."""


def manual_seed(seed: int) -> None:
    """Does nothing: no device has a generator."""


def manual_seed_all(seed: int) -> None:
    """Does nothing: no device has a generator."""


def seed_all() -> None:
    """Does nothing: no device has a generator."""


def get_rng_state_all() -> list:
    """No states."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Does nothing where there are no devices."""


def ipc_collect() -> None:
    """Does nothing: no memory is shared between processes' devices."""
