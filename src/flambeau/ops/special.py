"""Special functions: what `torch.special` holds beyond `torch`, and those of `torch` that are not elementary."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any, Callable

from .. import primitives as p
from .. import return_types
from ..ir.graph import Var
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from .pointwise import floating, named
from .promotion import in_opmath, need_tensor, not_implemented, promoted, promoted_float, to_float, variant


def _real(name: str, compute: Callable[[Var], Var], doc: str, grad_name: str | None = "") -> Any:
    return floating(name, compute, doc, complex=False, grad_name=grad_name)


def _single(name: str, compute: Callable[[Var], Var], doc: str, grad_name: str | None = None) -> Any:
    """As `_real`, but without half-precision variants, and without a gradient unless its node is named."""
    def body(input: Tensor):
        if input.dtype.name in ("float16", "bfloat16"):
            raise not_implemented(f"{name}_cpu", input.dtype)
        x = to_float(input)
        if x.dtype.kind == "c":
            raise not_implemented(f"{name}_cpu", x.dtype)
        return compute(x)
    return op(grad_name)(named(body, name, doc))


def _finite(compute: Callable[[Var], Var]) -> Callable[[Var], Var]:
    """`compute` as PyTorch's polynomial expansions have it: NaN at ±∞."""
    return lambda x: p.select(p.eq(p.absolute(x), math.inf), math.nan, compute(x))


# ------------------------------------------------------------------ error functions and the normal distribution

erf = _real("erf", p.erf, "The error function 2/√π ∫ exp(−t²) dt from 0 to input.")
erfc = _real("erfc", p.erfc, "1 − erf(input), exact where erf is near 1.")
erfinv = _real("erfinv", p.erfinv, "The inverse of erf, on (−1, 1).")
erfcx = _single("erfcx", p.erfcx, "exp(input²) · erfc(input).", "SpecialErfcxBackward0")
ndtr = _real("ndtr", lambda x: p.mul(p.erfc(p.mul(x, -math.sqrt(0.5))), 0.5), "The normal distribution function.", "MulBackward1")
ndtri = _single("ndtri", p.ndtri, "The inverse of the normal distribution function, on (0, 1).", "SpecialNdtriBackward0")
log_ndtr = _single("log_ndtr", p.log_ndtr, "The logarithm of the normal distribution function.", "SpecialLogNdtrBackward0")

# ------------------------------------------------------------------ gamma functions

lgamma = _real("lgamma", p.lgamma, "log |Γ(input)|.")
digamma = _real("digamma", p.digamma, "The derivative of log Γ.")


@op("PolygammaBackward0", name="polygamma")
def _polygamma(input: Tensor, n):
    """The n-th derivative of digamma at input, n ≥ 0."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    x = to_float(input)
    if x.dtype.kind == "c":
        raise not_implemented("polygamma", x.dtype)
    return in_opmath(lambda x: p.digamma(x) if n == 0 else p.polygamma(n, x), x)


def polygamma(n: int, input: Tensor, *, out: Any = None) -> Tensor:
    """The n-th derivative of digamma at input, n ≥ 0."""
    return _polygamma(input, n, out=out)


@op("MvlgammaBackward0")
def mvlgamma(input: Tensor, p):
    """The multivariate log Γ of dimension p ≥ 1: p(p − 1)/4 · log π + Σ log Γ(input + (1 − j)/2) for j = 1 … p."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if input.dtype.kind == "c":
        raise not_implemented("mvlgamma", input.dtype)
    return in_opmath(lambda x: _multivariate_lgamma(x, p), to_float(input))


def _multivariate_lgamma(x: Var, dimension: int) -> Var:
    total = p.lgamma(x)
    for j in range(1, dimension):
        total = p.add(total, p.lgamma(p.sub(x, j / 2)))
    return p.add(total, dimension * (dimension - 1) / 4 * math.log(math.pi))


