"""Runs a graph call by call in NumPy. What it computes is what the graph means; every other executor is compared with it.

All that can be settled before the first run is: constants are computed once, a broadcast that NumPy does by itself is left
to it, and each call becomes a closure over the places of its operands.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..dtypes import narrow, widen
from ..ir.graph import Graph, Node, Var
from ..primitives.scan import scan_p

FOLDED_BYTES = 1 << 20  # constants computed from constants are kept up to this size


def _owned(array: np.ndarray, taken: set[int]) -> np.ndarray:
    """A contiguous array that nothing else refers to."""
    fresh = array.base is None and array.flags.c_contiguous and array.flags.writeable and id(array) not in taken
    result = array if fresh else np.array(array, copy=True, order="C")
    taken.add(id(result))
    return result


def kernel_of(node: Node) -> Callable[..., Any]:
    """The node's kernel on arrays as they are stored: static parameters bound, results of the right dtype.

    Half precision is computed in single precision and rounded once, as PyTorch's CPU kernels do.
    """
    if node.prim is scan_p:
        return scan_kernel(node)
    kernel, params = node.prim.kernel, node.params
    if params:
        def bound(*arrays):
            return kernel(*arrays, *params)
    else:
        bound = kernel
    dtypes = [v.dtype for v in node.inputs]
    if not node.prim.moves_data and any(d.wide != d.np for d in dtypes):
        inner = bound

        def bound(*arrays):
            return inner(*[widen(a, d).astype(d.wide, copy=False) for a, d in zip(arrays, dtypes)])
    if node.prim.n_outputs > 1:
        many, types = bound, [v.dtype for v in node.outputs]
        return lambda *arrays: [_finish(a, d) for a, d in zip(many(*arrays), types)]
    one, dt = bound, node.outputs[0].dtype
    expected = dt.np

    def run(*arrays):
        out = one(*arrays)
        return out if out.__class__ is np.ndarray and out.dtype is expected else _finish(out, dt)
    return run


def scan_kernel(node: Node) -> Callable[..., list[np.ndarray]]:
    """The kernel of a scan: its body, prepared once, runs step by step."""
    body, n_carry, n_xs, length, reverse = node.params
    run = Interpreter().prepare(body.expanded)
    types = [(v.type.shape, v.dtype.np) for v in node.outputs]

    def kernel(*arrays):
        outs = [np.empty(shape, t) for shape, t in types]
        histories, results = outs[:n_carry], outs[n_carry:]
        xs, shared = arrays[n_carry:n_carry + n_xs], arrays[n_carry + n_xs:]
        for history, a in zip(histories, arrays):
            history[-1 if reverse else 0] = a
        for t in range(length - 1, -1, -1) if reverse else range(length):
            before, after = (t + 1, t) if reverse else (t, t + 1)
            new = run([*[h[before] for h in histories], *[x[t] for x in xs], *shared])
            for history, a in zip(histories, new):
                history[after] = a
            for result, a in zip(results, new[n_carry:]):
                result[t] = a
        return outs
    return kernel


def _finish(array: Any, dt: Any) -> np.ndarray:
    array = np.asarray(array)
    return array if array.dtype == dt.np else narrow(array, dt)


def run_node(node: Node, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Calls one kernel."""
    with np.errstate(all="ignore"):
        out = kernel_of(node)(*arrays)
    return [out] if node.prim.n_outputs == 1 else out


def _implicit_broadcasts(graph: Graph) -> set[Var]:
    """Broadcast Vars that only elementwise calls with another, full operand read: NumPy broadcasts their source there."""
    found = {node.outputs[0] for node in graph.nodes if node.prim.name == "broadcast_to"}
    found.difference_update(graph.outputs)
    for node in graph.nodes:
        reads = [v for v in node.inputs if v in found]
        if reads and (node.prim.kind != "elementwise" or all(v in found for v in node.inputs)):
            found.difference_update(reads)
    return found


