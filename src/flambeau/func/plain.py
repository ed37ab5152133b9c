"""`functionalize` and `debug_unwrap`: what is plain already, and what is beneath a transformation."""
from __future__ import annotations

import functools
from typing import Any, Callable

from ..runtime.transform import Batched, Dual, Transformed
from ..tensor.tensor import Tensor, make_tensor


def functionalize(func: Callable, *, remove: str = "mutations") -> Callable:
    """A function that does what func does, recorded without writes in place.

    Every recorded program is of that kind: writes through a tensor become new values when they are recorded. remove:
    'mutations' or 'mutations_and_views'. RuntimeError for anything else.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are:\n"
                           "     remove='mutations': all inplace and out= operators will be removed from the program, and replaced\n"
                           "         with their out-of-place equivalents.\n"
                           "     remove='mutations_and_views': In addition to the above, all aliasing operators {view} will be\n"
                           "         replaced with their non-aliasing counterparts, {view}_copy.\n")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)
    return wrapped


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """What a tensor inside a transformation stands for: the whole batch, or the value without its tangent; for looking at.

    recurse: through all transformations, or only the innermost.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected a Tensor, got {type(tensor).__name__}")
    value = tensor._value()
    if not isinstance(value, Transformed):
        return tensor
    while isinstance(value, (Batched, Dual)):
        value = value.physical if isinstance(value, Batched) else value.primal
        if not recurse:
            break
    return make_tensor(value)
