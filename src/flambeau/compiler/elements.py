"""How the elements of each dtype lie in memory and in registers.

Booleans are bytes in memory and i1 in registers. Half precision is 16 bits in memory and float32 in registers: each result is
rounded to the nearest half, ties to even, as if it had been stored (`rounded`); sums and products of many are rounded once.
"""
from __future__ import annotations

from ..dtypes import (bfloat16, bool_, dtype, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64)
from .llvm import ir
from .llvm.emit import F16, F32, F64, I1, I8, I16, I32, I64, Emitter, Value, const, like

HALF = (float16, bfloat16)
# in registers; a dtype that is not here has no native lowering
ELEMENT: dict[dtype, ir.Type] = {bool_: I1, uint8: I8, int8: I8, int16: I16, uint16: I16, int32: I32, uint32: I32, int64: I64,
                                 uint64: I64, float16: F32, bfloat16: F32, float32: F32, float64: F64}


def memory_type(d: dtype) -> ir.Type:
    """The type in memory."""
    return I8 if d is bool_ else I16 if d in HALF else ELEMENT[d]


def wide(d: dtype) -> dtype:
    """What a reduction of this dtype accumulates in."""
    return float32 if d in HALF else d


def read(e: Emitter, raw: Value, d: dtype) -> Value:
    """What was loaded, as it is in registers."""
    if d is bool_:
        return e.b.icmp_unsigned("!=", raw, const(raw.type, 0))
    if d is bfloat16:
        bits = e.b.shl(e.b.zext(raw, like(raw.type, I32)), const(like(raw.type, I32), 16))
        return e.b.bitcast(bits, like(raw.type, F32))
    return _read_float16(e, raw) if d is float16 else raw


def write(e: Emitter, value: Value, d: dtype) -> Value:
    """The inverse of `read`: what is to be stored."""
    if d is bool_:
        return e.b.zext(value, like(value.type, I8))
    if d is bfloat16:
        bits = _bfloat16_bits(e, value)
        return e.b.trunc(e.b.lshr(bits, const(bits.type, 16)), like(bits.type, I16))
    return _write_float16(e, value) if d is float16 else value


def rounded(e: Emitter, value: Value, d: dtype) -> Value:
    """A register's value as it would come back from memory."""
    if d is bfloat16:
        bits = _bfloat16_bits(e, value)
        return e.b.bitcast(e.b.and_(bits, const(bits.type, 0xFFFF0000)), value.type)
    return _read_float16(e, _write_float16(e, value)) if d is float16 else value


def _bfloat16_bits(e: Emitter, value: Value) -> Value:
    """Bits whose upper half is the nearest bfloat16."""
    t = like(value.type, I32)
    bits = e.b.bitcast(value, t)
    odd = e.b.and_(e.b.lshr(bits, const(t, 16)), const(t, 1))
    nearest = e.b.add(e.b.add(bits, const(t, 0x7FFF)), odd)
    return e.b.select(e.b.fcmp_unordered("uno", value, value), const(t, 0x7FC00000), nearest)


def _read_float16(e: Emitter, raw: Value) -> Value:
    if e.target.isa.converts_half:
        return e.b.fpext(e.b.bitcast(raw, like(raw.type, F16)), like(raw.type, F32))
    t = like(raw.type, I32)
    bits = e.b.zext(raw, t)
    sign = e.b.shl(e.b.and_(bits, const(t, 0x8000)), const(t, 16))
    size = e.b.and_(bits, const(t, 0x7FFF))
    # exponents count from 2^-14 instead of 2^-126, which a product mends, of denormal numbers, too
    finite = e.b.fmul(e.b.bitcast(e.b.shl(size, const(t, 13)), like(t, F32)), const(like(t, F32), 2.0 ** 112))
    special = e.b.or_(e.b.shl(size, const(t, 13)), const(t, 0x7F800000))
    large = e.b.icmp_unsigned(">=", size, const(t, 0x7C00))
    return e.b.bitcast(e.b.or_(e.b.select(large, special, e.b.bitcast(finite, t)), sign), like(t, F32))


def _write_float16(e: Emitter, value: Value) -> Value:
    if e.target.isa.converts_half:
        return e.b.bitcast(e.b.fptrunc(value, like(value.type, F16)), like(value.type, I16))
    t = like(value.type, I32)
    bits = e.b.bitcast(value, t)
    sign = e.b.and_(e.b.lshr(bits, const(t, 16)), const(t, 0x8000))
    size = e.b.and_(bits, const(t, 0x7FFFFFFF))
    odd = e.b.and_(e.b.lshr(size, const(t, 13)), const(t, 1))
    normal = e.b.lshr(e.b.add(e.b.add(e.b.sub(size, const(t, 112 << 23)), const(t, 0xFFF)), odd), const(t, 13))
    # adding 1/2 leaves the multiples of 2^-24 in the last bits
    tiny = e.b.sub(e.b.bitcast(e.b.fadd(e.b.bitcast(size, value.type), const(value.type, 0.5)), t), const(t, 126 << 23))
    result = e.b.select(e.b.icmp_unsigned("<", size, const(t, 113 << 23)), tiny, normal)
    result = e.b.select(e.b.icmp_unsigned(">=", size, const(t, 0x477FF000)), const(t, 0x7C00), result)
    result = e.b.select(e.b.icmp_unsigned(">", size, const(t, 0x7F800000)), const(t, 0x7E00), result)
    return e.b.trunc(e.b.or_(result, sign), like(t, I16))
