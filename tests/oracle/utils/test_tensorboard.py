"""SummaryWriter's messages are PyTorch's, byte for byte where nothing but numbers decides."""
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

import flambeau as fb

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RNG = np.random.default_rng(0)
IMAGE = RNG.random((3, 9, 7)).astype(np.float32)
BATCH = RNG.integers(0, 256, (5, 1, 6, 4), dtype=np.uint8)
SKEWED = RNG.standard_normal(1000) ** 3
LABELS, SCORES = RNG.integers(0, 2, 60), RNG.random(60).astype(np.float32)

CALLS = {
    "scalar": lambda w, t: w.add_scalar("a/b c", t(np.float32(1.5)), 3, walltime=7.0),
    "scalar of numbers": lambda w, t: (w.add_scalar("a", 2), w.add_scalar("b", 2.5, 1), w.add_scalar("c", np.float64(0.1), np.int64(4))),
    "new scalar": lambda w, t: w.add_scalar("a", t(np.array([0.1], np.float32)), 1, new_style=True),
    "double": lambda w, t: w.add_scalar("a", 0.1, 1, new_style=True, double_precision=True),
    "scalars": lambda w, t: (w.add_scalars("run/x", {"sin": 0.5, "cos": t(np.array(0.25))}, 1), w.add_scalars("run/x", {"sin": 1.0}, 2)),
    "tensor": lambda w, t: [w.add_tensor("a", t(x), i) for i, x in enumerate(
        (IMAGE, BATCH, LABELS, SKEWED[:4], SCORES > 0.5, LABELS.astype(np.int16), SKEWED[:4] + 1j))],
    "histogram": lambda w, t: w.add_histogram("a", t(SKEWED), 1),
    "histogram of few": lambda w, t: (w.add_histogram("a", np.zeros(3)), w.add_histogram("b", t(np.array([-1.0])))),
    "histogram of equal bins": lambda w, t: w.add_histogram("a", t(SKEWED), 1, bins=10),
    "histogram of automatic bins": lambda w, t: w.add_histogram("a", t(SKEWED), 1, bins="auto"),
    "histogram of at most": lambda w, t: [w.add_histogram("a", t(SKEWED), i, bins=b, max_bins=m) for i, (b, m) in enumerate(
        [("tensorflow", 30), (20, 7), (20, 10), (8, 8), ("fd", 5)])],
    "raw histogram": lambda w, t: w.add_histogram_raw("a", 0.0, 3.0, 4, 6.0, 14.0, [1, 2, 3], [1, 1, 2]),
    "image": lambda w, t: w.add_image("a", t(IMAGE), 1),
    "image in other orders": lambda w, t: (w.add_image("a", IMAGE.transpose(1, 2, 0), 1, dataformats="HWC"),
                                           w.add_image("b", t(IMAGE[0]), 1, dataformats="HW"), w.add_image("c", t(IMAGE[:1] * 3 - 1))),
    "images": lambda w, t: (w.add_images("a", t(BATCH), 1), w.add_images("b", t(np.stack([IMAGE] * 11)).permute(0, 2, 3, 1)
                                                                         if hasattr(t(IMAGE), "permute") else 0, 1, dataformats="NHWC")),
    "boxes": lambda w, t: w.add_image_with_boxes("a", t(IMAGE), t(np.array([[1, 1, 4, 5.0]])), labels=None),
    "audio": lambda w, t: w.add_audio("a", t(np.sin(np.arange(300) / 9)[None]), 1, sample_rate=8000),
    "text": lambda w, t: w.add_text("a", "**bold** ü", 1),
    "curve": lambda w, t: w.add_pr_curve("a", t(LABELS), t(SCORES), 1),
    "weighted curve": lambda w, t: w.add_pr_curve("a", LABELS, SCORES, 1, num_thresholds=20, weights=SCORES),
    "raw curve": lambda w, t: w.add_pr_curve_raw("a", *[t(np.arange(4) + i) for i in range(6)], 1, num_thresholds=4),
    "mesh": lambda w, t: w.add_mesh("a", t(IMAGE[None, 0, :, :3]), faces=t(np.array([[[0, 1, 2]]])), config_dict={"x": 1}),
    "layout": lambda w, t: w.add_custom_scalars({"c": {"one": ["Multiline", ["a", "b"]], "two": ["Margin", ["a", "b", "c"]]}}),
    "charts": lambda w, t: (w.add_custom_scalars_multilinechart(["a", "b"]), w.add_custom_scalars_marginchart(["a", "b", "c"], "x", "y")),
    "hparams": lambda w, t: w.add_hparams({"lr": 0.1, "n": 3, "on": True, "kind": "sgd", "none": None},
                                          {"loss": 0.5}, {"lr": [0.1, 0.2], "kind": ["sgd", "adam"]}, run_name="one"),
}


