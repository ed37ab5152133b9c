"""Pinned memory, which has a meaning only beside an accelerator with memory of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flambeau.utils.data._utils.collate import mapping_like, sequence_like


def pin_memory(data: Any, device: Any = None) -> Any:
    """`data` with `.pin_memory()` called on every tensor, and other object that has it, in mappings and sequences."""
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        return mapping_like(data, {key: pin_memory(value, device) for key, value in data.items()})
    if isinstance(data, Sequence):
        values = [pin_memory(value, device) for value in data]
        if isinstance(data, tuple):
            return type(data)(*values) if hasattr(data, "_fields") else type(data)(values)
        return sequence_like(data, values)
    return data
