"""Stanford cars: photos of 196 models (Krause et al. 2013)."""
from __future__ import annotations

import pathlib
from typing import Any, Callable

from ._files import FileImages, default_loader
from ._matfile import load_mat
from .utils import not_found, verify_str_arg


class StanfordCars(FileImages):
    """split "train" (8,144 images) or "test" (8,041). classes, class_to_idx: names.

    Files, which nobody offers for automatic download any more: `root/stanford_cars/{devkit,cars_train,cars_test}` and
    `root/stanford_cars/cars_test_annos_withlabels.mat`. loader: reads a path. Errors: RuntimeError if one is missing.
    """

    def __init__(self, root: str | pathlib.Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self._split = verify_str_arg(split, "split", ("train", "test"))
        base = pathlib.Path(self.root) / "stanford_cars"
        devkit, images = base / "devkit", base / f"cars_{split}"
        notes = devkit / "cars_train_annos.mat" if split == "train" else base / "cars_test_annos_withlabels.mat"
        if download:
            self.download()
        missing = [path for path in (devkit, notes, images) if not path.exists()]
        if missing:
            raise not_found("Dataset not found.", missing, "https://github.com/pytorch/vision/issues/7545")
        table = load_mat(notes)["annotations"]
        self._samples = [(str(images / name), int(label.item()) - 1)
                         for name, label in zip(table["fname"].ravel(), table["class"].ravel())]
        self.classes = load_mat(devkit / "cars_meta.mat")["class_names"].ravel().tolist()
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}

    def _sample(self, index: int) -> tuple[str, int]:
        return self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)

    def download(self) -> None:
        """ValueError: the address is gone."""
        raise ValueError("The original URL is broken so the StanfordCars dataset cannot be downloaded anymore.")
