"""`Specialization`: an op at one signature: its graph, its output types, and its gradient variants."""
from __future__ import annotations

from typing import Any, Callable

from ..primitives.base import no_derivative_p
from ..primitives.derive import Derivative, derive_vjp, differentiable
from ..ir.graph import Graph, Node
from ..ir.types import TensorType


UNIT = 1 << 18  # elements: what a record costs beside itself (see `trace`)


_DIVISIONS = ("div", "floor_divide", "remainder", "fmod")


def _may_fail(node: Node) -> bool:
    """Whether a call can fail on its values: an index out of range, an integer divided by zero, a singular matrix."""
    prim = node.prim
    return prim.kind in ("gather", "scatter", "host") or prim.name in _DIVISIONS and node.outputs[0].dtype.kind in "iu"


class Specialization:
    """What is recorded. Compared by identity; `name` is the op's, `grad_name` that of its autograd node (None: it has none).

    single: whether the op returns one tensor and not a tuple. structure: None, or a callable that packs the outputs.
    undefined: None, or what the graph computes that has no known derivative. fallible: whether it can fail when it runs;
    checks(operands) is None, or raises what the op raises for operands that are computed already. arguments: of the op's body,
    by name, tensors as the graph's Vars; None for what is not an op's. strides: None, or the rule by which results follow the
    operands' order in memory (`tensor/strides.py`).
    """

    __slots__ = ("name", "grad_name", "graph", "out_types", "single", "structure", "gradients", "checks", "can_differentiate",
                 "undefined", "cost", "fallible", "arguments", "strides")

    def __init__(self, name: str, grad_name: str | None, graph: Graph, single: bool, structure: Any = None, checks: Any = None,
                 visible: int | None = None, arguments: dict[str, Any] | None = None):
        self.name, self.grad_name, self.graph, self.single, self.structure = name, grad_name, graph, single, structure
        self.arguments = arguments
        self.strides: Callable | None = None
        n = len(graph.outputs) if visible is None else visible
        self.out_types: tuple[TensorType, ...] = tuple(v.type for v in graph.outputs[:n])
        self.checks = checks
        self.cost = 1 + sum(t.size for t in self.out_types) // UNIT
        self.can_differentiate = grad_name is not None and any(differentiable(t) for t in self.out_types)
        self.undefined = next((n.params[0] for n in graph.nodes if n.prim is no_derivative_p), None)
        self.fallible = any(map(_may_fail, graph.nodes))
        self.gradients: dict[tuple[bool, ...], Gradient] = {}

    def gradient(self, needs: tuple[bool, ...]) -> Gradient:
        """The variant that keeps what the gradient in the inputs marked by `needs` wants."""
        found = self.gradients.get(needs)
        if found is None:
            found = self.gradients[needs] = Gradient(self, needs)
        return found

    def __repr__(self) -> str:
        return f"<{self.name} {[v.type for v in self.graph.inputs]}>"


class Gradient:
    """A differentiable specialization: `forward` returns the residuals after the visible outputs.

    saved: what its node keeps, as ('in' | 'out' | 'res', index): first what backward reads. A residual has no history, so
    where a gradient of the gradient would have to go through one, the inputs that it is computed from are kept, too.
    """

    __slots__ = ("of", "needs", "forward", "saved", "n_visible", "_backward", "_twice", "_residuals", "is_differentiable", "wrt",
                 "saved_inputs", "saved_outputs", "saved_places")

    def __init__(self, of: Specialization, needs: tuple[bool, ...]):
        self.of, self.needs = of, needs
        present = tuple(differentiable(t) for t in of.out_types)
        d = derive_vjp(of.graph, needs, present)
        self.n_visible = len(of.out_types)
        self.forward = of if len(d.forward.outputs) == self.n_visible else \
            Specialization(of.name, of.grad_name, d.forward, of.single, of.structure, of.checks)
        self.saved = d.saved
        self._residuals = d.residuals
        self._twice: dict[tuple[bool, ...], tuple[Specialization, tuple]] | None = None
        if any(differentiable(v.type) for v in d.forward.outputs[self.n_visible:]):
            again = derive_vjp(of.graph, needs, present, recompute=True)
            self.saved += tuple(p for p in again.saved if p not in d.saved)
            self._twice = {present: self._call(again)}
        n_in = len(of.graph.inputs)
        first = {"in": 0, "out": n_in, "res": n_in + self.n_visible}
        self.saved_places = tuple(first[kind] + i for kind, i in self.saved)  # in the operands followed by the outputs
        self.saved_inputs = tuple(i for kind, i in d.saved if kind == "in" and not of.graph.inputs[i].type.weak)
        self.saved_outputs = tuple(i for kind, i in d.saved if kind == "out")
        self.wrt = tuple(i for i, need in enumerate(needs) if need)
        self.is_differentiable = present
        self._backward: dict[tuple[bool, ...], tuple[Specialization, tuple]] = {present: self._call(d)}

    def _call(self, d: Derivative) -> tuple[Specialization, tuple]:
        return Specialization(self.of.name + "_backward", self.of.grad_name, d.backward, False), (d.saved, d.missing)

    def backward(self, present: tuple[bool, ...], again: bool = False) -> tuple[Specialization, tuple]:
        """(op call, (saved, missing)) for cotangents of the outputs marked by `present`. again: whether its own gradient
        may be asked for."""
        twice = again and self._twice is not None
        table = self._twice if twice else self._backward
        assert table is not None
        found = table.get(present)
        if found is None:
            d = derive_vjp(self.of.graph, self.needs, present, recompute=twice)
            if not set(d.residuals) <= set(self._residuals):  # what all cotangents together did not need
                d = derive_vjp(self.of.graph, self.needs, present, recompute=True)
            numbers = {i: self._residuals.index(at) for i, at in enumerate(d.residuals)}  # which of the kept ones each is
            d = d._replace(saved=tuple((kind, numbers[i]) if kind == "res" else (kind, i) for kind, i in d.saved))
            found = table[present] = self._call(d)
        return found
