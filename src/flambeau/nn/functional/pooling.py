"""Pooling: maxima, averages, power averages, adaptive and fractional windows, and unpooling."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any

from ... import primitives as p
from ...dtypes import float32, int64
from ...ir.graph import Var
from ...ops.promotion import not_implemented
from ...tensor.indexing import known_array
from ...tensor.op import op


def _ints(value: Any, n: int, name: str, what: str) -> tuple[int, ...]:
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, n):
            raise RuntimeError(f"{what}: {name} must either be a single int, or a tuple of {n} ints")
        return tuple(int(v) for v in value) * (n if len(value) == 1 else 1)
    return (int(value),) * n


def _batched(input: Var, nd: int, what: str) -> tuple[Var, bool]:
    """input as (N, C, *S), and whether it was so."""
    if input.ndim not in (nd + 1, nd + 2):
        raise _wrong_rank(input, nd, what)
    return (input, True) if input.ndim == nd + 2 else (p.reshape(input, (1, *input.shape)), False)


def _wrong_rank(input: Any, nd: int, what: str) -> Exception:
    """PyTorch's error for an input that is neither (C, *S) nor (N, C, *S); each pooling has words of its own."""
    got = list(input.shape)
    if what == "max_pool1d":
        return RuntimeError(f"max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{got}")
    if nd == 1 and what.endswith("avg_pool1d"):
        return RuntimeError(f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor {got} for argument #1 'self' (while "
                            f"checking arguments for {what})")
    if what in ("avg_pool2d", "fractional_max_pool2d") and input.ndim <= nd:
        return IndexError(f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got -3): {what} "
                          f"expects a 3D or 4D (batch mode) tensor for input, but got {got}")
    if what.startswith("adaptive"):
        return RuntimeError(f"{what}(): Expected {nd + 1}D or {nd + 2}D tensor, but got {got}")
    return RuntimeError(f"{what}: non-empty {nd + 1}D or {nd + 2}D (batch mode) tensor expected for input, but got {got}")


def _unbatch(x: Var, batched: bool) -> Var:
    return x if batched else p.reshape(x, x.shape[1:])


def _pooled_size(n: int, k: int, s: int, a: int, d: int, ceil: bool) -> int:
    """Output size; with ceil the last window must still start inside the input or its left padding."""
    span = n + 2 * a - d * (k - 1) - 1
    size = -(-span // s) + 1 if ceil else span // s + 1
    return size - 1 if ceil and (size - 1) * s >= n + a else size


def _windows(x: Var, what: str, kernel, stride, padding, dilation, ceil_mode):
    """(kernel, stride, low padding, high padding, dilation), checked; the high padding covers what ceil_mode adds."""
    nd = x.ndim - 2
    kernel = _ints(kernel, nd, "kernel_size", what)
    stride = kernel if stride is None or isinstance(stride, (tuple, list)) and not stride else _ints(stride, nd, "stride", what)
    padding, dilation = _ints(padding, nd, "padding", what), _ints(dilation, nd, "dilation", what)
    if any(s <= 0 for s in stride):
        raise RuntimeError("stride should not be zero")
    if any(k <= 0 for k in kernel):
        raise RuntimeError(f"kernel size should be greater than zero, but got kernel size {kernel}")
    if any(d <= 0 for d in dilation):
        raise RuntimeError(f"dilation should be greater than zero, but got dilation {dilation}")
    if any(a < 0 for a in padding):
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(padding)}")
    if any(2 * a > k for a, k in zip(padding, [d * (k - 1) + 1 for d, k in zip(dilation, kernel)])):
        raise RuntimeError(f"pad should be at most half of effective kernel size, but got pad={max(padding)}, kernel_size={max(kernel)} and "
                           f"dilation={max(dilation)}")
    out = [_pooled_size(*z, ceil_mode) for z in zip(x.shape[2:], kernel, stride, padding, dilation)]
    if any(o < 1 for o in out) or 0 in x.shape[1:]:
        size = "x".join(map(str, x.shape[1:]))
        if what == "max_pool1d":
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {out[0]}, of input {list(x.shape)}")
        raise RuntimeError(f"Given input size: ({size}). Calculated output size: ({x.shape[1]}x{'x'.join(map(str, out))}). Output size is "
                           "too small")
    high = tuple((o - 1) * s + d * (k - 1) + 1 - n - a for o, s, d, k, n, a in zip(out, stride, dilation, kernel, x.shape[2:], padding))
    return kernel, stride, padding, tuple(max(h, 0) for h in high), dilation


