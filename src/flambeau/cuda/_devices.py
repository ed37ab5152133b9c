"""Which GPUs there are."""
from __future__ import annotations

from typing import Any

from ..tensor.device import check_device
from ..xla import backend as _backend


def is_available() -> bool:
    """Whether there is a GPU that XLA can use."""
    return device_count() > 0


def device_count() -> int:
    """How many GPUs there are."""
    return len(_backend.devices("cuda"))


def index_of(device: Any) -> int:
    """The index of a GPU, given as in `torch.cuda`'s functions: None is the current one."""
    where = check_device("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)
    if where.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {where}")
    assert where.index is not None
    return where.index
