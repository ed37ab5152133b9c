"""SBD: outlines of the objects in Pascal VOC's photos (Hariharan et al. 2011)."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ._files import PairedFiles, pil_loader
from ._matfile import load_mat
from .utils import (DAMAGED, download_and_extract_archive, download_url, not_found, verify_str_arg)


class SBDataset(PairedFiles):
    """11,355 photos; image_set "train" (8,498), "val" (2,857) or "train_noval" (5,623, none of VOC 2012's val).

    mode "boundaries": the target is an array (20, H, W) of the classes' outlines; "segmentation": a PIL image of
    classes. images, masks: paths. transforms: takes (image, target).
    Files: `root/{img,cls,train.txt,val.txt,train_noval.txt}`. Errors: RuntimeError if the folder is missing.
    """

    url = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"
    md5 = "82b4d87ceb2ed10f6038a1cba92111cb"
    filename = "benchmark.tgz"
    voc_train_url = "https://www.cs.cornell.edu/~bharathh/train_noval.txt"
    voc_split_filename = "train_noval.txt"
    voc_split_md5 = "79bff800c5f0b1ec6b21080a3c066722"

    def __init__(self, root: str | Path, image_set: str = "train", mode: str = "boundaries", download: bool = False,
                 transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        self.image_set = verify_str_arg(image_set, "image_set", ("train", "val", "train_noval"))
        self.mode = verify_str_arg(mode, "mode", ("segmentation", "boundaries"))
        self.num_classes = 20
        if download:
            self.download()
        if not os.path.isdir(self.root):
            raise not_found(DAMAGED, [self.root], self.url)
        names = [line.strip() for line in Path(self.root, image_set + ".txt").read_text().splitlines()]
        self.images = [os.path.join(self.root, "img", name + ".jpg") for name in names]
        self.masks = [os.path.join(self.root, "cls", name + ".mat") for name in names]

    def download(self) -> None:
        """Downloads and unpacks what is missing."""
        if not os.path.isdir(os.path.join(self.root, "img")):
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.md5)
            unpacked = os.path.join(self.root, "benchmark_RELEASE", "dataset")
            for name in ("cls", "inst", "train.txt", "val.txt", "img"):
                shutil.move(os.path.join(unpacked, name), self.root)
        if self.image_set == "train_noval":
            download_url(self.voc_train_url, self.root, self.voc_split_filename, self.voc_split_md5)

    def _load(self, index: int) -> tuple[Any, Any]:
        return pil_loader(self.images[index]), self._target(load_mat(self.masks[index])["GTcls"])

    def _target(self, truth: dict[str, np.ndarray]) -> Any:
        if self.mode == "segmentation":
            from PIL import Image

            return Image.fromarray(truth["Segmentation"].item())
        return np.stack(truth["Boundaries"].item().ravel()[:self.num_classes].tolist())

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        return f"Image set: {self.image_set}\nMode: {self.mode}"
