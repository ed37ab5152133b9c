"""Cityscapes: street scenes with outlines of objects (Cordts et al. 2016)."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, NamedTuple

from ._files import PairedFiles, open_image, pil_loader
from .utils import extract_archive, iterable_to_str, verify_str_arg

_SUFFIXES = {"instance": "instanceIds.png", "semantic": "labelIds.png", "color": "color.png",
             "polygon": "polygons.json"}


class CityscapesClass(NamedTuple):
    """A class of pixels; train_id 255 and -1 are left out of training."""

    name: str
    id: int
    train_id: int
    category: str
    category_id: int
    has_instances: bool
    ignore_in_eval: bool
    color: tuple[int, int, int]


class Cityscapes(PairedFiles):
    """Photos of 2048×1024; mode "fine" (split "train", "val" or "test") or "coarse" ("train", "train_extra", "val").

    target_type: "instance", "semantic" or "color" (PIL images), "polygon" (the annotation's JSON), or a list of these
    for a tuple. images, targets: paths. transforms: takes (image, target).
    Files: `root/{leftImg8bit,gtFine,gtCoarse}/SPLIT/CITY`, or the archives they come in, which nobody may offer for
    download. Errors: RuntimeError if neither is there; ValueError for other splits, modes or types.
    """

    CityscapesClass = CityscapesClass
    classes = [CityscapesClass(*row) for row in (
        ("unlabeled", 0, 255, "void", 0, False, True, (0, 0, 0)),
        ("ego vehicle", 1, 255, "void", 0, False, True, (0, 0, 0)),
        ("rectification border", 2, 255, "void", 0, False, True, (0, 0, 0)),
        ("out of roi", 3, 255, "void", 0, False, True, (0, 0, 0)),
        ("static", 4, 255, "void", 0, False, True, (0, 0, 0)),
        ("dynamic", 5, 255, "void", 0, False, True, (111, 74, 0)),
        ("ground", 6, 255, "void", 0, False, True, (81, 0, 81)),
        ("road", 7, 0, "flat", 1, False, False, (128, 64, 128)),
        ("sidewalk", 8, 1, "flat", 1, False, False, (244, 35, 232)),
        ("parking", 9, 255, "flat", 1, False, True, (250, 170, 160)),
        ("rail track", 10, 255, "flat", 1, False, True, (230, 150, 140)),
        ("building", 11, 2, "construction", 2, False, False, (70, 70, 70)),
        ("wall", 12, 3, "construction", 2, False, False, (102, 102, 156)),
        ("fence", 13, 4, "construction", 2, False, False, (190, 153, 153)),
        ("guard rail", 14, 255, "construction", 2, False, True, (180, 165, 180)),
        ("bridge", 15, 255, "construction", 2, False, True, (150, 100, 100)),
        ("tunnel", 16, 255, "construction", 2, False, True, (150, 120, 90)),
        ("pole", 17, 5, "object", 3, False, False, (153, 153, 153)),
        ("polegroup", 18, 255, "object", 3, False, True, (153, 153, 153)),
        ("traffic light", 19, 6, "object", 3, False, False, (250, 170, 30)),
        ("traffic sign", 20, 7, "object", 3, False, False, (220, 220, 0)),
        ("vegetation", 21, 8, "nature", 4, False, False, (107, 142, 35)),
        ("terrain", 22, 9, "nature", 4, False, False, (152, 251, 152)),
        ("sky", 23, 10, "sky", 5, False, False, (70, 130, 180)),
        ("person", 24, 11, "human", 6, True, False, (220, 20, 60)),
        ("rider", 25, 12, "human", 6, True, False, (255, 0, 0)),
        ("car", 26, 13, "vehicle", 7, True, False, (0, 0, 142)),
        ("truck", 27, 14, "vehicle", 7, True, False, (0, 0, 70)),
        ("bus", 28, 15, "vehicle", 7, True, False, (0, 60, 100)),
        ("caravan", 29, 255, "vehicle", 7, True, True, (0, 0, 90)),
        ("trailer", 30, 255, "vehicle", 7, True, True, (0, 0, 110)),
        ("train", 31, 16, "vehicle", 7, True, False, (0, 80, 100)),
        ("motorcycle", 32, 17, "vehicle", 7, True, False, (0, 0, 230)),
        ("bicycle", 33, 18, "vehicle", 7, True, False, (119, 11, 32)),
        ("license plate", -1, -1, "vehicle", 7, False, True, (0, 0, 142)))]

    def __init__(self, root: str | Path, split: str = "train", mode: str = "fine",
                 target_type: list[str] | str = "instance", transform: Callable | None = None,
                 target_transform: Callable | None = None, transforms: Callable | None = None) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.mode = "gtFine" if mode == "fine" else "gtCoarse"
        self.images_dir = os.path.join(self.root, "leftImg8bit", split)
        self.targets_dir = os.path.join(self.root, self.mode, split)
        self.split = split
        verify_str_arg(mode, "mode", ("fine", "coarse"))
        splits = ("train", "test", "val") if mode == "fine" else ("train", "train_extra", "val")
        verify_str_arg(split, "split", splits, f"Unknown value '{split}' for argument split if mode is '{mode}'. "
                                               f"Valid values are {{{iterable_to_str(splits)}}}.")
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        for kind in self.target_type:
            verify_str_arg(kind, "target_type", ("instance", "semantic", "polygon", "color"))
        self._unpack()
        self.images, self.targets = [], []
        for city in os.listdir(self.images_dir):
            for name in os.listdir(os.path.join(self.images_dir, city)):
                stem = os.path.join(self.targets_dir, city, f"{name.split('_leftImg8bit')[0]}_{self.mode}_")
                self.images.append(os.path.join(self.images_dir, city, name))
                self.targets.append([stem + _SUFFIXES[kind] for kind in self.target_type])

    def _unpack(self) -> None:
        """Unpacks the archives where a folder is missing."""
        if os.path.isdir(self.images_dir) and os.path.isdir(self.targets_dir):
            return
        images = "leftImg8bit_trainextra.zip" if self.split == "train_extra" else "leftImg8bit_trainvaltest.zip"
        targets = "gtFine_trainvaltest.zip" if self.mode == "gtFine" else "gtCoarse.zip"
        archives = [os.path.join(self.root, name) for name in (images, targets)]
        if not all(map(os.path.isfile, archives)):
            raise RuntimeError("Dataset not found or incomplete. Please make sure all required folders for the "
                               f'specified "split" and "mode" are inside the "root" directory: {self.images_dir} and '
                               f"{self.targets_dir}, or {archives[0]} and {archives[1]}")
        for archive in archives:
            extract_archive(archive, self.root)

    def _load(self, index: int) -> tuple[Any, Any]:
        targets = [json.loads(Path(path).read_text()) if kind == "polygon" else open_image(path)
                   for kind, path in zip(self.target_type, self.targets[index])]
        return pil_loader(self.images[index]), tuple(targets) if len(targets) > 1 else targets[0]

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nMode: {self.mode}\nType: {self.target_type}"
