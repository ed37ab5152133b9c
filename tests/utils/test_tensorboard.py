"""What SummaryWriter writes, read back by TensorBoard itself."""
import os

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray

import flambeau as fb
from flambeau import nn
from flambeau.utils.tensorboard import SummaryWriter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0, "histograms": 0, "compressedHistograms": 0})
    accumulator.Reload()
    return accumulator


def test_scalars_come_back(tmp_path):
    with SummaryWriter(tmp_path) as w:
        for step in range(300):
            w.add_scalar("loss", fb.tensor(1.0) / (step + 1), step)
        w.add_scalars("both", {"a": 1, "b": 2}, 5)
        w.add_scalar("precise", 0.1, new_style=True, double_precision=True)
    events = read(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(i, np.float32(1) / np.float32(i + 1)) for i in range(300)]
    assert make_ndarray(events.Tensors("precise")[0].tensor_proto) == 0.1
    assert sorted(p for p in os.listdir(tmp_path) if "tfevents" not in p) == ["both_a", "both_b"]
    assert [(e.step, e.value) for e in read(tmp_path / "both_b").Scalars("both")] == [(5, 2.0)]


def test_histograms_pictures_sound_and_text_come_back(tmp_path):
    from PIL import Image
    values = fb.arange(100.0) - 20
    with SummaryWriter(tmp_path) as w:
        w.add_histogram("h", values, 2)
        w.add_image("i", fb.full((3, 4, 5), 0.5), 1)
        w.add_images("is", fb.zeros(10, 1, 4, 5, dtype=fb.uint8))
        w.add_audio("s", fb.zeros(1, 50), sample_rate=100)
        w.add_text("t", "*x*", 7)
        w.add_video("v", fb.rand(2, 3, 3, 4, 5), fps=2)
        w.add_tensor("half", fb.tensor([1.5, -2.0], dtype=fb.float16))
        w.add_image_with_boxes("b", fb.zeros(3, 30, 30), fb.tensor([[2.0, 2.0, 20.0, 20.0]]), labels=["cat"])
    events = read(tmp_path)
    h = events.Histograms("h")[0].histogram_value
    assert (h.min, h.max, h.num, h.sum, h.sum_squares) == (-20, 79, 100, values.sum().item(), (values * values).sum().item())
    assert sum(h.bucket) == 100 and len(h.bucket) == len(h.bucket_limit)
    image = events.Images("i")[0]
    assert (image.width, image.height) == (5, 4)
    import io
    assert set(np.asarray(Image.open(io.BytesIO(image.encoded_image_string))).ravel()) == {127}
    grid = events.Images("is")[0]
    assert (grid.width, grid.height) == (40, 8)
    assert (events.Audio("s")[0].sample_rate, events.Audio("s")[0].content_type) == (100, "audio/wav")
    assert make_ndarray(events.Tensors("t/text_summary")[0].tensor_proto).tolist() == [b"*x*"]
    gif = Image.open(io.BytesIO(events.Images("v")[0].encoded_image_string))
    assert gif.n_frames == 3 and gif.info["duration"] == 500 and gif.size == (10, 4)
    assert make_ndarray(events.Tensors("half")[0].tensor_proto).tolist() == [1.5, -2.0]
    boxed = np.asarray(Image.open(io.BytesIO(events.Images("b")[0].encoded_image_string)))
    assert boxed[2, 10].tolist() == [255, 0, 0] and boxed[25, 25].tolist() == [0, 0, 0]


