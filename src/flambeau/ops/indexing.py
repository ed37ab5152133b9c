# ruff: noqa: F821
"""Reading and writing at positions: gather, scatter, index_*, take, put. Masks and `nonzero` are in `masking.py`.

Positions that are out of range raise at the call where their values are known then, else when the program runs.
"""
from __future__ import annotations

from typing import Any, Callable

from .. import primitives as p
from ..dtypes import bool_, can_cast, int32, int64
from ..ir.graph import Var
from ..tensor import indexing
from ..tensor.indexing import first_outside
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from ..warning import warn_once
from .reduction import at_least_1d

# ------------------------------------------------------------------ ranges

def _range_check(error: type[Exception], words: str, negative: bool = False) -> Callable:
    """A check for ops called as (input, dim, index, …). `words` may name {index}, {dim} and {size}."""
    def check(input: Tensor, dim: int, index: Tensor, *rest: Any) -> None:
        shape = input._geometry()[0]
        d = wrap_dim(dim, len(shape))
        size = shape[d] if shape else 1
        bad = first_outside(index, -size if negative else 0, size)
        if bad is not None:
            raise error(words.format(index=bad, dim=d, size=size))
    return check


OUT_OF_BOUNDS = "index {index} is out of bounds for dimension {dim} with size {size}"


def positions(name: str, index: Var) -> Var:
    """An index operand as int64; RuntimeError for other dtypes than int32 and int64."""
    if index.dtype not in (int32, int64):
        raise RuntimeError(f"{name}: Expected dtype int32/int64 for index")
    return p.cast(index, int64)


# ------------------------------------------------------------------ gather and scatter

def _same_rank(index: Var, x: Var, what: str) -> None:
    if index.size and max(index.ndim, 1) != max(x.ndim, 1):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as {what} tensor")


