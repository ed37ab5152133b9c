"""Division of integers, which fails where a divisor is zero: `rules` puts these kernels in the place of the elementwise calls."""
from __future__ import annotations

from typing import Callable

from ..dtypes import dtype
from ..ir.graph import Node
from .elements import memory_type
from .kernel import Kernel, chunked
from .llvm.emit import Emitter, Value, const
from .lowered import LoweredPrimitive

DIVISIONS = {name: LoweredPrimitive(f"whole_{name}") for name in ("div", "floor_divide", "remainder", "fmod")}


def _quotient_and_rest(e: Emitter, x: Value, y: Value, signed: bool) -> tuple[Value, Value]:
    """x / y, rounded towards zero, and what is left, for y other than 0."""
    if not signed:
        return e.b.udiv(x, y), e.b.urem(x, y)
    minus = e.b.icmp_signed("==", y, const(y.type, -1))  # the lowest number by −1 has no quotient: processors refuse it
    by = e.b.select(minus, const(y.type, 1), y)
    quotient = e.b.sdiv(x, by)
    return e.b.select(minus, e.b.neg(quotient), quotient), e.b.srem(x, by)


def _result(e: Emitter, name: str, x: Value, y: Value, d: dtype) -> Value:
    quotient, rest = _quotient_and_rest(e, x, y, d.kind == "i")
    if name in ("div", "fmod") or d.kind == "u":
        return quotient if name in ("div", "floor_divide") else rest
    zero = const(x.type, 0)
    down = e.b.and_(e.b.icmp_signed("!=", rest, zero), e.b.icmp_signed("<", e.b.xor(rest, y), zero))
    if name == "remainder":
        return e.b.select(down, e.b.add(rest, y), rest)
    return e.b.select(down, e.b.sub(quotient, const(x.type, 1)), quotient)


def _division(name: str) -> Callable[[Kernel, Node], int]:
    def lower(k: Kernel, node: Node) -> int:
        e = k.e
        (x, y), out = node.inputs, node.outputs[0]
        k.prepare([x, y, out])
        t = memory_type(out.dtype)
        start, stop, chunks = chunked(k, out.size, 1)
        with e.loop(start, stop) as i:
            divisor = e.load(e.at(k.pointer(y), i, t), t)
            bad = e.b.icmp_signed("==", divisor, const(t, 0))
            with e.when(bad, likely=False):
                k.fail()
            divisor = e.b.select(bad, const(t, 1), divisor)
            value = _result(e, name, e.load(e.at(k.pointer(x), i, t), t), divisor, out.dtype)
            e.store(value, e.at(k.pointer(out), i, t))
        k.finish()
        return chunks
    return lower


DIVISION: dict[str, Callable[[Kernel, Node], int]] = {f"whole_{name}": _division(name) for name in DIVISIONS}
