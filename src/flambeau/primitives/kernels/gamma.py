"""The gamma function's relatives.

Formulas: DLMF chapter 5 (reflection 5.5.3 and 5.5.4, recurrence 5.5.1, Stirling's series 5.11.1, digamma's 5.11.2), chapter 8
(incomplete gamma: series 8.11.4, continued fraction 8.9.2), 25.11 (Hurwitz zeta by Euler-Maclaurin, 25.11.28).
"""
from __future__ import annotations

import math

import numpy as np

# B_2k / (2k (2k - 1)): Stirling's series of log Γ
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
# B_2k / 2k: digamma's asymptotic series
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
# B_2k / (2k)!: Euler-Maclaurin
_EULER_MACLAURIN = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
                    -3617 / 10670622842880000, 43867 / 5109094217170944000)
# ζ(k) for k = 2 … 28, minus 1: the Taylor series of log Γ(1 + z)
_ZETA_MINUS_1 = (0.64493406684822643647, 0.20205690315959428540, 0.082323233711138191516, 0.036927755143369926331,
                 0.017343061984449139714, 0.0083492773819228268398, 0.0040773561979443393786, 0.0020083928260822144179,
                 0.00099457512781808533715, 0.00049418860411946455870, 0.00024608655330804829864, 0.00012271334757848914675,
                 6.1248135058704829259e-05, 3.0588236307020493552e-05, 1.5282259408651871733e-05, 7.6371976378997622737e-06,
                 3.8172932649998398565e-06, 1.9082127165539389257e-06, 9.5396203387279611315e-07, 4.7693298678780646312e-07,
                 2.3845050272773299000e-07, 1.1921992596531107307e-07, 5.9608189051259479613e-08, 2.9803503514652280186e-08,
                 1.4901554828365041235e-08, 7.4507117898354294920e-09, 3.7253340247884570548e-09)
EULER_GAMMA = 0.57721566490153286061


def _horner(coefficients, x):
    """Σ coefficients[k] x^k."""
    return np.polyval(coefficients[::-1], x)


def stirling_correction(x: np.ndarray) -> np.ndarray:
    """log Γ(x) − ((x − 1/2) log x − x + log √2π), for x >= 8."""
    return _horner(_STIRLING, 1 / (x * x)) / x


def _near_one(z):
    """log Γ(1 + z) for |z| <= 1/2: −log(1 + z) + z(1 − γ) + Σ (ζ(k) − 1)(−z)^k/k (DLMF 5.7.3)."""
    series = _horner([c / k * (-1) ** k for k, c in enumerate(_ZETA_MINUS_1, 2)], z) * z * z
    return -np.log1p(z) + z * (1 - EULER_GAMMA) + series


def _lgamma_positive(x):
    """log Γ(x) for x >= 1/2: by recurrence from [1/2, 5/2] below 8, by Stirling's series above."""
    y, product = np.minimum(x, 8.0), np.ones_like(x)
    for _ in range(6):
        high = y > 2.5
        y = np.where(high, y - 1, y)
        product = np.where(high, product * y, product)
    low, high = np.clip(y - 1, -0.5, 0.5), np.clip(y - 2, -0.5, 0.5)
    small = np.where(y < 1.5, _near_one(low), np.log1p(high) + _near_one(high)) + np.log(product)
    big = np.maximum(x, 8.0)
    return np.where(x < 8, small, (big - 0.5) * np.log(big) - big + 0.5 * math.log(2 * math.pi) + stirling_correction(big))


def lgamma(x: np.ndarray) -> np.ndarray:
    """log |Γ(x)|; ∞ at 0 and the negative integers."""
    positive = _lgamma_positive(np.where(x > 0.5, x, np.where(x == -np.inf, 1.0, 1 - x)))
    sine = np.abs(np.sin(math.pi * (x - np.round(x))))  # |sin πx|, exact for large x
    value = np.where(x > 0.5, positive, math.log(math.pi) - np.log(sine) - positive)
    value = np.where(np.abs(x) < 1e-100, -np.log(np.abs(x)), value)
    return np.where(np.isinf(x) | (x <= 0) & (x == np.floor(x)), np.inf, value)


