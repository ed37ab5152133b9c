"""Calls that have no kernel of their own, in terms of others: what `legalize` rewrites first. One row a primitive.

    dot, conv, … of half precision   → cast(dot(cast(a), cast(b)))       (in float32, rounded once)
    permute(dot(a, b)), turned       → dot(b, a)                         (which writes its rows where they are wanted)
    strided_view that overlaps not   → permute(slice(reshape(x)))        (which needs no memory under it)
    sort along an inner dimension    → permute(sort(permute(x)))
    the first few places of a sort   → top                               (where nothing else of it is wanted)
    window_sum                       → a sum of strided slices
    window_spread, no overlap        → each element repeated
    max pooling's gradient           → unpool                            (where windows tile the plane)
    ReLU's gradient of unpool(g)     → unpool(ReLU's gradient of g)      (of the pooled values, which are fewer)
    reduce of much to few            → reduce(reduce(in parts))          (so that several threads have work)
    any, all                         → cast(reduce_max(cast(x, uint8)))
    division of integers             → whole_div, …                      (which look for zeros)
"""
from __future__ import annotations

from math import prod
from typing import Any, Callable, NamedTuple

from ..dtypes import bool_, float32, uint8
from ..ir.graph import Graph, GraphBuilder, Node, Var, rewritten
from ..ir.types import tensor_type
from ..primitives.base import broadcast_to
from ..primitives.elementwise import cast
from ..primitives.reduction import reduce_max, reduce_min
from ..primitives.shape import pad, permute, reshape, slice_
from .division import DIVISIONS
from .elements import ELEMENT, HALF
from .lowered import LoweredPrimitive
from .order import TOP
from .unpool import masked, unpooled

MOST_WINDOW = 64  # elements of windows that are summed one by one
LONG, FEW_ROWS, FEW_COLUMNS, MOST_PARTS = 1 << 17, 8, 512, 32  # reductions of at least so much to fewer are cut into parts

top_p = LoweredPrimitive("top")


class Uses(NamedTuple):
    """Who reads each Var of a graph, and which are results."""

    readers: dict[Var, list[Node]]
    results: frozenset[Var]


Rule = Callable[[Node, list[Var], GraphBuilder, Uses], "tuple[Var, ...] | None"]


