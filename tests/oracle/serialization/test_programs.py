"""The same `import torch` programs under PyTorch and under `flambeau run` read each other's files."""
import os
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

COMMON = """
import pathlib, sys
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        self.act = F.gelu
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x):
        return self.act(self.body(x)) * self.scale


folder = pathlib.Path(sys.argv[1])
"""
WRITE = (
    COMMON
    + """
torch.manual_seed(0)
net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
for _ in range(2):
    optimizer.zero_grad()
    net(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.step()
net.eval()
torch.save(net, folder / "net.pt")
torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}, folder /
"checkpoint.pt")
"""
)
READ = COMMON + """
net = torch.load(folder / "net.pt", weights_only=False)
checkpoint = torch.load(folder / "checkpoint.pt")
fresh = Net()
print(fresh.load_state_dict(checkpoint["model"]))
optimizer = torch.optim.AdamW(fresh.parameters(), lr=0.5)
optimizer.load_state_dict(checkpoint["optimizer"])
torch.set_rng_state(checkpoint["rng"])
x = torch.rand(2, 1, 4, 4)
print(type(net).__module__, net)
print([round(v, 4) for v in net(x).flatten().tolist()])
print([round(v, 4) for v in fresh.eval()(x).flatten().tolist()])
optimizer.zero_grad()
fresh(x).sum().backward()
optimizer.step()
print([round(p.double().sum().item(), 4) for p in fresh.parameters()])
"""
PROGRAMS = {"torch": [sys.executable], "flambeau": [sys.executable, "-m", "flambeau", "run"]}


def run(side: str, source: str, folder: pathlib.Path, data: pathlib.Path) -> str:
    script = folder / "program.py"
    script.write_text(source)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*PROGRAMS[side], str(script), str(data)], check=True, capture_output=True, text=True, env=environment
    ).stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folders = {}
    for side in PROGRAMS:
        folders[side] = tmp_path_factory.mktemp(side)
        run(side, WRITE, folders[side], folders[side])
    return folders


@pytest.mark.parametrize("writer", PROGRAMS)
def test_both_sides_read_the_files_of_each(tmp_path, written, writer):
    outputs = [run(reader, READ, tmp_path, written[writer]) for reader in PROGRAMS]
    assert outputs[0] == outputs[1]
    assert "All keys matched" in outputs[0]


def test_files_written_under_flambeau_run_name_only_pytorchs_classes(written):
    from flambeau.serialization._describe import describe_file
    for name in ("net.pt", "checkpoint.pt"):
        ours, theirs = (set(describe_file(written[side] / name).names) for side in ("flambeau", "torch"))
        assert not [n for n in ours if "flambeau" in n]
        assert ours - theirs <= {"torch.nn.functional.gelu"}  # PyTorch's own is written in C++: torch._C._nn.gelu
