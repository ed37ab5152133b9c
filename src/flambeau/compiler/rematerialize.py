"""Computing again instead of keeping: what the backward pass of a large program wants once more, and cheap loops can make from
what lies in memory all the same.

Where most memory is in use, at the end of the forward pass, a layer x → conv → batch norm → relu → pad has kept each of these for
its gradients. All but the convolution's result are some additions and multiplications away from it. So a value that is alive at
that peak, and whose way from others that are alive until its late uses is short, is made a second time before the first of
them: it costs a pass over memory, which a layer's products cost many of (Chen et al. 2016, "Training Deep Nets with Sublinear
Memory Cost", do the same with whole layers).
"""
from __future__ import annotations

from ..ir.graph import Graph, Node, Var, needed
from .scalar_ops import EXPENSIVE

LARGE_PROGRAM = 64 << 20  # bytes alive at the peak from which on it is worth anything
LARGE = 1 << 20           # bytes of a value that is worth it
SMALL_SHARE = 16          # a value's sources may live longer if they are smaller than this part of it
MOST_CALLS = 10           # elementwise calls between a value and its sources


def rematerialize(graph: Graph) -> Graph:
    """The same graph, where values wanted again after the peak of its memory are computed again."""
    lives = _Lives(graph)
    if lives.peak_bytes < LARGE_PROGRAM:
        return graph
    again: dict[Var, dict[Node, None]] = {}  # value → the nodes that make it again, in order
    for v in lives.crossing():
        nodes: dict[Node, None] = {}
        if _makes_again(v, v, lives, again, nodes) and sum(n.prim.kind == "elementwise" for n in nodes) <= MOST_CALLS:
            again[v] = nodes
    return _with_copies(graph, lives, again) if again else graph


class _Lives:
    """Where values are made and wanted, by number of the node."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.made = {v: i for i, node in enumerate(graph.nodes) for v in node.outputs}
        self.uses: dict[Var, list[int]] = {v: [] for v in (*graph.inputs, *self.made)}
        for i, node in enumerate(graph.nodes):
            for v in dict.fromkeys(node.inputs):
                self.uses[v].append(i)
        for v in (*graph.inputs, *graph.outputs):  # there until the end
            self.uses[v].append(len(graph.nodes))
        change = [0] * (len(graph.nodes) + 2)
        for v, i in self.made.items():
            if v.node is not None and (v.node.prim.kind not in ("view", "constant") or v.node.prim.name == "pad"):
                change[i] += v.type.nbytes
                change[(self.uses[v] or [i])[-1] + 1] -= v.type.nbytes
        self.peak = self.peak_bytes = alive = 0
        for i, difference in enumerate(change):
            alive += difference
            if alive > self.peak_bytes:
                self.peak, self.peak_bytes = i, alive

    def late(self, v: Var) -> list[int]:
        """The uses after the peak."""
        return [i for i in self.uses[v] if i > self.peak]

    def crossing(self) -> list[Var]:
        """Large values alive at the peak that could be made again, in the order in which they are made."""
        end = len(self.graph.nodes)
        return [v for v, i in self.made.items() if i < self.peak and v.type.nbytes >= LARGE and _is_cheap(v.node)
                and self.late(v) and self.uses[v][-1] < end]


def _is_cheap(node: Node | None) -> bool:
    if node is None or len(node.outputs) != 1:
        return False
    return node.prim.name == "pad" or node.prim.kind == "elementwise" and node.prim.name not in EXPENSIVE


def _makes_again(wanted: Var, v: Var, lives: _Lives, again: dict[Var, dict[Node, None]], nodes: dict[Node, None]) -> bool:
    """Whether v can be made again before the first late use of `wanted`; adds the nodes that do it."""
    node = v.node
    if v is not wanted and v not in again:
        if lives.uses[v][-1] >= lives.late(wanted)[0] or v.type.nbytes * SMALL_SHARE <= wanted.type.nbytes:
            if node is None or node.prim.kind not in ("view", "constant"):
                return True  # it lies in memory, and is or stays alive
    if node is None or node in nodes:
        return node in nodes
    if not _is_cheap(node) and (node.prim.kind not in ("view", "constant") or len(node.outputs) != 1):
        return False
    if len(nodes) > 4 * MOST_CALLS or not all(_makes_again(wanted, x, lives, again, nodes) for x in node.inputs):
        return False
    nodes[node] = None
    return True


def _with_copies(graph: Graph, lives: _Lives, again: dict[Var, dict[Node, None]]) -> Graph:
    first: dict[int, list[Var]] = {}  # node → the values to be made again before it
    for v in again:
        first.setdefault(lives.late(v)[0], []).append(v)
    copies: dict[Var, Var] = {}
    moved: dict[Var, Var] = {}  # results of nodes that read a copy
    nodes: list[Node] = []

    def append(node: Node, inputs: list[Var], results: dict[Var, Var]) -> None:
        if tuple(inputs) != node.inputs or results is copies:
            made = Node(node.prim, tuple(inputs), node.params, node.origin)
            made.outputs = tuple([Var(o.type, o.builder, made) for o in node.outputs])
            results.update(zip(node.outputs, made.outputs))
            node = made
        nodes.append(node)
    for i, node in enumerate(graph.nodes):
        for v in first.get(i, ()):
            for source in again[v]:
                if source.outputs[0] not in copies:
                    append(source, [copies.get(x, x) for x in source.inputs], copies)
        late = i > lives.peak
        append(node, [copies[x] if late and x in again else moved.get(x, x) for x in node.inputs], moved)
    outputs = [moved.get(v, v) for v in graph.outputs]
    return Graph(graph.inputs, needed(nodes, outputs), outputs)
