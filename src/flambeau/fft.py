# ruff: noqa: F821
"""`torch.fft`: discrete Fourier transforms of one, two and any number of dimensions.

Letters of the names: r, the input is real and of the result only the terms 0 … n/2 are given (ir, the way back); h, the
input is half of a Hermitian signal and its transform is real (ih, the way back); i, the inverse.
Common arguments: `n`, or `s` for several dimensions, is the size to which the input is cut or filled with zeros (by
default its own; for irfft and hfft 2(m − 1) for m terms); `norm` says which way carries the factor 1/n: "backward" (the
default), "forward", or "ortho": 1/√n both ways. Errors: RuntimeError for an unknown norm, sizes below 1, half
precision, complex input of a real transform, a dimension named twice.
"""
from __future__ import annotations

import functools
from typing import Any, Callable

from . import primitives as p
from .dtypes import dtype as dtype_class, get_default_dtype
from .ir.graph import Var
from .ir.types import contiguous_strides
from .ops.creation import arange
from .ops.pointwise import named
from .primitives.fourier import c2c, c2r, r2c
from .tensor.op import op
from .tensor.overriding import guard
from .tensor.strides import lay_out, strides_in_order
from .tensor.tensor import Tensor
from .tensor.views import wrap_dim

# ------------------------------------------------------------------ arguments


def _scale(norm: str | None, forward: bool) -> int:
    """How many halves of the factor 1/n a transform carries."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    return 1 if norm == "ortho" else 2 * ((norm == "forward") == forward)


def _number_dtype(x: Var) -> dtype_class:
    """The real or complex dtype that x is transformed in."""
    dt = x.dtype if x.dtype.kind in "fc" else get_default_dtype()
    if dt.name not in ("float32", "float64", "complex64", "complex128"):
        raise RuntimeError(f"Unsupported dtype {dt._legacy.removesuffix('Tensor').removeprefix('torch.')}")
    return dt


def _as_real(name: str, what: str, x: Var) -> Var:
    if x.dtype.kind == "c":
        raise RuntimeError(f"{name} expects a {what} input tensor, but got {x.dtype._legacy}")
    return p.cast(x, _number_dtype(x))


def _resized(x: Var, sizes: dict[int, int]) -> Var:
    """x cut, or filled with zeros at the end, to the given sizes of dimensions."""
    for size in sizes.values():
        if size < 1:
            raise RuntimeError(f"Invalid number of data points ({size}) specified")
    for dim, size in sizes.items():
        x = p.slice_dim(x, dim, 0, min(size, x.shape[dim]))
    return p.pad(x, (0,) * x.ndim, tuple(sizes.get(i, n) - n for i, n in enumerate(x.shape)))


def _one_dim(x: Var, dim: int) -> int:
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, x.ndim)


def _dims_and_sizes(x: Var, s: Any, dim: Any) -> dict[int, int | None]:
    """The transformed dimensions in order, each with its given size; None where that is the input's (given as −1)."""
    dims = (dim,) if isinstance(dim, int) else dim
    s = (s,) if isinstance(s, int) else s
    if dims is not None:
        wrapped = [wrap_dim(d, x.ndim) for d in dims]
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(wrapped):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    else:
        if s is not None and len(s) > x.ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {x.ndim} dimensions.")
        wrapped = list(range(x.ndim - (x.ndim if s is None else len(s)), x.ndim))
    return {d: None if s is None or s[i] == -1 else s[i] for i, d in enumerate(wrapped)}


def _at_least_one(name: str, sizes: dict) -> None:
    if not sizes:
        raise RuntimeError(f"{name} must transform at least one axis")


# ------------------------------------------------------------------ the six kinds, of any number of dimensions
# The last of the dimensions `sizes` is the one that is real or half given.

def _filled(x: Var, sizes: dict[int, int | None]) -> dict[int, int]:
    return {d: x.shape[d] if n is None else n for d, n in sizes.items()}


def _complex(x: Var, sizes: dict, norm: str | None, forward: bool) -> Var:
    x = p.cast(x, _number_dtype(x))
    return c2c(_resized(x, _filled(x, sizes)), tuple(sizes), _scale(norm, forward), forward)


def _from_real(x: Var, sizes: dict, norm: str | None, forward: bool) -> Var:
    """rfft and, not forward, ihfft: the conjugate of the former's, and scaled as an inverse."""
    x = _resized(x, _filled(x, sizes))
    *others, last = sizes
    y = r2c(x, last, _scale(norm, forward))
    y = y if forward else p.conj(y)
    return c2c(y, tuple(others), _scale(norm, forward), forward)


