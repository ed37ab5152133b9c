"""SEMEION: 1,593 handwritten digits, 16×16 black and white (Buscema 1998)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np

from ._arrays import ArrayImages
from .utils import DAMAGED, check_integrity, download_url, not_found


class SEMEION(ArrayImages):
    """data: uint8 array (N, 16, 16) of 0 and 255; labels: array (N,). File: `root/semeion.data`.

    Errors: RuntimeError if it is missing or damaged.
    """

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(self, root: str | Path, transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = True) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, [self._path], self.url)
        table = np.loadtxt(self._path)
        self.data = (table[:, :256] * 255).astype("uint8").reshape(-1, 16, 16)
        self.labels = np.nonzero(table[:, 256:])[1]

    @property
    def _path(self) -> str:
        return os.path.join(self.root, self.filename)

    def _check_integrity(self) -> bool:
        return check_integrity(self._path, self.md5_checksum)

    def download(self) -> None:
        """Downloads the file, unless it is there."""
        if not self._check_integrity():
            download_url(self.url, self.root, self.filename, self.md5_checksum)
