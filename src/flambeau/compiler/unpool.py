"""The gradient of max pooling whose windows tile the plane: each window is written whole, its maximum's place with the gradient.

Equal to adding the gradients at the maxima's places into zeros, but as vectors, without looking where other windows put theirs.
"""
from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, Callable

from ..ir.graph import GraphBuilder, Node, Var
from ..ir.types import contiguous_strides, tensor_type
from ..primitives.elementwise import le, select
from ..primitives.shape import reshape
from .elements import ELEMENT, memory_type
from .kernel import Kernel, chunked
from .llvm.emit import I64, Index, const, vector, zero_of
from .lowered import LoweredPrimitive
from .zeros import is_zero

unpool_p = LoweredPrimitive("unpool")


def unpooled(node: Node, args: list[Var], builder: GraphBuilder, uses: Any) -> tuple[Var, ...] | None:
    """The rule: a scatter of gradients, by the places that max pooling found, as `unpool`."""
    zeros, flat, source = args
    index, g = _under_reshapes(flat), _under_reshapes(source)
    pool = index.node
    if pool is None or pool.prim.name != "max_pool" or index is not pool.outputs[1] or node.params != (2, "add") \
            or not is_zero(zeros) or g.dtype not in ELEMENT:
        return None
    planes = (*index.shape[:2], prod(index.shape[2:]))  # each place in its own plane, each with its gradient
    if flat.shape != planes or source.shape != planes:
        return None
    x, (window, stride, low, _, dilation) = pool.inputs[0], pool.params
    tiled = window == stride and not any(low) and set(dilation) == {1} and window[-1] <= 2 and \
        all(n == t * w for n, t, w in zip(x.shape[2:], index.shape[2:], window))
    if not tiled or not index.size or zeros.shape != (*x.shape[:2], prod(x.shape[2:])):
        return None
    out, = builder.call(unpool_p, (g, index), (window,), [tensor_type(g.dtype, x.shape)])
    return (reshape(out, zeros.shape),)


def masked(node: Node, args: list[Var], builder: GraphBuilder, uses: Any) -> tuple[Var, ...] | None:
    """The rule: ReLU's gradient before max pooling's, of fewer elements. A window's gradient is 0 but at its maximum, where what ReLU's
    gradient asks of the plane is what it asks of the pooled value."""
    condition, zeros, wide = args
    test, unpool = condition.node, _under_reshapes(wide).node
    if test is None or test.prim.name != "le" or unpool is None or unpool.prim is not unpool_p or not _is_read_once(node.inputs[2], uses):
        return None
    (y, bound), (g, index) = test.inputs, unpool.inputs
    pool = index.node
    if pool is None or y is not pool.inputs[0] or wide.shape != y.shape or not is_zero(bound) or not is_zero(zeros):
        return None
    pooled = pool.outputs[0]
    kept = select(le(pooled, 0), 0, reshape(g, pooled.shape))
    return builder.call(unpool_p, (kept, index), unpool.params, [node.outputs[0].type])


def _is_read_once(v: Var, uses: Any) -> bool:
    """Whether nobody but the one who reads v wants it, or what it is a reshape of."""
    while len(uses.readers[v]) == 1 and v not in uses.results:
        if v.node is None or v.node.prim.name != "reshape":
            return True
        v = v.node.inputs[0]
    return False


def _under_reshapes(v: Var) -> Var:
    """What lies in memory just as v would."""
    while v.node is not None and v.node.prim.name == "reshape":
        v = v.node.inputs[0]
    return v


def _unpool(k: Kernel, node: Node) -> int:
    """Vectors run along the last dimension of the pooled plane; the elements of a window along it are interleaved."""
    e = k.e
    g, index = node.inputs
    out, (window,) = node.outputs[0], node.params
    k.prepare([g, index, out])
    pooled, sizes = index.shape[2:], out.shape[2:]
    strides, width, last = contiguous_strides(sizes), pooled[-1], window[-1]
    t = memory_type(g.dtype)
    lanes = min(k.lanes, 1 << max(width - 1, 1).bit_length())
    lines, plane_size = prod(pooled[:-1]), prod(sizes)
    start, stop, chunks = chunked(k, prod(index.shape[:2]) * lines, width * prod(window))

    def windows(base: Index, line: Index, origin: list[Index], i: Index, count: int) -> None:
        """`count` windows from number i on of a line of the pooled plane."""
        at = e.add(e.mul(line, width), i)
        gradients = e.load_some(e.at(k.pointer(g), at, t), vector(t, lanes), count)
        places = e.load_some(e.at(k.pointer(index), at, I64), vector(I64, lanes), count)
        steps = const(vector(I64, lanes), [last * n for n in range(lanes)])
        for offsets in product(*[range(w) for w in window[:-1]]):
            row: Index = e.mul(i, last)
            for o, offset, stride in zip(origin, offsets, strides):
                row = e.add(row, e.mul(e.add(o, offset), stride))
            first = e.b.add(e.splat(e.i64(row), lanes), steps)
            parts = [e.b.select(e.b.icmp_signed("==", places, e.b.add(first, const(vector(I64, lanes), n))), gradients,
                                const(vector(t, lanes), zero_of(t))) for n in range(last)]
            order = [n * lanes + lane for lane in range(lanes) for n in range(last)]
            for begin in range(0, count * last, lanes):
                part = e.shuffle(parts[0], parts[-1], order[begin:begin + lanes])
                e.store_some(part, e.at(k.pointer(out), e.add(base, e.add(row, begin)), t), count * last - begin)
    with e.loop(start, stop, name="line") as line:
        plane, rest = e.divmod(line, lines)
        origin = [e.mul(a, w) for a, w in zip(e.unravel(rest, pooled[:-1]), window)]
        base, whole = e.mul(plane, plane_size), width // lanes * lanes
        if whole:
            with e.loop(0, whole, lanes) as i:
                windows(base, line, origin, i, lanes)
        if width % lanes:
            windows(base, line, origin, whole, width % lanes)
    k.finish()
    return chunks


UNPOOL: dict[str, Callable[[Kernel, Node], int]] = {"unpool": _unpool}
