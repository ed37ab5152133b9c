"""The format before PyTorch 1.6, as PyTorch of that time, on Python 2 and 3, wrote it."""
import io
import pickle
import struct

import numpy as np
import pytest

import flambeau as fb
from flambeau.serialization import load, save
from flambeau.serialization._legacy import MAGIC_NUMBER


def put(text: str, python2: bool) -> bytes:
    raw = text.encode("latin1")
    return b"U" + bytes([len(raw)]) + raw if python2 else b"X" + struct.pack("<I", len(raw)) + raw


def tensor(key, size, shape, *, python2=False, view=None, kind="FloatStorage", location="cpu"):
    """_rebuild_tensor of a contiguous tensor; view: (key, offset, size) of PyTorch 0.1."""
    def text(t):
        return put(t, python2)

    def number(n):
        return b"J" + struct.pack("<i", n)
    strides = [int(np.prod(shape[i + 1:])) for i in range(len(shape))]
    tail = b"N" if view is None else b"(" + text(view[0]) + number(view[1]) + number(view[2]) + b"t"
    return (
        b"ctorch._utils\n_rebuild_tensor\n(("
        + text("storage")
        + b"ctorch\n"
        + kind.encode()
        + b"\n"
        + text(key)
        + text(location)
        + number(size)
        + tail
        + b"tQ"
        + number(0)
        + b"("
        + b"".join(map(number, shape))
        + b"t("
        + b"".join(map(number, strides))
        + b"ttR"
    )


def legacy_file(body, storages, *, protocol=2, little=True, keys=None):
    system = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = b"".join(pickle.dumps(x, protocol) for x in (MAGIC_NUMBER, 1001, system))
    order = "<" if little else ">"
    data = b"".join(
        struct.pack(order + "q", a.size) + a.astype(a.dtype.newbyteorder(order)).tobytes() for a in storages.values()
    )
    return io.BytesIO(
        head + b"\x80\x02" + body + b"." + pickle.dumps(list(storages if keys is None else keys), protocol) + data
    )


FLOATS = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("python2", [True, False])
@pytest.mark.parametrize("protocol", [1, 2])
def test_a_file_of_old(weights_only, python2, protocol):
    loaded = load(
        legacy_file(tensor("k", 6, (2, 3), python2=python2), {"k": FLOATS}, protocol=protocol),
        weights_only=weights_only,
    )
    assert loaded.tolist() == FLOATS.reshape(2, 3).tolist()
    assert loaded.dtype is fb.float32


def test_python_2_strings_as_bytes():
    loaded = load(legacy_file(tensor("k", 6, (6,), python2=True), {"k": FLOATS}), encoding="bytes")
    assert loaded.tolist() == FLOATS.tolist()


@pytest.mark.parametrize(
    "kind,dtype",
    [("DoubleStorage", ">f8"), ("ShortStorage", ">i2"), ("ByteStorage", "u1"), ("ComplexFloatStorage", ">c8")],
)
def test_big_endian_files(kind, dtype):
    values = np.array([1, 2, 3], np.dtype(dtype).newbyteorder("="))
    loaded = load(legacy_file(tensor("k", 3, (3,), kind=kind), {"k": values}, little=False))
    assert loaded.tolist() == values.tolist()


def test_views_of_pytorch_0_1_share_memory():
    body = b"(" + tensor("k", 6, (6,)) + tensor("k", 6, (2,), view=("v", 2, 2)) + b"t"
    whole, part = load(legacy_file(body, {"k": FLOATS}))
    assert part.tolist() == [2, 3]
    whole.zero_()
    assert part.tolist() == [0, 0]
    part.fill_(7)
    assert whole.tolist() == [0, 0, 7, 7, 0, 0]


def test_tensors_of_cuda_need_map_location():
    file = legacy_file(tensor("k", 6, (6,), location="cuda:0"), {"k": FLOATS})
    with pytest.raises(RuntimeError, match="CUDA"):
        load(file)
    file.seek(0)
    assert load(file, map_location="cpu").tolist() == FLOATS.tolist()


def test_a_whole_module_with_its_source():
    """("module", class, file, source): the source is not compared and not run."""
    body = b"((X\x06\x00\x00\x00moduleccollections\nCounter\nX\x01\x00\x00\x00fX\x04\x00\x00\x00codetQ" + b"t"
    (cls,) = load(legacy_file(body, {}), weights_only=False)
    assert cls.__name__ == "Counter"


@pytest.mark.parametrize(
    "body,storages,keys,message",
    [
        (tensor("k", 6, (2, 3)), {"k": FLOATS[:5]}, None, "wrong byte size"),
        (tensor("k", 6, (2, 3)), {}, ["k"], "unexpected EOF"),
        (tensor("k", 6, (2, 3)), {}, [], "does not fit"),
        (b"N", {"k": FLOATS}, None, "does not fit"),
        (tensor("k", 6, (2, 3)), {"k": FLOATS}, ["k", "k"], "does not fit"),
        (tensor("k", 1 << 30, (2, 3)), {"k": FLOATS}, None, "would need 4294967296 bytes"),
        (tensor("k", 6, (2, 4)), {"k": FLOATS}, None, "out of bounds"),
        (tensor("k", -1, (2, 3)), {"k": FLOATS}, None, "size is of the wrong type"),
        (tensor("k", 6, (2,), view=("v", 5, 2)), {"k": FLOATS}, None, "beyond its end"),
        (tensor("k", 6, (6,)), {"k": FLOATS}, 5, "missing|iterable"),
    ],
)
def test_damaged_files(body, storages, keys, message):
    if keys == 5:
        file = legacy_file(body, {})
        file = io.BytesIO(file.getvalue().replace(pickle.dumps([], 2), pickle.dumps(5, 2)))
    else:
        file = legacy_file(body, storages, keys=keys)
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match=message):
        load(file)


def test_wrong_heads():
    with pytest.raises(RuntimeError, match="Invalid magic number"):
        load(io.BytesIO(pickle.dumps(5, 2)))
    with pytest.raises(RuntimeError, match="Invalid protocol version"):
        load(io.BytesIO(pickle.dumps(MAGIC_NUMBER, 2) + pickle.dumps(1000, 2)))
    with pytest.raises(EOFError):
        load(io.BytesIO(pickle.dumps(MAGIC_NUMBER, 2)))


@pytest.mark.parametrize("at_path", [True, False])
def test_every_truncation_is_an_error(tmp_path, at_path):
    stream = io.BytesIO()
    save({"a": fb.ones(2), "b": [1, "x"]}, stream, _use_new_zipfile_serialization=False)
    data = stream.getvalue()
    for n in range(len(data)):
        file = io.BytesIO(data[:n])
        if at_path:
            file = tmp_path / "x.pt"
            file.write_bytes(data[:n])
        with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
            load(file)