def _max_pool(nd, input: Var, kernel_size, stride, padding, dilation, ceil_mode) -> tuple[Var, Var]:
    what = f"max_pool{nd}d"
    x, batched = _batched(input, nd, what)
    values, index = p.max_pool(x, *_windows(x, what, kernel_size, stride, padding, dilation, ceil_mode))
    return _unbatch(values, batched), _unbatch(index, batched)


def _max_pool_ops(nd: int):
    suffix = {1: "SqueezeBackward1", 2: "MaxPool2DWithIndicesBackward0", 3: "MaxPool3DWithIndicesBackward0"}[nd]

    @op(suffix, name=f"max_pool{nd}d")
    def plain(input: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        return _max_pool(nd, input, kernel_size, stride, padding, dilation, ceil_mode)[0]

    @op(suffix, name=f"max_pool{nd}d_with_indices")
    def with_indices(input: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        return _max_pool(nd, input, kernel_size, stride, padding, dilation, ceil_mode)

    def max_pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        if return_indices:
            return with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return plain(input, kernel_size, stride, padding, dilation, ceil_mode)

    def max_pool_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        return with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    max_pool.__name__ = max_pool.__qualname__ = f"max_pool{nd}d"
    max_pool.__doc__ = (f"Window maxima over the last {nd} dimensions; with return_indices also their flat positions in each plane. "
                        "stride defaults to the kernel; padding counts as −inf.")
    max_pool_with_indices.__name__ = max_pool_with_indices.__qualname__ = f"max_pool{nd}d_with_indices"
    max_pool_with_indices.__doc__ = f"max_pool{nd}d that always returns the indices too."
    return max_pool, max_pool_with_indices


max_pool1d, max_pool1d_with_indices = _max_pool_ops(1)
max_pool2d, max_pool2d_with_indices = _max_pool_ops(2)
max_pool3d, max_pool3d_with_indices = _max_pool_ops(3)


def _counts(x: Var, kernel, stride, low, high, padding, include: bool) -> Var:
    """How many elements each average divides by: those inside the input, or inside its (symmetric) padding."""
    inside = p.full((1, 1, *x.shape[2:]), 1, int64 if x.dtype.kind == "i" else float32, x.builder)
    if include:
        inside = p.pad(inside, (0, 0, *padding), (0, 0, *padding), value=1)
        low, high = tuple(a - b for a, b in zip(low, padding)), tuple(a - b for a, b in zip(high, padding))
        low0, high0 = tuple(max(a, 0) for a in low), tuple(max(a, 0) for a in high)
        crop = tuple(min(a, 0) for a in high)
        inside = p.pad(inside, (0,) * inside.ndim, (0, 0, *crop))
        return p.window_sum(inside, kernel, stride, low0, high0)
    return p.window_sum(inside, kernel, stride, low, high)


def _avg_pool(nd, input: Var, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override) -> Var:
    what = f"avg_pool{nd}d"
    x, batched = _batched(input, nd, what)
    if x.dtype.kind not in "fc" and x.dtype is not int64:
        raise not_implemented("avg_pool2d" if nd < 3 else "avg_pool3d_out_frame", x.dtype)
    kernel, stride, low, high, _ = _windows(x, what, kernel_size, stride, padding, 1, ceil_mode)
    total = p.window_sum(x, kernel, stride, low, high)
    if divisor_override is not None:
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        return _unbatch(total / divisor_override, batched)
    if not any(low) and not any(high):
        return _unbatch(total / math.prod(kernel), batched)
    counts = p.cast(_counts(x, kernel, stride, low, high, low, count_include_pad), x.dtype)
    return _unbatch(p.div(total, counts), batched)


@op("SqueezeBackward1")
def avg_pool1d(input: Tensor, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Window averages over the last dimension."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@op("AvgPool2DBackward0", strict_out="dtype")
def avg_pool2d(input: Tensor, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """Window averages over the last two dimensions."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@op("AvgPool3DBackward0", strict_out="dtype")
def avg_pool3d(input: Tensor, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """Window averages over the last three dimensions."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


# ------------------------------------------------------------------ adaptive windows: [⌊i·n/out⌋, ⌈(i+1)·n/out⌉)

def _adaptive_sizes(x: Var, output_size, nd: int, what: str, given: tuple[int, ...]) -> tuple[int, ...]:
    empty = next((d for d in range(len(given) - nd, len(given)) if given[d] == 0), None)
    if empty is not None:
        raise RuntimeError(f"{what}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {list(given)} "
                           f"with dimension {empty} being empty")
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * nd
    if len(sizes) != nd:
        raise RuntimeError(f"{what}() argument 'output_size' should contain one int (got {len(sizes)})" if nd == 1 else
                           f"{what}: internal error: output_size.size() must be {nd}")
    sizes = tuple(n if s is None else int(s) for s, n in zip(sizes, x.shape[2:]))
    if any(s < 0 for s in sizes):
        raise RuntimeError(f"elements of output_size must be greater than or equal to 0 but received {list(sizes)}")
    return sizes


def _bounds(n: int, out: int) -> tuple[list[int], list[int]]:
    return [i * n // out for i in range(out)], [-(-(i + 1) * n // out) for i in range(out)]


def _adaptive_avg_dim(x: Var, dim: int, out: int) -> Var:
    """The adaptive average along one dimension: prefix sums would lose precision, so windows are read by index and masked."""
    n = x.shape[dim]
    if out and n % out == 0:
        shape = (*x.shape[:dim], out, n // out, *x.shape[dim + 1:])
        return p.reduce_sum(p.reshape(x, shape), (dim + 1,)) / (n // out)
    windows, mask, counts = _gathered_windows(x, dim, out)
    total = p.reduce_sum(p.select(mask, windows, p.zeros_like(windows)), (dim + 1,))
    return p.div(total, p.reshape(counts, (1,) * dim + (out,) + (1,) * (x.ndim - dim - 1)))


def _gathered_windows(x: Var, dim: int, out: int) -> tuple[Var, Var, Var]:
    """x's windows along dim as (…, out, widest, …), which of their elements count, and how many do."""
    n = x.shape[dim]
    starts, stops = _bounds(n, out)
    widest = max((b - a for a, b in zip(starts, stops)), default=1)
    i = p.reshape(p.iota(out, int64, x.builder), (out, 1))
    start = p.floor_divide(i * n, out)
    stop = p.floor_divide((i + 1) * n + (out - 1), out)
    at = p.add(start, p.reshape(p.iota(widest, int64, x.builder), (1, widest)))
    inside = p.lt(at, stop)
    windows = p.take(x, p.minimum(at, n - 1), dim)
    mask = p.reshape(inside, (1,) * dim + (out, widest) + (1,) * (x.ndim - dim - 1))
    counts = p.cast(p.reshape(p.sub(stop, start), (out,)), x.dtype)
    return windows, p.broadcast_to(mask, windows.shape), counts


def _adaptive_batched(input: Var, nd: int, output_size, what: str) -> tuple[Var, bool]:
    """`_batched`, after PyTorch's check of sizes that are given one by one."""
    if nd > 1 and isinstance(output_size, (tuple, list)) and input.ndim <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    return _batched(input, nd, what)


def _adaptive_avg(nd: int, input: Var, output_size) -> Var:
    what = f"adaptive_avg_pool{nd}d"
    x, batched = _adaptive_batched(input, nd, output_size, what)
    for i, out in enumerate(_adaptive_sizes(x, output_size, nd, what, input.shape)):
        x = _adaptive_avg_dim(x, i + 2, out)
    return _unbatch(x, batched)


@op("SqueezeBackward1")
def adaptive_avg_pool1d(input: Tensor, output_size):
    """Averages over windows that divide the last dimension into output_size parts."""
    return _adaptive_avg(1, input, output_size)


@op("AdaptiveAvgPool2DBackward0")
def adaptive_avg_pool2d(input: Tensor, output_size):
    """Averages over windows that divide the last two dimensions into output_size parts (an int, or a pair; None keeps a size)."""
    return _adaptive_avg(2, input, output_size)


@op("AdaptiveAvgPool3DBackward0")
def adaptive_avg_pool3d(input: Tensor, output_size):
    """Averages over windows that divide the last three dimensions into output_size parts."""
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(nd: int, input: Var, output_size) -> tuple[Var, Var]:
    """Maxima and flat positions: all windows of all dimensions side by side, then one argmax."""
    what = f"adaptive_max_pool{nd}d"
    x, batched = _adaptive_batched(input, nd, output_size, what)
    sizes = _adaptive_sizes(x, output_size, nd, what, input.shape)
    plane = x.shape[2:]
    position = p.broadcast_to(p.reshape(p.iota(math.prod(plane), int64, x.builder), (1, 1, *plane)), x.shape)
    lowest = float("-inf") if x.dtype.kind == "f" else 0
    for i, out in enumerate(sizes):
        dim = 2 + 2 * i
        windows, mask, _ = _gathered_windows(x, dim, out)
        at, _, _ = _gathered_windows(position, dim, out)
        x = p.select(mask, windows, lowest)
        position = p.select(mask, at, math.prod(plane))
    order = (0, 1, *range(2, 2 + 2 * nd, 2), *range(3, 3 + 2 * nd, 2))
    flat = (*x.shape[:2], *sizes, -1)
    widest = math.prod(x.shape[3::2])
    flat = (*x.shape[:2], *sizes, widest)
    x = p.reshape(p.permute(x, order), flat)
    position = p.reshape(p.permute(position, order), flat)
    last = len(flat) - 1
    best = p.reshape(p.argmax(x, last), (*flat[:-1], 1))
    values = p.reshape(p.gather(x, best, last), flat[:-1])
    return _unbatch(values, batched), _unbatch(p.reshape(p.gather(position, best, last), flat[:-1]), batched)


def _adaptive_max_ops(nd: int):
    @op(f"AdaptiveMaxPool{nd}DBackward0", name=f"adaptive_max_pool{nd}d")
    def both(input: Tensor, output_size):
        return _adaptive_max(nd, input, output_size)

    def adaptive_max_pool(input, output_size, return_indices=False):
        values, index = both(input, output_size)
        return (values, index) if return_indices else values

    def with_indices(input, output_size, return_indices=False):
        return both(input, output_size)
    adaptive_max_pool.__name__ = adaptive_max_pool.__qualname__ = f"adaptive_max_pool{nd}d"
    adaptive_max_pool.__doc__ = f"Maxima over windows that divide the last {nd} dimensions into output_size parts."
    with_indices.__name__ = with_indices.__qualname__ = f"adaptive_max_pool{nd}d_with_indices"
    return adaptive_max_pool, with_indices


adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max_ops(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max_ops(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max_ops(3)


# ------------------------------------------------------------------ unpooling

def _check_positions(input, indices, output_size) -> None:
    """RuntimeError for a position outside the output, where the positions are already known."""
    array = known_array(indices)
    if array is not None and array.size and (array.min() < 0 or array.max() >= math.prod(output_size)):
        bad = array[(array < 0) | (array >= math.prod(output_size))].flat[0]
        raise RuntimeError(f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(map(str, output_size))})")


@op("MaxUnpool2DBackward0", check=_check_positions)
def _unpool(input: Tensor, indices: Tensor, output_size):
    nd = len(output_size)
    lead = input.shape[:-nd]
    plane = math.prod(output_size)
    flat = (*lead, math.prod(input.shape[-nd:]))
    zeros = p.full((*lead, plane), 0, input.dtype, input.builder)
    out = p.scatter(zeros, p.reshape(indices, flat), p.reshape(input, flat), len(lead), "set")
    return p.reshape(out, (*lead, *output_size))


def _unpool_size(input, kernel_size, stride, padding, output_size):
    default = [(n - 1) * s + k - 2 * a for n, s, k, a in zip(input.shape[-len(kernel_size):], stride, kernel_size, padding)]
    if output_size is None:
        return tuple(default)
    nd = len(kernel_size)
    if len(output_size) == nd + 2:
        output_size = output_size[2:]
    if len(output_size) != nd:
        raise ValueError(f"output_size should be a sequence containing {nd} or {nd + 2} elements, but it has a length of "
                         f"'{len(output_size)}'")
    for d in range(nd):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
    return tuple(int(s) for s in output_size)


def _max_unpool(nd: int):
    def max_unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        what = f"max_unpool{nd}d"
        kernel = _ints(kernel_size, nd, "kernel_size", what)
        stride = kernel if stride is None else _ints(stride, nd, "stride", what)
        padding = _ints(padding, nd, "padding", what)
        if indices.dtype.name != "int64":
            raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype._legacy}")
        if input.shape != indices.shape:
            raise RuntimeError(f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
                               f"tensor with shape: {list(indices.shape)}")
        return _unpool(input, indices, _unpool_size(input, kernel, stride, padding, output_size))
    max_unpool.__name__ = max_unpool.__qualname__ = f"max_unpool{nd}d"
    max_unpool.__doc__ = f"Puts values back to the positions that max_pool{nd}d took them from; the rest is zero."
    return max_unpool


max_unpool1d, max_unpool2d, max_unpool3d = _max_unpool(1), _max_unpool(2), _max_unpool(3)


# ------------------------------------------------------------------ power averages

def _lp_pool(nd: int):
    def lp_pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        import flambeau as torch
        kernel = _ints(kernel_size, nd, "kernel_size", f"lp_pool{nd}d")
        pool = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}[nd]
        out = pool(input.pow(norm_type), kernel, stride, 0, ceil_mode)
        return (torch.sign(out) * torch.relu(torch.abs(out))).mul(math.prod(kernel)).pow(1.0 / norm_type)
    lp_pool.__name__ = lp_pool.__qualname__ = f"lp_pool{nd}d"
    lp_pool.__doc__ = "Windows' power averages (Σ x^p)^(1/p)."
    return lp_pool


lp_pool1d, lp_pool2d, lp_pool3d = _lp_pool(1), _lp_pool(2), _lp_pool(3)


# ------------------------------------------------------------------ fractional windows (Graham 2014, arXiv:1412.6071)

@op("FractionalMaxPool2DBackward0")
def _fractional(input: Tensor, samples: Tensor, kernel, output_size):
    """Windows start at ⌊(i + u)·α⌋ − ⌊u·α⌋ for u drawn per plane; the last one ends at the edge."""
    nd = len(kernel)
    x = input
    n, c = x.shape[:2]
    plane = x.shape[2:]
    starts = []
    for d in range(nd):
        size, k, out = plane[d], kernel[d], output_size[d]
        # PyTorch draws the samples width first
        u = p.reshape(p.slice_dim(samples, 2, nd - 1 - d if nd == 2 else d, (nd - 1 - d if nd == 2 else d) + 1), (n, c, 1))
        if out == 1:
            start = p.full((n, c, 1), size - k, int64, x.builder)
        else:
            alpha = (size - k) / (out - 1)
            i = p.reshape(p.cast(p.iota(out, int64, x.builder), u.dtype), (1, 1, out))
            start = p.cast(p.trunc((i + u) * alpha), int64) - p.cast(p.trunc(u * alpha), int64)
            last = p.broadcast_to(p.reshape(p.eq(p.iota(out, int64, x.builder), out - 1), (1, 1, out)), start.shape)
            start = p.select(last, size - k, start)
        starts.append(start)
    index = None
    for d in range(nd):
        at = p.add(p.reshape(starts[d], (n, c, output_size[d], 1)), p.reshape(p.iota(kernel[d], int64, x.builder), (1, 1, 1, kernel[d])))
        shape = (n, c, *[output_size[d] if j == d else 1 for j in range(nd)], *[kernel[d] if j == d else 1 for j in range(nd)])
        at = p.reshape(at, shape)
        index = at if index is None else p.add(index * plane[d], at)
    window = math.prod(kernel)
    index = p.reshape(index, (n, c, *output_size, window))
    count = math.prod(output_size)
    flat = p.reshape(x, (n, c, math.prod(plane)))
    values = p.reshape(p.gather(flat, p.reshape(index, (n, c, count * window)), 2), (n, c, *output_size, window))
    best = p.reshape(p.argmax(values, 2 + nd), (n, c, *output_size, 1))
    return (p.reshape(p.gather(values, best, 2 + nd), (n, c, *output_size)),
            p.reshape(p.gather(index, best, 2 + nd), (n, c, *output_size)))


def _fractional_max_pool(nd: int):
    def with_indices(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        import flambeau as torch
        what = f"fractional_max_pool{nd}d"
        if output_size is None and output_ratio is None:
            raise ValueError(f"{what} requires specifying either an output_size or an output_ratio")
        if input.ndim not in (nd + 1, nd + 2):
            raise _wrong_rank(input, nd, what)
        batched = input.ndim == nd + 2
        x = input if batched else input.unsqueeze(0)
        if output_size is None:
            ratio = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * nd
            if len(ratio) > nd:
                raise ValueError("fractional_max_pool requires output_ratio to either be a single Int or tuple of Ints.")
            output_size = [int(n * r) for n, r in zip(x.shape[2:], ratio)]
        if _random_samples is None:
            _random_samples = torch.rand(x.shape[0], x.shape[1], nd, dtype=input.dtype, device=input.device)
        kernel, size = _ints(kernel_size, nd, "kernel_size", what), _ints(output_size, nd, "output_size", what)
        for d in range(nd):
            if size[d] + kernel[d] - 1 > x.shape[2 + d]:
                raise RuntimeError(f"{what}_out(): pool {'time height width'.split()[d - nd]} {kernel[d]} too large relative to input "
                                   f"{x.shape[2 + d]}")
        values, index = _fractional(x, _random_samples[:x.shape[0]], kernel, size)
        return (values, index) if batched else (values.squeeze(0), index.squeeze(0))

    def fractional_max_pool(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        values, index = with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
        return (values, index) if return_indices else values
    fractional_max_pool.__name__ = fractional_max_pool.__qualname__ = f"fractional_max_pool{nd}d"
    fractional_max_pool.__doc__ = "Maxima over pseudo-random windows, output_size (or output_ratio of the input's size) of them."
    with_indices.__name__ = with_indices.__qualname__ = f"fractional_max_pool{nd}d_with_indices"
    return fractional_max_pool, with_indices


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional_max_pool(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional_max_pool(3)
