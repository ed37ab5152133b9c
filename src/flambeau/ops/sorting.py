# ruff: noqa: F821
"""Order: sort, topk, kthvalue, searchsorted, isin, unique."""
from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as p
from .. import return_types
from ..dtypes import bool_, int32, int64, promote
from ..ir.graph import Var
from ..tensor.attributes import host_array
from ..tensor.examples import of_its_own_size, one_by_one
from ..tensor.indexing import known_array, true_positions
from ..tensor.op import op
from ..tensor.strides import lay_out, strides_in_order
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .creation import from_array
from .reduction import not_implemented, pick, require_nonempty

# ------------------------------------------------------------------ sorting


def sorted_pair(x: Var, dim: Any, descending: bool) -> tuple[Var, Var]:
    """(values, indices) in stable order along `dim`; NaN is larger than every number."""
    d = wrap_dim(dim, x.ndim)
    if x.dtype.kind == "c":
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    return p.sort(x, d, bool(descending)) if x.ndim else (x, p.constant(0, int64, x.builder))


@op("SortBackward0", name="sort", returns=return_types.sort, strict_out="dtype")
def _sort(input: Tensor, dim=-1, descending=False):
    return sorted_pair(input, dim, descending)


@op("SortBackward1", name="sort", returns=return_types.sort, strict_out="dtype")
def _stable_sort(input: Tensor, stable, dim, descending):
    return sorted_pair(input, dim, descending)


def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None,
         out: Any = None) -> return_types.sort:
    """(values, indices) in order along `dim`. NaN is larger than every number; equal elements keep their order, asked
    or not."""
    if isinstance(dim, bool):
        raise TypeError("sort() received an invalid combination of arguments: argument 'dim' must be int, not bool")
    rest = {} if out is None else {"out": out}
    if stable is None:
        return _sort(input, dim, descending, **rest)
    return _stable_sort(input, stable, dim, descending, **rest)


@op(None)
def argsort(input: Tensor, dim=-1, descending=False, stable=False):
    """The indices that put input in order along `dim`."""
    return sorted_pair(input, dim, descending)[1]


@op("SortBackward0", strict_out="dtype")
def msort(input: Tensor):
    """The values in order along the first dimension."""
    return sorted_pair(input, 0, False)[0]


@op("TopkBackward0", returns=return_types.topk, strict_out=True)
def topk(input: Tensor, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) elements along `dim`, in order."""
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind in "bc":
        raise RuntimeError(f"topk does not support {'bool' if input.dtype is bool_ else 'complex'} dtypes on CPU")
    n = input.shape[d] if input.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError("selected index k out of range")
    if not input.ndim:
        return input, p.constant(0, int64, input.builder)
    order = p.slice_dim(p.sort(input, d, bool(largest))[1], d, 0, k)
    return p.gather(input, order, d), order


@op("KthvalueBackward0", returns=return_types.kthvalue, strict_out=True)
def kthvalue(input: Tensor, k, dim=-1, keepdim=False):
    """(values, indices) of the k-th smallest element along `dim`, counting from 1."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim:
        require_nonempty("kthvalue", input, (d,))
    n = input.shape[d] if input.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    if not input.ndim:
        return input, p.constant(0, int64, input.builder)
    if input.dtype.kind in "bc":
        raise not_implemented("kthvalue_cpu", input.dtype)
    order = p.slice_dim(p.sort(input, d)[1], d, k - 1, k)
    return pick(input, p.reshape(order, input.shape[:d] + input.shape[d + 1:]), d, keepdim)


# ------------------------------------------------------------------ searching

def _check_sorter(sorted_sequence: Tensor, values: Any, out_int32: bool, right: bool, sorter: Any) -> None:
    array = known_array(sorter) if sorter is not None else None
    if array is not None and array.size and (array.min() < 0 or array.max() >= sorted_sequence.shape[-1]):
        raise RuntimeError("torch.searchsorted(): sorter index out of range")


