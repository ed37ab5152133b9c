"""The thread's gradient modes, and the process's anomaly mode."""
from __future__ import annotations

import threading


class GradMode(threading.local):
    """enabled: whether calls are recorded for backward. inference: whether tensors made now are inference tensors."""

    enabled = True
    inference = False


class AnomalyMode:
    """enabled: whether nodes remember where they were made. check_nan: whether backward looks for NaN."""

    __slots__ = ("enabled", "check_nan")

    def __init__(self) -> None:
        self.enabled, self.check_nan = False, True


mode = GradMode()
inferring: list[None] = []  # an entry for each inference mode that a thread is in
anomaly = AnomalyMode()
