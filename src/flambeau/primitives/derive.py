"""Gradient graphs: the VJP of a graph of primitives, and the split between what its forward keeps and its backward recomputes."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..ir.graph import Graph, GraphBuilder, Node, Var, inline
from ..ir.types import TensorType
from .elementwise import add, zeros_like


class Derivative(NamedTuple):
    """forward: the graph with the residuals appended to its outputs. saved: where backward's first inputs come from, as
    ('in' | 'out' | 'res', index). backward: saved values, then the present cotangents → one gradient per needed input.
    zero: which of the needed inputs have no gradient at all."""

    forward: Graph
    saved: tuple[tuple[str, int], ...]
    backward: Graph
    missing: tuple[bool, ...]


def differentiable(t: TensorType) -> bool:
    return t.dtype.kind in "fc"


def _accumulate(builder: GraphBuilder, node: Node, cotangents: dict[Var, Var]) -> None:
    """Pushes the cotangents of a node's outputs to its inputs."""
    gs = tuple(cotangents.get(o) for o in node.outputs)
    if all(g is None for g in gs) or node.prim.vjp is None:
        return
    single = node.prim.n_outputs == 1
    results = node.prim.vjp(gs[0] if single else gs, node.outputs[0] if single else node.outputs, node.inputs, *node.params)
    for var, g in zip(node.inputs, results):
        if g is not None and differentiable(var.type):
            cotangents[var] = add(cotangents[var], g) if var in cotangents else g


def _active(nodes: Sequence[Node], roots: set[Var]) -> set[Var]:
    """The values that depend on `roots`: only they need cotangents."""
    active = set(roots)
    for node in nodes:
        if any(v in active for v in node.inputs):
            active.update(node.outputs)
    return active


def derive_vjp(graph: Graph, needs: Sequence[bool], present: Sequence[bool],
               residuals_of: Derivative | None = None) -> Derivative:
    """The gradient of `graph` in the inputs marked by `needs`, given cotangents of the outputs marked by `present`."""
    joint = GraphBuilder()
    inputs = [joint.input(v.type) for v in graph.inputs]
    outputs = inline(graph, inputs, joint)
    forward_nodes = list(joint.nodes)
    wrt = [v for v, need in zip(inputs, needs) if need]
    active = _active(forward_nodes, set(wrt))
    cotangents: dict[Var, Var] = {}
    arrivals = []
    for out, here in zip(outputs, present):
        if here:
            g = joint.input(out.type)
            arrivals.append(g)
            if differentiable(out.type):
                cotangents[out] = add(cotangents[out], g) if out in cotangents else g
    for node in reversed(forward_nodes):
        if any(o in active for o in node.outputs):
            _accumulate(joint, node, cotangents)
    grads = [cotangents.get(v) for v in wrt]
    missing = tuple(g is None for g in grads)
    results = [zeros_like(v) if g is None else g for v, g in zip(wrt, grads)]
    return _split(joint, inputs, outputs, forward_nodes, arrivals, results, missing)


def _split(joint, inputs, outputs, forward_nodes, arrivals, results, missing) -> Derivative:
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

    def keep(v: Var) -> None:
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
        if node is None or node in forward and (v in place or not node.prim.cheap):
            cuts.append(v)
        else:
            wanted.extend(node.inputs)
    order = {v: i for i, v in enumerate([*inputs, *[o for n in forward_nodes for o in n.outputs]])}
    for v in sorted(cuts, key=order.__getitem__):
        keep(v)
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
    return Derivative(fwd, tuple(saved), back.finish([env[v] for v in results]), missing)
