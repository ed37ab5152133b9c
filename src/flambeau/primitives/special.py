"""Special functions as elementwise primitives: kernels from `kernels/`, gradients from the standard identities.

Those whose derivative PyTorch does not have (Bessel functions of the second kind, polynomials, …) have none here.
"""
from __future__ import annotations

import math
from typing import Callable

import numpy as np

from ..dtypes import dtype, float32, float64, int32
from ..ir.graph import Var, trace
from ..ir.types import tensor_type
from .base import PRIMITIVES, Primitive, as_vars, composite, no_derivative, same_type
from .elementwise import (_binary, _unary, absolute, atan2, bitwise_and, bitwise_or, cast, conj, cos, div, eq, exp, exp2, floor_divide, ge, gt, imag, isnan, le,
                          log, log1p, lt, make_complex, maximum, minimum, neg, real, select, sgn, sin, sqrt, zeros_like)
from .kernels import bessel, erf as erf_kernels, gamma as gamma_kernels, polynomial as polynomials
from .traced import traced


def in_float64(kernel: Callable) -> Callable:
    """The kernel on float64 copies of its operands, its result rounded to their dtype."""
    def run(*args):
        arrays = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args]
        return kernel(*arrays).astype(args[0].dtype)
    return run


def _special(name: str, kernel: Callable, vjp: Callable | None):
    return _unary(name, in_float64(kernel), vjp)


def _spelt_out(name: str, kernel: Callable, vjp: Callable | None, single: Callable | None = None, precision: dtype = float64):
    """As `_special`, and executors see what the kernel consists of: see `traced`. single: a cheaper kernel for float32
    operands, in `precision`."""
    apply = _special(name, kernel, vjp)

    def definition(node):
        x = node.inputs[0].type
        chosen = (kernel, float64) if single is None or x.dtype is not float32 else (single, precision)
        return trace(lambda v: traced(chosen[0], v, chosen[1]), [x])[0]
    PRIMITIVES[name].definition = definition
    return apply


# ------------------------------------------------------------------ error functions

erfinv = _spelt_out("erfinv", erf_kernels.erfinv, lambda g, y, x: g * exp(y * y) * (math.sqrt(math.pi) / 2),
                    erf_kernels.erfinv_single, float32)
erfcx = _spelt_out("erfcx", erf_kernels.erfcx, lambda g, y, x: g * (x * y * 2 - 2 / math.sqrt(math.pi)))
ndtri = _spelt_out("ndtri", erf_kernels.ndtri, lambda g, y, x: g * exp(y * y * 0.5) * math.sqrt(2 * math.pi))
log_ndtr = _spelt_out("log_ndtr", erf_kernels.log_ndtr, lambda g, y, x: g * math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5)))

# ------------------------------------------------------------------ gamma functions


def _polygamma_vjp(g, y, xs, n):
    return (g * polygamma(n + 1, xs[0]),)


_polygamma_p = Primitive("polygamma", lambda x, n: x, in_float64(lambda x, n: gamma_kernels.polygamma(n, x)), _polygamma_vjp,
                         cheap=True, kind="elementwise")


def polygamma(n: int, x: Var) -> Var:
    """The n-th derivative of digamma."""
    return _polygamma_p((x,), n)


lgamma = _spelt_out("lgamma", gamma_kernels.lgamma, lambda g, y, x: g * digamma(x), gamma_kernels.lgamma_to_single)
digamma = _spelt_out("digamma", gamma_kernels.digamma, lambda g, y, x: g * polygamma(1, x))


def _zeta_vjp(g, z, s, q):
    return no_derivative(s, "zeta"), neg(g * s * zeta(s + 1, q))


def _gammainc_slope(a, x):
    """d/dx P(a, x) = x^(a − 1) e^−x / Γ(a)."""
    return exp((a - 1) * log(x) - x - lgamma(a))


