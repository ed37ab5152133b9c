"""Which clips of `VideoClips` an epoch sees, and which of a set's groups of samples a process sees."""
from __future__ import annotations

import itertools
import math
from typing import Any, Iterator, Sized

import flambeau as torch

from ....utils.data import Sampler
from ....utils.data.distributed import ask_process_group
from ..video_utils import VideoClips

__all__ = ["DistributedSampler", "RandomClipSampler", "UniformClipSampler"]


class DistributedSampler(Sampler):
    """The share of process `rank` of `num_replicas`: every num_replicas-th group of `group_size` neighbours; the first
    ones come again where the groups do not divide evenly. Of a sampler, its indices.

    shuffle: in another order for each `set_epoch(n)`, the same in all processes.
    Errors: ValueError unless group_size divides the set's length.
    """

    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = False,
                 group_size: int = 1) -> None:
        num_replicas = ask_process_group("get_world_size") if num_replicas is None else num_replicas
        rank = ask_process_group("get_rank") if rank is None else rank
        if len(dataset) % group_size:
            raise ValueError("dataset length must be a multiplier of group size dataset length: "
                             f"{len(dataset)}, group size: {group_size}")
        self.dataset = dataset
        self.group_size = group_size
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.num_group_samples = math.ceil(len(dataset) // group_size / num_replicas)
        self.num_samples = self.num_group_samples * group_size
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        generator = torch.Generator().manual_seed(self.epoch)
        order = torch.randperm(count, generator=generator).tolist() if self.shuffle else range(count)
        indices = list(itertools.islice(itertools.cycle(order), self.total_size))
        size = self.group_size
        groups = [indices[k:k + size] for k in range(0, self.total_size, size)]
        mine = [index for group in groups[self.rank::self.num_replicas] for index in group]
        if isinstance(self.dataset, Sampler):
            inner = list(self.dataset)
            mine = [inner[index] for index in mine]
        return iter(mine)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Another order, if shuffled."""
        self.epoch = epoch


class _ClipSampler(Sampler):
    def __init__(self, video_clips: VideoClips) -> None:
        if not isinstance(video_clips, VideoClips):
            raise TypeError(f"Expected video_clips to be an instance of VideoClips, got {type(video_clips)}")
        self.video_clips = video_clips

    def _parts(self) -> Iterator[tuple[int, int]]:
        """(number of the first clip, number of clips) of each video."""
        first = 0
        for clips in self.video_clips.clips:
            yield first, len(clips)
            first += len(clips)


class UniformClipSampler(_ClipSampler):
    """`num_clips_per_video` clips of each video that has any, equally far from each other; some more than once where
    there are fewer."""

    def __init__(self, video_clips: VideoClips, num_clips_per_video: int) -> None:
        super().__init__(video_clips)
        self.num_clips_per_video = num_clips_per_video

    def __iter__(self) -> Iterator[int]:
        picked: list[Any] = [torch.linspace(first, first + count - 1, steps=self.num_clips_per_video).floor().long()
                             for first, count in self._parts() if count]
        return iter(torch.cat(picked).tolist())

    def __len__(self) -> int:
        return sum(self.num_clips_per_video for _, count in self._parts() if count)


class RandomClipSampler(_ClipSampler):
    """At most `max_clips_per_video` clips of each video, by chance, all in a random order."""

    def __init__(self, video_clips: VideoClips, max_clips_per_video: int) -> None:
        super().__init__(video_clips)
        self.max_clips_per_video = max_clips_per_video

    def __iter__(self) -> Iterator[int]:
        picked = torch.cat([torch.randperm(count)[:self.max_clips_per_video] + first for first, count in self._parts()])
        return iter(picked[torch.randperm(len(picked))].tolist())

    def __len__(self) -> int:
        return sum(min(count, self.max_clips_per_video) for _, count in self._parts())
