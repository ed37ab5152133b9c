"""`make_tensor`: a tensor of random values, as PyTorch's tests draw them."""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from ..tensor.tensor import Tensor


def _interval(dtype: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """The bounds of the values, checked and cut to what dtype holds; by default −9 … 9."""
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if dtype is torch.bool:
        default: tuple[int, int] = (0, 2)
        lowest: float = 0
        highest: float = 2
    elif whole:
        info = torch.iinfo(dtype)
        default, lowest, highest = (-9, 10), info.min, info.max + (dtype is not torch.int64)
    else:
        default, lowest, highest = (-9, 9), torch.finfo(dtype).min, torch.finfo(dtype).max
    low, high = default[0] if low is None else low, default[1] if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low!r} and high={high!r}")
    if low > high or low == high and whole:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high < lowest or low >= highest:
        raise ValueError(f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
                         f"[{lowest}, {highest})")
    low, high = min(max(low, lowest), highest), min(max(high, lowest), highest)
    return (math.ceil(low), math.ceil(high)) if whole else (low, high)


def _uniform(shape: tuple[int, ...], dtype: Any, low: float, high: float, device: Any) -> Tensor:
    result: Any = torch.empty(shape, dtype=dtype, device=device)
    values = torch.view_as_real(result) if dtype.is_complex else result
    # the width high − low may exceed the dtype's largest number
    limit = torch.finfo(dtype).max
    values.uniform_(low / 2, high / 2).mul_(2) if high - low >= limit else values.uniform_(low, high)
    return result


def make_tensor(*shape: Any, dtype: Any, device: Any, low: float | None = None, high: float | None = None, requires_grad: bool = False,
                noncontiguous: bool = False, exclude_zero: bool = False, memory_format: Any = None) -> Tensor:
    """A tensor of `shape` with values drawn evenly from [low, high): from −9 … 9 by default, as far as dtype holds them.

    noncontiguous: every second element of twice as many.  exclude_zero: zeros become 1, or the dtype's smallest number.
    memory_format: that of the result.
    Errors: ValueError for an empty interval or one outside the dtype's range, for requires_grad of integers, and for both
    noncontiguous and memory_format.
    """
    sizes = tuple(shape[0] if len(shape) == 1 and isinstance(shape[0], (list, tuple)) else shape)
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if noncontiguous and memory_format is not None:
        raise ValueError(f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got noncontiguous=True and "
                         f"memory_format={memory_format!r}")
    if requires_grad and whole:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype!r}")
    noncontiguous = noncontiguous and math.prod(sizes) > 1
    drawn = (*sizes[:-1], 2 * sizes[-1]) if noncontiguous else sizes
    low, high = _interval(dtype, low, high)
    result: Any = torch.randint(low, high, drawn, dtype=dtype, device=device) if whole else _uniform(drawn, dtype, low, high, device)
    if noncontiguous:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = 1 if whole else torch.finfo(dtype).tiny
    return result.requires_grad_(requires_grad)
