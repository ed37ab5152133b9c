"""LFW: labelled faces in the wild, to be recognised or compared in pairs (Huang et al. 2007)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader
from ...download.mirror import current_mirror
from .utils import DAMAGED, check_integrity, download_url, extract_archive, not_found, verify_str_arg
from .vision import VisionDataset

_SOURCE = "http://vis-www.cs.umass.edu/lfw/"


class _LFW(VisionDataset):
    """split: "10fold", "train" or "test"; image_set: "original", "funneled" or "deepfunneled" (how the faces are
    aligned). Files, which nobody offers for automatic download any more: `root/lfw-py/{people*,pairs*,lfw-names}.txt`,
    the archive of the image set, and its folder. Errors: RuntimeError if one is missing or damaged; ValueError for
    download=True without FLAMBEAU_MIRROR.
    """

    base_folder = "lfw-py"
    download_url_prefix = _SOURCE
    file_dict = {"original": ("lfw", "lfw.tgz", "a17d05bd522c52d84eca14327a23d494"),
                 "funneled": ("lfw_funneled", "lfw-funneled.tgz", "1b42dfed7d15c9b2dd63d5e5840c86ad"),
                 "deepfunneled": ("lfw-deepfunneled", "lfw-deepfunneled.tgz", "68331da3eb755a505a502b5aacb3c201")}
    checksums = {"pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
                 "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
                 "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
                 "people.txt": "450f0863dd89e85e73936a6d71a3474b",
                 "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
                 "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
                 "lfw-names.txt": "a6d0a479bd074669f656265a6e693f6d"}
    annot_file = {"10fold": "", "train": "DevTrain", "test": "DevTest"}
    names = "lfw-names.txt"

    def __init__(self, root: str | Path, split: str, image_set: str, view: str, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(os.path.join(root, self.base_folder), transform=transform, target_transform=target_transform)
        self.image_set = verify_str_arg(image_set.lower(), "image_set", self.file_dict)
        folder, self.filename, self.md5 = self.file_dict[self.image_set]
        self.view = verify_str_arg(view.lower(), "view", ["people", "pairs"])
        self.split = verify_str_arg(split.lower(), "split", ["10fold", "train", "test"])
        self.labels_file = f"{self.view}{self.annot_file[self.split]}.txt"
        self.images_dir = os.path.join(self.root, folder)
        self.data: list[Any] = []
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, self._wrong(), self.download_url_prefix)

    def _files(self) -> list[tuple[str, str]]:
        """(name, MD5) of what this view needs."""
        texts = [self.labels_file] + [self.names] * (self.view == "people")
        return [(self.filename, self.md5), *((name, self.checksums[name]) for name in texts)]

    def _wrong(self) -> list[str]:
        paths = [(os.path.join(self.root, name), md5) for name, md5 in self._files()]
        return [path for path, md5 in paths if not check_integrity(path, md5)]

    def _check_integrity(self) -> bool:
        return not self._wrong()

    def download(self) -> None:
        """Gets the files from FLAMBEAU_MIRROR."""
        if current_mirror() is None:
            raise ValueError("LFW dataset is no longer available for automatic download. Please download the dataset "
                             f"manually and put {', '.join(name for name, _ in self._files())} in {self.root}, the "
                             "archive also unpacked, or set FLAMBEAU_MIRROR to a folder or URL that has them.")
        for name, md5 in self._files():
            download_url(self.download_url_prefix + name, self.root, md5=md5)
        if not os.path.isdir(self.images_dir):
            extract_archive(os.path.join(self.root, self.filename))

    def _lines(self, name: str) -> list[list[str]]:
        return [line.strip().split("\t") for line in Path(self.root, name).read_text().splitlines()]

    def _get_path(self, identity: str, no: int | str) -> str:
        return os.path.join(self.images_dir, identity, f"{identity}_{int(no):04d}.jpg")

    def extra_repr(self) -> str:
        return f"Alignment: {self.image_set}\nSplit: {self.split}"

    def __len__(self) -> int:
        return len(self.data)


class LFWPeople(_LFW, FileImages):
    __doc__ = f"""Faces with the number of the person. data: paths; targets: numbers; class_to_idx: name -> number.

    {_LFW.__doc__}"""

    def __init__(self, root: str | Path, split: str = "10fold", image_set: str = "funneled",
                 transform: Callable | None = None, target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, split, image_set, "people", transform, target_transform, download)
        self.loader = loader
        self.class_to_idx = {line[0].split()[0]: k for k, line in enumerate(self._lines(self.names))}
        self.data, self.targets = self._get_people()

    def _get_people(self) -> tuple[list[str], list[int]]:
        """The file has the number of folds (for ten folds only), then for each fold its length and its lines."""
        lines = iter(self._lines(self.labels_file))
        people = []
        for _ in range(int(next(lines)[0]) if self.split == "10fold" else 1):
            people += [next(lines) for _ in range(int(next(lines)[0]))]
        images = [(name, number) for name, count in people for number in range(1, int(count) + 1)]
        return ([self._get_path(name, number) for name, number in images],
                [self.class_to_idx[name] for name, _ in images])

    def _sample(self, index: int) -> tuple[str, int]:
        return self.data[index], self.targets[index]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}\nClasses (identities): {len(self.class_to_idx)}"


class LFWPairs(_LFW):
    __doc__ = f"""Pairs of faces: (image, image, 1 for the same person or 0). pair_names, data: names and paths.

    {_LFW.__doc__}"""

    def __init__(self, root: str | Path, split: str = "10fold", image_set: str = "funneled",
                 transform: Callable | None = None, target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, split, image_set, "pairs", transform, target_transform, download)
        self.loader = loader
        self.pair_names, self.data, self.targets = self._get_pairs()

    def _get_pairs(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[int]]:
        """The file has [the number of folds and] the number of pairs, then for each fold as many lines `name a b` of
        the same person, then as many `name a other b`."""
        first, *lines = self._lines(self.labels_file)
        count = int(first[-1])
        folds = int(first[0]) if self.split == "10fold" else 1
        names, paths, targets = [], [], []
        for k, line in enumerate(lines[:2 * count * folds]):
            same = k // count % 2 == 0
            one, a, *other = line
            two, b = (one, other[0]) if same else other
            names.append((one, two))
            paths.append((self._get_path(one, a), self._get_path(two, b)))
            targets.append(int(same))
        return names, paths, targets

    def __getitem__(self, index: int) -> tuple[Any, Any, int]:
        """(image, image, target), each through its transform."""
        images = [self.loader(path) for path in self.data[index]]
        if self.transform is not None:
            images = [self.transform(image) for image in images]
        target = self.targets[index]
        return images[0], images[1], target if self.target_transform is None else self.target_transform(target)
