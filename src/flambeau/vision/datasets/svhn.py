"""SVHN: house numbers from street views, cropped to 32×32 (Netzer et al. 2011)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np

from ._arrays import ArrayImages
from ._matfile import load_mat
from .utils import check_integrity, download_url, not_found, verify_str_arg

_URL = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(ArrayImages):
    """SVHN: split "train" (73,257 images), "test" (26,032) or "extra" (531,131).

    data: uint8 array (N, 3, 32, 32); labels: int64 array (N,), the digit. Files: `root/{split}_32x32.mat`.
    Errors: RuntimeError if the file is missing or damaged; ValueError for an unknown split.
    """

    split_list = {"train": [_URL + "train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"],
                  "test": [_URL + "test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
                  "extra": [_URL + "extra_32x32.mat", "extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"]}

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found("Dataset not found or corrupted. You can use download=True to download it", [self._path],
                            self.url)
        variables = load_mat(self._path)
        self.data = variables["X"].transpose(3, 2, 0, 1)
        labels = variables["y"].astype(np.int64).squeeze()
        self.labels = np.where(labels == 10, 0, labels)  # the files call the digit 0 class 10

    @property
    def _path(self) -> str:
        return os.path.join(self.root, self.filename)

    @property
    def _pixels(self) -> np.ndarray:
        return self.data.transpose(0, 2, 3, 1)

    def _check_integrity(self) -> bool:
        return check_integrity(self._path, self.file_md5)

    def download(self) -> None:
        """Downloads the file of this split."""
        download_url(self.url, self.root, self.filename, self.file_md5)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
