"""Elementary functions, written for scalars or vectors of any number of lanes, in float32 and float64.

Each is a function `f(e, x)` that emits code into `e` and returns f(x). They are accurate to 2 ulp over the whole range
(tests/compiler/test_vector_math.py measures each), give NaN, infinities, signed zeros and denormals as IEEE 754 and
C's annex F ask, and need no fused multiply-add (though they use it). There are no branches on the data, except for
sine, cosine and tangent of huge arguments.

The method is always the same: reduce the argument to a small interval exactly, a polynomial there (relative minimax fits,
made with 50 digits by reweighted least squares), undo the reduction. `by_lanes` calls libm for each lane, for functions
that are not worth more: float64 erf and pow. Hyperbolic functions and inverses are in `inverse_functions`, remainders in
`remainders`; `functions` has the tables.
"""
from __future__ import annotations

import math
from typing import Callable, NamedTuple, Sequence

from . import ir
from .emit import F32, F64, I32, I64, Emitter, Value, const, declare, element_of, itemsize, lanes_of, like, undefined, vector

LN2 = math.log(2.0)
# ln 2 in two parts, the first with so few bits that its product with an exponent is exact
LN2_32 = (0.693359375, -2.12194440e-4)
LN2_64 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
CURRENT_ROUNDING = 4  # as AVX-512's instructions are told
ROUND_32, ROUND_64 = 12582912.0, 6755399441055744.0  # 1.5·2^23, 1.5·2^52: adding one rounds to an integer

# (e^r - 1 - r) / r² on |r| <= ln2/2
EXP_32 = (0.5, 0.166666672, 0.041666355, 0.00833337381, 0.0013941169, 0.00019854636)
EXP_64 = (0.5, 0.16666666666666666, 0.04166666666666669, 0.008333333333333314, 0.0013888888888871735,
          0.0001984126984133499, 2.4801587350533785e-05, 2.7557319130098177e-06, 2.755725145268439e-07,
          2.5052158274398453e-08, 2.0921744828286644e-09, 1.606242775065681e-10)
# (log(1+f) - f + f²/2) / f³ on sqrt(1/2) <= 1+f <= sqrt(2)
LOG_32 = (0.333333105, -0.25000006, 0.200021684, -0.166681692, 0.142187566, -0.124024324, 0.11890769, -0.116941132,
          0.0676241219)
# (2·atanh(s)/s - 2) / s² in z = s² = (f/(2+f))², the same interval
LOG_64 = (0.6666666666666737, 0.399999999993939, 0.2857142874740397, 0.22222198020198305, 0.18183594944649137,
          0.15313221500213814, 0.14804681126384056)
# (tanh(x)/x - 1) / x² in x², |x| <= 0.625
TANH_32 = (-0.333333313, 0.133332089, -0.0539471768, 0.0217028279, -0.00818235893, 0.00214727013)
# (sin(x)/x - 1) / x² and (cos(x) - 1 + x²/2) / x⁴ in x², |x| <= π/4
SIN_32 = (-0.166666672, 0.00833332911, -0.00019839326, 2.71822978e-06)
COS_32 = (0.0416666456, -0.00138873595, 2.44375715e-05)
SIN_64 = (-0.16666666666666632, 0.0083333333333223, -0.00019841269829715835, 2.755731365927051e-06,
          -2.5050752879658427e-08, 1.5896484881179686e-10)
COS_64 = (0.0416666666666666, -0.0013888888888873958, 2.4801587289377308e-05, -2.755731432143906e-07,
          2.0875718987473353e-09, -1.1359421315532851e-11)
# (tan(x)/x - 1) / x² in x², |x| <= π/4, to 1e-10, for float32 tangents in float64
TAN_FOR_32 = (0.3333333169176104, 0.13333416949727364, 0.053953742110045985, 0.0219905433671188, 0.008310646184104145,
              0.005033002755113859, -0.0006363540820427696, 0.0020576686943237334)
