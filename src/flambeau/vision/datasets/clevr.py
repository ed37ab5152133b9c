"""CLEVR: rendered scenes, by the number of objects (Johnson et al. 2017)."""
from __future__ import annotations

import json
import pathlib
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from .utils import DAMAGED, obtain, verify_str_arg


class CLEVRClassification(LabelledFiles):
    """Images of 480×320; split "train" (70,000), "val" (15,000) or "test" (15,000, whose target is None).

    Files: `root/clevr/CLEVR_v1.0/{images,scenes}`. loader: reads a path. Errors: RuntimeError if the folder is missing.
    """

    _URL = "https://dl.fbaipublicfiles.com/clevr/CLEVR_v1.0.zip"
    _MD5 = "b11922020e72d0cd9154779b2d3d07d2"

    def __init__(self, root: str | pathlib.Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] = default_loader) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root, transform, target_transform, loader)
        base = pathlib.Path(self.root) / "clevr"
        folder = base / "CLEVR_v1.0"
        obtain([folder], [(self._URL, self._MD5)], base, download, DAMAGED, self.root)
        self._image_files = sorted((folder / "images" / split).glob("*"))
        self._labels: list[Any] = [None] * len(self._image_files)
        if split != "test":
            scenes = json.loads((folder / "scenes" / f"CLEVR_{split}_scenes.json").read_text())["scenes"]
            counts = {scene["image_filename"]: len(scene["objects"]) for scene in scenes}
            self._labels = [counts[path.name] for path in self._image_files]

    def extra_repr(self) -> str:
        return f"split={self._split}"
