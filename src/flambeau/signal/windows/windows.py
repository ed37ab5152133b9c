"""Windows of M points. sym=True mirrors them (for filter design); sym=False makes them periodic (for spectra).

In the formulas N is M − 1 for symmetric windows and M for periodic ones. dtype: float32 or float64, the default dtype if
None. Errors: ValueError for a negative M or another dtype.
"""
from __future__ import annotations

import math
from typing import Any, Callable, Iterable

import numpy as np

from ...dtypes import float32, float64, get_default_dtype
from ...ops.creation import finished, from_array
from ...ops.windows import cosine_sum
from ...primitives.kernels.bessel import i0
from ...tensor.layout import strided
from ...tensor.tensor import Tensor


def _window(name: str, M: int, sym: bool, weights: Callable[[np.ndarray, int], np.ndarray], dtype: Any, layout: Any, device: Any,
            requires_grad: bool) -> Tensor:
    """weights(0 … M − 1, N); a single point has weight 1."""
    dt = get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dt not in (float32, float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dt}")
    if not isinstance(M, int):
        raise TypeError(f"{name}(): M must be int, not {type(M).__name__}")
    values = np.ones(M) if M <= 1 else weights(np.arange(M, dtype=np.float64), M - 1 if sym else M)
    return finished(lambda: from_array(np.asarray(values, dt.np), dt), dt, None, None, device, requires_grad)


def general_cosine(M, *, a: Iterable, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
                   requires_grad: bool = False) -> Tensor:
    """Σ (−1)^k a_k cos(2πkn/N)."""
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    coefficients = tuple(a)
    if not coefficients:
        raise ValueError("Coefficients cannot be empty")
    return _window("general_cosine", M, sym, cosine_sum(*coefficients), dtype, layout, device, requires_grad)


def general_hamming(M, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
                    requires_grad: bool = False) -> Tensor:
    """alpha − (1 − alpha) cos(2πn/N)."""
    return general_cosine(M, a=(alpha, 1 - alpha), sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hamming(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
            requires_grad: bool = False) -> Tensor:
    """0.54 − 0.46 cos(2πn/N)."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
         requires_grad: bool = False) -> Tensor:
    """½ − ½ cos(2πn/N)."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def blackman(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """0.42 − 0.5 cos(2πn/N) + 0.08 cos(4πn/N)."""
    return general_cosine(M, a=(0.42, 0.5, 0.08), sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def nuttall(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
            requires_grad: bool = False) -> Tensor:
    """The four-term cosine window with the least side lobes (Nuttall 1981, IEEE Trans. ASSP 29)."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), sym=sym, dtype=dtype, layout=layout, device=device,
                          requires_grad=requires_grad)


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """1 − |2n/N − 1|: a triangle with zeros at its ends."""
    return _window("bartlett", M, sym, lambda n, last: 1 - np.abs(2 * n / last - 1), dtype, layout, device, requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
           requires_grad: bool = False) -> Tensor:
    """sin(π(n + ½)/(N + 1))."""
    return _window("cosine", M, sym, lambda n, last: np.sin(math.pi * (n + 0.5) / (last + 1)), dtype, layout, device, requires_grad)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = strided,
                device: Any = None, requires_grad: bool = False) -> Tensor:
    """exp(−|n − center|/tau); the centre is N/2, and may be given only for sym=False. Errors: ValueError for tau <= 0."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def weights(n, last):
        return np.exp(-np.abs(n - (last / 2 if center is None else center)) / tau)
    return _window("exponential", M, sym, weights, dtype, layout, device, requires_grad)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """exp(−((n − N/2)/std)²/2). Errors: ValueError for std <= 0."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window("gaussian", M, sym, lambda n, last: np.exp(-((n - last / 2) / std) ** 2 / 2), dtype, layout, device, requires_grad)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
           requires_grad: bool = False) -> Tensor:
    """I₀(beta √(1 − (2n/N − 1)²)) / I₀(beta). Errors: ValueError for beta < 0."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def weights(n, last):
        return i0(beta * np.sqrt(np.maximum(1 - (2 * n / last - 1) ** 2, 0))) / i0(np.array([float(beta)]))
    return _window("kaiser", M, sym, weights, dtype, layout, device, requires_grad)
