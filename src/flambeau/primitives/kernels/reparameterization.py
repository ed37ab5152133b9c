"""How draws of gamma and beta numbers move with their parameters: implicit reparameterisation gradients.

A draw x of a distribution F(x; a) is F⁻¹(u; a) for some u, so dx/da = −(∂F/∂a)/f(x) (Figurnov, Mohamed and Mnih 2018).
With f = exp(log f) the numerator is an integral of f(t) ∂log f/∂a on either side of x, where ∂log f/∂a is T(t) − E[T]
for the statistic T = log t: of one sign on the side that is taken here, so that nothing cancels. The substitution t = x
exp(∓s) leaves a function that falls without oscillation, which Gauss-Legendre quadrature integrates to about 1e-10.
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from .gamma import digamma

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_DEPTH = 40.0  # integrands are followed down to exp(−40) of where they begin


def _length(decay: Callable[[np.ndarray], np.ndarray], bound: np.ndarray) -> np.ndarray:
    """Where decay(s), which is 0 at 0 and convex, reaches _DEPTH, by bisection below `bound`."""
    low, high = np.zeros_like(bound), bound
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = decay(middle) < _DEPTH
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def _integral(decay: Callable, factor: Callable, bound: np.ndarray) -> np.ndarray:
    """∫ factor(s) exp(−decay(s)) ds from 0."""
    length = _length(decay, bound)
    total = np.zeros_like(bound)
    for node, weight in zip(_NODES, _WEIGHTS):
        s = 0.5 * (node + 1) * length
        total += weight * factor(s) * np.exp(-decay(s))
    return 0.5 * length * total


def gamma_gradient(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dx/da of draws x of the gamma distribution with concentration a and rate 1."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    shape, a, x = a.shape, a.reshape(-1), x.reshape(-1)
    out = np.full(a.shape, np.nan)
    center = digamma(a)  # E[log t]
    known = (a > 0) & (x >= 0) & np.isfinite(a) & np.isfinite(x)
    left = known & (np.log(np.maximum(x, 1e-320)) < center)
    if left.any():
        b, y, c = a[left], np.maximum(x[left], 1e-320), center[left]
        total = _integral(lambda s: b * s + y * np.expm1(-s), lambda s: s + c - np.log(y), (_DEPTH + y) / b)
        out[left] = y * total
    right = known & ~left
    if right.any():
        b, y, c = a[right], x[right], center[right]
        total = _integral(lambda s: y * np.expm1(s) - b * s, lambda s: np.log(y) + s - c, np.full(y.shape, 700.0))
        out[right] = y * total
    return out.reshape(shape)


def _beta_side(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, factor: Callable) -> np.ndarray:
    """∫ factor(s, log(y + x exp(−s))) f(t)/f(x) dt below x = 1 − y, f the beta density; t/(1 − t) = x/y · exp(−s)."""
    def logarithm(s):
        return np.log(y + x * np.exp(-s))

    def decay(s):
        return a * s + (a + b) * logarithm(s)
    bound = (_DEPTH - (a + b) * np.log(y)) / a
    return x * y * _integral(decay, lambda s: factor(s, logarithm(s)), bound)


def dirichlet_gradient(x: np.ndarray, a: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(dx/da) / (1 − x) of draws x of the beta distribution with parameters a and total − a."""
    arrays = np.broadcast_arrays(*[np.asarray(v, np.float64) for v in (x, a, total)])
    shape = arrays[0].shape
    x, a, total = (v.reshape(-1) for v in arrays)
    x = np.clip(x, 1e-300, 1 - 2.0 ** -53)
    y, b = 1 - x, total - a
    center = digamma(a) - digamma(total)  # E[log t]
    out = np.empty(x.shape)
    left = np.log(x) < center
    right = ~left
    if left.any():
        c = (center - np.log(x))[left]
        out[left] = _beta_side(x[left], y[left], a[left], b[left], lambda s, log: c + s + log)
    if right.any():  # below 1 − x, for 1 − t
        c = (np.log(x) - center)[right]
        out[right] = _beta_side(y[right], x[right], b[right], a[right], lambda s, log: c - log)
    return (out / y).reshape(shape)
