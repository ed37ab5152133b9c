"""Orthogonal polynomials by three-term recurrence (DLMF 18.9): p_{n+1} = (a_n x + b_n) p_n − c_n p_{n−1}."""
from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np


class Family(NamedTuple):
    """first: (a, b) of p_1 = a x + b; p_0 is 1. step: n → (a_n, b_n, c_n)."""

    first: tuple[float, float]
    step: Callable[[int], tuple[float, float, float]]


FAMILIES = {
    "chebyshev_t": Family((1, 0), lambda n: (2, 0, 1)),
    "chebyshev_u": Family((2, 0), lambda n: (2, 0, 1)),
    "chebyshev_v": Family((2, -1), lambda n: (2, 0, 1)),
    "chebyshev_w": Family((2, 1), lambda n: (2, 0, 1)),
    "hermite_h": Family((2, 0), lambda n: (2, 0, 2 * n)),
    "hermite_he": Family((1, 0), lambda n: (1, 0, n)),
    "laguerre_l": Family((-1, 1), lambda n: (-1 / (n + 1), (2 * n + 1) / (n + 1), n / (n + 1))),
    "legendre_p": Family((1, 0), lambda n: ((2 * n + 1) / (n + 1), 0, n / (n + 1))),
}


def polynomial(x: np.ndarray, n: np.ndarray, name: str) -> np.ndarray:
    """The polynomial of degree n (truncated to an integer; 0 for negative n) at x."""
    family = FAMILIES[name]
    x, degree = np.broadcast_arrays(x, np.trunc(n))
    result = np.where(degree == 0, 1.0, np.where(degree == degree, 0.0, np.nan))
    highest = int(np.max(degree, initial=0, where=np.isfinite(degree)))
    a, b = family.first
    previous, here = np.ones_like(x), a * x + b
    for k in range(1, highest + 1):
        result = np.where(degree == k, here, result)
        a, b, c = family.step(k)
        previous, here = here, (a * x + b) * here - c * previous
    return result
