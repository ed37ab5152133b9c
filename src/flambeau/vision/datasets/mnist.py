"""MNIST and the sets in its format (IDX files): FashionMNIST, KMNIST, EMNIST, QMNIST."""
from __future__ import annotations

import math
import os
import shutil
import string
import warnings
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np

import flambeau as torch
from flambeau.tensor.attributes import host_array

from ._arrays import ArrayImages
from .utils import (check_integrity, download_and_extract_archive, extract_archive, not_found, provide_from_mirror,
                    verify_str_arg)

_DIGITS = ["0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
           "9 - nine"]


class MNIST(ArrayImages):
    """Handwritten digits, 28×28 grey (LeCun et al. 1998): 60,000 training and 10,000 test images.

    data: uint8 Tensor (N, 28, 28); targets: int64 Tensor (N,); classes: names.
    Files: `root/MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte`.
    Errors: RuntimeError if files are missing, damaged, or cannot be downloaded.
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources: Any = [("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                      ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
                      ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
                      ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c")]
    training_file = "training.pt"
    test_file = "test.pt"
    classes = _DIGITS

    @property
    def train_labels(self) -> Any:
        """The old name of `targets`."""
        warnings.warn("train_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def test_labels(self) -> Any:
        """The old name of `targets`."""
        warnings.warn("test_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def train_data(self) -> Any:
        """The old name of `data`."""
        warnings.warn("train_data has been renamed data", stacklevel=2)
        return self.data

    @property
    def test_data(self) -> Any:
        """The old name of `data`."""
        warnings.warn("test_data has been renamed data", stacklevel=2)
        return self.data

    def __init__(self, root: str | Path, train: bool = True, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if self._check_legacy_exist():
            self.data, self.targets = self._load_legacy_data()
            return
        if download:
            self.download()
        if not self._check_exists():
            raise not_found("Dataset not found. You can use download=True to download it",
                            [file for file in self._files() if not check_integrity(file)],
                            "the official files, unpacked")
        self.data, self.targets = self._load_data()

    def _check_legacy_exist(self) -> bool:
        return os.path.exists(self.processed_folder) and all(
            check_integrity(os.path.join(self.processed_folder, file)) for file in (self.training_file, self.test_file))

    def _load_legacy_data(self) -> Any:
        file = self.training_file if self.train else self.test_file
        return torch.load(os.path.join(self.processed_folder, file), weights_only=True)

    def _files(self) -> list[str]:
        """The unpacked files that this set reads or checks."""
        return [self._unpacked(name) for name, _ in self.resources]

    def _unpacked(self, packed: str) -> str:
        """Where the contents of a compressed file, by its name or URL, go."""
        return os.path.join(self.raw_folder, os.path.splitext(os.path.basename(packed))[0])

    def _load_data(self) -> tuple[Any, Any]:
        stem = "train" if self.train else "t10k"
        return (read_image_file(os.path.join(self.raw_folder, f"{stem}-images-idx3-ubyte")),
                read_label_file(os.path.join(self.raw_folder, f"{stem}-labels-idx1-ubyte")))

    @property
    def _pixels(self) -> np.ndarray:
        pixels, of = self.__dict__.get("_array", (None, None))
        if of is not self.data:  # somebody may have put another tensor there
            pixels = self.data.numpy()
            self._array = pixels, self.data
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_array"}

    def _target(self, index: int) -> Any:
        return int(self.targets[index])

    def _targets(self, indices: Sequence[int]) -> list[Any]:
        if type(self)._target is MNIST._target and isinstance(self.targets, torch.Tensor):
            if self.targets.dtype is torch.int64 and self.targets.ndim == 1:
                return host_array(self.targets)[indices].tolist()
        return super()._targets(indices)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        """Where the IDX files lie."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where versions of torchvision before 0.9 put training.pt and test.pt, which still are read if there."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class name -> target."""
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        return all(check_integrity(file) for file in self._files())

    def _provided(self) -> bool:
        """Whether a mirror has the unpacked files; copies them if so."""
        return provide_from_mirror(self.root,
                                   [os.path.relpath(file, self.root).replace(os.sep, "/") for file in self._files()])

    def download(self) -> None:
        """Downloads and unpacks what is missing, from the first of `mirrors` that has it."""
        if self._check_exists() or self._provided():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for filename, md5 in self.resources:
            errors = []
            for mirror in self.mirrors:
                try:
                    download_and_extract_archive(f"{mirror}{filename}", download_root=self.raw_folder,
                                                 filename=filename, md5=md5)
                    break
                except (RuntimeError, OSError) as error:
                    errors.append(f"Tried {mirror}, got:\n{error}\n")
            else:
                raise RuntimeError(f"Error downloading {filename}:\n" + "".join(errors))

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class FashionMNIST(MNIST):
    """Zalando's articles of clothing in MNIST's format (Xiao et al. 2017); `root/FashionMNIST/raw`."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                 ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
                 ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
                 ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310")]
    classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class KMNIST(MNIST):
    """Kuzushiji (cursive Japanese) characters in MNIST's format (Clanuwat et al. 2018); `root/KMNIST/raw`."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
                 ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
                 ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
                 ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134")]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Handwritten letters and digits in MNIST's format (Cohen et al. 2017), in six splits; images are transposed as
    NIST stores them. `root/EMNIST/raw/emnist-{split}-{train,test}-…`. Errors: ValueError for an unknown split."""

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _merged_classes = set("cijklmopsuvwxyz")  # letters whose upper and lower case look alike
    _all_classes = set(string.digits + string.ascii_letters)
    classes_split_dict = {"byclass": sorted(_all_classes), "bymerge": sorted(_all_classes - _merged_classes),
                          "balanced": sorted(_all_classes - _merged_classes),
                          "letters": ["N/A", *string.ascii_lowercase],
                          "digits": list(string.digits), "mnist": list(string.digits)}

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file = f"training_{split}.pt"
        self.test_file = f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    @property
    def _file_prefix(self) -> str:
        return f"emnist-{self.split}-{'train' if self.train else 'test'}"

    @property
    def images_file(self) -> str:
        """The IDX file of the images."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """The IDX file of the labels."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-labels-idx1-ubyte")

    def _files(self) -> list[str]:
        return [self.images_file, self.labels_file]

    def _load_data(self) -> tuple[Any, Any]:
        return read_image_file(self.images_file), read_label_file(self.labels_file)

    def download(self) -> None:
        """Downloads the archive of all splits and unpacks it."""
        if self._check_exists() or self._provided():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        download_and_extract_archive(self.url, download_root=self.raw_folder, md5=self.md5)
        packed = os.path.join(self.raw_folder, "gzip")
        for name in os.listdir(packed):
            if name.endswith(".gz"):
                extract_archive(os.path.join(packed, name), self.raw_folder)
        shutil.rmtree(packed)


