"""Layers on waveforms (…, time) and spectra (…, frequency, time); see `_transforms`."""
from ._transforms import (LFCC, MFCC, AmplitudeToDB, ComputeDeltas, Fade, FrequencyMasking, GriffinLim,
                          InverseSpectrogram, MelScale, MelSpectrogram, MuLawDecoding, MuLawEncoding, Preemphasis,
                          Resample, SpecAugment, SpectralCentroid, Spectrogram, TimeMasking, Vol)

__all__ = ["AmplitudeToDB", "ComputeDeltas", "Fade", "FrequencyMasking", "GriffinLim", "InverseSpectrogram", "LFCC",
           "MFCC", "MelScale", "MelSpectrogram", "MuLawDecoding", "MuLawEncoding", "Preemphasis", "Resample",
           "SpecAugment", "SpectralCentroid", "Spectrogram", "TimeMasking", "Vol"]
