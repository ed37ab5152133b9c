"""WIDER FACE: photos with boxes of faces (Yang et al. 2016)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

import flambeau as torch

from ._files import FileImages, open_image
from .utils import (download_and_extract_archive, download_file_from_google_drive, extract_archive, not_found,
                    provide_from_mirror, verify_str_arg)

_FIELDS = {"bbox": slice(0, 4), "blur": 4, "expression": 5, "illumination": 6, "occlusion": 7, "pose": 8, "invalid": 9}


class WIDERFace(FileImages):
    """split "train" (12,876 images), "val" (3,226) or "test" (16,097, whose target is None).

    The target is a dict of int64 Tensors, a row for each face: bbox (x, y, width, height), blur, expression,
    illumination, occlusion, pose, invalid. img_info: path and target of each image.
    Files: `root/widerface/{WIDER_train,WIDER_val,WIDER_test,wider_face_split}`.
    Errors: RuntimeError if a folder is missing.
    """

    BASE_FOLDER = "widerface"
    FILE_LIST = [  # (file on Google Drive, MD5, name)
        ("15hGDLhsx8bLgLcIRD5DhYt5iBxnjNF1M", "3fedf70df600953d25982bcd13d91ba2", "WIDER_train.zip"),
        ("1GUCogbp16PMGa39thoMMeWxp7Rp5oM8Q", "dfa7d7e790efa35df3788964cf0bbaea", "WIDER_val.zip"),
        ("1HIfDbVEWKmsYKJZm4lchTBDLW5N7dY5T", "e5d8f4248ed24c334bbd12f49c29dd40", "WIDER_test.zip")]
    ANNOTATIONS_FILE = ("http://shuoyang1213.me/WIDERFACE/support/bbx_annotation/wider_face_split.zip",
                        "0e3767bcf0e326556d407bf5bff5d27c", "wider_face_split.zip")

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(os.path.join(root, self.BASE_FOLDER), transform=transform, target_transform=target_transform)
        self.loader = open_image
        self.split = verify_str_arg(split, "split", ("train", "val", "test"))
        if download:
            self.download()
        if self._missing():
            raise not_found("Dataset not found or corrupted. You can use download=True to download and prepare it",
                            self._missing(), self.ANNOTATIONS_FILE[0] + " and Google Drive")
        lists = Path(self.root, "wider_face_split")
        if split == "test":
            names = (lists / "wider_face_test_filelist.txt").read_text().splitlines()
            self.img_info: list[dict[str, Any]] = [{"img_path": self._image_path(name)} for name in names]
        else:
            self.img_info = list(self._read(lists / f"wider_face_{split}_bbx_gt.txt"))

    def _image_path(self, name: str) -> str:
        return os.path.abspath(os.path.join(self.root, f"WIDER_{self.split}", "images", name.rstrip()))

    def _read(self, path: Path) -> Any:
        """The name of an image, the number of faces, a line of numbers for each (one of zeros if there are none)."""
        lines = iter(path.read_text().splitlines())
        for name in lines:
            count = max(1, int(next(lines)))
            table = torch.from_numpy(np.array([next(lines).split() for _ in range(count)], dtype=np.int64))
            yield {"img_path": self._image_path(name),
                   "annotations": {field: table[:, columns].clone() for field, columns in _FIELDS.items()}}

    def _sample(self, index: int) -> tuple[str, Any]:
        entry = self.img_info[index]
        return entry["img_path"], entry.get("annotations")

    def __len__(self) -> int:
        return len(self.img_info)

    def _missing(self) -> list[str]:
        archives = [name for *_, name in [*self.FILE_LIST, self.ANNOTATIONS_FILE]]
        folders = [os.path.join(self.root, os.path.splitext(name)[0]) for name in archives]
        return [folder for folder in folders if not os.path.exists(folder)]

    def download(self) -> None:
        """Downloads and unpacks what is missing."""
        missing = [os.path.basename(folder) for folder in self._missing()]
        if not missing or provide_from_mirror(os.path.dirname(self.root), [f"{self.BASE_FOLDER}/{name}"
                                                                           for name in missing]):
            return
        for file_id, md5, name in self.FILE_LIST:
            if os.path.splitext(name)[0] in missing:
                download_file_from_google_drive(file_id, self.root, name, md5)
                extract_archive(os.path.join(self.root, name))
        download_and_extract_archive(self.ANNOTATIONS_FILE[0], self.root, md5=self.ANNOTATIONS_FILE[1])

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
