"""A count of the changes to modules, hooks and optimizers: whoever depends on their structure looks again when it moved."""
from __future__ import annotations


class Changes:
    """count: rises when an attribute of any module is set, a hook comes or goes, or an optimizer is rebuilt."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


changes = Changes()
