"""Sets of videos: torchvision sees the same files, classes and clips, given what reading the videos tells."""
import warnings

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
pytest.importorskip("torchvision.datasets.samplers")  # which torchvision does not import itself

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


@pytest.mark.parametrize("count, replicas, shuffle, group", [(12, 4, False, 1), (14, 4, True, 2), (9, 2, True, 3),
                                                             (8, 3, False, 4), (9, 2, False, 2)])
def test_groups_of_samples_for_processes(count, replicas, shuffle, group):
    results = []
    for _, vision in LIBRARIES:
        try:
            samplers = [vision.datasets.samplers.DistributedSampler(range(count), replicas, rank, shuffle, group)
                        for rank in range(replicas)]
        except ValueError as error:
            results.append(str(error))
            continue
        for sampler in samplers:
            sampler.set_epoch(3)
        results.append([(list(sampler), len(sampler)) for sampler in samplers])
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["UniformClipSampler", "RandomClipSampler"])
@pytest.mark.parametrize("per_video", [2, 5])
def test_samplers_of_clips(name, per_video):
    results = []
    for library, vision in LIBRARIES:
        library.manual_seed(0)
        metadata = {"video_paths": ["a", "b", "c"], "video_pts": [library.arange(n) for n in (9, 1, 30)],
                    "video_fps": [10.0] * 3}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clips = vision.datasets.video_utils.VideoClips(["a", "b", "c"], 4, 2, None, metadata)
        sampler = getattr(vision.datasets.samplers, name)(clips, per_video)
        nested = vision.datasets.samplers.DistributedSampler(sampler, 1, 0)
        results.append((list(sampler), len(sampler), list(nested), list(sampler)))
    assert results[0] == results[1]
    with pytest.raises(TypeError, match="instance of VideoClips"):
        getattr(flambeau.vision.datasets.samplers, name)([], per_video)
