"""Forward mode: the graph that carries tangents along with values.

A primitive's JVP is the transpose of its VJP, which is linear in the cotangent: pulling tangents back through it gives
their push through the primitive (Radul et al., "You only linearize once", 2023, take the same road the other way). Rules
of their own are for primitives whose VJP is not written as a linear function.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ..ir.graph import Graph, GraphBuilder, Node, Var, inline
from .derive import derive_vjp, differentiable
from .elementwise import absolute, eq, exp, gt, log, lt, mul, ones_like, select, zeros_like
from .reduction import cumsum, logcumsumexp

RULES: dict[str, Callable[..., Any]] = {}  # rule(tangents, outputs, inputs, *params) -> tangent(s) or None


def _logcumsumexp(ts, y, xs, dim):
    """Σ t exp(x − y), of positive and negative t apart, so that it stays in the log domain."""
    x, t = xs[0], ts[0]
    if x.dtype.kind == "c":
        return cumsum(mul(t, exp(x)), dim) / exp(y)
    nothing = eq(y, float("-inf"))

    def part(keep):
        masked = select(keep, log(select(keep, absolute(t), ones_like(t))), float("-inf"))
        return select(nothing, 0, exp(logcumsumexp(x + masked, dim) - select(nothing, 0, y)))
    return part(gt(t, 0)) - part(lt(t, 0))


RULES["logcumsumexp"] = _logcumsumexp


def derive_jvp(graph: Graph, active: Sequence[bool]) -> Graph:
    """inputs, then a tangent for each that is marked by `active` → outputs, then a tangent for each differentiable one."""
    builder = GraphBuilder()
    inputs = [builder.input(v.type) for v in graph.inputs]
    env: dict[Var, Var] = dict(zip(graph.inputs, inputs))
    tangents: dict[Var, Var] = {v: builder.input(v.type) for v, a in zip(graph.inputs, active) if a}
    for node in graph.nodes:
        xs = tuple(env[v] for v in node.inputs)
        ys = builder.call(node.prim, xs, node.params, [o.type for o in node.outputs])
        env.update(zip(node.outputs, ys))
        ts = [tangents.get(v) for v in node.inputs]
        if any(t is not None for t in ts):
            for out, t in zip(node.outputs, _push(node, xs, ys, ts)):
                if t is not None and differentiable(out.type):
                    tangents[out] = t
    outputs = [env[v] for v in graph.outputs]
    moved = [tangents.get(v) for v in graph.outputs]
    results = [zeros_like(o) if t is None else t for o, t in zip(outputs, moved) if differentiable(o.type)]
    return builder.finish([*outputs, *results])


def _push(node: Node, xs: Sequence[Var], ys: Sequence[Var], ts: Sequence[Var | None]) -> Sequence[Var | None]:
    """The tangents of a node's outputs, from those of its inputs (None is zero)."""
    own = RULES.get(node.prim.name)
    if own is not None:
        result = own(ts, ys[0] if node.prim.n_outputs == 1 else ys, xs, *node.params)
        return result if isinstance(result, tuple) else (result,)
    if node.prim.vjp is None:
        return [None] * len(ys)
    return _transposed(node, xs, ys, ts)


def _transposed(node: Node, xs: Sequence[Var], ys: Sequence[Var], ts: Sequence[Var | None]) -> Sequence[Var | None]:
    """The transpose of the node's VJP, applied to the tangents."""
    pullback = GraphBuilder()
    x_in, y_in = [pullback.input(v.type) for v in xs], [pullback.input(v.type) for v in ys]
    cotangents = [pullback.input(v.type) if differentiable(v.type) else None for v in ys]
    single = node.prim.n_outputs == 1
    results = node.prim.vjp(cotangents[0] if single else tuple(cotangents), y_in[0] if single else tuple(y_in), tuple(x_in), *node.params)
    used = [(g, t) for g, t in zip(results, ts) if g is not None and t is not None and differentiable(t.type)]
    if not used or all(g is None for g in cotangents):
        return [None] * len(ys)
    graph = pullback.finish([g for g, _ in used])
    needs = [False] * (len(xs) + len(ys)) + [True] * (len(graph.inputs) - len(xs) - len(ys))
    d = derive_vjp(graph, needs, [True] * len(used))
    # the VJP is linear in the cotangents, so its transpose does not depend on them: any will do
    here = [*xs, *ys, *[zeros_like(v) for v, g in zip(ys, cotangents) if g is not None]]
    kept = inline(d.forward, here, xs[0].builder)
    place = {"in": here, "out": kept, "res": kept[len(used):]}
    pushed = iter(zip(inline(d.backward, [*[place[kind][i] for kind, i in d.saved], *[t for _, t in used]], xs[0].builder), d.missing))
    return [None if g is None else _unless(*next(pushed)) for g in cotangents]


def _unless(t: Var, missing: bool) -> Var | None:
    return None if missing else t
