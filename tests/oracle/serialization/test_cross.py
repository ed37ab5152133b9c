"""Files cross between flambeau and PyTorch in both directions, bit for bit."""
import io
import random
import re
import zipfile

import numpy as np
import pytest

import flambeau as fb
from flambeau import serialization
from flambeau.dtypes import ALL

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental"),
              pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")]
FORMATS = [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}]
IDS = ["zip", "protocol 4", "legacy"]
# PyTorch writes its newer dtypes into the legacy format and then cannot read them
LEGACY = {
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
}


def readable(options):
    """The dtypes that PyTorch reads from a format."""
    return ALL if options.get("_use_new_zipfile_serialization", True) else [d for d in ALL if d.name in LEGACY]


@pytest.mark.parametrize("options", FORMATS, ids=IDS)
@pytest.mark.parametrize("seed", range(70))
def test_generated_trees(cross, compare, tree, seed, options):
    """PyTorch → flambeau → PyTorch: 210 trees of tensors, views, shared containers and plain data."""
    rng = random.Random(seed)
    original = [tree(rng, readable(options)) for _ in range(3)]
    ours = cross.to_flambeau(original, **options)
    compare(ours, original)
    compare(cross.to_flambeau(original, weights_only=False, **options), original)
    compare(ours, cross.to_torch(ours, weights_only=False, **options))


@pytest.mark.parametrize("options", FORMATS, ids=IDS)
@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_every_dtype(cross, compare, dtype, options):
    raw = torch.arange(48, dtype=torch.uint8)
    theirs = (raw % 2 if dtype.name == "bool" else raw * 5).view(getattr(torch, dtype.name))[:2].clone()
    ours = cross.to_flambeau({"a": theirs, "b": theirs[1:], "c": theirs[0]}, **options)
    compare(ours, {"a": theirs, "b": theirs[1:], "c": theirs[0]})
    if dtype in readable(options):  # PyTorch's weights_only knows protocol 2 only
        compare(ours, cross.to_torch(ours, weights_only="pickle_protocol" not in options, **options))


def test_files_are_the_same_to_the_byte(tmp_path):
    """Names, order, padding, headers and pickle of a file are PyTorch's; the serialization id, a hash, is not."""
    def obj(lib, t):
        return {"weight": t, "view": t.t(), "row": t[1], "half": t.to(lib.bfloat16), "wide": t.to(lib.uint16), "n": 3,
                "groups": [{"lr": 0.1, "betas": (0.9, 0.999)}], "size": t.shape, "dtype": lib.int8,
                "big": lib.zeros(5000)}
    torch.save(obj(torch, torch.arange(12.0).reshape(3, 4)), tmp_path / "theirs.pt")
    serialization.save(obj(fb, fb.arange(12.0).reshape(3, 4)), tmp_path / "ours.pt")
    theirs, ours = (
        bytearray((tmp_path / f"{name}.pt").read_bytes().replace(b"theirs/", b"ours/")) for name in ("theirs", "ours")
    )
    with zipfile.ZipFile(tmp_path / "theirs.pt") as a, zipfile.ZipFile(tmp_path / "ours.pt") as b:
        assert [n[7:] for n in a.namelist()] == [n[5:] for n in b.namelist()]
        for x, y in zip(a.infolist(), b.infolist()):
            if not x.filename.endswith("serialization_id"):
                assert a.read(x) == b.read(y)
                assert (x.CRC, x.flag_bits, x.compress_type, x.date_time, x.create_version) == (
                    y.CRC, y.flag_bits, y.compress_type, y.date_time, y.create_version)


def test_layout_is_the_same_to_the_byte(tmp_path):
    for side, lib, save in (("a", torch, torch.save), ("b", fb, serialization.save)):
        (tmp_path / side).mkdir()
        save({"w": lib.arange(100.0), "b": lib.ones(3, dtype=lib.float16)}, tmp_path / side / "model.pt")
    a, b = ((tmp_path / side / "model.pt").read_bytes() for side in "ab")
    serial = re.compile(rb"serialization_id.{0,64}?(\d{40})PK\x07\x08(....)", re.DOTALL)
    directory = re.compile(rb"(....)\x28\0\0\0\x28\0\0\0\x1e\0.{16}model/.data/serialization_id", re.DOTALL)
    for data in (a, b):
        assert serial.search(data)

    def without_id(data):
        digits, crc = serial.search(data).groups()
        return data.replace(digits, b"0" * 40).replace(crc, b"0000")
    assert without_id(a) == without_id(b)
    assert directory.pattern


