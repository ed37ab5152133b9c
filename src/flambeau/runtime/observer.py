"""What may look on while calls are recorded and programs run: `explain`, the profiler."""
from __future__ import annotations

from typing import Any, Callable

from ..ir.graph import Graph


class Observer:
    """Lets everything pass. One at a time is `trace.observer`; without one, nothing of this is called."""

    def new_records(self) -> list[tuple]:
        """The list that a new trace appends its records to."""
        return []

    def wanted(self, records: list[tuple], slots: list, live: tuple[int, ...]) -> tuple[int, ...]:
        """The slots whose values a trace that is about to run shall compute; `live` are those that somebody still refers to."""
        return live

    def find(self, find: Callable[[Any, list], Any], key: Any, slots: list, records: list[tuple]) -> Any:
        """The program that runs in place of find(key, slots)."""
        return find(key, slots)

    def enter(self, name: str, args: str | None = None) -> Any:
        """The beginning of what the user's program calls `name`; returns what `leave` is to be told."""

    def leave(self, mark: Any) -> None:
        """Its end."""

    def compile(self, compile: Callable[[], Any], graph: Graph) -> Any:
        """compile(), which makes a native program of `graph`. Called in any thread."""
        return compile()
