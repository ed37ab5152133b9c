"""Tensors of constants, ranges and grids."""
from __future__ import annotations

import builtins
import math
import warnings
from math import prod
from typing import Any

import numpy as np

from ..dtypes import bool_, default_complex, dtype as dtype_class, get_default_dtype, int64, narrow, widen
from ..ir.types import contiguous_strides, tensor_type
from ..runtime.trace import Value
from ..tensor.device import CPU, META, check_device
from ..tensor.layout import sparse_coo, strided
from ..tensor.not_strided import NotStrided, call_sparse
from ..tensor.placement import device_of, follow, home_of, moved
from ..tensor.tensor import Tensor, make_tensor
from ..tensor.views import as_strided, permute
from .conversion import as_dtype
from .memory_format import contiguous_format, in_format, preserve_format


def leaf(t: Tensor, requires_grad: bool) -> Tensor:
    """t, made a leaf that requires a gradient if asked."""
    if requires_grad:
        t.requires_grad_(True)  # type: ignore[attr-defined]
    return t


def from_array(array: np.ndarray, dt: dtype_class, beside: Tensor | None = None) -> Tensor:
    """A tensor that takes over `array` (row-major, of dt's NumPy type). beside: a tensor whose device it is moved to."""
    t = make_tensor(Value(tensor_type(dt, array.shape), array))
    return t if beside is None else follow(t, beside)


def filled(shape: tuple[int, ...], value: Any, dt: dtype_class, device: Any = CPU) -> Tensor:
    """A new tensor of one repeated value, computed at once (allocation is cheaper than a recorded call). device: the one that it is going
    to be moved to; on "meta" it is already, as it may be larger than memory."""
    if device is not CPU and check_device(device) is META:
        return make_tensor(home_of(META).of([tensor_type(dt, shape)])[0])
    if dt.encoded:
        return from_array(np.full(shape, narrow(np.asarray(value, dt.wide), dt), dt.np), dt)
    array = np.zeros(shape, dt.np) if value.__class__ in (int, float, bool) and value == 0 and str(value)[0] != "-" \
        else np.full(shape, value, dt.np)
    return from_array(array, dt)


# ------------------------------------------------------------------ arguments

def _size_error(name: str, value: Any) -> TypeError:
    return TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, not {type(value).__name__}")


def sizes(name: str, args: tuple) -> tuple[int, ...]:
    """The shape given to a factory as one sequence or as several ints."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    shape = []
    for a in args:
        if isinstance(a, (bool, float, str)) or not hasattr(a, "__index__"):
            raise _size_error(name, a)
        n = a.__index__()
        if n < 0:
            raise RuntimeError(f"{name}: Dimension size must be non-negative." if name != "empty" else
                               f"Trying to create tensor with negative dimension {n}: {list(map(int, args))}")
        shape.append(n)
    return tuple(shape)


def written_over(made: Tensor, out: Tensor) -> Tensor:
    """What a factory makes, in `out`, which takes its shape."""
    from ..tensor.views import resize_
    from ..tensor.write import write_out
    if isinstance(out, Tensor) and out.shape != made.shape and out._node is None:
        resize_(out, made.shape)
    return write_out(made, out)


def finished(make: Any, dt: dtype_class, explicit_dtype: Any, out: Any, device: Any, requires_grad: bool) -> Tensor:
    """What the factories' common arguments ask for, of make() -> Tensor."""
    where = check_device(device)
    if out is not None:
        if explicit_dtype is not None and out.dtype is not dt:
            raise RuntimeError(f"dtype {dt._legacy} does not match dtype of out parameter ({out.dtype._legacy})")
        return written_over(moved(make(), device_of(out)), out)
    if requires_grad and dt.kind not in "fc":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return leaf(moved(make(), where), requires_grad)


