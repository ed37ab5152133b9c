"""Random bits: PyTorch's CPU generator (MT19937) as pure functions from state to (bits, next state).

The state is uint32[625]: the 624 words of the twister and the position of the next word in them.
"""
from __future__ import annotations

import ctypes
import math
import threading

import numpy as np

from ..dtypes import int64, uint32
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive

# NumPy's twister does the drawing and seeding. Its memory is read and written as the array of 624 words and the position
# that it is: the `state` property takes forty times as long as a draw.
_twister = np.random.MT19937(0)
_seeder = np.random.RandomState(_twister)
_memory = np.frombuffer((ctypes.c_uint32 * 625).from_address(_twister.ctypes.state_address), np.uint32)
_lock = threading.Lock()
STATE = tensor_type(uint32, (625,))


def seeded_state(seed: int) -> np.ndarray:
    """MT19937 after init_genrand(low 32 bits of seed): 624 words, and the position 624 (none of them drawn)."""
    with _lock:
        _seeder.seed(seed & 0xFFFFFFFF)
        return _memory.copy()


def _draw(state: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    with _lock:
        _memory[:] = state
        return _twister.random_raw(n).astype(np.uint32), _memory.copy()


random_bits_p = Primitive("random_bits", lambda state, n: (tensor_type(uint32, (n,)), STATE), _draw, None, n_outputs=2, kind="random")


def random_bits(state: Var, n: int) -> tuple[Var, Var]:
    """The next n 32-bit words and the state after them."""
    return random_bits_p((state,), n)


def _permutation_kernel(state, n):
    words, after = _draw(state, max(n - 1, 0))
    order = np.arange(n, dtype=np.int64)
    if n > 1:
        at = (words.astype(np.int64) % (n - np.arange(n - 1))).tolist()
        items = order.tolist()
        for i, z in enumerate(at):
            items[i], items[i + z] = items[i + z], items[i]
        order = np.array(items, dtype=np.int64)
    return order, after


random_permutation_p = Primitive("random_permutation", lambda state, n: (tensor_type(int64, (n,)), STATE), _permutation_kernel, None,
                                 n_outputs=2, kind="random")


def random_permutation(state: Var, n: int) -> tuple[Var, Var]:
    """A permutation of 0..n-1 by Fisher-Yates from the front (one word a swap), and the state after it."""
    return random_permutation_p((state,), n)


def _doubles(state: np.ndarray, count: list[int]):
    """Uniform doubles one by one, 53 bits of two words each (the first word high); count[0] is how many were taken."""
    chunk = 64
    while True:
        words, state = _draw(state, 2 * chunk)
        high, low = words.astype(np.uint64).reshape(-1, 2).T
        for u in (((high << np.uint64(32) | low) & np.uint64((1 << 53) - 1)) * 2.0 ** -53).tolist():
            count[0] += 1
            yield u
        chunk *= 2


def _poisson_one(rate: float, uniforms) -> int:
    """One Poisson number: by products of uniforms below rate 10, else Hoermann's transformed rejection (1993)."""
    if rate == 0:
        return 0
    if rate < 10:
        floor, product, k = math.exp(-rate), next(uniforms), 0
        while product > floor:
            product *= next(uniforms)
            k += 1
        return k
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha, v_r = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = next(uniforms) - 0.5, next(uniforms)
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


def _poisson_kernel(state, rates):
    count = [0]
    uniforms = _doubles(state, count)
    values = [_poisson_one(rate, uniforms) for rate in rates.ravel().tolist()]
    return np.array(values, np.float64).reshape(rates.shape), _draw(state, 2 * count[0])[1]


poisson_p = Primitive("random_poisson", lambda state, rates: (rates, STATE), _poisson_kernel, None, n_outputs=2, kind="random")


def random_poisson(state: Var, rates: Var) -> tuple[Var, Var]:
    """Poisson numbers of given float64 rates and the state after them; how many words are drawn depends on the values."""
    return poisson_p((state, rates))
