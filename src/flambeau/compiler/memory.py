"""Where the buffers of scheduled steps lie: lifetimes, one packed arena, results in the memory of inputs nobody wants any more."""
from __future__ import annotations

from ..ir.graph import Graph, Var
from .expression import Load, loads
from .schedule import Contract, Fill, Host, Map, Reduce, Scan, Special, Step
from .special import CHECKED
from .zeros import operands

ALIGNMENT = 64


def targets(step: Step) -> list[Var]:
    """The buffers that a step writes."""
    if isinstance(step, Map):
        return [s.target for s in step.stores]
    if isinstance(step, (Fill, Reduce)):
        return [step.target]
    if isinstance(step, Scan):
        return [v for strand in step.strands for v in (*strand.node.outputs, strand.workspace)]
    return list(step.node.outputs)


class Memory:
    """Where each buffer lies: inputs and outputs of the program, or offsets in one arena, packed by lifetime."""

    def __init__(self, graph: Graph, steps: list[Step]):
        outside = set(graph.inputs) | set(graph.outputs)
        last: dict[Var, int] = {}
        reads = reads_of(steps)
        for i, step in enumerate(steps):
            for v in (*targets(step), *reads[i]):
                last[v] = i
        self.offsets: dict[Var, int] = {}
        self.size = 0
        free: list[tuple[int, int]] = []  # (offset, size) of gaps
        live: list[tuple[int, Var]] = []
        for i, step in enumerate(steps):
            for v in targets(step):
                if v in outside or v in self.offsets:
                    continue
                self.offsets[v] = self._take(free, -(-max(v.type.nbytes, 1) // ALIGNMENT) * ALIGNMENT)
                live.append((last[v], v))
            for end, v in [x for x in live if x[0] <= i]:
                live.remove((end, v))
                self._give(free, self.offsets[v], -(-max(v.type.nbytes, 1) // ALIGNMENT) * ALIGNMENT)

    def _take(self, free: list[tuple[int, int]], size: int) -> int:
        fits = [g for g in free if g[1] >= size]
        if fits:
            gap = min(fits, key=lambda g: g[1])
            free.remove(gap)
            if gap[1] > size:
                free.append((gap[0] + size, gap[1] - size))
            return gap[0]
        at = self.size
        self.size += size
        return at

    @staticmethod
    def _give(free: list[tuple[int, int]], at: int, size: int) -> None:
        for gap in list(free):
            if gap[0] + gap[1] == at:
                free.remove(gap)
                at, size = gap[0], size + gap[1]
            elif at + size == gap[0]:
                free.remove(gap)
                size += gap[1]
        free.append((at, size))


def reads_of(steps: list[Step]) -> list[set[Var]]:
    """The buffers that each step reads."""
    result = []
    for step in steps:
        if isinstance(step, Map):
            result.append({x.var for s in step.stores for x in loads(s.value) if isinstance(x, Load)})
        elif isinstance(step, Reduce):
            result.append({x.var for x in loads(step.value) if isinstance(x, Load)})
        elif isinstance(step, Fill):
            result.append(set())
        elif isinstance(step, Contract):
            result.append(step.kernel.reads)
        elif isinstance(step, Scan):
            result.append({x.var for strand in step.strands for x in strand.operands})
        else:
            result.append(set(step.node.inputs if isinstance(step, Host) else operands(step.node)))
    return result


def donations(graph: Graph, steps: list[Step]) -> dict[Var, Var]:
    """output → input whose memory it may take over: the loop that writes the one reads the other at the same point only, and
    no later step reads it."""
    last_read: dict[Var, int] = {}
    for i, reads in enumerate(reads_of(steps)):
        for v in reads:
            last_read[v] = i
    wanted = set(graph.outputs)
    inputs = set(graph.inputs) - wanted  # an input that is a result as well (a clone's) is copied out at the end
    given: set[Var] = set()
    found: dict[Var, Var] = {}
    # a kernel that finds an index out of range makes the interpreter run the program again, on inputs that must still be there
    after = max((i for i, step in enumerate(steps) if isinstance(step, Host) or may_fail(step)), default=-1)
    for i, step in enumerate(steps):
        if not isinstance(step, Map) or i < after:
            continue
        elements = [x for s in step.stores for x in loads(s.value) if isinstance(x, Load)]
        for store in step.stores:
            if store.target not in wanted:
                continue
            for x in loads(store.value):
                if not isinstance(x, Load) or x.var not in inputs or x.var in given or x.var.type is not store.target.type:
                    continue
                if last_read[x.var] == i and all(y.offset == store.offset for y in elements if y.var is x.var):
                    found[store.target] = x.var
                    given.add(x.var)
                    break
    return found


def may_fail(step: Step) -> bool:
    """Whether a step may find an index out of range."""
    return step.loop.may_fail if isinstance(step, Scan) else isinstance(step, Special) and step.node.prim.name in CHECKED
