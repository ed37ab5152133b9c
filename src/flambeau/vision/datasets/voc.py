"""Pascal VOC 2007 to 2012: photos with boxes and outlines of objects of 20 classes (Everingham et al. 2010)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable
from xml.etree import ElementTree

from ._files import PairedFiles, open_image, pil_loader
from .utils import DAMAGED, download_and_extract_archive, not_found, verify_str_arg

_URL = "https://thor.robots.ox.ac.uk/pascal/VOC/"
_KEYS = ("url", "filename", "md5", "base_dir")
DATASET_YEAR_DICT = {year: dict(zip(_KEYS, (_URL + path, filename, md5, os.path.join(*folder.split("/")))))
                     for year, path, filename, md5, folder in [
    ("2012", "voc2012/VOCtrainval_11-May-2012.tar", "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd",
     "VOCdevkit/VOC2012"),
    ("2011", "voc2011/VOCtrainval_25-May-2011.tar", "VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e",
     "TrainVal/VOCdevkit/VOC2011"),
    ("2010", "voc2010/VOCtrainval_03-May-2010.tar", "VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb",
     "VOCdevkit/VOC2010"),
    ("2009", "voc2009/VOCtrainval_11-May-2009.tar", "VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1",
     "VOCdevkit/VOC2009"),
    ("2008", "voc2008/VOCtrainval_14-Jul-2008.tar", "VOCtrainval_11-May-2012.tar", "2629fa636546599198acfcfbfcf1904a",
     "VOCdevkit/VOC2008"),
    ("2007", "voc2007/VOCtrainval_06-Nov-2007.tar", "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64",
     "VOCdevkit/VOC2007"),
    ("2007-test", "voc2007/VOCtest_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f",
     "VOCdevkit/VOC2007")]}


class _VOCBase(PairedFiles):
    """year: "2007" to "2012"; image_set: "train", "trainval" or "val", for 2007 also "test".

    images, targets: paths. transforms: takes (image, target).
    Files: `root/VOCdevkit/VOC{year}/{ImageSets,JPEGImages,…}` (2011: `root/TrainVal/VOCdevkit/VOC2011`).
    Errors: RuntimeError if that folder is missing; ValueError for another year or set.
    """

    _SPLITS_DIR: str
    _TARGET_DIR: str
    _TARGET_FILE_EXT: str

    def __init__(self, root: str | Path, year: str = "2012", image_set: str = "train", download: bool = False,
                 transform: Callable | None = None, target_transform: Callable | None = None,
                 transforms: Callable | None = None) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year = verify_str_arg(year, "year", [str(number) for number in range(2007, 2013)])
        self.image_set = verify_str_arg(image_set, "image_set",
                                        ["train", "trainval", "val"] + ["test"] * (year == "2007"))
        source = DATASET_YEAR_DICT["2007-test" if image_set == "test" else year]
        self.url, self.filename, self.md5 = source["url"], source["filename"], source["md5"]
        folder = os.path.join(self.root, source["base_dir"])
        names_file = os.path.join(folder, "ImageSets", self._SPLITS_DIR, image_set + ".txt")
        if download and not os.path.isfile(names_file):  # training and test set of 2007 share the folder
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.md5,
                                         contents=[Path(source["base_dir"]).as_posix()])
        if not os.path.isdir(folder):
            raise not_found(DAMAGED, [folder], f"{self.url}, to be unpacked in {os.path.abspath(self.root)}")
        names = [line.strip() for line in Path(names_file).read_text().splitlines()]
        self.images = [os.path.join(folder, "JPEGImages", name + ".jpg") for name in names]
        self.targets = [os.path.join(folder, self._TARGET_DIR, name + self._TARGET_FILE_EXT) for name in names]

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOCBase):
    __doc__ = f"""Pascal VOC's segmentations: the target is a PIL image of classes, 255 where it is ambiguous.

    {_VOCBase.__doc__}"""

    _SPLITS_DIR = "Segmentation"
    _TARGET_DIR = "SegmentationClass"
    _TARGET_FILE_EXT = ".png"

    @property
    def masks(self) -> list[str]:
        """Paths of the targets."""
        return self.targets

    def _load(self, index: int) -> tuple[Any, Any]:
        return pil_loader(self.images[index]), open_image(self.masks[index])


class VOCDetection(_VOCBase):
    __doc__ = f"""Pascal VOC's boxes: the target is the annotation's XML as nested dicts, the objects always a list.

    {_VOCBase.__doc__}"""

    _SPLITS_DIR = "Main"
    _TARGET_DIR = "Annotations"
    _TARGET_FILE_EXT = ".xml"

    @property
    def annotations(self) -> list[str]:
        """Paths of the targets."""
        return self.targets

    def _load(self, index: int) -> tuple[Any, Any]:
        tree = ElementTree.parse(self.annotations[index])
        return pil_loader(self.images[index]), self.parse_voc_xml(tree.getroot())

    @staticmethod
    def parse_voc_xml(node: ElementTree.Element) -> dict[str, Any]:
        """{tag: text}, or {tag: {tag of a child: its value, or a list of them if there are several}}."""
        if not len(node):
            return {node.tag: node.text.strip()} if node.text else {}
        values: dict[str, list] = {}
        for child in node:
            for tag, value in VOCDetection.parse_voc_xml(child).items():
                values.setdefault(tag, []).append(value)
        merged: dict[str, Any] = {tag: found[0] if len(found) == 1 else found for tag, found in values.items()}
        if node.tag == "annotation":
            merged["object"] = values.get("object", [])
        return {node.tag: merged}
