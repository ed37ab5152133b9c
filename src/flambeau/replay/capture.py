"""Recording one call of a user's function: where its operands come from, where its results go, and that it does nothing else.

The call runs as always; what it recorded, up to its end, becomes one `Recording`. Arguments are lent to it as tensors whose
values are not computed yet, so that nothing can look at them; whatever does look at a value ends the capture.
"""
from __future__ import annotations

import gc
from typing import Any, Callable, Iterable, NamedTuple, Sequence

import numpy as np

from ..autograd.engine import _reachable
from ..errors import Site, call_site, locate
from ..random import Generator
from ..runtime.trace import ROOM, Value, flush, land, referenced, trace
from ..tensor.node import AccumulateGrad, Node, OpNode
from ..tensor.grad_mode import mode
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor, make_tensor
from ..tensor.write import assign
from .guards import Guards, Unguarded
from .known import Known
from .structure import Structure
from .watch import Watch

CONSTANT_BYTES = 1 << 20  # a constant that is larger is no constant
_NUMBERS = (bool, int, float, complex)


class Refused(Exception):
    """Why a call must not be replayed."""


class Source(NamedTuple):
    """Where an operand comes from. kind: "argument" (number), "tensor", "storage", "gradient" (leaf), "generator", "number" or "constant".
    group: of a number, the optimizer's group whose learning rate it is, or None."""

    kind: str
    what: Any
    group: Any = None


class Sink(NamedTuple):
    """Where a result goes: `kind` and `what` as of a `Source`; "new gradient" makes a leaf's gradient, "no gradient" clears it.
    slot: of the value in the trace, None for "no gradient"."""

    kind: str
    what: Any
    slot: int | None


class Recording(NamedTuple):
    """A recorded call. key: equal for equal calls. loose: the same without the values of learning rates. roots: the autograd
    nodes (with output number) of the tensors it returns; backward: None, or the nodes of its backward pass, newest first.
    twins: (a tensor that is an operand, another that held the same value)."""

    key: tuple
    loose: tuple
    records: tuple
    slots: list
    sites: dict[int, Site]
    sources: list[tuple[int, Source]]
    sinks: list[Sink]
    result: Structure
    returned: list[Tensor]
    backward: list[Node] | None
    freed: bool
    lent: list[Tensor]
    touched: list[tuple[AccumulateGrad, bool]]
    guards: Guards
    boundary: bool
    twins: list[tuple[Tensor, Tensor]]


