"""The common norm of tensors in parts."""
from __future__ import annotations

import math
from typing import Any, Callable, Sequence

from ...ops.creation import filled
from ...tensor.tensor import Tensor
from .._collectives import all_reduce
from .._reduce_op import ReduceOp
from ._api import DTensor


def norm_of_parts(tensors: Sequence[DTensor], order: float, norm: Callable[[list[Tensor], float], Tensor]) -> Tensor:
    """The `order`-norm of all elements of tensors that lie on the same processes. norm: the same for ordinary tensors.

    Every process has to call this. Errors: ValueError for order 0 and below.
    """
    if order <= 0:
        raise ValueError(f"the norm of order {order} of tensors in parts is not there; orders above 0 are")
    parts = [part for t in tensors if (part := t.to_local()).shape.numel()]
    total: Any = norm(parts, order) if parts else filled((), 0, tensors[0].dtype)
    group = tensors[0].device_mesh._group_of_parts()
    if math.isinf(order):
        all_reduce(total, ReduceOp.MAX, group)
        return total
    total = total ** order
    all_reduce(total, group=group)
    return total ** (1 / order)
