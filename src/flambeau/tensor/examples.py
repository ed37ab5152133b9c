"""Functions that look at values, inside `vmap`: one example after another, or not at all."""
from __future__ import annotations

import functools
from typing import Any, Callable

from ..runtime.levels import running


def one_by_one(fn: Callable) -> Callable:
    """Decorates a function that computes on the host: inside `vmap` it does one example after another."""
    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        if running():
            from .transforms import in_turn
            return in_turn(fn, args, kwargs)
        return fn(*args, **kwargs)
    return function


def of_its_own_size(operator: str) -> Callable[[Callable], Callable]:
    """Decorates a function whose result has a size that depends on values: inside `vmap` an error that names PyTorch's operator."""
    def decorate(fn: Callable) -> Callable:
        @functools.wraps(fn)
        def function(*args: Any, **kwargs: Any) -> Any:
            if running():
                from .transforms import has_examples
                if has_examples((args, kwargs)):
                    raise RuntimeError("vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
                                       f"aten::{operator}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this "
                                       "feature.")
            return fn(*args, **kwargs)
        return function
    return decorate