zeta = _binary("zeta", in_float64(gamma_kernels.zeta), _zeta_vjp)
gammainc = _binary("gammainc", in_float64(gamma_kernels.gammainc),
                   lambda g, z, a, x: (no_derivative(a, "igamma: input"), g * _gammainc_slope(a, x)))
gammaincc = _binary("gammaincc", in_float64(gamma_kernels.gammaincc),
                    lambda g, z, a, x: (no_derivative(a, "igammac: input"), neg(g * _gammainc_slope(a, x))))

# ------------------------------------------------------------------ Bessel functions


def _over(y: Var, x: Var) -> Var:
    """y / x for an odd function y with slope 1/2 at 0."""
    at_zero = eq(x, 0)
    return select(at_zero, 0.5, div(y, select(at_zero, 1, x)))


i0 = _special("i0", bessel.i0, lambda g, y, x: g * i1(x))
i1 = _special("i1", bessel.i1, lambda g, y, x: g * (i0(x) - _over(y, x)))
i0e = _special("i0e", bessel.i0e, lambda g, y, x: g * (i1e(x) - sgn(x) * y))
i1e = _special("i1e", bessel.i1e, lambda g, y, x: g * (i0e(x) - sgn(x) * y - _over(y, x)))
bessel_j0 = _spelt_out("bessel_j0", bessel.bessel_j0, None)
bessel_j1 = _spelt_out("bessel_j1", bessel.bessel_j1, None)
bessel_y0 = _spelt_out("bessel_y0", bessel.bessel_y0, None)
bessel_y1 = _spelt_out("bessel_y1", bessel.bessel_y1, None)
bessel_k0 = _special("bessel_k0", bessel.k0, None)
bessel_k1 = _special("bessel_k1", bessel.k1, None)
bessel_k0e = _special("bessel_k0e", bessel.k0e, None)
bessel_k1e = _special("bessel_k1e", bessel.k1e, None)
spherical_bessel_j0 = _spelt_out("spherical_bessel_j0", bessel.spherical_bessel_j0, None)
airy_ai = _special("airy_ai", bessel.airy_ai, None)

# ------------------------------------------------------------------ polynomials, integers, bits

_polynomial_p = Primitive("polynomial", lambda x, n, family: same_type("polynomial", x, n), in_float64(polynomials.polynomial), None,
                          kind="elementwise")


def polynomial(x: Var, n: Var, family: str) -> Var:
    """The orthogonal polynomial of degree n (elementwise) at x."""
    return _polynomial_p(as_vars(x, n), family)


gcd = _binary("gcd", np.gcd, None)


def underivable(name: str, body: Callable) -> Callable:
    """body as a composite whose gradient is not known (where PyTorch raises at backward)."""
    return composite(name, body, lambda g, z, *xs: tuple(no_derivative(x, name) for x in xs))


quotient = underivable("floor_divide", floor_divide)
heaviside = underivable("heaviside", lambda x, values: select(eq(x, 0), values, cast(gt(x, 0), x.dtype)))


def _frexp_vjp(gs, ys, xs):
    """x = mantissa · 2^exponent."""
    return (None if gs[0] is None else gs[0] * exp2(neg(cast(ys[1], xs[0].dtype))),)


frexp_p = Primitive("frexp", lambda x: (x, tensor_type(int32, x.shape)), np.frexp, _frexp_vjp, n_outputs=2, kind="host")


def frexp(x: Var) -> tuple[Var, Var]:
    """(mantissa, exponent) with x = mantissa · 2^exponent and 1/2 <= |mantissa| < 1."""
    return frexp_p((x,))


# ------------------------------------------------------------------ compositions with a gradient of their own

def _hypot(x, y):
    """√(x² + y²) without overflow on the way."""
    x, y = absolute(x), absolute(y)
    longer, shorter = maximum(x, y), minimum(x, y)
    trivial = bitwise_or(eq(longer, 0), eq(longer, math.inf))  # where the ratio would be 0/0 or ∞/∞
    ratio = div(shorter, select(trivial, 1, longer))
    return select(trivial, longer, longer * sqrt(ratio * ratio + 1))


