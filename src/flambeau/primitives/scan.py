"""`scan`: a recurrence over the first dimension, whose step is a graph of its own.

The step maps (carries, one row of each sequence, what all steps share) to (new carries, one row of each result). A call
returns the history of each carry, which is one row longer than the sequences for it begins with the initial value, and the
results' rows stacked. A history is what the layer above and the gradient read, without a copy.

The VJP is a scan the other way round. What it wants to know of the steps are more results of the first scan, added when a
graph is differentiated (`Primitive.saving`). The cotangent of what all steps share is a sum over the steps; where each term
is a product, the factors are stacked and multiplied once, after the scan (`_total_over_steps`).
"""
from __future__ import annotations

from typing import Any, Callable, Sequence
from weakref import WeakValueDictionary

from ..ir.graph import Graph, GraphBuilder, Node, Var, inline, trace
from ..ir.printer import format_graph
from ..ir.types import TensorType, tensor_type
from .base import Primitive
from .batching import batch_graph, rule
from .contraction import dot, dot_p
from .derive import Derivative, derive_vjp, differentiable
from .elementwise import add, zeros_like
from .reduction import reduce_sum
from .shape import concat, pad_p, permute, reshape, slice_dim
from .tangents import RULES as TANGENT_RULES, derive_jvp

EXPENSIVE = frozenset({"sigmoid", "tanh", "exp", "erf", "log", "pow"})  # a step's gradient rather keeps their results

_bodies: WeakValueDictionary[tuple, Body] = WeakValueDictionary()


class Body:
    """A step: graph, and its text. Made by `body_of`, so that equal steps are one object, whatever the number of steps.

    plain: None, or the body whose results come first, before those that its gradient wants.
    """

    __slots__ = ("graph", "text", "plain", "_expanded", "_saving", "_complete", "_derivatives", "__weakref__")

    def __init__(self, graph: Graph, text: str, plain: Body | None):
        self.graph, self.text, self.plain = graph, text, plain
        self._expanded: Graph | None = None
        self._saving: Body | None = None
        self._complete: Derivative | None = None
        self._derivatives: dict[tuple[bool, ...], Derivative] = {}

    def __repr__(self) -> str:
        return "{\n" + self.text + "\n}"

    @property
    def expanded(self) -> Graph:
        """The graph for executors: without primitives that are defined by others."""
        if self._expanded is None:
            builder = GraphBuilder()
            args = [builder.input(v.type) for v in self.graph.inputs]
            self._expanded = builder.finish(inline(self.graph, args, builder, expand=True))
        return self._expanded

    def derivative(self, present: tuple[bool, ...]) -> Derivative:
        """The gradient of one step, given cotangents of the outputs marked by `present`."""
        found = self._derivatives.get(present)
        if found is None:
            found = self._derive(present)
            if not set(found.residuals) <= set(self._whole().residuals):
                found = self._derive(present, recompute=True)
            self._derivatives[present] = found
        return found

    def _whole(self) -> Derivative:
        """The derivative for cotangents of everything: its residuals are what a scan keeps."""
        if self._complete is None:
            self._complete = self._derive(tuple([differentiable(v.type) for v in self.graph.outputs]))
        return self._complete

    def _derive(self, present: tuple[bool, ...], recompute: bool = False) -> Derivative:
        return derive_vjp(self.graph, [differentiable(v.type) for v in self.graph.inputs], present, recompute, EXPENSIVE)

    def saving(self) -> Body:
        """The body that also returns what the gradient wants."""
        if self._saving is None:
            forward = self._whole().forward
            self._saving = body_of(Graph(forward.inputs, forward.nodes, forward.outputs), self)
        return self._saving

    def residual(self, d: Derivative, number: int) -> int:
        """Which output of `saving` the residual of this number of a derivative is."""
        return len(self.graph.outputs) + self._whole().residuals.index(d.residuals[number])


def body_of(graph: Graph, plain: Body | None = None) -> Body:
    """The one `Body` of this graph."""
    text = format_graph(graph)
    found = _bodies.get((text, plain))
    if found is None:
        found = _bodies[text, plain] = Body(graph, text, plain)
    return found


