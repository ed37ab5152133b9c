"""`torch.compiler`: what programs ask about compilation."""
from __future__ import annotations

from typing import Any


def is_compiling() -> bool:
    """False: a program's Python always runs."""
    return False


def is_dynamo_compiling() -> bool:
    """False."""
    return False


def is_exporting() -> bool:
    """False."""
    return False


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Returns fn: nothing is traced that would have to be kept out."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """Returns fn."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """Returns fn."""
    return fn


def reset() -> None:
    """Forgets the prepared programs; they are made again when needed."""
    from ..runtime.program import clear_programs
    clear_programs()
