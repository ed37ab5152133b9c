"""Transformed values: what stands for a value inside `vmap` and in forward-mode differentiation.

A `Batched` is one example of a batch, a `Dual` a value with its tangent. Both have the type of what they stand for, so all
that is built on values (tensors, views, writes, the autograd graph) works on them unchanged. A call that has one among its
operands is rewritten (`primitives/batching.py`, `primitives/tangents.py`), once per specialization, and recorded on what
they hold, which may be transformed in turn: that is how transformations nest.
"""
from __future__ import annotations

from typing import Any, Collection, Iterator, Sequence

from ..ir.graph import trace as trace_graph
from ..ir.types import TensorType, tensor_type
from ..primitives.batching import batch_graph, repeated
from ..primitives.derive import differentiable
from ..primitives.tangents import derive_jvp
from .specialization import Specialization
from .trace import Value, record

_specializations: dict[tuple, Specialization] = {}

ITEM = ("vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please try to "
        "rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch internals, please file a bug "
        "report.")
INPLACE = ("vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args that has more "
           "elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped over in a vmap. Please try "
           "to use out-of-place operators instead of inplace arithmetic. If said operator is being called inside the PyTorch framework, "
           "please file a bug report instead.")


class Level:
    """One running transformation. number: inner ones, which start later, have higher ones; the nodes of the autograd graph
    that are made inside have higher sequence numbers than it, and those made before lower ones. functional: whether it
    transforms a function, rather than what a program does in a context."""

    __slots__ = ("number", "alive", "functional")

    def __init__(self, number: int, functional: bool = True):
        self.number, self.functional = number, functional
        self.alive = True

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        """Records what `spec` becomes under this transformation."""
        raise NotImplementedError


class Transformed(Value):
    """A value that stands for what a transformation works on. Never part of a trace itself."""

    __slots__ = ("level",)

    def __init__(self, type: TensorType, level: Any):
        super().__init__(type)
        self.slot = -1
        self.level = level

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        """Records a call with this value among its operands: the innermost transformation has its way first."""
        returning = {level for v in operands for level in returning_levels(v)}
        operands = [v.current(returning) if isinstance(v, Transformed) else v for v in operands]
        levels = [v.level for v in operands if isinstance(v, Transformed)]
        if not levels:
            return record(spec, list(operands))
        return max(levels, key=lambda level: level.number).record(spec, operands)

    def current(self, returning: Collection[Level]) -> Value:
        """self, or what is left of it when its transformation has ended, unless gradients return to its level."""
        return self


def _layers(value: Any) -> Iterator[Any]:
    """A value and what it holds, from the innermost transformation outwards."""
    while isinstance(value, Transformed):
        yield value
        value = value.physical if isinstance(value, Batched) else value.primal  # type: ignore[attr-defined]


# ------------------------------------------------------------------ vmap

class BatchLevel(Level):
    """A `vmap` over `size` examples. randomness: 'error', 'different' or 'same', what a draw of random numbers is to do."""

    __slots__ = ("size", "randomness")

    def __init__(self, number: int, size: int, randomness: str):
        super().__init__(number)
        self.size, self.randomness = size, randomness

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        values, batched = self.strip(operands)
        outs = record(self.specialize(spec, batched), values)
        return [Batched(t, v, self) for t, v in zip(spec.out_types, outs)]

    def strip(self, operands: Sequence[Any]) -> tuple[list, tuple[bool, ...]]:
        """(what the operands are physically, which of them are batched at this level)."""
        batched = tuple([v.__class__ is Batched and v.level is self for v in operands])
        return [v.physical if b else v for v, b in zip(operands, batched)], batched

    def specialize(self, spec: Specialization, batched: tuple[bool, ...], independent: bool = False) -> Specialization:
        """spec for all examples at once."""
        key = (spec, batched, self.size, independent)
        found = _specializations.get(key)
        if found is None:
            graph = batch_graph(spec.graph, batched, self.size, independent)
            found = _specializations[key] = Specialization("vmap_" + spec.name, None, graph, False)
        return found