def _row(t: TensorType) -> TensorType:
    return tensor_type(t.dtype, t.shape[1:])


def _types(body: Body, n_carry: int, length: int) -> list[TensorType]:
    return [tensor_type(v.dtype, (length + (i < n_carry), *v.shape)) for i, v in enumerate(body.graph.outputs)]


def _run(*arrays: Any) -> Any:
    raise AssertionError("executors run the steps of a scan themselves")


def _call(body: Body, n_carry: int, n_xs: int, length: int, reverse: bool, inputs: Sequence[Var]) -> tuple[Var, ...]:
    params = (body, n_carry, n_xs, length, reverse)
    return inputs[0].builder.call(scan_p, tuple(inputs), params, _types(body, n_carry, length))


def scan(step: Callable[..., Any], init: Sequence[Var], xs: Sequence[Var], shared: Sequence[Var] = (),
         reverse: bool = False) -> tuple[list[Var], list[Var]]:
    """step(carries, rows of xs, shared) → (new carries, rows of ys), for each row of xs (T, …); from the last if `reverse`.

    Returns the carries' histories (T + 1, …), in the order of xs: with `reverse` the initial value is the last row; and ys
    (T, …).
    """
    n, m = len(init), len(init) + len(xs)

    def flat(*vs: Var) -> list[Var]:
        carries, ys = step(vs[:n], vs[n:m], vs[m:])
        return [*carries, *ys]
    graph, _ = trace(flat, [*[v.type for v in init], *[_row(v.type) for v in xs], *[v.type for v in shared]])
    outs = _call(body_of(graph), n, len(xs), xs[0].shape[0], reverse, [*init, *xs, *shared])
    return list(outs[:n]), list(outs[n:])


def written_out(node: Node) -> Graph:
    """A call of scan as the graph of all its steps, for those who know no loops."""
    body, n_carry, n_xs, length, reverse = node.params
    builder = GraphBuilder()
    inputs = [builder.input(v.type) for v in node.inputs]
    carries, xs, shared = inputs[:n_carry], inputs[n_carry:n_carry + n_xs], inputs[n_carry + n_xs:]
    rows: list[list[Var]] = [[x] for x in carries] + [[] for _ in node.outputs[n_carry:]]
    for t in range(length - 1, -1, -1) if reverse else range(length):
        outs = inline(body.graph, [*carries, *[_at(x, t) for x in xs], *shared], builder)
        carries = outs[:n_carry]
        for made, v in zip(rows, outs):
            made.append(v)
    return builder.finish([concat([reshape(v, (1, *v.shape)) for v in (made[::-1] if reverse else made)], 0) for made in rows])


# ------------------------------------------------------------------ the gradient

def _saving(node: Node) -> tuple[tuple, list[TensorType]]:
    body, n_carry, n_xs, length, reverse = node.params
    body = body.saving()
    return (body, n_carry, n_xs, length, reverse), _types(body, n_carry, length)


def _ends(reverse: bool, length: int) -> tuple[int, int]:
    """The first and the last row of a history, in the order of time."""
    return (length, 0) if reverse else (0, length)


def _at(history: Var, row: int) -> Var:
    return reshape(slice_dim(history, 0, row, row + 1), history.shape[1:])


def _before(history: Var, reverse: bool) -> Var:
    """The carry that each step got; `not reverse` gives what it left."""
    return slice_dim(history, 0, int(reverse), history.shape[0] - 1 + int(reverse))


def _only_row(g: Var, row: int) -> Var | None:
    """This row of a cotangent that is zero elsewhere; None for others."""
    if g.node is None or g.node.prim is not pad_p:
        return None
    low, high, inner, value = g.node.params
    x = g.node.inputs[0]
    alone = x.shape[0] == 1 and low[0] == row and not any(low[1:]) and not any(high[1:]) and not any(inner) and value == 0
    return reshape(x, x.shape[1:]) if alone else None


