"""Calls that only the compiler knows: what `legalize` puts in place of others."""
from __future__ import annotations


class LoweredPrimitive:
    """kind and name as a primitive's."""

    kind = "contraction"
    definition = None

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<lowered {self.name}>"


ADDED_DOT = LoweredPrimitive("added_dot")  # a dot that is added to what its result's memory holds: in a scan's body (see `totals`)
