"""LSUN: photos of scenes, in LMDB data bases (Yu et al. 2015). Needs lmdb."""
from __future__ import annotations

import bisect
import io
import itertools
import os
from pathlib import Path
from typing import Any, Callable, Iterable

from .utils import iterable_to_str, verify_str_arg
from .vision import VisionDataset

_CATEGORIES = ["bedroom", "bridge", "church_outdoor", "classroom", "conference_room", "dining_room", "kitchen",
               "living_room", "restaurant", "tower"]
_SPLITS = ["train", "val", "test"]


class LSUNClass(VisionDataset):
    """The images in one data base, the folder `root`; the target is None. keys: of the images, in their order."""

    def __init__(self, root: str, transform: Callable | None = None, target_transform: Callable | None = None) -> None:
        import lmdb

        super().__init__(root, transform=transform, target_transform=target_transform)
        self.env = lmdb.open(root, max_readers=1, readonly=True, lock=False, readahead=False, meminit=False)
        with self.env.begin(write=False) as transaction:
            self.length = transaction.stat()["entries"]
            self.keys = list(transaction.cursor().iternext(keys=True, values=False))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), each through its transform."""
        from PIL import Image

        with self.env.begin(write=False) as transaction:
            content = transaction.get(self.keys[index])
        return self._transformed(Image.open(io.BytesIO(content)).convert("RGB"), None)

    def __len__(self) -> int:
        return self.length


class LSUN(VisionDataset):
    """The images of several classes, data bases `root/CLASS_SPLIT_lmdb`; the target is the class's number among them.

    classes: "train", "val" (all ten) or "test", or a list of such as "bedroom_train".
    Errors: ValueError for other classes; lmdb.Error if a data base is missing.
    """

    def __init__(self, root: str | Path, classes: str | list[str] = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes = self._verify_classes(classes)
        self.dbs = [LSUNClass(os.path.join(root, f"{name}_lmdb"), transform) for name in self.classes]
        self.indices = list(itertools.accumulate(len(db) for db in self.dbs))
        self.length = self.indices[-1] if self.indices else 0

    def _verify_classes(self, classes: Any) -> list[str]:
        if isinstance(classes, str) and classes in _SPLITS:
            return [classes] if classes == "test" else [f"{name}_{classes}" for name in _CATEGORIES]
        if not isinstance(classes, Iterable):
            raise ValueError(f"Expected type str or Iterable for argument classes, but got type {type(classes)}.")
        classes = list(classes)
        unknown = "Unknown value '{}' for {}. Valid values are {{{}}}."
        for name in classes:
            verify_str_arg(name, custom_msg=f"Expected type str for elements in argument classes, but got type "
                                            f"{type(name)}.")
            category, _, split = name.rpartition("_")
            verify_str_arg(category, valid_values=_CATEGORIES,
                           custom_msg=unknown.format(category, "LSUN class", iterable_to_str(_CATEGORIES)))
            verify_str_arg(split, valid_values=_SPLITS,
                           custom_msg=unknown.format(split, "postfix", iterable_to_str(_SPLITS)))
        return classes

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), each through its transform."""
        target: Any = bisect.bisect_right(self.indices, index)
        image, _ = self.dbs[target][index - (self.indices[target - 1] if target else 0)]
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return self.length

    def extra_repr(self) -> str:
        return f"Classes: {self.classes}"
