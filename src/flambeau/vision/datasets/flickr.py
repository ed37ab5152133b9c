"""Flickr8k and Flickr30k: photos with five captions each (Hodosh, Young and Hockenmaier 2013; Young et al. 2014)."""
from __future__ import annotations

import glob
import os
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader


class Flickr8kParser(HTMLParser):
    """Reads the table of Flickr8k's page: `annotations`, captions by the path of the image in `root`."""

    def __init__(self, root: str | Path) -> None:
        super().__init__()
        self.root = root
        self.annotations: dict[str, list[str]] = {}
        self._in_table = False
        self._tag: str | None = None
        self._image: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self._in_table |= tag == "table"

    def handle_endtag(self, tag: str) -> None:
        self._tag = None
        self._in_table &= tag != "table"

    def handle_data(self, data: str) -> None:
        if not self._in_table:
            return
        if data == "Image Not Found":
            self._image = None
        elif self._tag == "a":  # a link whose last part but one is how the image's name begins
            self._image = glob.glob(os.path.join(self.root, data.split("/")[-2] + "_*.jpg"))[0]
            self.annotations[self._image] = []
        elif self._tag == "li" and self._image:
            self.annotations[self._image].append(data.strip())


class _Captions(FileImages):
    """annotations: captions by image; ids: images, sorted."""

    def __init__(self, root: str | Path, ann_file: str, transform: Callable | None,
                 target_transform: Callable | None, loader: Callable[[str], Any]) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.ann_file = os.path.expanduser(ann_file)
        self.annotations = self._read()
        self.ids = sorted(self.annotations)

    def _read(self) -> dict[str, list[str]]:
        raise NotImplementedError

    def _sample(self, index: int) -> tuple[str, list[str]]:
        name = self.ids[index]
        return os.path.join(self.root, name), self.annotations[name]

    def __len__(self) -> int:
        return len(self.ids)


class Flickr8k(_Captions):
    """The images in `root` and their captions in the page `ann_file` (HTML); the target is a list of captions."""

    def __init__(self, root: str | Path, ann_file: str, transform: Callable | None = None,
                 target_transform: Callable | None = None, loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, ann_file, transform, target_transform, loader)

    def _read(self) -> dict[str, list[str]]:
        parser = Flickr8kParser(self.root)
        parser.feed(Path(self.ann_file).read_text())
        return parser.annotations


class Flickr30k(_Captions):
    """The images in `root` and their captions in `ann_file` (lines `name#k TAB caption`); the target is a list."""

    def __init__(self, root: str | Path, ann_file: str, transform: Callable | None = None,
                 target_transform: Callable | None = None, loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, ann_file, transform, target_transform, loader)

    def _read(self) -> dict[str, list[str]]:
        annotations = defaultdict(list)
        for line in Path(self.ann_file).read_text().splitlines():
            name, caption = line.strip().split("\t")
            annotations[name[:-2]].append(caption)
        return annotations
