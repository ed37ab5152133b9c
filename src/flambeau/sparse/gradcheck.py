"""`as_sparse_gradcheck`: checks of gradients for functions of sparse tensors."""
from __future__ import annotations

import functools
from typing import Any, Callable

from ..tensor.tensor import Tensor
from .base import Unstrided


def as_sparse_gradcheck(gradcheck: Callable) -> Callable:
    """gradcheck for functions that take or return sparse tensors: it sees the values of the inputs (at their positions, as
    with masked=True), and strided outputs."""

    @functools.wraps(gradcheck)
    def checked(func: Callable, inputs: Any, *args: Any, **kwargs: Any) -> bool:
        kwargs.pop("masked", None)
        given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
        leaves = [_values_of(x) if isinstance(x, Unstrided) else x for x in given]

        def strided(*values: Any) -> Any:
            results = func(*[x._with(v) if isinstance(x, Unstrided) else v for x, v in zip(given, values)])
            if isinstance(results, (tuple, list)):
                return tuple(_dense(r) for r in results)
            return _dense(results)
        return gradcheck(strided, tuple(leaves), *args, **kwargs)
    return checked


def _values_of(x: Unstrided) -> Tensor:
    return x._values_tensor.detach().requires_grad_(x.requires_grad)  # type: ignore[attr-defined]


def _dense(x: Any) -> Any:
    return x.to_dense() if isinstance(x, Unstrided) else x