def test_figures(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    figures = [plt.figure(figsize=(1, 1), dpi=20) for _ in range(3)]
    with SummaryWriter(tmp_path) as w:
        w.add_figure("one", figures[0], close=False)
        assert plt.fignum_exists(figures[0].number)
        w.add_figure("several", figures)
    assert not plt.get_fignums()
    events = read(tmp_path)
    assert (events.Images("one")[0].width, events.Images("several")[0].width) == (20, 60)


def test_curves(tmp_path):
    labels, scores = fb.tensor([0, 0, 1, 1]), fb.tensor([0.1, 0.6, 0.4, 0.9])
    with SummaryWriter(tmp_path) as w:
        w.add_pr_curve("p", labels, scores, num_thresholds=11)
    tp, fp, tn, fn, precision, recall = make_ndarray(read(tmp_path).Tensors("p")[0].tensor_proto)
    assert tp[0] == 2 and fp[0] == 2 and tp[5] == 1 and fp[5] == 1 and tn[5] == 1 and fn[5] == 1
    assert precision[5] == recall[5] == 0.5


def test_hyperparameters(tmp_path):
    with SummaryWriter(tmp_path) as w:
        w.add_hparams({"lr": 0.1, "kind": "sgd", "tensor": fb.tensor(3)}, {"loss": 0.25}, {"kind": ["sgd", "adam"]}, run_name="one")
    events = read(tmp_path / "one")
    assert events.Scalars("loss")[0].value == 0.25
    found = {}
    for tag, content in events.PluginTagToContent("hparams").items():
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
        found[tag] = data
    start = found["_hparams_/session_start_info"].session_start_info.hparams
    assert (start["lr"].number_value, start["kind"].string_value, start["tensor"].number_value) == (0.1, "sgd", 3.0)
    infos = found["_hparams_/experiment"].experiment.hparam_infos
    assert [v.string_value for info in infos if info.name == "kind" for v in info.domain_discrete.values] == ["sgd", "adam"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.body = nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x, scale):
        return {"out": self.body(self.first(x)) * scale}


def test_graphs_show_calls_inside_their_modules(tmp_path):
    model = Net()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with SummaryWriter(tmp_path) as w:
        w.add_graph(model, (fb.ones(2, 3), fb.ones(())))
    graph = read(tmp_path).Graph()
    assert isinstance(graph, GraphDef)
    nodes = {n.name: n for n in graph.node}
    assert [n for n in nodes if nodes[n].op == "linear"] == [
        "Net/Linear[first]/linear", "Net/Sequential[body]/Linear[1]/linear", "Net/Sequential[body]/Linear[2]/linear"]
    assert list(nodes["Net/Linear[first]/linear"].input) == ["input/0", "Net/first/weight", "Net/first/bias"]
    assert list(nodes["Net/Sequential[body]/ReLU[0]/relu"].input) == ["Net/Linear[first]/linear"]
    assert list(nodes["Net/mul"].input) == ["Net/Sequential[body]/Linear[2]/linear", "input/1"]
    assert list(nodes["output/0"].input) == ["Net/mul"]
    assert [d.size for d in nodes["Net/mul"].attr["_output_shapes"].list.shape[0].dim] == [2, 4]
    assert not model._forward_hooks and not model.first._forward_pre_hooks
    assert all(fb.equal(v, before[k]) for k, v in model.state_dict().items())


def test_embeddings(tmp_path):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    with SummaryWriter(tmp_path) as w:
        for step in (1, 2, 2):
            w.add_embedding(fb.eye(3), ["a", "b", "c"], fb.rand(3, 3, 4, 5), step, tag="x/y")
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [e.tensor_path for e in config.embeddings] == ["00001/x%2fy/tensors.tsv", "00002/x%2fy/tensors.tsv"]
    assert (tmp_path / config.embeddings[0].metadata_path).read_text() == "a\nb\nc\n"
    assert (tmp_path / config.embeddings[0].tensor_path).read_text().splitlines()[1] == "0.0\t1.0\t0.0"
    from PIL import Image
    with Image.open(tmp_path / config.embeddings[0].sprite.image_path) as sprite:
        assert sprite.size == (10, 8)


def test_writers_open_again_and_purge(tmp_path, monkeypatch):
    w = SummaryWriter(tmp_path, purge_step=3, filename_suffix=".x")
    w.add_scalar("a", 1, 4)
    w.close()
    w.close()
    w.flush()
    assert all(name.endswith(".x") for name in os.listdir(tmp_path))
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_note") as w:
        assert w.get_logdir().startswith("runs" + os.sep) and w.get_logdir().endswith("_note") and os.path.isdir(w.get_logdir())
