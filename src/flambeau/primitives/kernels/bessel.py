"""Bessel functions of order 0 and 1, the spherical one of order 0, and the Airy function.

J and Y: Miller's backward recurrence with Neumann's series (Abramowitz & Stegun 9.12, 9.1.88, 9.1.89), Hankel's asymptotic
expansion (9.2.5) for large arguments. I: power series (9.6.10) and asymptotic expansion (9.7.1). K: series (9.6.13)
for small, the integral 9.6.24 by the trapezoidal rule for middle, the expansion 9.7.2 for large arguments.
Ai: Taylor series of its differential equation about tabulated points, and the expansions 10.4.59 and 10.4.60.
"""
from __future__ import annotations

import math

import numpy as np

from .gamma import EULER_GAMMA

_FAR = 25.0  # from here on the asymptotic expansions are exact to rounding


def _chosen(x, low, high, border=_FAR):
    """low(x) up to the border, high(x) beyond it; neither sees the other's arguments."""
    inside = x <= border
    return np.where(inside, low(np.where(inside, x, 1.0)), high(np.where(inside, border, x)))


# ------------------------------------------------------------------ J and Y

def _miller(x):
    """(J0, J1, Neumann's sum for Y0, his sum for Y1), for 0 < x <= 25: recurrence down from an order far above x.

    The sums are Σ (−1)^k J_2k / k and Σ (−1)^(k+1) (2k + 1) J_(2k+1) / (k (k + 1)); J_0 + 2 Σ J_2k = 1 sets the scale.
    """
    x = np.maximum(x, 1e-4)
    above, here = np.zeros_like(x), np.full_like(x, 1e-280)  # J_(n+1) and J_n, up to a common factor
    norm, even, odd = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for n in range(60, 0, -1):
        k = n // 2
        if n % 2 == 0:
            norm = norm + 2 * here
            even = even + here * (1 if k % 2 == 0 else -1) / k
        elif n > 1:
            odd = odd + here * (1 if k % 2 else -1) * n / (k * (k + 1))
        above, here = here, 2 * n / x * here - above
        if n % 8 == 0:
            scale = np.where(np.abs(here) > 1e100, 1e-100, 1.0)
            above, here, norm, even, odd = above * scale, here * scale, norm * scale, even * scale, odd * scale
    norm = norm + here
    return here / norm, above / norm, even / norm, odd / norm


def _hankel(x, order):
    """(amplitude · P, amplitude · Q, phase) of Hankel's expansion."""
    mu = 4.0 * order * order
    p, q, term = np.ones_like(x), np.zeros_like(x), np.ones_like(x)
    for k in range(1, 24):
        term = term * (mu - (2 * k - 1) ** 2) / (k * 8 * x)
        if k % 2:
            q = q + (term if k % 4 == 1 else -term)
        else:
            p = p + (term if k % 4 == 0 else -term)
    return p, q


def _oscillating(x, order, cosine_first):
    p, q = _hankel(x, order)
    amplitude = np.sqrt(1 / (math.pi * x))
    # cos(x − (2 order + 1) π/4) · √2 and sin(…) · √2, without subtracting from a large x
    s, c = np.sin(x), np.cos(x)
    cosine, sine = (c + s, s - c) if order == 0 else (s - c, -s - c)
    value = p * cosine - q * sine if cosine_first else p * sine + q * cosine
    return np.where(np.isinf(x), 0.0, amplitude * value)


def _small(x):
    return x < 1e-4


