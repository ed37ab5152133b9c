"""Elementwise primitives: one line each, with NumPy kernel and VJP.

VJPs follow PyTorch's convention for complex numbers: the cotangent is multiplied by the conjugate of the derivative
(`conj` of a real Var is that Var). In a rule, g is the cotangent, y the output, the rest the inputs.
"""
from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

from ..dtypes import bool_, dtype, float16, float32, float64, narrow, widen
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive, as_vars, broadcast_to, constant, same_type
from .kernels import erf as erf_kernels


def _unary(name: str, kernel: Callable, vjp: Callable | None, out: Callable[[dtype], dtype] = lambda d: d):
    """A primitive on one operand; vjp(g, y, x) -> cotangent of x, or None where the derivative is zero."""
    rule = None if vjp is None else lambda g, y, xs: (vjp(g, y, xs[0]),)
    prim = Primitive(name, lambda x: tensor_type(out(x.dtype), x.shape), kernel, rule, cheap=True, kind="elementwise")

    def apply(x: Var) -> Var:
        return prim((x,))
    apply.__name__ = apply.__qualname__ = name
    return apply


def _binary(name: str, kernel: Callable, vjp: Callable | None, boolean: bool = False, moves_data: bool = False):
    """A primitive on two operands of one dtype; vjp(g, z, x, y) -> (cotangent of x, of y). Numbers and shapes broadcast."""
    rule = None if vjp is None else lambda g, z, xs: vjp(g, z, *xs)

    def types(x, y):
        common = same_type(name, x, y)
        return tensor_type(bool_, common.shape) if boolean else common
    prim = Primitive(name, types, kernel, rule, moves_data=moves_data, cheap=True, kind="elementwise")

    def apply(x: Any, y: Any) -> Var:
        return prim(as_vars(x, y))
    apply.__name__ = apply.__qualname__ = name
    return apply


# ------------------------------------------------------------------ casts and complex parts

def _cast_kernel(x, dt: dtype, source: dtype):
    x = widen(x, source)
    if x.dtype.kind == "c" and dt.kind != "c":
        x = x.real
    if dt.kind in "iu" and x.dtype.kind == "f":
        if dt.name == "uint64":
            return x.astype(np.uint64)
        # numbers that do not fit become the smallest of these two, as C does on x86; narrower integers then wrap
        by_int32 = dt.itemsize < 4 or dt.name == "int32"
        return x.astype(np.int32 if by_int32 else np.int64).astype(dt.np)
    return narrow(x, dt)


def _cast_vjp(g, y, xs, dt, source):
    if source.kind in "fc" and dt.kind in "fc":
        return (cast(real(g) if source.kind == "f" and g.dtype.kind == "c" else g, source),)
    return (None,)


cast_p = Primitive("cast", lambda x, dt, source: tensor_type(dt, x.shape), _cast_kernel, _cast_vjp, moves_data=True,
                   cheap=True, kind="elementwise")


def cast(x: Var, dt: dtype) -> Var:
    """x converted to `dt`: floats to integers toward zero, complex to real drops the imaginary part."""
    return x if x.dtype is dt else cast_p((x,), dt, x.dtype)


_real = _unary("real", lambda x: x.real.copy(), lambda g, y, x: make_complex(g, zeros_like(g)), lambda d: d.to_real())
_imag = _unary("imag", lambda x: x.imag.copy(), lambda g, y, x: make_complex(zeros_like(g), g), lambda d: d.to_real())
_conj = _unary("conj", np.conj, lambda g, y, x: conj(g))


def real(x: Var) -> Var:
    return _real(x) if x.dtype.kind == "c" else x


def imag(x: Var) -> Var:
    return _imag(x) if x.dtype.kind == "c" else zeros_like(x)


def conj(x: Var) -> Var:
    return _conj(x) if x.dtype.kind == "c" else x


def _assemble(re, im):  # re + 1j*im would turn inf*0 into nan
    z = np.empty(np.broadcast(re, im).shape, np.complex128 if re.dtype == np.float64 else np.complex64)
    z.real, z.imag = re, im
    return z


make_complex_p = Primitive("make_complex", lambda re, im: tensor_type(re.dtype.to_complex(), re.shape),
                           _assemble, lambda g, y, xs: (real(g), imag(g)), cheap=True, kind="elementwise")


def make_complex(re: Any, im: Any) -> Var:
    """re + i·im of two real operands, with their precision (float32's for integers and bfloat16)."""
    re, im = as_vars(re, im)
    if re.dtype not in (float16, float32, float64):
        re, im = cast(re, float32), cast(im, float32)
    return make_complex_p((re, im))


def zeros_like(x: Var) -> Var:
    return broadcast_to(constant(0, x.dtype, x.builder), x.shape)


