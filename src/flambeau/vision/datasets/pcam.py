"""PCam: patches of lymph nodes with and without tumour (Veeling et al. 2018). Needs h5py."""
from __future__ import annotations

import pathlib
from typing import Any, Callable

from .utils import (NOT_FOUND, download_file_from_google_drive, extract_archive, not_found, provide_from_mirror,
                    verify_str_arg)
from .vision import VisionDataset


class PCAM(VisionDataset):
    """Images of 96×96, 1 if there is tumour in their middle; split "train" (262,144), "val" (32,768), "test" (32,768).

    Files: `root/pcam/camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5`.
    Errors: RuntimeError if they, or the package h5py, are missing.
    """

    _FILES = {split: {"images": (f"camelyonpatch_level_2_split_{name}_x.h5", *images),
                      "targets": (f"camelyonpatch_level_2_split_{name}_y.h5", *targets)}
              for split, name, images, targets in (
        ("train", "train", ("1Ka0XfEMiwgCYPdTI-vv6eUElOBnKFKQ2", "1571f514728f59376b705fc836ff4b63"),
         ("1269yhu3pZDP8UYFQs-NYs3FPwuK-nGSG", "35c2d7259d906cfc8143347bb8e05be7")),
        ("test", "test", ("1qV65ZqZvWzuIVthK8eVDhIwrbnsJdbg_", "d8c2d60d490dbd479f8199bdfa0cf6ec"),
         ("17BHrSrwWKjYsOgTMmoqrIjDy6Fa2o_gP", "60a7035772fbdb7f34eb86d4420cf66a")),
        ("val", "valid", ("1hgshYGWK8V-eGRy8LToWJJgDU_rXWVJ3", "d5b63470df7cfa627aeec8b9dc0c066e"),
         ("1bH8ZRbhSVAhScTS0p9-ZzGnX91cHT3uO", "2b85f58b927af9964a4c15b8f7e8f179")))}

    def __init__(self, root: str | pathlib.Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False) -> None:
        try:
            import h5py
        except ImportError:
            raise RuntimeError("h5py is not found. This dataset needs to have h5py installed: please run "
                               "pip install h5py") from None
        self.h5py = h5py
        self._split = verify_str_arg(split, "split", ("train", "test", "val"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        folder = pathlib.Path(self.root) / "pcam"
        files = self._FILES[split]
        self._paths = [folder / files[kind][0] for kind in ("images", "targets")]
        unpacked = [f"pcam/{path.name}" for path in self._paths]
        if download and not all(path.exists() for path in self._paths) and not provide_from_mirror(self.root, unpacked):
            for name, file_id, md5 in files.values():
                download_file_from_google_drive(file_id, str(folder), name + ".gz", md5)
                extract_archive(str(folder / (name + ".gz")))
        missing = [path for path in self._paths if not path.exists()]
        if missing:
            raise not_found(NOT_FOUND, missing, "https://github.com/basveeling/pcam")

    def __len__(self) -> int:
        with self.h5py.File(self._paths[0]) as file:
            return file["x"].shape[0]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), each through its transform."""
        from PIL import Image

        with self.h5py.File(self._paths[0]) as images, self.h5py.File(self._paths[1]) as targets:
            image = Image.fromarray(images["x"][index]).convert("RGB")
            target: Any = int(targets["y"][index, 0, 0, 0])
        return self._transformed(image, target)
