"""SUN397: photos of scenes (Xiao et al. 2010)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from .utils import obtain


class SUN397(LabelledFiles):
    """108,754 images in 397 classes. classes, class_to_idx: names. Files: `root/SUN397`. loader: reads a path.

    Errors: RuntimeError if the folder is missing.
    """

    _DATASET_URL = "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz"
    _DATASET_MD5 = "8ca2778205c41d23104230ba66911c7a"

    def __init__(self, root: str | Path, transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False, loader: Callable[[Any], Any] = default_loader) -> None:
        super().__init__(root, transform, target_transform, loader)
        folder = Path(self.root) / "SUN397"
        obtain([folder], [(self._DATASET_URL, self._DATASET_MD5)], self.root, download)
        # a line is /LETTER/CLASS
        self.classes = [line[3:].strip() for line in (folder / "ClassName.txt").read_text().splitlines()]
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        self._image_files = list(folder.rglob("sun_*.jpg"))
        self._labels = [self.class_to_idx["/".join(path.relative_to(folder).parts[1:-1])]
                        for path in self._image_files]
