"""A backward pass as one recorded call.

In a training loop the nodes of every backward pass differ only in the values they saved. `run_plan` describes the nodes
that a pass reaches by a key; for each key the walk is done once, symbolically, and gives a `Specialization` from saved
values to the gradients of the leaves. Passes that Python watches or steers (hooks, custom functions, create_graph, chosen
inputs, anomaly mode) have no plan, and walk node by node.
"""
from __future__ import annotations

from collections import OrderedDict
from types import FunctionType
from typing import Any, Callable, Sequence

from ..dtypes import dtype
from ..ir.graph import Graph, GraphBuilder, Var, inline
from ..ir.types import TensorType
from ..primitives.derive import total
from ..runtime.program import ProgramKey, flatten
from ..runtime.specialization import Gradient, Specialization
from ..runtime.trace import SCALAR_TYPES, Value, record, trace
from ..tensor.node import AccumulateGrad, MultiViewNode, Node, OpNode, ViewNode
from ..tensor.tensor import Tensor, make_tensor
from .recognizer import recognizer

CACHE_SIZE = 1024  # plans kept; the least recently used goes first

WRITTEN_OUT = 256  # nodes: for a larger graph no recognizer is made


class Plan:
    """spec: from the operands to the gradients of the leaves. leaves: their places in the order of the nodes. uses: how often it
    has been found by its key. recognize: None, or what finds it without one."""

    __slots__ = ("spec", "leaves", "uses", "recognize")

    def __init__(self, spec: Specialization, leaves: tuple[int, ...]):
        self.spec, self.leaves, self.uses = spec, leaves, 0
        self.recognize: Callable[[Node, list], tuple[Node, ...] | None] | None = None

    def run(self, operands: list, nodes: Sequence[Node], retain_graph: bool) -> None:
        """Records the pass, and hands out the gradients."""
        for i, value in zip(self.leaves, record(self.spec, operands)):
            node, grad = nodes[i], make_tensor(value)
            if node.grad is None:  # type: ignore[attr-defined]
                node.start(grad)  # type: ignore[attr-defined]
            else:
                node.accumulate(grad, False, fresh=True)  # type: ignore[attr-defined]
        if not retain_graph:
            for node in nodes:
                if node.family is OpNode:  # others keep nothing
                    node.saved, node.watched = None, []  # type: ignore[attr-defined]


_plans: OrderedDict[tuple, Plan | None] = OrderedDict()
_latest: OrderedDict[tuple[Gradient, int], Plan] = OrderedDict()  # by the root: its gradient, and which output it is
_view_gradients: dict[tuple, Graph | None] = {}


def run_plan(order: Sequence[Node], roots: Sequence[Tensor], grads: Sequence[Tensor], retain_graph: bool) -> bool:
    """Does the backward pass through `order` (newest node first) as one call. False: it must be walked, nothing is done."""
    described = describe(order, roots, grads)
    if described is None:
        return False
    key, operands = described
    if key in _plans:
        _plans.move_to_end(key)
    else:
        _plans[key] = make_plan(order, roots, operands)
        if len(_plans) > CACHE_SIZE:
            _plans.popitem(last=False)
    plan = _plans[key]
    if plan is None:
        return False
    plan.uses += 1
    if plan.uses == 2 and len(order) <= WRITTEN_OUT and _starts_at(roots, order[0]):
        plan.recognize = recognizer(order, _static_key)
    if plan.recognize is not None:
        _latest[order[0].gradient, roots[0]._nr] = plan  # type: ignore[attr-defined]
        if len(_latest) > CACHE_SIZE:
            _latest.popitem(last=False)
    plan.run(operands, order, retain_graph)
    return True


def _starts_at(roots: Sequence[Tensor], node: Node) -> bool:
    """Whether a pass starts at this op's node with a single number, as a loss is."""
    type = roots[0]._value().type
    return len(roots) == 1 and roots[0]._node is node and node.family is OpNode and type.size == 1 and type.dtype.kind == "f"


def run_latest_plan(root: Tensor, grad: Callable[[TensorType], Value], retain_graph: bool) -> Sequence[Node] | None:
    """Does the backward pass from `root` as it was done last from such a node, if the graph is the same: the nodes that it goes
    through. None: nothing is done. grad(type): the gradient to start with."""
    node = root._node
    if node is None or node.family is not OpNode or root._view is not None:
        return None
    plan = _latest.get((node.gradient, root._nr))
    if plan is None:
        return None
    operands: list[Any] = [grad(root._storage.value.type)]
    nodes = plan.recognize(node, operands)  # type: ignore[misc]
    if nodes is not None:
        plan.run(operands, nodes, retain_graph)
    return nodes