hypot = composite("hypot", _hypot, lambda g, z, x, y: (g * (x / z), g * (y / z)))


def _logaddexp(exponential: Callable, log_of_1_plus: Callable) -> Callable:
    def body(x, y):
        """The larger operand + log(1 + exp(smaller − larger)); equal operands, infinite ones too, differ by 0."""
        if x.dtype.kind == "c":
            first = ge(real(x), real(y))
            larger, distance = select(first, x, y), select(first, y - x, x - y)
        else:
            larger, distance = maximum(x, y), neg(absolute(x - y))
        return larger + log_of_1_plus(exponential(select(eq(x, y), zeros_like(x), distance)))
    return body


def _exp2(x: Var) -> Var:
    return exp2(x) if x.dtype.kind == "f" else exp(x * math.log(2))


logaddexp = composite("logaddexp", _logaddexp(exp, log1p),
                      lambda g, z, x, y: (g / conj(exp(y - x) + 1), g / conj(exp(x - y) + 1)))
logaddexp2 = composite("logaddexp2", _logaddexp(_exp2, lambda v: log1p(v) * (1 / math.log(2))),
                       lambda g, z, x, y: (g / conj(_exp2(y - x) + 1), g / conj(_exp2(x - y) + 1)))


def _x_times(log_of: Callable, lowest: float) -> Callable:
    """x · log_of(y), and 0 where x is 0 unless y is NaN."""
    def body(x, y):
        zero = bitwise_and(eq(x, 0), eq(y, y))
        return select(zero, zeros_like(x), x * log_of(y))

    def vjp(g, z, x, y):
        vanishes = bitwise_and(eq(x, 0), le(y, lowest))
        return select(vanishes, zeros_like(g), g * conj(log_of(y))), g * conj(x / (y - lowest))
    return composite("xlogy" if lowest == 0 else "xlog1py", body, vjp)


xlogy, xlog1py = _x_times(log, 0), _x_times(log1p, -1)


def _entr(x):
    """−x log x; 0 at 0, −∞ for negative numbers."""
    inside = gt(x, 0)
    outside = select(isnan(x), x, select(eq(x, 0), zeros_like(x), -math.inf))
    return select(inside, neg(x * log(select(inside, x, 1))), outside)


entr = composite("entr", _entr, lambda g, y, x: (neg(g * (log(x) + 1)),))


def _sinc(x):
    """sin πx / πx; 1 at 0."""
    zero = eq(x, 0)
    angle = select(zero, 1, x) * math.pi
    return select(zero, 1, sin(angle) / angle)


def _sinc_vjp(g, y, x):
    """(πx cos πx − sin πx) / πx²."""
    zero = eq(x, 0)
    safe = select(zero, 1, x)
    angle = safe * math.pi
    return (select(zero, zeros_like(g), g * conj((angle * cos(angle) - sin(angle)) / (angle * safe))),)


sinc = composite("sinc", _sinc, _sinc_vjp)


def _logit_vjp(g, y, x):
    """1 / x(1 − x); NaN where the logit is."""
    return (select(bitwise_or(lt(x, 0), gt(x, 1)), math.nan, g / (x * (1 - x))),)


logit = composite("logit", lambda x: log(x / (1 - x)), _logit_vjp)


def _angle_vjp(g, y, z):
    """i z / |z|², and 0 at 0."""
    zero = eq(z, 0)
    x, y = select(zero, 1, real(z)), select(zero, 0, imag(z))
    scale = select(zero, 0, g / (x * x + y * y))
    return (make_complex(neg(scale * y), scale * x),)


angle = composite("angle", lambda z: atan2(imag(z), real(z)), _angle_vjp)