def _fold(nodes: list[Node]) -> dict[Var, np.ndarray]:
    """The values of the nodes that depend on no input, by Var. They are read-only, so that none becomes a result's memory."""
    known: dict[Var, np.ndarray] = {}
    for node in nodes:
        if not all(v in known for v in node.inputs) or node.prim.n_outputs > 1 \
                or node.prim.kind not in ("constant", "view", "elementwise"):
            continue
        if node.prim.kind == "elementwise" and node.outputs[0].type.nbytes > FOLDED_BYTES:
            continue
        try:
            value = kernel_of(node)(*[known[v] for v in node.inputs])
        except RuntimeError:
            continue  # an error of the data is raised when the program runs
        value = value.view()
        value.flags.writeable = False
        known[node.outputs[0]] = value
    return known


def _call(kernel: Callable[..., Any], many: bool, reads: list[int], writes: list[int], dead: list[int]) -> Callable[[list], None]:
    """The closure that runs one call on the environment and forgets what it read last. many: the kernel returns a list."""
    if many:
        def step(env):
            for i, array in zip(writes, kernel(*[env[i] for i in reads])):
                env[i] = array
            for i in dead:
                env[i] = None
        return step
    to, = writes
    if len(reads) == 1:
        a, = reads

        def step(env):
            env[to] = kernel(env[a])
            for i in dead:
                env[i] = None
    elif len(reads) == 2:
        a, b = reads

        def step(env):
            env[to] = kernel(env[a], env[b])
            for i in dead:
                env[i] = None
    else:
        def step(env):
            env[to] = kernel(*[env[i] for i in reads])
            for i in dead:
                env[i] = None
    return step


class Interpreter:
    """An `Executor`: a list of closures over one environment, which frees each value after its last use.

    scan: what makes the kernel of a scan. around: None, or what a node's step is to be replaced by: a step runs one call on the
    environment.
    """

    def __init__(self, scan: Callable[[Node], Callable[..., list[np.ndarray]]] = scan_kernel,
                 around: Callable[[Node, Callable[[list], None]], Callable[[list], None]] | None = None):
        self._scan, self._around = scan, around

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]:
        place: dict[Var, int] = {v: i for i, v in enumerate(graph.inputs)}
        with np.errstate(all="ignore"):
            constants = _fold(graph.nodes)
        implicit = _implicit_broadcasts(graph)
        initial: list[Any] = [None] * len(graph.inputs)
        calls = []
        for node in graph.nodes:
            if node.outputs[0] in constants:
                place[node.outputs[0]] = len(initial)
                initial.append(constants[node.outputs[0]])
            elif node.outputs[0] in implicit:
                place[node.outputs[0]] = place[node.inputs[0]]
            else:
                for v in node.outputs:
                    place[v] = len(initial)
                    initial.append(None)
                calls.append((node, [place[v] for v in node.inputs], [place[v] for v in node.outputs]))
        outputs = [place[v] for v in graph.outputs]
        kept = {*outputs, *[place[v] for v in constants]}
        last = {i: step for step, (_, reads, _) in enumerate(calls) for i in reads}
        steps = [_call(self._scan(node) if node.prim.kind == "loop" else kernel_of(node), node.prim.n_outputs > 1, reads, writes, [i for i in set(reads) if last[i] == step and i not in kept])
                 for step, (node, reads, writes) in enumerate(calls)]
        if self._around is not None:
            steps = [self._around(node, step) for (node, _, _), step in zip(calls, steps)]
        input_types = [v.dtype.np for v in graph.inputs]

        def run(inputs: list, dead: frozenset = frozenset()) -> list[np.ndarray]:
            env = initial.copy()
            taken = set()
            for i, a in enumerate(inputs):
                if a.__class__ is np.ndarray:
                    taken.add(id(a))
                    env[i] = a
                else:
                    env[i] = np.asarray(a, dtype=input_types[i])
            with np.errstate(all="ignore"):
                for step in steps:
                    step(env)
            return [_owned(env[i], taken) for i in outputs]
        return run
