"""Counting into bins: histc, histogram, histogramdd, bincount. None of them is differentiable; the host computes
them."""
from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from .. import return_types
from ..dtypes import dtype as dtype_class, float32, float64, int64, narrow, widen
from ..tensor.attributes import host_array
from ..tensor.examples import one_by_one
from ..tensor.tensor import Tensor
from .creation import from_array
from .reduction import not_implemented


def _finished(result: np.ndarray, dt: dtype_class, input: Tensor, out: Any = None) -> Tensor:
    t = from_array(np.ascontiguousarray(narrow(result, dt)), dt, input)
    if out is None:
        return t
    from ..tensor.write import write_out
    return write_out(t, out)


def _values(t: Tensor) -> np.ndarray:
    """The host's values, half precision as float32."""
    x = host_array(t)
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _bounds(name: str, x: np.ndarray, low: Any, high: Any) -> tuple[Any, Any]:
    """The outer edges: the given ones, or those of the data where they are equal."""
    kind = x.dtype.type
    low, high = kind(low), kind(high)
    if high < low:
        raise RuntimeError(f"{name}: max must be larger than min")
    if low == high and x.size:
        low, high = np.minimum.reduce(x), np.maximum.reduce(x)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low == high:
        low, high = low - kind(1), high + kind(1)
    return low, high


def _uniform_bins(x: np.ndarray, low: Any, high: Any, bins: int, dt: dtype_class) -> np.ndarray:
    """The bin of each element of x, all of which lie inside; the last bin includes its upper edge. Each step is rounded to dt."""
    def rounded(values: Any) -> Any:
        return widen(narrow(np.asarray(values, x.dtype), dt), dt).astype(x.dtype)
    place = rounded(rounded(rounded(x - low) * rounded(bins)) / rounded(high - low))
    return np.minimum(place.astype(np.int64), bins - 1)


@one_by_one
def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0, *, out: Any = None) -> Tensor:
    """How many elements lie in each of `bins` equal bins from min to max (from the smallest to the largest if both are
    0)."""
    if input.dtype.kind != "f":
        raise not_implemented("histogram_cpu", input.dtype)
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    x = _values(input).reshape(-1)
    low, high = _bounds("torch.histc", x, *widen(narrow(np.array([min, max], x.dtype), input.dtype), input.dtype))
    if min != max:  # else the outer edges are those of the data
        x = x[(x >= low) & (x <= high)]
    return _finished(np.bincount(_uniform_bins(x, low, high, bins, input.dtype), minlength=bins), input.dtype, input, out)


def _edges(x: np.ndarray, bins: Any, ends: Any, kind: Any) -> np.ndarray:
    """The bin edges of one dimension: given ones, or equal bins over `ends` or over the data."""
    if isinstance(bins, Tensor):
        return _values(bins).astype(kind)
    if bins <= 0:
        raise RuntimeError(f"torch.histogramdd(): bins must be > 0, but got {bins} for dimension 0")
    if ends is None:
        low, high = (x.min(), x.max()) if x.size else (kind(0), kind(0))
        if low == high:
            low, high = low - kind(0.5) if x.size else kind(0), high + kind(0.5) if x.size else kind(1)
    else:
        low, high = ends
        if not low <= high:
            raise RuntimeError(f"torch.histogramdd(): min should not exceed max, but got min {low} max {high} for "
                               "dimension 0")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"torch.histogramdd(): range [{low}, {high}] is not finite")
    return _linspace(low, high, int(bins) + 1, kind)


