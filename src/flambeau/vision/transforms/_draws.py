"""The random numbers of the transforms: single draws from the default generator, as PyTorch's CPU functions make them.

An augmentation needs a few numbers for each image. Drawing them here, from the generator's own words, leaves the stream
exactly where `torch.rand(1)` and friends would, at a small part of the cost.
"""
from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

import flambeau as torch

UNIT = 2.0 ** -24  # float32 uniforms keep 24 bits of a word


def words(n: int) -> np.ndarray:
    """The next n 32-bit words (uint32) of the default generator."""
    return torch.default_generator.words(n)


def rand() -> float:
    """`torch.rand(1).item()`: uniform in [0, 1), a multiple of 2^-24."""
    return (int(words(1)[0]) & 0xFFFFFF) * UNIT


def happens(p: float) -> bool:
    """`torch.rand(1) < p`; p takes the draw's precision, float32."""
    return rand() < float(np.float32(p))


def uniform(low: float, high: float) -> float:
    """`torch.empty(1).uniform_(low, high).item()`."""
    return float(uniform_of(words(1), low, high)[0])


def uniform_of(bits: np.ndarray, low: float, high: float) -> np.ndarray:
    """float32 uniforms in [low, high) from one word each: x·(high - low) + low, rounded once."""
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    first, last = np.float32(low), np.float32(high)
    return ((bits & np.uint32(0xFFFFFF)) * UNIT * np.float64(last - first) + np.float64(first)).astype(np.float32)


def randint(low: int, high: int) -> int:
    """`torch.randint(low, high, (1,)).item()`: uniform in [low, high), high - low < 2^32."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return low + int(words(1)[0]) % (high - low)


def randperm(n: int) -> list[int]:
    """`torch.randperm(n).tolist()`: Fisher-Yates from the front, one word a swap."""
    order = list(range(n))
    for i, word in enumerate(words(n - 1).tolist() if n > 1 else ()):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return order


def multinomial(probabilities: np.ndarray) -> int:
    """`torch.multinomial(probabilities, 1).item()` of float32 probabilities: the largest of p / (exponential
    number)."""
    uniforms = np.array([torch.rand(1, dtype=torch.float64).item() for _ in probabilities])
    with np.errstate(divide="ignore"):
        return int(np.argmax(probabilities / -np.log1p(-uniforms).astype(np.float32)))


def rand_array(*shape: int) -> np.ndarray:
    """`torch.rand(shape)`, float32, as an array."""
    kept = (words(math.prod(shape)) & np.uint32(0xFFFFFF)).astype(np.float32)
    return (kept * np.float32(UNIT)).reshape(shape)


def log_uniform(ratio: Any) -> float:
    """exp of a uniform between the logarithms of two ratios, in float32 throughout."""
    low, high = (float(np.float32(math.log(float(np.float32(r))))) for r in ratio)
    return float(np.float32(math.exp(uniform(low, high))))


def _gamma(alpha: float) -> float:
    """A standard gamma number by the method of Marsaglia and Tsang (2000), in the order in which PyTorch draws."""
    scale = 1.0
    if alpha < 1.0:
        if alpha == 0.0:
            return 0.0
        scale = (1.0 - torch.rand(1, dtype=torch.float64).item()) ** (1.0 / alpha)
        alpha += 1.0
    d = alpha - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = 0.0
        while y <= 0.0:
            x = torch.randn(1, dtype=torch.float64).item()
            y = 1.0 + c * x
        v, u = y * y * y, 1.0 - torch.rand(1, dtype=torch.float64).item()
        if u < 1.0 - 0.0331 * x ** 4 or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return scale * d * v


def dirichlet(alphas: Sequence[float], n: int = 1) -> np.ndarray:
    """`torch._sample_dirichlet` of n equal rows of concentrations: float32 (n, len(alphas)), each row summing to 1."""
    tiny = float(np.finfo(np.float64).tiny)
    gammas = np.array([[max(_gamma(alpha), tiny) for alpha in alphas] for _ in range(n)])
    return (gammas / gammas.sum(-1, keepdims=True)).astype(np.float32)
