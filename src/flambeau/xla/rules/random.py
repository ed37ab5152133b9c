"""Random bits.

On the CPU the stream is MT19937, word for word that of the interpreter. On accelerators the same state is read as a key (words 0
and 1) and a counter (words 2 and 3) of Threefry-2x32 (Salmon et al. 2011), whose words can be made all at once.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..lowering import Context

N, M = 624, 397


def _half(y: Any) -> Any:
    return (y >> 1) ^ jnp.where(y & 1 == 1, jnp.uint32(0x9908B0DF), jnp.uint32(0))


def _twisted(old: Any) -> Any:
    """The next 624 words of the twister, in three pieces, each of which needs the ones before."""
    upper, lower = jnp.uint32(0x80000000), jnp.uint32(0x7FFFFFFF)
    mixed = _half((old[:-1] & upper) | (old[1:] & lower))
    k = N - M
    first = old[M:] ^ mixed[:k]
    second = first ^ mixed[k:2 * k]
    third = second[:N - 1 - 2 * k] ^ mixed[2 * k:]
    last = second[M - 1 - k] ^ _half((old[N - 1] & upper) | (first[0] & lower))
    return jnp.concatenate([first, second, third, last[None]])


def _tempered(y: Any) -> Any:
    y = y ^ (y >> 11)
    y = y ^ ((y << 7) & jnp.uint32(0x9D2C5680))
    y = y ^ ((y << 15) & jnp.uint32(0xEFC60000))
    return y ^ (y >> 18)


def _twister(state: Any, n: int) -> tuple[Any, Any]:
    words, position = state[:N], state[N].astype(jnp.int64)

    def step(block: Any, _: Any) -> tuple[Any, Any]:
        block = _twisted(block)
        return block, block
    _, later = lax.scan(step, words, None, length=-(-n // N))
    blocks = jnp.concatenate([words[None], later])
    drawn = lax.dynamic_slice(blocks.reshape(-1), (position,), (n,))
    at = (position + n - 1) // N  # the block of the last word drawn
    left = (position + n - at * N).astype(jnp.uint32)
    return _tempered(drawn), jnp.concatenate([lax.dynamic_index_in_dim(blocks, at, keepdims=False), left[None]])


def _threefry(state: Any, n: int) -> tuple[Any, Any]:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.wrap_key_data(state[:2], impl="threefry2x32"), state[2]), state[3])
    carry = state[2] + jnp.uint32(1)
    return jax.random.bits(key, (n,), jnp.uint32), state.at[2].set(carry).at[3].add((carry == 0).astype(jnp.uint32))


def _random_bits(context: Context, state: Any, n: int) -> tuple[Any, Any]:
    if not n:
        return jnp.zeros(0, jnp.uint32), state
    return _twister(state, n) if context.platform == "cpu" else _threefry(state, n)


RULES = {"random_bits": _random_bits}
HOST = ("random_permutation", "random_poisson", "random_binomial")  # each number depends on how many words those before took
