"""Rewrites a graph into what the kernels take: convolutions whose operand already carries its padding, and products
whose broadcast operand is walked along its rows. Before, `rules` puts other calls in the place of those without a kernel.

    conv(x, w, low, high)            → conv(pad(x), w)
    the same with few results        → dot(patches of pad(x), w)        (which reads the filters row by row)
    conv_weight_grad(x, g, low, …)   → conv_weight_grad(pad(x), g)      (the padded input is shared with the forward's)
    conv_input_grad(g, w, …)         → bordered_input_grad(pad(g), w)
    the same by minimal filtering    → see `winograd`, where that pays
    dot(aᵀ, b)                       → dot(copy(aᵀ), b)                 (a column's elements fall into few cache sets)
    max_pool(relu(x + bias))         → see `pooling`
    vectors across strided channels  → see `turning`

Scans that can run abreast come together first (`abreast`); last, large programs compute again what would otherwise be kept for long (`rematerialize`).
"""
from __future__ import annotations

from math import prod

from ..ir.graph import Graph, GraphBuilder, Node, Var, rewritten
from ..ir.types import contiguous_strides, tensor_type
from ..primitives.contraction import dot, dot_p
from ..primitives.shape import copied, pad, permute, strided_view
from . import winograd
from .abreast import bring_scans_together
from .loops.contraction import conv_shape, input_grad_border
from .lowered import LoweredPrimitive
from .pooling import pool_first
from .rematerialize import rematerialize
from .rules import apply_rules
from .turning import turn_operands


COLUMN_STEPS, COLUMN_REUSE, COLUMN_BYTES = 64, 64, 1024  # least length of columns, uses of each, distance of neighbours
FEW_RESULTS, LARGE_FILTERS = 32, 1 << 18  # of each filter; elements of all of them
ROW_MAJOR_VIEWS = ("reshape",)


BORDERED_INPUT_GRAD = LoweredPrimitive("bordered_input_grad")


def _padded(x: Var, low, high) -> Var:
    return pad(x, (0, 0, *low), (0, 0, *high)) if any(low) or any(high) else x


def _is_convolution(node: Node) -> bool:
    """Whether a node is a convolution, or one of its gradients, that has a kernel."""
    return node.prim.name in ("conv", "conv_weight_grad", "conv_input_grad") and node.outputs[0].dtype.name in ("float32", "float64")


def _rewrite(node: Node, args: list[Var], builder: GraphBuilder) -> tuple[Var, ...]:
    name, p = node.prim.name, node.params
    types = [o.type for o in node.outputs]
    if _filters_minimally(node):
        return _minimal_filtering(node, args, builder)
    if name == "conv":
        stride, low, high, dilation, groups = p
        x, none = _padded(args[0], low, high), (0,) * len(low)
        if _has_few_results(node):
            return (_product_of_patches(x, args[1], node),)
        return builder.call(node.prim, (x, args[1]), (stride, none, none, dilation, groups), types)
    if name == "conv_weight_grad":
        kernel, stride, low, high, dilation, groups = p
        none = (0,) * len(low)
        return builder.call(node.prim, (_padded(args[0], low, high), args[1]), (kernel, stride, none, none, dilation, groups), types)
    size, stride, low, high, dilation, groups = p
    g, w = args
    shape = conv_shape(g.shape, w.shape[1] * groups, w.shape[2:], stride, dilation, groups)
    border = input_grad_border(shape, low, size)
    return builder.call(BORDERED_INPUT_GRAD, (_padded(g, border, border), w), (size, stride, low, dilation, groups, border, g.shape), types)


def _has_few_results(node: Node) -> bool:
    """Whether a convolution has so few results for each filter, and filters so large, that copying what each result is the sum of pays."""
    w, out = node.inputs[1], node.outputs[0]
    return node.params[-1] == 1 and prod(w.shape[2:]) > 1 and out.size <= FEW_RESULTS * w.shape[0] and w.size >= LARGE_FILTERS


def _product_of_patches(x: Var, w: Var, node: Node) -> Var:
    """A convolution of the padded x by a matrix product: x's patches (N, *T, C, *K) and the filters (O, C, *K)."""
    stride, dilation, out = node.params[0], node.params[3], node.outputs[0]
    n, c, *plane = contiguous_strides(x.shape)
    shape = (x.shape[0], *out.shape[2:], *w.shape[1:])
    strides = (n, *[s * t for s, t in zip(plane, stride)], c, *[s * d for s, d in zip(plane, dilation)])
    patches = copied(strided_view(x, shape, strides, 0))
    summed, kept = tuple(range(len(out.shape) - 1, len(shape))), len(out.shape) - 2
    products = dot(patches, w, summed, tuple(range(1, w.ndim)))
    return permute(products, (0, kept + 1, *range(1, kept + 1)))


