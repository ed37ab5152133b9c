"""Sound files as Tensors, through the package soundfile (the extra `audio`): WAV, FLAC, Ogg, MP3 and more."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

import flambeau as torch

# What samples of a subtype are, in bits; lossy ones have none
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64, "ULAW": 8,
         "ALAW": 8}
_ENCODINGS = {"PCM_S8": "PCM_S", "PCM_U8": "PCM_U", "PCM_16": "PCM_S", "PCM_24": "PCM_S", "PCM_32": "PCM_S",
              "FLOAT": "PCM_F", "DOUBLE": "PCM_F", "ULAW": "ULAW", "ALAW": "ALAW", "VORBIS": "VORBIS", "OPUS": "OPUS",
              "MPEG_LAYER_III": "MP3"}
_SUBTYPES = {("PCM_S", 8): "PCM_S8", ("PCM_U", 8): "PCM_U8", ("PCM_S", 16): "PCM_16", ("PCM_S", 24): "PCM_24",
             ("PCM_S", 32): "PCM_32", ("PCM_F", 32): "FLOAT", ("PCM_F", 64): "DOUBLE", ("ULAW", 8): "ULAW",
             ("ALAW", 8): "ALAW"}
# What a sample of a dtype is in a WAV file, unless the arguments say otherwise
_NATURAL = {torch.uint8: "PCM_U8", torch.int16: "PCM_16", torch.int32: "PCM_32", torch.float32: "FLOAT",
            torch.float64: "DOUBLE"}


@dataclass
class AudioMetaData:
    """What `info` tells: samples per second and channel, samples of one channel, channels, bits of a sample (0 if
    compressed), encoding ("PCM_S", "PCM_F", "VORBIS", …)."""

    sample_rate: int
    num_frames: int
    num_channels: int
    bits_per_sample: int
    encoding: str


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError:
        raise RuntimeError("To read and write sound, `pip install soundfile` (or flambeau[audio]).") from None
    return soundfile


def list_audio_backends() -> list[str]:
    """The packages that files can be read with: ["soundfile"], or [] where that is not installed."""
    try:
        _soundfile()
    except RuntimeError:
        return []
    return ["soundfile"]


def _opened(uri: str | os.PathLike | BinaryIO) -> Any:
    soundfile = _soundfile()
    if isinstance(uri, (str, os.PathLike)) and not os.path.isfile(uri):
        raise FileNotFoundError(f"No such file: '{os.fspath(uri)}'")
    try:
        return soundfile.SoundFile(os.fspath(uri) if isinstance(uri, os.PathLike) else uri)
    except soundfile.LibsndfileError as error:
        raise RuntimeError(f"Failed to read {uri!r}: {error}") from None


def info(uri: str | os.PathLike | BinaryIO, format: str | None = None, buffer_size: int = 4096,
         backend: str | None = None) -> AudioMetaData:
    """Facts about a sound file (a path or a file object). `format`, `buffer_size`, `backend` are accepted."""
    with _opened(uri) as file:
        return AudioMetaData(file.samplerate, file.frames, file.channels, _BITS.get(file.subtype, 0),
                             _ENCODINGS.get(file.subtype, "UNKNOWN"))


def load(uri: str | os.PathLike | BinaryIO, frame_offset: int = 0, num_frames: int = -1, normalize: bool = True,
         channels_first: bool = True, format: str | None = None, buffer_size: int = 4096,
         backend: str | None = None) -> tuple[Any, int]:
    """(samples, samples per second) of a sound file, from `frame_offset` on, `num_frames` of them (-1: all).

    Samples are a Tensor (channels, time), or (time, channels) unless `channels_first`: float32 in [-1, 1], or without
    `normalize`, of 16-, 32- or 8-bit WAV, whole numbers as they are in the file.
    Errors: FileNotFoundError; RuntimeError for what is no sound file, or without the package soundfile.
    """
    if frame_offset < 0 or num_frames == 0 or num_frames < -1:
        raise ValueError(f"frame_offset must be >= 0 and num_frames -1 or > 0, got {frame_offset} and {num_frames}")
    with _opened(uri) as file:
        whole = {"PCM_16": "int16", "PCM_32": "int32", "PCM_24": "int32", "PCM_U8": "uint8"}
        kind = "float32" if normalize or file.format not in ("WAV", "WAVEX") else whole.get(file.subtype, "float32")
        file.seek(min(frame_offset, file.frames))
        samples = file.read(num_frames, "int16" if kind == "uint8" else kind, always_2d=True)
        rate = file.samplerate
    if kind == "uint8":
        samples = ((samples >> 8) + 128).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(samples.T if channels_first else samples)), rate


def save(uri: str | os.PathLike | BinaryIO, src: Any, sample_rate: int, channels_first: bool = True,
         format: str | None = None, encoding: str | None = None, bits_per_sample: int | None = None,
         buffer_size: int = 4096, backend: str | None = None, compression: float | None = None) -> None:
    """Writes samples (channels, time), or (time, channels) unless `channels_first`, to a sound file.

    format: default, what the name ends in. encoding ("PCM_S", "PCM_U", "PCM_F", "ULAW", "ALAW") and bits_per_sample:
    of WAV and FLAC; default, as the dtype is (WAV) or 16 bits. Errors: ValueError for another number of dimensions or
    an encoding that the format does not have; RuntimeError without the package soundfile.
    """
    soundfile = _soundfile()
    if src.dim() != 2:
        raise ValueError(f"Expected 2D Tensor, got {src.dim()}D.")
    samples = src.detach().numpy()
    samples = samples.T if channels_first else samples
    if samples.dtype == np.uint8:  # soundfile takes no unsigned samples
        samples = (samples.astype(np.int16) - 128) << 8
    if format is None:
        name = uri if isinstance(uri, (str, os.PathLike)) else getattr(uri, "name", "")
        format = os.path.splitext(os.fspath(name))[1].lstrip(".")
    format = {"WAV": "WAV", "FLAC": "FLAC", "OGG": "OGG", "VORBIS": "OGG", "MP3": "MP3", "SPH": "NIST"}.get(
        format.upper(), format.upper())
    subtype = _subtype(format, src.dtype, encoding, bits_per_sample)
    soundfile.write(uri, samples, int(sample_rate), subtype, format=format)


def _subtype(format: str, dtype: Any, encoding: str | None, bits: int | None) -> str | None:
    """soundfile's name for how samples are stored; None is the format's only or usual one."""
    if format not in ("WAV", "FLAC"):
        if encoding is not None or bits is not None:
            raise ValueError(f"{format} does not support encoding or bits_per_sample.")
        return None
    if encoding is None and bits is None:
        return "PCM_16" if format == "FLAC" else _NATURAL.get(dtype, "PCM_16")
    if encoding is None:
        encoding = "PCM_U" if bits == 8 and format == "WAV" else "PCM_S"
    if bits is None:
        bits = {"PCM_S": 16, "PCM_U": 8, "PCM_F": 32, "ULAW": 8, "ALAW": 8}.get(encoding, 0)
    subtype = _SUBTYPES.get((encoding, bits))
    if subtype is None or not _soundfile().check_format(format, subtype):
        raise ValueError(f"{format} does not support encoding {encoding} with {bits} bits per sample.")
    return subtype