@op("IgammaBackward0")
def igamma(input: Tensor, other: Tensor):
    """The regularised lower incomplete gamma function P(input, other)."""
    return in_opmath(p.gammainc, *_floats("igamma_cpu", input, other))


@op("IgammacBackward0")
def igammac(input: Tensor, other: Tensor):
    """The regularised upper incomplete gamma function Q(input, other) = 1 − P(input, other)."""
    return in_opmath(p.gammaincc, *_floats("igammac_cpu", input, other))


def _floats(name: str, *operands: Var) -> list[Var]:
    xs = promoted(*operands)
    if xs[0].dtype.kind != "f":
        raise not_implemented(name, xs[0].dtype)
    return p.as_vars(*xs)


@op(variant("SpecialZeta", 0, 2, 1))
def zeta(input: Scalar, other: Scalar):
    """The Hurwitz zeta function Σ 1/(k + other)^input over k ≥ 0; no gradient in input."""
    return _real_pair("zeta", p.zeta, input, other, half=False)


def _real_pair(name: str, primitive: Callable, *operands: Var, half: bool = True) -> Var:
    need_tensor(name, *operands)
    xs = promoted_float(*operands)
    if xs[0].dtype.kind == "c" or not half and xs[0].dtype.name in ("float16", "bfloat16"):
        raise not_implemented(f"{name}_cpu", xs[0].dtype)
    return in_opmath(primitive, *p.as_vars(*xs))


# ------------------------------------------------------------------ Bessel and Airy functions

i0 = _real("i0", _finite(p.i0), "The modified Bessel function of the first kind of order 0.", "I0Backward0")
i0e = _real("i0e", p.i0e, "exp(−|input|) · i0(input).", "SpecialI0EBackward0")
i1 = _real("i1", _finite(p.i1), "The modified Bessel function of the first kind of order 1.", "SpecialI1Backward0")
i1e = _real("i1e", p.i1e, "exp(−|input|) · i1(input).", "SpecialI1EBackward0")
bessel_j0 = _single("bessel_j0", _finite(p.bessel_j0), "The Bessel function of the first kind of order 0; no gradient.")
bessel_j1 = _single("bessel_j1", _finite(p.bessel_j1), "The Bessel function of the first kind of order 1; no gradient.")
bessel_y0 = _single("bessel_y0", _finite(p.bessel_y0), "The Bessel function of the second kind of order 0; no gradient.")
bessel_y1 = _single("bessel_y1", _finite(p.bessel_y1), "The Bessel function of the second kind of order 1; no gradient.")
modified_bessel_i0 = _single("modified_bessel_i0", _finite(p.i0), "As `i0`, without a gradient.")
modified_bessel_i1 = _single("modified_bessel_i1", _finite(p.i1), "As `i1`, without a gradient.")
modified_bessel_k0 = _single("modified_bessel_k0", p.bessel_k0, "The modified Bessel function of the second kind of order 0; no gradient.")
modified_bessel_k1 = _single("modified_bessel_k1", p.bessel_k1, "The modified Bessel function of the second kind of order 1; no gradient.")
scaled_modified_bessel_k0 = _single("scaled_modified_bessel_k0", p.bessel_k0e, "exp(x) · modified_bessel_k0(x); no gradient.")
scaled_modified_bessel_k1 = _single("scaled_modified_bessel_k1", p.bessel_k1e, "exp(x) · modified_bessel_k1(x); no gradient.")
spherical_bessel_j0 = _single("spherical_bessel_j0", p.spherical_bessel_j0, "sin x / x; no gradient.")
airy_ai = _single("airy_ai", _finite(p.airy_ai), "The Airy function Ai; no gradient.")


# ------------------------------------------------------------------ elementary, with care at the borders

sinc = floating("sinc", p.sinc, "sin πx / πx, and 1 at 0.")
entr = _real("entr", p.entr, "−x log x; 0 at 0 and −∞ for negative numbers.", "SpecialEntrBackward0")


