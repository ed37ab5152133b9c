"""What a program asks of a machine.

The bound on its time (`Machine.bound`) is the larger of its floating-point operations over the measured peak of fused
multiply-adds, and of the bytes of its inputs and results, each moved once, over the measured bandwidth. Operations are those
of the definitions: a convolution by minimal filtering needs fewer, and may come out above 100 %.
"""
from __future__ import annotations


def work(graph) -> tuple[float, float]:
    """(floating-point operations of the contractions, bytes of inputs and results) of a program."""
    return _flops(graph), float(sum([v.type.nbytes for v in (*graph.inputs, *dict.fromkeys(graph.outputs))]))


def _flops(graph) -> float:
    """Of the contractions, also of those in the steps of loops."""
    from flambeau.compiler.description import flops_of
    flops = sum([flops_of(node) for node in graph.nodes if node.prim.kind == "contraction"])
    for node in graph.nodes:
        if node.prim.kind == "loop":
            body, _, _, length, _ = node.params
            flops += length * _flops(body.expanded)
    return flops
