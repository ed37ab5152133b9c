"""The safetensors format: round trips, sharing, and files that lie."""
import io
import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np
import pytest

import flambeau as fb
from flambeau import safetensors
from flambeau.safetensors import SafetensorError


def file_of(header, data=b""):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(text)) + text + data


def test_every_dtype_and_shape(make, same, dtype, tmp_path):
    if dtype.name in ("complex32", "complex128", "float8_e4m3fnuz", "float8_e5m2fnuz"):
        with pytest.raises(ValueError, match=f"no dtype for torch.{dtype.name}"):
            safetensors.save({"a": make(dtype, (2,))})
        return
    tensors = {"a": make(dtype, (2, 3)), "b": make(dtype, ()), "c": make(dtype, (0, 4)), "row": make(dtype, (4, 6))[1]}
    safetensors.save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    for loaded in (safetensors.load_file(tmp_path / "x.safetensors"), safetensors.load(safetensors.save(tensors))):
        assert sorted(loaded) == sorted(tensors)
        for name in "abc":
            same(loaded[name], tensors[name])
        assert loaded["row"].tolist() == tensors["row"].tolist() or dtype.kind in "fc"


def test_the_file_is_laid_out_as_the_format_says():
    data = safetensors.save({"b": fb.ones(2, dtype=fb.uint8), "a": fb.arange(3)}, {"k": "v"})
    size = struct.unpack("<Q", data[:8])[0]
    assert size % 8 == 0
    header = json.loads(data[8:8 + size])
    assert header == {"__metadata__": {"k": "v"}, "a": {"dtype": "I64", "shape": [3], "data_offsets": [0, 24]},
                      "b": {"dtype": "U8", "shape": [2], "data_offsets": [24, 26]}}
    assert data[8 + size:] == np.arange(3).tobytes() + b"\1\1"


def test_saving_is_atomic(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": fb.ones(2)}, path)
    with pytest.raises(ValueError):
        safetensors.save_file({"a": fb.ones(2, 3).t()}, path)
    assert safetensors.load_file(path)["a"].tolist() == [1, 1]
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_what_cannot_be_saved():
    base = fb.ones(2, 3)
    with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
        safetensors.save({"a": base.t()})
    with pytest.raises(RuntimeError, match="Some tensors share memory.*save_model"):
        safetensors.save({"a": base, "b": base[0]})
    assert len(safetensors.load(safetensors.save({"a": base[0], "b": base[1]}))) == 2  # parts that do not overlap
    with pytest.raises(ValueError, match="expected torch.Tensor"):
        safetensors.save({"a": [1]})
    with pytest.raises(ValueError, match="Expected a dict"):
        safetensors.save([fb.ones(1)])
    with pytest.raises(ValueError, match="metadata"):
        safetensors.save({"a": base}, {"epoch": 3})


def test_load_to_a_device_that_is_not_here(tmp_path):
    safetensors.save_file({"a": fb.ones(1)}, tmp_path / "x")
    with pytest.raises(RuntimeError, match="CUDA"):
        safetensors.load_file(tmp_path / "x", device="cuda:0")
    with pytest.raises(FileNotFoundError):
        safetensors.load_file(tmp_path / "y")


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
LIES = {
    "empty": (b"", "header too small"),
    "short": (b"\1\0\0", "header too small"),
    "header too large": (struct.pack("<Q", 1 << 60) + b"{", "header too large"),
    "truncated header": (struct.pack("<Q", 100) + b"{}", "header length"),
    "not JSON": (file_of(b"{nonsense"), "invalid JSON"),
    "not UTF-8": (file_of(b'{"\xff":1}'), "invalid JSON"),
    "a list": (file_of([]), "start character"),
    "leading space": (file_of(b" {}"), "start character"),
    "deep": (file_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "invalid JSON|malformed"),
    "twice": (file_of(b'{"a":1,"a":2}'), "twice"),
    "no dtype": (file_of({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "malformed"),
    "shape of floats": (file_of({"a": {**ENTRY, "shape": [2.0]}}, bytes(8)), "malformed"),
    "negative": (file_of({"a": {**ENTRY, "shape": [-2]}}, bytes(8)), "malformed"),
    "overflow": (file_of({"a": {**ENTRY, "shape": [1 << 61, 8]}}, bytes(8)), "do not fit"),
    "offsets reversed": (file_of({"a": {**ENTRY, "data_offsets": [8, 0]}}, bytes(8)), "malformed"),
    "wrong size": (file_of({"a": {**ENTRY, "shape": [3]}}, bytes(8)), "do not fit"),
    "hole": (file_of({"a": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)), "invalid offset"),
    "overlap": (file_of({"a": ENTRY, "b": ENTRY}, bytes(8)), "invalid offset"),
    "truncated data": (file_of({"a": ENTRY}, bytes(7)), "incomplete"),
    "data behind": (file_of({"a": ENTRY}, bytes(9)), "incomplete"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}), "__metadata__"),
    "unknown type": (
        file_of({"a": {**ENTRY, "dtype": "F8_E8M0"}}, bytes(8)),
        "F8_E8M0, which flambeau does not have yet",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_files_that_lie_are_refused(name):
    data, message = LIES[name]
    with pytest.raises(SafetensorError, match=message):
        safetensors.load(data)


def test_every_truncation_is_refused():
    data = safetensors.save({"a": fb.ones(2), "b": fb.arange(3)})
    for n in range(len(data)):
        with pytest.raises(SafetensorError):
            safetensors.load(data[:n])


def test_reading_from_a_path_and_from_bytes_agree(tmp_path):
    data = safetensors.save({"z": fb.arange(3), "a": fb.ones(2)})
    path = pathlib.Path(tmp_path / "x")
    path.write_bytes(data)
    assert {k: v.tolist() for k, v in safetensors.load_file(path).items()} == {
        k: v.tolist() for k, v in safetensors.load(data).items()
    }
    assert isinstance(io.BytesIO(data).getvalue(), bytes)


PROGRAM = """
import sys
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file, save_model

path = sys.argv[1]
state = {"w": torch.arange(6.).reshape(2, 3), "half": torch.ones(3, dtype=torch.bfloat16), "n": torch.tensor(7)}
save_file(state, path, metadata={"format": "pt"})
loaded = load_file(path)
loaded["w"][0, 0] = 5
print([(k, loaded[k].dtype, loaded[k].tolist()) for k in sorted(loaded)])
with safe_open(path, "pt") as file:
    print(file.metadata(), file.get_slice("w")[1:, :2].tolist(), file.get_tensor("w")[0].tolist())
models = [torch.nn.Linear(2, 2) for _ in range(2)]
save_model(models[0], path)
print(load_model(models[1], path), torch.equal(models[0].weight, models[1].weight))
"""


def test_programs_that_use_the_package_itself(tmp_path):
    """Its compiled part maps the file by torch.UntypedStorage.from_file and cuts tensors out of it."""
    pytest.importorskip("safetensors")
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    shown = subprocess.run([sys.executable, "-m", "flambeau", "run", str(script), str(tmp_path / "x.safetensors")],
                           stdout=subprocess.PIPE, text=True, check=True).stdout
    assert shown.splitlines() == [
        "[('half', torch.bfloat16, [1.0, 1.0, 1.0]), ('n', torch.int64, 7), "
        "('w', torch.float32, [[5.0, 1.0, 2.0], [3.0, 4.0, 5.0]])]",
        "{'format': 'pt'} [[3.0, 4.0]] [0.0, 1.0, 2.0]", "(set(), []) True"]