class _Backward:
    """The scan that takes cotangents back through the steps, while it is built."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()
        self.init: list[Var] = []
        self.rows: list[Var] = []     # stacked values that it reads row by row
        self.shared: list[Var] = []
        self.stacked: dict[Var, Var] = {}  # its own values → the rows of all steps
        self.results: list[Var] = []

    def inputs(self) -> list[list[Var]]:
        """A Var for each carry, row and shared value, in this order."""
        types = [[v.type for v in self.init], [_row(v.type) for v in self.rows], [v.type for v in self.shared]]
        made = [[self.builder.input(t) for t in group] for group in types]
        self.stacked.update(zip(made[1], self.rows))
        return made

    def keep(self, v: Var) -> None:
        """Makes the rows of v known after the scan."""
        if v not in self.stacked and v not in self.results:
            self.results.append(v)

    def run(self, carries: list[Var], length: int, reverse: bool) -> list[Var]:
        """The carries' histories; `stacked` then has what was to be kept."""
        body = body_of(self.builder.finish([*carries, *self.results]))
        n = len(carries)
        outs = _call(body, n, len(self.rows), length, reverse, [*self.init, *self.rows, *self.shared])
        self.stacked.update(zip(self.results, outs[n:]))
        return list(outs[:n])


def _total_over_steps(v: Var, backward: _Backward) -> Callable[[], Var]:
    """The sum of v over all steps, to be built after the scan. Sums and products wait until then."""
    node = v.node
    name = None if node is None else node.prim.name
    if node is not None and node.prim is dot_p and not node.params[2]:
        a, b = node.inputs
        ca, cb = node.params[:2]
        backward.keep(a)
        backward.keep(b)
        return lambda: dot(backward.stacked[a], backward.stacked[b], (0, *[d + 1 for d in ca]), (0, *[d + 1 for d in cb]))
    if node is not None and name in ("permute", "reshape"):
        inner = _total_over_steps(node.inputs[0], backward)
        move = permute if name == "permute" else reshape
        return lambda: move(inner(), node.params[0])
    if node is not None and name == "add":
        x, y = [_total_over_steps(i, backward) for i in node.inputs]
        return lambda: add(x(), y())
    dims: tuple[int, ...] = ()
    if node is not None and name == "reduce_sum":
        v, dims = node.inputs[0], node.params[0]
    backward.keep(v)
    return lambda: reduce_sum(backward.stacked[v], (0, *[d + 1 for d in dims]))


def _vjp(gs: Sequence[Var | None], outs: Sequence[Var], inputs: Sequence[Var], body: Body, n_carry: int, n_xs: int, length: int,
         reverse: bool) -> list[Var | None]:
    plain = body.plain
    if plain is None or any(g is not None for g in gs[len(plain.graph.outputs):]):  # differentiated as it is: once more, saving
        plain = body
        outs = _call(body.saving(), n_carry, n_xs, length, reverse, inputs)
    carried = [j for j in range(n_carry) if differentiable(outs[j].type)]
    results = range(n_carry, len(plain.graph.outputs))
    d = plain.derivative((*[j in carried for j in range(n_carry)], *[gs[k] is not None for k in results]))
    first, last = _ends(reverse, length)
    back = _Backward()
    rows, shared = back.rows, back.shared

    def saved(kind: str, i: int) -> tuple[list[Var], int]:
        """Which of the backward scan's inputs a saved value is."""
        if kind == "in" and i >= n_carry + n_xs:
            shared.append(inputs[i])
            return shared, len(shared) - 1
        if kind == "in":
            rows.append(inputs[i] if i >= n_carry else _before(outs[i], reverse))
        elif kind == "out":
            rows.append(outs[i] if i >= n_carry else _before(outs[i], not reverse))
        else:
            rows.append(outs[plain.residual(d, i)])
        return rows, len(rows) - 1
    sources = [saved(*s) for s in d.saved]
    arriving = {}  # number of a carry or result → number of the row that its cotangent comes in
    for j in carried:
        g = gs[j]
        end = None if g is None else _only_row(g, last)
        if g is None or end is not None:
            back.init.append(_zeros(outs[j]) if end is None else end)
        else:
            back.init.append(_at(g, last))
            arriving[j] = len(rows)
            rows.append(_before(g, reverse))
    for k in results:
        g = gs[k]
        if g is not None:
            arriving[k] = len(rows)
            rows.append(g)

    carries, row, common = back.inputs()
    cotangents = carries + [row[arriving[k]] for k in results if k in arriving]
    args = [row[i] if group is rows else common[i] for group, i in sources]
    found = dict(zip([i for i, v in enumerate(inputs) if differentiable(v.type)], inline(d.backward, [*args, *cotangents], back.builder)))
    before = [add(found[j], row[arriving[j]]) if j in arriving else found[j] for j in carried]
    for i in range(n_carry, n_carry + n_xs):
        if i in found:
            back.keep(found[i])
    totals = {i: _total_over_steps(found[i], back) for i in found if i >= n_carry + n_xs}
    histories = dict(zip(carried, back.run(before, length, not reverse)))

    def result(i: int) -> Var | None:
        if i not in found:
            return None
        if i < n_carry:
            return _at(histories[i], first)
        return totals[i]() if i in totals else back.stacked[found[i]]
    return [result(i) for i in range(len(inputs))]


