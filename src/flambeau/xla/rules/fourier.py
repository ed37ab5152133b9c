"""Discrete Fourier transforms."""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from . import plain

# NumPy's `norm` by scale: it names by which transform carries the factor 1/N
_FORWARD = ("backward", "ortho", "forward")
_INVERSE = ("forward", "ortho", "backward")


def _c2c(x: Any, dims: tuple[int, ...], scale: int, forward: bool) -> Any:
    for dim in dims:
        x = jnp.fft.fft(x, axis=dim, norm=_FORWARD[scale]) if forward else jnp.fft.ifft(x, axis=dim, norm=_INVERSE[scale])
    return x


RULES = {
    "fft_c2c": plain(_c2c),
    "fft_r2c": plain(lambda x, dim, scale: jnp.fft.rfft(x, axis=dim, norm=_FORWARD[scale])),
    "fft_c2r": plain(lambda x, dim, n, scale: jnp.fft.irfft(x, n, axis=dim, norm=_INVERSE[scale])),
}