def _linspace(low: Any, high: Any, n: int, kind: Any) -> np.ndarray:
    """n equally spaced numbers, counted from both ends towards the middle as PyTorch does."""
    step = (kind(high) - kind(low)) / kind(n - 1)
    i = np.arange(n)
    rising, falling = kind(low) + step * i.astype(kind), kind(high) - step * (n - 1 - i).astype(kind)
    return np.where(i < n // 2, rising, falling).astype(kind)


def _histogram(points: np.ndarray, edges: Sequence[np.ndarray], weight: np.ndarray | None, density: bool) -> np.ndarray:
    """Counts (or weights) of points (N, D) in the cells of a grid; a density divides by total and cell size."""
    shape = tuple(len(e) - 1 for e in edges)
    inside = np.ones(len(points), bool)
    cell = np.zeros(len(points), np.int64)
    for d, e in enumerate(edges):
        x = points[:, d]
        with np.errstate(invalid="ignore"):
            inside &= (x >= e[0]) & (x <= e[-1])
        cell = cell * shape[d] + np.clip(np.searchsorted(e, x, "right") - 1, 0, shape[d] - 1)
    weights = None if weight is None else weight.reshape(-1)[inside].astype(np.float64)
    hist = np.bincount(cell[inside], weights, minlength=int(np.prod(shape))).reshape(shape).astype(points.dtype)
    if density:
        volume = np.ones((), points.dtype)
        for d, e in enumerate(edges):
            volume = volume * np.diff(e).reshape((-1,) + (1,) * (len(edges) - 1 - d))
        with np.errstate(all="ignore"):
            hist = hist / hist.sum() / volume
    return hist


def _check_histogram(input: Tensor, weight: Tensor | None, bins: Sequence[Any]) -> None:
    if input.dtype.kind != "f":
        raise not_implemented("histogramdd", input.dtype)
    for b in bins:
        if isinstance(b, Tensor):
            if b.dtype is not input.dtype:
                raise RuntimeError("torch.histogramdd(): input tensor and bins tensors should have the same dtype, but "
                                   "got input with dtype "
                                   f"{input.dtype._legacy} and bins with dtype {b.dtype._legacy}")
            if b.ndim != 1:
                raise RuntimeError(f"torch.histogramdd(): bins tensor should have one dimension, but got {b.ndim} "
                                   "dimensions in the bins "
                                   "tensor for dimension 0")
            if b.shape[0] == 0:
                raise RuntimeError("torch.histogramdd(): bins tensor should have at least 1 element, but got 0 "
                                   "elements in the bins tensor for dimension 0")
    if weight is not None and weight.dtype is not input.dtype:
        raise RuntimeError("torch.histogramdd(): if weight tensor is provided, input tensor and weight tensor should "
                           "have the same dtype, "
                           f"but got input({input.dtype._legacy}), and weight({weight.dtype._legacy})")


@one_by_one
def histogram(input: Tensor, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None,
              density: bool = False, out: Any = None) -> return_types.histogram:
    """(hist, bin_edges) of all elements: `bins` equal bins over `range` (or the data), or the bins between given edges.

    weight: what each element counts for. density: hist integrates to 1.
    """
    _check_histogram(input, weight, [bins])
    if weight is not None and weight.shape != input.shape:
        raise RuntimeError("torch.histogramdd(): if weight tensor is provided it should have the same shape as the "
                           "input tensor excluding "
                           f"its innermost dimension, but got input with shape {list(input.shape)} and weight with "
                           f"shape {list(weight.shape)}")
    x = _values(input).reshape(-1, 1)
    edges = _edges(x, bins, range, x.dtype.type)
    hist = _histogram(x, [edges], None if weight is None else _values(weight), density)
    result = return_types.histogram((_finished(hist, input.dtype, input), _finished(edges, input.dtype, input)))
    if out is None:
        return result
    from ..tensor.write import write_out
    return write_out(result, out)


@one_by_one
def histogramdd(input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False) \
        -> return_types.histogramdd:
    """(hist, bin_edges) of the points in input (…, D): an array of D dimensions and a tuple of D edge tensors; see
    `histogram`."""
    if input.ndim < 2:
        raise RuntimeError("torch.histogramdd(): input tensor should have at least 2 dimensions")
    dims = input.shape[-1]
    each = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(each) != dims:
        raise RuntimeError(f"torch.histogramdd(): expected {dims} sequences of bin edges for a {dims}-dimensional "
                           f"histogram but got {len(each)}")
    _check_histogram(input, weight, each)
    if range is not None and len(range) != 2 * dims:
        raise RuntimeError(f"torch.histogramdd(): for a {dims}-dimensional histogram range should have {2 * dims} "
                           f"elements, but got {len(range)}")
    x = _values(input).reshape(-1, dims)
    ends = [None] * dims if range is None else [tuple(range[2 * d:2 * d + 2]) for d in np.arange(dims)]
    edges = [_edges(x[:, d], b, e, x.dtype.type) for d, (b, e) in enumerate(zip(each, ends))]
    hist = _histogram(x, edges, None if weight is None else _values(weight), density)
    return return_types.histogramdd((_finished(hist, input.dtype, input), tuple([_finished(e, input.dtype, input) for e in edges])))


@one_by_one
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often (or with what total weight) each number 0, 1, … occurs in a 1-D tensor of integers."""
    if input.dtype.kind not in "iu":
        raise not_implemented("bincount_cpu", input.dtype)
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    x = host_array(input)
    if x.ndim != 1 or x.size and x.min() < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return from_array(np.bincount(x.astype(np.int64), minlength=minlength).astype(np.int64), int64, input)
    if weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    dt = float32 if weights.dtype is float32 else float64
    return _finished(np.bincount(x.astype(np.int64), host_array(weights).astype(np.float64), minlength), dt, input)


METHODS = {"histc": histc, "histogram": histogram, "bincount": bincount}
