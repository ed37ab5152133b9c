"""EuroSAT: satellite images of land use, RGB (Helber et al. 2019)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._files import default_loader
from .folder import ImageFolder
from .utils import obtain


class EuroSAT(ImageFolder):
    """27,000 images of 64×64 in 10 classes, in `root/eurosat/2750/CLASS`; as `ImageFolder` otherwise.

    Errors: RuntimeError if the folder is missing.
    """

    _URL = ("https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/"
            "EuroSAT.zip")
    _MD5 = "c8fa014336c82ac7804f0398fcb19387"

    def __init__(self, root: str | Path, transform: Callable | None = None, target_transform: Callable | None = None,
                 download: bool = False, loader: Callable[[str], Any] = default_loader) -> None:
        root = os.path.expanduser(root)
        base = os.path.join(root, "eurosat")
        folder = os.path.join(base, "2750")
        obtain([folder], [(self._URL, self._MD5)], base, download, root=root)
        super().__init__(folder, transform=transform, target_transform=target_transform, loader=loader)
        self.root = root
