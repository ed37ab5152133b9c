"""The operations of `torch.masked`, each its plain counterpart on an input whose masked-out elements are its identity.

In all of them `mask` is a tensor that broadcasts to the input, True where elements count; None counts all.
"""
from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from ..nn import functional as F
from ..tensor.tensor import Tensor


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions counted from the front, in order; None and none mean all."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    found: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        n = max(ndim, 1)
        if not -n <= d < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})")
        if d % n in found:
            raise RuntimeError(f"dim={d % n} appears multiple times in the list of dims")
        found.append(d % n)
    return tuple(sorted(found))


def _lowest(dtype: Any) -> Any:
    return -math.inf if dtype.is_floating_point else torch.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return math.inf if dtype.is_floating_point else torch.iinfo(dtype).max


def _full_mask(input: Tensor, mask: Tensor) -> Tensor:
    """The mask in input's shape, as booleans."""
    if mask.ndim > input.ndim:
        raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
    return torch.broadcast_to(mask, input.shape).bool()


def _filled(input: Tensor, mask: Tensor | None, identity: Any) -> Tensor:
    """input with `identity` where it does not count."""
    return input if mask is None else torch.where(_full_mask(input, mask), input, torch.tensor(identity, dtype=input.dtype))


def _need_order(name: str, input: Tensor) -> None:
    if input.dtype in (torch.bool, torch.complex64, torch.complex128):
        raise NotImplementedError(f"identity of {name} on {input.dtype} input")


def _as(result: Tensor, dtype: Any) -> Tensor:
    return result if dtype is None else result.to(dtype)


# ------------------------------------------------------------------ sums and products