def lgamma_to_single(x: np.ndarray) -> np.ndarray:
    """log |Γ(x)| in float64 to the digits of float32: Stirling's series at x or, below 8, at x + 7."""
    y = np.where(x < 0, 1 - x, x)
    low = y < 8
    product = y
    for k in range(1, 7):
        product = product * (y + k)
    y, product = np.where(low, y + 7, y), np.where(low, product, 1.0)
    series = (y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + stirling_correction(y)
    sine = np.abs(np.sin(math.pi * (x - np.round(x))))  # |sin πx|, exact for large x
    rest = np.log(np.where(x < 0, math.pi * product / sine, product))
    value = np.where((x == 1) | (x == 2), 0.0, np.where(x < 0, rest - series, series - rest))
    return np.where(np.isinf(x) | (x <= 0) & (x == np.floor(x)), np.inf, value)


def digamma(x: np.ndarray) -> np.ndarray:
    """d/dx log Γ(x); NaN at the negative integers, ∓∞ at ±0."""
    y = np.where(x < 0, 1 - x, x)
    total = np.zeros_like(x)
    for _ in range(10):
        low = y < 10
        total = np.where(low, total - 1 / y, total)
        y = np.where(low, y + 1, y)
    inverse = 1 / (y * y)
    value = total + np.log(y) - 0.5 / y - inverse * _horner(_DIGAMMA, inverse)
    fraction = x - np.round(x)  # tan πx with an exact argument
    value = np.where(x < 0, value - math.pi / np.tan(math.pi * fraction), value)
    value = np.where((x < 0) & (x == np.floor(x)), np.nan, value)
    return np.where(x == 0, np.copysign(np.inf, -x), value)


def _zeta_positive(s, q):
    """The Hurwitz zeta function for s > 1 and q > 0: terms up to q + 12, and the Euler-Maclaurin formula for the rest."""
    total = np.zeros_like(s)
    a = q
    for _ in range(12):
        total = total + np.power(a, -s)
        a = a + 1
    tail = np.power(a, -s)
    total = total + np.power(a, 1 - s) / (s - 1) + 0.5 * tail
    factor = s * tail / a  # s (s + 1) … (s + 2k − 2) a^−(s + 2k − 1)
    for k, c in enumerate(_EULER_MACLAURIN):
        total = total + c * factor
        factor = factor * (s + 2 * k + 1) * (s + 2 * k + 2) / (a * a)
    return np.where(np.isinf(s), np.power(q, -s), total)


def zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The Hurwitz zeta function Σ (k + q)^−s; ∞ for s = 1 and for q = 0, −1, …, NaN for s < 1.

    The terms with negative k + q (for whole s, else NaN) are those of two zeta functions of positive arguments.
    """
    safe_s = np.where(s > 1, s, 2.0)
    fraction = q - np.floor(q)
    sign = np.where(np.mod(safe_s, 2) == 0, 1.0, -1.0)
    negative = _zeta_positive(safe_s, np.where(fraction == 0, 1.0, fraction)) \
        + sign * (_zeta_positive(safe_s, 1 - fraction) - _zeta_positive(safe_s, np.where(q < 0, 1 - q, 1.0)))
    value = np.where(q > 0, _zeta_positive(safe_s, np.where(q > 0, q, 1.0)), negative)
    value = np.where((q <= 0) & (fraction == 0), np.inf, np.where((q <= 0) & (s != np.floor(s)), np.nan, value))
    return np.where(s == 1, np.inf, np.where((s < 1) | (s != s) | (q != q), np.nan, value))


def polygamma(n: int, x: np.ndarray) -> np.ndarray:
    """The n-th derivative of digamma: (−1)^(n+1) n! ζ(n + 1, x)."""
    if n == 0:
        return digamma(x)
    sign = 1.0 if n % 2 else -1.0
    return sign * math.gamma(n + 1) * zeta(np.full_like(x, n + 1.0), x)


# ------------------------------------------------------------------ incomplete gamma functions

def _log1p_minus(u):
    """log(1 + u) − u without cancellation, by its series for small u."""
    small = np.abs(u) < 0.1
    v = np.where(small, u, 0.0)
    total, power = np.zeros_like(u), v
    for k in range(2, 20):
        power = -power * v
        total = total + power / k
    return np.where(small, total, np.log1p(np.where(small, 0.0, u)) - u)


def _prefactor(a, x):
    """x^a e^−x / Γ(a + 1)."""
    big = np.maximum(a, 8.0)
    # around x = a: √(1/2πa) exp(a (log(x/a) − (x − a)/a) − correction)
    scaled = np.exp(big * _log1p_minus((x - big) / big) - stirling_correction(big)) / np.sqrt(2 * math.pi * big)
    small = np.minimum(a, 8.0)
    plain = np.exp(small * np.log(x) - x - lgamma(small + 1))
    return np.where(a >= 8, scaled, plain)


def _lower_series(a, x):
    """P(a, x) / prefactor = 1 + x/(a+1) + x²/((a+1)(a+2)) + …"""
    total, term, k = np.ones_like(x), np.ones_like(x), 1.0
    active = np.arange(x.size)
    while active.size and k < 1e5:
        term[active] *= x[active] / (a[active] + k)
        total[active] += term[active]
        active = active[term[active] > 1e-17 * total[active]]
        k += 1
    return total


def _upper_fraction(a, x):
    """Q(a, x) / (a · prefactor) by the continued fraction 1/(x+1−a− 1(1−a)/(x+3−a− …)), evaluated as Lentz does."""
    b = x + 1 - a
    c = np.full_like(x, 1e300)
    d = 1 / np.where(b == 0, 1e-300, b)
    value, k = d.copy(), 1.0
    active = np.arange(x.size)
    while active.size and k < 1e5:
        ai, bi = -k * (k - a[active]), b[active] + 2 * k
        d[active] = 1 / _nonzero(bi + ai * d[active])
        c[active] = _nonzero(bi + ai / c[active])
        step = c[active] * d[active]
        value[active] *= step
        active = active[np.abs(step - 1) > 1e-16]
        k += 1
    return value


def _nonzero(x):
    return np.where(x == 0, 1e-300, x)


def _incomplete(a, x, upper: bool):
    a, x = np.broadcast_arrays(a, x)
    shape = a.shape
    a, x = np.array(a, np.float64).reshape(-1), np.array(x, np.float64).reshape(-1)
    result = np.full(a.shape, np.nan)
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    for part, kernel in ((inside & (x <= np.maximum(a, 1.0)), _lower_series), (inside & (x > np.maximum(a, 1.0)), _upper_fraction)):
        if part.any():
            ap, xp = a[part], x[part]
            value = _prefactor(ap, xp) * kernel(ap, xp)
            is_upper = kernel is _upper_fraction
            value = value * ap if is_upper else value
            result[part] = value if is_upper == upper else 1 - value
    one, zero = (0.0, 1.0) if upper else (1.0, 0.0)  # the limits for large and small x
    edge = ~inside & (a >= 0) & (x >= 0)
    result[edge & (x == 0) & (a > 0)] = zero
    result[edge & (a == 0) & (x > 0)] = one
    result[edge & np.isinf(a) & np.isfinite(x)] = zero
    result[edge & np.isinf(x) & np.isfinite(a)] = one
    return result.reshape(shape)


def gammainc(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The regularised lower incomplete gamma function P(a, x); NaN for negative arguments."""
    return _incomplete(a, x, False)


def gammaincc(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x)."""
    return _incomplete(a, x, True)
