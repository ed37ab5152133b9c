"""COCO: photos with boxes, outlines and captions (Lin et al. 2014)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from . import _coco
from ._files import PairedFiles, pil_loader


def _annotations(path: str | os.PathLike) -> Any:
    try:
        from pycocotools.coco import COCO
    except ImportError:
        return _coco.Index(path)
    return COCO(path)


class CocoDetection(PairedFiles):
    """The images in `root` that the annotation file `annFile` (JSON) lists, by id; the target is a list of dicts.

    ids: the images' ids, sorted; coco: the annotations, a `pycocotools.coco.COCO` where that is installed, else a
    reader with its names. transforms: takes (image, target). Errors: ValueError for an index that is no int.
    """

    def __init__(self, root: str | Path, annFile: str, transform: Callable | None = None,
                 target_transform: Callable | None = None, transforms: Callable | None = None) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = _annotations(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, id: int) -> Any:
        return pil_loader(os.path.join(self.root, self.coco.loadImgs(id)[0]["file_name"]))

    def _load_target(self, id: int) -> list[Any]:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def _load(self, index: int) -> tuple[Any, Any]:
        if not isinstance(index, int):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        id = self.ids[index]
        return self._load_image(id), self._load_target(id)

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """As `CocoDetection`, with a list of captions as the target."""

    def _load_target(self, id: int) -> list[str]:
        return [note["caption"] for note in super()._load_target(id)]
