"""Places365: photos of scenes (Zhou et al. 2017)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader
from .utils import check_integrity, download_and_extract_archive, verify_str_arg


class Places365(FileImages):
    """Photos in 365 classes; split "train-standard" (1.8 million), "train-challenge" (8 million), "val" (36,500) or
    "test" (328,500, without classes). small: 256×256 instead of the large ones.

    classes, class_to_idx: names; imgs: (path, class) of each image; targets: the classes.
    Files: `root/{categories_places365.txt,places365_*.txt}` and `root/{data,val,test}_{256,large}[_standard,…]`.
    Errors: RuntimeError if a list is missing or has the wrong hash.
    """

    _SPLITS = ("train-standard", "train-challenge", "val", "test")
    _BASE_URL = "http://data.csail.mit.edu/places/places365/"
    _DEVKIT_META = {"standard": ("filelist_places365-standard.tar", "35a0585fee1fa656440f3ab298f8479c"),
                    "challenge": ("filelist_places365-challenge.tar", "70a8307e459c3de41690a7c76c931734")}
    _CATEGORIES_META = ("categories_places365.txt", "06c963b85866bd0649f97cb43dd16673")
    _FILE_LIST_META = {"train-standard": ("places365_train_standard.txt", "30f37515461640559006b8329efbed1a"),
                       "train-challenge": ("places365_train_challenge.txt", "b2931dc997b8c33c27e7329c073a6b57"),
                       "val": ("places365_val.txt", "e9f2fd57bfd9d07630173f4e8708e4b1"),
                       "test": ("places365_test.txt", "2fce8233fe493576d724142e45d93653")}
    _IMAGES_META = {
        ("train-standard", False): ("train_large_places365standard.tar", "67e186b496a84c929568076ed01a8aa1"),
        ("train-challenge", False): ("train_large_places365challenge.tar", "605f18e68e510c82b958664ea134545f"),
        ("val", False): ("val_large.tar", "9b71c4993ad89d2d8bcbdc4aef38042f"),
        ("test", False): ("test_large.tar", "41a4b6b724b1d2cd862fb3871ed59913"),
        ("train-standard", True): ("train_256_places365standard.tar", "53ca1c756c3d1e7809517cc47c5561c5"),
        ("train-challenge", True): ("train_256_places365challenge.tar", "741915038a5e3471ec7332404dfb64ef"),
        ("val", True): ("val_256.tar", "e27b17d8d44f4af9a78502beb927f808"),
        ("test", True): ("test_256.tar", "f532f6ad7b582262a2ec8009075e186b")}

    def __init__(self, root: str | Path, split: str = "train-standard", small: bool = False, download: bool = False,
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self._SPLITS)
        self.small = small
        self.loader = loader
        self.classes, self.class_to_idx = self.load_categories(download)
        self.imgs, self.targets = self.load_file_list(download)
        if download:
            self.download_images()

    def _sample(self, index: int) -> tuple[str, int | None]:
        return self.imgs[index]

    def __len__(self) -> int:
        return len(self.imgs)

    @property
    def variant(self) -> str:
        """ "standard" or "challenge"."""
        return "challenge" if "challenge" in self.split else "standard"

    @property
    def images_dir(self) -> str:
        """Where the images of this split lie."""
        size = "256" if self.small else "large"
        train = self.split.startswith("train")
        return os.path.join(self.root, f"data_{size}_{self.variant}" if train else f"{self.split}_{size}")

    def _lines(self, meta: tuple[str, str], download: bool) -> list[list[str]]:
        """The words of each line of a list."""
        name, md5 = meta
        path = os.path.join(self.root, name)
        if not check_integrity(path, md5):
            if not download:
                raise RuntimeError(f"The file {path} does not exist or is corrupted. You can set download=True to "
                                   "download it.")
            self.download_devkit()
        return [line.split() for line in Path(path).read_text().splitlines()]

    def load_categories(self, download: bool = True) -> tuple[list[str], dict[str, int]]:
        """The names of the classes, sorted, and their numbers."""
        class_to_idx = {name: int(number) for name, number in self._lines(self._CATEGORIES_META, download)}
        return sorted(class_to_idx), class_to_idx

    def load_file_list(self, download: bool = True) -> tuple[list[tuple[str, int | None]], list[int | None]]:
        """(path, class) of each image, and the classes; None in the test set."""
        images = []
        for file, *label in self._lines(self._FILE_LIST_META[self.split], download):
            path = os.path.join(self.images_dir, *file.lstrip("/").split("/"))
            images.append((path, int(label[0]) if label else None))
        return images, [label for _, label in images]

    def download_devkit(self) -> None:
        """Downloads the lists."""
        name, md5 = self._DEVKIT_META[self.variant]
        contents = [self._CATEGORIES_META[0], self._FILE_LIST_META[self.split][0]]
        download_and_extract_archive(self._BASE_URL + name, self.root, md5=md5, contents=contents)

    def download_images(self) -> None:
        """Downloads the images, unless their folder is there."""
        if os.path.exists(self.images_dir):
            return
        name, md5 = self._IMAGES_META[self.split, self.small]
        download_and_extract_archive(self._BASE_URL + name, self.root, md5=md5,
                                     contents=[os.path.basename(self.images_dir)])
        if self.split.startswith("train") and not os.path.exists(self.images_dir):
            os.rename(self.images_dir.rsplit("_", 1)[0], self.images_dir)  # the archive leaves the variant out

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nSmall: {self.small}"