def sum(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The sum over `dim` (all by default); 0 where nothing counts. Integers become int64."""
    return torch.sum(_filled(input, mask, 0), _dims(dim, input.ndim), keepdim, dtype=dtype)


def prod(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The product over `dim` (all by default); 1 where nothing counts. Integers become int64."""
    result = _filled(input, mask, 1)
    if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
        dtype = torch.int64
    for d in reversed(_dims(dim, input.ndim)):
        result = result.prod(d, keepdim, dtype=dtype)
    return _as(result, dtype)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The running sum along `dim`, to which masked-out elements add nothing; in input's dtype."""
    return _running(torch.cumsum, input, 0, dim, dtype, mask)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The running product along `dim`, which masked-out elements leave as it is; in input's dtype."""
    return _running(torch.cumprod, input, 1, dim, dtype, mask)


def _running(scan: Any, input: Tensor, identity: int, dim: int, dtype: Any, mask: Tensor | None) -> Tensor:
    dtype = input.dtype if dtype is None else dtype
    return scan(_filled(input, mask, identity), _dims(dim, input.ndim)[0], dtype=dtype).to(dtype)


# ------------------------------------------------------------------ extremes

def amax(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The largest element over `dim` (all by default); −∞, or the smallest integer, where nothing counts."""
    _need_order("amax", input)
    return _as(torch.amax(_filled(input, mask, _lowest(input.dtype)), _dims(dim, input.ndim), keepdim), dtype)


def amin(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The smallest element over `dim` (all by default); ∞, or the largest integer, where nothing counts."""
    _need_order("amin", input)
    return _as(torch.amin(_filled(input, mask, _highest(input.dtype)), _dims(dim, input.ndim), keepdim), dtype)


def argmax(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The index of the largest element along `dim`, or in all; as a number of input's dtype."""
    _need_order("argmax", input)
    return torch.argmax(_filled(input, mask, _lowest(input.dtype)), dim, keepdim).to(dtype or input.dtype)


def argmin(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The index of the smallest element along `dim`, or in all; as a number of input's dtype."""
    _need_order("argmin", input)
    return torch.argmin(_filled(input, mask, _highest(input.dtype)), dim, keepdim).to(dtype or input.dtype)


# ------------------------------------------------------------------ statistics

def _count(input: Tensor, dims: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    ones = torch.ones(input.shape, dtype=torch.int64, device=input.device)
    return sum(ones, dims, keepdim=keepdim, mask=mask)


def mean(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The mean over `dim` (all by default) of what counts; NaN where nothing does. Integers need a floating `dtype`."""
    of = input.dtype if dtype is None else dtype
    if not (of.is_floating_point or of.is_complex):
        what = "Input" if dtype is None else "Optional"
        raise ValueError(f"mean(): Could not infer output dtype. {what} dtype must be either a floating point or complex dtype. Got: {of}")
    dims = _dims(dim, input.ndim)
    if mask is None:
        return torch.mean(input, dims, keepdim, dtype=dtype)
    return sum(input, dims, keepdim=keepdim, dtype=of, mask=mask) / _count(input, dims, keepdim, mask)


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The lower median along `dim` of what counts; NaN where nothing does, for integers a ValueError. dtype is ignored."""
    d = _dims(dim, input.ndim)[0]
    if input.dtype.is_floating_point:
        return torch.nanmedian(_filled(input, mask, math.nan), d, keepdim).values
    if mask is not None and not _full_mask(input, mask).any(d).all():
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    if mask is None:
        return torch.median(input, d, keepdim).values
    wide = torch.where(_full_mask(input, mask), input.double(), math.nan)
    return torch.nanmedian(wide, d, keepdim).values.to(input.dtype)


def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None, keepdim: bool = False,
        dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Σ |x − mean|² / (n − correction) over `dim` (all by default) of the n elements that count; correction is 1, or 0 if
    `unbiased` is False."""
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 0 if unbiased is False else 1
    if dtype is None:
        dtype = input.dtype if input.dtype.is_floating_point or input.dtype.is_complex else torch.float32
    dims = _dims(dim, input.ndim)
    x = input.to(dtype)
    half = dtype in (torch.float16, torch.bfloat16)
    wide = x.float() if half else x
    count = _count(input, dims, True, mask)
    d = wide - sum(wide, dims, keepdim=True, mask=mask) / count
    square = (d * d.conj()).real if dtype.is_complex else d * d
    total = sum(square, dims, keepdim=keepdim, mask=mask)
    result = total / torch.clamp_min(count.reshape(total.shape) - correction, 0)
    return result.to(dtype) if half or dtype.is_complex else result


def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None, keepdim: bool = False,
        dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The square root of `var`."""
    return torch.sqrt(var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask))


# ------------------------------------------------------------------ norms and exponentials

def norm(input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:
    """The ord-norm over `dim` (all by default) of what counts, as a vector."""
    identity = math.inf if ord == -math.inf else 0
    return torch.linalg.vector_norm(_filled(input, mask, identity), ord, _dims(dim, input.ndim), keepdim, dtype=dtype)


def normalize(input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """input / max(ord-norm along dim, eps); 0 where masked out."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled(input, mask, 0) / torch.clamp_min(size, eps)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """log Σ exp over `dim` (all by default) of what counts; in input's dtype."""
    lowest = -math.inf if input.dtype.is_complex else _lowest(input.dtype)
    result = torch.logsumexp(_filled(input, mask, lowest), _dims(dim, input.ndim), keepdim)
    return result.to(dtype or input.dtype)


def logaddexp(input: Tensor, other: Tensor, *, dtype: Any = None, input_mask: Tensor | None = None,
              other_mask: Tensor | None = None) -> Tensor:
    """log(exp(input) + exp(other)), each as −∞ where its mask is False."""
    return torch.logaddexp(_filled(input, input_mask, -math.inf), _filled(other, other_mask, -math.inf)).to(dtype or input.dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """exp(x) / Σ exp(x) along dim over what counts; 0 elsewhere, and NaN where nothing counts."""
    return F.softmax(_filled(input, mask, _lowest(input.dtype)), _dims(dim, input.ndim)[0], dtype=dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `softmax`."""
    return F.log_softmax(_filled(input, mask, _lowest(input.dtype)), _dims(dim, input.ndim)[0], dtype=dtype)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """`softmax` of −input."""
    return F.softmin(_filled(input, mask, _highest(input.dtype)), _dims(dim, input.ndim)[0], dtype=dtype)
