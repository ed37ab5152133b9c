"""`torchaudio`'s API on flambeau: reading and writing sound, spectra and resampling. `import flambeau.audio`, or
`import torchaudio` under `flambeau run`."""
from __future__ import annotations

from ..version import torchaudio as __version__
from . import functional, transforms
from ._files import AudioMetaData, info, list_audio_backends, load, save

__all__ = ["AudioMetaData", "functional", "info", "list_audio_backends", "load", "save", "transforms"]