def in_float32(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    """A call of half precision in single precision, its result rounded."""
    out = node.outputs[0].type
    if out.dtype not in HALF:
        return None
    wide, = builder.call(node.prim, tuple([cast(v, float32) for v in args]), node.params, [tensor_type(float32, out.shape)])
    return (cast(wide, out.dtype),)


def _turned_dot(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    """A product of which only the transpose is wanted, with its operands exchanged."""
    dot, (order,) = args[0].node, node.params
    if dot is None or dot.prim.name != "dot" or uses.readers[node.inputs[0]] != [node] or node.inputs[0] in uses.results:
        return None
    (a, b), (ca, cb, ba, bb) = dot.inputs, dot.params
    first, second, end = len(ba), a.ndim - len(ca), args[0].ndim
    if order != (*range(first), *range(second, end), *range(first, second)):
        return None
    return builder.call(dot.prim, (b, a), (cb, ca, bb, ba), [node.outputs[0].type])


# ------------------------------------------------------------------ views

def _strided_view(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    """A view by strides as one dimension by dimension, where each stride is a multiple of the next: the sizes that the strides
    imply, cut to those of the view, in its order."""
    x, (shape, strides, offset) = args[0], node.params
    axes = sorted([d for d, n in enumerate(shape) if n != 1], key=lambda d: -strides[d])
    sizes, starts, stops, step = [], [], [], x.size
    for d in axes:
        if strides[d] <= 0 or step % strides[d]:
            return None
        sizes.append(step // strides[d])
        step = strides[d]
        start, offset = divmod(offset, step)
        starts.append(start)
        stops.append(start + shape[d])
    if any(stop > size for stop, size in zip(stops, sizes)):
        return None
    # last, what the smallest stride leaves out
    view = slice_(reshape(x, (*sizes, step)), (*starts, offset), (*stops, offset + 1), (1,) * (len(axes) + 1))
    return (reshape(permute(view, (*[axes.index(d) for d in sorted(axes)], len(axes))), shape),)


# ------------------------------------------------------------------ sorting

def _wanted(node: Node, uses: Uses) -> int | None:
    """How many of the first places of a sort are all that is read of it; None if more than that."""
    values, places = node.outputs
    dim = node.params[0]
    readers = uses.readers.get(places, [])
    if values in uses.readers or values in uses.results or places in uses.results or not readers:
        return None
    if any(r.prim.name != "slice" or r.params[2][dim] != 1 for r in readers):
        return None
    wanted = max(r.params[1][dim] for r in readers)
    return wanted if 1 <= wanted <= TOP and 2 * wanted <= values.shape[dim] else None


def _sort(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    x, (dim, descending) = args[0], node.params
    order = (*[d for d in range(x.ndim) if d != dim], dim)
    back = [order.index(d) for d in range(x.ndim)]
    moved = x if dim == x.ndim - 1 else permute(x, order)
    index_type = node.outputs[1].type.dtype
    wanted = _wanted(node, uses)
    if wanted is not None and x.size:
        places, = builder.call(top_p, (moved,), (descending,), [tensor_type(index_type, (*moved.shape[:-1], wanted))])
        return None, permute(places, back) if moved is not x else places  # type: ignore[return-value]
    if moved is x:
        return None
    types = [moved.type, tensor_type(index_type, moved.shape)]
    return tuple([permute(v, back) for v in builder.call(node.prim, (moved,), (x.ndim - 1, descending), types)])


# ------------------------------------------------------------------ windows

def _window_sum(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    (x,), (window, stride, low, high) = args, node.params
    out = node.outputs[0].type
    if prod(window) > MOST_WINDOW or not x.size or not prod(out.shape) or out.dtype not in ELEMENT:
        return None
    if any(low) or any(high):
        x = pad(x, (0, 0, *low), (0, 0, *high))
    x = cast(x, float32) if out.dtype in HALF else x
    total: Any = None
    for number in range(prod(window)):
        at: list[int] = []
        rest = number
        for n in reversed(window):
            rest, i = divmod(rest, n)
            at.insert(0, i)
        stops = [i + (n - 1) * s + 1 for i, n, s in zip(at, out.shape[2:], stride)]
        part = slice_(x, (0, 0, *at), (*x.shape[:2], *stops), (1, 1, *stride))
        total = part if total is None else total + part
    return (cast(total, out.dtype),)  # type: ignore[arg-type]


def _window_spread(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    (g,), (size, window, stride, low, high) = args, node.params
    if window != stride or any(low) or any(high) or not g.size or g.dtype not in ELEMENT:
        return None
    nd = len(size)
    apart = [n for t in g.shape[2:] for n in (t, 1)]
    spread = [n for t, w in zip(g.shape[2:], window) for n in (t, w)]
    wide = broadcast_to(reshape(g, (*g.shape[:2], *apart)), (*g.shape[:2], *spread))
    wide = reshape(wide, (*g.shape[:2], *[t * w for t, w in zip(g.shape[2:], window)]))
    rest = [n - m for n, m in zip(size, wide.shape[2:])]
    return (pad(wide, (0,) * (nd + 2), (0, 0, *rest)) if any(rest) else wide,)


# ------------------------------------------------------------------ reductions

def _reduce(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    x, dims = args[0], node.params[0]
    out = node.outputs[0]
    if out.dtype is bool_ and x.dtype is bool_ and x.size:
        reduce = reduce_max if node.prim.name in ("reduce_sum", "reduce_max") else reduce_min
        return (cast(reduce(cast(x, uint8), dims), bool_),)
    few = FEW_ROWS if x.ndim - 1 in dims else FEW_COLUMNS
    if x.size < LONG or out.size >= few or out.dtype not in ELEMENT or out.dtype.kind not in "fiu":
        return None
    dim, parts = next(((d, c) for d in dims for c in range(MOST_PARTS, 1, -1) if x.shape[d] % c == 0), (0, 0))
    if not parts:
        return None
    x = cast(x, float32) if out.dtype in HALF else x
    cut = reshape(x, (*x.shape[:dim], parts, x.shape[dim] // parts, *x.shape[dim + 1:]))
    inner = tuple([d + (d >= dim) for d in dims])
    left = tuple([n for d, n in enumerate(cut.shape) if d not in inner])
    partial, = builder.call(node.prim, (cut,), (inner,), [tensor_type(x.dtype, left)])
    place = dim - sum(d < dim for d in dims)
    total, = builder.call(node.prim, (partial,), ((place,),), [tensor_type(x.dtype, out.shape)])
    return (cast(total, out.dtype),)


# ------------------------------------------------------------------ division

def _divide_integers(node: Node, args: list[Var], builder: GraphBuilder, uses: Uses) -> tuple[Var, ...] | None:
    out = node.outputs[0]
    if out.dtype.kind not in "iu" or out.dtype not in ELEMENT or not out.size:
        return None
    return builder.call(DIVISIONS[node.prim.name], tuple(args), (), [out.type])


RULES: dict[str, Rule] = {
    **{name: in_float32 for name in ("dot", "conv", "conv_weight_grad", "conv_input_grad")},
    **{name: _reduce for name in ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min")},
    **{name: _divide_integers for name in DIVISIONS},
    "permute": _turned_dot, "strided_view": _strided_view, "sort": _sort, "window_sum": _window_sum, "window_spread": _window_spread,
    "scatter": unpooled, "select": masked,
}


def apply_rules(graph: Graph) -> Graph:
    """The same graph where each row of RULES that applies has been."""
    if not any(n.prim.name in RULES for n in graph.nodes):
        return graph
    readers: dict[Var, list[Node]] = {}
    for node in graph.nodes:
        for v in node.inputs:
            readers.setdefault(v, []).append(node)
    uses = Uses(readers, frozenset(graph.outputs))

    def change(node: Node, env: dict[Var, Var], builder: GraphBuilder) -> tuple[Var, ...] | None:
        rule = RULES.get(node.prim.name)
        return None if rule is None else rule(node, [env[v] for v in node.inputs], builder, uses)
    return rewritten(graph, change)
