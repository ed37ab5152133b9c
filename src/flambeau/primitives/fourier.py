"""Discrete Fourier transforms, by NumPy: y_k = s Σ_n x_n exp(∓2πi kn/N), the lower sign being the inverse's.

The scale s is 1, 1/√N or 1/N with N the product of the transformed sizes; here it is called `scale`: 0, 1 or 2 halves
of 1/N.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.graph import Var
from ..ir.types import TensorType, tensor_type
from .base import Primitive
from .elementwise import cast, mul, real
from .shape import concat, pad, slice_dim

# NumPy's `norm` by scale: it names by which transform carries the factor 1/N
_FORWARD_NORM = ("backward", "ortho", "forward")
_INVERSE_NORM = ("forward", "ortho", "backward")


# NumPy 1 computes in double precision and makes an array for each dimension
_WRITES_OVER = int(np.__version__.partition(".")[0]) >= 2


def _c2c_kernel(x: np.ndarray, dims: tuple[int, ...], scale: int, forward: bool) -> np.ndarray:
    transform, norm = (np.fft.fft, _FORWARD_NORM[scale]) if forward else (np.fft.ifft, _INVERSE_NORM[scale])
    dtype = np.result_type(x.dtype, np.complex64)
    y = transform(x, axis=dims[-1], norm=norm).astype(dtype, copy=False)
    for dim in dims[:-1]:
        y = transform(y, axis=dim, norm=norm, **({"out": y} if _WRITES_OVER else {})).astype(dtype, copy=False)
    return y


def _c2c_vjp(g: Var, y: Var, xs: tuple[Var, ...], dims: tuple[int, ...], scale: int, forward: bool) -> tuple[Var]:
    back = c2c(g, dims, scale, not forward)
    return (back if xs[0].dtype.kind == "c" else real(back),)


c2c_p = Primitive("fft_c2c", lambda x, dims, scale, forward: tensor_type(x.dtype.to_complex(), x.shape), _c2c_kernel,
                  _c2c_vjp,
                  kind="host")


def c2c(x: Var, dims: tuple[int, ...], scale: int, forward: bool) -> Var:
    """The transform of x, complex or real, along dims."""
    return c2c_p((x,), dims, scale, forward) if dims and x.size else cast(x, x.dtype.to_complex())


def _r2c_types(x: TensorType, dim: int, scale: int) -> TensorType:
    return tensor_type(x.dtype.to_complex(), tuple(n // 2 + 1 if i == dim else n for i, n in enumerate(x.shape)))


def _r2c_kernel(x: np.ndarray, dim: int, scale: int) -> np.ndarray:
    y = np.fft.rfft(x, axis=dim, norm=_FORWARD_NORM[scale])
    return y.astype(np.result_type(x.dtype, np.complex64), copy=False)


def _r2c_vjp(g: Any, y: Var, xs: tuple[Var, ...], dim: int, scale: int) -> tuple[Var]:
    missing = xs[0].shape[dim] - g.shape[dim]
    whole = pad(g, (0,) * g.ndim, tuple(missing if i == dim else 0 for i in range(g.ndim)))
    return (real(c2c(whole, (dim,), scale, False)),)


r2c_p = Primitive("fft_r2c", _r2c_types, _r2c_kernel, _r2c_vjp, kind="host")


def r2c(x: Var, dim: int, scale: int) -> Var:
    """The forward transform of real x along dim: its first N/2 + 1 terms, of which the others are the conjugates."""
    return r2c_p((x,), dim, scale)


def _c2r_types(x: TensorType, dim: int, n: int, scale: int) -> TensorType:
    return tensor_type(x.dtype.to_real(), tuple(n if i == dim else s for i, s in enumerate(x.shape)))


def _c2r_kernel(x: np.ndarray, dim: int, n: int, scale: int) -> np.ndarray:
    return np.fft.irfft(x, n, axis=dim, norm=_INVERSE_NORM[scale]).astype(x.real.dtype, copy=False)


def _c2r_vjp(g: Var, y: Var, xs: tuple[Var, ...], dim: int, n: int, scale: int) -> tuple[Var]:
    """Terms that stand for two, themselves and their conjugates, count twice: all but those of frequency 0 and N/2."""
    half = r2c(g, dim, scale)
    ends = (0, 1, (n + 1) // 2, half.shape[dim])
    parts = [slice_dim(half, dim, a, b) for a, b in zip(ends, ends[1:])]
    parts[1] = mul(parts[1], 2)
    return (concat([part for part in parts if part.shape[dim]], dim),)


c2r_p = Primitive("fft_c2r", _c2r_types, _c2r_kernel, _c2r_vjp, kind="host")


def c2r(x: Var, dim: int, n: int, scale: int) -> Var:
    """The inverse transform along dim, to n real numbers, of the first n/2 + 1 of n terms."""
    return c2r_p((x,), dim, n, scale)
