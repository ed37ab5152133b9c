"""The error function and its relatives.

erf, erfc, erfcx: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), in the form
of his CALERF. ndtri: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Appl. Statist. 37
(1988). Both are accurate to about 1e-16 relative.
"""
from __future__ import annotations

import numpy as np

SQRT1_2 = 0.5 ** 0.5
_SQRT_PI_INV = 0.56418958354775628695

# |x| <= 0.46875: erf x = x P(x²)/Q(x²)
_A = (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3)
_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
# 0.46875 <= x <= 4: erfcx x = P(x)/Q(x)
_C = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
      8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3)
_D = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
      4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3)
# x >= 4: erfcx x = (1/√π - P(1/x²)/(x² Q(1/x²)))/x
_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
      6.58749161529837803e-4)
_Q = (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3)


def ratio(numerator: tuple, denominator: tuple, x: np.ndarray) -> np.ndarray:
    """A rational function, coefficients from the highest power down."""
    return np.polyval(numerator, x) / np.polyval(denominator, x)


def _small_erf(x):
    return x * ratio(_A, _B, x * x)


def _erfcx_positive(y):
    """exp(y²) erfc y for y >= 0.46875."""
    inverse = 1 / np.maximum(y * y, 16.0)
    tail = (_SQRT_PI_INV - inverse * ratio(_P, _Q, inverse)) / np.maximum(y, 4.0)
    return np.where(y <= 4, ratio(_C, _D, np.minimum(y, 4.0)), tail)


def _exp_minus_square(y):
    """exp(−y²), with y² split so that its rounding error is not multiplied by y²."""
    high = np.trunc(y * 16) / 16
    return np.exp(-high * high) * np.exp(-(y - high) * (y + high))


def _erfc_positive(y):
    y = np.minimum(y, 30.0)  # erfc is 0 beyond 27.3
    return _exp_minus_square(y) * _erfcx_positive(y)


def erf(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    large = np.copysign(1 - _erfc_positive(np.maximum(y, 0.46875)), x)
    return np.where(y <= 0.46875, _small_erf(np.clip(x, -0.5, 0.5)), large)


def erfc(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    tail = _erfc_positive(np.maximum(y, 0.46875))
    return np.where(y <= 0.46875, 1 - _small_erf(np.clip(x, -0.5, 0.5)), np.where(x < 0, 2 - tail, tail))


def erfcx(x: np.ndarray) -> np.ndarray:
    """exp(x²) erfc x."""
    y = np.abs(x)
    tail = _erfcx_positive(np.maximum(y, 0.46875))
    high = np.trunc(np.clip(x, -30, 30) * 16) / 16
    square = np.exp(high * high) * np.exp((np.clip(x, -30, 30) - high) * (np.clip(x, -30, 30) + high))
    centre = np.exp(np.clip(x, -0.5, 0.5) ** 2) * (1 - _small_erf(np.clip(x, -0.5, 0.5)))
    return np.where(y <= 0.46875, centre, np.where(x < 0, 2 * square - tail, tail))


# ------------------------------------------------------------------ the normal distribution

def ndtr(x: np.ndarray) -> np.ndarray:
    """The normal distribution function."""
    return 0.5 * erfc(-x * SQRT1_2)


def log_ndtr(x: np.ndarray) -> np.ndarray:
    """Its logarithm, also where it underflows."""
    lower = np.minimum(x, -1.0)
    t = -lower * SQRT1_2
    return np.where(x < -1, np.log(erfcx(t) / 2) - t * t, np.log1p(-erfc(np.maximum(x, -1.0) * SQRT1_2) / 2))


# |p − 1/2| <= 0.425
_CENTRE = ((2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
            1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
           (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
            5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0))
# r = √(−log p) <= 5
_MIDDLE = ((7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
            3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
           (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
            6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0))
_FAR = ((2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
         2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
        (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
         1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0))


def _normal_quantile(q, tail):
    """The quantile of p = q + 1/2, given the smaller of p and 1 − p as `tail`."""
    centre = q * ratio(*_CENTRE, 0.180625 - np.clip(q, -0.425, 0.425) ** 2)
    r = np.sqrt(-np.log(np.clip(tail, 5e-324, 0.5)))
    far = np.where(r <= 5, ratio(*_MIDDLE, np.minimum(r, 5) - 1.6), ratio(*_FAR, np.maximum(r, 5) - 5))
    value = np.where(np.abs(q) <= 0.425, centre, np.copysign(far, q))
    value = np.where(tail == 0, np.copysign(np.inf, q), value)
    return np.where((tail < 0) | (q != q), np.nan, value)


def ndtri(p: np.ndarray) -> np.ndarray:
    """The inverse of ndtr."""
    return _normal_quantile(p - 0.5, np.minimum(p, 1 - p))


# erfinv(x)/x for w = -log(1 - x²): in w - 2.5 below 5, in √w - 3 above (relative minimax fits for float32)
_NEAR = (2.8528664e-08, 3.4371888e-07, -3.528786e-06, -4.3966925e-06, 0.00021860193, -0.0012537078, -0.0041777072, 0.24664073, 1.5014094)
_FAR_SINGLE = (-0.00018140145, 9.486024e-05, 0.0013228118, -0.0036685942, 0.005751343, -0.007623216, 0.00943721, 1.001674, 2.832977)


def erfinv_single(x: np.ndarray) -> np.ndarray:
    """erfinv in float32, to 3 ulp: after M. Giles, "Approximating the erfinv function" (2012), by fits of our own."""
    w = -np.log((1 - x) * (1 + x))
    value = x * np.where(w < 5, np.polyval(_NEAR, w - 2.5), np.polyval(_FAR_SINGLE, np.sqrt(w) - 3))
    return np.where(np.abs(x) == 1, x * np.inf, value)


def erfinv(y: np.ndarray) -> np.ndarray:
    return _normal_quantile(0.5 * y, 0.5 * (1 - np.abs(y))) * SQRT1_2