def test_legacy_files_are_the_same_to_the_byte():
    """Apart from the storages' keys, which are addresses in PyTorch and numbers here."""
    files = []
    for lib, save in ((torch, torch.save), (fb, serialization.save)):
        stream = io.BytesIO()
        save({"a": lib.arange(6.0).reshape(2, 3).t(), "n": 3}, stream, _use_new_zipfile_serialization=False)
        files.append(re.sub(rb"X.\0\0\0\d+", b"KEY", stream.getvalue(), flags=re.DOTALL))
    assert files[0] == files[1]


def test_tensor_attributes_subclasses_and_buffers(cross, compare):
    t = torch.ones(2)
    t.note = "x"
    p = torch.nn.Parameter(torch.ones(3))
    p.rank = 2
    ours = cross.to_flambeau([t, p], weights_only=True)
    assert ours[0].note == "x"
    assert ours[1].rank == 2
    assert type(ours[1]).__name__ == "Parameter"
    back = cross.to_torch(ours)
    assert (back[0].note, back[1].rank) == ("x", 2)
    assert type(back[1]) is torch.nn.Parameter


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages_by_themselves(cross):
    t = torch.arange(3.0)
    typed = t.storage()
    ours = cross.to_flambeau({"untyped": torch.arange(3).untyped_storage(), "typed": typed, "t": t})
    assert ours["typed"].tolist() == [0, 1, 2]
    assert len(ours["untyped"]) == 24
    back = cross.to_torch(ours)
    assert back["untyped"].nbytes() == 24
    back["t"][0] = 7
    assert back["typed"].tolist() == [7, 1, 2]


def test_one_memory_as_two_types_is_refused_as_by_pytorch():
    for lib, save in ((torch, torch.save), (fb, serialization.save)):
        t = lib.arange(4)
        with pytest.raises(
            RuntimeError, match="Cannot save multiple tensors or storages that view the same data as different types"
        ):
            save([t, t.view(lib.float64)], io.BytesIO())


def test_conjugated_and_negated_views(cross):
    z = torch.tensor([1 + 2j, 3 - 4j])
    ours = cross.to_flambeau([z.conj(), torch._neg_view(torch.tensor([1.0, 2.0]))])
    assert ours[0].tolist() == [1 - 2j, 3 + 4j]
    assert ours[1].tolist() == [-1, -2]
    assert cross.to_flambeau(z.conj().imag).tolist() == [-2, 4]


