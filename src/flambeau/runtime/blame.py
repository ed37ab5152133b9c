"""Which call made a program fail, and where the user's program made that call.

A recorded call runs when something is observed, maybe many lines later. Where a program fails, its calls are run again one
by one: the first that fails says so in the words in which it would have failed at once, and names its own line.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ..errors import Site
from ..interpret import Interpreter
from .specialization import Specialization


def blame(error: Exception, records: Sequence[tuple], slots: list, sites: dict[int, Site], value: Callable[..., Any]) -> Exception:
    """`error` as the failing call would have raised it. value(type, array): makes a computed Value."""
    known: dict[int, Any] = {}
    next_slot = 0  # slots are numbered in order of appearance
    for number, (spec, *operands) in enumerate(records):
        for slot in operands:
            if slot not in known:
                v = slots[slot]
                known[slot] = getattr(v, "buffer", v)
                next_slot += 1
        try:
            results = _run_alone(spec, [known[slot] for slot in operands], value)
        except Exception as found:
            site = sites.get(number)
            if site is None:
                return error
            return _located(found, spec.name, site).with_traceback(error.__traceback__)
        known.update(enumerate(results, next_slot))
        next_slot += len(results)
    return error


def _run_alone(spec: Specialization, arrays: list[Any], value: Callable[..., Any]) -> list[np.ndarray]:
    if spec.checks is not None:
        spec.checks([value(v.type, a) if isinstance(a, np.ndarray) else a for v, a in zip(spec.graph.inputs, arrays)])
    return Interpreter().prepare(spec.graph)(arrays)


def _located(error: Exception, name: str, site: Site) -> Exception:
    message = str(error.args[0]) if error.args else ""
    error.args = (f"{message}\n  raised by {name}, whose operands are computed only now; it was called in\n{site}", *error.args[1:])
    return error