_QMNIST = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"


class QMNIST(MNIST):
    """MNIST rebuilt from NIST's originals, with 60,000 test images (Yadav and Bottou 2019); `root/QMNIST/raw`.

    what: "train", "test", "test10k" (those in MNIST), "test50k" (the others) or "nist"; by default as `train` says.
    compat: targets are the class as an int; otherwise the int64 Tensor (8,) of all that is known of the image.
    """

    subsets = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    resources = {"train": [(_QMNIST + "qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
                           (_QMNIST + "qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4")],
                 "test": [(_QMNIST + "qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
                          (_QMNIST + "qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa")],
                 "nist": [(_QMNIST + "xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
                          (_QMNIST + "xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d")]}
    classes = _DIGITS

    def __init__(self, root: str | Path, what: str | None = None, compat: bool = True, train: bool = True,
                 **kwargs: Any) -> None:
        if what is None:
            what = "train" if train else "test"
        self.what = verify_str_arg(what, "what", tuple(self.subsets))
        self.compat = compat
        self.data_file = self.training_file = self.test_file = what + ".pt"
        super().__init__(root, train, **kwargs)

    def _resources(self) -> list[tuple[str, str]]:
        return self.resources[self.subsets[self.what]]

    def _files(self) -> list[str]:
        return [self._unpacked(url) for url, _ in self._resources()]

    @property
    def images_file(self) -> str:
        """The IDX file of the images."""
        return self._files()[0]

    @property
    def labels_file(self) -> str:
        """The IDX file of the labels."""
        return self._files()[1]

    def _load_data(self) -> tuple[Any, Any]:
        data = read_sn3_pascalvincent_tensor(self.images_file)
        if data.dtype != torch.uint8:
            raise TypeError(f"data should be of dtype torch.uint8 instead of {data.dtype}")
        if data.ndim != 3:
            raise ValueError(f"data should have 3 dimensions instead of {data.ndim}")
        targets = read_sn3_pascalvincent_tensor(self.labels_file).long()
        if targets.ndim != 2:
            raise ValueError(f"targets should have 2 dimensions instead of {targets.ndim}")
        part = {"test10k": slice(0, 10000), "test50k": slice(10000, None)}.get(self.what)
        return (data, targets) if part is None else (data[part].clone(), targets[part].clone())

    def _target(self, index: int) -> Any:
        return int(self.targets[index][0]) if self.compat else self.targets[index]

    def download(self) -> None:
        """Downloads and unpacks the two files of this subset."""
        if self._check_exists() or self._provided():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for url, md5 in self._resources():
            download_and_extract_archive(url, self.raw_folder, md5=md5)

    def extra_repr(self) -> str:
        return f"Split: {self.what}"


# IDX: 0, 0, a type, the number of dimensions, each size as a big-endian 32-bit integer, then the elements, big-endian
SN3_PASCALVINCENT_TYPEMAP = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_sn3_pascalvincent_tensor(path: str, strict: bool = True) -> Any:
    """The Tensor in the IDX file at `path`. RuntimeError if it is no IDX file or does not hold as many elements as it
    says (more are accepted if not `strict`)."""
    with open(path, "rb") as file:
        content = file.read()
    header = np.frombuffer(content[:4], np.uint8)
    if (len(header) < 4 or header[0] or header[1] or int(header[2]) not in SN3_PASCALVINCENT_TYPEMAP
            or not 1 <= header[3] <= 3):
        raise RuntimeError(f"{path} is not an IDX file (it begins with {content[:4]!r}). Delete it and download it "
                           "again.")
    dims = int(header[3])
    start = 4 * (dims + 1)
    dtype = np.dtype(SN3_PASCALVINCENT_TYPEMAP[int(header[2])])
    shape = [int.from_bytes(content[k:k + 4], "big") for k in range(4, start, 4)]
    wanted, there = math.prod(shape) * dtype.itemsize, len(content) - start
    if there < wanted or (strict and there != wanted):
        raise RuntimeError(f"{path} is truncated or damaged: a set of shape {tuple(shape)} takes {wanted:,} bytes "
                           "after its "
                           f"header, but there are {there:,}. Delete it and download it again.")
    flat = np.frombuffer(content, dtype, math.prod(shape), start)
    values = np.empty(shape, dtype.newbyteorder("="))
    values.reshape(-1)[:] = flat
    return torch.from_numpy(values)


def read_label_file(path: str) -> Any:
    """The labels (N,) in an IDX file of bytes, as int64."""
    labels = read_sn3_pascalvincent_tensor(path, strict=False)
    if labels.dtype != torch.uint8:
        raise TypeError(f"x should be of dtype torch.uint8 instead of {labels.dtype}")
    if labels.ndim != 1:
        raise ValueError(f"x should have 1 dimension instead of {labels.ndim}")
    return labels.long()


def read_image_file(path: str) -> Any:
    """The images (N, H, W) in an IDX file of bytes, as uint8."""
    images = read_sn3_pascalvincent_tensor(path, strict=False)
    if images.dtype != torch.uint8:
        raise TypeError(f"x should be of dtype torch.uint8 instead of {images.dtype}")
    if images.ndim != 3:
        raise ValueError(f"x should have 3 dimension instead of {images.ndim}")
    return images
