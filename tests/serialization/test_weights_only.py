"""`weights_only=True`: what is refused and how, and the ways to let something in."""
import argparse
import builtins
import collections
import dataclasses
import datetime
import enum
import io
import os
import pathlib
import pickle
import subprocess
import zipfile

import numpy as np
import pytest

import flambeau as fb
from flambeau import serialization
from flambeau.serialization import load, save


def stream_of(obj, **arguments):
    stream = io.BytesIO()
    save(obj, stream, **arguments)
    stream.seek(0)
    return stream


def file_with_pickle(data):
    """A zip file as `save` writes it, with this data.pkl."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("archive/data.pkl", data)
        z.writestr("archive/version", "3\n")
    stream.seek(0)
    return stream


class Attack:
    """Unpickles to a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


ATTACKS = [
    (os.system, "touch {0}"),
    (os.mkdir, "{0}"),
    (builtins.exec, "open({0!r}, 'w')"),
    (builtins.eval, "open({0!r}, 'w')"),
    (builtins.open, "{0}", "w"),
    (subprocess.check_output, ["touch", "{0}"]),
    (builtins.getattr, os, "system"),
    (builtins.__import__, "os"),
    (pathlib.Path.touch, pathlib.Path("x")),
    (builtins.print, "x"),
    (np.save, "{0}", np.ones(1)),
    (collections.namedtuple, "a", "b"),
    (type, "X", (), {}),
    (fb.serialization.save, 1, "{0}"),
    (argparse.ArgumentParser,),
    (io.BytesIO, b""),
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a[0].__qualname__)
def test_no_code_runs(tmp_path, monkeypatch, attack, protocol, legacy):
    monkeypatch.chdir(tmp_path)
    target = str(tmp_path / "touched")
    function, *args = attack
    if os in args:
        args = [type, "mro"]
    args = [
        a.format(target) if isinstance(a, str) else [x.format(target) for x in a] if isinstance(a, list) else a
        for a in args
    ]
    stream = stream_of(
        {"w": fb.ones(1), "x": Attack(function, *args)},
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(
        pickle.UnpicklingError, match="Weights only load failed: (Unsupported global: GLOBAL|Trying to call)"
    ):
        load(stream)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n.",
        b"(S'touch x'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch x'\no.",
        b"\x8c\x02os\x8c\x06system\x93.",
        b"cos\nsystem\n)\x81.",
        b"cbuiltins\ngetattr\ncbuiltins\nstr\nX\x03\x00\x00\x00mro\x86R.",
    ],
)
def test_every_way_to_name_a_function_is_refused(data):
    with pytest.raises(
        pickle.UnpicklingError, match="Unsupported global: GLOBAL (posix|nt|os|builtins)\\.(system|getattr)"
    ):
        load(file_with_pickle(data))


def test_types_that_are_values_cannot_be_called():
    for name in ("int", "str", "list", "dict", "tuple", "object"):
        with pytest.raises(pickle.UnpicklingError, match=f"Trying to call builtins.{name}"):
            load(file_with_pickle(f"cbuiltins\n{name}\n)R.".encode()))


class Config:
    """A class of the user's, as a file may hold one."""

    def __init__(self, lr=0.1):
        self.lr = lr

    def __eq__(self, other):
        return vars(self) == vars(other)


def test_the_error_names_the_class_and_the_line_that_allows_it():
    with pytest.raises(pickle.UnpicklingError) as caught:
        load(stream_of(Config()))
    name = f"{__name__}.Config"
    assert f"Unsupported global: GLOBAL {name} was not an allowed global by default" in str(caught.value)
    assert f"torch.serialization.add_safe_globals([{name}])" in str(caught.value)
    assert f"torch.serialization.safe_globals([{name}])" in str(caught.value)
    assert "weights_only=False" in str(caught.value)


@pytest.fixture
def clean_list():
    serialization.clear_safe_globals()
    yield
    serialization.clear_safe_globals()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_add_and_clear_safe_globals(clean_list, protocol):
    stream = stream_of({"config": Config(0.5), "w": fb.ones(2)}, pickle_protocol=protocol)
    serialization.add_safe_globals([Config])
    assert serialization.get_safe_globals() == [Config]
    assert load(stream)["config"] == Config(0.5)
    serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []
    stream.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="Config"):
        load(stream)


