"""Random bits: PyTorch's CPU generator (MT19937) as pure functions from state to (bits, next state).

The state is uint32[625]: the 624 words of the twister and the position of the next word in them.
"""
from __future__ import annotations

import threading

import numpy as np

from ..dtypes import int64, uint32
from ..ir.graph import Var
from ..ir.types import tensor_type
from .base import Primitive

# NumPy's twister does the drawing; seeding a new one for each draw would cost more than the draw
_twister = np.random.MT19937(0)
_lock = threading.Lock()
STATE = tensor_type(uint32, (625,))


def _draw(state: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    with _lock:
        _twister.state = {"bit_generator": "MT19937", "state": {"key": state[:624], "pos": int(state[624])}}
        out = _twister.random_raw(n).astype(np.uint32) if n else np.empty(0, np.uint32)
        after = _twister.state["state"]
    return out, np.concatenate([after["key"], [after["pos"]]]).astype(np.uint32)


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
