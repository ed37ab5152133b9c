"""Country211: photos by the country where they were taken (Radford et al. 2021)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import default_loader
from .folder import ImageFolder
from .utils import obtain, verify_str_arg


class Country211(ImageFolder):
    """Photos of 211 countries; split "train" (31,650), "valid" (10,550) or "test" (21,100), in
    `root/country211/SPLIT/COUNTRY`; as `ImageFolder` otherwise. Errors: RuntimeError if the folder is missing."""

    _URL = "https://openaipublic.azureedge.net/clip/data/country211.tgz"
    _MD5 = "84988d7644798601126c29e9877aab6a"

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        self._split = verify_str_arg(split, "split", ("train", "valid", "test"))
        root = Path(root).expanduser()
        obtain([root / "country211"], [(self._URL, self._MD5)], root, download)
        super().__init__(str(root / "country211" / split), transform=transform, target_transform=target_transform,
                         loader=loader)
        self.root = str(root)
