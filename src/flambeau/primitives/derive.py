"""Gradient graphs: the VJP of a graph of primitives, and the split between what its forward keeps and its backward recomputes."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..ir.graph import Graph, GraphBuilder, Node, Var
from ..ir.types import TensorType
from .base import full
from .elementwise import add, zeros_like
from .shape import concat, pad_p


class Derivative(NamedTuple):
    """forward: the graph with the residuals appended to its outputs. saved: where backward's first inputs come from, as
    ('in' | 'out' | 'res', index). backward: saved values, then the present cotangents → one gradient per needed input.
    missing: which of the needed inputs have no gradient at all. residuals: where they are made, as (node, output) numbers."""

    forward: Graph
    saved: tuple[tuple[str, int], ...]
    backward: Graph
    missing: tuple[bool, ...]
    residuals: tuple[tuple[int, int], ...]


def differentiable(t: TensorType) -> bool:
    return t.dtype.kind in "fc"


def total(contributions: Sequence[Var]) -> Var:
    """The sum of the cotangents that arrive at one value. Parts of it in different places along one dimension (the steps of
    a sequence, the gates of a cell) are joined: adding them up would walk the whole value for each."""
    parts: dict[int, list[tuple[int, Var]]] = {}  # (start, what is not zero) by dimension
    rest = []
    for g in contributions:
        found = _part(g) if len(contributions) > 1 else None
        if found is None:
            rest.append(g)
        else:
            parts.setdefault(found[0], []).append((found[1], g))
    for dim, group in parts.items():
        joined, left = _join(dim, sorted(group, key=lambda part: part[0]))
        rest += [*left, joined]
    result = rest[0]
    for g in rest[1:]:
        result = add(result, g)
    return result


def _part(g: Var) -> tuple[int, int] | None:
    """(dimension, start) if g is zero but for a range along one dimension."""
    if g.node is None or g.node.prim is not pad_p:
        return None
    low, high, inner, value = g.node.params
    dims = [d for d in range(g.ndim) if low[d] or high[d]]
    if len(dims) != 1 or any(inner) or value != 0 or low[dims[0]] < 0 or high[dims[0]] < 0:
        return None
    return dims[0], low[dims[0]]


def _join(dim: int, group: list[tuple[int, Var]]) -> tuple[Var, list[Var]]:
    """One value of the parts that do not overlap, with zeros between them; and the others."""
    pieces: list[Var] = []
    left: list[Var] = []
    end = 0
    shape = group[0][1].shape

    def fill(stop: int) -> None:
        if stop > end:
            x = group[0][1]
            pieces.append(full((*shape[:dim], stop - end, *shape[dim + 1:]), 0, x.dtype, x.builder))
    for start, g in group:
        if start < end:
            left.append(g)
            continue
        fill(start)
        inside = g.node.inputs[0]  # type: ignore[union-attr]
        pieces.append(inside)
        end = start + inside.shape[dim]
    if len(group) - len(left) == 1:
        return group[0][1], left
    fill(shape[dim])
    return concat(pieces, dim), left


def _accumulate(builder: GraphBuilder, node: Node, arrived: dict[Var, list[Var]]) -> None:
    """Pushes the cotangents of a node's outputs to its inputs."""
    gs = tuple([total(arrived[o]) if o in arrived else None for o in node.outputs])
    if all(g is None for g in gs) or node.prim.vjp is None:
        return
    single = node.prim.n_outputs == 1
    results = node.prim.vjp(gs[0] if single else gs, node.outputs[0] if single else node.outputs, node.inputs, *node.params)
    for var, g in zip(node.inputs, results):
        if g is not None and differentiable(var.type):
            arrived.setdefault(var, []).append(g)


def _active(nodes: Sequence[Node], roots: set[Var]) -> set[Var]:
    """The values that depend on `roots`: only they need cotangents."""
    active = set(roots)
    for node in nodes:
        if any(v in active for v in node.inputs):
            active.update(node.outputs)
    return active


