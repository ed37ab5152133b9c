# ruff: noqa: F821
"""Spread and order statistics: var, std, median, mode, quantile; covariance. Counting into bins is in
`histogram.py`."""
from __future__ import annotations

import warnings
from typing import Any, Callable

from .. import primitives as p
from .. import return_types
from ..dtypes import bfloat16, float16, float32, float64, int64
from ..ir.graph import Var
from ..tensor.op import op
from ..tensor.strides import laid_out
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .norms import root
from .reduction import count, dims_of, kept, not_implemented, pick, require_nonempty


# ------------------------------------------------------------------ variance

def _square(x: Var) -> Var:
    """|x|²."""
    return p.real(x) * p.real(x) + p.imag(x) * p.imag(x) if x.dtype.kind == "c" else x * x


def moments(name: str, input: Var, dim: Any, correction: Any) -> tuple[Var, Var, Var, tuple[int, ...]]:
    """(the input widened from half precision, its variance, its mean, the dimensions)."""
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"{name} only support floating point and complex dtypes" if "_" in name else
                           "std and var only support floating point and complex dtypes")
    x = p.cast(input, float32) if input.dtype in (float16, bfloat16) else input
    dims = dims_of(dim, x.ndim)
    n = count(x, dims)
    mean = p.div(p.reduce_sum(x, dims), n)
    squares = p.reduce_sum(_square(x - p.spread(mean, x, dims)), dims)
    free = max(0, n - (1 if correction is None else correction))
    return x, p.div(squares, free), mean, dims


def _warn_freedom(name: str) -> Callable:
    def check(input: Tensor, dim: Any, correction: Any, keepdim: bool) -> None:
        n = 1
        for d in dims_of(dim, input.ndim):
            n *= input.shape[d]
        if n <= (1 if correction is None else correction):
            warnings.warn(f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
                          "reduction factor (input numel "
                          "divided by output numel).", UserWarning, stacklevel=5)
    return check


