"""Replaying a small call where it lies.

A replayed step takes the values of parameters and optimizer state and puts new ones in their place; the program writes them
into the memory of the old. When nobody but the tensors themselves refers to those values, nothing has to change hands at
all: the values stay, the program runs on the same addresses, and only the versions of the storages go up. A call that writes
nothing, as a model's in inference, is bound when its results are looked at before anything else is recorded; what it makes of
the model alone (weights that are turned or transformed) it holds until the model changes. Steps for several threads run while
Python goes on, as they do otherwise.
"""
from __future__ import annotations

import sys
from operator import le
from typing import Any, NamedTuple, Sequence

from ..addresses import address_of
from ..errors import Site, call_site
from ..ir.types import TensorType
from ..nn.parameter import Parameter
from ..runtime.blame import located, run_alone
from ..runtime.specialization import Specialization
from ..runtime.tiers import halves_of
from ..runtime.trace import ASYNCHRONOUS, Flight, Value, land, trace
from ..tensor.node import AccumulateGrad
from ..tensor.tensor import Tensor

ATTEMPTS = 100  # bindings in a row that did not hold, before a replay is no longer bound
SHORT = 1 << 28  # elements and multiplications: a step that does more gains nothing from being bound, and better runs while Python goes on


class Layout(NamedTuple):
    """What of a replay a binding needs. arguments: (place among the operands, number); rates: (place, group); tensors: (place,
    tensor, node) of the others. twins: pairs of tensors that must have one value. written and gradients: where results go, with
    their numbers. returned: (number, type)."""

    arguments: list[tuple[int, int]]
    rates: list[tuple[int, dict]]
    tensors: list[tuple[int, Tensor, Any]]
    twins: list[tuple[Tensor, Tensor]]
    written: list[tuple[Tensor, int]]
    gradients: list[tuple[AccumulateGrad, int]]
    returned: list[tuple[int, TensorType]]


