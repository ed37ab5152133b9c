"""Kernels of the cumulative primitives: along the dimension one element after another, vectors across its neighbours.

Sums and products of float32 are accumulated in float64, as PyTorch does.
"""
from __future__ import annotations

from math import prod
from typing import Callable, Sequence

from ..dtypes import dtype, float32, float64, int64
from ..ir.graph import Node, Var
from . import scalar_ops
from .elements import memory_type, read, wide, write
from .kernel import Kernel, chunked
from .llvm.emit import Emitter, Index, Value, const, vector
from .llvm.functions import UNARY

TOGETHER = 4  # columns side by side where vectors do not lie across them: an element waits for the one before it, not for other columns

# (emitter, state, element, position) → next state; what is stored at the position is the state
Step = Callable[[Emitter, list[Value], Value, Value], list[Value]]


def _accumulator(d: dtype) -> dtype:
    return float64 if d is float32 else wide(d)


def _scan(k: Kernel, x: Var, dim: int, outs: Sequence[Var], state_dtypes: Sequence[dtype],
          start: Callable[[int], list[Value]], step: Step, together: int = TOGETHER) -> int:
    """start(lanes): the state before the first element. together: how many columns, if they are not vectors, run side by side."""
    e = k.e
    k.prepare([x, *outs])
    t = memory_type(x.dtype)
    n, after = x.shape[dim], prod(x.shape[dim + 1:])
    lanes = k.lanes if after >= 4 else 1
    blocks = -(-after // lanes)
    columns = prod(x.shape[:dim]) * blocks
    together = 1 if lanes > 1 else min(together, columns)
    first, last, chunks = chunked(k, -(-columns // together), n * lanes * together)

    def walk(starts: list[Index], some: int) -> None:
        """Runs columns of `some` lanes that begin at these elements."""
        with e.carried_loop(0, n, start(lanes) * len(starts)) as (i, states):
            found: list[Value] = []
            for number, at in enumerate(starts):
                state = states[number * len(state_dtypes):][:len(state_dtypes)]
                here = e.add(at, e.mul(i, after))
                value = read(e, e.load_some(e.at(k.pointer(x), here, t), vector(t, lanes), some), x.dtype)
                value = scalar_ops.cast(e, value, x.dtype, state_dtypes[0])
                state = step(e, state, value, e.splat(e.i64(i), lanes))
                for out, v, d in zip(outs, state, state_dtypes):
                    stored = write(e, scalar_ops.cast(e, v, d, out.dtype), out.dtype)
                    e.store_some(stored, e.at(k.pointer(out), here, memory_type(out.dtype)), some)
                found += state
            states[:] = found

    short, tail = columns % together, after % lanes  # in the last unit, and in the last block of a row
    with e.loop(first, last, name="columns") as unit:
        places = [e.divmod(e.add(e.mul(unit, together), i), blocks) for i in range(together)]
        starts = [e.add(e.mul(row, n * after), e.mul(block, lanes)) for row, block in places]
        if short or tail and blocks > 1:
            here, there = (unit, columns // together) if short else (places[0][1], blocks - 1)
            with e.b.if_else(e.b.icmp_signed("==", e.i64(here), e.i64(there))) as (then, otherwise):
                with then:
                    walk(starts[:short] or starts, tail or lanes)
                with otherwise:
                    walk(starts, lanes)
        else:
            walk(starts, tail or lanes)
    k.finish()
    return chunks


def _accumulation(name: str, start: float) -> Callable[[Kernel, Node], int]:
    """Running sums or products."""
    def lower(k: Kernel, node: Node) -> int:
        d = _accumulator(node.inputs[0].dtype)

        def step(e: Emitter, state: list[Value], value: Value, position: Value) -> list[Value]:
            return [scalar_ops.emit(e, name, [state[0], value], (d, d), d)]
        return _scan(k, node.inputs[0], node.params[0], node.outputs, [d], lambda lanes: [scalar_ops.number(d, start, lanes)], step)
    return lower


def _log_sum(k: Kernel, node: Node) -> int:
    """log Σ exp: the larger + log(1 + exp(-distance))."""
    d = _accumulator(node.inputs[0].dtype)

    def step(e: Emitter, state: list[Value], value: Value, position: Value) -> list[Value]:
        total, zero = state[0], const(value.type, 0.0)
        distance = e.b.select(e.b.fcmp_ordered("==", total, value), zero, e.intrinsic("fabs", e.b.fsub(total, value)))
        more = UNARY["log1p"](e, UNARY["exp"](e, e.b.fneg(distance)))
        return [e.b.fadd(e.intrinsic("maximum", total, value), more)]
    return _scan(k, node.inputs[0], node.params[0], node.outputs, [d],
                 lambda lanes: [scalar_ops.number(d, float("-inf"), lanes)], step, together=1)


def _extremum(largest: bool) -> Callable[[Kernel, Node], int]:
    """Running extremes and the last position of each; from the first NaN on, the last NaN."""
    def lower(k: Kernel, node: Node) -> int:
        d = wide(node.inputs[0].dtype)
        compare = "ge" if largest else "le"

        def start(lanes: int) -> list[Value]:
            return [scalar_ops.number(d, extreme(d, not largest), lanes), scalar_ops.number(int64, 0, lanes)]

        def step(e: Emitter, state: list[Value], value: Value, position: Value) -> list[Value]:
            better = scalar_ops.emit(e, compare, [value, state[0]], (d, d), d)
            if d.kind == "f":
                better = e.b.or_(better, e.b.fcmp_unordered("uno", value, value))
            return [e.b.select(better, value, state[0]), e.b.select(better, position, state[1])]
        return _scan(k, node.inputs[0], node.params[0], node.outputs, [d, int64], start, step)
    return lower


def extreme(d: dtype, largest: bool) -> float:
    """The largest or smallest value of a dtype."""
    if d.kind == "f":
        return float("inf") if largest else float("-inf")
    if d.kind == "b":
        return largest
    bits = d.itemsize * 8 - (d.kind == "i")
    return 2 ** bits - 1 if largest else -2 ** bits if d.kind == "i" else 0


SCANS: dict[str, Callable[[Kernel, Node], int]] = {
    "cumsum": _accumulation("add", 0), "cumprod": _accumulation("mul", 1), "logcumsumexp": _log_sum,
    "cummax": _extremum(True), "cummin": _extremum(False),
}