def _arguments(input, dim=None, unbiased=None, keepdim=False, *, correction=None) -> tuple:
    """The overloads (dim, unbiased, keepdim), (dim, *, correction, keepdim) and (unbiased) as (input, dim, correction,
    keepdim)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    return input, dim, correction, keepdim


def _spread(name: str, grad_name: str, rooted: bool, with_mean: bool, doc: str) -> Callable:
    """Makes var, std, var_mean or std_mean."""
    @op(grad_name, name=name, check=_warn_freedom(name))
    def entry(input: Tensor, dim, correction, keepdim):
        x, variance, mean, dims = moments(name, input, dim, correction)
        spread = p.cast(kept(root(variance, 0.5) if rooted else variance, x, dims, keepdim), input.dtype.to_real())
        return (spread, p.cast(kept(mean, x, dims, keepdim), input.dtype)) if with_mean else spread

    def function(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if "axis" in kwargs:
            kwargs["dim"] = kwargs.pop("axis")
        if "keepdims" in kwargs:
            kwargs["keepdim"] = kwargs.pop("keepdims")
        return entry(*_arguments(*args, **kwargs), **({} if out is None else {"out": out}))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (f"{doc} over `dim` (all by default): {name}(input, dim=None, *, correction=1, "
                        "keepdim=False).\n\n"
                        "    `correction` is subtracted from the number of elements (`unbiased` says 1 or 0). Floating "
                        "and complex dtypes.")
    function.op = entry.op  # type: ignore[attr-defined]
    return function


var = _spread("var", "VarBackward0", False, False, "The variance")
std = _spread("std", "StdBackward0", True, False, "The standard deviation")
var_mean = _spread("var_mean", "VarMeanBackward0", False, True, "The variance and the mean")
std_mean = _spread("std_mean", "StdMeanBackward0", True, True, "The standard deviation and the mean")


# ------------------------------------------------------------------ median and mode

def _nan_count(sorted_x: Var, dim: int) -> Var:
    """How many elements along `dim` are NaN, with that dimension kept."""
    total = p.reduce_sum(p.cast(p.isnan(sorted_x), int64), (dim,))
    return p.reshape(total, tuple(1 if i == dim else s for i, s in enumerate(sorted_x.shape)))


def _median_index(x: Var, dim: int, skip_nan: bool) -> Var:
    """Where the lower median along `dim` is, without that dimension; the first NaN, if one counts."""
    values, order = p.sort(x, dim)
    n = x.shape[dim]
    shape = tuple(1 if i == dim else s for i, s in enumerate(x.shape))
    if x.dtype.kind != "f":
        rank = p.full(shape, (n - 1) // 2, int64, x.builder)
    else:
        missing = _nan_count(values, dim)
        if skip_nan:
            rank = p.floor_divide(p.maximum(n - 1 - missing, 0), 2)
        else:
            rank = p.select(p.gt(missing, 0), n - missing, (n - 1) // 2)
    return p.reshape(p.gather(order, rank, dim), x.shape[:dim] + x.shape[dim + 1:])


def _check_median(x: Var) -> None:
    if x.dtype.kind in "bc":
        raise not_implemented("median_cpu", x.dtype)


def _median_all(skip_nan: bool, x: Var) -> Var:
    """The median of all elements; those equal to it share its gradient."""
    if x.dtype.kind == "c":
        raise not_implemented("median_cpu", x.dtype)
    if not x.size:
        return p.constant(EMPTY_MEDIAN[x.dtype.kind](x), x.dtype, x.builder)
    _check_median(x)
    flat = p.reshape(x, (x.size,))
    value = p.stop_gradient(p.reshape(p.take(flat, _median_index(flat, 0, skip_nan), 0), ()))
    same = p.eq(*p.as_vars(flat, value))
    chosen = p.reduce_max(p.select(same, flat, p.broadcast_to(_low(flat), flat.shape)), (0,))
    if x.dtype.kind != "f":
        return chosen
    missing = p.isnan(flat)
    nan = p.div(p.reduce_sum(p.select(missing, flat, 0.0), (0,)), p.reduce_sum(p.cast(missing, x.dtype), (0,)))
    return p.select(p.isnan(value), nan, chosen)


def _least(x: Var) -> int:
    from .indexing import lowest
    return lowest(x)


# what the median of nothing is, for each kind of dtype
EMPTY_MEDIAN = {"f": lambda x: float("nan"), "b": lambda x: True, "i": _least, "u": _least}


def _low(x: Var) -> Var:
    from .indexing import lowest
    return p.constant(lowest(x), x.dtype, x.builder)


def _median_dim(skip_nan: bool, x: Var, dim: Any, keepdim: bool) -> tuple[Var, Var]:
    d = wrap_dim(dim, x.ndim)
    if x.ndim:
        require_nonempty("median", x, (d,))
    _check_median(x)
    if x.ndim == 0:
        return x, p.constant(0, int64, x.builder)
    return pick(x, _median_index(x, d, skip_nan), d, keepdim)


def _median(name: str, skip_nan: bool, returns: Any, doc: str) -> Callable:
    label = name.capitalize()

    @op(f"{label}Backward0", name=name)
    def whole(input: Tensor):
        return _median_all(skip_nan, input)

    @op(f"{label}Backward1", name=name, returns=returns)
    def along(input: Tensor, dim, keepdim=False):
        return _median_dim(skip_nan, input, dim, keepdim)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return along(input, *args, **kwargs) if args or kwargs.keys() - {"out"} else whole(input, **kwargs)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


median = _median("median", False, return_types.median,
                 "median(input): the median of all elements (the lower one of two). median(input, dim, keepdim=False): "
                 "(values, indices). NaN if there is one.")
nanmedian = _median("nanmedian", True, return_types.nanmedian, "`median` of what is not NaN.")


@op("ModeBackward0", returns=return_types.mode, strict_out="dtype")
def mode(input: Tensor, dim=-1, keepdim=False):
    """The most frequent value along `dim` (the smallest of equally frequent ones) and the index of its last
    occurrence."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim:
        require_nonempty("mode", input, (d,))
    if input.dtype.kind == "c":
        raise not_implemented("mode_cpu", input.dtype)
    if input.ndim == 0:
        return input, p.constant(0, int64, input.builder)
    values, order = p.sort(input, d)
    n = input.shape[d]
    before = p.slice_dim(values, d, 0, n - 1)
    starts = p.ne(p.slice_dim(values, d, 1, n), before)
    first = p.full(tuple(1 if i == d else s for i, s in enumerate(input.shape)), True, starts.dtype, input.builder)
    starts = p.concat([first, starts], d) if n > 1 else first
    at = p.index_along(values, d)
    run = at - p.cummax(p.select(starts, at, p.zeros_like(at)), d)[0]  # place in the run of equal values
    best = p.argmax(run, d)
    wide = p.reshape(best, first.shape)
    return pick(input, p.reshape(p.gather(order, wide, d), best.shape), d, keepdim)


