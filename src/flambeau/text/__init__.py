"""`torchtext`'s API on flambeau: vocabularies, tokenizers, transforms and data sets. `import flambeau.text`, or
`import torchtext` under `flambeau run`."""
from __future__ import annotations

from ..version import torchtext as __version__
from . import data, datasets, functional, transforms, vocab

__all__ = ["data", "datasets", "disable_torchtext_deprecation_warning", "functional", "transforms", "vocab"]


def disable_torchtext_deprecation_warning() -> None:
    """Accepted for compatibility; nothing here warns of its end."""
