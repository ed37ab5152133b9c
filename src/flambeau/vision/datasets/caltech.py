"""Caltech-101 and Caltech-256: photos of objects (Fei-Fei, Fergus and Perona 2004; Griffin, Holub and Perona 2007)."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, open_image
from ._matfile import load_mat
from .utils import DAMAGED, download_and_extract_archive, extract_archive, obtain, provide_from_mirror, verify_str_arg

# Classes whose folder of outlines has another name than their folder of images
_OUTLINES = {"Faces": "Faces_2", "Faces_easy": "Faces_3", "Motorbikes": "Motorbikes_16",
             "airplanes": "Airplanes_Side_2"}


class _Caltech(FileImages):
    """categories: names, sorted; y: the class of each image; index: its number within the class, from 1."""

    def __init__(self, root: str | Path, transform: Callable | None, target_transform: Callable | None) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        os.makedirs(self.root, exist_ok=True)
        self.loader = open_image
        self.categories: list[str] = []
        self.index: list[int] = []
        self.y: list[int] = []

    def _number(self, images: Callable[[str], int]) -> None:
        """Numbers the images; `images(category)` counts them."""
        for k, category in enumerate(self.categories):
            count = images(category)
            self.index.extend(range(1, count + 1))
            self.y.extend(count * [k])

    def __len__(self) -> int:
        return len(self.index)


class Caltech101(_Caltech):
    """Caltech-101: 8,677 images of about 300×200 in 101 classes, in `root/caltech101/101_ObjectCategories/CLASS`.

    target_type: "category" (the class), "annotation" (the outline, an array (2, points) from
    `root/caltech101/Annotations`), or a list of these for a tuple. Errors: RuntimeError if the folder is missing.
    """

    def __init__(self, root: str | Path, target_type: list[str] | str = "category", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(os.path.join(root, "caltech101"), transform, target_transform)
        types = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [verify_str_arg(kind, "target_type", ("category", "annotation")) for kind in types]
        if download:
            self.download()
        obtain([self._images], [(self._URL, None)], self.root, False, DAMAGED)
        self.categories = sorted(os.listdir(self._images))
        self.categories.remove("BACKGROUND_Google")  # pictures of anything
        self.annotation_categories = [_OUTLINES.get(name, name) for name in self.categories]
        self._number(lambda category: len(os.listdir(os.path.join(self._images, category))))

    _URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"

    @property
    def _images(self) -> str:
        return os.path.join(self.root, "101_ObjectCategories")

    def _sample(self, index: int) -> tuple[str, Any]:
        y, number = self.y[index], self.index[index]
        targets: list[Any] = []
        for kind in self.target_type:
            if kind == "category":
                targets.append(y)
            else:
                file = f"annotation_{number:04d}.mat"
                path = os.path.join(self.root, "Annotations", self.annotation_categories[y], file)
                targets.append(load_mat(path)["obj_contour"])
        path = os.path.join(self._images, self.categories[y], f"image_{number:04d}.jpg")
        return path, tuple(targets) if len(targets) > 1 else targets[0]

    def _check_integrity(self) -> bool:
        return os.path.exists(self._images)

    def download(self) -> None:
        """Downloads the archive, which holds an archive of images and one of outlines, and unpacks all."""
        if self._check_integrity() or provide_from_mirror(
                os.path.dirname(self.root), ["caltech101/Annotations", "caltech101/101_ObjectCategories"]):
            return
        download_and_extract_archive(self._URL, self.root, filename="caltech-101.zip",
                                     md5="3138e1922a9193bfa496528edbbc45d0", remove_finished=True)
        inner = os.path.join(self.root, "caltech-101")
        # what the class looks for comes last, so that a set that was cut short is not taken for whole
        for name in sorted(os.listdir(inner), key=lambda name: name.startswith("101_")):
            if name.endswith((".gz", ".tar")):
                extract_archive(os.path.join(inner, name), self.root)
        shutil.rmtree(inner)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}"


class Caltech256(_Caltech):
    """Caltech-256: 30,607 images in 256 classes and one of clutter, in `root/caltech256/256_ObjectCategories/CLASS`.

    Errors: RuntimeError if the folder is missing.
    """

    def __init__(self, root: str | Path, transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False) -> None:
        super().__init__(os.path.join(root, "caltech256"), transform, target_transform)
        if download:
            self.download()
        obtain([self._images], [(self._URL, None)], self.root, False, DAMAGED)
        self.categories = sorted(os.listdir(self._images))
        self._number(lambda category: sum(name.endswith(".jpg")
                                          for name in os.listdir(os.path.join(self._images, category))))

    _URL = "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar"

    @property
    def _images(self) -> str:
        return os.path.join(self.root, "256_ObjectCategories")

    def _sample(self, index: int) -> tuple[str, int]:
        y = self.y[index]
        return os.path.join(self._images, self.categories[y], f"{y + 1:03d}_{self.index[index]:04d}.jpg"), y

    def _check_integrity(self) -> bool:
        return os.path.exists(self._images)

    def download(self) -> None:
        """Downloads and unpacks the archive, unless the folder is there."""
        obtain([self._images], [(self._URL, "67b4f42ca05d46448c6bb8ecd2220f6d")], self.root, True, DAMAGED,
               os.path.dirname(self.root))
