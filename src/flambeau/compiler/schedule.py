"""Which values lie in memory, and which loops compute them.

`schedule(graph)` chooses the buffers and returns the steps in order: `Map` (elementwise loops with one or more stores),
`Reduce`, `Special` (a kernel of its own: contraction, window, …) and `Host` (no native lowering: the interpreter's kernel).
"""
from __future__ import annotations

from math import prod
from typing import Any, Callable, NamedTuple, Sequence, Union

from ..ir.graph import Graph, Node, Var
from ..ir.types import contiguous_strides
from .affine import Affine, identity, linear
from .contractions import CONTRACTIONS, ContractionKernel, leaves_gaps
from .expression import Constant, Expression, ExpressionBuilder, Load, NeedsBuffer, loads
from .elements import ELEMENT
from .scalar_ops import EXPENSIVE, EXPENSIVE_CALLS, supported
from .zeros import operands

REDUCTIONS = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod"}
COPIES = {"pad", "concat", "strided_write"}
TURNED_SIZE = 1024  # elements from which on a copy in another order is worth a buffer under it


class Store(NamedTuple):
    """value → buffer of `target` at `offset`. padding: None, or a number for all of the buffer that the loop leaves out: what lies between
    its rows, of which there are several, before the first and after the last."""

    value: Expression
    target: Var
    offset: Affine
    padding: float | None = None


class Map(NamedTuple):
    """For every point of `domain`, the stores in order."""

    domain: tuple[int, ...]
    stores: tuple[Store, ...]


class Fill(NamedTuple):
    """The whole buffer of `target` set to a number, before a `Map` writes parts of it."""

    target: Var
    value: float


class Reduce(NamedTuple):
    """target[outer] = the reduction over the inner dimensions of value(outer, inner)."""

    target: Var
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    kind: str
    value: Expression


class Special(NamedTuple):
    """A node with a kernel of its own; `lower` writes it."""

    node: Node
    lower: Callable


class Contract(NamedTuple):
    """A contraction; `kernel` knows its operands and writes it."""

    node: Node
    kernel: ContractionKernel


class Strand(NamedTuple):
    """One scan. operands: where its initial carries, sequences and shared values begin; workspace: a buffer for what lives during
    one step."""

    node: Node
    operands: tuple[Load, ...]
    workspace: Var


class Scan(NamedTuple):
    """Scans with one body and as many steps each, none of which needs another's results: they run abreast. loop: the body (see `loop`)."""

    strands: tuple[Strand, ...]
    loop: Any

    @property
    def length(self) -> int:
        return self.strands[0].node.params[3]


class Host(NamedTuple):
    """A node that the interpreter runs."""

    node: Node


Step = Union[Map, Fill, Reduce, Special, Contract, Scan, Host]


def is_fusable(node: Node) -> bool:
    """Whether a node can be computed inside another's loop."""
    prim = node.prim
    if prim.kind == "elementwise":
        return supported(prim.name, tuple([v.dtype for v in node.inputs]), node.outputs[0].dtype)
    if prim.kind in ("view", "constant") and prim.name not in COPIES:
        return node.outputs[0].dtype in ELEMENT
    return False


def _native(node: Node) -> bool:
    return all(v.dtype in ELEMENT for v in (*node.inputs, *node.outputs))


def _reduces_natively(node: Node) -> bool:
    """Whether a reduction becomes a loop: not for booleans, and not without elements (whose result the interpreter knows)."""
    return node.prim.name in REDUCTIONS and _native(node) and node.outputs[0].dtype.kind in "fiu" and node.inputs[0].size > 0


