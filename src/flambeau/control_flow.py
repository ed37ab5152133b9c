"""Control flow and numbers as functions, which programs use that are also traced elsewhere: here they run as they stand."""
from __future__ import annotations

import builtins
import math
from typing import Any, Callable

from .tensor.tensor import Tensor

__all__ = ["cond", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sum", "while_loop"]


def cond(pred: Any, true_fn: Callable, false_fn: Callable, operands: tuple | list = ()) -> Any:
    """true_fn(*operands) if pred (a boolean, or a boolean tensor of one element) holds, else false_fn(*operands)."""
    if isinstance(pred, Tensor) and pred.numel() != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    return (true_fn if pred else false_fn)(*operands)


def while_loop(cond_fn: Callable, body_fn: Callable, carried_inputs: tuple | list) -> tuple:
    """Replaces the carried values by body_fn(*values) as long as cond_fn(*values) holds."""
    values = tuple(carried_inputs)
    while cond_fn(*values):
        values = tuple(body_fn(*values))
        if len(values) != len(carried_inputs):
            raise RuntimeError(f"body_fn should return {len(carried_inputs)} values, as many as it takes, but returned {len(values)}")
    return values


def sym_float(a: Any) -> float:
    """a as a float."""
    return builtins.float(a)


def sym_int(a: Any) -> int:
    """a rounded toward 0."""
    return math.floor(a) if a >= 0 else math.ceil(a)


def sym_not(a: Any) -> bool:
    """not a."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger number; a float if either is one."""
    return _like(max(a, b), a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number; a float if either is one."""
    return _like(min(a, b), a, b)


def _like(result: Any, a: Any, b: Any) -> Any:
    return float(result) if isinstance(a, float) or isinstance(b, float) else result


def sym_sum(*args: Any) -> Any:
    """The sum of the numbers, or of those in the one sequence that is given."""
    return sum(args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """t if b holds, else f: numbers of one type."""
    if not isinstance(b, bool) or type(t) is not type(f):
        raise AssertionError(f"expected a boolean and two numbers of one type, got {type(b).__name__}, {type(t).__name__} and "
                             f"{type(f).__name__}")
    return t if b else f
