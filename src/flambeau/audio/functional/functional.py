"""Spectra, mel filters, decibels, masks and resampling of waveforms (…, time)."""
from __future__ import annotations

import math
import warnings
from typing import Any, Sequence

import flambeau as torch
import flambeau.nn.functional as F

# ---------------------------------------------------------------- spectra


def _norms(normalized: bool | str) -> tuple[bool, bool]:
    """(divide by √n_fft, divide by the window's energy) for the argument `normalized`."""
    if isinstance(normalized, bool):
        return False, normalized
    if not isinstance(normalized, str):
        raise TypeError("Input type not supported")
    if normalized not in ("frame_length", "window"):
        raise ValueError(f"Invalid normalized parameter: {normalized}")
    return normalized == "frame_length", normalized == "window"


def spectrogram(waveform: Any, pad: int, window: Any, n_fft: int, hop_length: int, win_length: int,
                power: float | None, normalized: bool | str, center: bool = True, pad_mode: str = "reflect",
                onesided: bool = True, return_complex: bool | None = None) -> Any:
    """The short-time Fourier transform (…, frequency, frames) of waveforms (…, time): |X|^power, or complex X for None.

    pad: zeros at both ends. normalized: by the window's energy ("window", True) or by √n_fft ("frame_length").
    """
    if return_complex is not None:
        warnings.warn("`return_complex` argument is now deprecated and is not effective: "
                      "`spectrogram(power=None)` always returns a tensor with complex dtype.", stacklevel=2)
    by_length, by_window = _norms(normalized)
    if pad > 0:
        waveform = F.pad(waveform, (pad, pad), "constant")
    shape = waveform.shape
    spectrum = torch.stft(waveform.reshape(-1, shape[-1]), n_fft, hop_length, win_length, window, center, pad_mode,
                          by_length, onesided, return_complex=True)
    spectrum = spectrum.reshape(*shape[:-1], *spectrum.shape[-2:])
    if by_window:
        spectrum = spectrum / window.pow(2.0).sum().sqrt()
    if power is None:
        return spectrum
    return spectrum.abs() if power == 1.0 else spectrum.abs().pow(power)


def inverse_spectrogram(spectrogram: Any, length: int | None, pad: int, window: Any, n_fft: int, hop_length: int,
                        win_length: int, normalized: bool | str, center: bool = True, pad_mode: str = "reflect",
                        onesided: bool = True) -> Any:
    """The waveforms (…, time) of complex spectra (…, frequency, frames); ValueError for real ones."""
    by_length, by_window = _norms(normalized)
    if not spectrogram.is_complex():
        raise ValueError("Expected `spectrogram` to be complex dtype.")
    if by_window:
        spectrogram = spectrogram * window.pow(2.0).sum().sqrt()
    shape = spectrogram.shape
    waveform = torch.istft(spectrogram.reshape(-1, *shape[-2:]), n_fft, hop_length, win_length, window, center,
                           by_length, onesided, None if length is None else length + 2 * pad)
    if length is not None and pad > 0:
        waveform = waveform[:, pad:-pad]
    return waveform.reshape(*shape[:-2], waveform.shape[-1])


def griffinlim(specgram: Any, window: Any, n_fft: int, hop_length: int, win_length: int, power: float, n_iter: int,
               momentum: float, length: int | None, rand_init: bool) -> Any:
    """Waveforms (…, time) with about these spectra |X|^power: phases by `n_iter` steps of the fast algorithm of Griffin
    and Lim (Perraudin, Balazs and Søndergaard 2013), from random ones if `rand_init`."""
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in range [0, 1). Found: {momentum}")
    momentum = momentum / (1 + momentum)
    shape = specgram.shape
    magnitude = specgram.reshape(-1, *shape[-2:]).pow(1 / power)
    dtype = torch.complex128 if specgram.dtype == torch.float64 else torch.complex64
    angles = torch.rand(magnitude.shape, dtype=dtype) if rand_init else torch.full(magnitude.shape, 1, dtype=dtype)
    options = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "window": window}
    previous: Any = None
    for _ in range(n_iter):
        inverse = torch.istft(magnitude * angles, length=length, **options)
        rebuilt = torch.stft(inverse, center=True, pad_mode="reflect", return_complex=True, **options)
        angles = rebuilt - momentum * previous if momentum and previous is not None else rebuilt
        angles = angles / (angles.abs() + 1e-16)
        previous = rebuilt
    waveform = torch.istft(magnitude * angles, length=length, **options)
    return waveform.reshape(*shape[:-2], waveform.shape[-1])


