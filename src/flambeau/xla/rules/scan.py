"""Recurrences."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..lowering import Context, lower


def _scan(context: Context, *args: Any) -> list[Any]:
    *arrays, body, n_carry, n_xs, length, reverse = args
    graph = body.expanded
    init, xs, shared = arrays[:n_carry], arrays[n_carry:n_carry + n_xs], arrays[n_carry + n_xs:]
    inner = Context(context.platform, context.precision, context.quick)
    run = lower(graph.nodes, graph.inputs, graph.outputs, inner)

    def step(carries: Any, rows: Any) -> Any:
        outs, noted = run(*carries, *rows, *shared)
        return outs[:n_carry], (outs, noted)
    _, (outs, noted) = jax.lax.scan(step, list(init), list(xs), length, reverse)
    for i, fault in enumerate(inner.faults):  # one that any step noted
        flags, values = noted[0][:, i], noted[1][:, i]
        context.fail_if(flags.any(), values[jnp.argmax(flags)], fault.error, fault.message)
    histories = [jnp.concatenate([h, a[None]] if reverse else [a[None], h]) for a, h in zip(init, outs)]
    return [*histories, *outs[n_carry:]]


RULES = {"scan": _scan}
