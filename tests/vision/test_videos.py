"""Kinetics, UCF101, HMDB51 and the clips that they are made of."""
import sys

import numpy as np
import pytest
import video_sets
from image_sets import pack

import flambeau as torch
from flambeau.utils.data import DataLoader
from flambeau.vision import datasets
from flambeau.vision.datasets.video_utils import VideoClips, unfold


def clips_of(frames, size, step, fps=10.0, frame_rate=None):
    metadata = {"video_paths": ["a"], "video_pts": [torch.arange(frames)], "video_fps": [fps]}
    return VideoClips(["a"], size, step, frame_rate, metadata)


def test_windows():
    assert unfold(torch.arange(7), 3, 2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert unfold(torch.arange(7), 3, 1, 3).tolist() == [[0, 3, 6]]
    assert unfold(torch.arange(2), 3, 1).shape == (0, 3)
    with pytest.raises(ValueError, match="1 dimension instead of 2"):
        unfold(torch.ones(2, 2), 1, 1)


def test_clips_of_a_video():
    clips = clips_of(11, 4, 3)
    assert clips.clips[0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]] and len(clips) == 3
    assert clips_of(11, 4, 3, frame_rate=5).clips[0].tolist() == [[0, 2, 4, 6]]
    slower = clips_of(10, 3, 3, frame_rate=4)
    assert slower.clips[0].tolist() == [[0, 2, 5]] and slower.resampling_idxs[0].tolist() == [[0, 2, 5]]
    with pytest.warns(UserWarning, match="aren't enough frames"):
        assert len(clips_of(3, 4, 1)) == 0
    with pytest.raises(ValueError, match="THWC"):
        VideoClips([], output_format="HWC")


@pytest.fixture
def videos(tmp_path):
    """The root of the videos; with the files that name the folds beside it."""
    pytest.importorskip("av")
    for seed, (path, frames) in enumerate(video_sets.paths(tmp_path / "root").items()):
        video_sets.write_video(path, seed, frames, with_sound=seed == 0)
    video_sets.annotations(tmp_path / "folds")
    return tmp_path / "root"


def test_frames_and_sound(videos):
    paths = sorted(map(str, video_sets.paths(videos)))
    clips = VideoClips(paths, 4, 3, output_format="TCHW")
    assert clips.video_fps == pytest.approx([10, 10, 10]) and [len(pts) for pts in clips.video_pts] == [12, 5, 9]
    assert clips.cumulative_sizes == [3, 4, 6]
    video, audio, info, number = clips.get_clip(1)
    assert (video.numpy() == video_sets.pixels(0, 12)[3:7].transpose(0, 3, 1, 2)).all() and number == 0
    assert info == {"video_fps": pytest.approx(10)}
    assert (audio.numpy() == (video_sets.sound(0, 1.2)[:, 2400:5600] / 2 ** 15).astype(np.float32)).all()
    video, audio, _, number = clips.get_clip(5)
    assert (video.numpy() == video_sets.pixels(2, 9)[3:7].transpose(0, 3, 1, 2)).all() and number == 2
    assert audio.shape == (1, 0) and audio.dtype == torch.float32
    with pytest.raises(IndexError, match="out of range"):
        clips.get_clip(6)


def test_another_rate(videos):
    path = str(next(iter(video_sets.paths(videos))))
    for rate, wanted in ((5, [4, 6, 8]), (4, [2, 5, 7])):
        clips = VideoClips([path], 3, 1 if rate == 4 else 2, frame_rate=rate)
        video, _, info, _ = clips.get_clip(1)
        assert (video.numpy() == video_sets.pixels(0, 12)[wanted]).all() and info == {"video_fps": rate}


@pytest.mark.parametrize("name", ["UCF101", "HMDB51"])
def test_folds(videos, name):
    make = getattr(datasets, name)
    data = make(str(videos), str(videos.parent / "folds"), 5, 5, num_workers=0)
    assert data.classes == ["archery", "fishing"] and data.indices == [0, 2] and len(data) == 3
    assert [data[k][2] for k in range(3)] == [0, 0, 1]
    assert (data[2][0].numpy() == video_sets.pixels(2, 9)[:5]).all()
    assert len(data.metadata["video_paths"]) == 3
    test = make(str(videos), str(videos.parent / "folds"), 5, train=False, transform=lambda video: video.float().mean(),
                _precomputed_metadata=data.metadata)
    assert len(test) == 1 and test[0][0] == pytest.approx(video_sets.pixels(1, 5).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="between 1 and 3, got 4"):
        make(str(videos), str(videos.parent / "folds"), 5, fold=4)


def test_kinetics_in_batches(videos):
    videos.rename(videos.parent / "val")
    data = datasets.Kinetics(str(videos.parent), 5, split="val", step_between_clips=2, num_workers=0)
    loader = DataLoader(data, batch_size=4, num_workers=2, collate_fn=list)
    samples = [sample for batch in loader for sample in batch]
    assert [label for _, _, label in samples] == [0] * 5 + [1] * 3
    assert all(tuple(video.shape) == (5, 3, 6, 8) for video, _, _ in samples)


def test_a_video_that_breaks_off(videos):
    path = videos / "archery" / "archery_0.avi"
    clips = VideoClips([str(path)], 12)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(RuntimeError, match="archery_0.avi is damaged"):
        clips.get_clip(0)


def test_without_pyav(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    video_sets.empty_files(tmp_path / "train")
    with pytest.raises(ImportError, match="pip install av"):
        datasets.Kinetics(str(tmp_path), 5, num_workers=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_download_of_kinetics(tmp_path, as_mirror, workers):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    names = ["dQw4w9WgXcQ_000010_000020.mp4", "aaaaaaaaaaa_000001_000011.mp4"]
    for k, name in enumerate(names):
        (tmp_path / name).write_bytes(b"video")
        pack(mirror / f"part_{k}.tar.gz", tmp_path, name)
    (mirror / "k400_val_path.txt").write_text("".join(f"https://x.org/400/val/part_{k}.tar.gz\n" for k in range(2)))
    (mirror / "val.csv").write_text("label,youtube_id,time_start,time_end,split\nbaking (cookies),dQw4w9WgXcQ,10,20,val\n"
                                    "playing cards,aaaaaaaaaaa,1,11,val\nsinging,bbbbbbbbbbb,1,11,val\n")
    as_mirror(mirror)
    found = {"video_paths": ["a", "b"], "video_pts": [torch.arange(5)] * 2, "video_fps": [1.0] * 2}
    for _ in range(2):  # the second time everything is there
        data = datasets.Kinetics(str(tmp_path / "root"), 5, split="val", _precomputed_metadata=found, download=True,
                                 num_download_workers=workers)
        assert data.classes == ["baking_cookies", "playing_cards"] and len(data) == 2
        assert [path.rpartition("/")[2] for path, _ in data.samples] == names
    with pytest.raises(ValueError, match="Cannot download"):
        datasets.Kinetics(str(tmp_path), 5, download=True, _legacy=True)
