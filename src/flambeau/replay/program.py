"""A recording that can be replayed: one recorded call from its operands to its results."""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ..autograd.plan import describe, make_plan
from ..ir.graph import GraphBuilder, inline
from ..primitives.base import full
from ..runtime.blame import blame
from ..runtime.program import ProgramKey, flatten, known_program
from ..runtime.specialization import Specialization
from ..runtime.trace import Value, end_step, land, record, trace
from ..tensor.node import AccumulateGrad, OpNode, _next_sequence
from ..tensor.grad_mode import mode
from ..tensor.tensor import Tensor, View, make_tensor
from ..tensor.write import assign
from .bound import ATTEMPTS, Bound, Layout
from .capture import Recording, Refused

MISMATCH = object()  # what `Replay.run` returns when the call is not the one that was recorded
_NO_DOUBLE_BACKWARD = ("torch.compile with aot_autograd does not currently support double backward: the gradient of a compiled function cannot be "
                       "differentiated again; call it without torch.compile")


class CompiledGradient:
    """What an `OpNode` asks of its op's gradient, for a whole compiled call.

    saved: numbers of the kept values. The backward pass takes them and one cotangent for each root to a gradient for each edge.
    """

    saved_inputs = saved_outputs = ()

    def __init__(self, name: str, plan: Specialization, n_roots: int):
        self.of = self
        self.grad_name = name
        self.n_visible = n_roots
        self.is_differentiable = (True,) * n_roots
        self.saved = tuple(range(len(plan.graph.inputs) - n_roots))
        self.wrt = tuple(range(len(plan.graph.outputs)))
        self._plan = plan
        self._variants: dict[tuple[bool, ...], Specialization] = {}

    def backward(self, present: tuple[bool, ...], again: bool = False) -> tuple[Specialization, tuple]:
        """The call for the cotangents marked by `present`; the others are zero."""
        if again:
            raise RuntimeError(_NO_DOUBLE_BACKWARD)
        spec = self._variants.get(present)
        if spec is None:
            spec = self._variants[present] = self._specialize(present)
        return spec, (self.saved, (False,) * len(self.wrt))

    def _specialize(self, present: tuple[bool, ...]) -> Specialization:
        graph, n = self._plan.graph, self.n_visible
        builder = GraphBuilder()
        saved = [builder.input(v.type) for v in graph.inputs[n:]]
        grads = [builder.input(v.type) if there else full(v.type.shape, 0, v.type.dtype, builder) for v, there in zip(graph.inputs, present)]
        return Specialization(self.grad_name, None, builder.finish(inline(graph, [*grads, *saved], builder)), False)


class Backward:
    """The backward side of a recording: where its node's edges go, and which values it keeps.

    kept: for each saved value, ("operand" | "result", number) or ("value", a number). edges: argument numbers or leaves.
    roots: for each returned tensor its output number, or None.
    """

    def __init__(self, recording: Recording, roots: list[tuple], operand_at: dict[int, int]):
        order = recording.backward
        assert order is not None
        tensors: dict = {}
        for t in recording.returned:
            if (t._node, t._nr) in roots:
                tensors.setdefault((t._node, t._nr), t)
        given = [tensors[r] for r in roots]
        cotangents = [make_tensor(Value(_type_of(t))) for t in given]
        described = describe(order, given, cotangents)
        plan = None if described is None else make_plan(order, given, described[1])
        if described is None or plan is None:
            raise Refused("its backward pass runs Python of the user's (hooks, a custom function)")
        self.gradient = CompiledGradient("CompiledFunctionBackward", plan.spec, len(roots))
        lent = {t._node: i for i, t in enumerate(recording.lent) if t._node is not None}
        self.edges = [lent.get(order[i], order[i]) for i in plan.leaves]
        self.extra: list[int] = []  # slots of results that only the backward pass wants
        self.kept: list[tuple[str, Any]] = []
        for v in described[1][len(roots):]:
            if v.__class__ is not Value:
                self.kept.append(("value", v))
            elif v.epoch != trace.epoch:
                self.kept.append(("value", v))
            elif v.slot in operand_at:
                self.kept.append(("operand", operand_at[v.slot]))
            else:
                if v.slot not in self.extra:
                    self.extra.append(v.slot)
                self.kept.append(("result", v.slot))

    def number_results(self, at: dict[int, int]) -> None:
        """Slots become numbers of results."""
        self.kept = [(kind, at[x] if kind == "result" else x) for kind, x in self.kept]

    def node(self, operands: list, values: list[Value], tensors: Sequence[Tensor], watched: list) -> OpNode:
        """The node of one replayed call."""
        edges: list[Any] = []
        for e in self.edges:
            if e.__class__ is int:
                t = tensors[e]
                edges.append(None if t._node is None else (t._node, t._nr))
            else:
                edges.append((e, 0))
        node = _bare_node(tuple(edges), self.gradient)
        node.saved = [operands[x] if kind == "operand" else values[x] if kind == "result" else x for kind, x in self.kept]
        node.watched = watched
        return node


