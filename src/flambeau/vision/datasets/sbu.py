"""SBU: a million photos with captions, by address (Ordonez, Kulkarni and Berg 2011)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader
from .utils import DAMAGED, check_integrity, download_and_extract_archive, download_url, not_found


class SBU(FileImages):
    """Those photos of the list that are in `root/dataset`; the target is the caption. photos, captions: names, texts.

    Files: `root/SBUCaptionedPhotoDataset.tar.gz` and, unpacked, `root/dataset/SBU_captioned_photo_dataset_*.txt`.
    download (default): also each photo from its address; those that are gone are left out. loader: reads a path.
    Errors: RuntimeError if the archive is missing or damaged.
    """

    url = "https://www.cs.rice.edu/~vo9/sbucaptions/SBUCaptionedPhotoDataset.tar.gz"
    filename = "SBUCaptionedPhotoDataset.tar.gz"
    md5_checksum = "9aec147b3488753cf758b4d493422285"

    def __init__(self, root: str | Path, transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = True, loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, [os.path.join(self.root, self.filename)], self.url)
        there = [(os.path.basename(url), caption) for url, caption in zip(self._lines("urls"), self._lines("captions"))
                 if os.path.exists(self._path(os.path.basename(url)))]
        self.photos, self.captions = [photo for photo, _ in there], [caption for _, caption in there]

    def _path(self, name: str) -> str:
        return os.path.join(self.root, "dataset", name)

    def _lines(self, kind: str) -> list[str]:
        text = Path(self._path(f"SBU_captioned_photo_dataset_{kind}.txt")).read_text()
        return [line.rstrip() for line in text.splitlines()]

    def _sample(self, index: int) -> tuple[str, str]:
        return self._path(self.photos[index]), self.captions[index]

    def __len__(self) -> int:
        return len(self.photos)

    def _check_integrity(self) -> bool:
        return check_integrity(os.path.join(self.root, self.filename), self.md5_checksum)

    def download(self) -> None:
        """Downloads the lists and the photos, unless the archive is there."""
        if self._check_integrity():
            return
        download_and_extract_archive(self.url, self.root, self.root, self.filename, self.md5_checksum)
        for url in self._lines("urls"):
            try:
                download_url(url, self._path(""))
            except (OSError, RuntimeError):  # many are gone
                pass
