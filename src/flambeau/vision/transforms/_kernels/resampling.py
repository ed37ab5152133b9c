"""Fetching pixels at fractional positions: resizing axis by axis, and sampling at a grid.

The sums are rounded as PyTorch's CPU kernels round them (they multiply and add in one step), so that float32 results
are equal and uint8 results, which are rounded once more, do not differ by 1 at ties.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .color import is_float

TAPS = {"bilinear": 2, "bicubic": 4, "lanczos": 6}


class Taps(NamedTuple):
    """For each output position along an axis: input positions (taps, n), their weights (taps, n), and where a product
    is rounded before it is added (taps, n)."""

    index: np.ndarray
    weight: np.ndarray
    rounded: np.ndarray


def _multiply_add(a: np.ndarray, b: Any, c: Any) -> np.ndarray:
    """a·b + c in a's dtype; float32 is rounded once."""
    return (a.astype(np.float64, copy=False) * b + c).astype(a.dtype, copy=False)


def nearest_index(n: int, size: int, exact: bool) -> np.ndarray:
    """The input position of each of `size` output positions: the one at its start, or (exact) at its centre."""
    scale = np.float32(n) / np.float32(size)
    k = np.arange(size, dtype=np.float32)
    return np.minimum(np.floor((k + np.float32(0.5) if exact else k) * scale).astype(np.int64), n - 1)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys's cubic convolution weights (1981) with slope `a`: -0.75 here as in OpenCV, -0.5 with antialiasing as in
    Pillow."""
    x, real = distance, distance.dtype.type
    near = _multiply_add(_multiply_add(x, real(a + 2), -real(a + 3)) * x, x, real(1))
    far = _multiply_add(_multiply_add(x - real(5), x, real(8)), x, real(-4)) * real(a)
    return np.where(x < 1, near, np.where(x < 2, far, real(0)))


def plain_taps(n: int, size: int, mode: str, real: type = np.float32) -> Taps:
    """Interpolation between the 2 or 4 nearest input positions, edges repeated."""
    half = real(0.5)
    position = _multiply_add(np.arange(size, dtype=real) + half, np.float64(real(n) / real(size)), -half)
    if mode == "bilinear":
        position = np.maximum(position, real(0))
        first = np.minimum(position.astype(np.int64), n - 1)
        part = np.clip(position - first.astype(real), real(0), real(1))
        index, weight = np.stack([first, np.minimum(first + 1, n - 1)]), np.stack([real(1) - part, part])
    else:
        first = np.floor(position)
        part = position - first
        index = np.clip(first.astype(np.int64) + np.arange(-1, 3)[:, None], 0, n - 1)
        weight = np.stack([_cubic_tap(d) for d in (part + real(1), part, real(1) - part, real(2) - part)])
    return Taps(index, weight, np.zeros(index.shape, bool))


def _cubic_tap(distance: np.ndarray) -> np.ndarray:
    """Keys's weights with a = -0.75, rounded as plain interpolation rounds them."""
    x, real, a = distance, distance.dtype.type, distance.dtype.type(-0.75)
    near = ((a + real(2)) * x - (a + real(3))) * x * x + real(1)
    far = _multiply_add(a * x - real(5) * a, x, real(8) * a) * x - real(4) * a
    return np.where(x <= 1, near, far)


def _lanczos(distance: np.ndarray) -> np.ndarray:
    """The sinc windowed by a sinc of three times its width (Duchon 1979)."""
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0).astype(distance.dtype)


_FILTERS = {"bilinear": lambda distance: np.maximum(distance.dtype.type(1) - distance, distance.dtype.type(0)),
            "bicubic": lambda distance: _cubic(distance, -0.5), "lanczos": _lanczos}


def _support(n: int, size: int, mode: str, real: type) -> tuple[Any, ...]:
    """scale, centres, first positions and counts of the input positions that an antialiased output position covers."""
    scale = real(n) / real(size)
    support = real(TAPS[mode] * 0.5) * max(scale, real(1))
    center = scale * (np.arange(size, dtype=real) + real(0.5))
    first = np.maximum((center - support + real(0.5)).astype(np.int64), 0)
    count = np.minimum((center + support + real(0.5)).astype(np.int64), n) - first
    return scale, center, first, count