def test_mmap_both_ways(tmp_path, compare):
    torch.save({"a": torch.arange(10.0), "b": torch.ones(3, dtype=torch.int16)}, tmp_path / "theirs.pt")
    ours = serialization.load(tmp_path / "theirs.pt", mmap=True)
    compare(ours, torch.load(tmp_path / "theirs.pt"))
    serialization.save(ours, tmp_path / "ours.pt")
    compare(ours, torch.load(tmp_path / "ours.pt", mmap=True))


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex64", "uint16", "bfloat16"])
def test_big_endian_files(dtype, tmp_path, compare):
    torch.save({"a": torch.arange(6).to(getattr(torch, dtype)).reshape(2, 3)}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as z, zipfile.ZipFile(tmp_path / "big.pt", "w") as w:
        for name in z.namelist():
            data = z.read(name)
            if name.endswith("data/0"):
                item = getattr(torch, dtype).itemsize // (2 if dtype == "complex64" else 1)
                data = np.frombuffer(data, f"u{item}").byteswap().tobytes()
            w.writestr(name, b"big" if name.endswith("byteorder") else data)
    compare(serialization.load(tmp_path / "big.pt"), torch.load(tmp_path / "x.pt"))


def test_cuda_files_ask_for_map_location(tmp_path):
    """The same tag, the same exception, the same key words."""
    serialization.save({"a": fb.ones(2)}, tmp_path / "x.pt")
    data = (tmp_path / "x.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.pt") as z, zipfile.ZipFile(tmp_path / "cuda.pt", "w") as w:
        for name in z.namelist():
            w.writestr(name, z.read(name).replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    assert data
    messages = []
    for load in (torch.load, serialization.load):
        with pytest.raises(RuntimeError) as caught:
            load(tmp_path / "cuda.pt")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert serialization.load(tmp_path / "cuda.pt", map_location="cpu")["a"].tolist() == [1, 1]


class Custom:
    """A class of the user's in a file."""


ERRORS = {
    "not a file": lambda load, path: load(path / "none.pt"),
    "empty": lambda load, path: load(io.BytesIO(b"")),
    "web page": lambda load, path: load(io.BytesIO(b"<html>")),
    "zip": lambda load, path: load(io.BytesIO(b"PK\x03\x04")),
    "wrong type": lambda load, path: load(5),
    "mmap of a buffer": lambda load, path: load(io.BytesIO((path / "whole.pt").read_bytes()), mmap=True),
    "custom class": lambda load, path: load(path / "custom.pt"),
    "mmap of legacy": lambda load, path: load(path / "legacy.pt", mmap=True),
    "truncated": lambda load, path: load(path / "truncated.pt"),
    "truncated legacy": lambda load, path: load(path / "truncated_legacy.pt"),
    "pickle module": lambda load, path: load(path / "custom.pt", weights_only=True, pickle_module=random),
    "not a checkpoint": lambda load, path: load(path / "other.zip"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_exception_classes_are_pytorchs(tmp_path, name):
    torch.save(Custom(), tmp_path / "custom.pt")
    torch.save(torch.ones(3), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.ones(300), tmp_path / "whole.pt")
    (tmp_path / "truncated.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:800])
    (tmp_path / "truncated_legacy.pt").write_bytes((tmp_path / "legacy.pt").read_bytes()[:-4])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as z:
        z.writestr("a/b.txt", "text")
    caught = []
    for load in (torch.load, serialization.load):
        with pytest.raises(Exception) as error:  # noqa: PT011  the class is what is compared
            ERRORS[name](load, tmp_path)
        caught.append(type(error.value))
    assert caught[0] is caught[1]


def test_what_pytorch_would_refuse_is_named_alike(tmp_path):
    torch.save([Custom(), torch.ones(1)], tmp_path / "x.pt")
    theirs = torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "x.pt")
    assert serialization.get_unsafe_globals_in_checkpoint(tmp_path / "x.pt") == theirs
    messages = []
    for load in (torch.load, serialization.load):
        with pytest.raises(Exception, match="Unsupported global") as caught:
            load(tmp_path / "x.pt")
        messages.append(
            re.search(
                r"Unsupported global: GLOBAL \S+ was not an allowed global by default. Please use "
                r"`torch.serialization.add_safe_globals\(\[\S+\]\)` or the "
                r"`torch.serialization.safe_globals\(\[\S+\]\)` "
                r"context manager to allowlist this global if you trust this class/function.",
                str(caught.value),
            ).group()
        )
    assert messages[0] == messages[1]


def test_without_checksums(compare):
    for set_option in (torch.serialization.set_crc32_options, serialization.set_crc32_options):
        set_option(False)
    try:
        theirs, ours = io.BytesIO(), io.BytesIO()
        torch.save(torch.arange(5), theirs)
        serialization.save(fb.arange(5), ours)
        theirs.seek(0)
        ours.seek(0)
        compare(serialization.load(theirs), torch.load(ours))
    finally:
        for set_option in (torch.serialization.set_crc32_options, serialization.set_crc32_options):
            set_option(True)


def test_torchscript(tmp_path):
    """The error says what the file is; its weights are those of torch.jit.load."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Sequential(torch.nn.Linear(2, 2))
    )
    with pytest.warns(DeprecationWarning):
        torch.jit.script(net).save(tmp_path / "script.pt")
    with pytest.raises(RuntimeError, match="TorchScript archive.*load_torchscript_weights"):
        serialization.load(tmp_path / "script.pt")
    weights = serialization.load_torchscript_weights(tmp_path / "script.pt")
    state = net.state_dict()
    assert list(weights) == list(state)
    for name, t in weights.items():
        assert t.detach().numpy().tobytes() == state[name].numpy().tobytes()
