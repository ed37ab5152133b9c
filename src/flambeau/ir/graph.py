"""`Graph`: a list of primitive calls over symbolic values (`Var`), in the order in which they run.

A graph is built by running plain Python on `Var`s: each primitive function appends a `Node`. `GraphBuilder` is the
current one; nothing else in the package is implicit. Read `primitives/` next.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

from .types import TensorType


class Var:
    """A symbolic value: an input of its graph or an output of one node. Operators are attached by `primitives`."""

    __slots__ = ("type", "node", "builder", "constant")

    def __init__(self, type: TensorType, builder: GraphBuilder, node: Node | None = None):
        self.type = type
        self.builder = builder
        self.node = node

    @property
    def dtype(self):
        return self.type.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> int:
        return self.type.size

    def __repr__(self) -> str:
        return f"<Var {self.type}>"

    def __bool__(self):
        raise TypeError("a symbolic value has no truth value: an op's body cannot branch on data")


class Node:
    """One call of a primitive. `params` is the hashable tuple of its static parameters.

    origin: the recorded calls that it is a part of, from the outermost inwards, each as (number, name); for who wants
    to know where a program's work comes from.
    """

    __slots__ = ("prim", "inputs", "params", "outputs", "origin")

    def __init__(self, prim: Any, inputs: tuple[Var, ...], params: tuple, origin: tuple = ()):
        self.prim = prim
        self.inputs = inputs
        self.params = params
        self.origin = origin
        self.outputs: tuple[Var, ...] = ()

    def __repr__(self) -> str:
        return f"<Node {self.prim.name}{self.params}>"


class Graph:
    """inputs → nodes → outputs. Immutable once built."""

    __slots__ = ("inputs", "nodes", "outputs")

    def __init__(self, inputs: Sequence[Var], nodes: Sequence[Node], outputs: Sequence[Var]):
        self.inputs = tuple(inputs)
        self.nodes = list(nodes)
        self.outputs = tuple(outputs)

    def __repr__(self) -> str:
        from .printer import format_graph
        return format_graph(self)


class GraphBuilder:
    """Collects the nodes of one graph, and merges equal ones as they come (hash consing is the CSE pass).

    origin: that of the nodes that come next.
    """

    __slots__ = ("inputs", "nodes", "origin", "_seen")

    def __init__(self):
        self.origin: tuple = ()
        self.inputs: list[Var] = []
        self.nodes: list[Node] = []
        self._seen: dict[tuple, Node] = {}

    def input(self, type: TensorType) -> Var:
        var = Var(type, self)
        self.inputs.append(var)
        return var

    def call(self, prim: Any, inputs: tuple[Var, ...], params: tuple, types: Sequence[TensorType]) -> tuple[Var, ...]:
        """Appends a call, or returns the outputs of an equal earlier one (every primitive is a pure function)."""
        key = (prim, inputs, params)
        node = self._seen.get(key)
        if node is None:
            node = Node(prim, inputs, params, self.origin)
            node.outputs = tuple(Var(t, self, node) for t in types)
            self._seen[key] = node
            self.nodes.append(node)
        return node.outputs

    def finish(self, outputs: Sequence[Var]) -> Graph:
        """The graph of everything that `outputs` need."""
        return Graph(self.inputs, needed(self.nodes, outputs), outputs)


def needed(nodes: Sequence[Node], outputs: Sequence[Var]) -> list[Node]:
    """Dead code elimination: the nodes, in order, that some output depends on."""
    live = {v.node for v in outputs if v.node is not None}
    kept = []
    for node in reversed(nodes):
        if node in live:
            kept.append(node)
            live.update(v.node for v in node.inputs if v.node is not None)
    kept.reverse()
    return kept


def inline(graph: Graph, args: Sequence[Var], builder: GraphBuilder, expand: bool = False) -> list[Var]:
    """Copies `graph` into `builder` with `args` for its inputs; returns its outputs there.

    expand: whether primitives that are defined by others give way to their definition.
    """
    env: dict[Var, Var] = dict(zip(graph.inputs, args))
    outer = builder.origin
    for node in graph.nodes:
        builder.origin = outer + node.origin
        if expand and node.prim.definition is not None:
            outs: Sequence[Var] = inline(node.prim.definition(node), [env[v] for v in node.inputs], builder, True)
        else:
            outs = builder.call(node.prim, tuple(env[v] for v in node.inputs), node.params, [o.type for o in node.outputs])
        env.update(zip(node.outputs, outs))
    builder.origin = outer
    return [env[v] for v in graph.outputs]


def rewritten(graph: Graph, change: Callable[[Node, dict[Var, Var], GraphBuilder], Sequence[Var] | None]) -> Graph:
    """The graph once more. change(node, env, builder) makes what stands for a node's outputs there, or returns None for a node that stays
    as it is. env: what stands for the values before it."""
    builder = GraphBuilder()
    env = {v: builder.input(v.type) for v in graph.inputs}
    for node in graph.nodes:
        builder.origin = node.origin
        outs = change(node, env, builder)
        if outs is None:
            outs = builder.call(node.prim, tuple([env[v] for v in node.inputs]), node.params, [o.type for o in node.outputs])
        env.update(zip(node.outputs, outs))
    return builder.finish([env[v] for v in graph.outputs])


def trace(fn: Callable[..., Any], types: Sequence[TensorType]) -> tuple[Graph, Any]:
    """Runs `fn` on fresh symbolic inputs; returns (graph, what fn returned)."""
    builder = GraphBuilder()
    result = fn(*[builder.input(t) for t in types])
    outputs = [result] if isinstance(result, Var) else [v for v in result if v is not None]
    return builder.finish(outputs), result
