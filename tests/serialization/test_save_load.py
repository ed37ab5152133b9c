"""`save` and `load` of flambeau's own files."""
import collections
import io
import mmap
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

import flambeau as fb
from flambeau import serialization
from flambeau.serialization import load, save


def through(obj, *, legacy=False, **arguments):
    stream = io.BytesIO()
    save(obj, stream, _use_new_zipfile_serialization=not legacy)
    stream.seek(0)
    return load(stream, **arguments)


@pytest.fixture(params=[False, True], ids=["zip", "legacy"])
def legacy(request):
    return request.param


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 0, 3), (2, 3, 1, 5)])
def test_every_dtype_and_shape_comes_back_bit_for_bit(make, same, dtype, shape, legacy, weights_only):
    t = make(dtype, shape)
    same(through(t, legacy=legacy, weights_only=weights_only), t)


VIEWS = {
    "transposed": lambda t: t.t(),
    "row": lambda t: t[2],
    "column": lambda t: t[:, 1],
    "step": lambda t: t[::2, 1::3],
    "expanded": lambda t: t[0].expand(3, t.shape[1]),
    "overlapping": lambda t: t.as_strided((3, 3), (1, 1), 2),
    "empty": lambda t: t[1:1],
    "detached": lambda t: t.detach(),
    "0-dim": lambda t: t[1, 2],
    "reshaped": lambda t: t.reshape(2, -1, 3),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_keep_strides_offset_and_storage(make, same, name, legacy):
    base = make(fb.float32, (4, 6))
    view = VIEWS[name](base)
    loaded = through([view, base], legacy=legacy)
    same(loaded[0], view)
    same(loaded[1], base)
    loaded[1].zero_()  # they still share memory
    assert not loaded[0].any()


def test_a_view_alone_takes_its_whole_storage_along(make):
    loaded = through(make(fb.float32, (100,))[3:5])
    assert loaded.storage_offset() == 3
    assert fb.as_strided(loaded, (100,), (1,), 0).shape == (100,)


def test_shared_objects_stay_shared(make, legacy):
    t = make(fb.int64, (3,))
    inner = [t]
    loaded = through({"a": inner, "b": inner, "c": t, "d": t.detach()}, legacy=legacy)
    assert loaded["a"] is loaded["b"]
    assert loaded["a"][0] is loaded["c"]
    assert loaded["d"] is not loaded["c"]
    loaded["c"].zero_()
    assert not loaded["d"].any()


def test_one_memory_under_two_dtypes_stays_one_memory():
    words = fb.arange(4, dtype=fb.uint16)
    loaded = through([words, words.view(fb.uint32)])
    loaded[0].zero_()
    assert loaded[1].tolist() == [0, 0]


def test_requires_grad_is_kept_and_history_is_not(legacy):
    leaf = fb.ones(2, requires_grad=True)
    loaded = through([leaf, leaf * 2, leaf.detach()], legacy=legacy)
    assert [t.requires_grad for t in loaded] == [True, True, False]
    assert all(t.is_leaf for t in loaded)
    loaded[0].sum().backward()
    assert loaded[0].grad.tolist() == [1, 1]


def test_attributes_of_tensors_are_kept_but_not_their_gradients(legacy):
    t = fb.ones(2, requires_grad=True)
    t.name = "x"
    t.sum().backward()
    loaded = through(t, legacy=legacy)
    assert loaded.name == "x"
    assert loaded.grad is None
    assert loaded.requires_grad


def test_pending_results_are_computed(legacy):
    x = fb.ones(3)
    assert through({"y": x * 2 + 1}, legacy=legacy)["y"].tolist() == [3, 3, 3]


def test_plain_data_types_sizes_and_devices(legacy):
    obj = {
        "size": fb.ones(2, 3).shape,
        "dtype": fb.bfloat16,
        "device": fb.device("cpu"),
        "cuda": fb.device("cuda", 1),
        "o": collections.OrderedDict(a=1),
        "n": np.float64(2.5),
        "array": np.arange(6).reshape(2, 3),
        "text": "é",
        "none": None,
        "set": {1, 2},
        "c": 1 + 2j,
    }
    loaded = through(obj, legacy=legacy)
    assert str(loaded) == str(obj)
    assert loaded["dtype"] is fb.bfloat16
    assert type(loaded["size"]) is fb.Size


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("weights_only", [True, False])
def test_pickle_protocols(make, same, protocol, weights_only):
    obj = {"t": make(fb.bfloat16, (3,)), "u": make(fb.uint32, (2,)), "dtype": fb.int8, "n": np.arange(3)}
    stream = io.BytesIO()
    save(obj, stream, pickle_protocol=protocol)
    with zipfile.ZipFile(stream) as z:
        assert z.read("archive/data.pkl")[1] == protocol
    stream.seek(0)
    loaded = load(stream, weights_only=weights_only)
    same(loaded["t"], obj["t"])
    same(loaded["u"], obj["u"])
    assert loaded["dtype"] is fb.int8


# ------------------------------------------------------------------ paths and file objects

def test_paths(tmp_path, make, same):
    t = make(fb.float32, (3,))
    for path in (tmp_path / "a.b.pt", str(tmp_path / "noextension"), pathlib.Path(tmp_path / "c.tar")):
        save(t, path)
        same(load(path), t)
    with zipfile.ZipFile(tmp_path / "a.b.pt") as z:
        assert "a.b/data.pkl" in z.namelist()
    with zipfile.ZipFile(tmp_path / "noextension") as z:
        assert "noextension/data.pkl" in z.namelist()


def test_file_objects(tmp_path, make, same):
    t = make(fb.float32, (3,))
    f = open(tmp_path / "x.pt", "wb")  # noqa: SIM115  left open, as programs do
    save(t, f)
    same(load(tmp_path / "x.pt"), t)
    f.close()
    with open(tmp_path / "x.pt", "rb") as f:
        same(load(f), t)


def test_several_files_in_one_stream(make, same):
    stream = io.BytesIO()
    t, u = make(fb.float32, (3,)), make(fb.int8, (5,))
    save(t, stream)
    second = stream.tell()
    save(u, stream)
    stream.seek(second)
    same(load(stream), u)


class WriteOnly:
    """The least that `save` asks of a file object."""

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += bytes(data)


def test_an_object_with_write_is_enough(make, same, legacy):
    out = WriteOnly()
    t = make(fb.float64, (3,))
    save(t, out, _use_new_zipfile_serialization=not legacy)
    same(load(io.BytesIO(out.data)), t)


class ReadOnly:
    """The least that `load` asks of a file object: read, seek and tell, no readinto."""

    def __init__(self, data):
        self.stream = io.BytesIO(data)
        self.read, self.seek, self.tell = self.stream.read, self.stream.seek, self.stream.tell


def test_an_object_with_read_seek_and_tell_is_enough(make, same, legacy):
    stream = io.BytesIO()
    t = make(fb.float64, (3,))
    save(t, stream, _use_new_zipfile_serialization=not legacy)
    same(load(ReadOnly(stream.getvalue())), t)


def test_wrong_targets(tmp_path):
    with pytest.raises(AttributeError, match="write"):
        save(1, 5)
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
        save(1, tmp_path / "no" / "x.pt")
    with pytest.raises(IsADirectoryError):
        save(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.pt")
    with pytest.raises(AttributeError, match="seekable"):
        load(5)
    with pytest.raises(TypeError, match="rb"):
        load(io.StringIO("x"))


def test_a_pickling_error_leaves_no_file(tmp_path):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        save(lambda: 1, tmp_path / "x.pt")
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------------ mmap and map_location

def test_mmap(tmp_path, make, same):
    t = make(fb.float32, (100, 10))
    save({"t": t, "row": t[3]}, tmp_path / "x.pt")
    loaded = load(tmp_path / "x.pt", mmap=True)
    same(loaded["t"], t)
    same(loaded["row"], t[3])
    loaded["t"].zero_()  # private: the file keeps its data
    assert not loaded["row"].any()
    same(load(tmp_path / "x.pt")["t"], t)


def test_mmap_reads_only_what_is_used(tmp_path):
    with serialization.skip_data():
        save(fb.empty(1 << 26, dtype=fb.uint8), tmp_path / "x.pt")
    import resource
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt + resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    load(tmp_path / "x.pt", mmap=True)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt + resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    assert (after - before) * 4096 < 1 << 25


def test_mmap_errors(tmp_path):
    with pytest.raises(ValueError, match="file path"):
        load(io.BytesIO(), mmap=True)
    save(fb.ones(2), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with"):
        load(tmp_path / "x.pt", mmap=True)


def test_mmap_options(tmp_path):
    save(fb.ones(2), tmp_path / "x.pt")
    assert serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    with serialization.set_default_mmap_options(mmap.MAP_SHARED):
        assert serialization.get_default_mmap_options() == mmap.MAP_SHARED
        assert load(tmp_path / "x.pt", mmap=True).tolist() == [1, 1]
    assert serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    with pytest.raises(ValueError, match="MAP_PRIVATE or mmap.MAP_SHARED"):
        serialization.set_default_mmap_options(77)


def on_device(tag):
    """A file whose storages are tagged with another device."""
    stream = io.BytesIO()
    save({"t": fb.ones(2)}, stream)
    data = stream.getvalue()
    pickled = zipfile.ZipFile(io.BytesIO(data)).read("archive/data.pkl").replace(
        b"X\x03\x00\x00\x00cpu", b"X" + len(tag).to_bytes(4, "little") + tag.encode())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
            z.writestr(
                info.filename,
                pickled if info.filename.endswith("data.pkl") else zipfile.ZipFile(io.BytesIO(data)).read(info),
            )
    out.seek(0)
    return out


@pytest.mark.parametrize(
    "map_location", ["cpu", b"cpu", fb.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage], ids=repr
)
def test_map_location(map_location):
    assert load(on_device("cuda:0"), map_location=map_location)["t"].tolist() == [1, 1]


def test_a_device_that_is_not_here():
    with pytest.raises(
        RuntimeError, match="Attempting to deserialize object on a CUDA device.*map_location=torch.device"
    ):
        load(on_device("cuda:0"))
    with pytest.raises(RuntimeError, match="CUDA"):
        load(on_device("cpu"), map_location="cuda")
    with pytest.raises(RuntimeError, match="don't know how to restore data location .*tagged with xla"):
        load(on_device("xla:0"))


def test_a_map_location_function_is_asked_for_each_storage():
    asked = []

    def where(storage, location):
        asked.append((location, storage.size(), storage.dtype))
    assert load(on_device("cpu"), map_location=where)["t"].tolist() == [1, 1]
    assert asked == [("cpu", 2, fb.float32)]


def test_register_package(monkeypatch):
    from flambeau.serialization import _location
    monkeypatch.setattr(_location, "_packages", list(_location._packages))
    serialization.register_package(
        5, lambda storage: None, lambda storage, location: storage if location == "abacus:1" else None
    )
    assert load(on_device("abacus:1"))["t"].tolist() == [1, 1]
    assert serialization.location_tag(fb.ones(1)) == "cpu"


# ------------------------------------------------------------------ options

def test_crc32_option():
    try:
        serialization.set_crc32_options(False)
        assert serialization.get_crc32_options() is False
        stream = io.BytesIO()
        save(fb.ones(2), stream)
        assert {i.CRC for i in zipfile.ZipFile(stream).infolist()} == {0}
        stream.seek(0)
        assert load(stream).tolist() == [1, 1]
    finally:
        serialization.set_crc32_options(True)


def test_skip_data():
    t = fb.ones(1000)
    stream = io.BytesIO()
    with serialization.skip_data():
        save({"t": t, "n": 1}, stream)
    full = io.BytesIO()
    save({"t": t, "n": 1}, full)
    assert len(stream.getvalue()) == len(full.getvalue())
    stream.seek(0)
    loaded = load(stream)
    assert loaded["n"] == 1
    assert not loaded["t"].any()
    full.seek(0)
    with serialization.skip_data():
        assert not load(full)["t"].any()


def test_byte_order_of_files(make, same):
    """A big-endian file: the same with every element turned, and the word in `byteorder`."""
    obj = {
        "f": make(fb.float64, (3,)),
        "c": make(fb.complex64, (2,)),
        "h": make(fb.uint16, (4,)),
        "b": make(fb.uint8, (3,)),
    }
    stream = io.BytesIO()
    save(obj, stream)
    arrays = [
        make(d, s).numpy() for d, s in ((fb.float64, (3,)), (fb.complex64, (2,)), (fb.uint16, (4,)), (fb.uint8, (3,)))
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(stream) as z, zipfile.ZipFile(out, "w") as w:
        for name in z.namelist():
            data = z.read(name)
            if "/data/" in name:
                data = arrays[int(name[-1])].byteswap().tobytes()
            w.writestr(name, b"big" if name.endswith("byteorder") else data)
    out.seek(0)
    loaded = load(out)
    for key in obj:
        same(loaded[key], obj[key])


def test_a_shared_map_writes_to_the_file(tmp_path):
    save(fb.zeros(3), tmp_path / "x.pt")
    with serialization.set_default_mmap_options(mmap.MAP_SHARED):
        t = load(tmp_path / "x.pt", mmap=True)
    t[1] = 5
    t[1:].add_(1)
    assert t.tolist() == [0, 6, 1]
    with zipfile.ZipFile(tmp_path / "x.pt") as z:
        offset = z.getinfo("x/data/0").header_offset
    assert np.array([0, 6, 1], np.float32).tobytes() in (tmp_path / "x.pt").read_bytes()[offset:]


def test_default_endianness():
    stream = io.BytesIO()
    save(fb.tensor([1], dtype=fb.int32), stream, _disable_byteorder_record=True)
    try:
        serialization.set_default_load_endianness(serialization.LoadEndianness.BIG)
        assert serialization.get_default_load_endianness() is serialization.LoadEndianness.BIG
        stream.seek(0)
        assert load(stream).tolist() == [1 << 24]
    finally:
        serialization.set_default_load_endianness(None)
    stream.seek(0)
    assert load(stream).tolist() == [1]
    with pytest.raises(TypeError):
        serialization.set_default_load_endianness("big")


def test_loading_frees_what_is_no_longer_used(tmp_path):
    """Nothing that a load leaves behind keeps the tensors alive until the next garbage collection."""
    import gc
    import weakref
    stream = io.BytesIO()
    save(fb.ones(10), stream)
    for weights_only in (True, False):
        stream.seek(0)
        gc.disable()
        try:
            t = load(stream, weights_only=weights_only)
            gone = weakref.ref(t._storage)
            del t
            assert gone() is None
        finally:
            gc.enable()
