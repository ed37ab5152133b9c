"""Functions on waveforms (…, time) and spectra (…, frequency, time); see `functional`."""
from .functional import (DB_to_amplitude, amplitude_to_DB, compute_deltas, create_dct, edit_distance, gain, griffinlim,
                         inverse_spectrogram, linear_fbanks, mask_along_axis, mask_along_axis_iid, melscale_fbanks,
                         mu_law_decoding, mu_law_encoding, preemphasis, resample, spectral_centroid, spectrogram)

__all__ = ["DB_to_amplitude", "amplitude_to_DB", "compute_deltas", "create_dct", "edit_distance", "gain", "griffinlim",
           "inverse_spectrogram", "linear_fbanks", "mask_along_axis", "mask_along_axis_iid", "melscale_fbanks",
           "mu_law_decoding", "mu_law_encoding", "preemphasis", "resample", "spectral_centroid", "spectrogram"]
