"""Random bits: PyTorch's CPU generator (MT19937) as pure functions from state to (bits, next state).

The state is uint32[625]: the 624 words of the twister and the position of the next word in them.
"""
from __future__ import annotations

import ctypes
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from ..dtypes import int64, uint32
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive
from .kernels import rejection
from .kernels.rejection import Stream

STATE = tensor_type(uint32, (625,))
_lock = threading.Lock()


@lru_cache(None)
def _twister() -> tuple[Any, np.ndarray]:
    """NumPy's twister, and its memory as the array of 624 words and the position that it is: the `state` property takes
    forty times as long as a draw. Made when something is drawn: `numpy.random` takes long to import."""
    twister = np.random.MT19937(0)
    return twister, np.frombuffer((ctypes.c_uint32 * 625).from_address(twister.ctypes.state_address), np.uint32)


def seeded_state(seed: int) -> np.ndarray:
    """MT19937 after init_genrand(low 32 bits of seed): 624 words, and the position 624 (none of them drawn)."""
    word = seed & 0xFFFFFFFF
    words = [word]
    for i in range(1, 624):
        word = (1812433253 * (word ^ word >> 30) + i) & 0xFFFFFFFF
        words.append(word)
    return np.array([*words, 624], np.uint32)


def _draw(state: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    with _lock:
        twister, memory = _twister()
        memory[:] = state
        return twister.random_raw(n).astype(np.uint32), memory.copy()


random_bits_p = Primitive("random_bits", lambda state, n: (tensor_type(uint32, (n,)), STATE), _draw, None, n_outputs=2,
                          kind="random")


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


random_permutation_p = Primitive("random_permutation", lambda state, n: (tensor_type(int64, (n,)), STATE),
                                 _permutation_kernel, None,
                                 n_outputs=2, kind="random")


def random_permutation(state: Var, n: int) -> tuple[Var, Var]:
    """A permutation of 0..n-1 by Fisher-Yates from the front (one word a swap), and the state after it."""
    return random_permutation_p((state,), n)


def _poisson_kernel(state, rates):
    stream = Stream(state, _draw)
    values = [rejection.poisson(rate, stream.uniform) for rate in rates.ravel().tolist()]
    return np.array(values, np.float64).reshape(rates.shape), stream.after()


poisson_p = Primitive("random_poisson", lambda state, rates: (rates, STATE), _poisson_kernel, None, n_outputs=2,
                      kind="random")


def random_poisson(state: Var, rates: Var) -> tuple[Var, Var]:
    """Poisson numbers of given float64 rates and the state after them; how many words are drawn depends on the
    values."""
    return poisson_p((state, rates))


def _binomial_kernel(state, counts, probabilities):
    stream = Stream(state, _draw)
    values = [rejection.binomial(n, p, stream.uniform) for n, p in zip(counts.ravel().tolist(),
                                                                       probabilities.ravel().tolist())]
    return np.array(values, np.float64).reshape(counts.shape), stream.after()


binomial_p = Primitive("random_binomial", lambda state, counts, probabilities: (counts, STATE), _binomial_kernel, None,
                       n_outputs=2,
                       kind="random")


def random_binomial(state: Var, counts: Var, probabilities: Var) -> tuple[Var, Var]:
    """Binomial numbers of given float64 counts and probabilities, and the state after them; see `random_poisson`."""
    return binomial_p((state, counts, probabilities))
