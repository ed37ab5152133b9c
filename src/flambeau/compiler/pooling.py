"""Bias and ReLU after max pooling instead of before: of fewer elements, and without a plane that only pooling reads.

    max_pool(relu(x + bias))  →  relu(max_pool(x) + bias)

Neither changes the order of what it is applied to, rounding included, so the values are the same, bit for bit. The places of the maxima
differ where elements become equal: by ReLU, whose gradient is zero there, or where rounding leaves no difference.
"""
from __future__ import annotations

from ..ir.graph import Graph, GraphBuilder, Node, Var, rewritten
from ..primitives.base import broadcast_to
from ..primitives.elementwise import add, relu


def pool_first(graph: Graph) -> Graph:
    """The same graph, where that is so. To be asked when gradients of pooling and of ReLU are `unpool` of what is masked: then nobody
    else reads the planes."""
    if not any(node.prim.name == "max_pool" for node in graph.nodes):
        return graph
    readers: dict[Var, list[Node]] = {}
    for node in graph.nodes:
        for v in node.inputs:
            readers.setdefault(v, []).append(node)
    results = set(graph.outputs)

    def change(node: Node, env: dict[Var, Var], builder: GraphBuilder) -> tuple[Var, ...] | None:
        if node.prim.name != "max_pool" or node.inputs[0].dtype.kind != "f":
            return None
        x, later = _plane(node, readers, results)
        pooled, index = builder.call(node.prim, (env[x],), node.params, [o.type for o in node.outputs])
        for bias in reversed(later):
            pooled = relu(pooled) if bias is None else add(pooled, broadcast_to(env[bias], pooled.shape))
        return pooled, index
    return rewritten(graph, change)


def _plane(pool: Node, readers: dict[Var, list[Node]], results: set[Var]) -> tuple[Var, list[Var | None]]:
    """(what is pooled in the end, what is done to it later, the last first: None for ReLU, or else the bias)."""
    x, later = pool.inputs[0], list[Var | None]()
    values, index = pool.outputs
    if index in results or any(node.prim.name != "unpool" for node in readers.get(index, [])):
        return x, []
    while x.node is not None and len(readers[x]) == 1 and x not in results:
        node = x.node
        biases = [_bias(v, values.ndim - 2) for v in node.inputs] if node.prim.name == "add" else []
        if node.prim.name == "relu":
            later.append(None)
            x, = node.inputs
        elif biases and biases[1] is not None:
            later.append(biases[1])
            x = node.inputs[0]
        else:
            break
    return x, later


def _bias(v: Var, n: int) -> Var | None:
    """What is the same on all of the last n dimensions of v: a value that is broadcast along them."""
    if v.node is None or v.node.prim.name != "broadcast_to":
        return None
    x = v.node.inputs[0]
    return x if all(size == 1 for size in x.shape[-n:]) else None