class Batched(Transformed):
    """One example's view of `physical`, which has the examples along its first dimension."""

    __slots__ = ("physical",)

    def __init__(self, type: TensorType, physical: Value, level: BatchLevel):
        super().__init__(type, level)
        self.physical = physical

    def array(self) -> Any:
        """Examples have different values: RuntimeError."""
        raise RuntimeError(ITEM)


def batched(physical: Value, level: BatchLevel) -> Batched:
    """A batch, seen by one example."""
    t = physical.type
    return Batched(tensor_type(t.dtype, t.shape[1:]), physical, level)


def cover(value: Value, like: Value) -> Value:
    """value, repeated for the examples of all batches that `like` is an example of."""
    if isinstance(like, Dual):
        return cover(value, like.primal)
    if not isinstance(like, Batched):
        return value
    level = like.level
    physical = value.physical if isinstance(value, Batched) and value.level is level else record(_repeat(value.type, level.size), [value])[0]
    return Batched(value.type, cover(physical, like.physical), level)


def _repeat(t: TensorType, n: int) -> Specialization:
    key = ("repeat", t, n)
    found = _specializations.get(key)
    if found is None:
        found = _specializations[key] = Specialization("repeat", None, trace_graph(lambda x: repeated(n, x), [t])[0], True)
    return found


def batch_levels(value: Value) -> set[BatchLevel]:
    """The batches that a value is an example of."""
    return {v.level for v in _layers(value) if isinstance(v, Batched)}


def returning_levels(value: Any) -> set[Level]:
    """The levels of forward mode that a value is a gradient on its way back to."""
    return {v.level for v in _layers(value) if isinstance(v, Dual) and v.swapped}


def written(old: Value, new: Value) -> Value:
    """What memory holds when `new` is written over `old`, where either is transformed or on a device. RuntimeError if new has more
    examples, or is somewhere else."""
    if not batch_levels(new) <= batch_levels(old):
        raise RuntimeError(INPLACE)
    from .resident import home, mixed_devices
    if home(old) is not home(new):
        raise mixed_devices(*[getattr(home(v), "device", "cpu") for v in (old, new)])
    return cover(new, old)


def every_array(value: Value) -> Any:
    """The computed values of all examples in one array: for checks of values that do not care which is which."""
    while isinstance(value, Batched):
        value = value.physical
    return value.array()


# ------------------------------------------------------------------ forward mode

class DualLevel(Level):
    """A level of forward-mode differentiation."""

    __slots__ = ()

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        active = tuple([v.__class__ is Dual and v.level is self for v in operands])
        swapped = any(v.swapped for v, a in zip(operands, active) if a)
        primals = [v.primal if a else v for v, a in zip(operands, active)]
        outs = record(_jvp(spec, active), primals + [v.tangent for v, a in zip(operands, active) if a])
        tangents = iter(outs[len(spec.out_types):])
        return [Dual(v, next(tangents), self, swapped) if differentiable(v.type) else v for v in outs[:len(spec.out_types)]]


def _jvp(spec: Specialization, active: tuple[bool, ...]) -> Specialization:
    key = (spec, active)
    found = _specializations.get(key)
    if found is None:
        found = _specializations[key] = Specialization("jvp_" + spec.name, None, derive_jvp(spec.graph, active), False)
    return found


class Dual(Transformed):
    """primal + ε tangent.

    swapped: it is a gradient on its way back through what was computed with dual values, and comes from the tangent of a
    result: its primal is the gradient of a tangent, and its tangent that of a primal.
    """

    __slots__ = ("primal", "tangent", "swapped")

    def __init__(self, primal: Value, tangent: Value, level: DualLevel, swapped: bool = False):
        super().__init__(primal.type, level)
        self.primal, self.tangent, self.swapped = primal, tangent, swapped

    def array(self) -> Any:
        return self.primal.array()

    def current(self, returning: Collection[Level]) -> Value:
        if self.level.alive or self.level in returning:
            return self
        return self.primal.current(returning) if isinstance(self.primal, Transformed) else self.primal


def primal_of(value: Value) -> Value:
    """value without its tangents of all levels."""
    if isinstance(value, Dual):
        return primal_of(value.primal)
    if isinstance(value, Batched):
        physical = primal_of(value.physical)
        return value if physical is value.physical else Batched(value.type, physical, value.level)
    return value
