# ruff: noqa: F821
"""Scans along a dimension: cumsum, cumprod, cummax, cummin, logcumsumexp; differences and integrals of sampled
functions."""
from __future__ import annotations

from typing import Any, Sequence

from .. import primitives as p
from .. import return_types
from ..dtypes import bool_, int64
from ..ir.graph import Var
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim, wrap_dims
from .promotion import promoted
from .reduction import at_least_1d, integral_to_long, not_implemented
from .shape import join


def _scan(primitive, x: Var, dim: Any) -> Var:
    d = wrap_dim(dim, x.ndim)
    return primitive(x, d) if x.ndim else x


@op("CumsumBackward0", strict_out="dtype", typed_by_out=True)
def cumsum(input: Tensor, dim, *, dtype=None):
    """The sums of the elements up to each along `dim`. Integers and booleans give int64."""
    return _scan(p.cumsum, integral_to_long(input, dtype), dim)


@op("CumprodBackward0", strict_out="dtype", typed_by_out=True)
def cumprod(input: Tensor, dim, *, dtype=None):
    """The products of the elements up to each along `dim`. Integers and booleans give int64."""
    return _scan(p.cumprod, integral_to_long(input, dtype), dim)


@op("LogcumsumexpBackward0", strict_out="dtype")
def logcumsumexp(input: Tensor, dim):
    """log Σ exp of the elements up to each along `dim`."""
    if input.dtype.kind not in "fc":
        raise not_implemented("logcumsumexp_out_cpu", input.dtype)
    return _scan(p.logcumsumexp, input, dim)


def _running(primitive, x: Var, dim: Any) -> tuple[Var, Var]:
    d = wrap_dim(dim, x.ndim)
    if x.dtype.kind == "c":
        raise not_implemented("cummax_cpu", x.dtype)
    return primitive(x, d) if x.ndim and x.size else (x, p.full(x.shape, 0, int64, x.builder))


@op("CummaxBackward0", returns=return_types.cummax, strict_out="dtype")
def cummax(input: Tensor, dim):
    """(values, indices) of the largest element up to each along `dim`, the last of equals."""
    return _running(p.cummax, input, dim)


@op("CumminBackward0", returns=return_types.cummin, strict_out="dtype")
def cummin(input: Tensor, dim):
    """(values, indices) of the smallest element up to each along `dim`, the last of equals."""
    return _running(p.cummin, input, dim)


# ------------------------------------------------------------------ differences

@op("SubBackward0")
def diff(input: Tensor, n=1, dim=-1, prepend: Tensor | None = None, append: Tensor | None = None):
    """The differences of neighbours along `dim`, n times over; prepend and append are joined to input first."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    for extra in (prepend, append):
        if extra is not None and extra.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return input
    x = join([x for x in (prepend, input, append) if x is not None], d)
    for _ in range(min(n, x.shape[d])):
        size = x.shape[d]
        high, low = p.slice_dim(x, d, 1, size), p.slice_dim(x, d, 0, size - 1)
        x = p.bitwise_xor(high, low) if x.dtype is bool_ else high - low
    return x


def _spacings(name: str, x: Var, d: int, ndim: int, n: int) -> Var:
    """The steps between the sample points x, shaped to broadcast along dimension d of n samples."""
    if x.ndim == 1:
        if x.shape[0] != n:
            raise RuntimeError(f"{name}(): There must be one `x` value for each sample point")
        return p.reshape(_step(x, 0), tuple(n - 1 if i == d else 1 for i in range(ndim)))
    if x.ndim < ndim:
        x = p.reshape(x, (1,) * (ndim - x.ndim) + x.shape)
    if x.shape[d] != n:
        raise RuntimeError(f"{name}(): There must be one `x` value for each sample point")
    return _step(x, d)


def _step(x: Var, d: int) -> Var:
    return p.slice_dim(x, d, 1, x.shape[d]) - p.slice_dim(x, d, 0, x.shape[d] - 1)


def _neighbours(name: str, y: Var, x: Var | None, dim: Any) -> tuple[Var, Var, int]:
    """(the samples before, the samples after, the dimension), after the checks that the rules share."""
    d = wrap_dim(dim, y.ndim)
    if y.dtype is bool_ or x is not None and x.dtype is bool_:
        raise RuntimeError(f"{name}: received a bool input for `x` or `y`, but bool is not supported")
    y = at_least_1d(y)
    n = y.shape[d]
    return p.slice_dim(y, d, 0, max(n - 1, 0)), p.slice_dim(y, d, min(n, 1), n), d


def _times(a: Any, b: Any) -> Var:
    """The product in the common dtype."""
    return p.mul(*p.as_vars(*promoted(a, b)))


@op("MulBackward0", name="trapezoid")
def _trapezoid(y: Tensor, x: Tensor | None, dx: Scalar, dim):
    before, after, d = _neighbours("trapezoid", y, x, dim)
    n = at_least_1d(y).shape[d]
    if not n:
        return p.full(y.shape[:d] + y.shape[d + 1:], 0, y.dtype, y.builder)
    if x is not None:
        areas = _times(before + after, _spacings("trapezoid", x, d, y.ndim, n))
        return _times(p.reduce_sum(integral_to_long(areas, None), (max(d, areas.ndim - y.ndim + d),)), 0.5)
    total = p.reduce_sum(integral_to_long(at_least_1d(y), None), (d,))
    ends = p.slice_dim(at_least_1d(y), d, 0, 1) + p.slice_dim(at_least_1d(y), d, n - 1, n)
    inner, half = promoted(total, _times(p.reshape(ends, total.shape), 0.5))
    return _times(inner - half, dx)


@op("CumsumBackward0", name="cumulative_trapezoid")
def _cumulative_trapezoid(y: Tensor, x: Tensor | None, dx: Scalar, dim):
    before, after, d = _neighbours("cumulative_trapezoid", y, x, dim)
    if x is None or not before.size:
        areas = _times(_times(before + after, 0.5), dx)
        return p.cumsum(integral_to_long(areas, None), d)
    areas = _times(before + after, _spacings("cumulative_trapezoid", x, d, y.ndim, y.shape[d]))
    return _times(p.cumsum(integral_to_long(areas, None), max(d, areas.ndim - before.ndim + d)), 0.5)


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral along `dim` of samples y at places x, or dx apart, by the trapezoidal rule."""
    return _trapezoid(y, x, dx, dim)