def _compatible(edges: Var, values: Var) -> None:
    got = f"but we got boundaries tensor {list(edges.shape)} and input value tensor {list(values.shape)}"
    if edges.ndim == 0:
        raise RuntimeError("torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 "
                           "dimension")
    if values.ndim == 0 and edges.ndim != 1:
        raise RuntimeError("torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is "
                           "1, but we got "
                           f"boundaries tensor dim({edges.ndim}) and input value's dim(0) numel(1)")
    if edges.ndim != 1 and edges.shape[:-1] != values.shape[:-1]:
        raise RuntimeError("torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions "
                           "of boundaries tensor "
                           f"and input value tensor must match, {got}")


def _search(edges: Var, values: Var, right: bool, out_int32: bool) -> Var:
    dt = edges.dtype if values.type.weak and values.dtype.kind in "iub" else promote(edges.dtype, values.dtype)
    if dt.kind == "c":
        raise not_implemented("searchsorted_out_cpu", dt)
    found = p.searchsorted(p.cast(edges, dt), p.cast(values, dt), right)
    return p.cast(found, int32 if out_int32 else int64)


@op(None, name="searchsorted", check=_check_sorter, strict_out="dtype")
def _searchsorted(sorted_sequence: Tensor, values: Scalar, out_int32, right, sorter: Tensor | None):
    _compatible(sorted_sequence, values)
    edges = sorted_sequence
    if sorter is not None:
        if sorter.shape != edges.shape:
            raise RuntimeError("torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
                               "tensor "
                               f"{list(edges.shape)}and got sorter tensor {list(sorter.shape)}")
        if sorter.dtype is not int64:
            raise RuntimeError("torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
                               f"{sorter.dtype._legacy}")
        edges = p.gather(edges, sorter, edges.ndim - 1)
    return _search(edges, values, right, out_int32)


def searchsorted(sorted_sequence: Tensor, input: Any = None, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Any = None, out: Any = None, self: Any = None) -> Tensor:
    """Where each value of `input` goes into the last dimension of sorted_sequence so that it stays sorted.

    sorted_sequence is 1-D, or has input's leading dimensions. Before (side="left") or after (right=True) equal
    elements.
    sorter: indices that sort sorted_sequence, if it is not sorted. Returns int64, or int32 if asked.
    """
    values = self if input is None else input
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites, got side of left while "
                           "right was True")
    return _searchsorted(sorted_sequence, values, bool(out_int32), bool(right) or side == "right", sorter,
                         **({} if out is None else {"out": out}))


@op(None, strict_out="dtype")
def bucketize(input: Scalar, boundaries: Tensor, *, out_int32=False, right=False):
    """The number of the bucket, between sorted 1-D boundaries, of each value; right says to which one a boundary itself
    belongs."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return _search(boundaries, input, bool(right), bool(out_int32))


@op(None, name="isin", strict_out="dtype")
def _isin(elements: Scalar, test_elements: Scalar, invert):
    from .promotion import convert, result_dtype
    for v in (elements, test_elements):
        if v.dtype.kind in "bc":
            raise RuntimeError(f"Unsupported input type encountered for isin(): {v.dtype._legacy}")
    x, tests = convert(result_dtype(elements, test_elements), elements, test_elements)
    tests = p.reshape(tests, (tests.size,))
    if not tests.size:
        return p.full(x.shape, bool(invert), bool_, x.builder)
    # the neighbour in the sorted tests is the only candidate
    ordered = p.sort(tests, 0)[0]
    place = p.minimum(p.searchsorted(ordered, x, False), tests.size - 1)
    found = p.eq(p.take(ordered, place, 0), x)
    return p.logical_not(found) if invert else found


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False,
         out: Any = None) -> Tensor:
    """Whether each of elements is among test_elements (or, inverted, is not)."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin() received an invalid combination of arguments: elements or test_elements must be a "
                        "Tensor")
    return _isin(elements, test_elements, bool(invert), **({} if out is None else {"out": out}))


# ------------------------------------------------------------------ unique, found by the host: shapes depend on data