class Capture:
    """A capture under way; the trace tells it what happens (`runtime.trace`)."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.boundary = False  # whether a step ended within the call
        self._lent: dict[int, tuple[Value, Value]] = {}  # by id: what stands for an argument's value, and that value

    def lend(self, t: Tensor) -> Tensor:
        """A tensor for t, whose value nobody knows before the end of the call."""
        real = t._value()
        stand_in = Value(real.type)
        self._lent[id(stand_in)] = stand_in, real
        out = make_tensor(stand_in)
        out.__class__ = t.__class__
        if t.__dict__:
            out.__dict__.update(t.__dict__)
        if t._node is not None:
            leaf = t._node if t._node.__class__ is AccumulateGrad and t._view is None else AccumulateGrad(out)
            out._node, out._nr = leaf, 0
        return out

    def stands_for(self, value: Value) -> bool:
        """Whether a value without a buffer is a lent argument."""
        return id(value) in self._lent

    def pay_back(self) -> None:
        """Gives the lent values their contents."""
        for stand_in, real in self._lent.values():
            stand_in.buffer, stand_in.address, stand_in.pinned = real.buffer, real.address, real.pinned

    def interrupt(self, why: str) -> None:
        """Something looks at a value, or the trace is full: the capture is over."""
        trace.capture = None
        self.pay_back()
        site = call_site()
        self.reason = why + ("" if site is None else " ({}:{})".format(*locate(site)))


def capture(fn: Callable[..., Any], arguments: Structure, tensors: Sequence[Tensor], reach: tuple[list, list],
            make: Callable[[Recording], Any]) -> tuple[Any, Any]:
    """Calls fn; returns what it returned, and make(recording) of the call, or a `Refused` that says why there is none.

    arguments: the structure of (args, kwargs) around `tensors`. reach: the other tensors, and the generators, that the call can reach.
    """
    flush()
    land()
    now = Capture()
    result, found = _captured(now, fn, arguments, tensors, Known([*tensors, *reach[0]], reach[1]), make)
    if now.boundary:  # not before: as long as somebody knows what the call replaces, no result takes over its memory
        flush()
    return result, found


def _captured(now: Capture, fn: Callable[..., Any], arguments: Structure, tensors: Sequence[Tensor], before: Known,
              make: Callable[[Recording], Any]) -> tuple[Any, Any]:
    """`capture` up to the end of the step. before: what the call can reach."""
    watch = Watch()
    lent = [now.lend(t) for t in tensors]
    nodes = [t._node for t in lent]
    args, kwargs = arguments.fill(lent)
    trace.capture = now
    trace.room = 1 << 30
    try:
        with watch:
            result = fn(*args, **kwargs)
    finally:
        was_whole, trace.capture = trace.capture is now, None
        if was_whole:
            now.pay_back()
            trace.room = ROOM
    with trace.lock:
        try:
            if not was_whole:
                raise Refused(now.reason)
            found = make(_Reader(before, now, watch, lent, nodes, [*args, *kwargs.values()]).read(fn, result))
        except (Refused, Unguarded) as why:
            found = Refused(str(why))
        _return_arguments(lent, nodes, tensors, Structure.of(result, objects=True)[1])
    return _replace(result, {id(x): t for x, t in zip(lent, tensors)}), found


def reachable(fn: Any, watch: Watch, arguments: Iterable[Any]) -> Guards:
    """What a call that was watched can reach, and so depend on."""
    guards = Guards({name for code in watch.codes for name in code.co_names})
    guards.add_codes(watch.codes)
    for x in (fn, *arguments, *watch.objects.values()):
        guards.add(x)
    return guards


def _return_arguments(lent: list[Tensor], nodes: list, tensors: Sequence[Tensor], returned: list[Tensor]) -> None:
    """What the call did to the tensors that stood for its arguments is done to the arguments."""
    inner = {nodes[i]: t for i, t in enumerate(tensors) if nodes[i] is not None and nodes[i] is not t._node}
    if inner:
        for node in _reachable([t._node for t in (*returned, *lent) if t._node is not None]):
            if any(e is not None and e[0] in inner for e in node.edges):
                node.edges = tuple((inner[e[0]]._node, inner[e[0]]._nr) if e is not None and e[0] in inner else e for e in node.edges)
    for x, t in zip(lent, tensors):
        if x._storage.version:
            was, mode.enabled = mode.enabled, x._node is not None and x._node.__class__ is not AccumulateGrad
            try:
                assign(t, x)
            finally:
                mode.enabled = was


def _replace(x: Any, by: dict[int, Tensor]) -> Any:
    """A result with the lent tensors in it replaced by those they stood for."""
    if isinstance(x, Tensor):
        return by.get(id(x), x)
    if type(x) in (list, tuple):
        return type(x)(_replace(y, by) for y in x)
    if type(x) is dict:
        return {k: _replace(v, by) for k, v in x.items()}
    return x


class _Reader:
    """Reads a recording out of the trace and the heap after a call."""

    def __init__(self, before: Known, now: Capture, watch: Watch, lent: list[Tensor], nodes: list, arguments: list):
        self.before, self.now, self.watch, self.lent, self.nodes = before, now, watch, lent, nodes
        self.arguments = arguments
        self.records, self.slots, self.sites = tuple(trace.records), trace.slots, dict(trace.sites)

    def read(self, fn: Any, result: Any) -> Recording:
        structure, returned = Structure.of(result)
        if structure is None:
            raise Refused("it returns something that is not made of tensors, plain values, lists, tuples and dicts")
        reason = self.watch.judge(structure.containers)
        if reason is not None:
            raise Refused(reason)
        if not self.records:
            raise Refused("it records nothing")
        guards = reachable(fn, self.watch, self.arguments)
        sinks, touched = self._sinks()
        if not self.before.unchanged():
            raise Refused("it changes what a tensor is (its data or its history)")
        self._check_kept(sinks, returned)
        wanted = self._results(returned)
        backward, freed = self._backward(returned)
        sources = self._sources(guards)
        guards.leaves += [leaf for leaf, _ in touched] + [n for n in self.nodes if n is not None]
        described = [(slot, s.kind, _identity(s, False)) for slot, s in sources]
        loose = [(slot, s.kind, _identity(s, True)) for slot, s in sources]
        rest = (self.records, [(s.kind, id(s.what) if s.kind != "argument" else s.what, s.slot) for s in sinks], wanted, structure,
                [(id(leaf), there) for leaf, there in touched], freed, backward is None)
        return Recording((described, rest), (loose, rest), self.records, self.slots, self.sites, sources, sinks, structure, returned, backward,
                         freed, self.lent, touched, guards, self.now.boundary, self._twins(sources))

    # ------------------------------------------------------------------ where results go

    def _pending(self, value: Value, what: str) -> int:
        if value.__class__ is not Value or value.buffer is not None or value.epoch != trace.epoch:
            raise Refused(f"{what} is not a recorded result")
        return value.slot

    def _sinks(self) -> tuple[list[Sink], list[tuple[AccumulateGrad, bool]]]:
        sinks: list[Sink] = []
        lent = {id(x._storage) for x in self.lent}
        for i, x in enumerate(self.lent):
            if x._storage.version:
                if x._node is not self.nodes[i]:
                    raise Refused("it changes an argument in place, with history")
                sinks.append(Sink("argument", i, self._pending(x._storage.value, "what it writes to an argument")))
        owners = self.before.owners()
        generators = [g for g, _ in self.before.generators]
        for holder, _ in trace.undo:
            if isinstance(holder, Generator):
                if holder not in generators:
                    raise Refused("it draws from a random generator that it does not mention")
                sinks.append(Sink("generator", holder, self._pending(holder.state, "the state of a random generator")))
            elif id(holder) not in lent and not any(s.what is holder for s in sinks):
                owner = owners.get(id(holder), holder)
                kind = "storage" if owner is holder else "gradient" if owner.__class__ is AccumulateGrad else "tensor"
                sinks.append(Sink(kind, owner, self._pending(holder.value, "what it writes to a tensor")))
        for generator, state in self.before.generators:
            if generator.state is not state and not any(s.what is generator for s in sinks):
                raise Refused("it sets the state of a random generator")
        for leaf, gradient in self.before.gradients.items():
            if leaf.grad is not gradient:
                if leaf.grad is None:
                    sinks.append(Sink("no gradient", leaf, None))
                elif leaf.grad._view is not None or leaf.grad._node is not None:
                    raise Refused("it makes a gradient that is a view or has a history")
                else:
                    sinks.append(Sink("new gradient", leaf, self._pending(leaf.grad._storage.value, "a gradient")))
        touched = {s.what: self.before.gradients[s.what] is not None for s in sinks if "gradient" in s.kind}
        sinks.sort(key=lambda s: (s.slot is None, s.slot or 0, s.kind))
        return sinks, list(touched.items())

    def _check_kept(self, sinks: list[Sink], returned: list[Tensor]) -> None:
        """Nobody else may hold a result: it would not be there after a replay."""
        expected = {s.slot for s in sinks} | {t._storage.value.slot for t in returned if t._storage.value.epoch == trace.epoch}
        expected |= {v.slot for n in self.nodes_of(returned) for v in getattr(n, "saved", None) or () if v.__class__ is Value and v.epoch == trace.epoch}
        for again in (False, True):
            kept = [i for i in referenced(trace.pending) if i not in expected]
            if kept and not again:
                gc.collect()  # perhaps only a cycle
        if kept:
            raise Refused(f"it keeps a tensor that it made (of shape {list(self.slots[kept[0]].type.shape)})")

    @staticmethod
    def nodes_of(returned: list[Tensor]) -> list[Node]:
        """The autograd nodes behind the results."""
        return _reachable([t._node for t in returned if t._node is not None])

    def _results(self, returned: list[Tensor]) -> list[tuple]:
        wanted: list[tuple] = []
        for t in returned:
            for i, x in enumerate(self.lent):
                if t is x:
                    wanted.append(("argument", i))
                    break
            else:
                if self.before.holds(t):
                    wanted.append(("tensor", id(t)))
                elif type(t) is not Tensor or t.__dict__:
                    raise Refused(f"it returns a {type(t).__name__}")
                elif id(t._storage) in self.before.values or any(t._storage is x._storage for x in self.lent):
                    raise Refused("it returns a view of a tensor that it did not make")
                else:
                    wanted.append(("new", self._pending(t._storage.value, "what it returns"), None if t._view is None else t._geometry(), t.dtype))
        return wanted

    def _backward(self, returned: list[Tensor]) -> tuple[list[Node] | None, bool]:
        roots = [t._node for t in returned if t._node is not None and not self.before.holds(t) and not any(t is x for x in self.lent)]
        if not roots:
            return None, False
        order = _reachable(roots)
        return order, any(n.family is OpNode and n.saved is None for n in order)  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ where operands come from

    def _sources(self, guards: Guards) -> list[tuple[int, Source]]:
        owners = self.before.owners()
        holders: dict[int, Any] = {id(v): owners.get(key, s) for key, (s, v) in self.before.values.items()}
        holders |= {id(v): owners.get(id(h), h) for h, v in trace.undo if not isinstance(h, Generator)}
        holders |= {id(state): g for g, state in self.before.generators}
        rates = {id(g["lr"]): g for o in guards.optimizers for g in o.param_groups if g.get("lr").__class__ is float}
        stand_ins = {id(x): i for i, (x, _) in enumerate(self.now._lent.values())}
        sources = []
        seen: set[int] = set()
        made = 0
        for spec, *operands in self.records:
            for slot in operands:
                if slot >= made:
                    made = slot + 1
                    if slot not in seen:
                        seen.add(slot)
                        sources.append((slot, self._source(self.slots[slot], holders, rates, stand_ins)))
            made += len(spec.out_types)
        return sources

    def _twins(self, sources: list[tuple[int, Source]]) -> list[tuple[Tensor, Tensor]]:
        """Values that several tensors shared: one of them stands for all."""
        owners = self.before.owners()
        sharing: dict[int, list[Any]] = {}
        for key, (storage, value) in self.before.values.items():
            sharing.setdefault(id(value), []).append(owners.get(key, storage))
        found = []
        for slot, source in sources:
            for other in sharing.get(id(self.slots[slot]), ()):
                if other is not source.what:
                    if not (isinstance(other, Tensor) and source.kind == "tensor"):
                        raise Refused("it reads a value that a tensor and something else share")
                    found.append((source.what, other))
        return found

    def _source(self, v: Any, holders: dict[int, Any], rates: dict[int, dict], stand_ins: dict[int, int]) -> Source:
        if v.__class__ in _NUMBERS:
            return Source("number", v, rates.get(id(v)))
        if id(v) in stand_ins:
            return Source("argument", stand_ins[id(v)])
        holder = holders.get(id(v))
        if holder is None:
            if v.type.nbytes > CONSTANT_BYTES:
                raise Refused("it makes a large tensor outside the recorded program")
            return Source("constant", v)
        kinds = {Storage: "storage", AccumulateGrad: "gradient"}
        return Source("generator" if isinstance(holder, Generator) else kinds.get(type(holder), "tensor"), holder)


def _identity(source: Source, loose: bool) -> Any:
    if source.kind == "number":
        return ("rate", id(source.group)) if loose and source.group is not None else (type(source.what), repr(source.what))
    if source.kind == "constant":
        return source.what.type, np.ascontiguousarray(source.what.buffer).tobytes()
    return source.what if source.kind == "argument" else id(source.what)