def trapz(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral along `dim` of samples y at places x, or dx apart, by the trapezoidal rule."""
    return _trapezoid(y, x, dx, dim)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integrals up to each sample but the first, by the trapezoidal rule: see `trapezoid`."""
    return _cumulative_trapezoid(y, x, dx, dim)


# ------------------------------------------------------------------ gradient of sampled functions

def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Estimates of the partial derivatives along `dim` (all by default): central differences, second order accurate in
    the interior.

    spacing: the distance of samples (one number, or one a dimension), or their places (a 1-D tensor a dimension).
    edge_order: 1 or 2, the accuracy at the ends.
    """
    spacing = 1 if spacing is None else spacing
    dims = list(range(input.ndim)) if dim is None else list(wrap_dims(dim, input.ndim))
    single = isinstance(spacing, (int, float, complex)) or isinstance(spacing, Tensor) and spacing.ndim == 0
    steps: Sequence[Any] = [spacing] * len(dims) if single else [spacing]
    if not single and not isinstance(spacing, Tensor):
        steps = list(spacing)
    _check_gradient(input, dims, steps, dim, edge_order)
    return tuple([_derivative(input, step, d, edge_order) for step, d in zip(steps, dims)])


def _check_gradient(input: Tensor, dims: list[int], steps: Sequence[Any], dim: Any, edge_order: int) -> None:
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if input.dtype.kind == "u":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if len(steps) != len(dims):
        what = "input's number of dimensions" if dim is None else "dim's size"
        raise RuntimeError(f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
                           f"{len(dims)} ({what}), but got a list of length {len(steps)}")
    for step, d in zip(steps, dims):
        if input.shape[d] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
        if isinstance(step, Tensor) and step.ndim:
            if step.ndim != 1:
                raise RuntimeError("torch.gradient expected each element of spacing to have one dimension, but got an "
                                   f"element with {step.ndim} "
                                   "dimensions!")
            if step.shape[0] != input.shape[d]:
                raise RuntimeError("torch.gradient expected each element of spacing to have the same size as the "
                                   "corresponding dimension, but "
                                   f"got {step.shape[0]} and {input.shape[d]}")


def _derivative(x: Any, step: Any, d: int, edge_order: int) -> Tensor:
    """One partial derivative. With unequal steps h₀, h₁ the interior weights are −h₁/(h₀(h₀+h₁)), (h₁−h₀)/(h₀h₁),
    h₀/(h₁(h₀+h₁))."""
    from .shape import cat
    n = x.shape[d]

    def part(a: int, b: int) -> Any:
        return x.narrow(d, a, b)
    if not (isinstance(step, Tensor) and step.ndim):
        inner = (part(2, n - 2) - part(0, n - 2)) / (step * 2)
        if edge_order == 1:
            first, last = (part(1, 1) - part(0, 1)) / step, (part(n - 1, 1) - part(n - 2, 1)) / step
        else:
            first = (part(1, 1) * 4 - part(0, 1) * 3 - part(2, 1)) / (step * 2)
            last = (part(n - 1, 1) * 3 - part(n - 2, 1) * 4 + part(n - 3, 1)) / (step * 2)
        return cat([first, inner, last], d)
    shape = [-1 if i == d else 1 for i in range(x.ndim)]
    steps: Any = diff(step)
    h = steps.reshape(shape)
    h0, h1 = h.narrow(d, 0, n - 2), h.narrow(d, 1, n - 2)
    inner = (part(0, n - 2) * (-h1 / (h0 * (h0 + h1))) + part(1, n - 2) * ((h1 - h0) / (h0 * h1))
             + part(2, n - 2) * (h0 / (h1 * (h0 + h1))))
    a, b = steps[0], steps[-1]
    if edge_order == 1:
        return cat([(part(1, 1) - part(0, 1)) / a, inner, (part(n - 1, 1) - part(n - 2, 1)) / b], d)
    a1, b1 = steps[1], steps[-2]
    first = (part(0, 1) * (-(a * 2 + a1) / (a * (a + a1))) + part(1, 1) * ((a + a1) / (a * a1))
             + part(2, 1) * (-a / (a1 * (a + a1))))
    last = (part(n - 3, 1) * (b / (b1 * (b + b1))) + part(n - 2, 1) * (-(b + b1) / (b * b1))
            + part(n - 1, 1) * ((b * 2 + b1) / (b * (b + b1))))
    return cat([first, inner, last], d)


METHODS = {f.__name__: f for f in (cumsum, cumprod, cummax, cummin, logcumsumexp, diff)} | {
    "cumsum_": inplace(cumsum), "cumprod_": inplace(cumprod)}
