"""Rendered SST2: sentences of film reviews as pictures of text (Radford et al. 2021)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import FileImages, default_loader
from .folder import make_dataset
from .utils import obtain, verify_str_arg


class RenderedSST2(FileImages):
    """Pictures of 448×448, 0 negative or 1 positive; split "train" (6,920), "val" (872) or "test" (1,821).

    Files: `root/rendered-sst2/{train,valid,test}/{negative,positive}`. loader: reads a path.
    Errors: RuntimeError if a folder is missing.
    """

    _URL = "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz"
    _MD5 = "2384d08e9dcfa4bd55b324e610496ee5"

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        self.classes = ["negative", "positive"]
        self.class_to_idx = {"negative": 0, "positive": 1}
        folder = Path(self.root) / "rendered-sst2" / {"val": "valid"}.get(split, split)
        obtain([folder / name for name in self.classes], [(self._URL, self._MD5)], self.root, download)
        self._samples = make_dataset(str(folder), extensions=("png",))

    def _sample(self, index: int) -> tuple[str, int]:
        return self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)

    def extra_repr(self) -> str:
        return f"split={self._split}"
