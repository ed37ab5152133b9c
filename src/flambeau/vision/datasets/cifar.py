"""CIFAR-10 and CIFAR-100: 60,000 colour photos of 32×32 pixels (Krizhevsky 2009), from the "python version"
archives."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ._arrays import ArrayImages
from ._unpickle import load_arrays
from .utils import check_integrity, download_and_extract_archive, not_found


class CIFAR10(ArrayImages):
    """CIFAR-10: 10 classes, 50,000 training and 10,000 test images.

    data: uint8 array (N, 32, 32, 3); targets: list of ints; classes: names; class_to_idx: name -> int.
    Files: `root/cifar-10-batches-py/{batches.meta,data_batch_1…5,test_batch}`, unpacked from cifar-10-python.tar.gz.
    Errors: RuntimeError if files are missing or have the wrong hash (and `download` is False).
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [["data_batch_1", "c99cafc152244af753f735de768cd75f"],
                  ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
                  ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
                  ["data_batch_4", "634d18415352ddfa80567beed471001a"],
                  ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"]]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(self, root: str | Path, train: bool = True, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        wrong = [self._path(name) for name, md5 in self._files() if not check_integrity(self._path(name), md5)]
        if wrong:
            raise not_found("Dataset not found or corrupted. You can use download=True to download it", wrong,
                            f"{self.url}, to be unpacked in {os.path.abspath(self.root)}")
        self.data: Any = []
        self.targets: list[int] = []
        for name, _ in self.train_list if train else self.test_list:
            entry = load_arrays(self._path(name))
            self.data.append(entry["data"])
            self.targets.extend(entry["labels"] if "labels" in entry else entry["fine_labels"])
        self.data = np.vstack(self.data).reshape(-1, 3, 32, 32).transpose((0, 2, 3, 1))
        self._load_meta()

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _load_meta(self) -> None:
        path = self._path(self.meta["filename"])
        if not check_integrity(path, self.meta["md5"]):
            raise not_found("Dataset metadata file not found or corrupted. You can use download=True to download it",
                            [path], self.url)
        self.classes = load_arrays(path)[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _target(self, index: int) -> Any:
        return self.targets[index]

    def _files(self) -> list[list[str]]:
        return self.train_list + self.test_list

    def _check_integrity(self) -> bool:
        return all(check_integrity(self._path(name), md5) for name, md5 in self._files())

    def download(self) -> None:
        """Downloads and unpacks the archive into `root`, unless all files are there."""
        if self._check_integrity():
            return
        names = [self.meta["filename"], *(name for name, _ in self._files())]
        download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5,
                                     contents=[f"{self.base_folder}/{name}" for name in names])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """CIFAR-100: 100 fine classes, 50,000 training and 10,000 test images; as `CIFAR10` otherwise.

    Files: `root/cifar-100-python/{meta,train,test}`.
    """

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