@op("LogitBackward0")
def logit(input: Tensor, eps=None):
    """log(x / (1 − x)), after limiting x to [eps, 1 − eps] if eps is given."""
    x = to_float(input)
    if x.dtype.kind == "c":
        raise not_implemented("logit_cpu", x.dtype)

    def compute(x):
        if eps is not None:
            x = p.select(p.lt(x, eps), eps, x)
            x = p.select(p.gt(x, 1 - eps), 1 - eps, x)
        return p.logit(x)
    return in_opmath(compute, x)


@op(variant("Xlogy", 0, 2, 1))
def xlogy(input: Scalar, other: Scalar):
    """input · log(other); 0 where input is 0, unless other is NaN."""
    return _real_pair("xlogy", p.xlogy, input, other)


@op(variant("SpecialXlog1Py", 0, 2, 1))
def xlog1py(input: Scalar, other: Scalar):
    """input · log(1 + other); 0 where input is 0, unless other is NaN."""
    return _real_pair("xlog1py", p.xlog1py, input, other)


# ------------------------------------------------------------------ orthogonal polynomials

def _polynomial(name: str, family: str, doc: str, shifted: bool = False) -> Any:
    def body(input: Scalar, n: Scalar):
        def compute(x, n):
            return p.polynomial(p.sub(p.mul(x, 2), 1) if shifted else x, n, family)
        return _real_pair(name, compute, input, n, half=False)
    return op(None)(named(body, name, doc + "; n is truncated to an integer, and negative n give 0. No gradient."))


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "chebyshev_t", "The Chebyshev polynomial of the first kind of degree n")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "chebyshev_u", "The Chebyshev polynomial of the second kind of degree n")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "chebyshev_v", "The Chebyshev polynomial of the third kind of degree n")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "chebyshev_w", "The Chebyshev polynomial of the fourth kind of degree n")
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "hermite_h", "The physicists' Hermite polynomial of degree n")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "hermite_he", "The probabilists' Hermite polynomial of degree n")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "laguerre_l", "The Laguerre polynomial of degree n")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "legendre_p", "The Legendre polynomial of degree n")
shifted_chebyshev_polynomial_t = _polynomial("shifted_chebyshev_polynomial_t", "chebyshev_t", "chebyshev_polynomial_t at 2 · input − 1",
                                             True)
shifted_chebyshev_polynomial_u = _polynomial("shifted_chebyshev_polynomial_u", "chebyshev_u", "chebyshev_polynomial_u at 2 · input − 1",
                                             True)
shifted_chebyshev_polynomial_v = _polynomial("shifted_chebyshev_polynomial_v", "chebyshev_v", "chebyshev_polynomial_v at 2 · input − 1",
                                             True)
shifted_chebyshev_polynomial_w = _polynomial("shifted_chebyshev_polynomial_w", "chebyshev_w", "chebyshev_polynomial_w at 2 · input − 1",
                                             True)


@op("FrexpBackward0", returns=return_types.frexp, strict_out="dtype")
def frexp(input: Tensor):
    """(mantissa, exponent) with input = mantissa · 2^exponent and 1/2 ≤ |mantissa| < 1; the exponent is int32."""
    if input.dtype.kind != "f":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return p.frexp(input)


# aliases that PyTorch gives
gammaln, psi, multigammaln, gammainc, gammaincc = lgamma, digamma, mvlgamma, igamma, igammac

_NAMED = {"erf": erf, "erfc": erfc, "erfinv": erfinv, "lgamma": lgamma, "digamma": digamma, "mvlgamma": mvlgamma, "igamma": igamma,
          "igammac": igammac, "i0": i0, "sinc": sinc, "logit": logit, "xlogy": xlogy}


METHODS = {**_NAMED, **{name + "_": inplace(function) for name, function in _NAMED.items()},
           "polygamma": _polygamma, "polygamma_": inplace(_polygamma), "frexp": frexp}
