"""Clips of a fixed number of frames from video files, by PyAV (`pip install av`), loaded when a file is read."""
from __future__ import annotations

import bisect
import contextlib
import functools
import math
import os
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

import flambeau as torch

from ...utils.data import DataLoader
from .folder import find_classes, make_dataset
from .vision import VisionDataset

__all__ = ["VideoClips", "unfold"]


# ---- files

class _Frames(NamedTuple):
    """When the frames of a video are shown, in units of its stream, in that order; and how many come in a second."""

    times: tuple[int, ...]
    rate: float | None


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        import av
    except ImportError:
        raise ImportError("Video decoding needs PyAV: please run pip install av") from None
    with av.open(os.fspath(path)) as container:
        yield container


@functools.lru_cache(maxsize=256)
def _frames(path: str | Path) -> _Frames:
    """Reads a file without decoding it. No frames and no rate where it has no video."""
    with _opened(path) as container:
        if not container.streams.video:
            return _Frames((), None)
        stream = container.streams.video[0]
        packets = (packet for packet in container.demux(stream) if packet.pts is not None)
        shown = sorted((packet.pts, packet.duration or 0) for packet in packets)
        seconds = float((shown[-1][0] + shown[-1][1] - shown[0][0]) * stream.time_base) if shown else 0
        rate = len(shown) / seconds if seconds else float(stream.average_rate or 0) or None
        return _Frames(tuple(time for time, _ in shown), rate)