def antialiased_taps(n: int, size: int, mode: str, real: type = np.float32) -> Taps:
    """Weights of the filter stretched by the reduction factor, normalised; taps beyond a position's support weigh 0."""
    scale, center, first, count = _support(n, size, mode, real)
    k = np.arange(count.max())[:, None]
    distance = np.abs((k.astype(real) + (first.astype(real) - center) + real(0.5)) * (real(1) / max(scale, real(1))))
    weight = _FILTERS[mode](distance)
    weight = np.where(k < count, weight, real(0))
    total = np.zeros(size, real)
    for row in weight:
        total = total + row
    # PyTorch's loop adds the first product, then groups of four, whose products are rounded, then the rest one by one
    rounded = (k > 0) & (k <= (count - 1) // 4 * 4)
    return Taps(np.minimum(first + k, n - 1), weight / np.where(total == 0, real(1), total), rounded)


def _weighted(xp: Any, x: Any, taps: Taps, axis: int, last_first: bool = False) -> Any:
    """Σ_k weight[k] · x[index[k]] along `axis` (-1 or -2). `last_first`: the sum starts with the second product."""
    column = (slice(None), None) if axis == -2 else ()
    order = [1, 0, *range(2, len(taps.index))] if last_first else range(len(taps.index))
    total = None
    for k in order:
        values, weight, rounded = xp.take(x, taps.index[k], axis), taps.weight[k][column], taps.rounded[k][column]
        if not isinstance(x, np.ndarray):
            weight = xp.array(weight, values)
            total = values * weight if total is None else total + values * weight
        elif total is None:
            total = values * weight
        elif x.dtype != np.float32 or rounded.all():
            total += values * weight
        elif rounded.any():
            total = np.where(rounded, total + values * weight, xp.multiply_add(values, weight, total))
        else:
            total = xp.multiply_add(values, weight, total)
    return total


def resize(xp: Any, x: Any, size: tuple[int, int], mode: str, antialias: bool) -> Any:
    """(…, H, W) -> (…, *size) for floating x (nearest modes: any dtype)."""
    (h, w), (new_h, new_w) = x.shape[-2:], size
    real = np.float64 if xp.dtype(x) == "float64" else np.float32
    if mode.startswith("nearest"):
        exact = mode == "nearest-exact"
        return xp.take(xp.take(x, nearest_index(h, new_h, exact), -2), nearest_index(w, new_w, exact), -1)
    if antialias:
        # an axis that keeps its length is skipped, as Pillow does
        x = x if w == new_w else _weighted(xp, x, antialiased_taps(w, new_w, mode, real), -1)
        return x if h == new_h else _weighted(xp, x, antialiased_taps(h, new_h, mode, real), -2)
    rows, columns = plain_taps(h, new_h, mode, real), plain_taps(w, new_w, mode, real)
    if mode == "bilinear" and new_h + new_w <= 128:
        return _four_products(xp, x, rows, columns)
    return _weighted(xp, _weighted(xp, x, columns, -1, last_first=True), rows, -2, last_first=True)


def _four_products(xp: Any, x: Any, rows: Taps, columns: Taps) -> Any:
    """Bilinear interpolation as one sum of four products, which PyTorch uses for small outputs."""
    total = None
    for i, j in ((0, 1), (0, 0), (1, 0), (1, 1)):
        weight = rows.weight[i][:, None] * columns.weight[j]
        values = xp.take(xp.take(x, rows.index[i], -2), columns.index[j], -1)
        if not isinstance(x, np.ndarray):
            weight = xp.array(weight, values)
        total = values * weight if total is None else xp.multiply_add(values, weight, total)
    return total


def resize_uint8(x: np.ndarray, size: tuple[int, int], mode: str, antialias: bool) -> np.ndarray:
    """(…, H, W) uint8 -> (…, *size) with 16-bit integer weights and one rounding per axis, Pillow's scheme."""
    for axis, new in ((-1, size[1]), (-2, size[0])):
        n = x.shape[axis]
        if n == new:
            continue
        taps = (antialiased_taps if antialias else plain_taps)(n, new, mode, np.float64)
        weight = _merged(taps)
        bits = _weight_bits(float(weight.max()))
        scaled = weight * (1 << bits)
        weights = np.where(scaled < 0, scaled - 0.5, scaled + 0.5).astype(np.int64).astype(np.int32)
        total = np.int32(1 << (bits - 1))
        for index, weight in zip(taps.index, weights):
            total = total + np.take(x, index, axis).astype(np.int32) * (weight if axis == -1 else weight[:, None])
        x = np.clip(total >> bits, 0, 255).astype(np.uint8)
    return x


def _merged(taps: Taps) -> np.ndarray:
    """The weights with those of a position that is repeated at an edge added up, before they are rounded."""
    weight = taps.weight.copy()
    for k in range(len(weight) - 1):
        same = taps.index[k] == taps.index[k + 1]
        weight[k + 1] += np.where(same, weight[k], 0)
        weight[k][same] = 0
    return weight


def _weight_bits(largest: float) -> int:
    """How many fraction bits let the largest weight fit into int16."""
    bits = 0
    while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return bits


def _pixel(grid: np.ndarray, n: int) -> np.ndarray:
    """[-1, 1] coordinates, the outer edges of the border pixels, as pixel positions."""
    return _multiply_add(grid + grid.dtype.type(1), n / 2, -0.5)


def grid_sample(xp: Any, x: Any, grid: np.ndarray, mode: str) -> tuple[Any, np.ndarray]:
    """Samples floating x (…, H, W) at grid (h, w, 2): values (…, h, w), pixels outside counting as 0, and how much of
    each lies inside (h, w)."""
    h, w = x.shape[-2:]
    px, py = _pixel(grid[..., 0], w), _pixel(grid[..., 1], h)
    flat = x.reshape(*x.shape[:-2], h * w)

    def fetch(row: np.ndarray, column: np.ndarray) -> tuple[Any, np.ndarray]:
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        index = np.where(inside, row * w + column, 0).astype(np.int64)
        values = xp.take(flat, index, -1)
        weight = inside.astype(grid.dtype)
        return values * (weight if isinstance(x, np.ndarray) else xp.array(weight, values)), weight

    if mode == "nearest":
        return fetch(np.rint(py), np.rint(px))
    left, top = np.floor(px), np.floor(py)
    east, south = px - left, py - top
    west, north = grid.dtype.type(1) - east, grid.dtype.type(1) - south
    corners = ((top, left, west * north), (top, left + 1, east * north), (top + 1, left, west * south),
               (top + 1, left + 1, east * south))
    total, covered = None, None
    for row, column, weight in corners:
        values, inside = fetch(row, column)
        share = weight if isinstance(x, np.ndarray) else xp.array(weight, values)
        total = values * share if total is None else xp.multiply_add(values, share, total)
        covered = inside * weight if covered is None else _multiply_add(inside, weight, covered)
    return total, covered


def sample(xp: Any, x: Any, grid: np.ndarray, mode: str, fill: Any, fused: bool = False) -> Any:
    """`grid_sample` on any dtype (…, C, H, W), with `fill` (a number, or C numbers, or None for 0) where the grid
    leaves the image. `fused`: v2's order of operations at the edges."""
    dtype = xp.dtype(x)
    working = grid.dtype.name
    values, inside = grid_sample(xp, xp.cast(x, working), grid, mode)
    if fill is not None:
        color = np.reshape(np.asarray(fill, working), (-1, 1, 1))
        if not isinstance(x, np.ndarray):
            color, inside = xp.array(color, values), xp.array(inside, values)
        if mode == "nearest":
            values = xp.where(inside >= 0.5, values, color)
        else:
            values = (values - color) * inside + color if fused else values * inside + (1.0 - inside) * color
    if is_float(dtype):
        return xp.cast(values, dtype)
    return xp.cast(xp.round(values), dtype)
