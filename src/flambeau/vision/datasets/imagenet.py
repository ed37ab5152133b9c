"""ImageNet's classification set of 2012 (Russakovsky et al. 2015), from the official archives."""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import flambeau as torch

from ._matfile import load_mat
from .folder import ImageFolder
from .utils import check_integrity, extract_archive, verify_str_arg

ARCHIVE_META = {"train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
                "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
                "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf")}
META_FILE = "meta.bin"


class ImageNet(ImageFolder):
    """1,281,167 training ("train") or 50,000 validation ("val") images in 1,000 classes, in `root/SPLIT/WNID`.

    Where `root/meta.bin` or the folder of the split is missing, it is made from the official archives, which have to be
    in `root`: ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar (nobody may offer them for
    download). Other arguments: as `ImageFolder`.

    classes: tuples of names; class_to_idx: name -> class; wnids, wnid_to_idx: the same for WordNet's identifiers.
    Errors: RuntimeError if an archive is needed and missing or damaged.
    """

    def __init__(self, root: str | Path, split: str = "train", **kwargs: Any) -> None:
        root = self.root = os.path.expanduser(root)
        self.split = verify_str_arg(split, "split", ("train", "val"))
        self.parse_archives()
        names = load_meta_file(root)[0]
        super().__init__(self.split_folder, **kwargs)
        self.root = root
        self.wnids, self.wnid_to_idx = self.classes, self.class_to_idx
        self.classes = [names[wnid] for wnid in self.wnids]  # type: ignore[misc]
        self.class_to_idx = {name: k for k, synonyms in enumerate(self.classes) for name in synonyms}

    def parse_archives(self) -> None:
        """Unpacks what is not unpacked yet."""
        if not check_integrity(os.path.join(self.root, META_FILE)):
            parse_devkit_archive(self.root)
        if not os.path.isdir(self.split_folder):
            parse = parse_train_archive if self.split == "train" else parse_val_archive
            parse(self.root)

    @property
    def split_folder(self) -> str:
        """Where the images of this split lie."""
        return os.path.join(self.root, self.split)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def load_meta_file(root: str | Path, file: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """(WordNet identifier -> names, the identifiers of the validation images) from `root/meta.bin`."""
    path = os.path.join(root, file or META_FILE)
    if not check_integrity(path):
        raise RuntimeError(f"The meta file {path} is not present in the root directory or is corrupted. "
                           "This file is automatically created by the ImageNet dataset.")
    return torch.load(path, weights_only=True)


def _archive(root: str | Path, kind: str, file: str | None) -> str:
    name, md5 = ARCHIVE_META[kind]
    path = os.path.join(root, file or name)
    if not check_integrity(path, md5):
        raise RuntimeError(f"The archive {file or name} is not present in the root directory or is corrupted. "
                           f"You need to download it externally and place it in {root}.")
    return path


def _first(value: Any) -> Any:
    """The only entry of an array of one; text as it is."""
    return value if isinstance(value, str) else value.item()


def _leaf_classes(meta: str) -> list[tuple[int, str, tuple[str, ...]]]:
    """(number, WordNet identifier, names) of the classes without subclasses."""
    synsets = load_mat(meta)["synsets"]
    rows = zip(*(synsets[field].ravel() for field in ("ILSVRC2012_ID", "WNID", "words", "num_children")))
    return [(int(_first(number)), wnid, tuple(words.split(", ")))
            for number, wnid, words, children in rows if int(_first(children)) == 0]


def parse_devkit_archive(root: str | Path, file: str | None = None) -> None:
    """Writes `root/meta.bin` from the development kit."""
    archive = _archive(root, "devkit", file)
    with tempfile.TemporaryDirectory() as folder:
        extract_archive(archive, folder)
        data = os.path.join(folder, "ILSVRC2012_devkit_t12", "data")
        leaves = _leaf_classes(os.path.join(data, "meta.mat"))
        truth = Path(data, "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    by_number = {number: wnid for number, wnid, _ in leaves}
    meta = {wnid: names for _, wnid, names in leaves}, [by_number[int(number)] for number in truth]
    draft = os.path.join(root, META_FILE + ".part")
    torch.save(meta, draft)
    os.replace(draft, os.path.join(root, META_FILE))


def _fresh(folder: str) -> str:
    """An empty folder to prepare `folder` in, which appears when all of it is there."""
    draft = folder + ".part"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft)
    return draft


def parse_train_archive(root: str | Path, file: str | None = None, folder: str = "train") -> None:
    """Unpacks the training images, an archive of one archive for each class, to `root/folder/WNID`."""
    archive = _archive(root, "train", file)
    draft = _fresh(os.path.join(root, folder))
    extract_archive(archive, draft)
    for name in sorted(os.listdir(draft)):
        inner = os.path.join(draft, name)
        extract_archive(inner, os.path.splitext(inner)[0], remove_finished=True)
    os.replace(draft, os.path.join(root, folder))


def parse_val_archive(root: str | Path, file: str | None = None, wnids: list[str] | None = None,
                      folder: str = "val") -> None:
    """Unpacks the validation images to `root/folder/WNID`; `wnids` (default: from `root/meta.bin`) in their order."""
    archive = _archive(root, "val", file)
    wnids = load_meta_file(root)[1] if wnids is None else wnids
    draft = _fresh(os.path.join(root, folder))
    extract_archive(archive, draft)
    images = sorted(os.listdir(draft))
    for wnid in set(wnids):
        os.mkdir(os.path.join(draft, wnid))
    for wnid, image in zip(wnids, images):
        os.replace(os.path.join(draft, image), os.path.join(draft, wnid, image))
    os.replace(draft, os.path.join(root, folder))