def _factory(name: str, value: Any, doc: str) -> Any:
    """zeros, ones, empty: a shape and a constant."""
    def factory(*size, out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, memory_format=None,
                **kwargs):
        if "size" in kwargs:
            size = (kwargs.pop("size"),)
        elif not size:
            raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
        if kwargs:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(kwargs))}'")
        shape = sizes(name, size)
        if layout is not None and layout is not strided:
            return _not_strided(shape, value, layout, dtype, device, requires_grad)
        dt = as_dtype(dtype) if dtype is not None else out.dtype if out is not None else get_default_dtype()
        return finished(lambda: _in_memory_format(filled(shape, value, dt, device), memory_format), dt, dtype, out, device, requires_grad)
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = doc
    return factory


def _not_strided(shape: tuple[int, ...], value: Any, layout: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A sparse tensor without elements, where zeros are asked for."""
    if layout is not sparse_coo or value:
        raise NotStrided("fill_")
    from ..sparse.coo import sparse_coo_tensor
    return sparse_coo_tensor(size=shape, dtype=dtype, device=device, requires_grad=requires_grad)


def _in_memory_format(t: Tensor, memory_format: Any) -> Tensor:
    """t, all of whose elements are equal, in a memory format."""
    if memory_format is None or memory_format is contiguous_format or memory_format is preserve_format:
        return t
    return in_format(t, memory_format, t)


zeros = _factory("zeros", 0, "A tensor of zeros: zeros(2, 3) or zeros((2, 3)).")
ones = _factory("ones", 1, "A tensor of ones: ones(2, 3) or ones((2, 3)).")
empty = _factory("empty", 0, "A tensor with unspecified values (zeros here): empty(2, 3) or empty((2, 3)).")


def _fill_dtype(value: Any) -> dtype_class:
    """The dtype of a tensor filled with a number."""
    if isinstance(value, bool):
        return bool_
    return int64 if isinstance(value, int) else default_complex() if isinstance(value, complex) else get_default_dtype()


def _number(value: Any) -> Any:
    """A Python number from a number or a tensor or array of one element."""
    return value.item() if hasattr(value, "item") else value


def _check_value(value: Any, dt: dtype_class) -> Any:
    """The fill value, or PyTorch's error where dt cannot hold it."""
    bad = isinstance(value, complex) and dt.kind != "c"
    if dt.kind in "iu" and not bad:
        info = np.iinfo(dt.np)
        bad = not math.isfinite(value) or not (info.min if dt.kind == "i" else -info.max) <= value <= info.max
        value = 0 if bad else int(value)
        value = value + 2 ** info.bits if dt.kind == "u" and value < 0 else value
    if bad:
        raise RuntimeError(f"value cannot be converted to type {dt.name} without overflow")
    return value


def full(size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
         pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """A tensor of this size filled with a number; its dtype is the number's unless given."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    value = _number(fill_value)
    dt = as_dtype(dtype) if dtype is not None else out.dtype if out is not None else _fill_dtype(value)
    shape = sizes("full", (size,))
    return finished(lambda: filled(shape, _check_value(value, dt), dt, device), dt, dtype, out, device, requires_grad)


def _like(input: Tensor, value: Any, dtype: Any, device: Any, requires_grad: bool, memory_format: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    dt = input.dtype if dtype is None else as_dtype(dtype)
    value = _check_value(_number(value), dt)
    device = device_of(input) if device is None else device
    try:
        made = finished(lambda: in_format(filled(tuple(input.shape), value, dt, device), memory_format, input), dt, dtype, None, device,
                        requires_grad)
    except NotStrided:
        if value != 0:
            raise NotStrided("fill_") from None
        return call_sparse("zeros_like", (input,)).to(dt).requires_grad_(requires_grad)
    return made if input._storage.value.__class__ is Value else _per_example(made, input)


def _per_example(made: Tensor, like: Tensor) -> Tensor:
    from ..tensor.transforms import per_example
    return per_example(made, like)


def zeros_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:
    """Zeros of input's shape and (by default) dtype and memory format."""
    return _like(input, 0, dtype, device, requires_grad, memory_format)


def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
              requires_grad: bool = False, memory_format: Any = None) -> Tensor:
    """Ones of input's shape and (by default) dtype and memory format."""
    return _like(input, 1, dtype, device, requires_grad, memory_format)


def empty_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:
    """Unspecified values (zeros here) of input's shape and (by default) dtype and memory format."""
    return _like(input, 0, dtype, device, requires_grad, memory_format)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
              requires_grad: bool = False, memory_format: Any = None) -> Tensor:
    """`fill_value` in input's shape and (by default) dtype and memory format."""
    return _like(input, fill_value, dtype, device, requires_grad, memory_format)