def spectral_centroid(waveform: Any, sample_rate: int, pad: int, window: Any, n_fft: int, hop_length: int,
                      win_length: int) -> Any:
    """The mean frequency (…, frames), weighted by magnitude."""
    magnitude = spectrogram(waveform, pad, window, n_fft, hop_length, win_length, 1.0, False)
    frequencies = torch.linspace(0, sample_rate // 2, 1 + n_fft // 2).reshape(-1, 1)
    return (frequencies * magnitude).sum(dim=-2) / magnitude.sum(dim=-2)


# ---------------------------------------------------------------- decibels, companding


def amplitude_to_DB(x: Any, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None) -> Any:
    """multiplier·log10(max(x, amin)) - multiplier·db_multiplier, no lower than `top_db` below each spectrum's largest
    (all channels of a batch's element together)."""
    decibels = multiplier * torch.log10(torch.clamp(x, min=amin)) - multiplier * db_multiplier
    if top_db is None:
        return decibels
    shape = decibels.shape
    decibels = decibels.reshape(-1, shape[-3] if decibels.dim() > 2 else 1, *shape[-2:])
    floor = decibels.amax(dim=(-3, -2, -1)) - top_db
    return torch.maximum(decibels, floor.view(-1, 1, 1, 1)).reshape(shape)


def DB_to_amplitude(x: Any, ref: float, power: float) -> Any:
    """ref·(10^(x/10))^power."""
    return ref * torch.pow(torch.pow(10.0, 0.1 * x), power)


def gain(waveform: Any, gain_db: float = 1.0) -> Any:
    """The waveform, `gain_db` decibels louder."""
    return waveform if gain_db == 0 else waveform * 10 ** (gain_db / 20)


def mu_law_encoding(x: Any, quantization_channels: int) -> Any:
    """Samples in [-1, 1] as numbers from 0 to quantization_channels - 1, finer near 0 (ITU-T G.711's formula)."""
    if not x.is_floating_point():
        warnings.warn("The input Tensor must be of floating type. This will be an error in the v0.12 release.",
                      stacklevel=2)
        x = x.to(torch.float32)
    mu = torch.tensor(quantization_channels - 1.0, dtype=x.dtype)
    companded = torch.sign(x) * torch.log1p(mu * torch.abs(x)) / torch.log1p(mu)
    return ((companded + 1) / 2 * mu + 0.5).to(torch.int64)


def mu_law_decoding(x_mu: Any, quantization_channels: int) -> Any:
    """The samples that `mu_law_encoding` has encoded, about."""
    if not x_mu.is_floating_point():
        x_mu = x_mu.to(torch.float32)
    mu = torch.tensor(quantization_channels - 1.0, dtype=x_mu.dtype)
    x = x_mu / mu * 2 - 1.0
    return torch.sign(x) * (torch.exp(torch.abs(x) * torch.log1p(mu)) - 1.0) / mu


def preemphasis(waveform: Any, coeff: float = 0.97) -> Any:
    """x[t] - coeff·x[t - 1]."""
    return torch.cat([waveform[..., :1], waveform[..., 1:] - coeff * waveform[..., :-1]], dim=-1)


# ---------------------------------------------------------------- filter banks

# Slaney's scale: linear up to 1000 Hz, then a factor of 6.4 in 27 steps
_MELS_PER_HZ, _BREAK_HZ, _LOG_STEP = 3 / 200, 1000.0, math.log(6.4) / 27


def _check_scale(mel_scale: str) -> None:
    if mel_scale not in ("slaney", "htk"):
        raise ValueError('mel_scale should be one of "htk" or "slaney".')


def _hz_to_mel(freq: float, mel_scale: str) -> float:
    if mel_scale == "htk":
        return 2595.0 * math.log10(1.0 + freq / 700.0)
    if freq < _BREAK_HZ:
        return freq * _MELS_PER_HZ
    return _BREAK_HZ * _MELS_PER_HZ + math.log(freq / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mels: Any, mel_scale: str) -> Any:
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    broken = _BREAK_HZ * _MELS_PER_HZ
    return torch.where(mels >= broken, _BREAK_HZ * torch.exp(_LOG_STEP * (mels - broken)), mels * (200.0 / 3))


def _triangles(frequencies: Any, corners: Any) -> Any:
    """Filters (frequencies, len(corners) - 2): each rises from one corner to the next and falls to the one after."""
    widths = corners[1:] - corners[:-1]
    distances = corners.unsqueeze(0) - frequencies.unsqueeze(1)
    rising = -1.0 * distances[:, :-2] / widths[:-1]
    falling = distances[:, 2:] / widths[1:]
    return torch.clamp(torch.minimum(rising, falling), min=0.0)


def melscale_fbanks(n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, norm: str | None = None,
                    mel_scale: str = "htk") -> Any:
    """Triangular filters (n_freqs, n_mels) whose corners are evenly spaced in mels from f_min to f_max hertz.

    norm: None, or "slaney" for equal areas. mel_scale: "htk" (2595·log10(1 + f/700)) or "slaney".
    Warns of filters between two frequencies, which are zero.
    """
    if norm is not None and norm != "slaney":
        raise ValueError('norm must be one of None or "slaney"')
    _check_scale(mel_scale)
    mels = torch.linspace(_hz_to_mel(f_min, mel_scale), _hz_to_mel(f_max, mel_scale), n_mels + 2)
    corners = _mel_to_hz(mels, mel_scale)
    filters = _triangles(torch.linspace(0, sample_rate // 2, n_freqs), corners)
    if norm == "slaney":
        filters = filters * (2.0 / (corners[2:n_mels + 2] - corners[:n_mels])).unsqueeze(0)
    if (filters.max(dim=0).values == 0.0).any():
        warnings.warn(f"At least one mel filterbank has all zero values. The value for `n_mels` ({n_mels}) may be set "
                      f"too high. Or, the value for `n_freqs` ({n_freqs}) may be set too low.", stacklevel=2)
    return filters


def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Any:
    """The same with corners evenly spaced in hertz."""
    return _triangles(torch.linspace(0, sample_rate // 2, n_freqs), torch.linspace(f_min, f_max, n_filter + 2))


def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Any:
    """The discrete cosine transform II as a matrix (n_mels, n_mfcc); norm: None or "ortho"."""
    if norm is not None and norm != "ortho":
        raise ValueError('norm must be either "ortho" or None')
    n, k = torch.arange(float(n_mels)), torch.arange(float(n_mfcc)).unsqueeze(1)
    dct = torch.cos(math.pi / float(n_mels) * (n + 0.5) * k)
    if norm is None:
        return (dct * 2.0).t()
    dct = torch.cat([dct[:1] * (1.0 / math.sqrt(2.0)), dct[1:]]) * math.sqrt(2.0 / float(n_mels))
    return dct.t()


def compute_deltas(specgram: Any, win_length: int = 5, mode: str = "replicate") -> Any:
    """The slope in time of each coefficient (…, frequency, time), by least squares over `win_length` frames."""
    if win_length < 3:
        raise ValueError(f"Window length should be greater than or equal to 3. Found win_length {win_length}")
    shape = specgram.shape
    n = (win_length - 1) // 2
    padded = F.pad(specgram.reshape(1, -1, shape[-1]), (n, n), mode=mode)
    kernel = torch.arange(-n, n + 1, 1, dtype=specgram.dtype).repeat(padded.shape[1], 1, 1)
    slopes = F.conv1d(padded, kernel, groups=padded.shape[1]) / (n * (n + 1) * (2 * n + 1) / 3)
    return slopes.reshape(shape)


# ---------------------------------------------------------------- masks


def _check_mask(dim: int, least: int, axis: int, p: float) -> None:
    if dim < least:
        wanted = "three dimensions" if least == 3 else "two dimensions (time and frequency)"
        raise ValueError(f"Spectrogram must have at least {wanted} ({dim} given).")
    if axis not in (dim - 2, dim - 1):
        raise ValueError(f"Only Frequency and Time masking are supported (axis {dim - 2} and axis {dim - 1} supported; "
                         f"{axis} given).")
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"The value of p must be between 0.0 and 1.0 ({p} given).")


def _longest(mask_param: int, p: float, length: int) -> int:
    return mask_param if p == 1.0 else min(mask_param, int(length * p))


def mask_along_axis_iid(specgrams: Any, mask_param: int, mask_value: Any, axis: int, p: float = 1.0) -> Any:
    """Spectra (…, channel, frequency, time) with a random interval of `axis`, shorter than `mask_param` and than `p` of
    the axis, set to `mask_value`: another one for each channel of each example."""
    dim = specgrams.dim()
    _check_mask(dim, 3, axis, p)
    length = specgrams.shape[axis]
    mask_param = _longest(mask_param, p, length)
    if mask_param < 1:
        return specgrams
    value = torch.rand(specgrams.shape[:dim - 2], dtype=specgrams.dtype) * mask_param
    low = torch.rand(specgrams.shape[:dim - 2], dtype=specgrams.dtype) * (length - value)
    start = low.long()[..., None, None]
    end = (low.long() + value.long())[..., None, None]
    place = torch.arange(0, length, dtype=specgrams.dtype)
    masked = (place >= start) & (place < end)
    if axis == dim - 2:
        masked = masked.transpose(-1, -2)
    return torch.where(masked, torch.as_tensor(mask_value, dtype=specgrams.dtype), specgrams)


def mask_along_axis(specgram: Any, mask_param: int, mask_value: float, axis: int, p: float = 1.0) -> Any:
    """The same with one interval for all."""
    dim = specgram.dim()
    _check_mask(dim, 2, axis, p)
    length = specgram.shape[axis]
    mask_param = _longest(mask_param, p, length)
    if mask_param < 1:
        return specgram
    value = torch.rand(1) * mask_param
    low = torch.rand(1) * (length - value)
    start, width = int(low.long()), int(value.long())
    masked = torch.zeros(length, dtype=torch.bool)
    masked[start:start + width] = True
    return specgram.masked_fill(masked.unsqueeze(-1) if axis == dim - 2 else masked, mask_value)


# ---------------------------------------------------------------- resampling


def sinc_kernel(orig_freq: int, new_freq: int, gcd: int, lowpass_filter_width: int = 6, rolloff: float = 0.99,
                resampling_method: str = "sinc_interp_hann", beta: float | None = None, dtype: Any = None
                ) -> tuple[Any, int]:
    """Windowed sinc filters (new, 1, width) that resample by a convolution of stride orig, and their half width.

    One filter for each phase of the new samples within a period of both rates (divided by their common divisor).
    dtype None: computed in float64, given as float32.
    """
    if not (int(orig_freq) == orig_freq and int(new_freq) == new_freq):
        raise ValueError("Frequencies must be of integer type to ensure quality resampling computation. Convert both "
                         "to integers with the same ratio: orig_freq=8 and new_freq=1 instead of 44100 and 5512.5.")
    if resampling_method not in ("sinc_interp_hann", "sinc_interp_kaiser"):
        raise ValueError(f"Invalid resampling method: {resampling_method}")
    if lowpass_filter_width <= 0:
        raise ValueError("Low pass filter width should be positive.")
    orig, new = int(orig_freq) // gcd, int(new_freq) // gcd
    cutoff = min(orig, new) * rolloff
    width = math.ceil(lowpass_filter_width * orig / cutoff)
    index = torch.arange(-width, width + orig, dtype=dtype or torch.float64)[None, None] / orig
    t = (torch.arange(0, -new, -1, dtype=dtype)[:, None, None] / new + index) * cutoff
    t = t.clamp(-lowpass_filter_width, lowpass_filter_width)
    if resampling_method == "sinc_interp_hann":
        window = torch.cos(t * math.pi / lowpass_filter_width / 2) ** 2
    else:
        shape = torch.tensor(14.769656459379492 if beta is None else float(beta))
        window = torch.i0(shape * torch.sqrt(1 - (t / lowpass_filter_width) ** 2)) / torch.i0(shape)
    t = t * math.pi
    kernels = torch.where(t == 0, torch.tensor(1.0).to(t), t.sin() / t) * (window * (cutoff / orig))
    return (kernels.to(torch.float32) if dtype is None else kernels), width


def apply_sinc_kernel(waveform: Any, orig_freq: int, new_freq: int, gcd: int, kernel: Any, width: int) -> Any:
    """Waveforms (…, time) resampled by what `sinc_kernel` has made: (…, ⌈time·new/orig⌉)."""
    if not waveform.is_floating_point():
        raise TypeError(f"Expected floating point type for waveform tensor, but received {waveform.dtype}.")
    orig, new = int(orig_freq) // gcd, int(new_freq) // gcd
    shape = waveform.shape
    padded = F.pad(waveform.reshape(-1, shape[-1]), (width, width + orig))
    resampled = F.conv1d(padded[:, None], kernel, stride=orig).transpose(1, 2)
    resampled = resampled.reshape(resampled.shape[0], -1)[..., :math.ceil(new * shape[-1] / orig)]
    return resampled.reshape(*shape[:-1], resampled.shape[-1])


def resample(waveform: Any, orig_freq: int, new_freq: int, lowpass_filter_width: int = 6, rolloff: float = 0.99,
             resampling_method: str = "sinc_interp_hann", beta: float | None = None) -> Any:
    """Waveforms (…, time) at another rate, band-limited by a windowed sinc (Smith 1984).

    lowpass_filter_width: zeros of the sinc at each side. rolloff: the cutoff, as a share of the lower rate's half.
    resampling_method: the window, "sinc_interp_hann" or "sinc_interp_kaiser" (with `beta`).
    """
    if orig_freq <= 0.0 or new_freq <= 0.0:
        raise ValueError("Original frequency and desired frequecy should be positive")
    if orig_freq == new_freq:
        return waveform
    gcd = math.gcd(int(orig_freq), int(new_freq))
    kernel, width = sinc_kernel(orig_freq, new_freq, gcd, lowpass_filter_width, rolloff, resampling_method, beta,
                                waveform.dtype)
    return apply_sinc_kernel(waveform, orig_freq, new_freq, gcd, kernel, width)


# ---------------------------------------------------------------- words


def edit_distance(seq1: Sequence, seq2: Sequence) -> int:
    """The fewest substitutions, insertions and deletions that turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(seq2) + 1))
    for i, a in enumerate(seq1, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(seq2, 1):
            diagonal, row[j] = row[j], min(diagonal + (a != b), row[j - 1] + 1, row[j] + 1)
    return row[-1]