# erf(x)/x - 1 in x², |x| <= 1; log(erfc(x)) in x, 0.95 <= x <= 4
ERF_32 = (0.128379166, -0.376126379, 0.112837821, -0.0268654004, 0.00522094453, -0.000848281372, 0.000112568407,
          -9.64121318e-06)
LOG_ERFC_32 = (0.000182701144, -1.1295532, -0.633269846, -0.1083645, 0.0251738075, -0.00419165427, 0.000438703573,
               -2.14614138e-05)
# (2·atanh(s)/(s·ln 2) - 2/ln 2) / s² in s², and 2^r on |r| <= 1/2: to 1e-12, for float32 powers in float64
LOG2_POW = (0.9617966939247877, 0.5770780171321179, 0.41219841415657227, 0.32061577312414213, 0.2614590191772271,
            0.24278208010691005)
EXP2_POW = (1.0000000000000266, 0.693147180545818, 0.2402265069547235, 0.05550410941664846, 0.009618129227552012,
            0.0013333450129316957, 0.00015403412223263764, 1.531019599501903e-05, 1.3263953373920956e-06)


# ------------------------------------------------------------------ helpers

def is_single(x: Value) -> bool:
    return element_of(x.type) == F32


def polynomial(e: Emitter, x: Value, coefficients: Sequence[float]) -> Value:
    """c0 + c1·x + c2·x² + … by Horner's rule."""
    result = const(x.type, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = e.fma(result, x, const(x.type, c))
    return result


def widened(e: Emitter, x: Value) -> Value:
    """x in float64."""
    return e.b.fpext(x, like(x.type, F64)) if is_single(x) else x


def rounded_as(e: Emitter, y: Value, x: Value) -> Value:
    """y, which is float64, in the type of x."""
    return e.b.fptrunc(y, x.type) if is_single(x) else y


def _bits(e: Emitter, x: Value) -> Value:
    return e.b.bitcast(x, like(x.type, I32 if is_single(x) else I64))


def leading(e: Emitter, x: Value) -> Value:
    """x without the lower half of its digits, so that products of such numbers are exact."""
    bits = _bits(e, x)
    return e.b.bitcast(e.b.and_(bits, const(bits.type, 0xFFFFF000 if is_single(x) else 0xFFFFFFFF00000000)), x.type)


def pick(e: Emitter, condition: Value, x: Value | float, y: Value | float) -> Value:
    """x where the condition holds, else y; numbers become constants of the other's type."""
    t = next(v.type for v in (x, y) if isinstance(v, ir.Value))
    x, y = (v if isinstance(v, ir.Value) else const(t, v) for v in (x, y))
    return e.b.select(condition, x, y)


def compare(e: Emitter, op: str, x: Value, y: Value | float) -> Value:
    return e.b.fcmp_ordered(op, x, y if isinstance(y, ir.Value) else const(x.type, y))


def _at_least(e: Emitter, x: Value, low: float) -> Value:
    """x, or the bound if that is more; NaN stays."""
    return pick(e, compare(e, "<", x, low), low, x)


def _at_most(e: Emitter, x: Value, high: float) -> Value:
    """x, or the bound if that is less; NaN stays."""
    return pick(e, compare(e, ">", x, high), high, x)


def _clamp(e: Emitter, x: Value, low: float, high: float) -> Value:
    """x within [low, high]; NaN stays."""
    return _at_least(e, _at_most(e, x, high), low)


class _Rounded(NamedTuple):
    """An integer as a float, and as the low bits of an int (garbage for NaN, which converting would make undefined)."""

    number: Value
    bits: Value


def _round(e: Emitter, x: Value) -> _Rounded:
    """The nearest integer. |x| must be below 2^21."""
    magic = const(x.type, ROUND_32 if is_single(x) else ROUND_64)
    shifted = e.b.fadd(x, magic)
    return _Rounded(e.b.fsub(shifted, magic), _bits(e, shifted))


def _power_of_two(e: Emitter, n: Value, t: ir.Type) -> Value:
    """2^n from an int whose low bits hold n, for n in the range of normal exponents."""
    mantissa, bias = (23, 127) if element_of(t) == F32 else (52, 1023)
    return e.b.bitcast(e.b.shl(e.b.add(n, const(n.type, bias)), const(n.type, mantissa)), t)


def _signed(e: Emitter, n: Value) -> Value:
    """The int in the low bits of what `_round` returned."""
    shift = const(n.type, 8 if element_of(n.type) == I32 else 32)
    return e.b.ashr(e.b.shl(n, shift), shift)


def _scale(e: Emitter, x: Value, n: _Rounded) -> Value:
    """x·2^n, where n may pass the range of exponents and denormal results are rounded once: by an instruction, or in two steps."""
    if e.target.isa.scales and lanes_of(x.type) * itemsize(element_of(x.type)) == e.target.isa.vector_bytes:
        return _scale_by_instruction(e, x, n.number)
    whole = _signed(e, n.bits)
    half = e.b.ashr(whole, const(whole.type, 1))
    x = e.b.fmul(x, _power_of_two(e, half, x.type))
    return e.b.fmul(x, _power_of_two(e, e.b.sub(whole, half), x.type))


def _scale_by_instruction(e: Emitter, x: Value, n: Value) -> Value:
    """AVX-512's vscalef on a whole vector, in the current rounding mode."""
    lanes, mask = lanes_of(x.type), ir.IntType(lanes_of(x.type))
    name = f"llvm.x86.avx512.mask.scalef.p{'s' if is_single(x) else 'd'}.{8 * e.target.isa.vector_bytes}"
    scalef = declare(e.module, name, x.type, [x.type, x.type, x.type, mask, I32])
    return e.b.call(scalef, [x, n, x, mask((1 << lanes) - 1), I32(CURRENT_ROUNDING)])


def magnitude(e: Emitter, x: Value) -> Value:
    return e.intrinsic("fabs", x)


def with_sign(e: Emitter, x: Value, sign: Value) -> Value:
    return e.intrinsic("copysign", x, sign)


def _per_lane(e: Emitter, fn: Callable[..., Value], *args: Value) -> Value:
    """Applies a scalar function to each lane."""
    n = lanes_of(args[0].type)
    if n == 1:
        return fn(*args)
    results = [fn(*[e.b.extract_element(a, I32(i)) for a in args]) for i in range(n)]
    out = undefined(vector(results[0].type, n))
    for i, r in enumerate(results):
        out = e.b.insert_element(out, r, I32(i))
    return out


def by_lanes(name: str) -> Callable[..., Value]:
    """The libm function `name` of doubles, one call a lane; float32 operands are widened and the result is rounded."""
    def emit_call(e: Emitter, *args: Value) -> Value:
        single = is_single(args[0])

        def call(*scalars: Value) -> Value:
            if single:
                scalars = tuple(e.b.fpext(s, F64) for s in scalars)
            result = e.b.call(declare(e.module, name, F64, [F64] * len(scalars)), scalars)
            return e.b.fptrunc(result, F32) if single else result
        return _per_lane(e, call, *args)
    emit_call.__name__ = name
    emit_call.__doc__ = f"{name} by libm, one lane at a time."
    return emit_call


# --------------------------------------------------------------- exponential

def _exp_reduce(e: Emitter, x: Value) -> tuple[Value, _Rounded]:
    """x = n·ln2 + r: (r, n)."""
    high, low = LN2_32 if is_single(x) else LN2_64
    n = _round(e, e.b.fmul(x, const(x.type, 1.0 / LN2)))
    r = e.fma(n.number, const(x.type, -high), x)
    return e.fma(n.number, const(x.type, -low), r), n


def _expm1_kernel(e: Emitter, r: Value) -> Value:
    """e^r - 1 for |r| <= ln2/2: r + r²·P(r)."""
    return e.fma(e.b.fmul(r, r), polynomial(e, r, EXP_32 if is_single(r) else EXP_64), r)


def _exp_range(x: Value) -> tuple[float, float]:
    """Beyond these the result is 0 or inf anyway; between them n stays small."""
    return (-105.0, 90.0) if is_single(x) else (-750.0, 711.0)


def _exp_parts(e: Emitter, x: Value) -> tuple[Value, _Rounded]:
    """e^x = y·2^n: (y, n), for x within `_exp_range`."""
    r, n = _exp_reduce(e, x)
    return e.b.fadd(_expm1_kernel(e, r), const(x.type, 1.0)), n


def exp(e: Emitter, x: Value) -> Value:
    """e^x."""
    return _scale(e, *_exp_parts(e, _clamp(e, x, *_exp_range(x))))


def half_exp(e: Emitter, x: Value) -> Value:
    """e^x / 2, which is finite a little longer than e^x."""
    y, n = _exp_parts(e, _clamp(e, x, *_exp_range(x)))
    return _scale(e, e.b.fmul(y, const(x.type, 0.5)), n)


def exp2(e: Emitter, x: Value) -> Value:
    """2^x."""
    x = _clamp(e, x, *((-152.0, 130.0) if is_single(x) else (-1080.0, 1030.0)))
    n = _round(e, x)
    r = e.b.fmul(e.b.fsub(x, n.number), const(x.type, LN2))
    return _scale(e, e.b.fadd(_expm1_kernel(e, r), const(x.type, 1.0)), n)


def expm1(e: Emitter, x: Value) -> Value:
    """e^x - 1, accurate near zero: 2^n·(e^r - 1) + (2^n - 1)."""
    r, n = _exp_reduce(e, _clamp(e, x, *((-20.0, 88.8) if is_single(x) else (-40.0, 709.9))))
    p = _expm1_kernel(e, r)
    # at half the scale, so that the largest n does not overflow
    half = _power_of_two(e, e.b.sub(n.bits, const(n.bits.type, 1)), x.type)
    y = e.fma(half, p, e.b.fsub(half, const(x.type, 0.5)))
    return with_sign(e, e.b.fadd(y, y), x)


def sigmoid(e: Emitter, x: Value) -> Value:
    """1 / (1 + e^-x), from e^-|x| so that nothing overflows and small results keep their digits."""
    small = _scale(e, *_exp_parts(e, _at_least(e, e.b.fneg(magnitude(e, x)), _exp_range(x)[0])))
    one = const(x.type, 1.0)
    total = e.b.fadd(one, small)
    negative = compare(e, "<", x, 0.0)
    y = e.b.fdiv(pick(e, negative, small, one), total)
    # what the sum rounded away, relative to the sum (1/total is y or 1-y)
    lost = e.b.fsub(small, e.b.fsub(total, one))
    inverse = pick(e, negative, e.b.fsub(one, y), y)
    return e.fma(e.b.fneg(y), e.b.fmul(lost, inverse), y)


def tanh(e: Emitter, x: Value) -> Value:
    """(e^x - e^-x) / (e^x + e^-x)."""
    a = magnitude(e, x)
    one, two = const(x.type, 1.0), const(x.type, 2.0)
    if not is_single(x):
        t = expm1(e, e.b.fmul(_clamp(e, a, 0.0, 20.0), two))
        near = compare(e, "<", a, 0.55)
        y = e.b.fdiv(pick(e, near, t, two), e.b.fadd(t, two))
        return with_sign(e, pick(e, near, y, e.b.fsub(one, y)), x)
    z = e.b.fmul(x, x)
    near = e.fma(e.b.fmul(x, z), polynomial(e, z, TANH_32), x)
    grown, n = _exp_parts(e, e.b.fmul(_at_most(e, a, 10.0), two))  # beyond it the result is 1
    grown = e.b.fmul(grown, _power_of_two(e, n.bits, x.type))
    far = e.b.fsub(one, e.b.fdiv(two, e.b.fadd(grown, one)))
    return with_sign(e, pick(e, compare(e, "<", a, 0.625), near, far), x)


# ----------------------------------------------------------------- logarithm

def _split(e: Emitter, x: Value) -> tuple[Value, Value]:
    """x = 2^k·m with sqrt(1/2) <= m < sqrt(2), for positive finite x: (m, k as a float). Denormals are scaled up."""
    single = is_single(x)
    mantissa, smallest, up = (23, 2.0 ** -126, 2.0 ** 24) if single else (52, 2.0 ** -1022, 2.0 ** 54)
    root = 0x3F3504F3 if single else 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
    tiny = compare(e, "<", x, smallest)
    bits = _bits(e, pick(e, tiny, e.b.fmul(x, const(x.type, up)), x))
    t = bits.type
    k = e.b.ashr(e.b.sub(bits, const(t, root)), const(t, mantissa))
    m = e.b.bitcast(e.b.sub(bits, e.b.shl(k, const(t, mantissa))), x.type)
    return m, e.b.fadd(_to_float(e, k, x.type), pick(e, tiny, const(x.type, -24.0 if single else -54.0), 0.0))


def _to_float(e: Emitter, k: Value, t: ir.Type) -> Value:
    """A small int as a float. (64-bit ints have no vector conversion before AVX-512: add to the bits of 1.5·2^52.)"""
    if element_of(t) == F32:
        return e.b.sitofp(k, t)
    magic = e.b.bitcast(const(t, ROUND_64), k.type)
    return e.b.fsub(e.b.bitcast(e.b.add(k, magic), t), const(t, ROUND_64))


def _log1p_kernel(e: Emitter, f: Value, low: Value | None = None) -> Value:
    """log(1+f) + low for the reduced f; `low` is small and joins where it is not lost."""
    half_square = e.b.fmul(e.b.fmul(f, f), const(f.type, 0.5))
    if is_single(f):
        cube = e.b.fmul(e.b.fmul(f, f), f)
        tail = e.b.fmul(cube, polynomial(e, f, LOG_32))
    else:
        s = e.b.fdiv(f, e.b.fadd(f, const(f.type, 2.0)))
        z = e.b.fmul(s, s)
        # log(1+f) = f - s·(f - R) = f - (f²/2 - s·(f²/2 + R)), R = z·P(z)
        tail = e.b.fmul(s, e.b.fadd(half_square, e.b.fmul(z, polynomial(e, z, LOG_64))))
    if low is not None:
        tail = e.b.fadd(tail, low)
    return e.b.fsub(f, e.b.fsub(half_square, tail))


def _log_edges(e: Emitter, x: Value, y: Value) -> Value:
    """log's values at 0, inf and below 0; NaN comes back as NaN."""
    y = pick(e, compare(e, "==", x, 0.0), -math.inf, y)
    y = pick(e, compare(e, "==", x, math.inf), math.inf, y)
    return pick(e, e.b.fcmp_unordered("<", x, const(x.type, 0.0)), math.nan, y)


def log(e: Emitter, x: Value) -> Value:
    """The natural logarithm: k·ln2 + log(1+f)."""
    high, low = LN2_32 if is_single(x) else LN2_64
    m, k = _split(e, x)
    y = _log1p_kernel(e, e.b.fsub(m, const(x.type, 1.0)), e.b.fmul(k, const(x.type, low)))
    return _log_edges(e, x, e.fma(k, const(x.type, high), y))


def _log_base(e: Emitter, x: Value, inverse_high: float, inverse_low: float, k_high: float, k_low: float) -> Value:
    """k·log_b(2) + log(1+f)/ln(b). f loses its low bits, so that its product with 1/ln(b) is exact to the last term."""
    m, k = _split(e, x)
    f = e.b.fsub(m, const(x.type, 1.0))
    y = _log1p_kernel(e, f)
    head = leading(e, f)
    # log(1+f) = head + rest, the rest from the same terms
    rest = e.b.fadd(e.b.fsub(f, head), e.b.fsub(y, f))
    small = e.b.fmul(y, const(x.type, inverse_low))
    small = e.fma(rest, const(x.type, inverse_high), e.fma(k, const(x.type, k_low), small))
    big = e.b.fmul(head, const(x.type, inverse_high))
    whole = e.b.fmul(k, const(x.type, k_high))
    # two-term sum: |whole| > |big| unless k = 0, where it is exact
    total = e.b.fadd(whole, big)
    lost = e.b.fadd(e.b.fsub(whole, total), big)
    return _log_edges(e, x, e.b.fadd(total, e.b.fadd(lost, small)))


def log2(e: Emitter, x: Value) -> Value:
    """The logarithm to base 2."""
    if is_single(x):
        return _log_base(e, x, 1.4423828125, 1.0 / LN2 - 1.4423828125, 1.0, 0.0)
    return _log_base(e, x, 1.44269504072144627571e+00, 1.67517131648865118353e-10, 1.0, 0.0)


def log10(e: Emitter, x: Value) -> Value:
    """The logarithm to base 10."""
    if is_single(x):
        return _log_base(e, x, 0.43408203125, 1.0 / math.log(10.0) - 0.43408203125,
                         0.301025390625, math.log10(2.0) - 0.301025390625)
    return _log_base(e, x, 4.34294481878168880939e-01, 2.50829467116452752298e-11,
                     3.01029995663611771306e-01, 3.69423907715893078616e-13)


def log1p(e: Emitter, x: Value) -> Value:
    """log(1 + x), accurate near zero: with 1 + x ≈ 2^k·m, f = 2^-k·x + (2^-k - 1) keeps the digits of x."""
    single = is_single(x)
    high, low = LN2_32 if single else LN2_64
    one = const(x.type, 1.0)
    _, k = _split(e, e.b.fadd(x, one))
    # k = 128 (or 1024) has no inverse power of two that is normal: there 1 + x = x, and f from half of each
    k = pick(e, compare(e, ">", k, 126.0 if single else 1022.0), 126.0 if single else 1022.0, k)
    _, n = _round(e, e.b.fneg(k))
    scale = _power_of_two(e, n, x.type)
    f = e.fma(x, scale, e.b.fsub(scale, one))
    y = e.fma(k, const(x.type, high), _log1p_kernel(e, f, e.b.fmul(k, const(x.type, low))))
    # f above its interval (k was held back): log(1+x) is log(x) there
    y = pick(e, compare(e, ">", f, 0.5), log(e, x), y)
    y = pick(e, compare(e, "==", x, -1.0), -math.inf, y)
    y = pick(e, compare(e, "==", x, math.inf), math.inf, y)
    y = pick(e, e.b.fcmp_unordered("<", x, const(x.type, -1.0)), math.nan, y)
    return pick(e, compare(e, "==", x, 0.0), x, y)


# ------------------------------------------------------------- error function

def erf(e: Emitter, x: Value) -> Value:
    """2/sqrt(π)·∫₀ˣ exp(-t²) dt. float64: libm."""
    if not is_single(x):
        return by_lanes("erf")(e, x)
    z = e.b.fmul(x, x)
    near = e.fma(x, polynomial(e, z, ERF_32), x)
    a = magnitude(e, x)
    tail = exp(e, polynomial(e, _clamp(e, a, 0.0, 4.0), LOG_ERFC_32))
    far = with_sign(e, e.b.fsub(const(x.type, 1.0), tail), x)
    return pick(e, e.b.fcmp_unordered("<", a, const(x.type, 1.0)), near, far)


# --------------------------------------------------------------- trigonometry

# π/2 in parts whose products with quadrant numbers below 2^20 are exact, and the rest
HALF_PI = (1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624871116645580e-21, 8.47842766036889956997e-32)


def quadrant(e: Emitter, x: Value) -> tuple[Value, Value, Value]:
    """x = q·π/2 + r + rest: (r, rest, q's bits) in the type of x; reduced in float64."""
    wide = widened(e, x)
    q, bits = _round(e, e.b.fmul(wide, const(wide.type, 2.0 / math.pi)))
    t = e.fma(q, const(wide.type, -HALF_PI[0]), wide)
    if is_single(x):
        r = e.fma(q, const(wide.type, -(HALF_PI[1] + HALF_PI[2])), t)
        return e.b.fptrunc(r, x.type), const(x.type, 0.0), e.b.trunc(bits, like(x.type, I32))
    # subtract the parts one by one, keeping what each rounds away
    rest = const(x.type, 0.0)
    for part in HALF_PI[1:3]:
        term = e.b.fmul(q, const(x.type, part))
        following = e.b.fsub(t, term)
        virtual = e.b.fsub(t, following)
        error = e.b.fsub(e.b.fsub(t, e.b.fadd(following, virtual)), e.b.fsub(term, virtual))
        rest, t = e.b.fadd(rest, error), following
    rest = e.fma(q, const(x.type, -HALF_PI[3]), rest)
    r = e.b.fadd(t, rest)
    return r, e.b.fadd(e.b.fsub(t, r), rest), bits


def _sine_and_cosine(e: Emitter, r: Value, rest: Value) -> tuple[Value, Value]:
    """sin and cos of r + rest, |r| <= π/4."""
    sines, cosines = (SIN_32, COS_32) if is_single(r) else (SIN_64, COS_64)
    z = e.b.fmul(r, r)
    half = e.b.fmul(z, const(r.type, 0.5))
    sine = e.fma(e.b.fmul(r, z), polynomial(e, z, sines), e.b.fsub(rest, e.b.fmul(half, rest)))
    sine = e.b.fadd(r, sine)
    one = const(r.type, 1.0)
    head = e.b.fsub(one, half)
    lost = e.b.fsub(e.b.fsub(one, head), half)
    cosine = e.fma(e.b.fmul(z, z), polynomial(e, z, cosines), e.b.fsub(lost, e.b.fmul(r, rest)))
    return sine, e.b.fadd(head, cosine)


def is_odd(e: Emitter, q: Value) -> Value:
    """Whether an integer is odd."""
    return e.b.icmp_unsigned("!=", e.b.and_(q, const(q.type, 1)), const(q.type, 0))


def _sin_cos(e: Emitter, x: Value, shift: int) -> Value:
    """sin(x + shift·π/2) for |x| below 10^6 or so."""
    r, rest, q = quadrant(e, x)
    sine, cosine = _sine_and_cosine(e, r, rest)
    t = q.type
    q = e.b.add(q, const(t, shift))
    sign = e.b.shl(e.b.and_(q, const(t, 2)), const(t, 30 if is_single(x) else 62))
    y = e.b.bitcast(e.b.xor(_bits(e, e.b.select(is_odd(e, q), cosine, sine)), sign), x.type)
    # sin(-0) is -0, and tiny arguments are their own sine
    return y if shift else pick(e, compare(e, "==", x, 0.0), x, y)


def patched(e: Emitter, bad: Value, y: Value, exact: Callable[[], Value]) -> Value:
    """y, and the result of `exact` in the lanes that are bad (decided lane by lane, so that a result does not depend on
    its neighbours); a branch skips that when there is none."""
    n = lanes_of(y.type)
    some = bad
    if n > 1:
        some = e.b.icmp_unsigned("!=", e.b.bitcast(bad, ir.IntType(n)), ir.Constant(ir.IntType(n), 0))
    before = e.b.block
    with e.b.if_then(some, likely=False):
        mended = e.b.select(bad, exact(), y)
        mended_block = e.b.block
    result = e.b.phi(y.type)
    result.add_incoming(y, before)
    result.add_incoming(mended, mended_block)
    return result


def unless_huge(e: Emitter, x: Value, y: Value, name: str, limit: float = 1.0e6) -> Value:
    """y = f(x), with libm's result in the lanes where |x| reaches the limit."""
    return patched(e, compare(e, ">=", magnitude(e, x), limit), y, lambda: by_lanes(name)(e, x))


def tan(e: Emitter, x: Value) -> Value:
    """The tangent, for float32 from float64's. Arguments beyond 10^6 go to libm."""
    r, rest, q = quadrant(e, widened(e, x))
    if is_single(x):
        z = e.b.fmul(r, r)
        tangent = e.fma(e.b.fmul(r, z), polynomial(e, z, TAN_FOR_32), r)
        sine, cosine = tangent, const(r.type, 1.0)
    else:
        sine, cosine = _sine_and_cosine(e, r, rest)
    odd = is_odd(e, q)
    y = e.b.fdiv(e.b.select(odd, e.b.fneg(cosine), sine), e.b.select(odd, sine, cosine))
    y = pick(e, compare(e, "==", x, 0.0), x, rounded_as(e, y, x))
    return unless_huge(e, x, y, "tan")


def sin(e: Emitter, x: Value) -> Value:
    """The sine. Arguments beyond 10^6 go to libm."""
    return unless_huge(e, x, _sin_cos(e, x, 0), "sin")


def cos(e: Emitter, x: Value) -> Value:
    """The cosine. Arguments beyond 10^6 go to libm."""
    return unless_huge(e, x, _sin_cos(e, x, 1), "cos")


# --------------------------------------------------------------------- powers

def sqrt(e: Emitter, x: Value) -> Value:
    """The square root, correctly rounded."""
    return e.intrinsic("sqrt", x)


def rsqrt(e: Emitter, x: Value) -> Value:
    """1 / sqrt(x)."""
    return e.b.fdiv(const(x.type, 1.0), sqrt(e, x))


def _pow_magnitude(e: Emitter, x: Value, y: Value) -> Value:
    """x^y for float32 x >= 0 (or NaN) and y: 2^(y·log2 x) in float64, rounded once."""
    t = like(x.type, F64)
    x, y = e.b.fpext(x, t), e.b.fpext(y, t)
    m, k = _split(e, x)
    f = e.b.fsub(m, const(t, 1.0))
    s = e.b.fdiv(f, e.b.fadd(f, const(t, 2.0)))
    z = e.b.fmul(s, s)
    log2m = e.b.fmul(s, e.fma(z, polynomial(e, z, LOG2_POW), const(t, 2.0 / LN2)))
    power = e.b.fmul(y, _log_edges(e, x, e.b.fadd(k, log2m)))
    power = _clamp(e, power, -300.0, 300.0)
    n = _round(e, power)
    return e.b.fptrunc(_scale(e, polynomial(e, e.b.fsub(power, n.number), EXP2_POW), n), like(x.type, F32))


def pow(e: Emitter, x: Value, y: Value) -> Value:
    """x^y with C's rules for signs, zeros, infinities and NaN. float64: libm."""
    if not is_single(x):
        return by_lanes("pow")(e, x, y)
    result = _pow_magnitude(e, magnitude(e, x), y)
    whole = compare(e, "==", e.intrinsic("trunc", y), y)
    half = e.b.fmul(y, const(y.type, 0.5))
    odd = e.b.and_(whole, e.b.fcmp_unordered("!=", e.intrinsic("trunc", half), half))
    # no float32 above 2^24 is odd, and infinity is even
    negative = e.b.icmp_signed("<", _bits(e, x), const(_bits(e, x).type, 0))
    result = e.b.select(e.b.and_(negative, odd), e.b.fneg(result), result)
    root_of_negative = e.b.and_(compare(e, "<", x, 0.0), e.b.not_(whole))
    root_of_negative = e.b.and_(root_of_negative, compare(e, "!=", x, -math.inf))
    result = pick(e, root_of_negative, math.nan, result)
    one = e.b.or_(compare(e, "==", y, 0.0), compare(e, "==", x, 1.0))
    one = e.b.or_(one, e.b.and_(compare(e, "==", x, -1.0), compare(e, "==", magnitude(e, y), math.inf)))
    return pick(e, one, 1.0, result)
