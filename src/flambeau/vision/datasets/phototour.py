"""PhotoTour: patches of photos of the same places, for comparing descriptors (Winder and Brown 2007)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

import flambeau as torch

from .utils import download_and_extract_archive, provide_from_mirror
from .vision import VisionDataset


class PhotoTour(VisionDataset):
    """name: "notredame", "yosemite", "liberty", or one of these with "_harris".

    Samples are uint8 Tensors (64, 64); with train=False, pairs (patch, patch, 1 if they show the same point else 0).
    data, labels, matches: all patches, their points, the pairs; mean, std: of the patches, in [0, 1].
    Files: `root/NAME/*.bmp`, info.txt, m50_100000_100000_0.txt; kept as `root/NAME.pt`, which is read next time.
    Errors: FileNotFoundError if they are missing; KeyError for another name.
    """

    _OLD, _NEW = "http://icvl.ee.ic.ac.uk/vbalnt/{}.zip", "http://matthewalunbrown.com/patchdata/{}.zip"
    urls = {name: [url.format(name), f"{name}.zip", md5] for url, name, md5 in (
        (_NEW, "notredame_harris", "69f8c90f78e171349abdf0307afefe4d"),
        (_NEW, "yosemite_harris", "a73253d1c6fbd3ba2613c45065c00d46"),
        (_NEW, "liberty_harris", "c731fcfb3abb4091110d0ae8c7ba182c"),
        (_OLD, "notredame", "509eda8535847b8c0a90bbb210c83484"), (_OLD, "yosemite", "533b2e8eb7ede31be40abc317b2fd4f0"),
        (_OLD, "liberty", "fdd9152f138ea5ef2091746689176414"))}
    means = {"notredame": 0.4854, "yosemite": 0.4844, "liberty": 0.4437, "notredame_harris": 0.4854,
             "yosemite_harris": 0.4844, "liberty_harris": 0.4437}
    stds = {"notredame": 0.1864, "yosemite": 0.1818, "liberty": 0.2019, "notredame_harris": 0.1864,
            "yosemite_harris": 0.1818, "liberty_harris": 0.2019}
    lens = {"notredame": 468159, "yosemite": 633587, "liberty": 450092, "liberty_harris": 379587,
            "yosemite_harris": 450912, "notredame_harris": 325295}
    image_ext = "bmp"
    info_file = "info.txt"
    matches_files = "m50_100000_100000_0.txt"

    def __init__(self, root: str | Path, name: str, train: bool = True, transform: Callable | None = None,
                 download: bool = False) -> None:
        super().__init__(root, transform=transform)
        self.name = name
        self.data_dir = os.path.join(self.root, name)
        self.data_down = os.path.join(self.root, f"{name}.zip")
        self.data_file = os.path.join(self.root, f"{name}.pt")
        self.train = train
        self.mean, self.std = self.means[name], self.stds[name]
        if download:
            self.download()
        if not self._check_datafile_exists():
            self.cache()
        self.data, self.labels, self.matches = torch.load(self.data_file, weights_only=True)

    def __getitem__(self, index: int) -> Any:
        """A patch, or a pair and whether it matches; the patches through the transform."""
        transform = self.transform if self.transform is not None else lambda patch: patch
        if self.train:
            return transform(self.data[index])
        first, second, same = self.matches[index]
        return transform(self.data[first]), transform(self.data[second]), same

    def __len__(self) -> int:
        return len(self.data if self.train else self.matches)

    def _check_datafile_exists(self) -> bool:
        return os.path.exists(self.data_file)

    def _check_downloaded(self) -> bool:
        return os.path.exists(self.data_dir)

    def download(self) -> None:
        """Downloads and unpacks the archive, unless that is done."""
        there = self._check_datafile_exists() or self._check_downloaded()
        if not (there or provide_from_mirror(self.root, [self.name])):
            url, filename, md5 = self.urls[self.name]
            download_and_extract_archive(url, self.root, self.data_dir, filename, md5, remove_finished=True)

    def cache(self) -> None:
        """Reads the official files and writes `root/NAME.pt`."""
        tensors = (read_image_file(self.data_dir, self.image_ext, self.lens[self.name]),
                   read_info_file(self.data_dir, self.info_file),
                   read_matches_files(self.data_dir, self.matches_files))
        torch.save(tensors, self.data_file + ".part")
        os.replace(self.data_file + ".part", self.data_file)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


def read_image_file(data_dir: str, image_ext: str, n: int) -> Any:
    """The first `n` patches (N, 64, 64) of the images in a folder, each a grid of patches, row by row."""
    from PIL import Image

    patches = []
    for path in sorted(Path(data_dir).iterdir()):
        if path.name.endswith(image_ext):
            with Image.open(path) as image:
                grid = np.asarray(image)
            rows, columns = grid.shape[0] // 64, grid.shape[1] // 64
            patches.append(grid.reshape(rows, 64, columns, 64).swapaxes(1, 2).reshape(-1, 64, 64))
    return torch.from_numpy(np.ascontiguousarray(np.concatenate(patches)[:n]))


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def read_info_file(data_dir: str, info_file: str) -> Any:
    """The point of each patch: an int64 Tensor (N,)."""
    return torch.tensor([int(row[0]) for row in _rows(Path(data_dir, info_file))])


def read_matches_files(data_dir: str, matches_file: str) -> Any:
    """Pairs (patch, patch, 1 if they are of one point else 0): an int64 Tensor (N, 3)."""
    rows = _rows(Path(data_dir, matches_file))
    return torch.tensor([[int(row[0]), int(row[3]), int(row[1] == row[4])] for row in rows])