def _strided(shape: tuple[int, ...], strides: tuple[int, ...], dt: dtype_class) -> Tensor:
    """Zeros with these strides."""
    if strides == contiguous_strides(shape):
        return filled(shape, 0, dt)
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if prod(shape) else 0
    return as_strided(filled((reach,), 0, dt), shape, strides)


def empty_strided(size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Tensor:
    """Unspecified values (zeros here) with these sizes and strides (in elements)."""
    shape, strides = sizes("empty_strided", (size,)), tuple(int(s) for s in stride)
    if len(shape) != len(strides):
        raise RuntimeError(f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})")
    dt = get_default_dtype() if dtype is None else as_dtype(dtype)
    return finished(lambda: _strided(shape, strides, dt), dt, dtype, None, device, requires_grad)


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
                   requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Unspecified values (zeros here), dense; physical_layout lists the dimensions from slowest to fastest in memory."""
    shape, order = sizes("empty_permuted", (size,)), tuple(int(d) for d in physical_layout)
    if len(order) != len(shape):
        raise RuntimeError(f"Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = {len(shape)} "
                           f"is not equal to len(physical_layout) = {len(order)}")
    for i, d in enumerate(order):
        if not 0 <= d < len(shape):
            raise RuntimeError(f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {d} at index {i}).  "
                               "NB: negative dims not currently supported; file an issue if you want it.")
        if d in order[:i]:
            raise RuntimeError("Duplicate dim not allowed")
    dt = get_default_dtype() if dtype is None else as_dtype(dtype)
    return finished(lambda: permute(filled(tuple(shape[d] for d in order), 0, dt), [order.index(d) for d in builtins.range(len(order))]), dt,
                    dtype, None, device, requires_grad)


def scalar_tensor(s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
                  requires_grad: bool = False) -> Tensor:
    """A 0-dim tensor of the default dtype (unless given) with a number's value."""
    value = _number(s)
    dt = get_default_dtype() if dtype is None else as_dtype(dtype)
    return finished(lambda: filled((), _check_value(value, dt), dt), dt, dtype, None, device, requires_grad)


# ------------------------------------------------------------------ ranges

def _rounded(values: np.ndarray, dt: dtype_class) -> Tensor:
    """A tensor of dt from values computed in a wide type."""
    return from_array(narrow(values, dt), dt)


def _nearest(x: Any, dt: dtype_class) -> np.ndarray:
    """Numbers rounded to those of dt, in its wide type."""
    return widen(narrow(np.asarray(x), dt), dt).astype(dt.wide)


def _check_bounds(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start:g} -> {end:g}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


def _range_dtype(numbers: tuple, dtype: Any, out: Any) -> dtype_class:
    if dtype is not None:
        return as_dtype(dtype)
    if out is not None:
        return out.dtype
    return int64 if all(isinstance(n, int) for n in numbers) else get_default_dtype()


def arange(*args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False, **kwargs: Any) -> Tensor:
    """start, start + step, … before end: arange(end), arange(start, end) or arange(start, end, step).

    int64 if all three are integers, else the default dtype. The size is ⌈(end − start) / step⌉.
    """
    start, end, step = map(_number, _bounds("arange", args, kwargs))
    dt = _range_dtype((start, end, step), dtype, out)
    if dt.kind in "bc":
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{dt._legacy}'")
    _check_bounds(start, end, step)
    if dt.kind in "iu":
        start, end, step = int(start), int(end), int(step)
        if step == 0 and out is not None:
            raise ValueError("step must be nonzero")
        if step == 0:
            end, step = start, 1
        n = len(builtins.range(start, end, step))
        _warn_of_size(n, out)
        return finished(lambda: _rounded(np.arange(start, end, step, np.int64), dt), dt, dtype, out, device, requires_grad)
    n = math.ceil((end - start) / step)
    _warn_of_size(n, out)
    return finished(lambda: _rounded(_range(start, step, n, dt), dt), dt, dtype, out, device, requires_grad)