def _filters_minimally(node: Node) -> bool:
    """Whether a convolution, or one of its gradients, is to be done by minimal filtering."""
    stride, low, high, dilation, groups = node.params[-5:]
    first, second = node.inputs
    result = node.outputs[0]
    if node.prim.name == "conv_weight_grad":
        kernel, channels, out = node.params[0], first.shape[1], second.shape
    else:
        kernel, channels, out = second.shape[2:], first.shape[1], result.shape
    plain = (stride, dilation, kernel, groups) == ((1, 1), (1, 1), (winograd.KERNEL,) * 2, 1)
    return plain and result.dtype.name == "float32" and max(*low, *high) < winograd.KERNEL and winograd.pays(channels, out)


def _minimal_filtering(node: Node, args: list[Var], builder: GraphBuilder) -> tuple[Var, ...]:
    _, low, high, _, _ = node.params[-5:]
    x, y = args
    types = [o.type for o in node.outputs]
    if node.prim.name == "conv_weight_grad":
        _, parts = winograd.product_blocks(x.shape[1], y.shape)
        sums = tensor_type(x.dtype, (parts, winograd.F2.points, y.shape[1], x.shape[1]))
        products, = builder.call(winograd.WINOGRAD_PRODUCTS, (_padded(x, low, high), y), (), [sums])
        return builder.call(winograd.WINOGRAD_WEIGHT, (products,), (), types)
    turned = node.prim.name == "conv_input_grad"
    if turned:
        low, high = (tuple([winograd.KERNEL - 1 - n for n in side]) for side in (low, high))
    channels = (y.shape[1], y.shape[0]) if turned else (y.shape[0], y.shape[1])
    filters, = builder.call(winograd.WINOGRAD_FILTER, (y,), (turned,), [tensor_type(x.dtype, (winograd.F2.points, *channels))])
    return builder.call(winograd.WINOGRAD_CONV, (_padded(x, low, high), filters), (), types)


def _walks_columns(node: Node) -> bool:
    """Whether a node is a product aᵀ·b that reads long columns of a row-major `a`, and enough of them that a copy pays."""
    if node.prim is not dot_p:
        return False
    a, b = node.inputs
    ca, cb, ba, _ = node.params
    if ba or not ca or ca != tuple(range(len(ca))) or len(ca) == a.ndim or node.outputs[0].dtype.name not in ("float32", "float64"):
        return False
    if a.node is not None and a.node.prim.kind == "view" and a.node.prim.name not in ROW_MAJOR_VIEWS:
        return False
    steps, rows = prod([a.shape[d] for d in ca]), prod(a.shape[len(ca):])
    columns = b.size // max(steps, 1)
    return steps >= COLUMN_STEPS and columns >= COLUMN_REUSE and rows * a.dtype.itemsize >= COLUMN_BYTES


def _copy_columns(node: Node, args: list[Var], builder: GraphBuilder) -> tuple[Var, ...]:
    a, b = args
    ca, cb, ba, bb = node.params
    order = (*range(len(ca), a.ndim), *ca)
    a = copied(permute(a, order))
    free = a.ndim - len(ca)
    return builder.call(node.prim, (a, b), (tuple(range(free, a.ndim)), cb, ba, bb), [o.type for o in node.outputs])


def legalize(graph: Graph) -> Graph:
    """The same graph on what has kernels."""
    graph = pool_first(bring_scans_together(apply_rules(graph)))
    if not any(n.prim.kind == "contraction" for n in graph.nodes):
        return graph
    if any(_is_convolution(n) or _walks_columns(n) for n in graph.nodes):
        graph = rewritten(graph, _lowered)
    return rematerialize(turn_operands(graph))


def _lowered(node: Node, env: dict[Var, Var], builder: GraphBuilder) -> tuple[Var, ...] | None:
    args = [env[v] for v in node.inputs]
    if _is_convolution(node):
        return _rewrite(node, args, builder)
    return _copy_columns(node, args, builder) if _walks_columns(node) else None
