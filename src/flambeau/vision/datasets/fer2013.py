"""FER2013: faces by their expression, 48×48 grey (Goodfellow et al. 2013)."""
from __future__ import annotations

import csv
import pathlib
from typing import Callable

import numpy as np

from ._arrays import ArrayImages
from .utils import check_integrity, verify_str_arg


class FER2013(ArrayImages):
    """split "train" (28,709 images) or "test" (7,178); the expression from 0 to 6, or None where the file has none.

    Files, from Kaggle by hand: `root/fer2013/fer2013.csv`, else `icml_face_data.csv`, else `train.csv` or `test.csv`.
    Errors: RuntimeError if it is missing or has the wrong hash.
    """

    _RESOURCES = {"train": ("train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"),
                  "test": ("test.csv", "b02c2298636a634e8c2faabbf3ea9a23"),
                  "fer": ("fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"),
                  "icml": ("icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d")}

    def __init__(self, root: str | pathlib.Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None) -> None:
        self._split = verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        folder = pathlib.Path(self.root) / "fer2013"
        kind = next((kind for kind in ("fer", "icml") if (folder / self._RESOURCES[kind][0]).exists()), split)
        name, md5 = self._RESOURCES[kind]
        if not check_integrity(str(folder / name), md5=md5):
            raise RuntimeError(f"{name} not found in {folder} or corrupted. You can download it from "
                               "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
                               "recognition-challenge")
        self._faces, self._labels = self._read(folder / name, kind)

    def _read(self, path: pathlib.Path, kind: str) -> tuple[np.ndarray, list[int | None]]:
        blank = " " if kind == "icml" else ""  # before the names of its columns
        usages = ("Training",) if self._split == "train" else ("PublicTest", "PrivateTest")
        with open(path, newline="") as file:
            rows = [row for row in csv.DictReader(file)
                    if kind not in ("fer", "icml") or row[blank + "Usage"] in usages]
        faces = np.array([row[blank + "pixels"].split() for row in rows], dtype="S3").astype(np.uint8)
        return faces.reshape(-1, 48, 48), [int(row["emotion"]) if "emotion" in row else None for row in rows]

    @property
    def _pixels(self) -> np.ndarray:
        return self._faces

    def _target(self, index: int) -> int | None:
        return self._labels[index]

    def extra_repr(self) -> str:
        return f"split={self._split}"
