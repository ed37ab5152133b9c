"""`importlib.metadata.version("torch")` and the like: what an installed torch and torchvision would answer."""
from __future__ import annotations

import os
import re
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from typing import Iterator

from .. import version

VERSIONS = {"torch": version.__version__, "torchaudio": version.torchaudio, "torchtext": version.torchtext,
            "torchvision": version.torchvision}


class _Presented(Distribution):
    """A distribution without files: its name, version and top-level module."""

    def __init__(self, name: str):
        self._texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSIONS[name]}\nSummary: from flambeau\n",
            "INSTALLER": "flambeau\n",
            "top_level.txt": name + "\n",
        }

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        return self._texts.get(str(filename))

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(__file__).parents[2] / path


def find_distributions(context: DistributionFinder.Context | None = None) -> Iterator[Distribution]:
    """The distributions that `context` asks for by name, all of them if it names none."""
    asked = context.name if context is not None else None
    for name in VERSIONS:
        if asked is None or re.sub("[-_.]+", "-", asked).lower() == name:
            yield _Presented(name)
