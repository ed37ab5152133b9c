"""Constants and broadcasting."""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from ...dtypes import dtype, narrow
from ..backend import array_type
from . import plain


def _full(value: Any, dt: dtype, _sign: bool) -> Any:
    stored = narrow(np.asarray(value, dtype=dt.wide if dt.encoded else dt.np), dt)
    return jnp.asarray(stored.view(array_type(dt)))


RULES = {
    "full": plain(_full),
    "iota": plain(lambda n, dt: jnp.arange(n, dtype=array_type(dt))),
    "broadcast_to": plain(jnp.broadcast_to),
}
HOST = ("no_derivative",)  # its kernel says that there is none
