"""Replaying a small call where it lies.

A replayed step takes the values of parameters and optimizer state and puts new ones in their place; the program writes them
into the memory of the old. When nobody but the tensors themselves refers to those values, nothing has to change hands at
all: the values stay, the program runs on the same addresses, and only the versions of the storages go up. A call that writes
nothing, as a model's in inference, is bound when its results are looked at before anything else is recorded.
"""
from __future__ import annotations

import sys
from operator import le
from typing import Any, NamedTuple, Sequence

from ..addresses import address_of
from ..ir.types import TensorType
from ..runtime.trace import Value
from ..tensor.node import AccumulateGrad
from ..tensor.tensor import Tensor

ATTEMPTS = 100  # bindings in a row that did not hold, before a replay is no longer bound
SOON = 1 << 25  # elements and multiplications: calls that write nothing and do more better run while Python goes on


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

    places: where the program's inputs are among the replay's operands. operands: what is the same in each call.
    """

    def __init__(self, compiled: Any, places: Sequence[int], operands: Sequence[Any], layout: Layout):
        self._compiled, n = compiled, len(places)
        self._addresses = [int(x) for x in compiled.table[1:1 + n]]
        self._made = [int(x) for x in compiled.table[1 + n:1 + n + len(compiled.makes)]]
        number = dict(layout.arguments)
        self._arguments = [(i, number[place]) for i, place in enumerate(places) if place in number]
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
        self._alone = self._references()

    @staticmethod
    def applies(compiled: Any, places: Sequence[int], layout: Layout) -> bool:
        """Whether each result that replaces a value was written where that value lay."""
        if not compiled.straight or len(compiled.parts) != 1:
            return False
        if not layout.written and compiled.parts[0].work > SOON:
            return False
        at = {id(t): place for place, t, _ in layout.tensors}
        at.update([(id(twin), at[id(t)]) for t, twin in layout.twins])
        index = {place: i for i, place in enumerate(places)}
        table = compiled.table
        return bool(table[1]) and all(id(t) in at and at[id(t)] in index and table[1 + index[at[id(t)]]] == table[1 + len(places) + n]
                                      for t, n in layout.written)

    def run(self, tensors: Sequence[Tensor]) -> dict[int, Value] | None:
        """The returned values by number; None, with nothing done, where something is not as it was, or the memory is not free
        to be rewritten. Nothing is recorded, and no program under way."""
        if not self._is_as_it_was() or self._alone and not self._is_free():
            return None
        addresses, made, compiled = self._addresses, self._made, self._compiled
        for i, number in self._arguments:
            value = tensors[number]._value()
            if value.buffer is None:
                return None
            addresses[i] = value.address = value.address or address_of(value.buffer)
        for cell, fixed, group in self._numbers:
            cell[0] = fixed if group is None else group["lr"]
        results = {}
        for number, type in self._returned:
            value = results[number] = Value(type)
            value.buffer, value.address = compiled._memory(number)
            made[number] = value.address
        compiled.settle()
        compiled.pack(compiled.table, 8, *addresses, *made)
        compiled.parts[0].program.run(compiled.table_address)
        if compiled.flag[0]:  # nothing was overwritten: the ordinary way will find the error again, and say whose it is
            compiled.flag[0] = 0
            return None
        for storage, _ in self._written:
            storage.version += 1
        return results

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
