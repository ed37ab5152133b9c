"""One body for equal steps: the layers of a deep network and the steps of a recurrence do the same on other buffers.

`signature` says what the code of a step depends on, with its buffers numbered in the order in which they occur. Steps of
one signature have one body, which finds its buffers in a table of each step's own (`bodies`, `tables`).
"""
from __future__ import annotations

from typing import Hashable

from ..ir.graph import Var
from .expression import Apply, Constant, Expression, Load, Position
from .schedule import Contract, Fill, Host, Map, Reduce, Scan, Special, Step
from .zeros import is_zero, operands


class _Signature:
    """Numbers the buffers and the parts of a step's expressions."""

    def __init__(self) -> None:
        self.numbers: dict[Var, int] = {}
        self.terms: list[Hashable] = []
        self._places: dict[int, int] = {}

    def buffer(self, v: Var) -> Hashable:
        return self.numbers.setdefault(v, len(self.numbers) + 1), v.type

    def expression(self, x: Expression) -> int:
        """The number of an expression's term; equal objects get one term."""
        place = self._places.get(id(x))
        if place is None:
            term = self._term(x)
            place = self._places[id(x)] = len(self.terms)
            self.terms.append(term)
        return place

    def _term(self, x: Expression) -> Hashable:
        if isinstance(x, Load):
            return self.buffer(x.var), x.offset
        if isinstance(x, Constant):
            return repr(x.value), x.dtype  # 0.0 and -0.0, 1 and True are equal, but not the same
        if isinstance(x, Position):
            return x.map, x.dtype
        assert isinstance(x, Apply)
        return x.name, tuple([self.expression(a) for a in x.args]), x.dtype, repr(x.params), x.arg_dtypes

    def step(self, step: Step) -> Hashable:
        if isinstance(step, Map):
            return step.domain, tuple([(self.expression(s.value), self.buffer(s.target), s.offset, repr(s.padding)) for s in step.stores])
        if isinstance(step, Fill):
            return self.buffer(step.target), repr(step.value)
        if isinstance(step, Reduce):
            return self.expression(step.value), self.buffer(step.target), step.outer, step.inner, step.kind
        if isinstance(step, Contract):
            k = step.kernel
            return k.contraction, k.offsets, k.adds, self.buffer(k.out), tuple([(self.buffer(x.var), x.offset) for x in (k.a, k.b)])
        assert isinstance(step, Special)
        node = step.node  # a kernel of its own may look at a node's parameters and types, and at which operands are zeros
        return (node.prim.name, repr(node.params), tuple([self.buffer(v) for v in (*operands(node), *node.outputs)]),
                tuple([is_zero(v) for v in node.inputs]))


def signature(step: Step) -> tuple[Hashable, list[Var]]:
    """(what a step's code depends on, its buffers in the order of their numbers, which begin at 1)."""
    assert not isinstance(step, (Host, Scan))
    s = _Signature()
    key = s.step(step)
    return (type(step).__name__, key, tuple(s.terms)), list(s.numbers)
