"""UCF101: 13,320 clips from the web in 101 actions (Soomro, Zamir and Shah 2012)."""
from __future__ import annotations

import os
from pathlib import Path

from .video_utils import FoldsOfClips


class UCF101(FoldsOfClips):
    __doc__ = f"""Files: `root/ACTION/*.avi`; annotation_path: the folder of `{{train,test}}list0{{1,2,3}}.txt`.

    {FoldsOfClips.__doc__}"""

    def _select_fold(self, video_list: list[str], annotation_path: str, fold: int, train: bool) -> list[int]:
        """A line begins with `ACTION/FILE`."""
        path = Path(annotation_path) / f"{'train' if train else 'test'}list{fold:02d}.txt"
        names = (line.strip().split(" ")[0] for line in path.read_text().splitlines())
        selected = {os.path.join(self.root, *name.split("/")) for name in names}
        return [k for k, path in enumerate(video_list) if path in selected]
