"""Kinetics-400, -600 and -700: ten seconds of people doing something, from the web (Carreira et al. 2017 to 2019)."""
from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote

from .folder import find_classes, make_dataset
from .utils import check_integrity, download_and_extract_archive, download_url, verify_str_arg
from .video_utils import LabelledClips, VideoClips


class Kinetics(LabelledClips):
    """Clips of the videos in `root/SPLIT/CLASS`, with one of `extensions`: (video, audio, class); num_classes "400",
    "600" or "700"; split "train", "val" or "test". Other arguments as of `VideoClips`; here output_format is "TCHW".

    classes: names; samples: (path, class) of each video. download: unless `root/SPLIT` is there; takes hundreds of
        gigabytes.
    num_download_workers: archives at a time. _legacy: videos lie in `root/CLASS`.
    Errors: FileNotFoundError without files; ValueError for an unknown split or num_classes.
    """

    _TAR_URLS = {"400": "https://s3.amazonaws.com/kinetics/400/{split}/k400_{split}_path.txt",
                 "600": "https://s3.amazonaws.com/kinetics/600/{split}/k600_{split}_path.txt",
                 "700": "https://s3.amazonaws.com/kinetics/700_2020/{split}/k700_2020_{split}_path.txt"}
    _ANNOTATION_URLS = {"400": "https://s3.amazonaws.com/kinetics/400/annotations/{split}.csv",
                        "600": "https://s3.amazonaws.com/kinetics/600/annotations/{split}.csv",
                        "700": "https://s3.amazonaws.com/kinetics/700_2020/annotations/{split}.csv"}

    def __init__(self, root: str | Path, frames_per_clip: int, num_classes: str = "400", split: str = "train",
                 frame_rate: int | None = None, step_between_clips: int = 1, transform: Callable | None = None,
                 extensions: tuple[str, ...] = ("avi", "mp4"), download: bool = False, num_download_workers: int = 1,
                 num_workers: int = 1, _precomputed_metadata: dict[str, Any] | None = None, _video_width: int = 0,
                 _video_height: int = 0, _video_min_dimension: int = 0, _audio_samples: int = 0,
                 _audio_channels: int = 0, _legacy: bool = False, output_format: str = "TCHW") -> None:
        self.num_classes = verify_str_arg(num_classes, "num_classes", ("400", "600", "700"))
        self.extensions = extensions
        self.num_download_workers = num_download_workers
        self._legacy = _legacy
        if _legacy and download:
            raise ValueError("Cannot download the videos using legacy_structure.")
        self.split = "unknown" if _legacy else verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root)
        self.split_folder = self.root if _legacy else os.path.join(self.root, split)
        if download:
            self.download_and_process_videos()
        self.classes, class_to_idx = find_classes(self.split_folder)
        self.samples = make_dataset(self.split_folder, class_to_idx, extensions)
        self.video_clips = VideoClips(
            [path for path, _ in self.samples], frames_per_clip, step_between_clips, frame_rate, _precomputed_metadata,
            num_workers=num_workers, _video_width=_video_width, _video_height=_video_height,
            _video_min_dimension=_video_min_dimension, _audio_samples=_audio_samples, _audio_channels=_audio_channels,
            output_format="THWC" if _legacy else output_format)
        self.transform = transform

    def download_and_process_videos(self) -> None:
        """Downloads the videos of this split and sorts them by class."""
        self._download_videos()
        self._make_ds_structure()

    def _listed(self, url: str, folder: str) -> str:
        """A file of the official list, downloaded unless it is there."""
        path = os.path.join(self.root, folder, os.path.basename(url))
        if not check_integrity(path):
            download_url(url, os.path.dirname(path))
        return path

    def _download_videos(self) -> None:
        """The archives go to `root/tars`, their list to `root/files`."""
        if os.path.exists(self.split_folder):
            return
        archives = Path(self._listed(self._TAR_URLS[self.num_classes].format(split=self.split), "files"))
        urls = [quote(line, safe="/,:") for line in archives.read_text().splitlines()]
        fetch = partial(download_and_extract_archive, download_root=os.path.join(self.root, "tars"),
                        extract_root=self.split_folder)
        with ThreadPoolExecutor(self.num_download_workers) as pool:
            list(pool.map(fetch, urls))

    def _make_ds_structure(self) -> None:
        """Videos come in one folder, named by where they were found; `root/annotations` tells their classes."""
        with open(self._listed(self._ANNOTATION_URLS[self.num_classes].format(split=self.split), "annotations"),
                  newline="") as file:
            for row in csv.DictReader(file):
                name = f"{row['youtube_id']}_{int(row['time_start']):06}_{int(row['time_end']):06}.mp4"
                label = row["label"].replace(" ", "_").translate({ord(mark): None for mark in "'()"})
                video, folder = os.path.join(self.split_folder, name), os.path.join(self.split_folder, label)
                if os.path.isfile(video):
                    os.makedirs(folder, exist_ok=True)
                    os.replace(video, os.path.join(folder, name))