def _read_frames(path: str | Path, start: int, stop: int) -> np.ndarray:
    """Frames number `start` to `stop - 1`, uint8 (T, H, W, 3). RuntimeError if the file breaks off before."""
    times = _frames(path).times
    pixels: list[np.ndarray] = []
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        container.seek(times[start], stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= times[start]:
                pixels.append(frame.to_ndarray(format="rgb24"))
            if len(pixels) == stop - start:
                return np.stack(pixels)
    raise RuntimeError(f"{path} is damaged: frames {start + len(pixels)} to {stop - 1} cannot be decoded")


def _read_audio(path: str | Path, start: float, stop: float) -> np.ndarray:
    """What is heard from second `start` to second `stop`: float32 (channels, samples); (1, 0) without sound."""
    parts: list[np.ndarray] = []
    with _opened(path) as container:
        if not container.streams.audio:
            return np.empty((1, 0), np.float32)
        import av

        stream = container.streams.audio[0]
        planes = av.AudioResampler(format="fltp")
        container.seek(max(0, int(start / stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            first = round((start - frame.time) * frame.sample_rate)
            last = round((stop - frame.time) * frame.sample_rate)
            if last <= 0:
                break
            if first < frame.samples:
                samples = np.concatenate([part.to_ndarray() for part in planes.resample(frame)], axis=1)
                parts.append(samples[:, max(first, 0):last])
    return np.concatenate(parts, axis=1) if parts else np.empty((1, 0), np.float32)


# ---- clips

def unfold(tensor: Any, size: int, step: int, dilation: int = 1) -> Any:
    """All windows of `size` elements, `dilation` apart, of a 1-D tensor, `step` apart: (windows, size), a view."""
    if tensor.dim() != 1:
        raise ValueError(f"tensor should have 1 dimension instead of {tensor.dim()}")
    stride = tensor.stride(0)
    windows = max(0, (tensor.numel() - (dilation * (size - 1) + 1)) // step + 1)
    return torch.as_strided(tensor, (windows, size), (step * stride, dilation * stride))


class _Files:
    """(numbers of the frames, frames in a second) of each video file."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[list[int], float | None]:
        times, rate = _frames(self.paths[index])
        return list(range(len(times))), rate


def _as_they_are(samples: list) -> list:
    return samples


class VideoClips:
    """All clips of `clip_length_in_frames` frames, which begin `frames_between_clips` apart, of video files.

    frame_rate: frames in a second that clips are resampled to, by leaving out or repeating frames (default: as in the
        file).
    num_workers: of the loader that reads the files, once, for their frames; `metadata` is what it found, which another
    object can be given. output_format: "THWC" or "TCHW". Other arguments are kept without effect.

    video_pts, video_fps: of each file the numbers of its frames and their rate. clips: of each file an int64 Tensor
    (clips, frames). cumulative_sizes: clips up to each file.
    """

    def __init__(self, video_paths: list[str], clip_length_in_frames: int = 16, frames_between_clips: int = 1,
                 frame_rate: float | None = None, _precomputed_metadata: dict[str, Any] | None = None,
                 num_workers: int = 0, _video_width: int = 0, _video_height: int = 0, _video_min_dimension: int = 0,
                 _video_max_dimension: int = 0, _audio_samples: int = 0, _audio_channels: int = 0,
                 output_format: str = "THWC") -> None:
        self.video_paths = video_paths
        self.num_workers = num_workers
        self._sizes = {"_video_width": _video_width, "_video_height": _video_height,
                       "_video_min_dimension": _video_min_dimension, "_video_max_dimension": _video_max_dimension,
                       "_audio_samples": _audio_samples, "_audio_channels": _audio_channels}
        self.output_format = output_format.upper()
        if self.output_format not in ("THWC", "TCHW"):
            raise ValueError(f"output_format should be either 'THWC' or 'TCHW', got {output_format}.")
        if _precomputed_metadata is None:
            self._look_into_files()
        else:
            self.video_paths = _precomputed_metadata["video_paths"]
            self.video_pts = _precomputed_metadata["video_pts"]
            self.video_fps = _precomputed_metadata["video_fps"]
            assert len(self.video_paths) == len(self.video_pts) == len(self.video_fps)
        self.compute_clips(clip_length_in_frames, frames_between_clips, frame_rate)

    def _look_into_files(self) -> None:
        files = DataLoader(_Files(self.video_paths), batch_size=16, num_workers=self.num_workers,
                           collate_fn=_as_they_are)
        found = [file for batch in files for file in batch]
        self.video_pts = [torch.as_tensor(numbers, dtype=torch.long) for numbers, _ in found]
        self.video_fps = [rate for _, rate in found]

    @property
    def metadata(self) -> dict[str, Any]:
        """video_paths, video_pts and video_fps."""
        return {"video_paths": self.video_paths, "video_pts": self.video_pts, "video_fps": self.video_fps}

    def subset(self, indices: list[int]) -> VideoClips:
        """The clips of some of the files."""
        metadata = {name: [values[i] for i in indices] for name, values in self.metadata.items()}
        return type(self)(metadata["video_paths"], self.num_frames, self.step, self.frame_rate, metadata,
                          num_workers=self.num_workers, output_format=self.output_format, **self._sizes)

    @staticmethod
    def compute_clips_for_video(video_pts: Any, num_frames: int, step: int, fps: float | None,
                                frame_rate: float | None = None) -> tuple[Any, Any]:
        """(the frames of each clip (clips, num_frames), what picks them at `frame_rate` from those between its first
        and last: one slice, or a row, for each clip)."""
        fps = 1 if fps is None else fps  # without video there are no frames either
        frame_rate = fps if frame_rate is None else frame_rate
        picked = VideoClips._resample_video_idx(math.floor(len(video_pts) * frame_rate / fps), fps, frame_rate)
        clips = unfold(video_pts[picked], num_frames, step)
        if not clips.numel():
            warnings.warn("There aren't enough frames in the current video to get a clip for the given clip length and "
                          "frames between clips. The video (and potentially others) will be skipped.", stacklevel=2)
        return clips, [picked] * len(clips) if isinstance(picked, slice) else unfold(picked, num_frames, step)

    def compute_clips(self, num_frames: int, step: int, frame_rate: float | None = None) -> None:
        """Other clips of the same files; a rest of fewer than `num_frames` frames is left out."""
        self.num_frames = num_frames
        self.step = step
        self.frame_rate = frame_rate
        computed = [self.compute_clips_for_video(numbers, num_frames, step, fps, frame_rate)
                    for numbers, fps in zip(self.video_pts, self.video_fps)]
        self.clips = [clips for clips, _ in computed]
        self.resampling_idxs = [picked for _, picked in computed]
        self.cumulative_sizes = np.cumsum([len(clips) for clips in self.clips]).tolist()

    def __len__(self) -> int:
        return self.num_clips()

    def num_videos(self) -> int:
        """How many files there are."""
        return len(self.video_paths)

    def num_clips(self) -> int:
        """How many clips there are in all files."""
        return self.cumulative_sizes[-1]

    def get_clip_location(self, idx: int) -> tuple[int, int]:
        """(number of the file, number of the clip in it) of clip number `idx`."""
        video = bisect.bisect_right(self.cumulative_sizes, idx)
        return video, idx - (self.cumulative_sizes[video - 1] if video else 0)

    @staticmethod
    def _resample_video_idx(num_frames: int, original_fps: float, new_fps: float) -> Any:
        """What picks `num_frames` frames at another rate: a slice where the one divides the other, else int64
        (frames,)."""
        step = original_fps / new_fps
        if step.is_integer():
            return slice(None, None, int(step))
        return (torch.arange(num_frames, dtype=torch.float32) * step).floor().to(torch.int64)

    def get_clip(self, idx: int) -> tuple[Any, Any, dict[str, Any], int]:
        """(video uint8 (T, H, W, C) or (T, C, H, W), audio float32 (channels, samples), {"video_fps": rate}, number of
        the file). Errors: IndexError outside the clips; ImportError without PyAV; RuntimeError for a damaged file."""
        if idx >= self.num_clips():
            raise IndexError(f"Index {idx} out of range ({self.num_clips()} number of clips)")
        video_idx, clip_idx = self.get_clip_location(idx)
        path, numbers = self.video_paths[video_idx], self.clips[video_idx][clip_idx].tolist()
        start, stop = numbers[0], numbers[-1] + 1
        fps = _frames(path).rate or 1
        frames = _read_frames(path, start, stop)
        if self.frame_rate is not None:
            picked = self.resampling_idxs[video_idx][clip_idx]
            frames = frames[picked if isinstance(picked, slice) else (picked - picked[0]).numpy()]
        assert len(frames) == self.num_frames, f"{frames.shape} x {self.num_frames}"
        if self.output_format == "TCHW":
            frames = frames.transpose(0, 3, 1, 2)
        audio = torch.from_numpy(_read_audio(path, start / fps, stop / fps))
        info = {"video_fps": fps if self.frame_rate is None else self.frame_rate}
        return torch.from_numpy(np.ascontiguousarray(frames)), audio, info, video_idx


# ---- sets of clips

class LabelledClips(VisionDataset):
    """The base of sets of clips: (video, audio, class).

    samples: (path, class) of each video; classes: names. A subclass sets `video_clips`, and `indices` if these are of
    some of the samples only.
    """

    samples: list[tuple[str, int]]
    video_clips: VideoClips
    transform: Callable | None
    indices: Sequence[int] | None = None

    def __getitem__(self, idx: int) -> tuple[Any, Any, int]:
        """(video, audio, class), the video through the transform."""
        video, audio, _, number = self.video_clips.get_clip(idx)
        label = self.samples[number if self.indices is None else self.indices[number]][1]
        return video if self.transform is None else self.transform(video), audio, label

    def __len__(self) -> int:
        return self.video_clips.num_clips()

    @property
    def metadata(self) -> dict[str, Any]:
        """What reading all video files told, for `_precomputed_metadata` of another set on the same files."""
        return self.video_clips.metadata


class FoldsOfClips(LabelledClips):
    """Clips of the AVI files in `root/CLASS`, of which one of three folds takes some to train and some to test.

    annotation_path: the folder of the files that say so. Other arguments as of `VideoClips`.
    Errors: ValueError for a fold that is not 1, 2 or 3; FileNotFoundError without files.
    """

    def __init__(self, root: str | Path, annotation_path: str, frames_per_clip: int, step_between_clips: int = 1,
                 frame_rate: int | None = None, fold: int = 1, train: bool = True, transform: Callable | None = None,
                 _precomputed_metadata: dict[str, Any] | None = None, num_workers: int = 1, _video_width: int = 0,
                 _video_height: int = 0, _video_min_dimension: int = 0, _audio_samples: int = 0,
                 output_format: str = "THWC") -> None:
        super().__init__(root)
        if fold not in (1, 2, 3):
            raise ValueError(f"fold should be between 1 and 3, got {fold}")
        self.fold = fold
        self.train = train
        self.classes, class_to_idx = find_classes(self.root)
        self.samples = make_dataset(self.root, class_to_idx, ("avi",))
        paths = [path for path, _ in self.samples]
        self.full_video_clips = VideoClips(
            paths, frames_per_clip, step_between_clips, frame_rate, _precomputed_metadata, num_workers=num_workers,
            _video_width=_video_width, _video_height=_video_height, _video_min_dimension=_video_min_dimension,
            _audio_samples=_audio_samples, output_format=output_format)
        self.indices = self._select_fold(paths, annotation_path, fold, train)
        self.video_clips = self.full_video_clips.subset(self.indices)
        self.transform = transform

    def _select_fold(self, video_list: list[str], annotation_path: str, fold: int, train: bool) -> list[int]:
        """The numbers of the videos that belong there."""
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, Any]:
        return self.full_video_clips.metadata
