"""Calls of torchaudio's transforms and functionals on made-up sounds, by name; and what torchaudio gave for them."""
import json
from pathlib import Path

import numpy as np

RECORDED = Path(__file__).parents[1] / "audio" / "recorded.json"
RATE = 16000
TIME = np.arange(3000) / RATE
CHIRP = np.stack([np.sin(2 * np.pi * (200 + 9000 * TIME) * TIME), np.sign(np.sin(2 * np.pi * 440 * TIME)) * 0.5])
SOUND = (CHIRP + np.random.default_rng(0).normal(0, 0.01, CHIRP.shape)).astype(np.float32)
STEREO = {"n_fft": 256, "hop_length": 100}


class Library:
    """torchaudio or flambeau.audio, with its torch and the sound as its tensor."""

    def __init__(self, torch, audio):
        self.torch, self.T, self.F = torch, audio.transforms, audio.functional
        self.x = torch.from_numpy(SOUND.copy())
        self.spectrum = self.T.Spectrogram(**STEREO)(self.x)


CASES = {
    "spectrogram": lambda s: s.T.Spectrogram()(s.x),
    "spectrogram, magnitude": lambda s: s.T.Spectrogram(n_fft=128, power=1.0, pad=10)(s.x),
    "spectrogram, cubed": lambda s: s.T.Spectrogram(n_fft=128, win_length=100, hop_length=30, power=3.0)(s.x),
    "spectrogram, complex": lambda s: s.torch.view_as_real(s.T.Spectrogram(power=None, **STEREO)(s.x)),
    "spectrogram, by window": lambda s: s.T.Spectrogram(normalized=True, **STEREO)(s.x),
    "spectrogram, by length": lambda s: s.T.Spectrogram(normalized="frame_length", **STEREO)(s.x),
    "spectrogram, uncentred": lambda s: s.T.Spectrogram(center=False, onesided=False, **STEREO)(s.x),
    "spectrogram, hamming": lambda s: s.T.Spectrogram(window_fn=s.torch.hamming_window, wkwargs={"periodic": False},
                                                      pad_mode="constant", **STEREO)(s.x[0]),
    "spectrogram, unknown norm": lambda s: s.T.Spectrogram(normalized="energy")(s.x),
    "inverse": lambda s: s.T.InverseSpectrogram(**STEREO)(s.T.Spectrogram(power=None, **STEREO)(s.x), 3000),
    "inverse of a real one": lambda s: s.T.InverseSpectrogram(**STEREO)(s.spectrum),
    "griffin-lim": lambda s: s.T.GriffinLim(n_iter=3, rand_init=False, **STEREO)(s.spectrum),
    "griffin-lim without momentum": lambda s: s.T.GriffinLim(n_iter=2, momentum=0, rand_init=False, length=3000,
                                                             **STEREO)(s.spectrum),
    "griffin-lim with too much": lambda s: s.T.GriffinLim(momentum=1.0),
    "centroid": lambda s: s.T.SpectralCentroid(RATE, **STEREO)(s.x),
    "decibels": lambda s: s.T.AmplitudeToDB()(s.spectrum),
    "decibels of magnitude": lambda s: s.T.AmplitudeToDB("magnitude", 30.0)(s.spectrum),
    "decibels, negative": lambda s: s.T.AmplitudeToDB(top_db=-1.0),
    "from decibels": lambda s: s.F.DB_to_amplitude(s.T.AmplitudeToDB()(s.spectrum), 1.0, 0.5),
    "mel filters": lambda s: s.F.melscale_fbanks(201, 0.0, 8000.0, 40, RATE),
    "mel filters, slaney": lambda s: s.F.melscale_fbanks(257, 20.0, 7600.0, 80, RATE, "slaney", "slaney"),
    "mel filters, unknown norm": lambda s: s.F.melscale_fbanks(201, 0.0, 8000.0, 40, RATE, "area"),
    "mel filters, unknown scale": lambda s: s.F.melscale_fbanks(201, 0.0, 8000.0, 40, RATE, None, "bark"),
    "mel filters, too many": lambda s: s.F.melscale_fbanks(33, 0.0, 8000.0, 80, RATE),
    "linear filters": lambda s: s.F.linear_fbanks(101, 0.0, 8000.0, 20, RATE),
    "mel scale": lambda s: s.T.MelScale(20, RATE, n_stft=129)(s.spectrum),
    "mel scale, upside down": lambda s: s.T.MelScale(20, RATE, 9000.0),
    "mel spectrogram": lambda s: s.T.MelSpectrogram(n_mels=40)(s.x),
    "mel spectrogram, slaney": lambda s: s.T.MelSpectrogram(22050, n_fft=512, n_mels=30, power=1.0, norm="slaney",
                                                            mel_scale="slaney", f_min=30.0, f_max=9000.0)(s.x),
    "mfcc": lambda s: s.T.MFCC(n_mfcc=13, melkwargs={"n_mels": 40})(s.x),
    "mfcc, logarithms": lambda s: s.T.MFCC(n_mfcc=20, log_mels=True, norm=None, melkwargs={"n_mels": 23})(s.x),
    "mfcc, too many": lambda s: s.T.MFCC(n_mfcc=50, melkwargs={"n_mels": 40}),
    "mfcc of type 3": lambda s: s.T.MFCC(dct_type=3),
    "lfcc": lambda s: s.T.LFCC(n_filter=30, n_lfcc=12)(s.x),
    "dct": lambda s: s.F.create_dct(13, 40, "ortho"),
    "dct, plain": lambda s: s.F.create_dct(5, 8, None),
    "dct, unknown norm": lambda s: s.F.create_dct(5, 8, "unit"),
    "deltas": lambda s: s.T.ComputeDeltas()(s.spectrum),
    "deltas, wide": lambda s: s.T.ComputeDeltas(9, "constant")(s.spectrum),
    "deltas, narrow": lambda s: s.T.ComputeDeltas(2)(s.spectrum),
    "mu-law": lambda s: s.T.MuLawEncoding(256)(s.x.clamp(-1, 1)),
    "mu-law and back": lambda s: s.T.MuLawDecoding(64)(s.T.MuLawEncoding(64)(s.x.clamp(-1, 1))),
    "preemphasis": lambda s: s.T.Preemphasis(0.9)(s.x),
    "resample down": lambda s: s.T.Resample(16000, 8000)(s.x),
    "resample up": lambda s: s.T.Resample(16000, 44100)(s.x),
    "resample, kaiser": lambda s: s.T.Resample(16000, 11025, "sinc_interp_kaiser", 16, 0.9, 8.0)(s.x),
    "resample, function": lambda s: s.F.resample(s.x[0], 48000, 16000, 10, 0.95),
    "resample, same": lambda s: s.F.resample(s.x, 3, 3),
    "resample, unknown": lambda s: s.F.resample(s.x, 16000, 8000, resampling_method="linear"),
    "resample, negative": lambda s: s.F.resample(s.x, 16000, -1),
    "resample, whole numbers": lambda s: s.T.Resample(16000, 8000)(s.x.to(s.torch.int32)),
    "mask of frequency": lambda s: s.T.FrequencyMasking(40)(s.spectrum),
    "mask of time": lambda s: s.T.TimeMasking(20, p=0.5)(s.spectrum, 3.0),
    "masks for each": lambda s: s.T.TimeMasking(20, iid_masks=True)(s.spectrum[None]),
    "masks of frequency for each": lambda s: s.T.FrequencyMasking(40, iid_masks=True)(s.spectrum[None], 2.0),
    "mask of too much": lambda s: s.T.TimeMasking(20, p=1.5),
    "mask of too little": lambda s: s.F.mask_along_axis(s.spectrum[0, 0], 3, 0.0, 0),
    "mask of channels": lambda s: s.F.mask_along_axis(s.spectrum, 3, 0.0, 0),
    "specaugment": lambda s: s.T.SpecAugment(2, 10, 2, 30)(s.spectrum),
    "specaugment, zeros": lambda s: s.T.SpecAugment(1, 10, 2, 30, iid_masks=False, p=0.4,
                                                    zero_masking=True)(s.spectrum),
    "volume": lambda s: s.T.Vol(1.7)(s.x),
    "volume in decibels": lambda s: s.T.Vol(-6.0, "db")(s.x),
    "volume of power": lambda s: s.T.Vol(0.5, "power")(s.x),
    "volume, negative": lambda s: s.T.Vol(-0.5),
    **{f"fade, {shape}": (lambda shape: lambda s: s.T.Fade(400, 700, shape)(s.x))(shape)
       for shape in ("linear", "exponential", "logarithmic", "quarter_sine", "half_sine")},
    "edit distance": lambda s: s.F.edit_distance("kitten", "sitting"),
    "edit distance of words": lambda s: s.F.edit_distance("a b c d".split(), "b c e".split()),
}


def outcome(name, library):
    """What the call gives under a seed, the next random number, or the error."""
    import warnings

    library.torch.manual_seed(7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = CASES[name](library)
        except Exception as error:
            return {"error": type(error).__name__, "message": str(error)[:30]}
    if isinstance(result, int):
        return {"value": result}
    return {"array": result.detach().numpy(), "dtype": str(result.dtype), "next": library.torch.rand(1).item(),
            "warned": len(caught)}


def brief(found):
    """The same, small enough for a file."""
    if "array" not in found:
        return found
    array = found.pop("array").astype(np.float64)
    return {**found, "shape": list(array.shape), "mean": array.mean(), "size": np.abs(array).mean(),
            "some": array.reshape(-1)[::max(1, array.size // 12)].tolist()}


if __name__ == "__main__":  # records torchaudio's results
    import torch
    import torchaudio

    library = Library(torch, torchaudio)
    lines = [f"{json.dumps(name)}: {json.dumps(brief(outcome(name, library)))}" for name in CASES]
    RECORDED.write_text("{" + ",\n".join(lines) + "}\n")
