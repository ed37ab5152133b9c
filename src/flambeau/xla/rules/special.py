"""Special functions. Those that executors see spelt out have no rule of their own (`primitives/special.py`)."""
from __future__ import annotations

from typing import Any, Callable

import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from . import plain


def _in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """As the interpreter's kernels: computed in float64 and rounded."""
    def rule(context: Any, *args: Any) -> Any:
        wide = [a.astype(jnp.float64) if hasattr(a, "dtype") else a for a in args]
        return function(*wide).astype(args[0].dtype)
    return rule


def _zeta(s: Any, q: Any) -> Any:
    """lax.zeta has NaN or infinity at the poles q = 0, -1, …, as s is odd or even; here that depends on s > 1."""
    is_pole = (q <= 0) & (q == jnp.floor(q))
    return jnp.where(s < 1, jnp.nan, jnp.where(is_pole, jnp.inf, lax.zeta(s, q)))


RULES = {
    "zeta": _in_float64(_zeta), "gammainc": _in_float64(lax.igamma), "gammaincc": _in_float64(lax.igammac),
    "i0": _in_float64(special.i0), "i1": _in_float64(special.i1), "i0e": _in_float64(lax.bessel_i0e), "i1e": _in_float64(lax.bessel_i1e),
    "gcd": plain(jnp.gcd), "frexp": plain(jnp.frexp),
}
HOST = ("polygamma", "bessel_k0", "bessel_k1", "bessel_k0e", "bessel_k1e", "airy_ai", "polynomial")