def ones_like(x: Var) -> Var:
    return broadcast_to(constant(1, x.dtype, x.builder), x.shape)


# ------------------------------------------------------------------ unary

def _real_of(d: dtype) -> dtype:
    return d.to_real()


def _sgn_kernel(x):
    if x.dtype.kind == "f":  # NaN has no sign: 0
        return np.greater(x, 0).astype(x.dtype) - np.less(x, 0)
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.abs(x)
    return np.where(size == 0, 0, x / np.where(size == 0, 1, size)).astype(x.dtype)


def _sgn_vjp(g, y, x):
    if x.dtype.kind != "c":
        return zeros_like(x)
    size = make_complex(absolute(x), zeros_like(real(x)))
    safe = select(eq(size, 0), ones_like(size), size)
    return select(eq(size, 0), zeros_like(g), div(sub(g, mul(y, make_complex(real(mul(g, conj(y))), zeros_like(real(g))))), safe))


def _abs_vjp(g, y, x):
    return mul(make_complex(g, zeros_like(g)), sgn(x)) if x.dtype.kind == "c" else mul(g, sgn(x))


def _sigmoid_kernel(x):
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


stop_gradient = _unary("stop_gradient", lambda x: x, None)
neg = _unary("neg", np.negative, lambda g, y, x: neg(g))
sgn = _unary("sgn", _sgn_kernel, _sgn_vjp)
absolute = _unary("abs", np.abs, _abs_vjp, _real_of)
floor = _unary("floor", np.floor, lambda g, y, x: zeros_like(x))
ceil = _unary("ceil", np.ceil, lambda g, y, x: zeros_like(x))
round_even = _unary("round", np.rint, lambda g, y, x: zeros_like(x))
trunc = _unary("trunc", np.trunc, lambda g, y, x: zeros_like(x))
sqrt = _unary("sqrt", np.sqrt, lambda g, y, x: g / conj(y * 2))
rsqrt = _unary("rsqrt", lambda x: np.asarray(1, x.dtype) / np.sqrt(x), lambda g, y, x: g * conj(y * y * y * -0.5))
exp = _unary("exp", np.exp, lambda g, y, x: g * conj(y))
exp2 = _unary("exp2", np.exp2, lambda g, y, x: g * conj(y * math.log(2)))
expm1 = _unary("expm1", np.expm1, lambda g, y, x: g * conj(exp(x)))  # y + 1 would round to 0 for very negative x
log = _unary("log", np.log, lambda g, y, x: g / conj(x))
log2 = _unary("log2", np.log2, lambda g, y, x: g / conj(x * math.log(2)))
log10 = _unary("log10", np.log10, lambda g, y, x: g / conj(x * math.log(10)))
log1p = _unary("log1p", np.log1p, lambda g, y, x: g / conj(x + 1))
sin = _unary("sin", np.sin, lambda g, y, x: g * conj(cos(x)))
cos = _unary("cos", np.cos, lambda g, y, x: g * conj(neg(sin(x))))
tan = _unary("tan", np.tan, lambda g, y, x: g * conj(y * y + 1))
asin = _unary("asin", np.arcsin, lambda g, y, x: g * conj(rsqrt(1 - x * x)))
acos = _unary("acos", np.arccos, lambda g, y, x: neg(g * conj(rsqrt(1 - x * x))))
atan = _unary("atan", np.arctan, lambda g, y, x: g / conj(x * x + 1))
sinh = _unary("sinh", np.sinh, lambda g, y, x: g * conj(cosh(x)))
cosh = _unary("cosh", np.cosh, lambda g, y, x: g * conj(sinh(x)))
tanh = _unary("tanh", np.tanh, lambda g, y, x: g * conj(1 - y * y))
asinh = _unary("asinh", np.arcsinh, lambda g, y, x: g * conj(rsqrt(x * x + 1)))
acosh = _unary("acosh", np.arccosh, lambda g, y, x: g * (conj(rsqrt(x - 1) * rsqrt(x + 1)) if x.dtype.kind == "c" else rsqrt(x * x - 1)))
atanh = _unary("atanh", np.arctanh, lambda g, y, x: g / conj(1 - x * x))
# the mask comes from the output, so that an in-place relu may overwrite its input; relu(NaN) is NaN
relu = _unary("relu", lambda x: np.maximum(x, np.asarray(0, x.dtype)), lambda g, y, x: select(le(y, 0), zeros_like(g), g))
sigmoid = _unary("sigmoid", _sigmoid_kernel, lambda g, y, x: g * conj(y * (1 - y)))
erf = _unary("erf", lambda x: erf_kernels.erf(x.astype(np.float64)).astype(x.dtype), lambda g, y, x: g * (exp(neg(x * x)) * (2 / math.sqrt(math.pi))))
erfc = _unary("erfc", lambda x: erf_kernels.erfc(x.astype(np.float64)).astype(x.dtype), lambda g, y, x: g * (exp(neg(x * x)) * (-2 / math.sqrt(math.pi))))
bitwise_not = _unary("bitwise_not", lambda x: np.logical_not(x) if x.dtype == np.bool_ else np.invert(x), None)


