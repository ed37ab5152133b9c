# ruff: noqa: F821
"""Reductions: sum, mean, prod, extrema, all and any. Statistics are in `statistics.py`, scans in `scan.py`."""
from __future__ import annotations

import builtins
from typing import Any, Callable, Sequence

import numpy as np

from .. import primitives as p
from .. import return_types
from ..dtypes import bfloat16, bool_, dtype as dtype_class, float16, float32, get_default_dtype, int64, uint8, uint64
from ..ir.graph import Var
from ..tensor.attributes import host_array
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..tensor.views import as_shape, wrap_dim, wrap_dims
from ..tensor.write import write_out
from .creation import from_array


def dims_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim` names: None and () mean all."""
    if dim is None or isinstance(dim, (tuple, list)) and not dim:
        return tuple(range(ndim))
    return tuple(d for d in wrap_dims(dim, ndim) if ndim)


def kept(x: Var, source: Var, dims: Sequence[int], keepdim: bool) -> Var:
    """x with the reduced dimensions kept as size 1, if asked."""
    return p.reshape(x, tuple(1 if i in dims else s for i, s in enumerate(source.shape))) if keepdim else x


def at_least_1d(x: Var) -> Var:
    """x, with a dimension of size 1 if it has none."""
    return x if x.ndim else p.reshape(x, (1,))


def count(x: Var, dims: Sequence[int]) -> int:
    """How many elements a reduction over `dims` combines."""
    n = 1
    for d in dims:
        n *= x.shape[d]
    return n


def integral_to_long(x: Var, dtype: dtype_class | None) -> Var:
    """x as what sums and products are made of: `dtype`, or int64 for integers and booleans."""
    return p.cast(x, dtype or (int64 if x.dtype.kind in "iub" else x.dtype))


def _numbered(name: str, first: int, dim_position: int = 1):
    """PyTorch's node name, whose number tells whether `dim` was given."""
    return lambda *args: f"{name}Backward{first if args[dim_position] is None else 1 - first}"


def not_implemented(kernel: str, dt: dtype_class) -> NotImplementedError:
    """PyTorch's error for a dtype that an operation does not take."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{dt._legacy}'")


def require_ordered(x: Var, kernel: str) -> None:
    if x.dtype.kind == "c":
        raise not_implemented(kernel, x.dtype)


def require_real(name: str, x: Var, booleans: bool = True) -> None:
    """RuntimeError for complex (or boolean) operands."""
    if x.dtype.kind == "c" or x.dtype is bool_ and not booleans:
        raise RuntimeError(f"{name}(): does not support {'bool' if x.dtype is bool_ else 'complex'} input")


def require_nonempty(name: str, x: Var, dims: Sequence[int]) -> None:
    """PyTorch's IndexErrors for extrema of nothing."""
    for d in dims:
        if x.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


# ------------------------------------------------------------------ sums and products

@op("SumToSizeBackward0")
def sum_to_size(input: Tensor, size):
    """Sums input down to `size`, which must be broadcastable to input's. Integers and booleans give int64 where they
    are summed."""
    size = tuple(size)
    return input if input.shape == size != () else p.sum_to(integral_to_long(input, None), size)


def _sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Sums self down to `size`; RuntimeError where size does not broadcast to self's."""
    size = as_shape(size)
    shape = self.shape
    if len(size) > len(shape) or builtins.any(a not in (1, b) for a, b in zip(reversed(size), reversed(shape))):
        raise RuntimeError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    return sum_to_size(self, size)


@op(_numbered("Sum", 0), strict_out="dtype", typed_by_out=True)
def sum(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim` (all by default). Integers and booleans give int64."""
    x = integral_to_long(input, dtype)
    dims = dims_of(dim, x.ndim)
    return kept(p.reduce_sum(x, dims), x, dims, keepdim)


@op(_numbered("Nansum", 0))
def nansum(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim`, with NaN counting as zero."""
    if input.dtype.kind == "c":
        raise RuntimeError("nansum on CPU does not support complex inputs")
    x = integral_to_long(input, dtype)
    dims = dims_of(dim, x.ndim)
    x = p.select(p.isnan(x), p.zeros_like(x), x)
    return kept(p.reduce_sum(x, dims), x, dims, keepdim)


