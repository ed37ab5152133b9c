"""Scans brought together that can run abreast: both directions of a recurrence, for one.

A recurrence offers little work at a time to several threads. Two of them that do not need each other's results offer twice as
much, and each thread stays with one: its weights and its state are in that thread's cache.
"""
from __future__ import annotations

from ..ir.graph import Graph, Node


def bring_scans_together(graph: Graph) -> Graph:
    """The same graph, where a scan that equals an earlier one, but for its operands and direction, and can run at the same time comes
    right after it. What it needs comes before both."""
    if sum(n.prim.name == "scan" for n in graph.nodes) < 2:
        return graph
    nodes = list(graph.nodes)
    last: dict[tuple, Node] = {}
    for node in graph.nodes:
        if node.prim.name != "scan":
            continue
        key = node.params[:-1]  # without the direction
        earlier = last.get(key)
        if earlier is not None:
            i, j = nodes.index(earlier), nodes.index(node)
            needed = _needed(node, nodes[i:j])
            if earlier not in needed:
                nodes[i:j + 1] = [*needed, earlier, node, *[n for n in nodes[i + 1:j] if n not in needed]]
        last[key] = node
    return Graph(graph.inputs, nodes, graph.outputs)


def _needed(node: Node, before: list[Node]) -> dict[Node, None]:
    """Those of the nodes before a node that it needs, in their order."""
    wanted = set(node.inputs)
    found = []
    for n in reversed(before):
        if not wanted.isdisjoint(n.outputs):
            wanted.update(n.inputs)
            found.append(n)
    return dict.fromkeys(reversed(found))
