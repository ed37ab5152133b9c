"""STL-10: 96×96 colour photos in 10 classes, most of them without labels (Coates, Lee and Ng 2011)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np

from ._arrays import ArrayImages
from .utils import check_integrity, download_and_extract_archive, not_found, verify_str_arg


class STL10(ArrayImages):
    """STL-10: split "train" (5,000 images), "test" (8,000), "unlabeled" (100,000; label -1) or "train+unlabeled".

    data: uint8 array (N, 3, 96, 96); labels: array (N,); classes: names. folds: one of the ten official folds of the
    training images, by number. Files: `root/stl10_binary/{train,test}_{X,y}.bin, unlabeled_X.bin, …`.
    Errors: RuntimeError if files are missing or have the wrong hash; ValueError for an unknown split or fold.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list = [["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
                  ["train_y.bin", "5a34089d4802c674881badbb80307741"],
                  ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"]]
    test_list = [["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"], ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"]]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(self, root: str | Path, split: str = "train", folds: int | None = None,
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        self.folds = self._verify_folds(folds)
        if download:
            self.download()
        wrong = [self._path(name) for name, md5 in self._files() if not check_integrity(self._path(name), md5)]
        if wrong:
            raise not_found("Dataset not found or corrupted. You can use download=True to download it", wrong,
                            f"{self.url}, to be unpacked in {os.path.abspath(self.root)}")
        self.data, self.labels = self._load()
        names = self._path(self.class_names_file)
        if os.path.isfile(names):
            self.classes = Path(names).read_text().splitlines()

    def _verify_folds(self, folds: int | None) -> int | None:
        if folds is None or (isinstance(folds, int) and 0 <= folds < 10):
            return folds
        if isinstance(folds, int):
            raise ValueError(f"Value for argument folds should be in the range [0, 10), but got {folds}.")
        raise ValueError(f"Expected type None or int for argument folds, but got type {type(folds)}.")

    def _load(self) -> tuple[np.ndarray, np.ndarray]:
        if self.split == "test":
            return self._images("test_X.bin"), self._labels("test_y.bin")
        unlabelled = self._images("unlabeled_X.bin") if "unlabeled" in self.split else None
        if self.split == "unlabeled":
            return unlabelled, np.full(len(unlabelled), -1)
        data, labels = self._images("train_X.bin"), self._labels("train_y.bin")
        if self.folds is not None:
            chosen = np.array(Path(self._path(self.folds_list_file)).read_text().splitlines()[self.folds].split(), int)
            data, labels = data[chosen], labels[chosen]
        if unlabelled is not None:
            data = np.concatenate([data, unlabelled])
            labels = np.concatenate([labels, np.full(len(unlabelled), -1)])
        return data, labels

    def _images(self, name: str) -> np.ndarray:
        """Each image is three planes, each plane column by column."""
        return np.fromfile(self._path(name), np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)

    def _labels(self, name: str) -> np.ndarray:
        return np.fromfile(self._path(name), np.uint8) - 1

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _files(self) -> list[list[str]]:
        return self.train_list + self.test_list

    @property
    def _pixels(self) -> np.ndarray:
        return self.data.transpose(0, 2, 3, 1)

    def _check_integrity(self) -> bool:
        return all(check_integrity(self._path(name), md5) for name, md5 in self._files())

    def download(self) -> None:
        """Downloads and unpacks the archive into `root`, unless all files are there."""
        if not self._check_integrity():
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5,
                                         contents=[self.base_folder])

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
