"""Random bits.

On XLA's CPU the host draws them, from the stream that it has anyway. On accelerators the state is read as a key (words 0 and 1) and a
counter (words 2 and 3) of Threefry-2x32 (Salmon et al. 2011), whose words can be made all at once.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..lowering import Context

def _threefry(state: Any, n: int) -> tuple[Any, Any]:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.wrap_key_data(state[:2], impl="threefry2x32"), state[2]), state[3])
    carry = state[2] + jnp.uint32(1)
    return jax.random.bits(key, (n,), jnp.uint32), state.at[2].set(carry).at[3].add((carry == 0).astype(jnp.uint32))


def _random_bits(context: Context, state: Any, n: int) -> tuple[Any, Any]:
    return _threefry(state, n) if n else (jnp.zeros(0, jnp.uint32), state)


RULES = {"random_bits": _random_bits}
HOST = ("random_permutation", "random_poisson", "random_binomial")  # each number depends on how many words those before took
HOST_OF_CPU = ("random_bits",)  # the twister, compiled by XLA, costs half a second for each draw of a program