class Bound:
    """One replay, bound to memory; made right after an ordinary run of its program, when nobody else refers to what it wrote.

    spec: the replayed call. places: where the program's inputs are among its operands. operands: what is the same in each call.
    """

    def __init__(self, spec: Specialization, compiled: Any, places: Sequence[int], operands: Sequence[Any], layout: Layout):
        self._spec, self._operands, self._layout = spec, operands, layout
        self._compiled, self._mark, n = compiled, object(), len(places)
        self._addresses = [int(x) for x in compiled.table[1:1 + n]]
        self._made = [int(x) for x in compiled.table[1 + n:1 + n + len(compiled.makes)]]
        index = {place: i for i, place in enumerate(places)}
        self._arguments = [(index.get(place), number) for place, number in layout.arguments]  # None: the program has no need of it
        rates = dict(layout.rates)
        self._numbers = [(cell, operands[places[i]], rates.get(places[i])) for i, cell, _ in compiled.cells
                         if places[i] in rates or operands[places[i]] is not None and not isinstance(operands[places[i]], Value)]
        self._rates = [group for _, group in layout.rates]
        rewritten = {id(t) for t, _ in layout.written}
        self._read = [(t, t._storage.value, node) for _, t, node in layout.tensors if id(t) not in rewritten]
        self._nodes = [(t, node) for _, t, node in layout.tensors if id(t) in rewritten]
        self._twins = layout.twins
        self._returned = layout.returned
        self._written = [(t._storage, t._storage.value) for t, _ in layout.written]
        leaves: list[Any] = [leaf for leaf, _ in layout.gradients]
        self._gradients = [(leaf, leaf.grad, leaf.grad._storage, leaf.grad._storage.value) for leaf in leaves]
        self._places = [(place, t._storage.value) for place, t, _ in layout.tensors]
        self._rewritten = frozenset([id(value) for *_, value in [*self._written, *self._gradients]])
        self._alone = self._references()
        self._held = None if layout.written or layout.gradients else self._hold(places)
        if self._held is not None:
            self._addresses += self._held.addresses

    @staticmethod
    def applies(compiled: Any, places: Sequence[int], layout: Layout) -> bool:
        """Whether each result that replaces a value was written where that value lay."""
        if not compiled.straight or len(compiled.parts) != 1:
            return False
        if compiled.parts[0].work > SHORT and (layout.written or layout.gradients):
            return False
        at = {id(t): place for place, t, _ in layout.tensors}
        at.update([(id(twin), at[id(t)]) for t, twin in layout.twins])
        index = {place: i for i, place in enumerate(places)}
        table = compiled.table
        return bool(table[1]) and all(id(t) in at and at[id(t)] in index and table[1 + index[at[id(t)]]] == table[1 + len(places) + n]
                                      for t, n in layout.written)

    def _hold(self, places: Sequence[int]) -> Held | None:
        """What is made of parameters alone, if it is worth holding; the program is the rest from then on. (Other tensors that the
        function does not get as arguments, but finds, may well be data, which change from call to call.)"""
        parameters = {place: t for place, t, _ in self._layout.tensors if isinstance(t, Parameter)}
        rates = dict(self._layout.rates)
        fixed = [i for i, place in enumerate(places) if place in parameters or self._operands[place] is not None and place not in rates]
        halves = halves_of(self._compiled, frozenset(fixed))
        if halves is None:
            return None
        self._compiled = halves.rest
        return Held(halves.first, [parameters.get(places[i], self._operands[places[i]]) for i in halves.inputs])

    def run(self, tensors: Sequence[Tensor]) -> dict[int, Value] | None:
        """The returned values by number; None, with nothing done, where something is not as it was, or the memory is not free
        to be rewritten. Nothing must be recorded."""
        if not self._is_as_it_was() or self._alone and not self._is_free():
            return None
        if trace.flight is not None:
            land()
        addresses, made, compiled = self._addresses, self._made, self._compiled
        table, behind = compiled.table, 1 + len(addresses)  # where the results' addresses begin
        arguments = []
        for i, number in self._arguments:
            value = tensors[number]._value()
            if value.buffer is None:
                return None
            value.address = value.address or address_of(value.buffer)
            if i is not None and addresses[i] != value.address:
                addresses[i] = table[1 + i] = value.address
            arguments.append(value)
        held = self._held
        if held is not None and not held.is_current():
            addresses[-len(held.addresses):], compiled.filled[0] = held.renew(), None
        for cell, fixed, group in self._numbers:
            cell[0] = fixed if group is None else group["lr"]
        results = {}
        for number, type in self._returned:
            value = results[number] = Value(type)
            value.buffer, value.address = compiled._memory(number)
            if made[number] != value.address:
                made[number] = table[behind + number] = value.address
        compiled.settle()
        if compiled.filled[0] is not self._mark:
            compiled.pack(table, 8, *addresses, *made)
            compiled.filled[0] = self._mark
        if not self._written or not self._post(arguments, results):
            compiled.parts[0].program.run(compiled.table_address)
            if compiled.flag[0]:  # nothing was overwritten: the ordinary way will find the error again, and say whose it is
                compiled.flag[0] = 0
                return None
        for storage, _ in self._written:
            storage.version += 1
        return results

    def _post(self, arguments: list[Value], results: dict[int, Value]) -> bool:
        """Leaves the step to the team, if it may take its time: what it reads cannot be changed from outside meanwhile."""
        compiled, program = self._compiled, self._compiled.parts[0].program
        if not ASYNCHRONOUS or not program.is_shared() or not compiled.asynchronous:
            return False
        pinned = [v.pinned for v in arguments] + [v.pinned for _, v, _ in self._read]
        if any([p is not None and p() for p in pinned]) or not program.post(compiled.table_address):
            return False
        site = call_site() if self._spec.fallible else None
        made = list(results.values())
        trace.flight = Flight(self._rewritten.union(map(id, made)), _UnderWay(self, arguments, site), [], [], made, tuple(range(len(made))), {}, [])
        return True

    def outcome(self, arguments: list[Value], site: Site | None) -> list | None:
        """After a step that was left to the team: None if all went well. Raises the error of one that found an index out of range,
        and so changed nothing; or computes it again, and returns the arrays of what it returns."""
        if not self._compiled.flag[0]:
            return None
        self._compiled.flag[0] = 0
        operands = list(self._operands)
        for place, group in self._layout.rates:
            operands[place] = group["lr"]
        for place, value in [*self._places, *zip([place for place, _ in self._layout.arguments], arguments)]:
            operands[place] = value
        try:
            found = run_alone(self._spec, [getattr(x, "buffer", x) for x in operands], Value)
        except Exception as error:
            raise (error if site is None else located(error, self._spec.name, site)) from None
        for (_, number), (*_, value) in zip([*self._layout.written, *self._layout.gradients], [*self._written, *self._gradients]):
            value.buffer[...] = found[number]
        return [found[number] for number, _ in self._returned]

    def _is_as_it_was(self) -> bool:
        """Whether tensors have the nodes, and those that are only read the values, that they had."""
        for t, value, node in self._read:
            if t._storage.value is not value or t._node is not node:
                return False
        for t, node in self._nodes:
            if t._node is not node:
                return False
        for t, twin in self._twins:
            if t._storage.value is not twin._storage.value:
                return False
        for group in self._rates:
            if group["lr"].__class__ is not float:
                return False
        return True

    def _is_free(self) -> bool:
        """Whether what is going to be rewritten is where it was, and nobody else refers to it."""
        if not all(map(le, self._references(), self._alone)):  # before any name below refers to one of them
            return False
        for storage, value in self._written:
            if storage.value is not value or value.pinned is not None:
                return False
        for leaf, gradient, storage, value in self._gradients:
            if leaf.grad is not gradient or gradient._storage is not storage or storage.value is not value or value.pinned is not None:
                return False
        return True

    def _references(self) -> list[int]:
        """How many refer to each value and array that is rewritten, and to each gradient."""
        count = sys.getrefcount
        found: list[int] = []
        for _, value in self._written:
            found += count(value), count(value.buffer)
        for _, gradient, storage, value in self._gradients:
            found += count(gradient), count(storage), count(value), count(value.buffer)
        return found


