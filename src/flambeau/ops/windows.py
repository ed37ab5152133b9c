"""Window functions: weights that taper a stretch of signal toward its ends."""
from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

from ..dtypes import dtype as dtype_class, get_default_dtype, narrow
from ..tensor.tensor import Tensor
from .conversion import as_dtype
from .creation import finished, from_array


def make_window(name: str, length: int, periodic: bool, weights: Callable[[np.ndarray, int], np.ndarray], dtype: Any, device: Any,
                requires_grad: bool) -> Tensor:
    """weights(0 … length − 1, last), where `last` is the index that mirrors index 0 (one beyond the end if periodic)."""
    dt = _window_dtype(name, length, dtype)
    if length <= 1:
        values = np.ones(length)
    else:
        values = weights(np.arange(length, dtype=np.float64), length if periodic else length - 1)
    return finished(lambda: from_array(narrow(np.ascontiguousarray(values), dt), dt), dt, dtype, None, device, requires_grad)


def _window_dtype(name: str, length: int, dtype: Any) -> dtype_class:
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    dt = get_default_dtype() if dtype is None else as_dtype(dtype)
    if dt.kind != "f":
        raise RuntimeError(f"{name} expects floating point dtypes, got: TensorOptions(dtype={dt.name}, device=cpu, layout=Strided)")
    return dt


def cosine_sum(*coefficients: float) -> Callable[[np.ndarray, int], np.ndarray]:
    """Σ (−1)^k a_k cos(2πk n / last)."""
    def weights(n, last):
        terms = [(-1) ** k * a * np.cos(2 * math.pi * k * n / last) for k, a in enumerate(coefficients)]
        return sum(reversed(terms))  # the small ones first
    return weights


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
                pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """½ − ½ cos(2πn/N); N is window_length, or window_length − 1 if not periodic."""
    return make_window("hann_window", window_length, periodic, cosine_sum(0.5, 0.5), dtype, device, requires_grad)


def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None,
                   layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """alpha − beta · cos(2πn/N)."""
    return make_window("hamming_window", window_length, periodic, cosine_sum(alpha, beta), dtype, device, requires_grad)


def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
                    pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """0.42 − 0.5 cos(2πn/N) + 0.08 cos(4πn/N)."""
    return make_window("blackman_window", window_length, periodic, cosine_sum(0.42, 0.5, 0.08), dtype, device, requires_grad)


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
                    pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """1 − |2n/N − 1|: a triangle with zeros at its ends."""
    return make_window("bartlett_window", window_length, periodic, lambda n, last: 1 - np.abs(2 * n / last - 1), dtype, device,
                       requires_grad)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, layout: Any = None,
                  device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """I₀(beta · √(1 − (2n/N − 1)²)) / I₀(beta)."""
    from ..primitives.kernels.bessel import i0

    def weights(n, last):
        return i0(beta * np.sqrt(np.maximum(1 - (2 * n / last - 1) ** 2, 0))) / i0(np.array([float(beta)]))
    return make_window("kaiser_window", window_length, periodic, weights, dtype, device, requires_grad)