# ------------------------------------------------------------------ quantiles

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(name: str) -> Callable:
    def check(input: Tensor, q: Any, *rest: Any) -> None:
        from ..tensor.indexing import known_array
        if not isinstance(q, Tensor):
            if not 0 <= q <= 1:
                raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q}")
            return
        array = known_array(q)
        if array is not None and not ((array >= 0) & (array <= 1)).all():
            raise RuntimeError("quantile() q values must be in the range [0, 1]")
    return check


def _quantile_input(input: Var, q: Var, interpolation: str) -> None:
    if not input.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if q.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if input.dtype not in (float32, float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if not q.type.weak and q.dtype is not input.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError("quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but "
                           f"got {interpolation}")


def _quantile(input: Var, q: Var, dim: Any, keepdim: bool, interpolation: str, skip_nan: bool) -> Var:
    _quantile_input(input, q, interpolation)
    q_shape = q.shape
    q = p.reshape(p.cast(q, input.dtype), (q.size,))
    x, d = (p.reshape(input, (input.size,)), 0) if dim is None else (input, wrap_dim(dim, input.ndim))
    x = x if x.ndim else p.reshape(x, (1,))
    x = p.permute(x, [i for i in range(x.ndim) if i != d] + [d])  # the reduced dimension comes last
    rest, n = x.shape[:-1], x.shape[-1]
    values = p.sort(x, x.ndim - 1)[0]
    at = _interpolated(values, _ranks(values, q, n, skip_nan), interpolation)
    at = p.permute(at, [at.ndim - 1, *range(at.ndim - 1)])  # q's dimension comes first
    if keepdim:
        rest = (1,) * input.ndim if dim is None else tuple(1 if i == d else s for i, s in enumerate(input.shape))
    return p.reshape(at, q_shape + rest)


def _ranks(values: Var, q: Var, n: int, skip_nan: bool) -> Var:
    """The (fractional) places q·(n−1) in sorted values, one along the last dimension for each q; a NaN's place where
    one counts."""
    last = values.ndim - 1
    shape = (*values.shape[:-1], q.size)
    missing = p.cast(_nan_count(values, last), values.dtype)
    q = p.broadcast_to(q, shape)
    if skip_nan:
        return q * p.maximum(n - 1 - missing, 0)
    return p.select(p.gt(missing, 0), float(n - 1), q * (n - 1))


def _interpolated(values: Var, rank: Var, interpolation: str) -> Var:
    """The sorted values at fractional places."""
    last = values.ndim - 1

    def at(place: Var) -> Var:
        return p.gather(values, p.cast(place, int64), last)
    if interpolation == "nearest":
        return at(p.round_even(rank))
    if interpolation == "higher":
        return at(p.ceil(rank))
    below = at(p.floor(rank))
    if interpolation == "lower":
        return below
    above = at(p.ceil(rank))
    weight = p.full(rank.shape, 0.5, rank.dtype, rank.builder) if interpolation == "midpoint" else rank - p.floor(rank)
    step = above - below
    near_below, near_above = below + step * weight, above - step * (1 - weight)
    # the two ends exactly, and no 0·inf where both are infinite
    blend = p.select(p.lt(weight, 0.5), near_below, near_above)
    return p.select(p.eq(above, below), below, blend)


def _places_first(out: Tensor, input: Tensor, q: Any, *args: Any, **kwargs: Any) -> list[int] | None:
    """The values of several q lie next to each other."""
    return [0, *range(out.ndim - 1, 0, -1)] if isinstance(q, Tensor) and q.ndim else None


@laid_out(_places_first)
@op("QuantileBackward0", check=_check_quantile("quantile"), strict_out="dtype")
def quantile(input: Tensor, q: Scalar, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-th quantiles (q in [0, 1], a number or a 1-D tensor, whose dimension comes first) over `dim`, or of all
    elements.

    interpolation: "linear", "lower", "higher", "midpoint" or "nearest", between two elements. NaN if there is one.
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


@laid_out(_places_first)
@op("NanquantileBackward0", check=_check_quantile("nanquantile"), strict_out="dtype")
def nanquantile(input: Tensor, q: Scalar, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of what is not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, True)


# ------------------------------------------------------------------ covariance

def _weights(name: str, w: Tensor | None, n: int, x: Tensor, integral: bool) -> Tensor | None:
    if w is None:
        return None
    if w.ndim > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {name} with {w.ndim} "
                           "dimensions")
    kind = w.dtype.kind in "iu" if integral else w.dtype.kind == "f"
    if not kind:
        raise RuntimeError(f"cov(): expected {name} to have {'integral' if integral else 'floating point'} dtype but "
                           f"got {name} with {w.dtype._legacy} dtype")
    if w.shape.numel() != n:
        raise RuntimeError(f"cov(): expected {name} to have the same numel as there are observations in the input but "
                           f"got {w.shape.numel()} != {n}")
    if n and bool((w < 0).any()):  # type: ignore[operator]
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return w


def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariance matrix of variables (rows) over observations (columns). fweights: how often each observation
    counts;
    aweights: how much."""
    if input.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} "
                           "dimensions")
    if input.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x: Any = input.reshape(1, -1) if input.ndim < 2 else input  # type: ignore[attr-defined]
    n = x.shape[1]
    frequency, importance = _weights("fweights", fweights, n, x, True), _weights("aweights", aweights, n, x, False)
    weights: Any = frequency
    if importance is not None:
        weights = importance if frequency is None else frequency * importance  # type: ignore[operator]
    total = n if weights is None else weights.sum()
    if weights is not None and n and bool(total == 0):
        raise ZeroDivisionError("cov(): weights sum to zero, can't be normalized")
    mean = (x if weights is None else x * weights).sum(1, keepdim=True) / total
    free: Any = total - correction
    if importance is not None and correction:
        free = total - correction * (weights * importance).sum() / total
    elif weights is None:
        free = max(free, 0)
    if weights is not None:
        free = free.clamp(min=0)
    if bool(free <= 0):
        warnings.warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of "
                      "observations.", UserWarning,
                      stacklevel=2)
    centered = x - mean
    scaled = centered if weights is None else centered * weights
    return (centered @ scaled.t().conj()).true_divide(free).squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """The correlation matrix of variables (rows) over observations (columns), its parts clipped to [−1, 1]."""
    if input.ndim > 2:
        raise RuntimeError("corrcoef(): expected input to have two or fewer dimensions but got an input with "
                           f"{input.ndim} dimensions")
    c: Any = cov(input)
    if c.ndim == 0:
        return c / c
    d = c.diagonal()
    size = (d.real if d.dtype.kind == "c" else d).sqrt()
    c = c / size.unsqueeze(1) / size.unsqueeze(0)
    if c.dtype.kind == "c":
        from .complex import complex as make_complex
        return make_complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1))
    return c.clamp(-1, 1)


METHODS = {f.__name__: f for f in (var, std, median, nanmedian, mode, quantile, nanquantile, cov, corrcoef)}
