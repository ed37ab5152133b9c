"""The thread's gradient modes."""
from __future__ import annotations

import threading


class GradMode(threading.local):
    """enabled: whether calls are recorded for backward. inference: whether tensors made now are inference tensors."""

    enabled = True
    inference = False
    anomaly = False
    anomaly_check_nan = True


mode = GradMode()