def messages(folder):
    """The summaries of all event files in a folder, by run."""
    found = {}
    for path, _, names in sorted(os.walk(folder)):
        for name in names:
            if "tfevents" in name:
                events = [e for e in LegacyEventFileLoader(os.path.join(path, name)).Load() if not e.file_version]
                found[os.path.relpath(path, folder)] = [(e.step, e.WhichOneof("what"), e.summary) for e in events]
    return found


@pytest.mark.parametrize("name", CALLS)
def test_messages(tmp_path, name):
    from torch.utils.tensorboard import SummaryWriter

    from flambeau.utils.tensorboard import SummaryWriter as Ours
    for side, writer, library in (("theirs", SummaryWriter, torch), ("ours", Ours, fb)):
        with writer(tmp_path / side) as w:
            CALLS[name](w, lambda array, library=library: library.from_numpy(np.asarray(array).copy()))
    wanted, got = messages(tmp_path / "theirs"), messages(tmp_path / "ours")
    assert wanted and list(got) == list(wanted)
    for run, events in wanted.items():
        assert len(got[run]) == len(events)
        for (step, kind, theirs), (our_step, our_kind, ours) in zip(events, got[run]):
            assert (our_step, our_kind) == (step, kind) and ours == theirs


ERRORS = {
    "two numbers": lambda w: w.add_scalar("a", [1, 2]), "not a tensor": lambda w: w.add_histogram("a", object()),
    "two elements": lambda w: w.add_scalar("a", np.ones(2)), "no values": lambda w: w.add_histogram("a", np.ones(0)),
    "wrong order": lambda w: w.add_image("a", np.ones((2, 2)), dataformats="CHW"), "twice": lambda w: w.add_image("a", np.ones((2, 2)), dataformats="HH"),
    "unequal": lambda w: w.add_histogram_raw("a", 0, 1, 2, 3, 4, [1], [1, 2]), "no dict": lambda w: w.add_hparams([], {}),
    "no metrics": lambda w: w.add_hparams({}, None), "a list": lambda w: w.add_hparams({"a": [1]}, {}),
    "a domain": lambda w: w.add_hparams({"a": 1}, {}, {"a": ["x"]}), "labels": lambda w: w.add_embedding(np.ones((2, 2)), metadata=["a"]),
    "a vector": lambda w: w.add_embedding(np.ones(2)), "a list of tensors": lambda w: w.add_tensor("a", [1]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(tmp_path, name):
    from torch.utils.tensorboard import SummaryWriter

    from flambeau.utils.tensorboard import SummaryWriter as Ours
    caught = []
    for writer in (SummaryWriter, Ours):
        with writer(tmp_path / writer.__module__) as w, pytest.raises(Exception) as error:  # noqa: PT011  the class is compared
            ERRORS[name](w)
        caught.append(type(error.value))
    assert caught[0] is caught[1]


def test_embeddings(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    from flambeau.utils.tensorboard import SummaryWriter as Ours
    for side, writer, library in (("theirs", SummaryWriter, torch), ("ours", Ours, fb)):
        with writer(tmp_path / side) as w:
            def t(array, library=library):
                return library.from_numpy(array.copy())
            w.add_embedding(t(BATCH[:, 0, :, 0].astype(np.float32)), metadata=list("abcde"), label_img=t(BATCH[:, :, :4] / np.float32(255)),
                            global_step=3, tag="a b")
            w.add_embedding(t(IMAGE[0]), metadata=[[i, i * i] for i in range(9)], metadata_header=["i", "square"])
    trees = []
    for side in ("theirs", "ours"):
        files = sorted(p for p in (tmp_path / side).rglob("*") if p.is_file() and "tfevents" not in p.name)
        trees.append({str(p.relative_to(tmp_path / side)): p for p in files})
    assert list(trees[1]) == list(trees[0])
    for name, theirs in trees[0].items():
        if name.endswith("tsv"):
            assert trees[1][name].read_text() == theirs.read_text()
        elif name.endswith("png"):
            from PIL import Image
            np.testing.assert_array_equal(np.asarray(Image.open(trees[1][name])), np.asarray(Image.open(theirs)))
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    configs = [text_format.Parse((tmp_path / side / "projector_config.pbtxt").read_text(), ProjectorConfig()) for side in ("theirs", "ours")]
    assert configs[0] == configs[1]