def test_safe_globals_for_a_block(clean_list):
    stream = stream_of(Config())
    serialization.add_safe_globals([io.BytesIO])
    with serialization.safe_globals([Config]):
        assert load(stream) == Config()
        assert serialization.get_safe_globals() == [io.BytesIO, Config]
    assert serialization.get_safe_globals() == [io.BytesIO]


def test_a_global_under_another_name(clean_list):
    stream = file_with_pickle(b"cold_module\nOldConfig\n)\x81}X\x02\x00\x00\x00lrK\x03sb.")
    with pytest.raises(pickle.UnpicklingError, match="old_module.OldConfig"):
        load(stream)
    stream.seek(0)
    with serialization.safe_globals([(Config, "old_module.OldConfig")]):
        assert load(stream).lr == 3
        assert serialization.get_safe_globals() == [(Config, "old_module.OldConfig")]
    with pytest.raises(ValueError, match="tuple of \\(global, str"):
        serialization.add_safe_globals([(Config, 3)])
    with pytest.raises(TypeError):
        serialization.add_safe_globals(["Config"])


def test_allowing_one_class_allows_no_other(clean_list):
    with serialization.safe_globals([Config]), pytest.raises(pickle.UnpicklingError, match="mkdir"):
        load(stream_of([Config(), Attack(os.mkdir, "x")]))


class Stateful:
    def __setstate__(self, state):
        self.seen = state

    def __getstate__(self):
        return {"a": 1}


def test_an_allowed_class_uses_its_own_setstate_and_call(clean_list):
    with serialization.safe_globals([Stateful, os.path.join, *([__import__("posixpath").join])]):
        loaded = load(stream_of([Stateful(), Attack(os.path.join, "a", "b")]))
    assert loaded[0].seen == {"a": 1}
    assert loaded[1] == os.path.join("a", "b")


def test_get_unsafe_globals(clean_list):
    stream = stream_of({"config": Config(), "w": fb.ones(1), "a": Attack(os.mkdir, "x"), "n": np.float32(1)})
    unsafe = serialization.get_unsafe_globals_in_checkpoint(stream)
    assert unsafe == [f"{__name__}.Config", f"{os.mkdir.__module__}.mkdir"]
    stream.seek(0)
    with serialization.safe_globals([Config]):
        assert serialization.get_unsafe_globals_in_checkpoint(stream) == [f"{os.mkdir.__module__}.mkdir"]
    with pytest.raises(ValueError, match="torch.save"):
        serialization.get_unsafe_globals_in_checkpoint(stream_of(1, _use_new_zipfile_serialization=False))


# ------------------------------------------------------------------ plain data that the program knows

@dataclasses.dataclass
class Options:
    lr: float = 0.1
    sizes: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        OPENED.append(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Slots:
    a: int
    b: str


class Kind(enum.Enum):
    TRAIN = "train"
    TEST = ("test", 2)


Point = collections.namedtuple("Point", "x y")
OPENED: list = []


@dataclasses.dataclass
class WithDel:
    a: int = 0

    def __del__(self):
        OPENED.append("del")


@dataclasses.dataclass
class WithSetState:
    a: int = 0

    def __setstate__(self, state):
        OPENED.append("setstate")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    "obj",
    [
        Options(0.5, [1]),
        Slots(1, "x"),
        Kind.TRAIN,
        Kind.TEST,
        Point(1, [2]),
        argparse.Namespace(a=Point(1, 2)),
        {Kind.TRAIN: 1},
        datetime.datetime(2020, 1, 2),
        pathlib.Path("a/b"),
        {np.int64(3): 1, fb.float32: 2},
    ],
    ids=lambda o: f"{o!r}"[:30],
)
def test_plain_classes_of_the_program_open_as_inert_data(obj, protocol):
    stream = stream_of(obj, pickle_protocol=protocol)
    OPENED.clear()
    loaded = load(stream)
    assert loaded == obj
    assert type(loaded) is type(obj)
    assert OPENED == []  # none of the class's own code has run


