"""USPS: 9,298 handwritten digits from envelopes, 16×16 grey (Hull 1994), in LIBSVM's text format."""
from __future__ import annotations

import bz2
import os
from pathlib import Path
from typing import Callable

import numpy as np

from ._arrays import ArrayImages
from .utils import NOT_FOUND, download_url, not_found

_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"


class USPS(ArrayImages):
    """USPS: 7,291 training and 2,007 test images.

    data: uint8 array (N, 16, 16); targets: list of ints. Files: `root/usps.bz2` (training), `root/usps.t.bz2` (test).
    Errors: FileNotFoundError if the file is missing, RuntimeError if it is damaged.
    """

    split_list = {"train": [_URL + "usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
                  "test": [_URL + "usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"]}

    def __init__(self, root: str | Path, train: bool = True, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        url, filename, md5 = self.split_list["train" if train else "test"]
        path = os.path.join(self.root, filename)
        if download:
            download_url(url, self.root, filename, md5)
        if not os.path.isfile(path):
            raise FileNotFoundError(str(not_found(NOT_FOUND, [path], url)))
        self.data, self.targets = _read(path)

    def _target(self, index: int) -> int:
        return int(self.targets[index])


def _read(path: str) -> tuple[np.ndarray, list[int]]:
    """A line is a class from 1 and the pairs `k:value`, k = 1…256, -1 ≤ value ≤ 1."""
    try:
        with bz2.open(path) as file:
            rows = np.array(file.read().replace(b":", b" ").split(), dtype="S").astype(np.float64).reshape(-1, 513)
    except (OSError, EOFError, ValueError) as error:
        raise RuntimeError(f"{path} is damaged ({error}). Delete it and download it again.") from error
    values = rows[:, 2::2].astype(np.float32).reshape(-1, 16, 16)
    return ((values + 1) / 2 * 255).astype(np.uint8), (rows[:, 0].astype(int) - 1).tolist()