@op(_numbered("Prod", 0), strict_out="dtype", typed_by_out=True)
def prod(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The product over one dimension `dim` (all by default). Integers and booleans give int64."""
    x = integral_to_long(input, dtype)
    dims = dims_of(dim, x.ndim)
    return kept(p.reduce_prod(x, dims), x, dims, keepdim)


def mean_of(x: Var, dims: Sequence[int]) -> Var:
    """The mean over `dims`; half precision is summed in float32."""
    wide = p.cast(x, float32) if x.dtype in (float16, bfloat16) else x
    total = p.reduce_sum(wide, dims)
    n = count(x, dims)
    return p.cast(p.div(total, n) if n else total * float("nan"), x.dtype)


def floating(name: str, x: Var, dtype: dtype_class | None) -> Var:
    """x as `dtype`; RuntimeError if that is not floating or complex."""
    if dtype is not None and dtype.kind not in "fc":
        raise RuntimeError(f"{name}(): could not infer output dtype. Optional dtype must be either a floating point or "
                           f"complex dtype. Got: {dtype._legacy}")
    if dtype is None and x.dtype.kind not in "fc":
        raise RuntimeError(f"{name}(): could not infer output dtype. Input dtype must be either a floating point or "
                           f"complex dtype. Got: {x.dtype._legacy}")
    return p.cast(x, dtype or x.dtype)


@op(_numbered("Mean", 0))
def mean(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` (all by default). RuntimeError for integers unless a floating `dtype` is given."""
    x = floating("mean", input, dtype)
    dims = dims_of(dim, x.ndim)
    return kept(mean_of(x, dims), x, dims, keepdim)


@op("DivBackward0")
def nanmean(input: Tensor, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` of what is not NaN."""
    if input.dtype.kind not in "fc":
        raise RuntimeError("nanmean(): expected input to have floating point or complex dtype but got "
                           f"{input.dtype._legacy}")
    if input.dtype.kind == "c":
        raise RuntimeError("nansum on CPU does not support complex inputs")
    x = p.cast(input, dtype or input.dtype)
    dims = dims_of(dim, x.ndim)
    missing = p.isnan(x)
    total = p.reduce_sum(p.select(missing, p.zeros_like(x), x), dims)
    return kept(p.div(total, p.reduce_sum(p.cast(p.logical_not(missing), x.dtype), dims)), x, dims, keepdim)


@op("LogsumexpBackward0")
def logsumexp(input: Tensor, dim, keepdim=False):
    """log Σ exp(input) over `dim`, shifted by the maximum so that it does not overflow. Integers give the default
    float."""
    x = input if input.dtype.kind in "fc" else p.cast(input, get_default_dtype())
    dims = dims_of(dim, x.ndim)
    if x.size == 0:
        return kept(p.log(p.reduce_sum(p.exp(x), dims)), x, dims, keepdim)
    top = p.stop_gradient(p.reduce_max(p.real(x), dims))
    top = p.select(p.eq(p.absolute(top), float("inf")), p.zeros_like(top), top)
    top = p.cast(top, x.dtype)
    total = p.reduce_sum(p.exp(x - p.spread(top, x, dims)), dims)
    return kept(p.log(total) + top, x, dims, keepdim)


# ------------------------------------------------------------------ truth and counting

def _logical(name: str, reduce, x: Var, dim: Any, keepdim: bool) -> Var:
    dims = () if dim == () else dims_of(dim, x.ndim)  # here () means no dimension, not all
    truth = reduce(x if x.dtype is bool_ else p.ne(x, 0), dims)
    return kept(p.cast(truth, uint8 if x.dtype is uint8 else bool_), x, dims, keepdim)


def _check_logical_out(name: str) -> Callable[..., None]:
    def check(out: Any, *args: Any) -> None:
        if isinstance(out, Tensor) and out.dtype not in (bool_, uint8):
            raise RuntimeError(f"{name} only supports bool tensor for result, got: {out.dtype._legacy}")
    return check


@op(None, check_out=_check_logical_out("all"))
def all(input: Tensor, dim=None, keepdim=False):
    """Whether every element along `dim` is true (not zero); True for none. uint8 gives uint8, else bool."""
    return _logical("all", p.reduce_prod, input, dim, keepdim)


@op(None, check_out=_check_logical_out("any"))
def any(input: Tensor, dim=None, keepdim=False):
    """Whether some element along `dim` is true (not zero); False for none. uint8 gives uint8, else bool."""
    return _logical("any", p.reduce_sum, input, dim, keepdim)


@op(None)
def count_nonzero(input: Tensor, dim=None):
    """How many elements along `dim` (all by default) are not zero, as int64."""
    return p.reduce_sum(p.cast(p.ne(input, 0), int64), dims_of(dim, input.ndim))


def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0, out: Tensor | None = None) -> Tensor:
    """The exclusive or, over `dim` (all by default), of the elements' 64-bit patterns (floats as float64), as
    uint64."""
    if mode != 0:
        raise RuntimeError(f"hash_tensor: Unknown HashMode: {mode}")
    if input.dtype.kind == "c":
        raise not_implemented("xor_sum_cpu", input.dtype)
    if out is not None and out.dtype is not uint64:
        raise RuntimeError(f"Expected result to be of dtype uint64, but got {out.dtype._legacy}")
    dims = dims_of(dim, input.ndim)
    array = host_array(input)
    if not array.size and dim in (None, ()):
        raise RuntimeError("hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the "
                           "reduction dim with the 'dim' argument.")
    wide = np.ascontiguousarray(array, np.float64 if input.dtype.kind == "f" else np.int64)
    bits = wide.view(np.uint64).reshape(array.shape)
    result = from_array(np.asarray(np.bitwise_xor.reduce(bits, axis=dims, keepdims=keepdim)), uint64, input)
    return result if out is None else write_out(result, out)


# ------------------------------------------------------------------ extrema

def _extremum(name: str, reduce, x: Var, dim: Any, keepdim: bool) -> Var:
    dims = dims_of(dim, x.ndim)
    if x.size == 0 and dim in (None, ()):
        raise RuntimeError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                           "reduction dim with the "
                           "'dim' argument.")
    require_nonempty(name, x, dims)
    require_ordered(x, f"{name[1:]}_values_cpu")
    return kept(_reduce_bool(reduce, x, dims), x, dims, keepdim)


def _reduce_bool(reduce, x: Var, dims: Sequence[int]) -> Var:
    """An extremum that also takes booleans, where the largest is 'any' and the smallest 'all'."""
    if x.dtype is bool_:
        reduce = p.reduce_sum if reduce is p.reduce_max else p.reduce_prod
    return reduce(x, dims)


@op("AmaxBackward0", strict_out="dtype")
def amax(input: Tensor, dim=(), keepdim=False):
    """The largest value over `dim` (all by default). Equal values share the gradient."""
    return _extremum("amax", p.reduce_max, input, dim, keepdim)


@op("AminBackward0", strict_out="dtype")
def amin(input: Tensor, dim=(), keepdim=False):
    """The smallest value over `dim` (all by default). Equal values share the gradient."""
    return _extremum("amin", p.reduce_min, input, dim, keepdim)


@op("AminmaxBackward0", returns=return_types.aminmax, strict_out="dtype")
def aminmax(input: Tensor, *, dim=None, keepdim=False):
    """The smallest and the largest value over one dimension (all by default), as (min, max)."""
    if input.dtype.kind == "c":
        raise not_implemented("aminmax_cpu", input.dtype)
    dims = dims_of(dim, input.ndim)
    if dim is None and input.size == 0:
        raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
                           "identity.")
    require_nonempty("aminmax", input, dims)
    return tuple(kept(_reduce_bool(f, input, dims), input, dims, keepdim) for f in (p.reduce_min, p.reduce_max))


def pick(x: Var, index: Var, dim: int, keepdim: bool) -> tuple[Var, Var]:
    """(values, indices) where `index` has x's shape without `dim`."""
    shape = tuple(1 if i == dim else s for i, s in enumerate(x.shape))
    wide = p.reshape(index, shape)
    values = p.gather(x, wide, dim)
    return (values, wide) if keepdim else (p.reshape(values, index.shape), index)


def _arg_extremum(name: str, find, x: Var, dim: Any, keepdim: bool) -> tuple[Var, Var]:
    d = wrap_dim(dim, x.ndim)
    if x.ndim:
        require_nonempty(name, x, (d,))
    require_real(name, x)
    if x.ndim == 0:
        return x, p.constant(0, int64, x.builder)
    return pick(x, find(x, d), d, keepdim)


def _all_extremum(name: str, reduce, x: Var) -> Var:
    if x.size == 0:
        raise RuntimeError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                           "reduction dim with the "
                           "'dim' argument.")
    require_ordered(x, f"{name}_all")
    return _reduce_bool(reduce, x, tuple(range(x.ndim)))


@op("MaxBackward1", name="max")
def _max_all(input: Tensor):
    return _all_extremum("max", p.reduce_max, input)


@op("MinBackward1", name="min")
def _min_all(input: Tensor):
    return _all_extremum("min", p.reduce_min, input)


@op("MaxBackward0", name="max", returns=return_types.max, strict_out="dtype")
def _max_dim(input: Tensor, dim, keepdim=False):
    return _arg_extremum("max", p.argmax, input, dim, keepdim)


@op("MinBackward0", name="min", returns=return_types.min, strict_out="dtype")
def _min_dim(input: Tensor, dim, keepdim=False):
    return _arg_extremum("min", p.argmin, input, dim, keepdim)


def _dispatch(whole, along, pairwise: str, args: tuple, kwargs: dict) -> Any:
    """torch.max(input), torch.max(input, dim, keepdim) or torch.max(input, other)."""
    if len(args) + len(kwargs.keys() - {"out"}) == 1:
        return whole(*args, **kwargs)
    other = kwargs.get("other", args[1] if len(args) > 1 else None)
    if isinstance(other, (Tensor, Var)):
        from . import arithmetic
        return getattr(arithmetic, pairwise)(*args, **kwargs)
    return along(*args, **kwargs)


def max(input, *args, **kwargs):
    """max(input): the largest value. max(input, dim, keepdim=False): (values, indices) along dim, the first of equals.
    max(input, other): the elementwise maximum."""
    return _dispatch(_max_all, _max_dim, "maximum", (input, *args), kwargs)


def min(input, *args, **kwargs):
    """min(input): the smallest value. min(input, dim, keepdim=False): (values, indices) along dim, the first of equals.
    min(input, other): the elementwise minimum."""
    return _dispatch(_min_all, _min_dim, "minimum", (input, *args), kwargs)


def _arg(name: str, find, x: Var, dim: Any, keepdim: bool) -> Var:
    require_real(name, x, booleans=False)
    if dim is None:
        if x.size == 0:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                             "reduction dim with "
                             "the 'dim' argument.")
        index = find(p.reshape(x, (x.size,)), 0)
        return p.reshape(index, (1,) * x.ndim) if keepdim else index
    d = wrap_dim(dim, x.ndim)
    if x.ndim:
        require_nonempty(name, x, (d,))
    return kept(find(x, d), x, (d,), keepdim) if x.ndim else p.constant(0, int64, x.builder)


@op(None, strict_out="dtype")
def argmax(input: Tensor, dim=None, keepdim=False):
    """The index of the largest value along `dim`, the first of equals; without dim, in the flattened input."""
    return _arg("argmax", p.argmax, input, dim, keepdim)


@op(None, strict_out="dtype")
def argmin(input: Tensor, dim=None, keepdim=False):
    """The index of the smallest value along `dim`, the first of equals; without dim, in the flattened input."""
    return _arg("argmin", p.argmin, input, dim, keepdim)


METHODS = {f.__name__: f for f in (
    sum, nansum, prod, mean, nanmean, logsumexp, all, any, count_nonzero, amax, amin, aminmax, max, min, argmax, argmin,
    hash_tensor)} | {"sum_to_size": _sum_to_size}