@pytest.mark.parametrize("cls", [WithDel, WithSetState])
def test_dataclasses_whose_code_would_run_are_refused(cls):
    stream = stream_of(cls())
    OPENED.clear()
    with pytest.raises(pickle.UnpicklingError, match=cls.__name__):
        load(stream)
    assert "setstate" not in OPENED


def test_plain_classes_are_not_imported():
    """A class counts only if the program has imported its module: importing runs code."""
    with pytest.raises(pickle.UnpicklingError, match="GLOBAL turtle.Vec2D"):
        load(file_with_pickle(b"cturtle\nVec2D\n)\x81."))


def test_a_plain_class_with_a_wrong_state_is_refused():
    name = __name__.encode()
    for data in (b"]", b"}K\x01K\x02s", b"K\x05"):
        with pytest.raises(pickle.UnpicklingError):
            load(file_with_pickle(b"c" + name + b"\nOptions\n)\x81" + data + b"b."))


def test_a_default_dict_makes_only_plain_values():
    assert load(stream_of(collections.defaultdict(dict, a=1)))["new"] == {}
    with pytest.raises(pickle.UnpicklingError):
        load(stream_of(collections.defaultdict(os.getcwd)))


# ------------------------------------------------------------------ the argument

def test_weights_only_and_pickle_module_exclude_each_other():
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module"):
        load(stream_of(1), pickle_module=pickle, weights_only=True)
    assert load(stream_of(Config()), pickle_module=pickle) == Config()


def test_environment_variables(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(pickle.UnpicklingError):
        load(stream_of(Config()), weights_only=False)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="Only one of"):
        load(stream_of(1))
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    with pytest.warns(UserWarning, match="forcing weights_only=False"):
        assert load(stream_of(Config())) == Config()
    with pytest.raises(pickle.UnpicklingError):
        load(stream_of(Config()), weights_only=True)


def test_weights_only_false_loads_any_class():
    assert load(stream_of([Config(3), Attack(os.path.join, "a", "b")]), weights_only=False) == [Config(3), "a/b"]


def test_a_class_that_flambeau_lacks_is_named():
    with pytest.raises(AttributeError, match="torch.nn.modules.conv.Conv9d, which flambeau does not have"):
        load(file_with_pickle(b"ctorch.nn.modules.conv\nConv9d\n)\x81."), weights_only=False)


# ------------------------------------------------------------------ tensors that lie

def tensor_pickle(
    size=4, offset=0, shape=b"K\x04\x85", strides=b"K\x01\x85", kind=b"FloatStorage", grad=b"\x89", key=b"0"
):
    size = b"\x8a\x08" + size.to_bytes(8, "little", signed=True)
    offset = b"\x8a\x08" + offset.to_bytes(8, "little", signed=True)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        + kind
        + b"\nX\x01\x00\x00\x00"
        + key
        + b"X\x03\x00\x00\x00cpu"
        + size
        + b"tQ"
        + offset
        + shape
        + strides
        + grad
        + b"ccollections\nOrderedDict\n)RtR."
    )


def tensor_file(**arguments):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("archive/data.pkl", tensor_pickle(**arguments))
        z.writestr("archive/data/0", np.arange(4, dtype="<f4").tobytes())
    stream.seek(0)
    return stream


def test_the_tensor_that_the_lies_are_made_from_loads():
    assert load(tensor_file()).tolist() == [0, 1, 2, 3]


