"""Scans brought together that can run abreast: both directions of a recurrence, for one.

A recurrence offers little work at a time to several threads. Two of them that do not need each other's results offer twice as
much, and each thread stays with one: its weights and its state are in that thread's cache.
"""
from __future__ import annotations

from ..ir.graph import Graph, Node, needed


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
            before = needed(nodes[i:j], node.inputs)
            if earlier not in before:
                nodes[i:j + 1] = [*before, earlier, node, *[n for n in nodes[i + 1:j] if n not in before]]
        last[key] = node
    return Graph(graph.inputs, nodes, graph.outputs)
