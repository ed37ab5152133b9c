# ruff: noqa: F821
"""Short-time Fourier transforms: the spectrum of a signal in windows along time, and the signal from such spectra."""
from __future__ import annotations

import warnings
from typing import Any

from .. import primitives as p
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..warning import warn_once
from .bits import view_as_real
from .creation import ones


def _check(condition: bool, name: str, input: Tensor, numbers: dict[str, Any], message: str) -> None:
    """An error describes the call: stft(torch.FloatTensor[8], n_fft=4, …) : what was wrong."""
    if not condition:
        shape = ", ".join(map(str, input.shape))
        text = ", ".join(f"{k}={int(v) if isinstance(v, bool) else v}" for k, v in numbers.items())
        raise RuntimeError(f"{name}(torch.{input.dtype._legacy}Tensor[{shape}], {text}) : {message}")


def _described(window: Tensor | None) -> str:
    return "None" if window is None else f"torch.{window.dtype._legacy}Tensor{{{list(window.shape)}}}"


def _centered(window: Tensor, n_fft: int) -> Tensor:
    """The window with zeros on both sides, n_fft long."""
    from ..nn.functional import pad
    missing = n_fft - len(window)
    return pad(window, (missing // 2, missing - missing // 2)) if missing else window


_NO_WINDOW = ("A window was not provided. A rectangular window will be applied{}To suppress this warning and use a rectangular window, "
              "explicitly set `window=torch.ones(n_fft, device=<device>)`.")


def stft(input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
         window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
         normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
         align_to_window: bool | None = None) -> Tensor:
    """The Fourier transforms of input · window, n_fft long, every hop_length samples of a signal (T), or signals (N,
    T).

    The result is (N, F, number of places), complex, or real with a last dimension of 2 if not return_complex; F is
    n_fft/2 + 1 if onesided (the default for real signals), else n_fft. Defaults: hop_length n_fft/4, win_length n_fft,
    window ones. center: the first window is centred on the first sample, the signal being padded by pad_mode; without
    it, align_to_window lets win_length and not n_fft samples have to be there. normalized: divided by √n_fft.
    """
    from .. import fft
    from ..nn.functional import pad
    if window is None:
        warn_once(_NO_WINDOW.format(",which is known to cause spectral leakage. Other windows such as torch.hann_window or torch.hamming_window "
                                    "are recommended to reduce spectral leakage."))
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    is_complex = input.dtype.is_complex or window is not None and window.dtype.is_complex
    if return_complex is None and not is_complex:
        raise RuntimeError("stft requires the return_complex parameter be given for real inputs, and will further "
                           "require that return_complex=True in a future PyTorch release.")
    if return_complex is False:
        warnings.warn("stft with return_complex=False is deprecated. In a future pytorch release, stft will return "
                      "complex tensors for all inputs, and return_complex=False will raise an error.", UserWarning,
                      stacklevel=2)
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    x = input
    if center:
        batch = input.reshape((1,) * (3 - input.ndim) + tuple(input.shape))  # what padding modes take: (N, channels, T)
        x = pad(batch, (n_fft // 2, n_fft // 2), pad_mode)
        x = x.reshape(tuple(input.shape[:-1]) + (-1,))
    given = dict(n_fft=n_fft, hop_length=hop, win_length=length, window=_described(window), normalized=normalized,
                 onesided=onesided,
                 return_complex=return_complex, align_to_window=align_to_window)

    def check(condition, message):
        _check(condition, "stft", x, given, message)
    check(x.dtype.kind in "fc", "expected a tensor of floating point or complex values")
    check(x.ndim in (1, 2), "expected a 1D or 2D tensor")
    fitting = length if align_to_window else n_fft
    name = "win_length" if align_to_window else "n_fft"
    check(0 < fitting <= x.shape[-1], f"expected 0 < {name} < {x.shape[-1]}, but got {name}={fitting}")
    check(hop > 0, f"expected hop_length > 0, but got hop_length={hop}")
    check(0 < length <= n_fft, f"expected 0 < win_length <= n_fft, but got win_length={length}")
    check(window is None or window.shape == (length,),
          f"expected a 1D window tensor of size equal to win_length={length}, but got window with size "
          f"{None if window is None else list(window.shape)}")
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if align_to_window:
        missing = n_fft - length
        x = pad(x, (missing // 2, missing - missing // 2))
    if window is None:
        window = ones(length, dtype=x.dtype, device=x.device) if length < n_fft else None
    frames = x.unfold(-1, n_fft, hop)
    if window is not None:
        frames = frames * _centered(window, n_fft)
    transform = fft.fft if is_complex or onesided is False else fft.rfft
    result = transform(frames, norm="ortho" if normalized else None).transpose(-1, -2)
    return result if return_complex or return_complex is None else view_as_real(result)


@op("UnfoldBackwardBackward0")
def _overlap_add(frames: Tensor, hop):
    """(N, L) signals from their windows (N, places, n), one every hop samples; overlapping ones add up."""
    n, places, size = frames.shape
    shape = (n, size + hop * (places - 1))
    return p.strided_sum(frames, shape, (shape[1], hop, 1), 0)


def istft(input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
          window: Tensor | None = None,
          center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None,
          return_complex: bool = False) -> Tensor:
    """The signal (T) or signals (N, T) of which input (F, places) or (N, F, places) is the `stft` with the same
    arguments.

    Where windows overlap, the signal is the least-squares estimate: the inverse transforms · window added up and
    divided by the sum of window² (Griffin and Lim 1984). length: of the signal; what is beyond the windows is zeros.
    """
    from .. import fft
    from ..nn.functional import pad
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    if not input.dtype.is_complex:
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with "
                           "return_complex=True.")
    if window is None:
        warn_once(_NO_WINDOW.format(".Please provide the same window used by stft to make the inversion lossless."))
    given = dict(n_fft=n_fft, hop_length=hop, win_length=win, window=_described(window), center=center,
                 normalized=normalized,
                 onesided=onesided, length=length, return_complex=return_complex)

    def check(condition, message):
        _check(condition, "istft", input, given, message)
    check(input.numel() > 0, "input tensor cannot be empty.")
    check(input.ndim in (2, 3), f"expected a tensor with 3 or 4 dimensions, but got {input.ndim + 1}")
    size, places = input.shape[-2:]
    half = size != n_fft if onesided is None else onesided
    expected, formula = (n_fft // 2 + 1, "n_fft / 2 + 1") if half else (n_fft, "n_fft")
    check(size == expected, f"expected the frequency dimension (3rd to the last) of the input tensor to match "
                            f"{formula} when "
                            f"onesided={half}, but got {size}")
    check(0 < hop <= win, "expected 0 < hop_length <= win_length")
    check(0 < win <= n_fft, "expected 0 < win_length <= n_fft")
    check(window is None or window.shape == (win,), "Invalid window shape. window has to be 1D and length of "
                                                    "`win_length`")
    norm = "ortho" if normalized else None
    spectra = (input if input.ndim == 3 else input.unsqueeze(0)).transpose(1, 2)
    if return_complex:
        if half:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        frames = fft.ifft(spectra, norm=norm)
    else:
        if window is not None and window.dtype.is_complex:
            raise RuntimeError("Complex windows are incompatible with return_complex=False")
        frames = fft.irfft(spectra[..., :n_fft // 2 + 1], n_fft, norm=norm)
    taper = _centered(ones(win, dtype=frames.dtype.to_real(), device=frames.device) if window is None else window, n_fft)
    signal = _overlap_add(frames * taper, hop)
    weight = _overlap_add(taper.square().expand(1, places, n_fft).contiguous(), hop)
    start = n_fft // 2 if center else 0
    stop = signal.shape[1] - start if length is None else start + length
    signal, weight = signal[:, start:stop], weight[:, start:stop]
    smallest = weight.abs().min()
    check(float(smallest) > 1e-11, f"window overlap add min: {int(smallest <= 1e-11)}")
    signal = signal / weight
    if length is not None and signal.shape[1] < length:
        warnings.warn("Length of signal shorter than expected, so the signal will be padded with 0 at the end.",
                      UserWarning, stacklevel=2)
        signal = pad(signal, (0, length - signal.shape[1]))
    return signal if input.ndim == 3 else signal.squeeze(0)


METHODS = {"stft": stft, "istft": istft}
