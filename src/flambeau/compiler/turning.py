"""Operands of convolutions, turned so that the vectors of their kernels lie along memory.

Where rows are short, vectors lie along channels, which are far apart in memory: each chunk of the kernel would gather them into
panels, and share its panels among as much work as it can, so that few chunks are left. One copy before, with the channels
innermost, serves all chunks. Operands that overflow a cache are left to panels, which hold together what is used together.
"""
from __future__ import annotations

from ..ir.graph import Graph, GraphBuilder, Node, Var, rewritten
from ..ir.types import contiguous_strides
from ..primitives.shape import copied, permute
from .affine import identity, linear
from .contractions import CONTRACTIONS
from .expression import Load
from .llvm.target import host_target
from .loops.blocking import L2_BYTES
from .loops.schedule import make_schedule

CONVOLUTIONS = ("conv", "conv_weight_grad", "bordered_input_grad")


def turn_operands(graph: Graph) -> Graph:
    """The same graph with such copies."""
    if not any(_is_convolution(node) for node in graph.nodes):
        return graph
    turned: dict[tuple[Var, int], Var] = {}

    def change(node: Node, env: dict[Var, Var], builder: GraphBuilder) -> tuple[Var, ...] | None:
        if not _is_convolution(node):
            return None
        args = [env[v] for v in node.inputs]
        for i, dim in _dims_of_vectors(node).items():
            key = args[i], dim
            if key not in turned:
                turned[key] = _with_innermost(args[i], dim)
            args[i] = turned[key]
        return builder.call(node.prim, tuple(args), node.params, [o.type for o in node.outputs])
    return rewritten(graph, change)


def _is_convolution(node: Node) -> bool:
    return node.prim.name in CONVOLUTIONS and node.outputs[0].dtype.name in ("float32", "float64") \
        and all(v.size for v in (*node.inputs, *node.outputs))


def _dims_of_vectors(node: Node) -> dict[int, int]:
    """{operand: the dimension along which all of the node's kernels would gather its vectors}."""
    operands = [Load(v, linear(identity(v.ndim), contiguous_strides(v.shape), v.ndim)) for v in node.inputs]
    found: dict[int, set[int]] = {}
    for kernel in CONTRACTIONS[node.prim.name](node, *operands):
        schedule = make_schedule(kernel.contraction, host_target().isa)
        for i, v in enumerate(node.inputs):
            side = "a" if kernel.a is operands[i] else "b"
            pack = schedule.pack(side)
            stride = schedule.contraction.outer[schedule.vector_axis].stride(side) if pack else 0
            dims = [d for d, s in enumerate(contiguous_strides(v.shape)) if s == stride and v.shape[d] > 1]
            found.setdefault(i, set()).add(dims[0] if len(dims) == 1 else -1)
    return {i: dim for i, (dim, *others) in found.items()
            if not others and 0 <= dim < node.inputs[i].ndim - 1 and node.inputs[i].type.nbytes <= L2_BYTES}


def _with_innermost(x: Var, dim: int) -> Var:
    order = (*[d for d in range(x.ndim) if d != dim], dim)
    return permute(copied(permute(x, order)), tuple([order.index(d) for d in range(x.ndim)]))
