"""Steps of a schedule → kernels, whatever their kind."""
from __future__ import annotations

from math import prod

from .kernel import Kernel
from .kernels import emit_fill, emit_map, emit_reduce
from .schedule import Contract, Fill, Map, Reduce, Scan, Special, Step


def emit(k: Kernel, step: Step) -> int:
    """Writes a step's kernel; returns its number of chunks."""
    if isinstance(step, Map):
        return emit_map(k, step)
    if isinstance(step, Reduce):
        return emit_reduce(k, step)
    if isinstance(step, Fill):
        return emit_fill(k, step)
    if isinstance(step, Contract):
        return step.kernel.emit(k)
    assert isinstance(step, Special)
    return step.lower(k, step.node)


def work(step: Step) -> int:
    """Elements and multiplications, about."""
    if isinstance(step, Map):
        return prod(step.domain) * len(step.stores)
    if isinstance(step, Reduce):
        return prod((*step.outer, *step.inner))
    if isinstance(step, Fill):
        return step.target.size
    if isinstance(step, Contract):
        return step.kernel.work
    if isinstance(step, Scan):
        return len(step.strands) * step.length * step.loop.work
    assert isinstance(step, Special)
    return getattr(step.lower, "work", lambda node: node.outputs[0].size)(step.node)