def describe(order: Sequence[Node], roots: Sequence[Tensor], grads: Sequence[Tensor]) -> tuple[tuple, list] | None:
    """(what a plan depends on, its operands), or None where there can be no plan. RuntimeError for overwritten values."""
    index = {node: i for i, node in enumerate(order)}
    key: list[Any] = []
    operands: list[Any] = []
    for t, g in zip(roots, grads):
        value = g._value()
        operands.append(value)
        key += index[t._node], t._nr, value.type
    for node in order:
        if node.hooks is not None:
            return None
        kind = node.family
        if kind is OpNode:
            if node.saved is None:  # type: ignore[attr-defined]
                return None
            node.check_unchanged()  # type: ignore[attr-defined]
            key.append(node.gradient)  # type: ignore[attr-defined]
            operands += node.saved  # type: ignore[attr-defined]
        elif node.__class__ is AccumulateGrad:
            if node.post_accumulate_hooks:  # type: ignore[attr-defined]
                return None
            key.append(None)
            continue
        elif kind is ViewNode or kind is MultiViewNode:
            static = _static_key(node.fn)  # type: ignore[attr-defined]
            if static is None:
                return None
            key.append(static)
        else:
            return None
        for e in node.edges:
            if e is None:
                key.append(None)
            else:
                key += index[e[0]], e[1]
    return tuple(key), operands


def _static_key(fn: Callable) -> tuple | None:
    """What determines a closure: its code, and the plain values and functions it closes over. None if it closes over
    anything else."""
    key: list[Any] = [fn.__code__]
    for cell in fn.__closure__ or ():
        content = cell.cell_contents
        if content.__class__ is FunctionType:
            # a function made by a call is perhaps not the same object the next time
            part = _static_key(content) if "<" in content.__qualname__ else content
            if part is None:
                return None
            key.append(part)
        elif _is_plain(content):
            key.append(content)
        else:
            return None
    return tuple(key)


def _is_plain(x: Any) -> bool:
    if x.__class__ is tuple:
        for y in x:
            if y.__class__ is not int and not _is_plain(y):
                return False
        return True
    return x.__class__ in (int, str, bool, float, dtype) or x is None


def make_plan(order: Sequence[Node], roots: Sequence[Tensor], operands: list) -> Plan | None:
    """How the pass through `order` is done; None if it must be walked."""
    builder = GraphBuilder()
    symbols = iter([builder.input(v.type if isinstance(v, Value) else SCALAR_TYPES[v.__class__]) for v in operands])
    pending: dict[Node, list[list[Var]]] = {}

    def arrive(node: Node, nr: int, g: Var) -> None:
        pending.setdefault(node, [[] for _ in range(node.n_outputs)])[nr].append(g)
    for t in roots:
        arrive(t._node, t._nr, next(symbols))
    leaves, outputs = [], []
    for i, node in enumerate(order):
        saved = [next(symbols) for _ in node.saved] if node.family is OpNode else []  # type: ignore[attr-defined]
        if node not in pending:
            continue
        builder.origin = ((i, node.kind()),)
        slots = [total(gs) if gs else None for gs in pending.pop(node)]
        if node.__class__ is AccumulateGrad:
            leaves.append(i)
            outputs.append(slots[0])
            continue
        results = _op_gradients(node, saved, slots, builder) if isinstance(node, OpNode) else _view_gradients_of(node, slots, builder)
        if results is None:
            return None
        for e, g in zip(node.edges, results):
            if e is not None and g is not None:
                arrive(e[0], e[1], g)
    return Plan(Specialization("backward", None, builder.finish(outputs), False), tuple(leaves))  # type: ignore[arg-type]


def _op_gradients(node: OpNode, saved: list[Var], grads: list, builder: GraphBuilder) -> list | None:
    gradient = node.gradient
    present = tuple([g is not None and d for g, d in zip(grads, gradient.is_differentiable)])
    spec, (places, missing) = gradient.backward(present)
    if all(missing) or not any(present):
        return [None] * len(node.edges)
    if spec.undefined is not None:
        return None
    at = dict(zip(gradient.saved, saved))
    outs = inline(spec.graph, [at[p] for p in places] + [g for g, p in zip(grads, present) if p], builder)
    return [None if m else g for g, m in zip(outs, missing)]


def _view_gradients_of(node: Node, grads: list, builder: GraphBuilder) -> list | None:
    fn = node.fn  # type: ignore[attr-defined]
    present = [g for g in grads if g is not None]
    key = (_static_key(fn), tuple([None if g is None else g.type for g in grads]))
    if key not in _view_gradients:
        _view_gradients[key] = _trace_view_gradient(fn, key[1], isinstance(node, MultiViewNode))
    graph = _view_gradients[key]
    return None if graph is None else inline(graph, present, builder)


def _trace_view_gradient(fn: Callable, types: tuple[TensorType | None, ...], several: bool) -> Graph | None:
    """The graph of a view's gradient, which is a function on tensors (or a list of them); None if it needs more than the
    incoming gradients."""
    with trace.aside():
        grads: list[Tensor | None] = []
        for type in types:
            if type is None:
                grads.append(None)
            else:
                value = Value(type)
                value.epoch, value.slot = trace.epoch, len(trace.slots)
                trace.slots.append(value)
                grads.append(make_tensor(value))
        given = len(trace.slots)
        result = fn(grads if several else grads[0])._value()
        graph, inputs = flatten(ProgramKey(tuple(trace.records), (result.slot,)), trace.slots, given)
    return graph if len(inputs) == given else None
