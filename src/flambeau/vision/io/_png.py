"""PNG with 16 bits for each sample, which Pillow reduces to 8. (W3C PNG specification, third edition)"""
from __future__ import annotations

import struct
import zlib
from typing import Iterator

import numpy as np

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type: grey, RGB, grey with alpha, RGB with alpha
_CORRUPTED = "Out of bound read in decode_png. Probably, the input image is corrupted"
# Adam7: x, y, dx, dy of each pass
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8:at + 8 + length]
        at += 12 + length


def read_deep_png(content: bytes) -> np.ndarray:
    """The image (C, H, W), uint16, in the bytes of a 16-bit PNG. RuntimeError if they are damaged."""
    chunks = list(_chunks(content))
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1][:13])
    if depth != 16 or color not in CHANNELS:
        raise RuntimeError(f"not a 16-bit PNG: depth {depth}, colour type {color}")
    channels = CHANNELS[color]
    try:
        data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    except zlib.error as error:
        raise RuntimeError(f"{_CORRUPTED} ({error})") from None
    image = np.zeros((height, width, channels), np.uint16)
    at = 0
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        part = image[y::dy, x::dx]
        if part.size == 0:
            continue
        rows, columns = part.shape[:2]
        size = rows * (1 + columns * channels * 2)
        if len(data) < at + size:
            raise RuntimeError(_CORRUPTED)
        lines = _unfilter(np.frombuffer(data, np.uint8, size, at).reshape(rows, -1), channels * 2)
        part[...] = lines.view(">u2").reshape(part.shape)
        at += size
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _unfilter(lines: np.ndarray, step: int) -> np.ndarray:
    """Undoes the prediction of each line, which its first byte names; `step` bytes make a pixel."""
    out = np.zeros((len(lines), lines.shape[1] - 1), np.uint8)
    above = np.zeros(out.shape[1], np.uint8)
    for kind, line, result in zip(lines[:, 0].tolist(), lines[:, 1:], out):
        if kind == 0:
            result[:] = line
        elif kind == 1:  # Sub: a running sum over the pixels to the left, modulo 256
            result[:] = np.cumsum(line.reshape(-1, step), 0, dtype=np.uint8).reshape(-1)
        elif kind == 2:  # Up
            result[:] = line + above
        elif kind in (3, 4):
            result[:] = _sequential(kind, line.tolist(), above.tolist(), step)
        else:
            raise RuntimeError(f"{_CORRUPTED} (there is no filter {kind})")
        above = result
    return out


def _sequential(kind: int, line: list[int], above: list[int], step: int) -> list[int]:
    """Average and Paeth, where each byte depends on the one before."""
    done = [0] * step
    corner = [0] * step + above
    for k, value in enumerate(line):
        left, up, diagonal = done[k], above[k], corner[k]
        if kind == 3:
            guess = (left + up) // 2
        else:
            estimate = left + up - diagonal
            da, db, dc = abs(estimate - left), abs(estimate - up), abs(estimate - diagonal)
            guess = left if da <= db and da <= dc else up if db <= dc else diagonal
        done.append((value + guess) & 255)
    return done[step:]
