"""FGVC-Aircraft: photos of aircraft by variant, family or manufacturer (Maji et al. 2013)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from .utils import obtain, verify_str_arg

_LISTS = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}


class FGVCAircraft(LabelledFiles):
    """10,000 images; split "train", "val", "trainval" or "test"; annotation_level "variant" (100 classes), "family"
    (70) or "manufacturer" (41). classes, class_to_idx: names.

    Files: `root/fgvc-aircraft-2013b/data`. loader: reads a path. Errors: RuntimeError if the folder is missing.
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"

    def __init__(self, root: str | Path, split: str = "trainval", annotation_level: str = "variant",
                 transform: Callable | None = None, target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = verify_str_arg(split, "split", ("train", "val", "trainval", "test"))
        self._annotation_level = verify_str_arg(annotation_level, "annotation_level", tuple(_LISTS))
        self._data_path = os.path.join(self.root, "fgvc-aircraft-2013b")
        obtain([self._data_path], [(self._URL, None)], self.root, download)
        data = Path(self._data_path, "data")
        self.classes = [line.strip() for line in (data / _LISTS[annotation_level]).read_text().splitlines()]
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        lines = (data / f"images_{annotation_level}_{split}.txt").read_text().splitlines()
        rows = [line.strip().split(" ", 1) for line in lines]
        self._image_files = [str(data / "images" / f"{image}.jpg") for image, _ in rows]
        self._labels = [self.class_to_idx[name] for _, name in rows]