def logical_not(x: Var) -> Var:
    return bitwise_not(x) if x.dtype is bool_ else eq(x, 0)


# ------------------------------------------------------------------ binary

def _div_kernel(x, y):
    if x.dtype.kind in "fc":
        return np.true_divide(x, y)
    if (y == 0).any():
        raise RuntimeError("ZeroDivisionError")
    q = np.floor_divide(x, y)  # rounds down: one more where that passed the quotient's integer part
    return q + ((q < 0) & (q * y != x)) if x.dtype.kind == "i" else q


def _pow_kernel(x, y):
    if x.dtype.kind in "iub":
        if x.dtype.kind == "i" and (y < 0).any():  # integer reciprocals: 1/1, 1/-1, else 0
            unit = np.where(x == 1, 1, np.where(x == -1, np.where(y % 2 == 0, 1, -1), 0))
            return np.where(y < 0, unit, np.power(x, np.maximum(y, 0))).astype(x.dtype)
        return np.power(x, y)
    return np.power(x, y)


def _pow_vjp(g, z, x, y):
    at_zero = eq(y, 0)
    gx = g * select(at_zero, zeros_like(z), conj(y * power(x, y - 1)))
    # d/dy x^y = x^y log x, and 0 where x = 0 and y >= 0
    log_x = log(select(eq(x, 0), ones_like(x), x))
    gy = g * conj(select(eq(x, 0), zeros_like(z), z * log_x))
    return gx, gy


def _extremum_vjp(worse):
    """A tie shares the cotangent equally, as PyTorch's maximum does; next to NaN both get all of it."""
    def vjp(g, z, x, y):
        half = g * 0.5
        tie = eq(x, y)
        zero = zeros_like(g)
        return select(tie, half, select(worse(x, y), zero, g)), select(tie, half, select(worse(y, x), zero, g))
    return vjp


def _atan2_vjp(g, z, x, y):
    """(y, −x) / (x² + y²), and 0 at the origin."""
    square = x * x + y * y
    origin = eq(square, 0)
    scale = select(origin, zeros_like(g), g / select(origin, 1, square))
    return scale * y, neg(scale * x)


def _rem_kernel(x, y):
    if x.dtype.kind in "iu":
        safe = np.where(y == 0, 1, y)
        if (y == 0).any():
            raise RuntimeError("ZeroDivisionError")
        return np.remainder(x, safe)
    r = np.fmod(x, y)
    return np.where((r != 0) & ((r < 0) != (y < 0)), r + y, r).astype(x.dtype)


def _fmod_kernel(x, y):
    if x.dtype.kind in "iu" and (y == 0).any():
        raise RuntimeError("ZeroDivisionError")
    return np.fmod(x, y)


def _floor_divide_kernel(x, y):
    if x.dtype.kind in "iu" and (y == 0).any():
        raise RuntimeError("ZeroDivisionError")
    if x.dtype.kind in "iu":
        return np.floor_divide(x, y)
    q = np.floor_divide(x, y)
    return np.where(y == 0, x / y, q).astype(x.dtype)


def _nextafter_kernel(x, y):
    """Of arrays as they are stored: the bits of an encoded dtype count up and down, with the sign apart."""
    if x.dtype.kind == "f":
        return np.nextafter(x, y)

    def ordered(bits):  # integers in the order of the numbers
        bits = bits.astype(np.int64)
        return np.where(bits & 0x8000, -(bits & 0x7FFF), bits)
    a, b = ordered(x), ordered(y)
    moved = a + np.sign(b - a)
    bits = np.where(moved < 0, 0x8000 - moved, np.where((moved == 0) & (a < 0), 0x8000, moved)).astype(x.dtype)
    nan = np.where((np.abs(a) > 0x7F80) | (np.abs(b) > 0x7F80), x.dtype.type(0x7FC0), bits)
    return np.where(a == b, y, nan).astype(x.dtype)


def _shift(op):
    def kernel(x, y):
        bits = x.dtype.itemsize * 8
        bad = (y < 0) | (y >= bits)
        shifted = op(x, np.where(bad, 0, y).astype(x.dtype))
        filler = np.where(x < 0, -1, 0) if op is np.right_shift and x.dtype.kind == "i" else 0
        return np.where(bad, filler, shifted).astype(x.dtype)
    return kernel


