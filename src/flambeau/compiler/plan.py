"""From a program's graph to its steps."""
from __future__ import annotations

from typing import NamedTuple

from ..ir.graph import Graph, Var
from .legalize import legalize
from .loop import loop_of
from .schedule import Scheduler, Step
from .special import SPECIAL
from .totals import sum_inside_scans


class Plan(NamedTuple):
    """graph: on what has kernels. buffers: its values that lie in memory."""

    graph: Graph
    steps: list[Step]
    buffers: set[Var]


def plan(graph: Graph, legal: bool = False) -> Plan:
    """What a compiled program of `graph` does. legal: whether the graph is that of a plan, or a part of it."""
    if not legal:
        graph = legalize(sum_inside_scans(graph))
    scheduler = Scheduler(graph, SPECIAL, loop_of)
    steps = scheduler.run()
    return Plan(graph, steps, scheduler.buffers)
