"""Rewrites a graph into what the kernels take: convolutions whose operand already carries its padding.

    conv(x, w, low, high)            → conv(pad(x), w)
    conv_weight_grad(x, g, low, …)   → conv_weight_grad(pad(x), g)      (the padded input is shared with the forward's)
    conv_input_grad(g, w, …)         → bordered_input_grad(pad(g), w)
"""
from __future__ import annotations

from ..ir.graph import Graph, GraphBuilder, Node, Var
from ..primitives.shape import pad
from .loops.contraction import ConvShape, input_grad_border


class LoweredPrimitive:
    """A call that only the compiler knows. kind and name as a primitive's."""

    kind = "contraction"

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<lowered {self.name}>"


BORDERED_INPUT_GRAD = LoweredPrimitive("bordered_input_grad")


def conv_shape(out: tuple[int, ...], c_in: int, kernel, stride, dilation, groups: int) -> ConvShape:
    """The contraction tables' description of a convolution with output shape `out` (N, O, *T)."""
    return ConvShape(out[0], c_in, out[1], tuple(out[2:]), tuple(kernel), tuple(stride), tuple(dilation), groups)


def _padded(x: Var, low, high) -> Var:
    return pad(x, (0, 0, *low), (0, 0, *high)) if any(low) or any(high) else x


def _rewrite(node: Node, args: list[Var], builder: GraphBuilder) -> tuple[Var, ...]:
    name, p = node.prim.name, node.params
    types = [o.type for o in node.outputs]
    if name == "conv":
        stride, low, high, dilation, groups = p
        none = (0,) * len(low)
        return builder.call(node.prim, (_padded(args[0], low, high), args[1]), (stride, none, none, dilation, groups), types)
    if name == "conv_weight_grad":
        kernel, stride, low, high, dilation, groups = p
        none = (0,) * len(low)
        return builder.call(node.prim, (_padded(args[0], low, high), args[1]), (kernel, stride, none, none, dilation, groups), types)
    size, stride, low, high, dilation, groups = p
    g, w = args
    shape = conv_shape(g.shape, w.shape[1] * groups, w.shape[2:], stride, dilation, groups)
    border = input_grad_border(shape, low, size)
    return builder.call(BORDERED_INPUT_GRAD, (_padded(g, border, border), w), (size, stride, low, dilation, groups, border, g.shape), types)


def legalize(graph: Graph) -> Graph:
    """The same graph on lowered convolutions."""
    if not any(n.prim.name.startswith("conv") for n in graph.nodes):
        return graph
    builder = GraphBuilder()
    env = {v: builder.input(v.type) for v in graph.inputs}
    for node in graph.nodes:
        args = [env[v] for v in node.inputs]
        if node.prim.name in ("conv", "conv_weight_grad", "conv_input_grad") and node.outputs[0].dtype.name in ("float32", "float64"):
            outs = _rewrite(node, args, builder)
        else:
            outs = builder.call(node.prim, tuple(args), node.params, [o.type for o in node.outputs])
        env.update(zip(node.outputs, outs))
    return builder.finish([env[v] for v in graph.outputs])
