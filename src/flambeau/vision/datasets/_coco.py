"""An index of COCO's annotation files, for reading images, boxes and captions without pycocotools."""
from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any, Iterable


class Index:
    """The annotations in the JSON file at `path`, found by image and by category.

    dataset: the whole file; imgs, anns, cats: entries by id; imgToAnns: annotations by image; catToImgs: images by
    category. Names, arguments and results are those of `pycocotools.coco.COCO`; masks and scores need that package.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        with open(path) as file:
            self.dataset: dict[str, Any] = json.load(file)
        if not isinstance(self.dataset, dict):
            raise ValueError(f"annotation file format {type(self.dataset)} not supported")
        self.imgs = {image["id"]: image for image in self.dataset.get("images", [])}
        self.anns = {note["id"]: note for note in self.dataset.get("annotations", [])}
        self.cats = {category["id"]: category for category in self.dataset.get("categories", [])}
        self.imgToAnns: dict[int, list[dict]] = defaultdict(list)
        self.catToImgs: dict[int, list[int]] = defaultdict(list)
        for note in self.dataset.get("annotations", []):
            self.imgToAnns[note["image_id"]].append(note)
            if "categories" in self.dataset:
                self.catToImgs[note["category_id"]].append(note["image_id"])

    def getAnnIds(self, imgIds: Any = (), catIds: Any = (), areaRng: Any = (),
                  iscrowd: bool | None = None) -> list[int]:
        """Ids of the annotations of these images and categories (one id or several; none: of all), whose area is
        within `areaRng`."""
        images, categories = _listed(imgIds), _listed(catIds)
        notes = [note for image in images for note in self.imgToAnns.get(image, [])] if images else \
            self.dataset["annotations"]
        return [note["id"] for note in notes
                if (not categories or note["category_id"] in categories)
                and (not areaRng or areaRng[0] < note["area"] < areaRng[1])
                and (iscrowd is None or note["iscrowd"] == iscrowd)]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[int]:
        """Ids of the categories with these names, supercategories and ids."""
        wanted = (_listed(catNms), "name"), (_listed(supNms), "supercategory"), (_listed(catIds), "id")
        return [category["id"] for category in self.dataset["categories"]
                if all(not values or category[key] in values for values, key in wanted)]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[int]:
        """Ids of the images among `imgIds` (none: all) with all of these categories."""
        found = set(_listed(imgIds)) or set(self.imgs)
        for category in _listed(catIds):
            found &= set(self.catToImgs[category])
        return list(found)

    def loadAnns(self, ids: Any = ()) -> list[dict]:
        """The annotations with these ids."""
        return [self.anns[k] for k in _listed(ids)]

    def loadCats(self, ids: Any = ()) -> list[dict]:
        """The categories with these ids."""
        return [self.cats[k] for k in _listed(ids)]

    def loadImgs(self, ids: Any = ()) -> list[dict]:
        """The images with these ids."""
        return [self.imgs[k] for k in _listed(ids)]


def _listed(values: Any) -> list:
    several = isinstance(values, Iterable) and not isinstance(values, str)
    return list(values) if several else [values]