add = _binary("add", np.add, lambda g, z, x, y: (g, g))
sub = _binary("sub", np.subtract, lambda g, z, x, y: (g, neg(g)))
mul = _binary("mul", np.multiply, lambda g, z, x, y: (g * conj(y), g * conj(x)))
div = _binary("div", _div_kernel, lambda g, z, x, y: (g / conj(y), neg(g * conj(z / y))))
power = _binary("pow", _pow_kernel, _pow_vjp)
maximum = _binary("maximum", np.maximum, _extremum_vjp(lambda x, y: lt(x, y)))
minimum = _binary("minimum", np.minimum, _extremum_vjp(lambda x, y: gt(x, y)))
atan2 = _binary("atan2", np.arctan2, _atan2_vjp)
remainder = _binary("remainder", _rem_kernel, lambda g, z, x, y: (g, neg(g * floor(x / y))))
fmod = _binary("fmod", _fmod_kernel, lambda g, z, x, y: (g, neg(g * trunc(x / y))))
floor_divide = _binary("floor_divide", _floor_divide_kernel, lambda g, z, x, y: (zeros_like(x), zeros_like(y)))
copysign = _binary("copysign", np.copysign, lambda g, z, x, y: (select(eq(x, 0), zeros_like(g), g * (z / x)), zeros_like(y)))
nextafter = _binary("nextafter", _nextafter_kernel, lambda g, z, x, y: (select(eq(x, y), zeros_like(g), g), zeros_like(g)),
                    moves_data=True)  # half precision is stepped through as it is
bitwise_and = _binary("bitwise_and", np.bitwise_and, None)
bitwise_or = _binary("bitwise_or", np.bitwise_or, None)
bitwise_xor = _binary("bitwise_xor", np.bitwise_xor, None)
shift_left = _binary("shift_left", _shift(np.left_shift), None)
shift_right = _binary("shift_right", _shift(np.right_shift), None)
eq = _binary("eq", np.equal, None, boolean=True)
ne = _binary("ne", np.not_equal, None, boolean=True)
lt = _binary("lt", np.less, None, boolean=True)
le = _binary("le", np.less_equal, None, boolean=True)
gt = _binary("gt", np.greater, None, boolean=True)
ge = _binary("ge", np.greater_equal, None, boolean=True)


def _bce_kernel(x, t):
    return -(t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log1p(-x), -100))


def _bce_vjp(g, z, x, t):
    """(x − t)/(x·(1 − x)), its denominator limited from below as PyTorch does; the target's is log(1 − x) − log x."""
    gx = g * div(sub(x, t), maximum(sub(1, x) * x, 1e-12))
    return gx, g * sub(maximum(log1p(neg(x)), -100), maximum(log(x), -100))


# binary cross entropy of probabilities: the limits make its gradient its own, not that of the formula
bce = _binary("bce", _bce_kernel, _bce_vjp)

# ------------------------------------------------------------------ select

def _select_types(c, x, y):
    same_type("select", x, y)
    assert c.dtype is bool_ and c.shape == x.shape, (c, x)
    return tensor_type(x.dtype, x.shape)


select_p = Primitive("select", _select_types, np.where,
                     lambda g, z, xs: (None, select(xs[0], g, zeros_like(g)), select(xs[0], zeros_like(g), g)),
                     moves_data=True, cheap=True, kind="elementwise")


def select(condition: Var, x: Any, y: Any) -> Var:
    """x where the boolean `condition` holds, else y; numbers and shapes broadcast."""
    like = x if isinstance(x, Var) else y
    if not isinstance(x, Var):
        x = constant(x, like.dtype, condition.builder)
    if not isinstance(y, Var):
        y = constant(y, like.dtype, condition.builder)
    from .base import broadcast_shapes
    shape = broadcast_shapes(condition.shape, x.shape, y.shape)
    return select_p((broadcast_to(condition, shape), broadcast_to(x, shape), broadcast_to(y, shape)))


def isnan(x: Var) -> Var:
    return ne(x, x)


def _attach_operators() -> None:
    """`a + b` in bodies and VJP rules; comparisons stay functions, since == must keep meaning identity for dict keys."""
    Var.__add__, Var.__radd__ = add, lambda a, b: add(b, a)  # type: ignore[attr-defined]
    Var.__sub__, Var.__rsub__ = sub, lambda a, b: sub(b, a)  # type: ignore[attr-defined]
    Var.__mul__, Var.__rmul__ = mul, lambda a, b: mul(b, a)  # type: ignore[attr-defined]
    Var.__truediv__, Var.__rtruediv__ = div, lambda a, b: div(b, a)  # type: ignore[attr-defined]
    Var.__neg__ = neg  # type: ignore[attr-defined]


_attach_operators()