def _inline_saving(graph: Graph, args: Sequence[Var], needs: Sequence[bool], builder: GraphBuilder) -> list[Var]:
    """`inline`; calls on the way of the gradient that can return what their VJP wants do so."""
    env = dict(zip(graph.inputs, args))
    active = _active(graph.nodes, {v for v, need in zip(graph.inputs, needs) if need})
    for node in graph.nodes:
        params, types = node.params, [o.type for o in node.outputs]
        if node.prim.saving is not None and node.outputs[0] in active:
            params, types = node.prim.saving(node)
        env.update(zip(node.outputs, builder.call(node.prim, tuple([env[v] for v in node.inputs]), params, types)))
    return [env[v] for v in graph.outputs]


def derive_vjp(graph: Graph, needs: Sequence[bool], present: Sequence[bool], recompute: bool = False,
               keep: frozenset[str] = frozenset()) -> Derivative:
    """The gradient of `graph` in the inputs marked by `needs`, given cotangents of the outputs marked by `present`.

    recompute: backward is handed inputs and outputs only, and has no residuals: it can then be differentiated in what it is
    handed. keep: names of cheap primitives whose results are kept all the same.
    """
    joint = GraphBuilder()
    inputs = [joint.input(v.type) for v in graph.inputs]
    outputs = _inline_saving(graph, inputs, needs, joint)
    forward_nodes = list(joint.nodes)
    wrt = [v for v, need in zip(inputs, needs) if need]
    active = _active(forward_nodes, set(wrt))
    arrived: dict[Var, list[Var]] = {}  # cotangents, as they come
    arrivals = []
    for out, here in zip(outputs, present):
        if here:
            g = joint.input(out.type)
            arrivals.append(g)
            if differentiable(out.type):
                arrived.setdefault(out, []).append(g)
    for node in reversed(forward_nodes):
        if any(o in active for o in node.outputs):
            _accumulate(joint, node, arrived)
    grads = [total(arrived[v]) if v in arrived else None for v in wrt]
    missing = tuple(g is None for g in grads)
    results = [zeros_like(v) if g is None else g for v, g in zip(wrt, grads)]
    return _split(joint, inputs, outputs, forward_nodes, arrivals, results, missing, recompute, keep)


def _split(joint, inputs, outputs, forward_nodes, arrivals, results, missing, recompute, keep) -> Derivative:
    """Cuts the joint graph: backward recomputes cheap forward nodes and is handed the results of the others."""
    forward = set(forward_nodes)
    place: dict[Var, tuple[str, int]] = {}
    for i, v in enumerate(outputs):
        place.setdefault(v, ("out", i))
    for i, v in enumerate(inputs):
        place[v] = ("in", i)
    arriving = set(arrivals)
    back = GraphBuilder()
    env: dict[Var, Var] = {}
    saved: list[tuple[str, int]] = []
    saved_vars: list[Var] = []
    residuals: list[Var] = []

    def save(v: Var) -> None:
        at = place.get(v)
        if at is None:
            at = place[v] = ("res", len(residuals))
            residuals.append(v)
        saved.append(at)
        saved_vars.append(v)

    # which forward values does backward read, when cheap ones are recomputed?
    wanted = [v for v in results]
    seen: set[Var] = set()
    cuts: list[Var] = []
    while wanted:
        v = wanted.pop()
        if v in seen or v in arriving:
            continue
        seen.add(v)
        node = v.node
        if node is not None and not node.inputs:
            continue  # a constant
        if node is None or node in forward and (v in place or not recompute and (not node.prim.cheap or node.prim.name in keep)):
            cuts.append(v)
        else:
            wanted.extend(node.inputs)
    order = {v: i for i, v in enumerate([*inputs, *[o for n in forward_nodes for o in n.outputs]])}
    for v in sorted(cuts, key=order.__getitem__):
        save(v)
    for v in saved_vars:
        env[v] = back.input(v.type)
    for v in arrivals:
        env[v] = back.input(v.type)
    for node in joint.nodes:
        if any(o in seen for o in node.outputs) and not all(o in env for o in node.outputs):
            if all(i in env for i in node.inputs):
                outs = back.call(node.prim, tuple(env[i] for i in node.inputs), node.params, [o.type for o in node.outputs])
                for o, b in zip(node.outputs, outs):
                    env.setdefault(o, b)
    fwd = Graph(inputs, [n for n in forward_nodes], [*outputs, *residuals])
    made = {v: (i, k) for i, node in enumerate(forward_nodes) for k, v in enumerate(node.outputs)}
    return Derivative(fwd, tuple(saved), back.finish([env[v] for v in results]), missing, tuple(made[v] for v in residuals))
