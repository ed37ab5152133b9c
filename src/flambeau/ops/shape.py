"""Shape operations that copy: cat, stack and relatives."""
from __future__ import annotations

from .. import primitives as p
from ..tensor.op import op


@op("PermuteBackward0")
def permute_copy_dims(input: Tensor, dims):
    """A copy of input with its dimensions in the order `dims`."""
    return p.permute(input, dims)
