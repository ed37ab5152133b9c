"""How each elementwise primitive is written in LLVM IR, on vectors of any number of lanes. One row a primitive.

Half precision is computed in float32 and rounded (`elements`). A primitive that is not here, or not for an operand's dtype, has no
native lowering: the program is split there and the interpreter runs that call.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..dtypes import bool_, dtype, narrow, uint64, widen
from .elements import ELEMENT, HALF, rounded
from .llvm import functions, ir, vector_math
from .llvm.emit import F64, I32, I64, SUFFIXES, Emitter, Value, const, declare, element_of, lanes_of, like, vector

# whose results are as short as their operands
EXACT = frozenset({"neg", "abs", "sgn", "relu", "stop_gradient", "floor", "ceil", "trunc", "round", "maximum", "minimum", "copysign", "select"})


def _f(name: str) -> Callable:
    """The same builder method for floats and integers: `fadd`/`add`."""
    def emit(e: Emitter, x: Value, y: Value, d: dtype) -> Value:
        return getattr(e.b, "f" + name if d.kind == "f" else name)(x, y)
    return emit


def _compare(op: str) -> Callable:
    def emit(e: Emitter, x: Value, y: Value, d: dtype) -> Value:
        if d.kind == "f":
            return e.b.fcmp_unordered(op, x, y) if op == "!=" else e.b.fcmp_ordered(op, x, y)
        return e.b.icmp_signed(op, x, y) if d.kind == "i" else e.b.icmp_unsigned(op, x, y)
    return emit


def _extremum(name: str) -> Callable:
    def emit(e: Emitter, x: Value, y: Value, d: dtype) -> Value:
        if d.kind == "f":
            return e.intrinsic("maximum" if name == "max" else "minimum", x, y)
        if d.kind == "b":
            return e.b.or_(x, y) if name == "max" else e.b.and_(x, y)
        return e.intrinsic(("s" if d.kind == "i" else "u") + name, x, y)
    return emit


def _bits(name: str) -> Callable:
    return lambda e, x, y, d: getattr(e.b, name)(x, y)


def _only(kinds: str, emit: Callable) -> Callable:
    emit.kinds = kinds  # type: ignore[attr-defined]
    return emit


def _sgn(e: Emitter, x: Value, d: dtype) -> Value:
    if d.kind == "f":
        one = e.intrinsic("copysign", const(x.type, 1.0), x)
        return e.b.select(e.b.fcmp_ordered("!=", x, const(x.type, 0.0)), one, const(x.type, 0.0))  # NaN has no sign: 0
    zero, one = const(x.type, 0), const(x.type, 1)
    if d.kind == "u":
        return e.b.select(e.b.icmp_unsigned("!=", x, zero), one, zero)
    return e.b.select(e.b.icmp_signed(">", x, zero), one, e.b.select(e.b.icmp_signed("<", x, zero), const(x.type, -1), zero))


def _absolute(e: Emitter, x: Value, d: dtype) -> Value:
    if d.kind == "f":
        return e.intrinsic("fabs", x)
    if d.kind == "u":
        return x
    return e.b.select(e.b.icmp_signed("<", x, const(x.type, 0)), e.b.neg(x), x)


def _neg(e: Emitter, x: Value, d: dtype) -> Value:
    return e.b.fneg(x) if d.kind == "f" else e.b.neg(x)


def _relu(e: Emitter, x: Value, d: dtype) -> Value:
    return _extremum("max")(e, x, const(x.type, 0.0 if d.kind == "f" else 0), d)


def _not(e: Emitter, x: Value, d: dtype) -> Value:
    return e.b.not_(x)


def _shift(left: bool) -> Callable:
    """Shifts by as many bits as there are, or by less than none, leave 0, or −1 of a negative number shifted right."""
    def shift(e: Emitter, x: Value, y: Value, d: dtype) -> Value:
        zero, bits = const(y.type, 0), const(y.type, d.itemsize * 8)
        fits = e.b.icmp_unsigned("<", y, bits)  # a negative number is large without its sign
        by = e.b.select(fits, y, zero)
        if left:
            return e.b.select(fits, e.b.shl(x, by), zero)
        if d.kind == "u":
            return e.b.select(fits, e.b.lshr(x, by), zero)
        return e.b.select(fits, e.b.ashr(x, by), e.b.ashr(x, const(y.type, d.itemsize * 8 - 1)))
    return _only("iu", shift)


def _intrinsic(name: str) -> Callable:
    return _only("f", lambda e, x, d: e.intrinsic(name, x))


def _bce(e: Emitter, x: Value, t: Value, d: dtype) -> Value:
    """−(t·max(log x, −100) + (1 − t)·max(log(1 − x), −100))."""
    low = const(x.type, -100.0)
    log_x = e.intrinsic("maximum", vector_math.log(e, x), low)
    log_1x = e.intrinsic("maximum", vector_math.log1p(e, e.b.fneg(x)), low)
    rest = e.b.fsub(const(x.type, 1.0), t)
    return e.b.fneg(e.b.fadd(e.b.fmul(t, log_x), e.b.fmul(rest, log_1x)))


UNARY: dict[str, Callable] = {
    "neg": _neg, "abs": _absolute, "sgn": _sgn, "relu": _relu, "bitwise_not": _only("biu", _not), "stop_gradient": lambda e, x, d: x,
    "floor": _intrinsic("floor"), "ceil": _intrinsic("ceil"), "trunc": _intrinsic("trunc"), "round": _intrinsic("roundeven"),
    **{name: _only("f", lambda e, x, d, fn=fn: fn(e, x)) for name, fn in functions.UNARY.items()},
}
BINARY: dict[str, Callable] = {
    "add": _f("add"), "sub": _f("sub"), "mul": _f("mul"), "div": _only("f", _f("div")), "maximum": _extremum("max"),
    "minimum": _extremum("min"), "bitwise_and": _only("biu", _bits("and_")), "bitwise_or": _only("biu", _bits("or_")),
    "bitwise_xor": _only("biu", _bits("xor")), "eq": _compare("=="), "ne": _compare("!="), "lt": _compare("<"), "le": _compare("<="),
    "gt": _compare(">"), "ge": _compare(">="), "bce": _only("f", _bce),
    "shift_left": _shift(True), "shift_right": _shift(False),
    "copysign": _only("f", lambda e, x, y, d: e.intrinsic("copysign", x, y)),
    **{name: _only("f", lambda e, x, y, d, fn=fn: fn(e, x, y)) for name, fn in functions.BINARY.items()},
}

# those that take as long as some dozens of additions
EXPENSIVE = {"exp", "expm1", "log", "log1p", "log2", "log10", "exp2", "sin", "cos", "tan", "tanh", "sigmoid", "erf", "erfc", "pow", "sinh",
             "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2", "fmod", "remainder", "floor_divide", "bce"}
EXPENSIVE_CALLS = 8  # of the others that one of these is worth, about


def supported(name: str, arg_dtypes: tuple[dtype, ...], out: dtype) -> bool:
    """Whether this elementwise call has a native lowering."""
    if any(d not in ELEMENT for d in (*arg_dtypes, out)):
        return False
    if name in ("cast", "select"):
        return True
    row = UNARY.get(name) or BINARY.get(name)
    kinds = getattr(row, "kinds", "biuf")
    if row is None or arg_dtypes[0].kind not in kinds:
        return False
    return not (arg_dtypes[0].kind == "b" and name in ("add", "sub", "mul", "neg", "abs", "sgn", "relu"))


def emit(e: Emitter, name: str, args: list[Value], arg_dtypes: tuple[dtype, ...], out: dtype) -> Value:
    """Writes one elementwise call."""
    value = _emit(e, name, args, arg_dtypes, out)
    return rounded(e, value, out) if out in HALF and name not in EXACT else value


def _emit(e: Emitter, name: str, args: list[Value], arg_dtypes: tuple[dtype, ...], out: dtype) -> Value:
    if name == "cast":
        return cast(e, args[0], arg_dtypes[0], out)
    if name == "select":
        return e.b.select(*args)
    if name in UNARY:
        return UNARY[name](e, args[0], arg_dtypes[0])
    return BINARY[name](e, args[0], args[1], arg_dtypes[0])


def cast(e: Emitter, x: Value, source: dtype, target: dtype) -> Value:
    """Converts a value: to bool by comparison with 0, from float to integer toward zero."""
    t = like(x.type, ELEMENT[target])
    if source is target:
        return x
    if target is bool_:
        return e.b.fcmp_unordered("!=", x, const(x.type, 0.0)) if source.kind == "f" else e.b.icmp_unsigned("!=", x, const(x.type, 0))
    if source.kind == "f":
        if target.kind == "f":
            return x if x.type == t else e.b.fpext(x, t) if element_of(t) == F64 else e.b.fptrunc(x, t)
        return _to_integer(e, x, t, target)
    if target.kind == "f":
        return e.b.sitofp(x, t) if source.kind == "i" else e.b.uitofp(x, t)
    if target.itemsize == source.itemsize and source is not bool_:
        return x
    if target.itemsize < source.itemsize:
        return e.b.trunc(x, t)
    return e.b.sext(x, t) if source.kind == "i" else e.b.zext(x, t)


def _to_integer(e: Emitter, x: Value, t: ir.Type, target: dtype) -> Value:
    """float → int32 (or int64 for what int32 does not hold), where numbers that do not fit, and NaN, become the smallest
    integer, as on x86; then narrower integers wrap. uint64 saturates."""
    if target is uint64:
        n = lanes_of(x.type)
        suffix = (f"v{n}i64.v{n}" if n > 1 else "i64.") + SUFFIXES[element_of(x.type)]
        return e.b.call(declare(e.module, f"llvm.fptoui.sat.{suffix}", t, [x.type]), [x])
    bits = 32 if target.itemsize < 4 or target.kind == "i" and target.itemsize == 4 else 64
    wide = like(x.type, I32 if bits == 32 else I64)
    limit = 2.0 ** (bits - 1)
    fits = e.b.and_(e.b.fcmp_ordered(">=", x, const(x.type, -limit)), e.b.fcmp_ordered("<", x, const(x.type, limit)))
    value = e.b.select(fits, e.b.fptosi(x, wide), const(wide, -2 ** (bits - 1)))
    return value if t == wide else e.b.trunc(value, t)


def number(d: dtype, value: Any, lanes: int) -> Value:
    """A constant of this dtype in every lane."""
    t = vector(ELEMENT[d], lanes)
    if d.kind == "f":
        return const(t, float(widen(narrow(np.asarray(value, d.wide), d), d)))
    if d is bool_:
        return const(t, int(bool(value)))
    return const(t, int(value))
