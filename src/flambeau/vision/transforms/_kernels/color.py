"""Colours: each output pixel depends on one input pixel (and for some on a statistic of the image).

Two arithmetics are in use. The first transforms round after every operation; those of v2 multiply and add in one step
(`multiply_add`). The results differ in the last bit, and so sometimes by 1 in uint8.
"""
from __future__ import annotations

from typing import Any

import numpy as np

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as four digits
MAX_VALUES = {"uint8": 255, "int8": 127, "int16": 32767, "uint16": 65535, "int32": 2147483647,
              "int64": 9223372036854775807}


def max_value(dtype: str) -> int:
    """White: the largest value of an integer dtype, 1 for floating and bool."""
    return MAX_VALUES.get(dtype, 1)


def is_float(dtype: str) -> bool:
    return "float" in dtype


def floating(xp: Any, x: Any) -> Any:
    """`x` as it is if floating, else as float32."""
    return x if is_float(xp.dtype(x)) else xp.cast(x, "float32")


def convert_dtype(xp: Any, x: Any, dtype: str, fused: bool = False) -> Any:
    """Rescales from [0, white] of one dtype to [0, white] of the other. float -> int truncates after a scale by max + 1
    - 1e-3; int -> float divides by white, or (fused) multiplies by its reciprocal."""
    source = xp.dtype(x)
    if source == dtype:
        return x
    if is_float(source):
        return xp.cast(x, dtype) if is_float(dtype) else xp.cast(x * (max_value(dtype) + 1.0 - 1e-3), dtype)
    if is_float(dtype):
        white = float(max_value(source))
        return xp.cast(x, dtype) * (1.0 / white) if fused else xp.cast(x, dtype) / white
    bits, wanted = max_value(source).bit_length(), max_value(dtype).bit_length()
    if bits > wanted:
        return xp.cast(x // 2 ** (bits - wanted), dtype)
    return xp.cast(x, dtype) * 2 ** (wanted - bits)


def grayscale(xp: Any, x: Any, channels: int = 1, fused: bool = False) -> Any:
    """(…, 3, H, W) -> (…, channels, H, W), luma truncated to the dtype; (…, 1, H, W) is copied or repeated."""
    if x.shape[-3] == 3:
        r, g, b = (floating(xp, x[..., k, :, :]) for k in range(3))
        if fused:
            luma = xp.multiply_add(b, _scalar(b, LUMA[2]), xp.multiply_add(g, _scalar(g, LUMA[1]), r * LUMA[0]))
        else:
            luma = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
        x = xp.cast(luma, xp.dtype(x))[..., None, :, :]
        return xp.concat([x] * channels, -3)
    return x * 1  # one channel stays one, whatever is asked for


def _scalar(like: Any, value: float) -> Any:
    """`value` rounded to the dtype of an ndarray, so that a product with it is one of that dtype."""
    return like.dtype.type(value) if isinstance(like, np.ndarray) else value


def blend(xp: Any, a: Any, b: Any, ratio: float, fused: bool = False) -> Any:
    """ratio·a + (1 - ratio)·b, clipped to [0, white] and truncated to a's dtype."""
    fa, fb = floating(xp, a), floating(xp, b)
    if fused:
        mixed = xp.multiply_add(fb, _scalar(fb, 1.0 - ratio), fa * ratio)
    else:
        mixed = ratio * fa + (1.0 - ratio) * fb
    return xp.cast(xp.clip(mixed, 0, max_value(xp.dtype(a))), xp.dtype(a))


def adjust_brightness(xp: Any, x: Any, factor: float, fused: bool = False) -> Any:
    if fused:
        return xp.cast(xp.clip(floating(xp, x) * factor, 0, max_value(xp.dtype(x))), xp.dtype(x))
    return blend(xp, x, xp.zeros_like(x), factor)


def adjust_contrast(xp: Any, x: Any, factor: float, fused: bool = False) -> Any:
    """Blends with the mean luma."""
    luma = grayscale(xp, x, fused=fused)
    mean = xp.mean(floating(xp, luma), (-3, -2, -1))
    return blend(xp, x, mean, factor, fused)


def adjust_saturation(xp: Any, x: Any, factor: float, fused: bool = False) -> Any:
    """Blends with the luma."""
    return blend(xp, x, grayscale(xp, x, fused=fused), factor, fused)


def adjust_gamma(xp: Any, x: Any, gamma: float, gain: float, fused: bool = False) -> Any:
    """gain · x^gamma on [0, 1]."""
    dtype = xp.dtype(x)
    unit = x if is_float(dtype) else convert_dtype(xp, x, "float32", fused)
    powered = xp.power(unit, gamma)
    if gain != 1.0 or not fused:
        powered = xp.clip(powered * gain, 0, 1)
    return convert_dtype(xp, powered, dtype, fused)


def rgb_to_hsv(xp: Any, x: Any, fused: bool = False) -> tuple[Any, Any, Any]:
    """Hue, saturation and value in [0, 1] of floating (…, 3, H, W); grey has hue and saturation 0. (Smith 1978)"""
    r, g, b = (x[..., k, :, :] for k in range(3))
    high, low = xp.amax(x, (-3,)), xp.amin(x, (-3,))
    grey = high == low
    one = high * 0 + 1
    spread = high - low
    saturation = spread / xp.where(grey, one, high)
    divisor = xp.where(grey, one, spread)
    rc, gc, bc = ((high - c) / divisor for c in (r, g, b))
    is_r = high == r
    is_g = (high == g) & ~is_r
    hue = xp.where(is_r, bc - gc, xp.where(is_g, 2.0 + rc - bc, 4.0 + gc - rc))
    return xp.fmod((hue * (1.0 / 6.0) if fused else hue / 6.0) + 1.0, one), saturation, high


def hsv_to_rgb(xp: Any, h: Any, s: Any, v: Any, fused: bool = False) -> Any:
    sextant = xp.floor(h * 6.0)
    f = h * 6.0 - sextant
    if fused:
        p, q, t = v * (1.0 - s), v * (1.0 - s * f), v * (s * f + (1.0 - s))
    else:
        p, q, t = v * (1.0 - s), v * (1.0 - s * f), v * (1.0 - s * (1.0 - f))
    p, q, t = (xp.clip(c, 0.0, 1.0) for c in (p, q, t))
    sextant = xp.cast(sextant, "int32") % 6
    order = ((v, t, p), (q, v, p), (p, v, t), (p, q, v), (t, p, v), (v, p, q))

    def pick(channel):
        value = order[5][channel]
        for k in range(5):
            value = xp.where(sextant == k, order[k][channel], value)
        return value

    return xp.stack([pick(channel) for channel in range(3)], -3)


def adjust_hue(xp: Any, x: Any, factor: float, fused: bool = False) -> Any:
    """Turns the hue by `factor` of a full circle."""
    dtype = xp.dtype(x)
    h, s, v = rgb_to_hsv(xp, convert_dtype(xp, x, "float32", fused), fused)
    return convert_dtype(xp, hsv_to_rgb(xp, (h + factor) % 1.0, s, v, fused), dtype, fused)


def invert(xp: Any, x: Any) -> Any:
    return max_value(xp.dtype(x)) - x


def posterize(xp: Any, x: Any, bits: int) -> Any:
    """Keeps the upper `bits` of an integer's value bits, or rounds a float down to 2^bits levels."""
    dtype = xp.dtype(x)
    if is_float(dtype):
        levels = 2 ** bits
        return xp.clip(xp.floor(x * levels), 0, levels - 1) * (1.0 / levels)
    depth = max_value(dtype).bit_length()
    return x & ((1 << bits) - 1 << depth - bits) if bits < depth else x * 1


def solarize(xp: Any, x: Any, threshold: float) -> Any:
    """Inverts values of at least `threshold`."""
    return xp.where(x >= threshold, invert(xp, x), x)


def autocontrast(xp: Any, x: Any, fused: bool = False) -> Any:
    """Stretches each channel to [0, white]; a channel of one value stays."""
    dtype = xp.dtype(x)
    white = max_value(dtype)
    fx = floating(xp, x)
    low, high = xp.amin(fx, (-2, -1), True), xp.amax(fx, (-2, -1), True)
    flat = high == low
    one, spread = low * 0 + 1, high - low
    lifted = fx - xp.where(flat, low * 0, low)
    if fused:
        stretched = lifted / xp.where(flat, one, spread * (1.0 / white))
    else:  # a rounded reciprocal first, as PyTorch divides into a number
        stretched = lifted * xp.where(flat, one, one / xp.where(flat, one, spread) * white)
    return xp.cast(xp.clip(stretched, 0, white), dtype)


def equalize(x: np.ndarray) -> np.ndarray:
    """Flattens the histogram of each channel of uint8 (…, H, W), by Pillow's rule."""
    flat = x.reshape(-1, x.shape[-2] * x.shape[-1])
    out = np.empty_like(flat)
    for channel, result in zip(flat, out):
        counts = np.bincount(channel, minlength=256)
        present = counts[counts != 0]
        step = present[:-1].sum() // 255
        if step == 0:
            result[:] = channel
            continue
        table = np.zeros(256, np.int64)
        table[1:] = (np.cumsum(counts)[:-1] + step // 2) // step
        result[:] = np.clip(table, 0, 255).astype(np.uint8)[channel]
    return out.reshape(x.shape)


def normalize(xp: Any, x: Any, mean: Any, std: Any) -> Any:
    """(x - mean) / std, with mean and std already shaped (C, 1, 1) and of x's dtype."""
    if isinstance(x, np.ndarray):
        out = np.subtract(x, mean)
        out /= std
        return out
    return (x - mean) / std