def _bare_node(edges: tuple, gradient: Any) -> OpNode:
    node = object.__new__(OpNode)
    node.edges, node.sequence, node.hooks, node.where, node.gradient = edges, _next_sequence(), None, None, gradient
    node.saved, node.watched = None, []
    return node


def _type_of(t: Tensor) -> Any:
    from ..ir.types import tensor_type
    return tensor_type(t.dtype, tuple(t.shape))


class _Freed:
    """The gradient of a call whose backward pass ran within it."""

    grad_name = "CompiledFunctionBackward"
    n_visible = 1


_FREED: Any = _Freed()
_FREED.of = _FREED


def _checks(recording: Recording, inputs: Sequence[int]) -> Callable[[list], None]:
    """What names the recorded call that fails: its own error, and the line within the compiled function."""
    records, sites = recording.records, recording.sites

    def check(operands: list) -> None:
        unknown = Exception()
        error, _ = blame(unknown, records, dict(zip(inputs, operands)), sites, Value)  # type: ignore[arg-type]
        if error is not unknown:
            raise error
    return check


def _write_argument(t: Tensor, value: Value) -> None:
    if t._view is None:
        t._storage.write(value)
        return
    was, mode.enabled = mode.enabled, False
    try:
        assign(t, make_tensor(value))
    finally:
        mode.enabled = was


