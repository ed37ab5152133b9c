"""Imagenette: ten easy classes of ImageNet (Howard 2019)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader
from .folder import find_classes, make_dataset
from .utils import NOT_FOUND, obtain, verify_str_arg

_URL = "https://s3.amazonaws.com/fast-ai-imageclas/"


class Imagenette(FileImages):
    """Photos; split "train" (9,469) or "val" (3,925); size "full", "320px" or "160px" (the shorter side).

    classes: tuples of names; class_to_idx: name -> class; wnids, wnid_to_idx: the same for WordNet's identifiers.
    Files: `root/imagenette2[-SIZE]/SPLIT/WNID`. loader: reads a path. Errors: RuntimeError if the folder is missing.
    """

    _ARCHIVES = {"full": (_URL + "imagenette2.tgz", "fe2fc210e6bb7c5664d602c3cd71e612"),
                 "320px": (_URL + "imagenette2-320.tgz", "3df6f0d01a2c9592104656642f5e78a3"),
                 "160px": (_URL + "imagenette2-160.tgz", "e793b78cc4c9e9a4ccc0c1155377a412")}
    _WNID_TO_CLASS = {"n01440764": ("tench", "Tinca tinca"),
                      "n02102040": ("English springer", "English springer spaniel"),
                      "n02979186": ("cassette player",), "n03000684": ("chain saw", "chainsaw"),
                      "n03028079": ("church", "church building"), "n03394916": ("French horn", "horn"),
                      "n03417042": ("garbage truck", "dustcart"),
                      "n03425413": ("gas pump", "gasoline pump", "petrol pump", "island dispenser"),
                      "n03445777": ("golf ball",), "n03888257": ("parachute", "chute")}

    def __init__(self, root: str | Path, split: str = "train", size: str = "full", download: bool = False,
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self._split = verify_str_arg(split, "split", ["train", "val"])
        self._size = verify_str_arg(size, "size", ["full", "320px", "160px"])
        url, md5 = self._ARCHIVES[size]
        folder = Path(self.root) / Path(url).stem
        obtain([folder], [(url, md5)], self.root, download, NOT_FOUND + ".")
        self.wnids, self.wnid_to_idx = find_classes(str(folder / split))
        self.classes = [self._WNID_TO_CLASS[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: k for wnid, k in self.wnid_to_idx.items() for name in self._WNID_TO_CLASS[wnid]}
        self._samples = make_dataset(str(folder / split), self.wnid_to_idx, extensions=".jpeg")

    def _sample(self, index: int) -> tuple[str, int]:
        return self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)