def _results(input: Tensor, first: np.ndarray, inverse: np.ndarray, counts: np.ndarray, dim: int, return_inverse: bool,
             return_counts: bool) -> Any:
    """What unique returns: slices number `first` of input along dim, and what else was asked for."""
    from .indexing import index_select
    found = index_select(input, dim, from_array(np.ascontiguousarray(first, np.int64), int64, input))
    if found.ndim > 1:  # slices are compared, and stay, as rows
        lay_out(found, strides_in_order(tuple(found.shape), [*(d for d in reversed(range(found.ndim)) if d != dim), dim]))
    results: list[Tensor] = [found]
    if return_inverse:
        results.append(from_array(np.array(inverse, np.int64, order="C"), int64, input))
    if return_counts:
        results.append(from_array(np.ascontiguousarray(counts, np.int64), int64, input))
    return results[0] if len(results) == 1 else tuple(results)


def _new(ordered: np.ndarray) -> np.ndarray:
    """Whether each number differs from the one before; NaN does."""
    return np.concatenate([np.ones(min(ordered.size, 1), bool), ordered[1:] != ordered[:-1]])


def _unique_rows(x: Any, d: int, consecutive: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first, inverse, counts) for the slices of an array along d; they are compared as rows."""
    n = x.shape[d]
    rows = np.moveaxis(x, d, 0).reshape(n, x.size // n if n else 0)
    order = np.arange(n) if consecutive else np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(n)
    ordered = rows[order]
    new = np.ones(n, bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(1)
    group = np.cumsum(new) - 1
    inverse = np.empty(n, np.int64)
    inverse[order] = group
    return order[new], inverse, np.bincount(group, minlength=int(new.sum()))


def _plain(input: Tensor, dim: Any) -> tuple[Any, int]:
    """The host's values and the dimension to compare slices of, or of the flattened values."""
    x = host_array(input)
    if dim is None:
        return x.reshape(-1), 0
    d = wrap_dim(dim, input.ndim)
    if x.ndim == 0:
        return x.reshape(1), 0
    if x.shape[d] == 0 and any(n == 0 for i, n in enumerate(x.shape) if i != d) or x.shape[d] and x.size == 0:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    return x, d


def _distinct(input: Tensor, dim: Any, consecutive: bool, return_inverse: bool, return_counts: bool) -> Any:
    x, d = _plain(input, dim)
    if input.dtype.kind == "c":
        raise not_implemented("unique", input.dtype)
    if dim is None and not (consecutive or return_inverse or return_counts or input.dtype.encoded):
        ordered = np.sort(x)
        return from_array(ordered[_new(ordered)], input.dtype, input)
    first, inverse, counts = _unique_rows(x, d, consecutive)
    flat: Any = input.detach()  # type: ignore[attr-defined]
    if dim is None or input.ndim == 0:
        flat = flat.reshape(-1)
    if dim is None:
        inverse = inverse.reshape(input.shape)
    return _results(flat, first, inverse, counts, d, return_inverse, return_counts)


@of_its_own_size("_unique2")
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    """The distinct elements (or slices along dim) in ascending order; on request also, for each element, the place of
    its value, and how often each value occurs. NaNs are distinct from each other."""
    return _distinct(input, dim, False, return_inverse, return_counts)


@of_its_own_size("unique_consecutive")
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:
    """input (flattened, or its slices along dim) without those that equal the one before; see `unique` for the other
    results."""
    return _distinct(input, dim, True, return_inverse, return_counts)


# ------------------------------------------------------------------ positions

def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The coordinates, one tensor a dimension, of row-major positions in a tensor of `shape`."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"unravel_index(): argument 'indices' must be Tensor, not {type(indices).__name__}")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype!r}")
    if not isinstance(shape, (int, tuple, list)):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for s in sizes:
        if s < 0:
            raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    coordinates: list[Any] = []
    left: Any = indices.long()  # type: ignore[attr-defined]
    for n in reversed(sizes):
        coordinates.append(left % n)
        left = left // n
    return tuple(reversed(coordinates))


@one_by_one
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Any = None) -> Tensor:
    """The first `size` rows of `nonzero`, filled up with `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = true_positions(host_array(input)).T
    rows = np.full((size, input.ndim), fill_value, np.int64)
    n = min(size, len(found))
    rows[:n] = found[:n]
    result = from_array(rows, int64, input)
    if out is None:
        return result
    from ..tensor.write import write_out
    return write_out(result, out)


METHODS = {f.__name__: f for f in (sort, argsort, msort, topk, kthvalue, isin, unique, unique_consecutive,
                                   nonzero_static)}
