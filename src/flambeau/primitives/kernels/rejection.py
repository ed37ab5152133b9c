"""Random numbers by rejection, one by one, as PyTorch's CPU kernels draw them: each asks for uniforms (and normals) in
[0, 1) until one is accepted, so that how many it takes depends on their values.

Sources: G. Marsaglia and W. Tsang, "A simple method for generating gamma variables" (2000); W. Hoermann, "The
generation of binomial random variates" (1993, algorithm BTRS) and "The transformed rejection method for generating
Poisson random variables" (1993, PTRS). Constants that PyTorch holds in single precision are written as such.
"""
from __future__ import annotations

import math
from typing import Callable, Iterator

import numpy as np

_THIRD, _SQUEEZE = float(np.float32(1) / np.float32(3)), float(np.float32(0.0331))


class Stream:
    """Uniform and normal doubles from MT19937's words, one by one. `draw(state, n)` gives n words and the state after
    them."""

    def __init__(self, state: np.ndarray, draw: Callable, kept: float | None = None):
        self.state, self.draw, self.kept, self.taken = state, draw, kept, 0
        self.uniform = self._uniforms().__next__

    def _uniforms(self) -> Iterator[float]:
        """53 bits of two words each, the first word high."""
        state, chunk = self.state, 64
        while True:
            words, state = self.draw(state, 2 * chunk)
            high, low = words.astype(np.uint64).reshape(-1, 2).T
            for u in (((high << np.uint64(32) | low) & np.uint64((1 << 53) - 1)) * 2.0 ** -53).tolist():
                self.taken += 1
                yield u
            chunk = min(2 * chunk, 1 << 16)

    def normal(self) -> float:
        """Box-Muller's pairs: the cosine now, the sine is kept for the next call."""
        if self.kept is not None:
            value, self.kept = self.kept, None
            return value
        angle, u = 2 * math.pi * self.uniform(), self.uniform()
        radius = math.sqrt(-2 * math.log1p(-u))
        self.kept = radius * math.sin(angle)
        return radius * math.cos(angle)

    def after(self) -> np.ndarray:
        """The state after the words that were taken."""
        return self.draw(self.state, 2 * self.taken)[1]


def gamma_parameters(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d, exponent of the boost, 0 if there is none) of each concentration, in alpha's precision, then as doubles."""
    single = alpha.dtype != np.float64
    one, third = (np.float32(1), np.float32(_THIRD)) if single else (1.0, _THIRD)
    boosted = alpha < 1
    with np.errstate(divide="ignore"):
        exponent = np.where(boosted, one / alpha, 0)
    return (np.where(boosted, alpha + one, alpha) - third).astype(np.float64), exponent.astype(np.float64)


def gamma(d: float, exponent: float, stream: Stream) -> float:
    """A gamma number of concentration d + 1/3, or, for numbers of concentration below 1, of one less by a power of a
    uniform."""
    if math.isinf(exponent):
        return 0.0
    scale = (1 - stream.uniform()) ** exponent if exponent else 1.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = stream.normal()
        y = 1.0 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u, xx = 1 - stream.uniform(), x * x
        if u < 1.0 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1.0 - v + math.log(v)):
            return scale * d * v


def poisson(rate: float, uniform: Callable[[], float]) -> int:
    """A Poisson number: by products of uniforms below rate 10, else PTRS."""
    if rate == 0:
        return 0
    if rate < 10:
        floor, product, k = math.exp(-rate), uniform(), 0
        while product > floor:
            product *= uniform()
            k += 1
        return k
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha, v_r = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or us < 0.013 and v > us:
            continue
        height = (math.log(v) if v else -math.inf) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if height <= -rate + k * math.log(rate) - math.lgamma(k + 1):
            return k


def binomial(count: float, p: float, uniform: Callable[[], float]) -> float:
    """How many of `count` trials of probability p succeed."""
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return count
    if p != p:
        return math.nan
    if p > 0.5:
        return count - binomial(count, 1.0 - p, uniform)
    return _binomial_rejection(count, p, uniform) if count * p >= 10 else _binomial_inversion(count, p, uniform)


def _binomial_inversion(count: float, p: float, uniform: Callable[[], float]) -> float:
    """Geometric waiting times until they exceed the number of trials."""
    log_q, total, successes = math.log1p(-p), 0.0, 0.0
    while True:
        u = uniform()
        total += math.ceil(math.log(u) / log_q) if u else math.inf
        if total > count:
            return successes
        successes += 1


def _stirling_tail(k: float) -> float:
    """log k! less Stirling's approximation for it."""
    if k <= 9:
        return math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi))
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


def _binomial_rejection(count: float, p: float, uniform: Callable[[], float]) -> float:
    """BTRS, for count · p ≥ 10 and p ≤ 1/2."""
    deviation = math.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c, v_r, r = count * p + 0.5, 0.92 - 4.2 / b, p / (1 - p)
    alpha, m = (2.83 + 5.1 / b) * deviation, math.floor((count + 1) * p)
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = math.floor((2 * a / us + b) * u + c)
        if us >= 0.07 and v <= v_r:
            return float(k)
        if k < 0 or k > count:
            continue
        v = v * alpha / (a / (us * us) + b)
        height = ((m + 0.5) * math.log((m + 1) / (r * (count - m + 1)))
                  + (count + 1) * math.log((count - m + 1) / (count - k + 1))
                  + (k + 0.5) * math.log(r * (count - k + 1) / (k + 1))
                  + _stirling_tail(m) + _stirling_tail(count - m) - _stirling_tail(k) - _stirling_tail(count - k))
        if v == 0 or math.log(v) <= height:
            return float(k)
