"""DTD: describable textures (Cimpoi et al. 2014)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from .utils import obtain, verify_str_arg


class DTD(LabelledFiles):
    """5,640 images in 47 classes; split "train", "val" or "test" of one of ten partitions, 1,880 images each.

    classes, class_to_idx: names. Files: `root/dtd/dtd/{images,labels}`. loader: reads a path.
    Errors: RuntimeError if the folder is missing; ValueError for another split or partition.
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(self, root: str | Path, split: str = "train", partition: int = 1, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] = default_loader) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueError("Parameter 'partition' should be an integer with `1 <= partition <= 10`, but got "
                             f"{partition} instead")
        self._partition = partition
        super().__init__(root, transform, target_transform, loader)
        base = Path(self.root) / "dtd"
        folder = base / "dtd"
        obtain([folder], [(self._URL, self._MD5)], base, download, root=self.root)
        files = (folder / "labels" / f"{split}{partition}.txt").read_text().split()
        names = [file.split("/")[0] for file in files]
        self.classes = sorted(set(names))
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        self._labels = [self.class_to_idx[name] for name in names]
        self._image_files = [folder / "images" / file for file in files]

    def extra_repr(self) -> str:
        return f"split={self._split}, partition={self._partition}"
