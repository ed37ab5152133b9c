"""What `flambeau run` shows of an error: the user's lines, and what to do."""
import os
import subprocess
import sys
from textwrap import dedent

import pytest


def run(tmp_path, source, **environment):
    path = tmp_path / "train.py"
    path.write_text(dedent(source))
    done = subprocess.run([sys.executable, "-m", "flambeau", "run", str(path)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "FLAMBEAU_TRACEBACK": "", **environment})
    assert done.returncode == 1
    return done.stderr


NET = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 6, 5)
            self.fc1 = nn.Linear(400, 10)

        def forward(self, x):
            x = torch.relu(self.conv(x))
            x = torch.flatten(x, 1)
            return self.fc1(x)

    Net()(torch.rand(2, 3, 8, 8))
"""


def test_a_layer_in_a_model(tmp_path):
    text = run(tmp_path, NET)
    assert text.count('File "') == 2  # the call of the model, and its forward
    assert "return self.fc1(x)" in text
    assert text.rstrip().endswith(dedent("""\
        RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x96 and 400x10)
          linear: input [2, 96] has 96 features, the weight [10, 400] takes 400
          in module 'fc1': Linear(in_features=400, out_features=10, bias=True)
          its input: [2, 3, 8, 8] → conv2d [2, 6, 4, 4] → relu [2, 6, 4, 4] → view [2, 96]"""))


def test_all_frames_on_demand(tmp_path):
    text = run(tmp_path, NET, FLAMBEAU_TRACEBACK="full")
    assert text.count('File "') > 4


def test_a_mistake_of_flambeau_itself_shows_its_frames(tmp_path):
    text = run(tmp_path, """
        import torch
        torch.nn.functional.l1_loss(torch.ones(2), None)
    """)
    assert text.count('File "') > 1


def test_an_error_behind_an_error(tmp_path):
    text = run(tmp_path, """
        import torch
        try:
            torch.ones(2, 3) @ torch.ones(2, 3)
        except RuntimeError as error:
            raise ValueError("my own") from error
    """)
    assert text.count('File "') == 2
    assert "ValueError: my own" in text


def test_a_late_error(tmp_path):
    text = run(tmp_path, """
        import torch
        table = torch.nn.Embedding(5, 3)
        rows = table(torch.arange(4) + 3)
        total = rows.sum()
        print(total.item())
    """)
    assert "IndexError: index out of range in self: embedding got index 5 for a weight of 5 rows" in text
    assert 'line 4\n    rows = table(torch.arange(4) + 3)' in text


@pytest.mark.parametrize("source, words", [
    ("import torch\nx = torch.tensor([1, 2]\n", "SyntaxError: '(' was never closed"),
    ("from torch.nn import Linaer\n", "Nearest names: Linear"),
    ("import torch\ntorch.optim.Adamm\n", "Nearest names: Adam"),
    ("import torch\ntorch.load('nowhere.pt')\n", "FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.pt'"),
    ("import torchvision\ntorchvision.datasets.MNIST('nowhere')\n", "Dataset not found. You can use download=True to download it"),
    ("import torch\ntorch.ones(2).to('cuda')\n", "Torch not compiled with CUDA enabled"),
])
def test_what_it_says(tmp_path, source, words):
    text = run(tmp_path, source)
    assert words in text
    assert text.count('File "') == 1