def _to_real(x: Var, sizes: dict, norm: str | None, forward: bool) -> Var:
    """irfft and, forward, hfft: the former of the conjugate, and scaled as a forward transform."""
    x = p.cast(x, _number_dtype(x).to_complex())
    *others, last = sizes
    n = 2 * (x.shape[last] - 1) if sizes[last] is None else sizes[last]
    x = _resized(x, {**_filled(x, sizes), last: n // 2 + 1 if n > 0 else n})
    x = c2c(x, tuple(others), _scale(norm, forward), forward)
    return c2r(p.conj(x) if forward else x, last, n, _scale(norm, forward))


# ------------------------------------------------------------------ the order in memory

def _ordered(kind: Callable[..., Var], forward: bool) -> Callable[[Callable], Callable]:
    """Lays results out as PyTorch does: in each of its passes the dimensions that are transformed become the fastest."""
    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Tensor:
            result = function(*args, **kwargs)
            if kwargs.get("out") is None:
                input, sizes, dim, _ = function.op.bind(args, {k: v for k, v in kwargs.items() if k != "out"})  # type: ignore[attr-defined]
                shape, strides, _ = input._geometry()
                if len(shape) > 1:
                    wanted = _dims_and_sizes(input, sizes, dim)
                    if any(n is not None and n > shape[d] for d, n in _read(kind, wanted).items()):
                        strides = contiguous_strides(shape)  # what is filled with zeros is a copy
                    slowest_first = sorted(range(len(shape)), key=lambda d: (-strides[d], d))
                    order = _order(kind, forward, tuple(wanted), tuple(slowest_first))
                    lay_out(result, strides_in_order(tuple(result._geometry()[0]), order[::-1]))
            return result
        return call
    return decorate


def _read(kind: Callable[..., Var], sizes: dict[int, int | None]) -> dict[int, int | None]:
    """How many elements of each transformed dimension are read, for given sizes of the result; None: all."""
    if kind is not _to_real or not sizes:
        return sizes
    last, n = list(sizes.items())[-1]
    return {**sizes, last: None if n is None else n // 2 + 1}


@functools.lru_cache(maxsize=256)
def _order(kind: Callable[..., Var], forward: bool, dims: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions of a transform's result, the slowest first, from those of its input."""
    if not dims:
        return order
    others, last = tuple([d for d in order if d in dims[:-1]]), dims[-1:]
    if kind is _complex:
        passes = [tuple([d for d in order if d in dims])]
    else:
        passes = [others, last] if kind is _to_real else [others + last] if forward else [last, others]
    for transformed in passes:
        order = tuple([d for d in order if d not in transformed]) + transformed
    return order


def _of_one(name: str, kind: Callable[..., Var], forward: bool, grad_name: Any, doc: str) -> Any:
    def body(input: Tensor, n=None, dim=-1, norm=None):
        if kind is _from_real:
            input = _as_real(name, "real", input)
        return kind(input, {_one_dim(input, dim): n}, norm, forward)
    return _ordered(kind, forward)(op(grad_name, name=name)(named(body, name, doc)))


def _check_several(name: str, kind: Callable[..., Var], x: Var, sizes: dict) -> Var:
    if kind is _complex:
        return x
    if kind is _from_real:
        x = _as_real(name, "real-valued", x)
    _at_least_one(name, sizes)
    return x


def _of_two(name: str, kind: Callable[..., Var], forward: bool, grad_name: str, doc: str) -> Any:
    def body(input: Tensor, s=None, dim=(-2, -1), norm=None):
        sizes = _dims_and_sizes(input, s, dim)
        return kind(_check_several(name, kind, input, sizes), sizes, norm, forward)
    return _ordered(kind, forward)(op(grad_name, name=name)(named(body, name, doc)))


def _of_any(name: str, kind: Callable[..., Var], forward: bool, grad_name: str, doc: str) -> Any:
    def body(input: Tensor, s=None, dim=None, norm=None):
        sizes = _dims_and_sizes(input, s, dim)
        return kind(_check_several(name, kind, input, sizes), sizes, norm, forward)
    return _ordered(kind, forward)(op(grad_name, name=name)(named(body, name, doc)))


def _plain_grad_name(real_input: str) -> Callable[..., str]:
    """PyTorch transforms real input by half and completes it."""
    return lambda input, *_: "FftC2CBackward0" if input.dtype.kind == "c" else real_input


# ------------------------------------------------------------------ the public transforms

fft = _of_one("fft", _complex, True, _plain_grad_name("FftR2CBackward0"), "Σₙ xₙ exp(−2πi kn/N) along dim.")
ifft = _of_one("ifft", _complex, False, _plain_grad_name("ConjBackward0"), "1/N Σₙ xₙ exp(2πi kn/N) along dim.")
rfft = _of_one("rfft", _from_real, True, "FftR2CBackward0", "The terms 0 … n/2 of `fft` of real input.")
irfft = _of_one("irfft", _to_real, False, "FftC2RBackward0", "The real signal of n numbers whose `rfft` is input.")
hfft = _of_one("hfft", _to_real, True, "FftC2RBackward0", "The real `fft` of the Hermitian signal of which input is "
                                                          "the first half.")
ihfft = _of_one("ihfft", _from_real, False, "ConjBackward0", "The first half of the Hermitian signal whose `fft` is "
                                                             "the real input.")

_TWO = "{} over two dimensions, the last two by default."
_ANY = "{} over dimensions, by default all, or as many of the last as s has."
fft2 = _of_two("fft2", _complex, True, "FftC2CBackward0", _TWO.format("`fft`"))
ifft2 = _of_two("ifft2", _complex, False, "FftC2CBackward0", _TWO.format("`ifft`"))
rfft2 = _of_two("rfft2", _from_real, True, "FftR2CBackward0", _TWO.format("`rfft`"))
irfft2 = _of_two("irfft2", _to_real, False, "FftC2RBackward0", _TWO.format("`irfft`"))
hfft2 = _of_two("hfft2", _to_real, True, "FftC2RBackward0", _TWO.format("`hfft`"))
ihfft2 = _of_two("ihfft2", _from_real, False, "FftC2CBackward0", _TWO.format("`ihfft`"))
fftn = _of_any("fftn", _complex, True, "FftC2CBackward0", _ANY.format("`fft`"))
ifftn = _of_any("ifftn", _complex, False, "FftC2CBackward0", _ANY.format("`ifft`"))
rfftn = _of_any("rfftn", _from_real, True, "FftR2CBackward0", _ANY.format("`rfft`"))
irfftn = _of_any("irfftn", _to_real, False, "FftC2RBackward0", _ANY.format("`irfft`"))
hfftn = _of_any("hfftn", _to_real, True, "FftC2RBackward0", _ANY.format("`hfft`"))
ihfftn = _of_any("ihfftn", _from_real, False, "FftC2CBackward0", _ANY.format("`ihfft`"))


# ------------------------------------------------------------------ frequencies and their order

def _frequencies(name: str, indices: Any, n: int, d: float, out: Any, dtype: Any, device: Any,
                 requires_grad: bool) -> Tensor:
    dt = get_default_dtype() if dtype is None else dtype
    if dt.kind not in "fc":
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    result = indices(dt) * (1.0 / (n * d) if n else float("nan"))
    if out is not None:
        from .tensor.write import write_out
        return write_out(result, out)
    return result.requires_grad_() if requires_grad else result  # type: ignore[attr-defined]


def fftfreq(n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Tensor:
    """The frequencies of `fft`'s n terms, in cycles per unit, for samples d apart: 0, 1, … −2, −1 over n·d."""
    def indices(dt):
        from .ops.shape import cat
        return cat([arange((n + 1) // 2, dtype=dt, device=device), arange(-(n // 2), 0, dtype=dt, device=device)])
    return _frequencies("fftfreq", indices, n, d, out, dtype, device, requires_grad)


def rfftfreq(n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """The frequencies of `rfft`'s n/2 + 1 terms: 0, 1, … n/2 over n·d."""
    return _frequencies("rfftfreq", lambda dt: arange(n // 2 + 1, dtype=dt, device=device), n, d, out, dtype, device,
                        requires_grad)


def _shifted(input: Tensor, dim: Any, half: Callable[[int], int]) -> Tensor:
    from .ops.rearrange import roll
    dims = tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    dims = tuple(wrap_dim(d, input.ndim) for d in dims)
    return roll(input, tuple(half(input.shape[d]) for d in dims), dims)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The terms along dim, by default along all, reordered so that frequency 0 is in the middle, at n/2."""
    return _shifted(input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Undoes `fftshift`."""
    return _shifted(input, dim, lambda n: (n + 1) // 2)


__all__ = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2",
           "fftn", "ifftn",
           "rfftn", "irfftn", "hfftn", "ihfftn", "fftfreq", "rfftfreq", "fftshift", "ifftshift"]

guard(globals(), __all__)
