"""Sums over the steps of a scan, taken inside it: the gradients of what all its steps share, such as a recurrence's weights.

As the graph has them, a scan returns the factors' rows of all steps, and one product after it sums over rows and steps. Inside,
each step adds its product to the sum while its factors are in the cache: they need not be kept, and nothing of it depends on
the number of steps, so that another length of sentences needs no other kernels.
"""
from __future__ import annotations

from math import prod

from ..dtypes import float32, float64
from ..ir.graph import Graph, GraphBuilder, Node, Var, inline
from ..ir.types import tensor_type
from ..primitives.contraction import dot_p
from ..primitives.reduction import reduce_sum
from ..primitives.scan import Body, body_of, scan_p
from .loop import is_total, loop_of_body
from .lowered import ADDED_DOT

LEAST_ROWS = 32  # that a step sums over: each step reads and writes the sum, which fewer products are not worth


def sum_inside_scans(graph: Graph) -> Graph:
    """The same graph, where scans return such sums."""
    sums = [node for node in graph.nodes if node.prim is dot_p or node.prim.name == "reduce_sum"]
    totals = [t for t in [_Totals(node, sums, graph) for node in graph.nodes if node.prim is scan_p] if t.nodes]
    if not totals:
        return graph
    of_scan = {t.scan: t for t in totals}
    summed = {node for t in totals for node in t.nodes}
    builder = GraphBuilder()
    env = {v: builder.input(v.type) for v in graph.inputs}
    for node in graph.nodes:
        builder.origin = node.origin
        args = tuple([env[v] for v in node.inputs if v in env])
        if node in of_scan:
            env.update(of_scan[node].call(args, builder))
        elif node not in summed:
            env.update(zip(node.outputs, builder.call(node.prim, args, node.params, [o.type for o in node.outputs])))
    return builder.finish([env[v] for v in graph.outputs])


class _Totals:
    """The sums over the steps of one scan. nodes: those of `sums` that compute them; none, if the scan has to stay as it is."""

    def __init__(self, scan: Node, sums: list[Node], graph: Graph):
        body, n_carry, n_xs, _, _ = scan.params
        self.scan, self.body = scan, body.graph
        self.results = dict(zip(scan.outputs[n_carry:], body.graph.outputs[n_carry:]))  # rows of all steps → one step's
        self.rows = {**dict(zip(scan.inputs[n_carry:n_carry + n_xs], body.graph.inputs[n_carry:])), **self.results}
        has_elements = all(v.size for v in (*scan.inputs, *scan.outputs))
        self.nodes = [node for node in sums if has_elements and self._is_sum(node)]
        if self.nodes:
            elsewhere = {v for node in graph.nodes if node not in self.nodes for v in node.inputs} | set(graph.outputs)
            self.kept = [v for v in self.results if v in elsewhere]
            self.with_sums = self._with_sums()
            if not loop_of_body(self.with_sums, n_carry).native:
                self.nodes = []

    def _is_sum(self, node: Node) -> bool:
        """Whether a product or a sum is one over the steps, and over enough rows in each."""
        if not any(v in self.results for v in node.inputs) or not all(v in self.rows for v in node.inputs):
            return False
        if node.prim is dot_p:
            ca, cb, ba, _ = node.params
            return not ba and (0, 0) in zip(ca, cb) and _n_rows(node.inputs[0], ca) >= LEAST_ROWS and node.outputs[0].dtype in (float32, float64)
        return 0 in node.params[0] and _n_rows(node.inputs[0], node.params[0]) >= LEAST_ROWS

    def _with_sums(self) -> Body:
        """The scan's body, which returns carries, the rows that are wanted all the same, and then what each of `nodes` wants."""
        builder = GraphBuilder()
        inputs = [builder.input(v.type) for v in self.body.inputs]
        env = dict(zip(self.body.inputs, inputs))
        outputs = inline(self.body, inputs, builder)
        env.update(zip(self.body.outputs, outputs))
        n_carry = self.scan.params[1]
        sums = [self._sum_of_step(node, [env[self.rows[v]] for v in node.inputs], builder) for node in self.nodes]
        return body_of(builder.finish([*outputs[:n_carry], *[env[self.results[v]] for v in self.kept], *sums]))

    @staticmethod
    def _sum_of_step(node: Node, rows: list[Var], builder: GraphBuilder) -> Var:
        if node.prim is dot_p:
            ca, cb = [tuple([d - 1 for d in dims if d]) for dims in node.params[:2]]
            return builder.call(ADDED_DOT, tuple(rows), (ca, cb, (), ()), [node.outputs[0].type])[0]
        return reduce_sum(rows[0], [d - 1 for d in node.params[0] if d])

    def call(self, args: tuple[Var, ...], builder: GraphBuilder) -> dict[Var, Var]:
        """Calls the scan; returns what stands for its results and those of `nodes`."""
        _, n_carry, n_xs, length, reverse = self.scan.params
        body = self.with_sums
        types = [v.type if is_total(v) else tensor_type(v.dtype, (length + (i < n_carry), *v.shape)) for i, v in enumerate(body.graph.outputs)]
        outs = builder.call(scan_p, args, (body, n_carry, n_xs, length, reverse), types)
        env = dict(zip([*self.scan.outputs[:n_carry], *self.kept], outs))
        for node, v in zip(self.nodes, outs[len(env):]):
            env[node.outputs[0]] = v if node.prim is dot_p else reduce_sum(v, (0,))
        return env


def _n_rows(v: Var, summed: tuple[int, ...]) -> int:
    """That one step sums over."""
    return prod([v.shape[d] for d in summed if d])
