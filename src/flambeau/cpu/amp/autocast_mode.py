"""`torch.cpu.amp.autocast`, deprecated."""
from __future__ import annotations

import warnings

from ...amp import autocast_mode
from ...dtypes import bfloat16, dtype as dtype_class


class autocast(autocast_mode.autocast):
    """`torch.amp.autocast('cpu', …)`."""

    def __init__(self, enabled: bool = True, dtype: dtype_class = bfloat16, cache_enabled: bool = True) -> None:
        warnings.warn("`torch.cpu.amp.autocast(args...)` is deprecated. Please use `torch.amp.autocast('cpu', args...)` instead.",
                      FutureWarning, stacklevel=2)
        super().__init__("cpu", dtype, enabled, cache_enabled)
