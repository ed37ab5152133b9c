"""Which call made a program fail, where the user's program made that call, and what can be computed all the same.

A recorded call runs when something is observed, maybe many lines later. Where a program fails, its calls are run again one
by one: the first that fails says so in the words in which it would have failed at once, and names its own line. What does
not depend on a failed call keeps its value, as if the calls had run when they were made.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ..errors import Site, describe
from ..interpret import Interpreter
from .specialization import Specialization


def blame(error: Exception, records: Sequence[tuple], slots: list, sites: dict[int, Site],
          value: Callable[..., Any]) -> tuple[Exception, dict[int, Any]]:
    """`error` as the first failing call would have raised it, and the computed arrays and numbers by slot.

    value(type, array) makes a computed Value.
    """
    known: dict[int, Any] = {}
    reported: Exception | None = None
    next_slot = 0  # slots are numbered in order of appearance
    for number, (spec, *operands) in enumerate(records):
        for slot in operands:
            if slot >= next_slot:
                v = slots[slot]
                known[slot] = getattr(v, "buffer", v)
                next_slot = slot + 1
        try:
            if all(slot in known for slot in operands):
                known.update(enumerate(run_alone(spec, [known[slot] for slot in operands], value), next_slot))
        except Exception as found:
            if reported is None:
                site = sites.get(number)
                reported = error if site is None else located(found, spec.name, site).with_traceback(error.__traceback__)
        next_slot += len(spec.out_types)
    return reported or error, known


def run_alone(spec: Specialization, arrays: list[Any], value: Callable[..., Any]) -> list[np.ndarray]:
    """The results of one call on arrays and numbers, or the error with which it would have failed at once."""
    if spec.checks is not None:
        spec.checks([value(v.type, a) if isinstance(a, np.ndarray) else a for v, a in zip(spec.graph.inputs, arrays)])
    return Interpreter().prepare(spec.graph)(arrays)


def located(error: Exception, name: str, site: Site) -> Exception:
    """The error, with the line of the call in its message."""
    message = str(error.args[0]) if error.args else ""
    error.args = (f"{message}\n  raised by {name}, whose operands are computed only now; it was called in\n{describe(site)}", *error.args[1:])
    return error
