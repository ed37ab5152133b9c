"""`flambeau inspect`: the report, and that nothing in the file runs."""
import collections
import io
import os
import zipfile

import numpy as np
import pytest

import flambeau as fb
from flambeau import safetensors
from flambeau.cli.inspect import main
from flambeau.serialization import save


class Network:
    def __init__(self):
        self.weight = fb.ones(2, 3)
        self.name = "net"


class Attack:
    def __reduce__(self):
        return os.mkdir, ("made",)


def inspect(capsys, *arguments):
    status = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("legacy", [False, True])
def test_the_tree(tmp_path, capsys, legacy):
    base = fb.ones(4, 6, requires_grad=True)
    obj = {
        "state_dict": collections.OrderedDict(w=base, h=fb.ones(3, dtype=fb.bfloat16)),
        "view": base.detach()[0],
        "epoch": 3,
        "names": ["a", "b"],
        "net": Network(),
        "array": np.arange(3),
        "wide": fb.ones(2, dtype=fb.uint16),
    }
    save(obj, tmp_path / "x.pt", _use_new_zipfile_serialization=not legacy)
    status, out, err = inspect(capsys, tmp_path / "x.pt", "--records")
    assert (status, err) == (0, "")
    for part in (
        "dict (7 items)",
        "state_dict: OrderedDict (2 items)",
        "w: float32[4, 6]  96 B  requires_grad",
        "h: bfloat16[3]  6 B",
        "view: float32[6]  24 B",
        "epoch: 3",
        "names: ['a', 'b']",
        f"net: {__name__}.Network (not made)",
        "    weight: float32[2, 3]  24 B",
        "    name: 'net'",
        "array: array([0, 1, 2])",
        "wide: uint16[2]  4 B",
        "5 tensors, 41 elements, 130 B in 4 storages",
        "legacy file" if legacy else "PyTorch zip file, little-endian",
        "torch._utils._rebuild_tensor_v3",
        f"would refuse: {__name__}.Network",
    ):
        assert part in out, (part, out)
    assert ("data/0" in out) == (not legacy)


def test_nothing_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save([Attack(), fb.ones(1)], "x.pt")
    status, out, _ = inspect(capsys, "x.pt")
    assert status == 0
    assert f"{os.mkdir.__module__}.mkdir (not made)" in out
    assert "'made'" in out
    assert os.listdir(tmp_path) == ["x.pt"]


def test_a_safe_file_says_so(tmp_path, capsys):
    save({"a": fb.ones(1), "b": np.float64(1)}, tmp_path / "x.pt")
    assert "weights_only=True loads it" in inspect(capsys, tmp_path / "x.pt")[1]


def test_safetensors(tmp_path, capsys):
    safetensors.save_file({"a.weight": fb.ones(2, 3)}, tmp_path / "x.safetensors", {"format": "pt"})
    _, out, _ = inspect(capsys, tmp_path / "x.safetensors")
    assert "safetensors file" in out
    assert "a.weight: float32[2, 3]  24 B" in out


def test_depth_and_items(tmp_path, capsys):
    save({"a": {"b": {"c": {"d": 1}}}, "n": [fb.ones(1)] * 10}, tmp_path / "x.pt")
    _, out, _ = inspect(capsys, tmp_path / "x.pt", "--depth", 2, "--items", 3)
    assert "b: dict (1 items) …" in out
    assert "… 7 more" in out


def test_what_holds_itself(tmp_path, capsys):
    loop = {"x": fb.ones(1)}
    loop["self"] = loop
    save(loop, tmp_path / "x.pt")
    assert "(contains itself)" in inspect(capsys, tmp_path / "x.pt")[1]


def test_names_in_a_file_cannot_steer_the_terminal(tmp_path, capsys):
    save({"\x1b[2Jkey": "\x1b[31mred", "t\r": fb.ones(1)}, tmp_path / "x.pt")
    out = inspect(capsys, tmp_path / "x.pt")[1]
    assert "\x1b" not in out
    assert "\r" not in out
    assert "\\x1b[2Jkey" in out


def test_a_tensor_that_lies_is_marked(tmp_path, capsys):
    stream = io.BytesIO()
    save({"t": fb.ones(5)}, stream)
    with zipfile.ZipFile(stream) as z, zipfile.ZipFile(tmp_path / "x.pt", "w") as w:
        for name in z.namelist():
            w.writestr(name, z.read(name).replace(b"K\x05\x85", b"K\x63\x85"))
    assert "require a storage of 99 elements, out of bounds for one of 5" in inspect(capsys, tmp_path / "x.pt")[1]


@pytest.mark.parametrize(
    "data,message", [(b"", "empty"), (b"PK\x03\x04", "central directory"), (b"hello", "not made by torch.save")]
)
def test_files_that_cannot_be_read(tmp_path, capsys, data, message):
    (tmp_path / "x.pt").write_bytes(data)
    status, out, err = inspect(capsys, tmp_path / "x.pt")
    assert (status, out) == (1, "")
    assert message in err
    assert inspect(capsys, tmp_path / "missing.pt")[0] == 1
