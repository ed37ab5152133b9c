"""GTSRB: German traffic signs (Stallkamp et al. 2012)."""
from __future__ import annotations

import csv
import pathlib
from typing import Callable

from ._files import FileImages, pil_loader
from .folder import make_dataset
from .utils import obtain, verify_str_arg


class GTSRB(FileImages):
    """Photos of 15×15 to 250×250 in 43 classes; split "train" (26,640 images) or "test" (12,630).

    Files: `root/gtsrb/GTSRB/{Training,Final_Test/Images}` and, for the test, `root/gtsrb/GT-final_test.csv`.
    Errors: RuntimeError if the folder is missing.
    """

    _URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    _ARCHIVES = {"train": [(_URL + "GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478")],
                 "test": [(_URL + "GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
                          (_URL + "GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185")]}

    def __init__(self, root: str | pathlib.Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = pil_loader
        self._split = verify_str_arg(split, "split", ("train", "test"))
        base = pathlib.Path(self.root) / "gtsrb"
        if split == "train":
            folder = base / "GTSRB" / "Training"
            obtain([folder], self._ARCHIVES[split], base, download, root=self.root)
            self._samples = make_dataset(str(folder), extensions=(".ppm",))
        else:
            folder = base / "GTSRB" / "Final_Test" / "Images"
            obtain([folder, base / "GT-final_test.csv"], self._ARCHIVES[split], base, download, root=self.root)
            with open(base / "GT-final_test.csv", newline="") as file:
                self._samples = [(str(folder / row["Filename"]), int(row["ClassId"]))
                                 for row in csv.DictReader(file, delimiter=";", skipinitialspace=True)]

    def _sample(self, index: int) -> tuple[str, int]:
        return self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)
