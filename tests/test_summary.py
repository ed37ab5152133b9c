"""Summaries of models: the function and the command."""
import subprocess
import sys

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.summary import summary


def test_a_table():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10))
    model[0].weight.requires_grad_(False)
    result = summary(model, (2, 3, 4, 4))
    assert str(result).splitlines() == [
        "Layer         Output        Parameters  Multiply-adds",
        "-----------------------------------------------------",
        "Sequential    [2, 10]                -              -",
        "  0: Conv2d   [2, 8, 4, 4]         216          6,912",
        "  1: ReLU     [2, 8, 4, 4]           -              -",
        "  2: Flatten  [2, 128]               -              -",
        "  3: Linear   [2, 10]            1,290          2,560",
        "-----------------------------------------------------",
        "Parameters: 1,506 (1,290 trainable, 216 frozen)",
        "Multiply-adds: 9,472 (0.000 GFLOPs)",
        "Memory: 0.01 MB (input 0.00 MB, parameters 0.01 MB, results of layers 0.00 MB)"]
    assert (result.input_bytes, result.total_param_bytes) == (384, 6024)
    assert result.total_output_bytes == 4 * (256 + 256 + 256 + 20)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    model[1].eval()
    summary(model, (4, 3))
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert model[0].num_batches_tracked.item() == 0 and not model[0]._forward_hooks


def test_shared_layers_count_once_and_run_twice():
    layer = nn.Linear(5, 5)
    result = summary(nn.Sequential(layer, nn.ReLU(), layer), (1, 5))
    assert result.total_params == 30 and result.total_mult_adds == 50
    tied = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)])
    tied[1].weight = tied[0].weight
    assert summary(tied).total_params == 16


def test_depth_hides_layers_but_not_their_sums():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)))
    shown = str(summary(model, (1, 2), depth=1))
    assert "25" in shown and "18" in shown and "Linear" not in shown


@pytest.mark.parametrize("model, size, expected", [
    (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 5), 100 * 6 * 4),
    (lambda: nn.Conv1d(4, 6, 3, groups=2), (1, 4, 10), 8 * 6 * 2 * 3),
    (lambda: nn.LSTM(3, 5, batch_first=True), (2, 7, 3), 14 * 20 * 8),
    (lambda: nn.GRUCell(3, 5), (2, 3), 2 * 15 * 8),
    (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (3, 5, 8), 15 * (4 * 64 + 2 * 128) + 2 * 15 * 40),
])
def test_multiply_adds(model, size, expected):
    assert summary(model(), size).total_mult_adds == expected


def test_several_inputs_and_data():
    class Add(nn.Module):
        def forward(self, a, b):
            return {"sum": a + b}

    assert summary(Add(), [(2, 3), (3,)]).layers[0].output == [(2, 3)]
    assert summary(Add(), input_data=(torch.ones(2), torch.ones(1))).layers[0].output == [(2,)]


def test_published_numbers():
    """Multiply-adds and parameters that torchvision states for its weights."""
    models = pytest.importorskip("flambeau.vision.models")
    for name in ("squeezenet1_1", "mobilenet_v3_small", "resnet18"):
        meta = models.get_model_weights(name).DEFAULT.meta
        result = summary(models.get_model(name), (1, 3, 224, 224))
        assert result.total_params == meta["num_params"]
        assert result.total_mult_adds / 1e9 == pytest.approx(meta["_ops"], abs=2e-3)


def test_the_command(tmp_path):
    (tmp_path / "model.py").write_text("import torch\nclass Net(torch.nn.Module):\n"
                                       "    def __init__(self):\n        super().__init__()\n"
                                       "        self.fc = torch.nn.Linear(4, 2)\n"
                                       "    def forward(self, x):\n        return self.fc(x)\nnet = Net()\n")

    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "flambeau", "summary", *arguments], cwd=tmp_path,
                              capture_output=True, text=True)

    for target in ("model.py:Net", "model.py:net"):
        result = run(target, "--input", "3,4")
        assert result.returncode == 0 and "fc: Linear  [3, 2]" in result.stdout, result.stderr
    assert "Memory: parameters" in run("model.py:Net").stdout
    assert run("model.py:None").returncode == 1 and run("model.py").returncode == 2
