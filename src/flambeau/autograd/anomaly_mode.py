"""Anomaly detection: which forward call made the NaN in backward."""
from __future__ import annotations

import warnings
from typing import Any

from ..tensor.grad_mode import anomaly


class detect_anomaly:
    """Inside, every node remembers where its forward was called, and backward stops at the first node that returns NaN."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn("Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.",
                      UserWarning, stacklevel=2)

    def __enter__(self) -> None:
        self.prev = (anomaly.enabled, anomaly.check_nan)
        anomaly.enabled, anomaly.check_nan = True, self.check_nan

    def __exit__(self, *exc: Any) -> None:
        anomaly.enabled, anomaly.check_nan = self.prev


class set_detect_anomaly:
    """Switches anomaly detection on or off: at once when called, and back at the end when used as a context."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = (anomaly.enabled, anomaly.check_nan)
        anomaly.enabled, anomaly.check_nan = mode, check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        anomaly.enabled, anomaly.check_nan = self.prev


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return anomaly.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN."""
    return anomaly.check_nan
