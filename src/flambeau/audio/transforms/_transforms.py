"""The functionals of `flambeau.audio.functional` as layers, which keep their windows and filters as buffers."""
from __future__ import annotations

import math
import warnings
from typing import Any, Callable

import flambeau as torch

from ...nn import Module
from ..functional import functional as F


class _Framed(Module):
    """n_fft samples a frame, of which a window of `win_length` (default: all), one every `hop_length` (default: half
    the window). window_fn(win_length, **wkwargs) makes the window."""

    def __init__(self, n_fft: int, win_length: int | None, hop_length: int | None, pad: int, window_fn: Callable,
                 wkwargs: dict | None) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.pad = pad
        self.register_buffer("window", window_fn(self.win_length, **(wkwargs or {})))


class Spectrogram(_Framed):
    """(…, time) → (…, n_fft/2 + 1, frames): see `functional.spectrogram`."""

    def __init__(self, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, pad: int = 0,
                 window_fn: Callable = torch.hann_window, power: float | None = 2.0, normalized: bool | str = False,
                 wkwargs: dict | None = None, center: bool = True, pad_mode: str = "reflect", onesided: bool = True,
                 return_complex: bool | None = None) -> None:
        super().__init__(n_fft, win_length, hop_length, pad, window_fn, wkwargs)
        self.power = power
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided
        if return_complex is not None:
            warnings.warn("`return_complex` argument is now deprecated and is not effective: "
                          "`Spectrogram(power=None)` always returns a tensor with complex dtype.", stacklevel=2)

    def forward(self, waveform: Any) -> Any:
        return F.spectrogram(waveform, self.pad, self.window, self.n_fft, self.hop_length, self.win_length, self.power,
                             self.normalized, self.center, self.pad_mode, self.onesided)


class InverseSpectrogram(_Framed):
    """Complex (…, n_fft/2 + 1, frames) → (…, time): see `functional.inverse_spectrogram`."""

    def __init__(self, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, pad: int = 0,
                 window_fn: Callable = torch.hann_window, normalized: bool | str = False, wkwargs: dict | None = None,
                 center: bool = True, pad_mode: str = "reflect", onesided: bool = True) -> None:
        super().__init__(n_fft, win_length, hop_length, pad, window_fn, wkwargs)
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided

    def forward(self, spectrogram: Any, length: int | None = None) -> Any:
        return F.inverse_spectrogram(spectrogram, length, self.pad, self.window, self.n_fft, self.hop_length,
                                     self.win_length, self.normalized, self.center, self.pad_mode, self.onesided)


class GriffinLim(_Framed):
    """|X|^power → waveform: see `functional.griffinlim`."""

    def __init__(self, n_fft: int = 400, n_iter: int = 32, win_length: int | None = None, hop_length: int | None = None,
                 window_fn: Callable = torch.hann_window, power: float = 2.0, wkwargs: dict | None = None,
                 momentum: float = 0.99, length: int | None = None, rand_init: bool = True) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in the range [0, 1). Found: {momentum}")
        super().__init__(n_fft, win_length, hop_length, 0, window_fn, wkwargs)
        self.n_iter = n_iter
        self.length = length
        self.power = power
        self.momentum = momentum
        self.rand_init = rand_init

    def forward(self, specgram: Any) -> Any:
        return F.griffinlim(specgram, self.window, self.n_fft, self.hop_length, self.win_length, self.power,
                            self.n_iter, self.momentum, self.length, self.rand_init)


class SpectralCentroid(_Framed):
    """See `functional.spectral_centroid`."""

    def __init__(self, sample_rate: int, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None,
                 pad: int = 0, window_fn: Callable = torch.hann_window, wkwargs: dict | None = None) -> None:
        super().__init__(n_fft, win_length, hop_length, pad, window_fn, wkwargs)
        self.sample_rate = sample_rate

    def forward(self, waveform: Any) -> Any:
        return F.spectral_centroid(waveform, self.sample_rate, self.pad, self.window, self.n_fft, self.hop_length,
                                   self.win_length)


