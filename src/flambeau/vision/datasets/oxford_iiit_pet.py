"""Oxford-IIIT pets: photos of cats and dogs of 37 breeds, with their outlines (Parkhi et al. 2012)."""
from __future__ import annotations

import pathlib
from typing import Any, Callable, Sequence

from ._files import PairedFiles, open_image, pil_loader
from .utils import obtain, verify_str_arg


class OxfordIIITPet(PairedFiles):
    """7,349 images; split "trainval" (3,680) or "test" (3,669).

    target_types: "category" (the breed), "binary-category" (0 cat, 1 dog), "segmentation" (a PIL image: 1 animal,
    2 background, 3 border), a list of these for a tuple, or an empty one for None.
    classes, class_to_idx, bin_classes, bin_class_to_idx: names and numbers. transforms: takes (image, target).
    Files: `root/oxford-iiit-pet/{images,annotations}`. Errors: RuntimeError if a folder is missing.
    """

    _RESOURCES = (("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
                  ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
                   "95a8c909bbe2e81eed6a22bccdf3f68f"))
    _VALID_TARGET_TYPES = ("category", "binary-category", "segmentation")

    def __init__(self, root: str | pathlib.Path, split: str = "trainval",
                 target_types: Sequence[str] | str = "category", transforms: Callable | None = None,
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False) -> None:
        self._split = verify_str_arg(split, "split", ("trainval", "test"))
        types = [target_types] if isinstance(target_types, str) else target_types
        self._target_types = [verify_str_arg(kind, "target_types", self._VALID_TARGET_TYPES) for kind in types]
        super().__init__(root, transforms, transform, target_transform)
        base = pathlib.Path(self.root) / "oxford-iiit-pet"
        obtain([base / "images", base / "annotations"], self._RESOURCES, base, download, root=self.root)
        rows = [line.split() for line in (base / "annotations" / f"{split}.txt").read_text().splitlines()]
        names = [row[0] for row in rows]
        self._labels = [int(row[1]) - 1 for row in rows]
        self._bin_labels = [int(row[2]) - 1 for row in rows]
        self._images = [base / "images" / f"{name}.jpg" for name in names]
        self._segs = [base / "annotations" / "trimaps" / f"{name}.png" for name in names]
        self.bin_classes = ["Cat", "Dog"]
        breeds = {(label, name.rsplit("_", 1)[0]) for label, name in zip(self._labels, names)}
        self.classes = [" ".join(word.title() for word in breed.split("_")) for _, breed in sorted(breeds)]
        self.bin_class_to_idx = {name: k for k, name in enumerate(self.bin_classes)}
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self._images)

    def _load(self, index: int) -> tuple[Any, Any]:
        targets = [self._labels[index] if kind == "category" else
                   self._bin_labels[index] if kind == "binary-category" else open_image(self._segs[index])
                   for kind in self._target_types]
        target = tuple(targets) if len(targets) > 1 else targets[0] if targets else None
        return pil_loader(self._images[index]), target