class Scheduler:
    """Decides buffers by walking uses, then builds steps; a view that needs memory under it is found while building."""

    def __init__(self, graph: Graph, special: dict[str, Callable], loop_of: Callable[[Node], Any] | None = None):
        self.graph = graph
        self.special = special
        self.loop_of = loop_of
        self.buffers: set[Var] = set()
        self.forced: set[Var] = set()
        self.fusable = {node: is_fusable(node) for node in graph.nodes}
        self._built: dict[Node, tuple[list[Step], set[Var]]] = {}  # a node's steps, and the values whose place decided them
        self._asked: set[Var] = set()  # those of the node that is being built
        self.uses: dict[Var, list[Node]] = {}
        for node in graph.nodes:
            for v in set(node.inputs):
                self.uses.setdefault(v, []).append(node)

    def run(self) -> list[Step]:
        """The steps. Operands that turn out to need memory are noted, and what that changes is built again, until none is new."""
        while True:
            before = self.buffers
            self._choose_buffers()
            known = len(self.forced)
            steps = self._build(before ^ self.buffers)
            if len(self.forced) == known:
                return self._merge(steps)

    # ------------------------------------------------------------------ buffers

    def _choose_buffers(self) -> None:
        self.buffers = set(self.graph.inputs) | self.forced
        outputs = set(self.graph.outputs)
        for node in self.graph.nodes:
            fusable = self.fusable[node]
            for v in node.outputs:
                if not fusable or v in outputs or self._worth_memory(node, v):
                    self.buffers.add(v)
            if not fusable:
                for v in node.inputs:
                    if not self._readable_in_place(node, v):
                        self.buffers.add(v)

    def _worth_memory(self, node: Node, v: Var) -> bool:
        """A value that several loops want is stored if recomputing it costs more than reading it."""
        if node.prim.kind != "elementwise" or len(self.uses.get(v, ())) < 2:
            return False
        if v.size <= 1:
            return True
        return self._cost(v, set()) > 2

    def _cost(self, v: Var, seen: set[Var]) -> int:
        """Elementwise calls between v and memory, transcendental ones counted as many."""
        if v in self.buffers or v.node is None or v in seen:
            return 0
        seen.add(v)
        node = v.node
        own = 0 if node.prim.kind != "elementwise" else EXPENSIVE_CALLS if node.prim.name in EXPENSIVE else 1
        return own + sum(self._cost(x, seen) for x in node.inputs)

    def _readable_in_place(self, node: Node, v: Var) -> bool:
        """Whether a step computes this operand itself, in its loop."""
        if node.prim.name in CONTRACTIONS:
            return _contracts(node) and self._is_view(v)
        if node.prim.name == "scan":
            return self._loops(node) and self._is_view(v)
        if self._is_special(node):
            return v not in operands(node)
        return _reduces_natively(node) or node.prim.name in COPIES and _native(node)

    def _is_special(self, node: Node) -> bool:
        return node.prim.name in self.special and _native(node) and all(v.size for v in (*node.inputs, *node.outputs))

    def _is_view(self, v: Var) -> bool:
        return v.node is not None and v.node.prim.kind == "view" and self.fusable[v.node]

    # ------------------------------------------------------------------ steps

    def _build(self, moved: set[Var]) -> list[Step]:
        """The steps of all nodes; moved: the values that have come to lie in memory, or no longer do, since the last time."""
        steps: list[Step] = []
        for node in self.graph.nodes:
            built = self._built.get(node)
            if built is None or not moved.isdisjoint(built[1]):
                self._asked = set(node.outputs)
                try:
                    built = self._built[node] = self._steps(node), self._asked
                except NeedsBuffer as need:
                    if need.var in self.buffers:
                        raise
                    self.forced.add(need.var)
                    self._built.pop(node, None)
                    continue
            steps += built[0]
        return steps

    def _expressions(self, domain: Sequence[int]) -> ExpressionBuilder:
        return ExpressionBuilder(domain, self.buffers, self._asked)

    def _steps(self, node: Node) -> list[Step]:
        """The steps that compute a node: none where others compute it in their loops."""
        name = node.prim.name
        if self._is_special(node):
            return [Special(node, self.special[name])]
        if _contracts(node):
            return self._contract(node)
        if self._loops(node):
            return [self._scan(node)]
        if _reduces_natively(node):
            return [self._reduce(node)]
        if name in COPIES and _native(node):
            return self._copies(node)
        if self.fusable[node]:
            return [self._map(node.outputs[0])] if node.outputs[0] in self.buffers else []
        return [Host(node)]

    def _operand(self, v: Var) -> Load:
        """A contraction's operand as a strided view of a buffer."""
        value = self._expressions(v.shape).build(v, identity(v.ndim))
        if not isinstance(value, Load):
            raise NeedsBuffer(v)
        return value

    def _contract(self, node: Node) -> list[Step]:
        kernels = CONTRACTIONS[node.prim.name](node, *[self._operand(v) for v in node.inputs])
        steps: list[Step] = [Fill(node.outputs[0], 0)] if leaves_gaps(node, kernels) else []
        return steps + [Contract(node, kernel) for kernel in kernels]

    def _loops(self, node: Node) -> bool:
        """Whether a node is a scan all of whose body has kernels. (One in another's body is the interpreter's.)"""
        return node.prim.name == "scan" and self.loop_of is not None and all(v.size for v in (*node.inputs, *node.outputs)) \
            and self.loop_of(node).native

    def _scan(self, node: Node) -> Scan:
        _, n_carry, n_xs, _, _ = node.params
        operands = []
        for i, v in enumerate(node.inputs):
            x = self._operand(v)
            rows = int(n_carry <= i < n_carry + n_xs)  # a sequence's steps may lie anywhere, but each in one piece
            if tuple(x.offset.coefficients[rows:]) != contiguous_strides(v.shape)[rows:]:
                raise NeedsBuffer(v)
            operands.append(x)
        loop = self.loop_of(node)  # type: ignore[misc]
        return Scan((Strand(node, tuple(operands), loop.workspace(node)),), loop)

    def _map(self, v: Var) -> Map:
        builder = self._expressions(v.shape)
        index = identity(v.ndim)
        value = builder.build(v, index, compute=True) if v.size else Constant(0, v.dtype)
        return Map(v.shape, (Store(value, v, linear(index, contiguous_strides(v.shape), v.ndim)),))

    def _reduce(self, node: Node) -> Reduce:
        x, dims = node.inputs[0], node.params[0]
        kept = [d for d in range(x.ndim) if d not in dims]
        domain = tuple([x.shape[d] for d in (*kept, *dims)])
        place = {d: i for i, d in enumerate((*kept, *dims))}
        every = identity(len(domain))
        value = self._expressions(domain).build(x, tuple([every[place[d]] for d in range(x.ndim)]))
        return Reduce(node.outputs[0], domain[:len(kept)], domain[len(kept):], REDUCTIONS[node.prim.name], value)

    def _copies(self, node: Node) -> list[Step]:
        """Steps of the primitives that put pieces into one buffer."""
        if node.prim.name == "concat":
            return self._joined(node)
        if node.prim.name == "pad":
            return self._padded(node)
        base, new = node.inputs
        steps: list[Step] = [self._piece(node, base, contiguous_strides(base.shape), 0)] if base.size else []
        return [*steps, self._piece(node, new, *node.params)] if new.size else steps

    def _piece(self, node: Node, x: Var, to: Sequence[int], start: int) -> Map:
        """x → the node's result, from element `start` on with these strides."""
        index = identity(x.ndim)
        value = self._expressions(x.shape).build(x, index)
        return Map(x.shape, (Store(value, node.outputs[0], linear(index, to, x.ndim).shifted(start)),))

    def _joined(self, node: Node) -> list[Step]:
        strides = contiguous_strides(node.outputs[0].shape)
        if len(node.inputs) == 1:
            self._store_what_is_turned(node.inputs[0])
        dim, at = node.params[0], 0
        steps: list[Step] = []
        for x in node.inputs:
            if x.size:
                steps.append(self._piece(node, x, strides, at * strides[dim]))
            at += x.shape[dim]
        return steps

    def _padded(self, node: Node) -> list[Step]:
        low, high, inner, value = node.params
        x, out = node.inputs[0], node.outputs[0]
        strides = contiguous_strides(out.shape)
        crop = [max(0, -(-max(0, -a) // (i + 1))) for a, i in zip(low, inner)]
        stop = [min(n, -(-(m - a) // (i + 1))) for n, m, a, i in zip(x.shape, out.shape, low, inner)]
        sizes = tuple([max(0, b - a) for a, b in zip(crop, stop)])
        if 0 in sizes:
            return [Fill(out, value)]
        index = identity(x.ndim)
        source = tuple([i.shifted(c) for i, c in zip(index, crop)])
        value_at = self._expressions(sizes).build(x, source)
        start = sum((a + c * (i + 1)) * s for a, c, i, s in zip(low, crop, inner, strides))
        to = linear(index, [s * (i + 1) for s, i in zip(strides, inner)], x.ndim).shifted(start)
        if prod(sizes) == out.size:
            return [Map(sizes, (Store(value_at, out, to),))]
        if prod(sizes[:-1]) > 1 < sizes[-1] < out.shape[-1] and not any(inner):
            return [Map(sizes, (Store(value_at, out, to, value),))]
        return [Fill(out, value), Map(sizes, (Store(value_at, out, to),))]

    def _store_what_is_turned(self, x: Var) -> None:
        """A copy in another order moves blocks, which only works from memory: what it copies must lie there."""
        turned = False
        while x not in self.buffers and x.node is not None and x.node.prim.kind == "view" and x.node.prim.name not in COPIES:
            self._asked.add(x)
            turned |= x.node.prim.name == "permute"
            x = x.node.inputs[0]
        self._asked.add(x)
        if turned and x not in self.buffers and x.size >= TURNED_SIZE:
            raise NeedsBuffer(x)

    # ------------------------------------------------------------------ fusion of loops

    def _merge(self, steps: list[Step]) -> list[Step]:
        """Neighbouring maps over one domain become one loop, where each reads the others' results only at its own point; neighbouring
        scans run abreast. Single numbers (an optimizer's) are computed before the loops that do not make them, and keep none apart."""
        merged: list[Step] = []
        for step in steps:
            at = len(merged)
            while at and _can_come_before(merged[at - 1], step):
                at -= 1
            last = merged[at - 1] if at else None
            if isinstance(step, Map) and isinstance(last, Map) and _can_merge(last, step):
                merged[at - 1] = Map(last.domain, last.stores + step.stores)
            elif isinstance(step, Scan) and isinstance(last, Scan) and _can_run_abreast(last, step):
                merged[at - 1] = Scan(last.strands + step.strands, last.loop)
            else:
                merged.insert(at, step)
        return merged


def _contracts(node: Node) -> bool:
    """Whether a contraction has a kernel: floats, and something to contract."""
    return node.prim.name in CONTRACTIONS and node.outputs[0].dtype.kind == "f" and _native(node) \
        and all(v.size for v in (*node.inputs, *node.outputs))


def _can_come_before(loop: Step, number: Step) -> bool:
    """Whether a step that computes single numbers can change places with the loop before it."""
    if not isinstance(loop, Map) or not isinstance(number, Map) or prod(number.domain) > 1 or prod(loop.domain) <= 1:
        return False
    written = {s.target for s in loop.stores}
    return not any(s.target in written for s in number.stores) \
        and not any(isinstance(x, Load) and x.var in written for s in number.stores for x in loads(s.value))


def _can_merge(a: Map, b: Map) -> bool:
    if a.domain != b.domain or len(a.stores) >= 8 or _is_turned(a) or _is_turned(b):
        return False
    written: dict[Var, list[Affine]] = {}
    for s in a.stores:
        written.setdefault(s.target, []).append(s.offset)
    for store in b.stores:
        if not all(_are_apart(a.domain, store.offset, offset) for offset in written.get(store.target, ())):
            return False
        for x in loads(store.value):
            if isinstance(x, Load) and x.offset not in written.get(x.var, (x.offset,)):
                return False
    return True


def _can_run_abreast(a: Scan, b: Scan) -> bool:
    made = {v for strand in a.strands for v in strand.node.outputs}
    return a.loop is b.loop and a.length == b.length and all(x.var not in made for strand in b.strands for x in strand.operands)


def _is_turned(step: Map) -> bool:
    """Whether a map is a copy in another order, which moves blocks (`transpose`) as long as it is alone in its loop."""
    first, *others = step.stores
    return not others and isinstance(first.value, Load) and first.value.offset.coefficients[-1:] not in ((), (0,), (1,))


def _are_apart(domain: Sequence[int], a: Affine, b: Affine) -> bool:
    """Whether no element is at one of these places for some point of the domain, and at the other for some point."""
    distance = abs(a.constant - b.constant)
    if a.coefficients != b.coefficients or min(a.coefficients, default=0) < 0:
        return False
    reach = 0  # of the smaller steps together; none may bring one place to the other
    for step, n in sorted(zip(a.coefficients, domain)):
        if n > 1 and distance < step <= distance + reach:
            return False
        reach += step * (n - 1)
        if step <= distance <= reach:
            return False
    return distance > 0