HUGE = b"\x8a\x08" + (1 << 61).to_bytes(8, "little")
LIES = {
    "storage larger than its record": dict(size=5),
    "huge storage": dict(size=1 << 60),
    "negative storage": dict(size=-1),
    "shape beyond the storage": dict(shape=b"K\x05\x85"),
    "huge shape": dict(shape=b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f\x85"),
    "overflowing shape": dict(shape=HUGE + HUGE + b"\x86", strides=b"K\x00K\x00\x86"),
    "empty but huge shape": dict(shape=b"K\x00" + HUGE + HUGE + b"\x87", strides=b"K\x01K\x01K\x01\x87"),
    "offset beyond the storage": dict(offset=1),
    "negative offset": dict(offset=-1),
    "negative shape": dict(shape=b"J\xff\xff\xff\xff\x85"),
    "negative stride": dict(strides=b"J\xff\xff\xff\xff\x85"),
    "strides beyond the storage": dict(strides=b"K\x02\x85"),
    "more strides than sizes": dict(strides=b"K\x01K\x01\x86"),
    "shape of floats": dict(shape=b"G?\xf0\x00\x00\x00\x00\x00\x00\x85"),
    "shape is a number": dict(shape=b"K\x04"),
    "65 dimensions": dict(shape=b"(" + b"K\x01" * 65 + b"t", strides=b"(" + b"K\x01" * 65 + b"t"),
    "requires_grad is a list": dict(grad=b"]"),
    "wider storage than its record": dict(kind=b"DoubleStorage"),
    "gradient of integers": dict(kind=b"IntStorage", grad=b"\x88"),
    "missing record": dict(key=b"7"),
    "no storage class": dict(kind=b"Size"),
    "key leads outside": dict(key=b"/"),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("weights_only", [True, False])
def test_tensors_that_lie_about_their_storage_are_refused(lie, weights_only):
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        load(tensor_file(**LIES[lie]), weights_only=weights_only)


@pytest.mark.parametrize(
    "data",
    [
        b"K\x05Q.",
        b"(K\x01tQ.",
        b"(X\x07\x00\x00\x00storageNNNNtQ.",
        b"NQ.",
        b"(X\x06\x00\x00\x00modulectorch\nSize\nNNtQ.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_parameter\nK\x01K\x01K\x01\x87R.",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nlist\nctorch\nTensor\n)NtR.",
        b"ctorch\nTensor\n)\x81.",
        b"ctorch\ndevice\nX\x03\x00\x00\x00foo\x85R.",
        b"ctorch\nSize\nK\x01\x85R.",
    ],
)
def test_nonsense_about_tensors_is_refused(data):
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        load(file_with_pickle(data))


@pytest.mark.parametrize(
    "name,what",
    [
        ("_rebuild_sparse_csr_tensor", "sparse"),
        ("_rebuild_qtensor", "quantized"),
        ("_rebuild_nested_tensor", "nested"),
        ("_rebuild_meta_tensor_no_storage", "meta device"),
    ],
)
def test_kinds_of_tensors_that_flambeau_lacks_are_named(name, what):
    with pytest.raises(pickle.UnpicklingError, match=f"{what}.*does not have yet"):
        load(file_with_pickle(f"ctorch._utils\n{name}\n)R.".encode()))
    with pytest.raises(pickle.UnpicklingError, match="QInt8Storage, which flambeau does not have yet"):
        load(tensor_file(kind=b"QInt8Storage"))
    with pytest.raises(pickle.UnpicklingError, match="float8_e8m0fnu, which flambeau does not have yet"):
        load(file_with_pickle(b"ctorch\nfloat8_e8m0fnu\n."))


# ------------------------------------------------------------------ files that are something else

@pytest.mark.parametrize(
    "data,error,message",
    [
        (b"", EOFError, "Ran out of input"),
        (b"<!DOCTYPE html><p>404", pickle.UnpicklingError, "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", pickle.UnpicklingError, "Git LFS"),
        (b"\x89HDF\r\n", pickle.UnpicklingError, "HDF5"),
        (b"\x10" + bytes(7) + b'{"a":{"dtype":"F', pickle.UnpicklingError, "safetensors"),
        (b"hello world", pickle.UnpicklingError, "invalid load key, 'h'"),
        (pickle.dumps([1]), RuntimeError, "Invalid magic number"),
        (b"PK\x03\x04", RuntimeError, "central directory"),
        (bytes(64), pickle.UnpicklingError, "invalid load key"),
        (b"a" * 257 + b"ustar" + bytes(300), RuntimeError, "corrupt tar file"),
    ],
)
@pytest.mark.parametrize("weights_only", [True, False])
def test_other_files_are_recognised(data, error, message, weights_only):
    with pytest.raises(error, match=message):
        load(io.BytesIO(data), weights_only=weights_only)


def test_a_zip_file_of_something_else():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("folder/readme.txt", "hello")
    stream.seek(0)
    with pytest.raises(RuntimeError, match="data.pkl: file not found.*readme.txt"):
        load(stream)
