"""CelebA: faces of celebrities with 40 attributes (Liu et al. 2015)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

import flambeau as torch

from ._files import FileImages, open_image
from .utils import (DAMAGED, check_integrity, download_file_from_google_drive, extract_archive, not_found,
                    provide_from_mirror, verify_str_arg)

_SPLITS = {"train": 0, "valid": 1, "test": 2, "all": None}


class CSV(NamedTuple):
    """A table of whole numbers: names of the columns, of the rows, and an int64 tensor."""

    header: list[str]
    index: list[str]
    data: Any


class CelebA(FileImages):
    """202,599 images of 178×218; split "train" (162,770), "valid" (19,867), "test" (19,962) or "all".

    target_type: "attr" (int64 tensor (40,) of 0 and 1), "identity" (a person's number), "bbox" (x, y, width, height),
    "landmarks" (five points, x and y), a list of these for a tuple, or an empty one for None.
    attr, identity, bbox, landmarks_align: int64 tensors, a row for each image; attr_names; filename: names.
    Files: `root/celeba/{img_align_celeba/,list_attr_celeba.txt,…}`.
    Errors: RuntimeError if one is missing or damaged; ValueError for an unknown split or type of target.
    """

    base_folder = "celeba"
    file_list = [  # (file on Google Drive, MD5, name)
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2", "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16", "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c", "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt")]

    def __init__(self, root: str | Path, split: str = "train", target_type: list[str] | str = "attr",
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = open_image
        self.split = split
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        if not self.target_type and self.target_transform is not None:
            raise RuntimeError("target_transform is specified but target_type is empty")
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, self._wrong(), "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html")
        wanted = _SPLITS[verify_str_arg(split.lower() if isinstance(split, str) else split, "split", tuple(_SPLITS))]
        splits = self._load_csv("list_eval_partition.txt")
        rows = np.flatnonzero((splits.data[:, 0].numpy() == wanted) | (wanted is None))
        attributes = self._load_csv("list_attr_celeba.txt", header=1)
        self.filename = [splits.index[row] for row in rows]
        self.identity = self._load_csv("identity_CelebA.txt").data[rows]
        self.bbox = self._load_csv("list_bbox_celeba.txt", header=1).data[rows]
        self.landmarks_align = self._load_csv("list_landmarks_align_celeba.txt", header=1).data[rows]
        self.attr = torch.div(attributes.data[rows] + 1, 2, rounding_mode="floor")  # from -1 and 1
        self.attr_names = attributes.header

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _load_csv(self, filename: str, header: int | None = None) -> CSV:
        """A table whose fields are set off by blanks; `header` is the line of the columns' names."""
        with open(self._path(filename)) as file:
            rows = [line.split() for line in file]
        names = rows[header] if header is not None else []
        rows = rows[header + 1:] if header is not None else rows
        table = np.array([row[1:] for row in rows], dtype=np.int64)
        return CSV(names, [row[0] for row in rows], torch.from_numpy(table))

    def _wrong(self) -> list[str]:
        """What is missing or damaged; of archives, only what they hold is looked at."""
        wrong = [self._path(name) for _, md5, name in self.file_list
                 if not name.endswith(".zip") and not check_integrity(self._path(name), md5)]
        images = self._path("img_align_celeba")
        return wrong if os.path.isdir(images) else [*wrong, images]

    def _check_integrity(self) -> bool:
        return not self._wrong()

    def download(self) -> None:
        """Downloads the tables and the images, unless all are there."""
        if self._check_integrity():
            return
        images = provide_from_mirror(self.root, [f"{self.base_folder}/img_align_celeba"])
        for file_id, md5, name in self.file_list:
            if not (images and name.endswith(".zip")):
                download_file_from_google_drive(file_id, self._path(""), name, md5)
        if not images:
            extract_archive(self._path("img_align_celeba.zip"))

    def _sample(self, index: int) -> tuple[str, Any]:
        targets = [self._target(kind, index) for kind in self.target_type]
        target = tuple(targets) if len(targets) > 1 else targets[0] if targets else None
        return self._path(os.path.join("img_align_celeba", self.filename[index])), target

    def _target(self, kind: str, index: int) -> Any:
        if kind == "identity":
            return self.identity[index, 0]
        tables = {"attr": self.attr, "bbox": self.bbox, "landmarks": self.landmarks_align}
        if kind not in tables:
            raise ValueError(f'Target type "{kind}" is not recognized.')
        return tables[kind][index, :]

    def __len__(self) -> int:
        return len(self.attr)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}\nSplit: {self.split}"