class Held:
    """What the first half of a program makes of tensors, in memory of its own, and whether they are still what they were then.

    first: that half. operands: its tensors and, where it takes others, numbers and values that never change. The value of a tensor
    stays where a bound step or NumPy writes to its memory: the one counts a version, the other breaks the seal.
    """

    def __init__(self, first: Any, operands: list):
        self._first, self._operands = first, operands
        self._tensors = [x for x in operands if isinstance(x, Tensor)]
        self._seals: list[tuple[Tensor, Any, Value, int, Any]] = []
        self._arrays: list = []
        self.addresses = [0] * len(first.makes)

    def is_current(self) -> bool:
        """Whether what was made last is what would be made now."""
        for t, storage, value, version, seal in self._seals:
            if t._storage is not storage or storage.value is not value or storage.version != version or value.pinned is not seal:
                return False
        return bool(self._arrays)

    def renew(self) -> list[int]:
        """Makes it, and returns where it lies."""
        self._arrays.clear()  # before others are made
        self._seals = [(t, t._storage, t._storage.value, t._storage.version, t._storage.seal()) for t in self._tensors]
        values = [x._storage.value if isinstance(x, Tensor) else x for x in self._operands]
        inputs = [x.buffer if isinstance(x, Value) else x for x in values]
        self._arrays, self.addresses = self._first.call(inputs, [x.location() if isinstance(x, Value) else 0 for x in values])
        return self.addresses


class _UnderWay:
    """One run of a bound step that was left to the team, as a `Flight` asks for it."""

    __slots__ = ("_bound", "_arguments", "_site")

    def __init__(self, bound: Bound, arguments: list[Value], site: Site | None):
        self._bound, self._arguments, self._site = bound, arguments, site

    def join(self) -> None:
        self._bound._compiled.join()

    def rerun_if_failed(self, inputs: list) -> list | None:
        return self._bound.outcome(self._arguments, self._site)
