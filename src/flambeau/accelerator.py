"""`torch.accelerator`: the accelerator of this machine, which is none."""
from __future__ import annotations

from typing import Any


class AcceleratorError(RuntimeError):
    """What an accelerator's failure would be: there is none to raise it."""


class OutOfMemoryError(RuntimeError):
    """What an accelerator without enough memory would raise."""


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> Any:
    """None."""
    return None
