"""3×3 convolutions with stride 1 by minimal filtering (Winograd 1980; Lavin & Gray 2016), and when that pays.

A tile of m×m results takes (m+2)² multiplications for each pair of channels, where the definition takes 9·m²:

    y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ d B) ] A          d: the (m+2)×(m+2) elements of the input that the tile reads

Summed over input channels, the products at each of the (m+2)² points are a matrix product. For the gradient with respect to
the input the filter is turned by 180° and its channels swapped; for that with respect to the filter the same bilinear form
is read the other way round: dw = Gᵀ [ Σ (A dy Aᵀ) ⊙ (Bᵀ d B) ] G, summed over the tiles.

`legalize` asks `filtering`, and puts the primitives below in place of the convolution; `winograd_kernels` writes them.

The cost model counts, for one image, cycles of eight float32 lanes: products of channel pairs (direct or transformed), and what
it takes to transform elements of the images and of the filter (`pays`). Sizes that are not whole tiles or vectors are left to
the direct kernels, and so is float64.

With m = 2 the factors are 1 and ½, and rounding errors are those of the direct sum (measured: 1e-6 of the largest result
for 64 to 512 channels). m = 4 would take fewer products, but its factors, up to 8, cost about a digit. An infinite element
of the input makes its tile's results NaN, as ∞ - ∞ is.
"""
from __future__ import annotations

from typing import NamedTuple, Sequence

from .lowered import LoweredPrimitive

Matrix = tuple[tuple[float, ...], ...]

KERNEL = 3
LANES = 16                # channels and tiles are multiples of this: whole vectors in every ISA
MULTIPLICATIONS = 14.0    # a cycle
TRANSFORM = 0.5           # cycles for a transformed element of an image, loaded, combined and stored
FILTER = 3.0              # cycles for one of the filter, which is gathered
BLOCK_BYTES = 192 * 1024  # of transformed tiles that a chunk works on at a time, about
MAX_BLOCK = 128           # tiles
CHANNEL_BLOCK = 128       # channels on each side of a filter's gradient
CHUNKS = 16               # wanted at least


class Filtering(NamedTuple):
    """The matrices for tiles of `m` results a side: Aᵀ (m × m+2), G (m+2 × 3), Bᵀ (m+2 × m+2)."""

    m: int
    at: Matrix
    g: Matrix
    bt: Matrix

    @property
    def points(self) -> int:
        """Products of a pair of channels in a tile."""
        return len(self.bt) ** 2


def transposed(matrix: Matrix) -> Matrix:
    """The matrix with rows and columns swapped."""
    return tuple(zip(*matrix))


F2 = Filtering(2, ((1, 1, 1, 0), (0, 1, -1, -1)),
               ((1, 0, 0), (.5, .5, .5), (.5, -.5, .5), (0, 0, 1)),
               ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)))

WINOGRAD_FILTER = LoweredPrimitive("winograd_filter")  # (w); params: turned → (points, O, I), or (points, I, O)
WINOGRAD_CONV = LoweredPrimitive("winograd_conv")      # (padded x, transformed filter) → y
WINOGRAD_PRODUCTS = LoweredPrimitive("winograd_products")  # (padded x, dy) → (parts, points, O, I)
WINOGRAD_WEIGHT = LoweredPrimitive("winograd_weight")  # (those) → dw


class Blocks(NamedTuple):
    """How a convolution is cut: `tiles` side by side at a time, and `c_in` by `c_out` channels."""

    tiles: int
    c_in: int
    c_out: int


def _divisor(n: int, most: int, unit: int = 1) -> int:
    """The largest divisor of n that is a multiple of `unit` and at most `most` (or `unit` itself)."""
    return max((d for d in range(unit, min(n, most) + 1, unit) if n % d == 0), default=unit)


def tiles(out: Sequence[int]) -> int:
    """Tiles of an output (N, O, H, W)."""
    return out[0] * (out[2] // F2.m) * (out[3] // F2.m)


def forward_blocks(c_in: int, out: Sequence[int]) -> Blocks:
    """Chunks share out blocks of tiles, and output channels where there are few of them."""
    n, c_out = tiles(out), out[1]
    channels = c_out
    while True:
        most = max(2 * LANES, BLOCK_BYTES // (4 * F2.points * (c_in + channels)))
        block = _divisor(n, min(most, MAX_BLOCK), LANES)
        fewer = _divisor(c_out, channels // 2, LANES)
        if n // block * (c_out // channels) >= CHUNKS or channels <= CHANNEL_BLOCK or fewer >= channels:
            return Blocks(block, c_in, channels)
        channels = fewer


def product_blocks(c_in: int, out: Sequence[int]) -> tuple[Blocks, int]:
    """(blocks, parts) of the gradient with respect to the filter: each part sums up over tiles of its own."""
    n, c_out = tiles(out), out[1]
    ci, co = _divisor(c_in, CHANNEL_BLOCK, LANES), _divisor(c_out, CHANNEL_BLOCK, LANES)
    block = _divisor(n, max(2 * LANES, min(MAX_BLOCK, BLOCK_BYTES // (4 * F2.points * (ci + co)))), LANES)
    wanted = -(-CHUNKS // ((c_in // ci) * (c_out // co)))
    return Blocks(block, ci, co), _divisor(n // block, wanted)


def pays(c_in: int, out: Sequence[int]) -> bool:
    """Whether minimal filtering takes fewer cycles than the definition, for sizes that it can do."""
    n, c_out, h, w = out
    if h % F2.m or w % F2.m or c_in % LANES or c_out % LANES or tiles(out) % LANES or not tiles(out):
        return False
    pairs, results = c_in * c_out, n * h * w
    direct = KERNEL ** 2 * pairs * results / MULTIPLICATIONS
    points = F2.points / F2.m ** 2 * results
    return points * (pairs / MULTIPLICATIONS + TRANSFORM * (c_in + c_out)) + FILTER * F2.points * pairs < direct
