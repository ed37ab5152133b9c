"""Moving MNIST: 10,000 videos of two moving digits, 20 frames of 64×64 (Srivastava et al. 2015)."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

import flambeau as torch

from .utils import NOT_FOUND, download_url, not_found, verify_str_arg
from .vision import VisionDataset


class MovingMNIST(VisionDataset):
    """Samples are uint8 Tensors (frames, 1, 64, 64); data: all of them. split: None for all frames, "train" for the
    first `split_ratio` frames of each video, "test" for the others.

    File: `root/MovingMNIST/mnist_test_seq.npy`. Errors: RuntimeError if it is missing; TypeError or ValueError for a
    split_ratio that is no int from 1 to 19.
    """

    _URL = "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy"

    def __init__(self, root: str | Path, split: str | None = None, split_ratio: int = 10, download: bool = False,
                 transform: Callable | None = None) -> None:
        super().__init__(root, transform=transform)
        if split is not None:
            verify_str_arg(split, "split", ("train", "test"))
        if not isinstance(split_ratio, int):
            raise TypeError(f"`split_ratio` should be an integer, but got {type(split_ratio)}")
        if not 1 <= split_ratio <= 19:
            raise ValueError(f"`split_ratio` should be `1 <= split_ratio <= 19`, but got {split_ratio} instead.")
        self.split = split
        self.split_ratio = split_ratio
        if download:
            self.download()
        if not self._check_exists():
            raise not_found(NOT_FOUND + ".", [self._path], self._URL)
        frames = {"train": slice(split_ratio), "test": slice(split_ratio, None)}.get(split or "", slice(None))
        data = np.load(self._path, allow_pickle=False)[frames]
        self.data = torch.from_numpy(np.ascontiguousarray(data.swapaxes(0, 1)[:, :, None]))

    @property
    def _path(self) -> str:
        return os.path.join(self.root, type(self).__name__, os.path.basename(self._URL))

    def __getitem__(self, index: int) -> Any:
        """A video, through the transform."""
        video = self.data[index]
        return video if self.transform is None else self.transform(video)

    def __len__(self) -> int:
        return len(self.data)

    def _check_exists(self) -> bool:
        return os.path.exists(self._path)

    def download(self) -> None:
        """Downloads the file, unless it is there."""
        if not self._check_exists():
            download_url(self._URL, os.path.dirname(self._path), md5="be083ec986bfe91a449d63653c411eb2")