class AmplitudeToDB(Module):
    """10·log10 of a power, or 20·log10 of a magnitude; `top_db` as in `functional.amplitude_to_DB`."""

    def __init__(self, stype: str = "power", top_db: float | None = None) -> None:
        super().__init__()
        if top_db is not None and top_db < 0:
            raise ValueError("top_db must be positive value")
        self.stype = stype
        self.top_db = top_db
        self.multiplier = 10.0 if stype == "power" else 20.0
        self.amin = 1e-10
        self.ref_value = 1.0
        self.db_multiplier = math.log10(max(self.amin, self.ref_value))

    def forward(self, x: Any) -> Any:
        return F.amplitude_to_DB(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


class MelScale(Module):
    """(…, n_stft, time) → (…, n_mels, time) by the filters `fb`: see `functional.melscale_fbanks`."""

    def __init__(self, n_mels: int = 128, sample_rate: int = 16000, f_min: float = 0.0, f_max: float | None = None,
                 n_stft: int = 201, norm: str | None = None, mel_scale: str = "htk") -> None:
        super().__init__()
        self.n_mels = n_mels
        self.sample_rate = sample_rate
        self.f_max = f_max if f_max is not None else float(sample_rate // 2)
        self.f_min = f_min
        self.n_stft = n_stft
        self.norm = norm
        self.mel_scale = mel_scale
        if f_min > self.f_max:
            raise ValueError(f"Require f_min: {f_min} <= f_max: {self.f_max}")
        self.register_buffer("fb", F.melscale_fbanks(n_stft, f_min, self.f_max, n_mels, sample_rate, norm, mel_scale))

    def forward(self, specgram: Any) -> Any:
        return torch.matmul(specgram.transpose(-1, -2), self.fb).transpose(-1, -2)


class MelSpectrogram(Module):
    """(…, time) → (…, n_mels, frames): a `Spectrogram`, then a `MelScale`."""

    def __init__(self, sample_rate: int = 16000, n_fft: int = 400, win_length: int | None = None,
                 hop_length: int | None = None, f_min: float = 0.0, f_max: float | None = None, pad: int = 0,
                 n_mels: int = 128, window_fn: Callable = torch.hann_window, power: float = 2.0,
                 normalized: bool = False, wkwargs: dict | None = None, center: bool = True, pad_mode: str = "reflect",
                 onesided: bool | None = None, norm: str | None = None, mel_scale: str = "htk") -> None:
        super().__init__()
        if onesided is not None:
            warnings.warn("Argument 'onesided' has been deprecated and has no influence on the behavior of this "
                          "module.", stacklevel=2)
        self.spectrogram = Spectrogram(n_fft, win_length, hop_length, pad, window_fn, power, normalized, wkwargs,
                                       center, pad_mode, True)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = self.spectrogram.win_length
        self.hop_length = self.spectrogram.hop_length
        self.pad = pad
        self.power = power
        self.normalized = normalized
        self.n_mels = n_mels
        self.f_max = f_max
        self.f_min = f_min
        self.mel_scale = MelScale(n_mels, sample_rate, f_min, f_max, n_fft // 2 + 1, norm, mel_scale)

    def forward(self, waveform: Any) -> Any:
        return self.mel_scale(self.spectrogram(waveform))


class _Cepstral(Module):
    """Coefficients of the cosine transform of logarithms: decibels within 80 of the largest, or log(x + 1e-6)."""

    def __init__(self, dct_type: int) -> None:
        super().__init__()
        if dct_type != 2:
            raise ValueError(f"DCT type not supported: {dct_type}")
        self.dct_type = dct_type
        self.top_db = 80.0
        self.amplitude_to_DB = AmplitudeToDB("power", self.top_db)

    def _transform(self, spectrum: Any, natural: bool) -> Any:
        logarithms = torch.log(spectrum + 1e-6) if natural else self.amplitude_to_DB(spectrum)
        return torch.matmul(logarithms.transpose(-1, -2), self.dct_mat).transpose(-1, -2)


class MFCC(_Cepstral):
    """(…, time) → (…, n_mfcc, frames): mel-frequency cepstral coefficients (Davis and Mermelstein 1980).

    melkwargs: arguments of the `MelSpectrogram`. log_mels: natural logarithms instead of decibels.
    """

    def __init__(self, sample_rate: int = 16000, n_mfcc: int = 40, dct_type: int = 2, norm: str = "ortho",
                 log_mels: bool = False, melkwargs: dict | None = None) -> None:
        super().__init__(dct_type)
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.norm = norm
        self.MelSpectrogram = MelSpectrogram(sample_rate=sample_rate, **(melkwargs or {}))
        if n_mfcc > self.MelSpectrogram.n_mels:
            raise ValueError("Cannot select more MFCC coefficients than # mel bins")
        self.register_buffer("dct_mat", F.create_dct(n_mfcc, self.MelSpectrogram.n_mels, norm))
        self.log_mels = log_mels

    def forward(self, waveform: Any) -> Any:
        return self._transform(self.MelSpectrogram(waveform), self.log_mels)


class LFCC(_Cepstral):
    """The same of filters evenly spaced in hertz. speckwargs: arguments of the `Spectrogram`."""

    def __init__(self, sample_rate: int = 16000, n_filter: int = 128, f_min: float = 0.0, f_max: float | None = None,
                 n_lfcc: int = 40, dct_type: int = 2, norm: str = "ortho", log_lf: bool = False,
                 speckwargs: dict | None = None) -> None:
        super().__init__(dct_type)
        self.sample_rate = sample_rate
        self.f_min = f_min
        self.f_max = f_max if f_max is not None else float(sample_rate // 2)
        self.n_filter = n_filter
        self.n_lfcc = n_lfcc
        self.norm = norm
        self.Spectrogram = Spectrogram(**(speckwargs or {}))
        if n_lfcc > self.Spectrogram.n_fft:
            raise ValueError("Cannot select more LFCC coefficients than # fft bins")
        self.register_buffer("filter_mat", F.linear_fbanks(self.Spectrogram.n_fft // 2 + 1, f_min, self.f_max, n_filter,
                                                           sample_rate))
        self.register_buffer("dct_mat", F.create_dct(n_lfcc, n_filter, norm))
        self.log_lf = log_lf

    def forward(self, waveform: Any) -> Any:
        spectrum = torch.matmul(self.Spectrogram(waveform).transpose(-1, -2), self.filter_mat).transpose(-1, -2)
        return self._transform(spectrum, self.log_lf)


class MuLawEncoding(Module):
    """See `functional.mu_law_encoding`."""

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x: Any) -> Any:
        return F.mu_law_encoding(x, self.quantization_channels)


class MuLawDecoding(Module):
    """See `functional.mu_law_decoding`."""

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x_mu: Any) -> Any:
        return F.mu_law_decoding(x_mu, self.quantization_channels)


class Resample(Module):
    """`functional.resample` with the filters made once, in float64 unless `dtype` says otherwise."""

    def __init__(self, orig_freq: int = 16000, new_freq: int = 16000, resampling_method: str = "sinc_interp_hann",
                 lowpass_filter_width: int = 6, rolloff: float = 0.99, beta: float | None = None, *,
                 dtype: Any = None) -> None:
        super().__init__()
        self.orig_freq = orig_freq
        self.new_freq = new_freq
        self.gcd = math.gcd(int(orig_freq), int(new_freq))
        self.resampling_method = resampling_method
        self.lowpass_filter_width = lowpass_filter_width
        self.rolloff = rolloff
        self.beta = beta
        if orig_freq != new_freq:
            kernel, self.width = F.sinc_kernel(orig_freq, new_freq, self.gcd, lowpass_filter_width, rolloff,
                                               resampling_method, beta, dtype)
            self.register_buffer("kernel", kernel)

    def forward(self, waveform: Any) -> Any:
        if self.orig_freq == self.new_freq:
            return waveform
        return F.apply_sinc_kernel(waveform, self.orig_freq, self.new_freq, self.gcd, self.kernel, self.width)


class ComputeDeltas(Module):
    """See `functional.compute_deltas`."""

    def __init__(self, win_length: int = 5, mode: str = "replicate") -> None:
        super().__init__()
        self.win_length = win_length
        self.mode = mode

    def forward(self, specgram: Any) -> Any:
        return F.compute_deltas(specgram, self.win_length, self.mode)


class Preemphasis(Module):
    """See `functional.preemphasis`."""

    def __init__(self, coeff: float = 0.97) -> None:
        super().__init__()
        self.coeff = coeff

    def forward(self, waveform: Any) -> Any:
        return F.preemphasis(waveform, self.coeff)


class _AxisMasking(Module):
    def __init__(self, mask_param: int, axis: int, iid_masks: bool, p: float = 1.0) -> None:
        super().__init__()
        self.mask_param = mask_param
        self.axis = axis
        self.iid_masks = iid_masks
        self.p = p

    def forward(self, specgram: Any, mask_value: Any = 0.0) -> Any:
        axis = self.axis + specgram.dim() - 3
        if self.iid_masks:
            return F.mask_along_axis_iid(specgram, self.mask_param, mask_value, axis, self.p)
        return F.mask_along_axis(specgram, self.mask_param, float(mask_value), axis, self.p)


class FrequencyMasking(_AxisMasking):
    """Up to `freq_mask_param` frequencies set to a value (Park et al. 2019); iid_masks: others for each channel."""

    def __init__(self, freq_mask_param: int, iid_masks: bool = False) -> None:
        super().__init__(freq_mask_param, 1, iid_masks)


class TimeMasking(_AxisMasking):
    """Up to `time_mask_param` frames, and `p` of all, set to a value; iid_masks: others for each channel."""

    def __init__(self, time_mask_param: int, iid_masks: bool = False, p: float = 1.0) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"The value of p must be between 0.0 and 1.0 ({p} given).")
        super().__init__(time_mask_param, 2, iid_masks, p)


class SpecAugment(Module):
    """Several masks of time, then of frequency, with zero or the mean of the spectrum (Park et al. 2019)."""

    def __init__(self, n_time_masks: int, time_mask_param: int, n_freq_masks: int, freq_mask_param: int,
                 iid_masks: bool = True, p: float = 1.0, zero_masking: bool = False) -> None:
        super().__init__()
        self.n_time_masks = n_time_masks
        self.time_mask_param = time_mask_param
        self.n_freq_masks = n_freq_masks
        self.freq_mask_param = freq_mask_param
        self.iid_masks = iid_masks
        self.p = p
        self.zero_masking = zero_masking

    def forward(self, specgram: Any) -> Any:
        value = 0.0 if self.zero_masking else specgram.mean()
        mask = F.mask_along_axis_iid if specgram.dim() > 2 and self.iid_masks is True else F.mask_along_axis
        time = specgram.dim() - 1
        for _ in range(self.n_time_masks):
            specgram = mask(specgram, self.time_mask_param, value, time, self.p)
        for _ in range(self.n_freq_masks):
            specgram = mask(specgram, self.freq_mask_param, value, time - 1, self.p)
        return specgram


class Vol(Module):
    """Louder by a factor ("amplitude"), a factor of power ("power") or decibels ("db"), clipped to [-1, 1]."""

    def __init__(self, gain: float, gain_type: str = "amplitude") -> None:
        super().__init__()
        if gain_type in ("amplitude", "power") and gain < 0:
            raise ValueError("If gain_type = amplitude or power, gain must be positive.")
        self.gain = gain
        self.gain_type = gain_type

    def forward(self, waveform: Any) -> Any:
        if self.gain_type == "amplitude":
            waveform = waveform * self.gain
        elif self.gain_type == "db":
            waveform = F.gain(waveform, self.gain)
        elif self.gain_type == "power":
            waveform = F.gain(waveform, 10 * math.log10(self.gain))
        return torch.clamp(waveform, -1, 1)


_RISES: dict[str, Callable[[Any], Any]] = {  # from 0 to 1, of t from 0 to 1
    "linear": lambda t: t,
    "exponential": lambda t: torch.pow(2, t - 1) * t,
    "logarithmic": lambda t: torch.log10(0.1 + t) + 1,
    "quarter_sine": lambda t: torch.sin(t * math.pi / 2),
    "half_sine": lambda t: torch.sin(t * math.pi - math.pi / 2) / 2 + 0.5,
}
_FALLS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda t: -t + 1,
    "exponential": lambda t: torch.pow(2, -t) * (1 - t),
    "logarithmic": lambda t: torch.log10(1.1 - t) + 1,
    "quarter_sine": lambda t: torch.sin(t * math.pi / 2 + math.pi / 2),
    "half_sine": lambda t: torch.sin(t * math.pi + math.pi / 2) / 2 + 0.5,
}


class Fade(Module):
    """The first `fade_in_len` samples rise from silence, the last `fade_out_len` fall to it; fade_shape: "linear",
    "exponential", "logarithmic", "quarter_sine" or "half_sine"."""

    def __init__(self, fade_in_len: int = 0, fade_out_len: int = 0, fade_shape: str = "linear") -> None:
        super().__init__()
        self.fade_in_len = fade_in_len
        self.fade_out_len = fade_out_len
        self.fade_shape = fade_shape

    def forward(self, waveform: Any) -> Any:
        length = waveform.shape[-1]
        rise = _RISES[self.fade_shape](torch.linspace(0, 1, self.fade_in_len))
        fall = _FALLS[self.fade_shape](torch.linspace(0, 1, self.fade_out_len))
        rise = torch.cat([rise, torch.ones(length - self.fade_in_len)]).clamp(0, 1)
        fall = torch.cat([torch.ones(length - self.fade_out_len), fall]).clamp(0, 1)
        return rise * fall * waveform
