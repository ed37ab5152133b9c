"""HMDB51: 6,766 clips of films in 51 actions (Kuehne et al. 2011)."""
from __future__ import annotations

import glob
import os
from pathlib import Path

from .video_utils import FoldsOfClips


class HMDB51(FoldsOfClips):
    __doc__ = f"""Files: `root/ACTION/*.avi`; annotation_path: the folder of `ACTION_test_split{{1,2,3}}.txt`. Both come
    as RAR archives (`data_url`, `splits`), to be unpacked by hand.

    {FoldsOfClips.__doc__}"""

    data_url = "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/hmdb51_org.rar"
    splits = {"url": "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/test_train_splits.rar",
              "md5": "15e67781e70dcfbdce2d7dbb9b3344b5"}
    TRAIN_TAG = 1
    TEST_TAG = 2

    def _select_fold(self, video_list: list[str], annotation_path: str, fold: int, train: bool) -> list[int]:
        """A line is a file's name and 1 (train), 2 (test) or 0 (neither)."""
        tag = self.TRAIN_TAG if train else self.TEST_TAG
        selected = set()
        for path in glob.glob(os.path.join(annotation_path, f"*test_split{fold}.txt")):
            lines = (line.split() for line in Path(path).read_text().splitlines())
            selected.update(name for name, its_tag in lines if int(its_tag) == tag)
        return [k for k, path in enumerate(video_list) if os.path.basename(path) in selected]
