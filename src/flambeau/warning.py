"""Warnings that are given once in a process, as PyTorch gives those of its core."""
from __future__ import annotations

import warnings

_given: set[str] = set()
_always = False


def set_warn_always(b: bool, /) -> None:
    """Whether warnings that are usually given once are given each time."""
    global _always
    if not isinstance(b, bool):
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _always = b


def is_warn_always_enabled() -> bool:
    """Whether warnings that are usually given once are given each time."""
    return _always


def warn_once(message: str, stacklevel: int = 3) -> None:
    """A UserWarning for the caller's caller, the first time only."""
    if _always or message not in _given:
        _given.add(message)
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
