"""What each primitive is in `jax.lax`: RULES from names to rule(context, *arrays, *params), HOST names what the host computes.

One file for each family of `primitives/`. Half precision arrives as float32 (see `lowering`), except where data only move.
"""
from typing import Any, Callable


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that needs no context."""
    return lambda context, *args: function(*args)