@op("GatherBackward0", check=_range_check(RuntimeError, OUT_OF_BOUNDS), strict_out=True)
def gather(input: Tensor, dim, index: Tensor, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on. index may be smaller than input in the other
    dimensions."""
    d = wrap_dim(dim, input.ndim)
    if not index.size:
        return p.full(index.shape, 0, input.dtype, input.builder)
    at = positions("gather()", index)
    _same_rank(at, input, "input")
    x, wide = at_least_1d(input), at_least_1d(at)
    for k, (n, limit) in enumerate(zip(wide.shape, x.shape)):
        if k != d and n > limit:
            raise RuntimeError(f"Size does not match at dimension {k} expected index {list(at.shape)} to be no larger "
                               f"than self {list(x.shape)} apart from dimension {d}")
    return p.reshape(p.gather(x, wide, d), at.shape)


def _check_sizes(x: Var, index: Var, source: Var | None, dim: int) -> None:
    too_big = any(k != dim and n > limit for k, (n, limit) in enumerate(zip(index.shape, x.shape)))
    if source is None:
        if too_big:
            raise RuntimeError(f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart "
                               f"from dimension {dim}")
    elif too_big or any(n > limit for n, limit in zip(index.shape, source.shape)):
        raise RuntimeError(f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart from "
                           f"dimension {dim} and to be no larger size than src {list(source.shape)}")


def scattered(name: str, x: Var, dim: Any, index: Var, source: Var, mode: str) -> Var:
    """x with `source` (a Var of x's dtype, or a number) set at or combined with the elements at `index` along dim."""
    d = wrap_dim(dim, x.ndim)
    at = positions(name, index)
    number = source.type.weak
    if not number and source.dtype is not x.dtype:
        raise RuntimeError(f"{name}: Expected self.dtype to be equal to src.dtype")
    if not at.size:
        return x
    _same_rank(at, x, "self")
    if not number and max(at.ndim, 1) != max(source.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    wide, at = at_least_1d(x), at_least_1d(at)
    if number:
        _check_sizes(wide, at, None, d)
        source = p.broadcast_to(p.cast(source, x.dtype), at.shape)
    else:
        source = at_least_1d(source)
        _check_sizes(wide, at, source, d)
    return p.reshape(p.scatter(wide, at, source, d, mode), x.shape)


_scatter_check = _range_check(RuntimeError, OUT_OF_BOUNDS)


def _scatter_name(input, dim, index, src, reduce) -> str:
    return "NotImplemented" if reduce is not None else "ScatterBackward1" if src.type.weak else "ScatterBackward0"


@op(_scatter_name, name="scatter", check=_scatter_check, strict_out="dtype")
def _scatter(input: Tensor, dim, index: Tensor, src: Scalar, reduce):
    modes = {None: "set", "add": "add", "multiply": "mul"}
    if reduce not in modes:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return scattered("scatter()", input, dim, index, src, modes[reduce])


def _scatter_arguments(input, dim, index, src=None, *, value=None, reduce=None) -> tuple:
    source = value if src is None else src
    if source is None:
        raise TypeError('scatter() missing 1 required positional arguments: "src"')
    if reduce is not None and isinstance(source, Tensor):
        warn_once("The reduce argument of torch.scatter with Tensor src is deprecated and will be removed in a future "
                  "PyTorch release. Use torch.scatter_reduce instead for more reduction options.", 4)
    return input, dim, index, source, reduce


def scatter(*args: Any, out: Any = None, **kwargs: Any) -> Tensor:
    """scatter(input, dim, index, src or value, *, reduce=None): a copy of input with out[index[i][j]][j] = src[i][j]
    for dim 0, and so on. `src` may be a number. reduce "add" or "multiply" combines instead of replacing."""
    return _scatter(*_scatter_arguments(*args, **kwargs), **({} if out is None else {"out": out}))


_scatter_inplace = inplace(_scatter)


def scatter_(*args: Any, **kwargs: Any) -> Tensor:
    """`scatter`, in place."""
    return _scatter_inplace(*_scatter_arguments(*args, **kwargs))


@op("ScatterAddBackward0", check=_scatter_check, strict_out="dtype")
def scatter_add(input: Tensor, dim, index: Tensor, src: Tensor):
    """input with src[i][j] added to the element [index[i][j]][j] for dim 0, and so on. Repeated positions add up."""
    return scattered("scatter()", input, dim, index, src, "add")


def lowest(x: Var) -> Any:
    """The smallest value of x's dtype."""
    import numpy as np
    return float("-inf") if x.dtype.kind == "f" else False if x.dtype.kind == "b" else int(np.iinfo(x.dtype.np).min)


def highest(x: Var) -> Any:
    """The largest value of x's dtype."""
    import numpy as np
    return float("inf") if x.dtype.kind == "f" else True if x.dtype.kind == "b" else int(np.iinfo(x.dtype.np).max)


def reduce_at(x: Var, source: Var, reduce: str, include_self: bool, write: Callable[[Var, Var, str], Var]) -> Var:
    """x combined with `source` by sum, prod, mean, amax or amin; write(x, source, mode) does it at the positions.

    Without include_self what x holds at the positions is replaced by the operation's neutral element first.
    """
    modes = {"sum": "add", "mean": "add", "prod": "mul", "amax": "max", "amin": "min"}
    neutral = {"prod": lambda: 1, "amax": lambda: lowest(x), "amin": lambda: highest(x)}.get(reduce, lambda: 0)()
    start = x if include_self else write(x, p.full(source.shape, neutral, x.dtype, x.builder), "set")
    result = write(start, source, modes[reduce])
    if reduce != "mean":
        return result
    ones = p.full(source.shape, 1, x.dtype if x.dtype.kind in "fc" else int64, x.builder)
    counts = p.full(x.shape, 1 if include_self else 0, ones.dtype, x.builder)
    counts = write(counts, ones, "add")
    counts = p.cast(p.select(p.eq(counts, 0), p.ones_like(counts), counts), x.dtype)
    return p.div(result, counts) if x.dtype.kind in "fc" else p.floor_divide(result, counts)


@op("ScatterReduceBackward0", check=_scatter_check, strict_out="dtype")
def scatter_reduce(input: Tensor, dim, index: Tensor, src: Tensor, reduce, *, include_self=True):
    """input combined with src[i][j] at [index[i][j]][j] for dim 0, and so on, by "sum", "prod", "mean", "amax" or
    "amin".

    include_self=False leaves out what input holds at those positions.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    d = wrap_dim(dim, input.ndim)
    scattered("scatter()", input, dim, index, src, "set")  # for its errors; dead code otherwise
    if not index.size:
        return input
    x, at, source = at_least_1d(input), at_least_1d(p.cast(index, int64)), at_least_1d(src)
    source = p.slice_(source, (0,) * at.ndim, at.shape)
    out = reduce_at(x, source, reduce, include_self, lambda a, s, mode: p.scatter(a, at, s, d, mode))
    return p.reshape(out, input.shape)


# ------------------------------------------------------------------ index_*: whole slices along one dimension

def _select_index(input, dim, index, *rest) -> None:
    shape = input._geometry()[0]
    size = shape[wrap_dim(dim, len(shape))] if shape else 1
    if first_outside(index, 0, size) is not None:
        raise IndexError("index out of range in self")


@op("IndexSelectBackward0", check=_select_index, strict_out=True)
def index_select(input: Tensor, dim, index: Tensor):
    """The slices number index[0], index[1], … of input along `dim`, as a copy."""
    d = wrap_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype not in (int32, int64):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    at = at_least_1d(p.cast(index, int64))
    if input.ndim == 0:
        if at.size != 1:
            raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {at.size} value(s)")
        return p.reshape(p.take(at_least_1d(input), at, 0), ())
    return p.take(input, at, d)


def _vector_index(name: str, index: Var) -> Var:
    if index.ndim > 1:
        raise IndexError(f"{name}: Index is supposed to be a vector, but got dim: {index.ndim} with type: "
                         f"{index.dtype._legacy} and size: {list(index.shape)}")
    if index.dtype not in (int32, int64):
        raise RuntimeError(f"{name}: Expected dtype int32/int64 for index but got: {index.dtype._legacy}")
    return at_least_1d(p.cast(index, int64))


def _slices(name: str, x: Var, d: int, at: Var, source: Var) -> tuple[Var, Var]:
    """x and source with at least one dimension, after the checks that index_add and index_reduce share."""
    if source.dtype is not x.dtype:
        raise RuntimeError(f"{name}: self ({x.dtype._legacy}) and source ({source.dtype._legacy}) must have the same "
                           "scalar type")
    if d >= max(source.ndim, 1):
        raise RuntimeError(f"{name}: Indexing dim {d} is out of bounds of the source tensor with dim {source.ndim}")
    wide, source_wide = at_least_1d(x), at_least_1d(source)
    if source_wide.shape[d] != at.size:
        raise RuntimeError(f"{name}: Number of indices ({at.size}) should be equal to source.size(dim): "
                           f"({source_wide.shape[d]}), for dim: {d}")
    if wide.shape[:d] + wide.shape[d + 1:] != source_wide.shape[:d] + source_wide.shape[d + 1:]:
        raise RuntimeError("source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                           "self.shape = "
                           f"{list(x.shape)} source.shape = {list(source.shape)}")
    return wide, source_wide


@op("IndexAddBackward0", check=_range_check(RuntimeError, OUT_OF_BOUNDS), strict_out="dtype")
def index_add(input: Tensor, dim, index: Tensor, source: Tensor, *, alpha: Scalar = 1):
    """input with alpha · source's slice i added to its slice number index[i] along `dim`. Repeated positions add up."""
    d = wrap_dim(dim, input.ndim)
    at = _vector_index("index_add_()", index)
    x, source = _slices("index_add_()", input, d, at, source)
    if isinstance(alpha, Var):
        source = p.mul(source, p.cast(alpha, x.dtype))
    return p.reshape(p.put(x, at, source, d, "add"), input.shape)


@op("IndexReduceBackward0", name="index_reduce", check=_select_index, strict_out="dtype")
def combine_slices(input: Tensor, dim, index: Tensor, source: Tensor, reduce, include_self):
    """`index_reduce`, without its warning."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    d = wrap_dim(dim, input.ndim)
    at = _vector_index("index_reduce_()", index)
    x, source = _slices("index_reduce_()", input, d, at, source)
    out = reduce_at(x, source, reduce, include_self, lambda a, s, mode: p.put(a, at, s, d, mode))
    return p.reshape(out, input.shape)


def _warn_beta() -> None:
    warn_once("index_reduce() is in beta and the API may change at any time.", 4)


def index_reduce(input, dim, index, source, reduce, *, include_self=True, out=None):
    """input with source's slices combined, by "prod", "mean", "amax" or "amin", into its slices number index[i] along
    `dim`."""
    _warn_beta()
    return combine_slices(input, dim, index, source, reduce, include_self, **({} if out is None else {"out": out}))


_index_reduce_inplace = inplace(combine_slices)


def index_reduce_(self, dim, index, source, reduce, *, include_self=True):
    """`index_reduce`, in place."""
    _warn_beta()
    return _index_reduce_inplace(self, dim, index, source, reduce, include_self)


@op("IndexCopyBackward0", check=_range_check(IndexError, "index_copy_(): " + OUT_OF_BOUNDS), strict_out="dtype")
def index_copy(input: Tensor, dim, index: Tensor, source: Tensor):
    """input with its slices number index[i] along `dim` replaced by those of source."""
    d = wrap_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    count = index.size
    if source.ndim == 0 and count != 1:
        raise IndexError(f"index_copy_(): When source is scalar, index should have one element (got {count})")
    if source.ndim != input.ndim and source.ndim and input.ndim:
        raise IndexError("index_copy_(): When source and destination are not scalars, their dimensionality must match. "
                         "Source "
                         f"dimensionality ({source.ndim}), destination dimensionality ({input.ndim})")
    if index.dtype is not int64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {index.dtype._legacy}")
    if source.dtype is not input.dtype:
        raise RuntimeError(f"index_copy_(): self and source expected to have the same dtype, but got (self) "
                           f"{input.dtype._legacy} and (source) {source.dtype._legacy}")
    x, at, source = at_least_1d(input), at_least_1d(index), at_least_1d(source)
    here, there = x.shape[:d] + x.shape[d + 1:], source.shape[:d] + source.shape[d + 1:]
    if here != there:
        raise RuntimeError("index_copy_(): Source/destination tensor must have same slice shapes. Destination slice "
                           "shape: "
                           f"{' '.join(map(str, here))} at dimension {d} and source slice shape: "
                           f"{' '.join(map(str, there))} at dimension 0.")
    if source.shape[d] != count:
        raise IndexError(f"index_copy_(): Number of indices ({count}) should be equal to source.size(dim) "
                         f"({source.shape[d]})")
    return p.reshape(p.put(x, at, source, d, "set"), input.shape)


@op(lambda input, dim, index, value: f"IndexFillBackward{0 if value.type.weak else 1}",
    check=_range_check(IndexError, OUT_OF_BOUNDS, negative=True))
def index_fill(input: Tensor, dim, index: Tensor, value: Scalar):
    """input with its slices number `index` along `dim` filled with value, a number or a 0-dim tensor."""
    d = wrap_dim(dim, input.ndim)
    if index.dtype is not int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if value.ndim:
        raise RuntimeError(f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} "
                           "dimension(s).")
    if value.dtype.kind == "c" and input.dtype.kind != "c":
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    x = at_least_1d(input)
    at = indexing.wrapped(at_least_1d(index), x.shape[d])
    hit = p.put(p.full((x.shape[d],), False, bool_, x.builder), at, p.full((at.size,), True, bool_, x.builder), 0, "set")
    hit = p.broadcast_to(p.reshape(hit, (x.shape[d], *(1,) * (x.ndim - d - 1))), x.shape)
    return p.reshape(p.select(hit, p.broadcast_to(p.cast(value, x.dtype), x.shape), x), input.shape)


# ------------------------------------------------------------------ positions in the flattened tensor

def _check_flat(input, index, *rest) -> None:
    n = input.shape.numel()
    bad = first_outside(index, -n, n)
    if bad is not None:
        if n == 0:
            raise IndexError("take(): tried to take from an empty tensor")
        raise IndexError(f"out of range: tried to access index {bad} on a tensor of {n} elements.")


def _long(name: str, index: Var) -> Var:
    if index.dtype is not int64:
        raise RuntimeError(f"{name}: Expected a long tensor for index, but got {index.dtype._legacy}")
    return index


@op("TakeBackward0", check=_check_flat, strict_out=True)
def take(input: Tensor, index: Tensor):
    """The elements of the flattened input at `index`, in index's shape."""
    at = indexing.wrapped(_long("take()", index), input.size)
    return p.take(p.reshape(input, (input.size,)), at, 0)


@op("PutBackward0", check=_check_flat)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate=False):
    """input with source's elements set at, or added to, the places `index` of its flattened self."""
    at = indexing.wrapped(_long("put_()", index), input.size)
    if source.dtype is not input.dtype:
        raise RuntimeError(f"put_(): self and source expected to have the same dtype, but got self.dtype = "
                           f"{input.dtype._legacy} and source.dtype = {source.dtype._legacy}")
    if source.size != at.size:
        raise IndexError("put_(): Expected source and index to have the same number of elements, but got "
                         "source.numel() = "
                         f"{source.size}, index.numel() = {at.size}")
    flat = p.put(p.reshape(input, (input.size,)), p.reshape(at, (at.size,)), p.reshape(source, (at.size,)), 0,
                 "add" if accumulate else "set")
    return p.reshape(flat, input.shape)


def _take_along_check(input, indices, dim=None) -> None:
    if dim is None:
        n = input.shape.numel()
        bad = first_outside(indices, -n, n)
        if bad is not None:
            raise RuntimeError(OUT_OF_BOUNDS.format(index=bad, dim=0, size=n))


@op("GatherBackward0", check=_take_along_check, strict_out="dtype")
def take_along_dim(input: Tensor, indices: Tensor, dim=None):
    """input at `indices` along dim, modulo its size, the other dimensions broadcast; without dim, of the flattened
    input."""
    if indices.dtype is not int64:
        raise RuntimeError("torch.take_along_dim(): dtype of indices should be Long but got "
                           + {"float32": "Float"}.get(indices.dtype.name, indices.dtype._legacy))
    if dim is None:
        at = indexing.wrapped(p.reshape(indices, (indices.size,)), input.size)
        return p.take(p.reshape(input, (input.size,)), at, 0)
    if input.ndim != indices.ndim:
        raise RuntimeError(f"torch.take_along_dim(): input and indices should have the same number of dimensions, but "
                           f"got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices")
    d = wrap_dim(dim, input.ndim)
    x, at = at_least_1d(input), at_least_1d(indices)
    common = p.broadcast_shapes((*x.shape[:d], 1, *x.shape[d + 1:]), (*at.shape[:d], 1, *at.shape[d + 1:]))
    x = p.broadcast_to(x, (*common[:d], x.shape[d], *common[d + 1:]))
    at = p.broadcast_to(at, (*common[:d], at.shape[d], *common[d + 1:]))
    return p.reshape(p.gather(x, p.remainder(at, x.shape[d]), d), at.shape if indices.ndim else ())


# ------------------------------------------------------------------ several dimensions

def _put_arguments(name: str, self: Tensor, indices: Any, values: Any) -> tuple:
    if isinstance(indices, Tensor) or not isinstance(indices, (tuple, list)):
        raise TypeError(f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not "
                        f"{type(indices).__name__}")
    for i, x in enumerate(indices):
        if x is not None and not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
    if len(indices) > self.ndim:
        raise IndexError(f"too many indices for tensor of dimension {self.ndim} (got {len(indices)})")
    if values.dtype is not self.dtype:
        is_mask = len(indices) == 1 and indices[0].dtype.kind == "b" and values.shape.numel() == 1
        if not is_mask or not can_cast(values.dtype, self.dtype):
            raise RuntimeError(f"Index put requires the source and destination dtypes match, got {self.dtype._legacy} "
                               f"for the destination and {values.dtype._legacy} for the source.")
    key = tuple([slice(None) if i is None else i for i in indices])
    view, parsed = indexing.parse(self, key)
    return indexing.positions(view, parsed)


def index(self: Tensor, indices: Any) -> Tensor:
    """self[indices]; None stands for a whole dimension."""
    return indexing.getitem(self, tuple([slice(None) if i is None else i for i in indices]))


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of input with `values` set at, or with accumulate added to, input[indices]; None stands for a whole
    dimension."""
    dims, tensors = _put_arguments("index_put", input, indices, values)
    if values.dtype is not input.dtype:
        values = values.to(input.dtype)  # type: ignore[attr-defined]
    return indexing.index_put(input, tensors, values, dims, accumulate)


def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """`index_put`, in place."""
    from ..tensor.write import assign, check_writable
    check_writable(self)
    assign(self, index_put(self, indices, values, accumulate))
    return self


METHODS = {f.__name__: f for f in (
    gather, scatter, scatter_, scatter_add, scatter_reduce, index_select, index_add, index_copy, index_fill,
    index_reduce, index_reduce_, take, put, take_along_dim, index, index_put, index_put_)} | {
    f.__name__ + "_": inplace(f) for f in (scatter_add, scatter_reduce, index_add, index_copy, index_fill, put)}
