"""Food-101: photos of 101 dishes (Bossard, Guillaumin and Van Gool 2014)."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from .utils import obtain, verify_str_arg


class Food101(LabelledFiles):
    """101,000 images; split "train" (75,750, partly mislabelled) or "test" (25,250). classes, class_to_idx: names.

    Files: `root/food-101/{images,meta}`. loader: reads a path. Errors: RuntimeError if a folder is missing.
    """

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] = default_loader) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        base = Path(self.root) / "food-101"
        obtain([base / "meta", base / "images"], [(self._URL, self._MD5)], self.root, download)
        names = json.loads((base / "meta" / f"{split}.json").read_text())
        self.classes = sorted(names)
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        self._labels = [self.class_to_idx[name] for name, files in names.items() for _ in files]
        self._image_files = [base / "images" / f"{file}.jpg" for files in names.values() for file in files]

    def extra_repr(self) -> str:
        return f"split={self._split}"