def _zeros(history: Var) -> Var:
    return zeros_like(_at(history, 0))


# How many results it has depends on its body: 2 stands for "a tuple". What its steps compute on elements is theirs to say.
scan_p = Primitive("scan", lambda *args: _types(args[-5], args[-4], args[-2]), _run, _vjp, n_outputs=2, moves_data=True, kind="loop")
scan_p.saving = _saving


# ------------------------------------------------------------------ batches and tangents

@rule("scan")
def _batched(n: int, batched: Sequence[bool], inputs: Sequence[Var], body: Body, n_carry: int, n_xs: int, length: int,
             reverse: bool) -> tuple[Var, ...]:
    """The examples come after the steps; carries are always of all examples."""
    from .batching import repeated
    graph = batch_graph(body.graph, [True] * n_carry + list(batched[n_carry:]), n)

    def turned(x: Var) -> Var:
        return permute(x, (1, 0, *range(2, x.ndim)))
    init = [x if b else repeated(n, x) for x, b in zip(inputs[:n_carry], batched)]
    xs = [turned(x) if b else x for x, b in zip(inputs[n_carry:n_carry + n_xs], batched[n_carry:])]
    outs = _call(body_of(graph), n_carry, n_xs, length, reverse, [*init, *xs, *inputs[n_carry + n_xs:]])
    return tuple([turned(x) for x in outs])


def _tangents(ts: Sequence[Var | None], outs: Sequence[Var], inputs: Sequence[Var], body: Body, n_carry: int, n_xs: int, length: int,
              reverse: bool) -> tuple[Var | None, ...]:
    """A scan whose steps carry values and tangents."""
    active = [differentiable(x.type) and (i < n_carry or t is not None) for i, (x, t) in enumerate(zip(inputs, ts))]
    pushed = derive_jvp(body.graph, active)
    moved = [i for i, a in enumerate(active) if a]
    groups = [range(n_carry), range(n_carry, n_carry + n_xs), range(n_carry + n_xs, len(inputs))]
    builder = GraphBuilder()
    operands: list[Var] = []
    values: dict[int, Var] = {}
    tangents: dict[int, Var] = {}
    for group in groups:
        for i in group:
            values[i] = builder.input(body.graph.inputs[i].type)
            operands.append(inputs[i])
        for i in [i for i in group if active[i]]:
            tangents[i] = builder.input(body.graph.inputs[i].type)
            t = ts[i]
            operands.append(zeros_like(inputs[i]) if t is None else t)
    n = len(body.graph.outputs)
    found = inline(pushed, [*values.values(), *[tangents[i] for i in moved]], builder)
    slopes = dict(zip([k for k, v in enumerate(body.graph.outputs) if differentiable(v.type)], found[n:]))
    new = [*found[:n_carry], *[slopes[j] for j in range(n_carry) if active[j]]]
    rows = [slopes[k] for k in range(n_carry, n) if k in slopes]
    n_rows = n_xs + sum(active[n_carry:n_carry + n_xs])
    results = iter(_call(body_of(builder.finish([*new, *rows])), len(new), n_rows, length, reverse, operands)[n_carry:])
    return tuple([next(results) if k in slopes else None for k in range(n)])


TANGENT_RULES["scan"] = _tangents
