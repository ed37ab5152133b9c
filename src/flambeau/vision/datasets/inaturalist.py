"""iNaturalist: photos of plants and animals (Van Horn et al. 2018)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, open_image
from .utils import DAMAGED, download_and_extract_archive, not_found, provide_from_mirror, verify_str_arg

CATEGORIES_2021 = ["kingdom", "phylum", "class", "order", "family", "genus"]
_URL = "https://ml-inat-competition-datasets.s3.amazonaws.com/"
DATASET_URLS = {"2017": _URL + "2017/train_val_images.tar.gz", "2018": _URL + "2018/train_val2018.tar.gz",
                "2019": _URL + "2019/train_val2019.tar.gz", "2021_train": _URL + "2021/train.tar.gz",
                "2021_train_mini": _URL + "2021/train_mini.tar.gz", "2021_valid": _URL + "2021/val.tar.gz"}
DATASET_MD5 = {"2017": "7c784ea5e424efaec655bd392f87301f", "2018": "b1c6952ce38f31868cc50ea72d066cc3",
               "2019": "c60a6e2962c9b8ccbd458d12c8582644", "2021_train": "e0526d53c7f7b2e3167b2b43bb2690ed",
               "2021_train_mini": "db6ed8330e634445efc8fec83ae81442", "2021_valid": "f6f6e0e242e3d4c9569ba56400938afc"}


class INaturalist(FileImages):
    """version "2017", "2018", "2019", "2021_train", "2021_train_mini" or "2021_valid".

    target_type: "full" (the species); of 2021 also "kingdom", "phylum", "class", "order", "family", "genus"; of the
    others also "super"; or a list of these for a tuple. all_categories: folders of species; categories_index: numbers
    by name for each coarser level; categories_map: those numbers for each species; index: (species, file) of each
    image.
    Files: `root/VERSION/…`. loader: reads a path (default: as a PIL image).
    Errors: RuntimeError if the folder is missing, or laid out in another way; ValueError for another version or type.
    """

    def __init__(self, root: str | Path, version: str = "2021_train", target_type: list[str] | str = "full",
                 transform: Callable | None = None, target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] | None = None) -> None:
        self.version = verify_str_arg(version, "version", DATASET_URLS)
        super().__init__(os.path.join(root, version), transform=transform, target_transform=target_transform)
        self.loader = open_image if loader is None else loader
        os.makedirs(root, exist_ok=True)
        if download:
            self.download()
        if not self._check_exists():
            raise not_found(DAMAGED, [self.root], DATASET_URLS[version])
        self.all_categories: list[str] = []
        self.categories_index: dict[str, dict[str, int]] = {}
        self.categories_map: list[dict[str, int]] = []
        of_2021 = version.startswith("2021")
        types = target_type if isinstance(target_type, list) else [target_type]
        known = ("full", *CATEGORIES_2021) if of_2021 else ("full", "super")
        self.target_type = [verify_str_arg(kind, "target_type", known) for kind in types]
        if of_2021:
            self._init_2021()
        else:
            self._init_pre2021()
        self.index = [(k, name) for k, folder in enumerate(self.all_categories)
                      for name in os.listdir(os.path.join(self.root, folder))]

    def _init_2021(self) -> None:
        """Folders are NUMBER_KINGDOM_…_GENUS_SPECIES."""
        self.all_categories = sorted(os.listdir(self.root))
        self.categories_index = {level: {} for level in CATEGORIES_2021}
        for k, folder in enumerate(self.all_categories):
            pieces = folder.split("_")
            if len(pieces) != 8:
                raise RuntimeError(f"Unexpected category name {folder}, wrong number of pieces")
            if pieces[0] != f"{k:05d}":
                raise RuntimeError(f"Unexpected category id {pieces[0]}, expecting {k:05d}")
            self.categories_map.append({level: self.categories_index[level].setdefault(
                name, len(self.categories_index[level])) for level, name in zip(CATEGORIES_2021, pieces[1:7])})

    def _init_pre2021(self) -> None:
        """Folders are GROUP/SPECIES; the species is a name in 2017 and its number after that."""
        groups = sorted(os.listdir(self.root))
        self.categories_index = {"super": {group: k for k, group in enumerate(groups)}}
        found: dict[int, tuple[str, int]] = {}
        for k, group in enumerate(groups):
            for name in sorted(os.listdir(os.path.join(self.root, group))):
                if self.version == "2017":
                    number = len(found)
                elif name.isdigit():
                    number = int(name)
                else:
                    raise RuntimeError(f"Unexpected non-numeric dir name: {name}")
                if number in found:
                    raise RuntimeError(f"Duplicate category {name}")
                found[number] = os.path.join(group, name), k
        missing = next((k for k in range(max(found, default=-1) + 1) if k not in found), None)
        if missing is not None:
            raise RuntimeError(f"Missing category {missing}")
        for number in sorted(found):
            self.all_categories.append(found[number][0])
            self.categories_map.append({"super": found[number][1]})

    def _sample(self, index: int) -> tuple[str, Any]:
        species, name = self.index[index]
        targets = [species if kind == "full" else self.categories_map[species][kind] for kind in self.target_type]
        path = os.path.join(self.root, self.all_categories[species], name)
        return path, tuple(targets) if len(targets) > 1 else targets[0]

    def __len__(self) -> int:
        return len(self.index)

    def category_name(self, category_type: str, category_id: int) -> str:
        """The name of a species ("full") or of a category of a coarser level. ValueError if there is none."""
        if category_type == "full":
            return self.all_categories[category_id]
        if category_type not in self.categories_index:
            raise ValueError(f"Invalid category type '{category_type}'")
        for name, number in self.categories_index[category_type].items():
            if number == category_id:
                return name
        raise ValueError(f"Invalid category id {category_id} for {category_type}")

    def _check_exists(self) -> bool:
        return os.path.exists(self.root) and len(os.listdir(self.root)) > 0

    def download(self) -> None:
        """Downloads and unpacks the archive, unless the folder is there."""
        base = os.path.dirname(self.root)
        if self._check_exists() or provide_from_mirror(base, [self.version]):
            return
        url = DATASET_URLS[self.version]
        download_and_extract_archive(url, base, filename=f"{self.version}.tgz", md5=DATASET_MD5[self.version])
        unpacked = os.path.join(base, os.path.basename(url).removesuffix(".tar.gz"))
        if not os.path.exists(unpacked):
            raise RuntimeError(f"Unable to find downloaded files at {unpacked}")
        os.rename(unpacked, self.root)
