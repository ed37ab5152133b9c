"""Omniglot: handwritten characters of 50 alphabets, 20 drawings each (Lake, Salakhutdinov and Tenenbaum 2015)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages
from .utils import DAMAGED, check_integrity, download_and_extract_archive, list_dir, list_files, not_found, obtain


def _grey(path: str | Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("L")


class Omniglot(FileImages):
    """Images of 105×105: the "background" set (964 characters) or the "evaluation" set (659).

    loader: reads a path (default: as PIL image of mode L). Files: `root/omniglot-py/images_{background,evaluation}`,
    and the archive it comes from, .zip. Errors: RuntimeError if the archive is missing or damaged.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5 = {"images_background": "68d2efa1b9178cc56df9314c21c6e718",
                "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811"}

    def __init__(self, root: str | Path, background: bool = True, transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] | None = None) -> None:
        super().__init__(os.path.join(root, self.folder), transform=transform, target_transform=target_transform)
        self.background = background
        self.loader = _grey if loader is None else loader
        self.target_folder = os.path.join(self.root, self._get_target_folder())
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, [self._zip], self._url)
        obtain([self.target_folder], [(self._url, None)], self.root, False, DAMAGED)
        self._alphabets = list_dir(self.target_folder)
        self._characters = [os.path.join(alphabet, character) for alphabet in self._alphabets
                            for character in list_dir(os.path.join(self.target_folder, alphabet))]
        self._character_images = [[(image, k) for image in list_files(os.path.join(self.target_folder, path), ".png")]
                                  for k, path in enumerate(self._characters)]
        self._flat_character_images = [image for images in self._character_images for image in images]

    def _get_target_folder(self) -> str:
        return "images_background" if self.background else "images_evaluation"

    @property
    def _zip(self) -> str:
        return os.path.join(self.root, self._get_target_folder() + ".zip")

    @property
    def _url(self) -> str:
        return f"{self.download_url_prefix}/{self._get_target_folder()}.zip"

    def _check_integrity(self) -> bool:
        return check_integrity(self._zip, self.zips_md5[self._get_target_folder()])

    def download(self) -> None:
        """Downloads and unpacks the archive, unless that is done."""
        if not (self._check_integrity() and os.path.isdir(self.target_folder)):
            download_and_extract_archive(self._url, self.root, filename=os.path.basename(self._zip),
                                         md5=self.zips_md5[self._get_target_folder()])

    def _sample(self, index: int) -> tuple[str, int]:
        name, character = self._flat_character_images[index]
        return os.path.join(self.target_folder, self._characters[character], name), character

    def __len__(self) -> int:
        return len(self._flat_character_images)
