"""The tar files of PyTorch 0.1, as it wrote them on Python 2 and 3."""
import collections
import io
import pickle

import pytest
from tar_checkpoints import TYPES, tar_checkpoint

import flambeau as fb
from flambeau.cli.inspect import main as inspect
from flambeau.serialization import load

STORAGES = {140: ("float32", "cpu", range(6)), 141: ("int64", "cpu", [7, -8])}
PARTS = [(150, 140, 2, 3)]
TENSORS = {1: (140, 0, (2, 3), (3, 1)), 2: (150, 1, (2,), (1,)), 3: (141, 0, (2,), (1,)), 4: (140, 0, (3, 2), (1, 3))}


def checkpoint(storages=STORAGES, parts=PARTS, tensors=TENSORS, keys=("1", "2", "3", "4"), **options):
    names = ["w", "part", "b", "t"]
    return tar_checkpoint(storages, parts, tensors, collections.OrderedDict(zip(names, keys)), **options)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_tensors_and_what_they_share(tmp_path, weights_only, protocol):
    path = tmp_path / "old.pth"
    path.write_bytes(checkpoint(protocol=protocol))
    loaded = load(path, weights_only=weights_only)
    assert type(loaded) is collections.OrderedDict
    assert {k: (v.dtype, v.tolist()) for k, v in loaded.items()} == {
        "w": (fb.float32, [[0, 1, 2], [3, 4, 5]]), "part": (fb.float32, [3, 4]), "b": (fb.int64, [7, -8]),
        "t": (fb.float32, [[0, 3], [1, 4], [2, 5]])}
    loaded["part"].fill_(9)
    assert loaded["w"].tolist() == [[0, 1, 2], [9, 9, 5]]
    assert loaded["t"].tolist() == [[0, 9], [1, 9], [2, 5]]


@pytest.mark.parametrize("dtype", TYPES)
def test_every_dtype(dtype):
    data = tar_checkpoint({5: (dtype, "cpu", [1, 2, 3])}, [], {1: (5, 1, (2,), (1,))}, ["1"])
    (loaded,) = load(io.BytesIO(data))
    assert (str(loaded.dtype), loaded.tolist()) == (f"torch.{dtype}", [2, 3])


def test_tensors_of_cuda_need_map_location():
    data = tar_checkpoint({5: ("float32", "cuda:0", [1, 2])}, [], {1: (5, 0, (2,), (1,))}, ["1"])
    with pytest.raises(RuntimeError, match="CUDA"):
        load(io.BytesIO(data))
    assert load(io.BytesIO(data), map_location="cpu")[0].tolist() == [1, 2]


def test_every_truncation_and_every_changed_byte_of_a_header_is_an_error_or_harmless():
    data = checkpoint()
    for n in range(300, len(data), 37):
        try:
            load(io.BytesIO(data[:n]))
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            continue
        assert not data[n:].strip(b"\0")  # only padding was cut
    for at in range(0, 512):
        for value in (0, 57, 255):
            try:
                load(io.BytesIO(data[:at] + bytes([value]) + data[at + 1:]))
            except (RuntimeError, pickle.UnpicklingError):
                pass


@pytest.mark.parametrize("options, message", [
    ({"tensors": {**TENSORS, 1: (140, 0, (2, 4), (4, 1))}}, "out of bounds"),
    ({"tensors": {**TENSORS, 1: (140, -1, (2, 3), (3, 1))}}, "storage offset"),
    ({"tensors": {**TENSORS, 1: (140, 0, (2, 3), (-3, 1))}}, "strides"),
    ({"tensors": {**TENSORS, 1: (999, 0, (2, 3), (3, 1))}}, "key 999"),
    ({"parts": [(150, 140, 5, 3)]}, "beyond its end"),
    ({"parts": [(150, 999, 0, 3)]}, "key 999"),
    ({"parts": [(150, 140, 0)]}, "parts of storages"),
    ({"keys": ("1", "2", "3", "5")}, "key 5"),
    ({"keys": ("1", "2", "3", "x")}, "persistent id"),
    ({"count": 10 ** 12}, "of the wrong type"),
    ({"count": "many"}, "is no number"),
    ({"claimed": 10 ** 15}, "ends before"),
    ({"claimed": -1}, "ends before"),
])
def test_files_that_lie_are_refused(options, message):
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match=message):
        load(io.BytesIO(checkpoint(**options)))


def test_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Attack:
        def __reduce__(self):
            return open, ("made", "w")
    for place in ("tables", "object"):
        data = checkpoint(attack=Attack(), place=place)
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match="open"):
            load(io.BytesIO(data), weights_only=place == "object")  # the tables are plain data in any case
    assert list(tmp_path.iterdir()) == []


def test_inspect(tmp_path, capsys):
    path = tmp_path / "old.pth"
    path.write_bytes(checkpoint())
    assert inspect([str(path), "--records"]) == 0
    shown = capsys.readouterr().out
    for text in ("PyTorch tar file", "4 tensors, 16 elements, 40 B in 2 storages", "w: float32[2, 3]", "b: int64[2]",
                 "weights_only=True loads it", "storages", "pickle"):
        assert text in shown


def test_other_tar_files_are_named():
    with pytest.raises(RuntimeError, match="no member 'pickle'"):
        load(io.BytesIO(checkpoint(leave_out="pickle")))
