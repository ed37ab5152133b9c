"""Runs a graph call by call in NumPy. What it computes is what the graph means; every other executor is compared with it."""
from __future__ import annotations

from typing import Callable

import numpy as np

from ..dtypes import narrow, widen
from ..ir.graph import Graph, Node


def _owned(array: np.ndarray, taken: set[int]) -> np.ndarray:
    """A contiguous array that nothing else refers to."""
    fresh = array.base is None and array.flags.c_contiguous and array.flags.writeable and id(array) not in taken
    result = array if fresh else np.array(array, copy=True, order="C")
    taken.add(id(result))
    return result


def run_node(node: Node, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Calls one kernel. Half precision is computed in float32 and rounded once, as PyTorch's CPU kernels do."""
    prim = node.prim
    if not prim.moves_data and any(v.dtype.wide != v.dtype.np for v in node.inputs):
        arrays = [widen(a, v.dtype).astype(v.dtype.wide, copy=False) for a, v in zip(arrays, node.inputs)]
    out = prim.kernel(*arrays, *node.params)
    outs = [out] if prim.n_outputs == 1 else list(out)
    return [_finish(o, v.type) for o, v in zip(outs, node.outputs)]


def _finish(array: np.ndarray, t) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype != t.dtype.np:
        array = narrow(array, t.dtype)
    assert array.shape == t.shape, (array.shape, t)
    return array


class Interpreter:
    """An `Executor`: one closure per graph, which frees each value after its last use."""

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]:
        index = {v: i for i, v in enumerate(graph.inputs)}
        for node in graph.nodes:
            for v in node.outputs:
                index[v] = len(index)
        last: dict[int, int] = {}
        for step, node in enumerate(graph.nodes):
            for v in node.inputs:
                last[index[v]] = step
        kept = {index[v] for v in graph.outputs}
        steps = []
        for step, node in enumerate(graph.nodes):
            reads = [index[v] for v in node.inputs]
            dead = [i for i in set(reads) if last[i] == step and i not in kept]
            steps.append((node, reads, [index[v] for v in node.outputs], dead))
        outputs = [index[v] for v in graph.outputs]
        input_types = [v.dtype.np for v in graph.inputs]
        size = len(index)

        def run(inputs: list, dead: frozenset = frozenset()) -> list[np.ndarray]:
            env: list = [None] * size
            taken = set()
            for i, (a, t) in enumerate(zip(inputs, input_types)):
                if isinstance(a, np.ndarray):
                    env[i] = a
                    taken.add(id(a))
                else:
                    env[i] = np.asarray(a, dtype=t)
            for node, reads, writes, dead in steps:
                outs = run_node(node, [env[i] for i in reads])
                for i, array in zip(writes, outs):
                    env[i] = array
                for i in dead:
                    env[i] = None
            return [_owned(env[i], taken) for i in outputs]
        return run
