"""KITTI: photos from a car, with boxes of traffic in two and three dimensions (Geiger, Lenz and Urtasun 2012)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import PairedFiles, open_image
from .utils import obtain


class Kitti(PairedFiles):
    """7,481 training images, whose target is a list of dicts (type, truncated, occluded, alpha, bbox, dimensions,
    location, rotation_y), or 7,518 test images, whose target is None.

    images, targets: paths. transforms: takes (image, target).
    Files: `root/Kitti/raw/{training,testing}/{image,label}_2`. Errors: RuntimeError if a folder is missing.
    """

    data_url = "https://s3.eu-central-1.amazonaws.com/avg-kitti/"
    resources = ["data_object_image_2.zip", "data_object_label_2.zip"]
    image_dir_name = "image_2"
    labels_dir_name = "label_2"

    def __init__(self, root: str | Path, train: bool = True, transform: Callable | None = None,
                 target_transform: Callable | None = None, transforms: Callable | None = None,
                 download: bool = False) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.train = train
        folder = os.path.join(self._raw_folder, "training" if train else "testing")
        images, labels = os.path.join(folder, self.image_dir_name), os.path.join(folder, self.labels_dir_name)
        obtain([images, labels] if train else [images], [(self.data_url + name, None) for name in self.resources],
               self._raw_folder, download, "Dataset not found. You may use download=True to download it.", self.root)
        names = os.listdir(images)
        self.images = [os.path.join(images, name) for name in names]
        self.targets = [os.path.join(labels, name.split(".")[0] + ".txt") for name in names] if train else []

    @property
    def _raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    def _load(self, index: int) -> tuple[Any, Any]:
        return open_image(self.images[index]), self._parse_target(index) if self.train else None

    def _parse_target(self, index: int) -> list[dict[str, Any]]:
        rows = [line.split() for line in Path(self.targets[index]).read_text().splitlines()]
        return [{"type": row[0], "truncated": float(row[1]), "occluded": int(row[2]), "alpha": float(row[3]),
                 "bbox": [float(x) for x in row[4:8]], "dimensions": [float(x) for x in row[8:11]],
                 "location": [float(x) for x in row[11:14]], "rotation_y": float(row[14])} for row in rows]

    def __len__(self) -> int:
        return len(self.images)
