"""What interpreted programs have in common: updates of parameters, taken out of the program.

Steps on sentences of many lengths are many programs, each of which runs too rarely to be worth the compiler. But their last part,
the optimizer's, is the same in all of them. `outlined` makes it one node, whose graph is known by its text in every
program that has it, so that it can be compiled for all of them.
"""
from __future__ import annotations

from itertools import groupby

from ..ir.graph import Graph, GraphBuilder, Node, Var
from ..ir.printer import format_graph

LEAST_CALLS, LEAST_BYTES = 32, 1 << 20  # of a fragment: elementwise calls, and bytes of its results
KINDS = ("elementwise", "view", "constant")


class FragmentPrimitive:
    """Stands for a part of a program; a node's parameters are its graph and the text of it. kind, name and n_outputs as a primitive's."""

    kind, name, n_outputs, moves_data = "loop", "fragment", 2, True


fragment_p = FragmentPrimitive()


def outlined(graph: Graph) -> Graph:
    """The same graph, with one node in place of each long run of elementwise calls that one recorded call consists of."""
    users: dict[Var, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        for v in node.inputs:
            users.setdefault(v, []).append(i)
    wanted = set(graph.outputs)
    nodes: list[Node] = []
    at = 0
    for (record, fits), run in groupby(graph.nodes, lambda n: (n.origin[:1], n.prim.kind in KINDS and n.prim.n_outputs == 1)):
        part = list(run)
        end = at + len(part)
        results = [v for n in part for v in n.outputs if v in wanted or (users.get(v) or [0])[-1] >= end]
        if fits and record and sum(n.prim.kind == "elementwise" for n in part) >= LEAST_CALLS \
                and sum(v.type.nbytes for v in results) >= LEAST_BYTES:
            nodes.append(_fragment(part, results))
        else:
            nodes += part
        at = end
    return Graph(graph.inputs, nodes, graph.outputs)


def _fragment(part: list[Node], results: list[Var]) -> Node:
    made = {v for n in part for v in n.outputs}
    operands = list(dict.fromkeys([v for n in part for v in n.inputs if v not in made]))
    builder = GraphBuilder()
    env = {v: builder.input(v.type) for v in operands}
    for n in part:
        env.update(zip(n.outputs, builder.call(n.prim, tuple([env[v] for v in n.inputs]), n.params, [v.type for v in n.outputs])))
    body = builder.finish([env[v] for v in results])
    node = Node(fragment_p, tuple(operands), (body, format_graph(body)), part[0].origin)
    node.outputs = tuple(results)
    return node
