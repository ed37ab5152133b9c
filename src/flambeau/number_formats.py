"""Number formats that NumPy lacks, as bits in unsigned integers: how to read and write them. Knows arrays, not dtypes.

bfloat16 is the upper half of a float32; complex32 a pair of float16; the 8-bit floats are those of Micikevicius et al., "FP8
formats for deep learning" (2022), and their variants without negative zero ("fnuz"), whose NaN has that code.
"""
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np


def decode_bfloat16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def encode_bfloat16(values: np.ndarray) -> np.ndarray:
    """Rounds to the nearest, ties to even; NaN stays a NaN."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    rounded = np.where(np.isnan(bits.view(np.float32)), np.uint32(0x7FC0), rounded)
    return rounded.astype(np.uint16).reshape(values.shape)


def decode_complex32(bits: np.ndarray) -> np.ndarray:
    pairs = np.ascontiguousarray(bits).reshape(-1).view(np.float16).astype(np.float32)
    return pairs.view(np.complex64).reshape(bits.shape)


def encode_complex32(values: np.ndarray) -> np.ndarray:
    pairs = np.ascontiguousarray(values, dtype=np.complex64).reshape(-1).view(np.float32)
    with np.errstate(over="ignore"):
        return pairs.astype(np.float16).view(np.uint32).reshape(values.shape)


class Float8(NamedTuple):
    """exponent: how many bits. bias: of the exponent. infinite: has infinities (and so IEEE's NaNs). fnuz: 0x80 is NaN."""

    exponent: int
    bias: int
    infinite: bool = False
    fnuz: bool = False


FLOAT8 = {"float8_e4m3fn": Float8(4, 7), "float8_e5m2": Float8(5, 15, infinite=True), "float8_e4m3fnuz": Float8(4, 8, fnuz=True),
          "float8_e5m2fnuz": Float8(5, 16, fnuz=True)}


@lru_cache(None)
def _table(name: str) -> np.ndarray:
    """The value of each of the 256 codes."""
    form = FLOAT8[name]
    fraction = 7 - form.exponent
    values = np.zeros(256, np.float32)
    for code in range(128):
        e, m = code >> fraction, code & (2 ** fraction - 1)
        size = math.ldexp(m, 1 - form.bias - fraction) if e == 0 else math.ldexp(m + 2 ** fraction, e - form.bias - fraction)
        if form.infinite and e == 2 ** form.exponent - 1:
            size = math.inf if m == 0 else math.nan
        elif code == 127 and not form.fnuz and not form.infinite:
            size = math.nan
        values[code], values[code + 128] = size, -size
    if form.fnuz:
        values[128] = math.nan
    return values


def decode_float8(bits: np.ndarray, name: str) -> np.ndarray:
    return _table(name)[bits]


def encode_float8(values: np.ndarray, name: str) -> np.ndarray:
    """Rounds to the nearest, ties to even. What is too large becomes infinite (e5m2), NaN (fnuz), or the largest (e4m3fn)."""
    form, sizes = FLOAT8[name], _table(name)[:128].astype(np.float64)
    count = int(np.isfinite(sizes).sum())
    finite = sizes[:count]
    above = finite[-1] * 2 - finite[-2]  # where the next number would be
    middles = (finite + np.append(finite[1:], above)) / 2
    size = np.abs(values).astype(np.float64)
    code = np.searchsorted(middles, size, side="left")  # a size on a middle goes to the lower code …
    tie = middles[np.minimum(code, count - 1)] == size
    code = np.where(tie & (code % 2 == 1), code + 1, code)  # … unless that is odd
    nan = 128 if form.fnuz else 127
    code = np.where(code >= count, count if form.infinite else nan if form.fnuz else count - 1, code)
    code = np.where(np.isnan(values), nan, code)
    negative = np.signbit(values) & ~(form.fnuz & ((code == 0) | (code == nan)))
    return (code + 128 * negative).astype(np.uint8)
