"""Zeros that need not lie in memory: those that other values are put into."""
from __future__ import annotations

from ..ir.graph import Node, Var

PUT = ("put", "scatter")  # their kernels write the zeros themselves


def is_zero(v: Var) -> bool:
    """Whether a value is known to be all zeros: a broadcast constant 0."""
    while v.node is not None and v.node.prim.name in ("broadcast_to", "reshape"):
        v = v.node.inputs[0]
    return v.node is not None and v.node.prim.name == "full" and v.node.params[0] == 0


def operands(node: Node) -> tuple[Var, ...]:
    """What a kernel of the node's own reads."""
    return node.inputs[1:] if node.prim.name in PUT and is_zero(node.inputs[0]) else node.inputs