def _warn_of_size(n: int, out: Any) -> None:
    """arange computes its size: it says when the tensor given for it has another."""
    if isinstance(out, Tensor) and out.numel() not in (0, n):  # type: ignore[attr-defined]
        warnings.warn(f"The number of elements in the out tensor of shape {list(out.shape)} is {out.numel()} which does not match the "  # type: ignore
                      f"computed number of elements {n}. Note that this may occur as a result of rounding error. The out tensor will be "
                      f"resized to a tensor of shape ({n},).", stacklevel=3)


VECTOR_BYTES = 32


def _range(start: float, step: float, n: int, dt: dtype_class) -> np.ndarray:
    """start + step·i, to be rounded to dt, to the bit as PyTorch adds them up: in vectors, each from its first element, which is rounded
    before; two vectors at a time, and what is left one by one."""
    lanes = VECTOR_BYTES // dt.itemsize
    i = np.arange(n, dtype=np.longdouble)  # in which start + step·i is rounded once, as by a fused multiply-add
    first = i - i % lanes
    begin = _nearest((start + step * first).astype(dt.wide), dt).astype(np.longdouble)
    return np.where(i < n // (2 * lanes) * (2 * lanes), begin + step * (i - first), start + step * i)


def _bounds(name: str, args: tuple, kwargs: dict) -> tuple:
    if not kwargs and 0 < len(args) < 4:
        return (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
    names = ("end",) if len(args) == 1 and "end" not in kwargs else ("start", "end", "step")
    given = {"start": 0, "step": 1, **dict(zip(names, args)), **kwargs}
    if len(args) > 3 or "end" not in given or not given.keys() <= {"start", "end", "step"}:
        raise TypeError(f"{name}() received an invalid combination of arguments")
    return given["start"], given["end"], given["step"]


def range(*args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
          requires_grad: bool = False, **kwargs: Any) -> Tensor:
    """start, start + step, … up to and including end. Deprecated: use `arange`, which leaves the end out."""
    warnings.warn("torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with Python's "
                  "range builtin. Instead, use torch.arange, which produces values in [start, end).", UserWarning, stacklevel=2)
    start, end, step = map(_number, _bounds("range", args, kwargs))
    dt = get_default_dtype() if dtype is None and out is None else _range_dtype((), dtype, out)
    _check_bounds(start, end, step)
    n = int((end - start) / step) + 1
    return finished(lambda: _rounded(start + step * np.arange(n, dtype=np.float64), dt), dt, dtype, out, device, requires_grad)


def _grid_ends(name: str, start: Any, end: Any, steps: Any) -> tuple[Any, Any, int]:
    for what, value in (("start", start), ("end", end)):
        if isinstance(value, Tensor) and value.ndim:
            raise RuntimeError(f"{name} only supports 0-dimensional start and end tensors, but got {what} with {value.ndim} dimension(s).")
    steps = _number(steps)
    if isinstance(steps, float):
        raise TypeError(f"{name}(): argument 'steps' (position 3) must be int, not float")
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return _number(start), _number(end), steps


def _grid_dtype(name: str, numbers: tuple, dtype: Any, out: Any) -> dtype_class:
    if dtype is not None or out is not None:
        dt = out.dtype if dtype is None else as_dtype(dtype)
        if dt is bool_:
            raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
        return dt
    return default_complex() if any(isinstance(n, complex) for n in numbers) else get_default_dtype()


def _grid(start: Any, end: Any, steps: int, dt: dtype_class) -> np.ndarray:
    """Evenly spaced numbers, counted from the nearer end so that both ends are exact. Products and sums are rounded once, as by a fused
    multiply-add; in half precision each on its own, to half precision."""
    work = dt.wide
    if dt.kind in "iu":
        start, end, work = int(start), int(end), np.dtype(np.float64)
    first, last = work.type(start), work.type(end)
    if steps == 1:
        return np.full(1, first)
    i = np.arange(steps)
    front = i < steps // 2
    count = np.where(front, i, steps - i - 1).astype(work)
    intervals = work.type(max(steps, 2) - 1)
    with np.errstate(all="ignore"):
        if dt.itemsize == 2 and dt.kind == "f":
            first, last, count = (_nearest(x, dt) for x in (first, last, count))
            step = _nearest(_nearest(last - first, dt) / intervals, dt)
            away = _nearest(step * count, dt)
        else:
            exact = np.clongdouble if dt.kind == "c" else np.longdouble
            away = exact((last - first) / intervals) * count
            first, last = exact(first), exact(last)
        return np.where(front, first + away, last - away).astype(work)


def linspace(start: Any, end: Any, steps: Any, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
             pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """`steps` numbers evenly spaced from start to end, both included."""
    start, end, steps = _grid_ends("linspace", start, end, steps)
    dt = _grid_dtype("linspace_cpu", (start, end), dtype, out)
    return finished(lambda: _rounded(_grid(start, end, steps, dt), dt), dt, dtype, out, device, requires_grad)


def logspace(start: Any, end: Any, steps: Any, base: float = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
             device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """base to the power of `steps` numbers evenly spaced from start to end."""
    start, end, steps = _grid_ends("logspace", start, end, steps)
    dt = _grid_dtype("logspace_cpu", (start, end), dtype, out)

    def make():
        exponents = _grid(start, end, steps, dt)
        with np.errstate(all="ignore"):
            return _rounded(np.power(exponents.dtype.type(base), exponents), dt)
    return finished(make, dt, dtype, out, device, requires_grad)


# ------------------------------------------------------------------ matrices and indices

def eye(n: Any, m: Any = None, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """An n × m matrix (n × n by default) with ones on its diagonal and zeros elsewhere."""
    n, m = _number(n), _number(m)
    for name, value in (("n", n), ("m", m)):
        if value is not None and value < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {value}")
    dt = as_dtype(dtype) if dtype is not None else out.dtype if out is not None else get_default_dtype()
    return finished(lambda: _rounded(np.eye(n, m, dtype=np.float32), dt), dt, dtype, out, device, requires_grad)


def _triangle_indices(name: str, mask: Any, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"{'row' if row < 0 else 'col'} must be non-negative, got{row if row < 0 else col}")
    dt = int64 if dtype is None else as_dtype(dtype)
    if dt not in (int64,) and dt.name != "int32":
        raise NotImplementedError(f"\"{name}\" not implemented for '{dt._legacy}'")
    return moved(from_array(np.array(np.nonzero(mask(np.ones((row, col), bool), offset)), dtype=dt.np), dt), check_device(device))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, layout: Any = None, device: Any = None,
                 pin_memory: bool = False) -> Tensor:
    """Row and column numbers (2 × N) of the lower triangle of a row × col matrix, up to the diagonal number `offset`."""
    return _triangle_indices("tril_indices", np.tril, row, col, offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, layout: Any = None, device: Any = None,
                 pin_memory: bool = False) -> Tensor:
    """Row and column numbers (2 × N) of the upper triangle of a row × col matrix, from the diagonal number `offset`."""
    return _triangle_indices("triu_indices", np.triu, row, col, offset, dtype, device)


# ------------------------------------------------------------------ methods: a new tensor of self's dtype

def _new(make: Any) -> Any:
    """The method `x.new_…`: a factory whose dtype is x's by default."""
    def method(self, *args, dtype=None, device=None, **kwargs):
        made = make(*args, dtype=self.dtype if dtype is None else dtype, device=device_of(self) if device is None else device, **kwargs)
        return made if self._storage.value.__class__ is Value else _per_example(made, self)
    method.__name__ = method.__qualname__ = "new_" + make.__name__
    method.__doc__ = f"As `{make.__name__}`, with this tensor's dtype and device by default."
    return method


METHODS = {"new_zeros": _new(zeros), "new_ones": _new(ones), "new_empty": _new(empty), "new_full": _new(full),
           "new_empty_strided": _new(empty_strided)}
