"""The errors of `torch.distributed`, all of them RuntimeErrors."""
from __future__ import annotations


class DistError(RuntimeError):
    """Something went wrong between processes."""


class DistBackendError(DistError):
    """A collective failed: a process is gone, did not come in time, or called another collective."""


class DistNetworkError(DistError):
    """A connection could not be made, or broke."""


class DistStoreError(DistError):
    """A store has not been given a key in time."""
