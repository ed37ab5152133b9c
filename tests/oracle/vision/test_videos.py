"""Sets of videos: torchvision sees the same files, classes and clips, given what reading the videos tells."""
import warnings

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import video_sets

import flambeau
import flambeau.vision

LIBRARIES = ((torch, torchvision), (flambeau, flambeau.vision))


@pytest.mark.parametrize("fps", [10.0, 29.97, None])
@pytest.mark.parametrize("frame_rate", [None, 5, 7, 25])
@pytest.mark.parametrize("step", [1, 3])
def test_clips(fps, frame_rate, step):
    results = []
    for library, vision in LIBRARIES:
        video_utils = vision.datasets.video_utils
        metadata = {"video_paths": ["a", "b"], "video_pts": [library.arange(23), library.arange(2)],
                    "video_fps": [fps, fps]}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            clips = video_utils.VideoClips(["a", "b"], 4, step, frame_rate, metadata)
        picked = [rows if isinstance(rows, list) else rows.tolist() for rows in clips.resampling_idxs]
        results.append(([rows.tolist() for rows in clips.clips], picked, clips.cumulative_sizes, len(clips),
                        [clips.get_clip_location(k) for k in range(len(clips))], len(caught)))
    assert results[0] == results[1]


CASES = [("UCF101", {}), ("UCF101", {"train": False}), ("HMDB51", {}), ("HMDB51", {"train": False}),
         ("HMDB51", {"fold": 0}), ("UCF101", {"fold": 4}), ("Kinetics", {"split": "val"}), ("Kinetics", {"split": "x"}),
         ("Kinetics", {"split": "val", "num_classes": "500"}), ("Kinetics", {"split": "val", "output_format": "x"}),
         ("Kinetics", {"split": "test"})]


@pytest.mark.parametrize("name, options", CASES)
def test_sets(name, options, tmp_path):
    root = tmp_path / "val"
    video_sets.empty_files(root)
    video_sets.annotations(tmp_path / "folds")
    places = (str(tmp_path),) if name == "Kinetics" else (str(root), str(tmp_path / "folds"))
    results = []
    for library, vision in LIBRARIES:
        try:
            data = getattr(vision.datasets, name)(*places, 5, **options, num_workers=0,
                                                  _precomputed_metadata=video_sets.metadata(root, library.tensor))
        except (ValueError, FileNotFoundError) as error:
            results.append((type(error).__name__, str(error)[:30]))
            continue
        shown = {key: getattr(data, key, None) for key in ("classes", "samples", "indices", "fold", "train", "split",
                                                           "num_classes", "extensions")}
        results.append((repr(data), len(data), shown, data.video_clips.cumulative_sizes, data.metadata["video_paths"]))
    assert results[0] == results[1]