def bessel_j0(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    value = _chosen(y, lambda v: _miller(v)[0], lambda v: _oscillating(v, 0, True))
    return np.where(_small(y), 1 - y * y / 4 * (1 - y * y / 16), value)


def bessel_j1(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    value = _chosen(y, lambda v: _miller(v)[1], lambda v: _oscillating(v, 1, True))
    return np.copysign(1.0, x) * np.where(_small(y), y / 2 * (1 - y * y / 8 * (1 - y * y / 24)), value)


def _near_y0(x):
    j0, _, even, _ = _miller(x)
    j0, even = np.where(_small(x), 1 - x * x / 4, j0), np.where(_small(x), -x * x / 8, even)
    return 2 / math.pi * (np.log(x / 2) + EULER_GAMMA) * j0 - 4 / math.pi * even


def bessel_y0(x: np.ndarray) -> np.ndarray:
    """−∞ at 0, NaN for negative arguments."""
    value = _chosen(np.abs(x), _near_y0, lambda v: _oscillating(v, 0, False))
    return np.where(x < 0, np.nan, np.where(x == 0, -np.inf, value))


def _near_y1(x):
    j0, j1, _, odd = _miller(x)
    j0, j1, odd = np.where(_small(x), 1 - x * x / 4, j0), np.where(_small(x), x / 2, j1), np.where(_small(x), 0.0, odd)
    return 2 / math.pi * (-j0 / x + (np.log(x / 2) + EULER_GAMMA - 1) * j1 + odd)


def bessel_y1(x: np.ndarray) -> np.ndarray:
    """−∞ at 0, NaN for negative arguments."""
    value = _chosen(np.abs(x), _near_y1, lambda v: _oscillating(v, 1, False))
    return np.where(x < 0, np.nan, np.where(x == 0, -np.inf, value))


def spherical_bessel_j0(x: np.ndarray) -> np.ndarray:
    """sin x / x."""
    y = x * x
    near = 1 - y / 6 * (1 - y / 20 * (1 - y / 42 * (1 - y / 72 * (1 - y / 110 * (1 - y / 156)))))
    return np.where(np.isinf(x), 0.0, np.where(np.abs(x) < 0.5, near, np.sin(x) / np.where(x == 0, 1.0, x)))


# ------------------------------------------------------------------ I and K

def _power_i(x, order):
    """e^−x I(x) for x <= 25."""
    term = np.ones_like(x) if order == 0 else x / 2
    total = term
    for k in range(1, 60):
        term = term * (x / 2) ** 2 / (k * (k + order))
        total = total + term
    return total * np.exp(-x)


def _asymptotic(x, order, sign):
    """1 ∓ (μ − 1)/8x + (μ − 1)(μ − 9)/2!(8x)² ∓ …"""
    mu = 4.0 * order * order
    total, term = np.ones_like(x), np.ones_like(x)
    for k in range(1, 24):
        term = sign * term * (mu - (2 * k - 1) ** 2) / (k * 8 * x)
        total = total + term
    return total


def _scaled_i(y, order):
    value = _chosen(y, lambda v: _power_i(v, order), lambda v: _asymptotic(v, order, -1.0) / np.sqrt(2 * math.pi * v))
    return np.where(np.isinf(y), 0.0, value)


def i0e(x: np.ndarray) -> np.ndarray:
    """exp(−|x|) I0(x)."""
    return _scaled_i(np.abs(x), 0)


def i1e(x: np.ndarray) -> np.ndarray:
    """exp(−|x|) I1(x)."""
    return np.copysign(1.0, x) * _scaled_i(np.abs(x), 1)


def _unscaled(scaled, y):
    half = np.exp(y / 2)  # in two steps: e^y alone overflows before I(y) does
    return np.where(np.isinf(y), np.inf, scaled * half * half)


def i0(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    return _unscaled(i0e(x), y)


def i1(x: np.ndarray) -> np.ndarray:
    y = np.abs(x)
    return np.copysign(1.0, x) * _unscaled(_scaled_i(y, 1), y)


def _series_k(x, order):
    """e^x K(x) for x <= 2."""
    quarter, log = (x / 2) ** 2, np.log(x / 2)
    harmonic, term = 0.0, np.ones_like(x) if order == 0 else x / 2
    i, total = np.zeros_like(x), np.zeros_like(x)
    for k in range(30):
        psi = harmonic - EULER_GAMMA if order == 0 else harmonic - EULER_GAMMA + 0.5 / (k + 1)
        i, total = i + term, total + psi * term
        harmonic += 1 / (k + 1)
        term = term * quarter / ((k + 1) * (k + 1 + order))
    value = total - log * i if order == 0 else 1 / x + log * i - total
    return value * np.exp(x)


def _integral_k(x, order):
    """e^x K(x) = ∫ exp(−x (cosh t − 1)) cosh(order t) dt over t >= 0, for 2 <= x <= 25."""
    step = 1 / 16
    total = np.full_like(x, 0.5)
    for k in range(1, 68):
        t = k * step
        total = total + np.exp(-x * 2 * math.sinh(t / 2) ** 2) * math.cosh(order * t)
    return total * step


def _scaled_k(x, order):
    def near(v):
        return _chosen(v, lambda u: _series_k(u, order), lambda u: _integral_k(u, order), 2.0)
    value = _chosen(np.abs(x), near, lambda v: _asymptotic(v, order, 1.0) * np.sqrt(math.pi / (2 * v)))
    return np.where(x < 0, np.nan, np.where(x == 0, np.inf, np.where(np.isinf(x), 0.0, value)))


def k0e(x: np.ndarray) -> np.ndarray:
    """exp(x) K0(x)."""
    return _scaled_k(x, 0)


def k1e(x: np.ndarray) -> np.ndarray:
    """exp(x) K1(x)."""
    return _scaled_k(x, 1)


def k0(x: np.ndarray) -> np.ndarray:
    return _scaled_k(x, 0) * np.exp(-x)


def k1(x: np.ndarray) -> np.ndarray:
    return _scaled_k(x, 1) * np.exp(-x)


# ------------------------------------------------------------------ Airy
# Ai and Ai' at −9, −8, …, 7, to 20 digits
_AIRY = (
    (-0.022133721547341403674, -0.97566398092633159471),  # -9
    (-0.052705050356386202622, 0.93556093819830655103),  # -8
    (0.18428083525050563728, -0.77100816841012654773),  # -7
    (-0.32914517362982310523, 0.34593548728134289493),  # -6
    (0.35076100902411431979, 0.32719281855444313679),  # -5
    (-0.070265532949289515099, -0.7906285753685813803),  # -4
    (-0.37881429367765807435, 0.31458376921659881365),  # -3
    (0.22740742820168557599, 0.61825902074169104141),  # -2
    (0.5355608832923521188, -0.010160567116645209395),  # -1
    (0.35502805388781723926, -0.25881940379280679841),  # 0
    (0.13529241631288141552, -0.15914744129679321279),  # 1
    (0.034924130423274379135, -0.053090384433653631704),  # 2
    (0.0065911393574607191443, -0.011912976705951318474),  # 3
    (0.00095156385120480187362, -0.0019586409502041789001),  # 4
    (0.00010834442813607441735, -0.000247413890868462476),  # 5
    (9.9476943602528895702e-6, -0.000024765200397034954754),  # 6
    (7.4921288639971670808e-7, -2.0081508947387919912e-6),  # 7
)


def _airy_taylor(x):
    """Ai(x) for −9.5 <= x <= 7.5: (k + 2)(k + 1) a_{k+2} = x₀ a_k + a_{k−1} about the nearest integer x₀."""
    nearest = np.round(x)
    index = nearest.astype(np.int64) + 9
    table = np.array(_AIRY)
    h = x - nearest
    before, here, after = np.zeros_like(x), table[index, 0], table[index, 1]  # a_{k−1}, a_k, a_{k+1}
    total, power = here + after * h, h * h
    for k in range(24):
        before, here, after = here, after, (nearest * here + before) / ((k + 2) * (k + 1))
        total = total + after * power
        power = power * h
    return total


def _airy_terms(zeta):
    """c_k / ζ^k of the expansions, c_k = Γ(3k + 1/2) / (54^k k! Γ(k + 1/2))."""
    term = np.ones_like(zeta)
    yield term
    for k in range(1, 20):
        term = term * ((6 * k - 5) * (6 * k - 3) * (6 * k - 1)) / (216 * k * (2 * k - 1)) / zeta
        yield term


def _airy_decaying(x):
    zeta = 2 / 3 * x * np.sqrt(x)
    total = sum(term if k % 2 == 0 else -term for k, term in enumerate(_airy_terms(zeta)))
    return np.exp(-zeta) * total / (2 * math.sqrt(math.pi) * np.sqrt(np.sqrt(x)))


def _airy_oscillating(x):
    """Ai(−x)."""
    zeta = 2 / 3 * x * np.sqrt(x)
    even, odd = np.zeros_like(x), np.zeros_like(x)
    for k, term in enumerate(_airy_terms(zeta)):
        if k % 2 == 0:
            even = even + (term if k % 4 == 0 else -term)
        else:
            odd = odd + (term if k % 4 == 1 else -term)
    angle = zeta + math.pi / 4
    return (np.sin(angle) * even - np.cos(angle) * odd) / (math.sqrt(math.pi) * np.sqrt(np.sqrt(x)))


def airy_ai(x: np.ndarray) -> np.ndarray:
    middle = _airy_taylor(np.where((x > -9.5) & (x < 7.5), x, 0.0))
    right = _airy_decaying(np.where((x >= 7.5) & np.isfinite(x), x, 7.5))
    left = _airy_oscillating(np.where((x <= -9.5) & np.isfinite(x), -x, 9.5))
    value = np.where(x >= 7.5, right, np.where(x <= -9.5, left, middle))
    return np.where(x != x, x, np.where(np.isinf(x), np.where(x > 0, 0.0, np.nan), value))
