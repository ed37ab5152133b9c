"""A graph compiled by XLA, in parts where the host has to compute something, and run without waiting for the device."""
from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from ..interpret.interpreter import run_node
from ..ir.graph import Graph, Node, Var
from . import backend, precision
from .lowering import Context, Fault, host_calls, lower


SMALL = 1 << 22  # elements of all values of a program: where there are fewer, compiling takes longer than the code ever runs
FEW = 1 << 16  # bytes of an operand that results do not take over


class Noted(NamedTuple):
    """What a part that ran says of its errors: device arrays of which happened and with what value, and their words."""

    flags: Any
    values: Any
    faults: Sequence[Fault]

    def raise_first(self) -> None:
        """Raises the first that happened. Waits for the part."""
        flags = np.asarray(self.flags)
        if flags.any():
            first = int(flags.argmax())
            fault = self.faults[first]
            raise fault.error(fault.message(int(np.asarray(self.values)[first])))


class Part:
    """Nodes that are computed together, by one function on the device or (on_host) one by one by NumPy.

    reads and writes: the Vars that come from and go to other parts. last_reads: the places in `reads` of the graph's inputs
    that nothing after this part reads.
    """

    __slots__ = ("nodes", "on_host", "reads", "writes", "last_reads", "functions")

    def __init__(self, nodes: list[Node], on_host: bool, needed_later: set[Var], inputs: set[Var]):
        self.nodes, self.on_host = nodes, on_host
        made = {v for n in nodes for v in n.outputs}
        self.reads = list(dict.fromkeys(v for n in nodes for v in n.inputs if v not in made))
        self.writes = [v for n in nodes for v in n.outputs if v in needed_later]
        self.last_reads = frozenset(i for i, v in enumerate(self.reads) if v in inputs and v not in needed_later)
        self.functions: dict[tuple, tuple[Callable[..., Any], Context]] = {}

    def __str__(self) -> str:
        names = sorted({n.prim.name for n in self.nodes})
        return f"on the host: {', '.join(names)}" if self.on_host else f"on the device: {len(self.nodes)} primitives"


def divide(graph: Graph, platform: str) -> list[Part]:
    """The parts of a graph, in order: host and device by turns, each node as early as its operands allow."""
    at: dict[Var, int] = {}
    groups: dict[int, list[Node]] = {}
    for node in graph.nodes:
        number = max((at.get(v, -1) for v in node.inputs), default=-1)
        number += (number + (node.prim.name in host_calls(platform))) % 2  # even numbers are the device's
        groups.setdefault(number, []).append(node)
        at.update((v, number) for v in node.outputs)
    later = set(graph.outputs)
    parts = []
    for number in sorted(groups, reverse=True):
        parts.append(Part(groups[number], number % 2 == 1, set(later), set(graph.inputs)))
        later.update(v for n in groups[number] for v in n.inputs)
    return parts[::-1]


class DeviceProgram:
    """A graph on one place (a jax sharding): a device, or several. place_of: None, or where results lie, by their shape; without it
    XLA decides.

    run(inputs, dead) takes the device's arrays and Python numbers; the numbered inputs in `dead` may be overwritten.
    Returns the outputs' arrays, which may not be computed yet, and what is noted of errors.
    """

    __slots__ = ("graph", "input_slots", "place", "platform", "place_of", "parts")

    def __init__(self, graph: Graph, input_slots: tuple[int, ...], place: Any, platform: str,
                 place_of: Callable[[tuple[int, ...]], Any] | None = None):
        self.graph, self.input_slots, self.place, self.platform, self.place_of = graph, input_slots, place, platform, place_of
        self.parts = divide(graph, platform)

    def run(self, inputs: Sequence[Any], dead: frozenset[int]) -> tuple[list[Any], list[Noted]]:
        env: dict[Var, Any] = dict(zip(self.graph.inputs, inputs))
        expendable = {self.graph.inputs[i] for i in dead}
        noted: list[Noted] = []
        del inputs  # what is overwritten must not be referred to
        for part in self.parts:
            if part.on_host:
                self._run_on_host(part, env)
            else:
                self._run_on_device(part, env, expendable, noted)
        outputs = []
        for v in self.graph.outputs:
            a = env[v]
            if not hasattr(a, "sharding"):  # a number that is an output as it is
                a = backend.put(np.asarray(a, v.dtype.np), v.dtype, self.place)
            outputs.append(a)
        return outputs, noted

    def _run_on_device(self, part: Part, env: dict[Var, Any], expendable: set[Var], noted: list[Noted]) -> None:
        arrays = [a if hasattr(a := env[v], "sharding") else np.asarray(a, v.dtype.np) for v in part.reads]
        donated = _useful(part, [i for i in part.last_reads if part.reads[i] in expendable])
        free = not any(hasattr(a, "sharding") for a in arrays)  # nothing says where it is to run
        key = (donated, free, precision.current())
        found = part.functions.get(key)
        if found is None:
            found = part.functions[key] = self._compile(part, donated, free)
        function, context = found
        for i in donated:
            del env[part.reads[i]]
        results, (*flags,) = function(*arrays)
        env.update(zip(part.writes, results))
        if flags:
            noted.append(Noted(flags[0], flags[1], context.faults))

    def _compile(self, part: Part, donated: tuple[int, ...], free: bool) -> tuple[Callable[..., Any], Context]:
        quick = self.platform == "cpu" and sum(v.type.size for n in part.nodes for v in n.outputs) < SMALL
        context = Context(self.platform, precision.current(), quick)
        function = lower(part.nodes, part.reads, part.writes, context)
        options: dict[str, Any] = {"out_shardings": self.place} if free else {}
        if self.place_of is not None:
            options = {"out_shardings": ([self._chosen(v, free) for v in part.writes], self.place if free else None)}
        if self.platform == "cpu":
            options["compiler_options"] = backend.cpu_options(quick)
        return backend.jax().jit(function, donate_argnums=donated, **options), context

    def _chosen(self, v: Var, free: bool) -> Any:
        """Where a result is to lie; None: where XLA likes."""
        assert self.place_of is not None
        chosen = self.place_of(v.type.shape)
        return chosen if free or chosen is not self.place else None

    def _run_on_host(self, part: Part, env: dict[Var, Any]) -> None:
        host = {v: backend.fetch(a, v.dtype) if hasattr(a := env[v], "sharding") else np.asarray(a, v.dtype.np) for v in part.reads}
        for node in part.nodes:
            host.update(zip(node.outputs, run_node(node, [host[v] for v in node.inputs])))
        env.update((v, backend.put(host[v], v.dtype, self.place)) for v in part.writes)


def _useful(part: Part, dead: Sequence[int]) -> tuple[int, ...]:
    """Those of the dead operands whose memory a result can take: one for each result of the same type. Few bytes are not taken: what is
    dead changes from step to step, and would make a program of its own each time."""
    wanted: dict[Any, int] = {}
    for v in part.writes:
        wanted[v.type] = wanted.get(v.type, 0) + 1
    chosen = []
    for i in sorted(dead):
        t = part.reads[i].type
        if wanted.get(t, 0) and t.nbytes > FEW:
            wanted[t] -= 1
            chosen.append(i)
    return tuple(chosen)
