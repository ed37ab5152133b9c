"""`torch.cuda.amp`: autocast for CUDA, which computes as usual where there is none."""
from __future__ import annotations

import functools
from typing import Any


class autocast:
    """A context (or decorator) that changes nothing without CUDA, and warns once if it is asked to be enabled, as PyTorch does."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        if enabled:
            import warnings
            warnings.warn("User provided device_type of 'cuda', but CUDA is not available. Disabling", UserWarning, stacklevel=2)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __call__(self, fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            with self:
                return fn(*args, **kwargs)
        return wrapped