class Replay:
    """A recording, ready to be replayed. Built while the trace still holds what was recorded.

    rates: whether learning rates are operands; else they are part of what the guards compare.
    """

    def __init__(self, name: str, recording: Recording):
        self.key, self.loose_key = recording.key, recording.loose
        self.guards = recording.guards
        self._touched = recording.touched
        self._boundary, self._twins = recording.boundary, recording.twins
        self._sources = [s for _, s in recording.sources]
        self._fill = recording.result.filler()
        new = recording.returned
        operand_at = {slot: n for n, (slot, _) in enumerate(recording.sources)}
        roots = list(dict.fromkeys((t._node, t._nr) for t in new if t._node is not None and recording.backward is not None
                                   and t._node in set(recording.backward) and t._node.__class__ is not AccumulateGrad))
        self._backward = Backward(recording, roots, operand_at) if roots and not recording.freed else None
        slots = [s.slot for s in recording.sinks if s.slot is not None]
        slots += [t._storage.value.slot for t in new if t._storage.value.epoch == trace.epoch]
        live = tuple(dict.fromkeys([*slots, *(self._backward.extra if self._backward else [])]))
        live = tuple(s for s in live if s not in operand_at)
        graph, inputs = flatten(ProgramKey(recording.records, live), recording.slots)
        order = [operand_at[slot] for slot in inputs]
        self.spec = Specialization(name, None, graph, False, checks=_checks(recording, inputs))
        at = {slot: n for n, slot in enumerate(live)}
        if self._backward:
            self._backward.number_results(at)
        sinks = [(s.kind, s.what, -1 if s.slot is None else at[s.slot]) for s in recording.sinks]
        self._written = [(what, n) for kind, what, n in sinks if kind == "tensor"]
        self._gradients = [(what, n) for kind, what, n in sinks if kind == "new gradient"]
        self._other_sinks = [s for s in sinks if s[0] not in ("tensor", "new gradient")]
        self._returned = [self._plan_result(t, recording, roots, at) for t in new]
        whole = [n for kind, n, *rest in self._returned if kind == "new" and rest[0] is None and rest[2] is None]
        self._only = whole[0] if recording.result.is_tensor() and whole and not recording.freed else None  # the one result, if it is that
        self._sort_operands(order)
        place_of = {n: place for place, n in enumerate(order)}
        # an operand that only the backward pass wants is none of the graph's: it is looked up where it comes from
        kept = [x for kind, x in self._backward.kept if kind == "operand"] if self._backward else []
        if any(n not in place_of for n in kept):
            raise Refused("its backward pass needs a value that its forward pass does not")
        self._place_of = [place_of.get(n, -1) for n in range(len(self._sources))]
        self._saved_from = [self._sources[n] for n in kept]
        self._freed = recording.freed
        self._bound: Bound | None = None
        self._bindings = 0
        self._last: tuple[tuple, int] | None = None  # the last call that was recorded first, and the number of slots after it
        self._layout = self._make_layout()

    # ------------------------------------------------------------------ preparing

    def _plan_result(self, t: Tensor, recording: Recording, roots: list, at: dict[int, int]) -> tuple:
        """("argument", i), ("tensor", t) or ("new", result, geometry, dtype, root or None)."""
        for i, x in enumerate(recording.lent):
            if t is x:
                return "argument", i
        value = t._storage.value
        if value.epoch != trace.epoch or value.slot not in at:
            return "tensor", t
        root = roots.index((t._node, t._nr)) if (t._node, t._nr) in roots else None
        if recording.freed and t._node is not None:
            root = 0
        return "new", at[value.slot], None if t._view is None else t._geometry(), t.dtype, root

    def _sort_operands(self, order: list[int]) -> None:
        """Operands by where they come from, each with its place: a loop for each kind is faster than a test for each operand."""
        self._template: list[Any] = [None] * len(order)
        self._arguments: list[tuple[int, int]] = []
        self._tensors: list[tuple[int, Tensor, Any, Any]] = []
        self._others: list[tuple[int, str, Any, Any]] = []
        self._rates: list[tuple[int, dict]] = []
        for place, n in enumerate(order):
            source = self._sources[n]
            if source.kind == "argument":
                self._arguments.append((place, source.what))
            elif source.kind == "tensor":
                self._tensors.append((place, source.what, source.what._storage.value.type, source.what._node))
            elif source.kind in ("number", "constant"):
                self._template[place] = source.what
                if source.group is not None:
                    self._rates.append((place, source.group))
            else:
                self._others.append((place, source.kind, source.what, self.spec.graph.inputs[place].type))
        self._free_rates: list[tuple[int, dict]] = []

    def _make_layout(self) -> Layout | None:
        """None where results go anywhere but to whole tensors, new gradients and the caller, once each."""
        new = [r for r in self._returned if r[0] == "new"]
        numbers = [*[n for _, n in self._written], *[n for _, n in self._gradients], *[r[1] for r in new]]
        if self._other_sinks or self._others or self._backward is not None or set(numbers) != set(range(len(self.spec.out_types))) \
                or {r[1] for r in new} & {n for _, n in (*self._written, *self._gradients)}:
            return None
        returned = [(n, self.spec.out_types[n]) for n in dict.fromkeys(r[1] for r in new)]
        tensors = [(place, t, node) for place, t, _, node in self._tensors]
        return Layout(self._arguments, self._free_rates, tensors, self._twins, self._written, self._gradients, returned)

    def free_rates(self) -> None:
        """From now on, learning rates are operands: another value is no reason to record again."""
        self._free_rates = self._rates
        for _, group in self._rates:
            self.guards.release(group, "lr")
        self._layout = self._make_layout()

    # ------------------------------------------------------------------ running

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """The result of the call on these arguments; MISMATCH, with nothing done, if it is another one."""
        if not self.guards.hold():
            return MISMATCH
        for leaf, there in self._touched:
            if (leaf.grad is not None) is not there:
                return MISMATCH
        with trace.lock:
            free = not trace.records and trace.observer is None
            if self._last is not None:
                self._bind_if_alone(*self._last)
            if self._bound is not None and free:
                values = self._bound.run(tensors)
                if values is not None:
                    self._bindings = 0
                    return self._results([], values, tensors)
            operands = self._gather()
            if operands is None:
                return MISMATCH
            if free or self._boundary:
                self._bound = None
            return self._run_recorded(operands, tensors)

    def _gather(self) -> list | None:
        """The operands but for the arguments; None where a tensor is not what it was."""
        operands = self._template.copy()
        for place, t, type, node in self._tensors:
            value = t._storage.value
            if value.type is not type or t._node is not node:
                return None
            operands[place] = value
        for t, twin in self._twins:
            if t._storage.value is not twin._storage.value:
                return None
        for place, kind, holder, type in self._others:
            value = holder.value if kind == "storage" else holder.state if kind == "generator" else holder.grad._storage.value
            if value.type is not type:
                return None
            operands[place] = value
        for place, group in self._free_rates:
            if group["lr"].__class__ is not float:
                return None
            operands[place] = group["lr"]
        return operands

    def _run_recorded(self, operands: list, tensors: Sequence[Tensor]) -> Any:
        for place, i in self._arguments:
            t = tensors[i]
            operands[place] = t._storage.value if t._view is None else t._value()
        if self.spec.fallible:
            trace.mark()
        bindable = self._layout is not None and not trace.records and trace.observer is None
        values = record(self.spec, operands)
        if bindable and trace.records:
            self._last = trace.records[0], len(trace.slots)
        self._write(values, tensors)
        result = self._results(operands, values, tensors)
        if self._boundary:
            operands.clear()  # the program may take over the memory of values that nobody else holds
            values.clear()
            end_step()
            if self._last is not None:
                self._bind_if_alone(*self._last)
        return result

    def _bind_if_alone(self, entry: tuple, n_slots: int) -> None:
        """After a call: if it was a program of its own, it runs where it lies from now on, if it can."""
        self._last = None
        program = known_program(ProgramKey((entry,), tuple(range(n_slots - len(self.spec.out_types), n_slots))))
        if program is None or not program.compiles or self._layout is None:
            return
        compiled = program.run.compiled  # type: ignore[attr-defined]
        if compiled is None:
            return
        self._bindings += 1
        if self._bindings > ATTEMPTS:
            self._layout = None
            return
        places = [entry.index(slot, 1) - 1 for slot in program.input_slots]
        if Bound.applies(compiled, places, self._layout):
            if trace.flight is not None:  # it refers to what is going to be rewritten
                land()
            self._bound = Bound(self.spec, compiled, places, self._template, self._layout)

    def _results(self, operands: list, values: Any, tensors: Sequence[Tensor]) -> Any:
        if self._only is not None:
            return make_tensor(values[self._only])
        node = None
        if self._backward is not None:
            by_source = [operands[p] for p in self._place_of]
            node = self._backward.node(by_source, values, tensors, self._watched(tensors))
        elif self._freed:
            node = _bare_node((), _FREED)
        out = []
        made: dict[int, Tensor] = {}
        for kind, at, *rest in self._returned:
            if kind != "new":
                out.append(tensors[at] if kind == "argument" else at)
                continue
            geometry, dtype, root = rest
            base = made.get(at)
            if base is None:
                base = made[at] = make_tensor(values[at])
            t = base
            if geometry is not None or base._node is not None:
                t = object.__new__(Tensor)
                t._storage = base._storage
                t._view = None if geometry is None else View(*geometry, dtype, None, False, 0)  # type: ignore[call-arg]
            t._node, t._nr = (None, 0) if root is None else (node, root)
            out.append(t)
        return self._fill(out)

    def _watched(self, tensors: Sequence[Tensor]) -> list:
        """The memory that the backward pass reads, with its versions."""
        found = []
        for source in self._saved_from:
            if source.kind in ("tensor", "argument"):
                storage = (tensors[source.what] if source.kind == "argument" else source.what)._storage
                found.append((storage, storage.version))
        return found

    def _write(self, values: list[Value], tensors: Sequence[Tensor]) -> None:
        for t, n in self._written:
            t._storage.write(values[n])
        for leaf, n in self._gradients:
            leaf.grad = make_tensor(values[n])
        for kind, what, n in self._other_sinks:
            if kind == "no gradient":
                what.grad = None
            elif kind == "storage":
                what.write(values[n])
            elif kind == "gradient":
                what.grad._storage.write(values[n])
            elif kind == "generator":
                what.advance(values[n])
            else:
                _write_argument(tensors[what], values[n])
