"""Graphs as text, one line a call: `%3 = add(%1, %2) : float32[2,3]`."""
from __future__ import annotations

from .graph import Graph, Var


def format_graph(graph: Graph) -> str:
    names: dict[Var, str] = {}

    def name(v: Var) -> str:
        return names.setdefault(v, f"%{len(names)}")

    lines = ["inputs  " + ", ".join(f"{name(v)}: {v.type}" for v in graph.inputs)]
    for node in graph.nodes:
        args = [name(v) for v in node.inputs] + [repr(p) for p in node.params]
        outs = ", ".join(name(v) for v in node.outputs)
        types = ", ".join(str(v.type) for v in node.outputs)
        lines.append(f"  {outs} = {node.prim.name}({', '.join(args)}) : {types}")
    lines.append("outputs " + ", ".join(name(v) for v in graph.outputs))
    return "\n".join(lines)
