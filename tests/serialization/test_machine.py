"""The pickle machine: plain data of every protocol, and bounded time and memory for everything else."""
import collections
import datetime
import enum
import pathlib
import pickle
import pickletools
import struct
import time
import tracemalloc
import types
from argparse import Namespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flambeau.serialization._allowlist import WeightsOnly
from flambeau.serialization._machine import HANDLERS, PickleMachine

PROTOCOLS = range(0, 6)


def run(data: bytes, **arguments):
    return PickleMachine(data, WeightsOnly(), **arguments).run()


def same(a, b) -> bool:
    """Equal in value and type; NaN equals itself, arrays compare by bytes."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.tolist() == b.tolist()
            and a.flags.f_contiguous == b.flags.f_contiguous
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (Namespace, types.SimpleNamespace)):
        return same(vars(a), vars(b))
    return a == b or a != a and b != b


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(-9, 9) | st.tuples(st.text()), inner)
        | st.sets(st.text() | st.integers(-9, 9))
        | st.frozensets(st.integers(-9, 9))
        | inner.map(lambda x: [x, x])
    ),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from(PROTOCOLS))
def test_plain_data_reads_as_python_reads_it(obj, protocol):
    assert same(run(pickle.dumps(obj, protocol)), obj)


OBJECTS = [
    collections.OrderedDict(b=1, a=[2]),
    collections.defaultdict(list, {"x": [1]}),
    collections.Counter("abca"),
    collections.deque([1, 2], 5),
    Namespace(lr=0.1, layers=[1, 2]),
    types.SimpleNamespace(a=1),
    bytearray(b"abc"),
    range(3, 9, 2),
    slice(1, None),
    datetime.datetime(2024, 2, 3, 4, 5, 6, 7, datetime.timezone.utc),
    datetime.timedelta(3, 4),
    datetime.date(2020, 1, 2),
    pathlib.PurePosixPath("a/b"),
    pathlib.Path("x"),
    np.float32(1.5),
    np.int64(-3),
    np.bool_(True),
    np.str_("hé"),
    np.bytes_(b"ab"),
    np.datetime64("2020-01-02", "D"),
    np.dtype("f4"),
    np.dtype(">i2"),
    np.dtype("M8[ns]"),
    np.dtype([("a", "f4"), ("b", "i2", (2,))]),
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.zeros((0, 3), np.int8),
    np.array(3 + 4j),
    np.array(["ab", "c"]),
    np.array([1, None, "x"], object),
    np.array([(1.0, 2)], [("a", "f4"), ("b", "i8")]),
    np.arange(3, dtype=">i4"),
    np.array(["2020-01-02"], "M8[us]"),
    float,
    np.float32,
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("obj", OBJECTS, ids=lambda o: f"{type(o).__name__}-{o!r}"[:40])
def test_allowed_objects_read_as_python_reads_them(obj, protocol):
    result = run(pickle.dumps(obj, protocol))
    assert same(result, pickle.loads(pickle.dumps(obj, protocol)))
    if isinstance(result, np.ndarray):
        assert result.flags.writeable


def test_shared_and_circular_objects_keep_their_identity():
    inner = [1]
    outer = {"a": inner, "b": inner}
    outer["self"] = outer
    result = run(pickle.dumps(outer))
    assert result["a"] is result["b"] and result["self"] is result


def test_strings_of_python_2():
    data = b"U\x03\xe9ab."
    assert run(data, encoding="latin1") == "éab"
    assert run(data, encoding="bytes") == b"\xe9ab"
    assert run(b"S'a\\nb'\n.") == "a\nb"
    with pytest.raises(pickle.UnpicklingError, match="codec"):
        run(data, encoding="ascii")


class Colour(enum.Enum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


def test_every_opcode_of_pickle_is_handled_or_refused_on_purpose():
    without = {op.name for op in pickletools.opcodes if HANDLERS[ord(op.code)] is None}
    assert without == {"STOP", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}


MALFORMED = {
    "truncated string": b"X\xff\xff\xff\xffabc",
    "truncated number": b"J\x01",
    "no stop": b"N",
    "no newline": b"cos\nsystem",
    "empty stack": b".",
    "two objects": b"NN.",
    "mark left": b"(.",
    "no mark": b"Nt.",
    "mark as object": b"(\x85.",
    "unknown memo": b"h\x05.",
    "negative put": b"Np-1\n.",
    "append to a dict": b"}K\x01a.",
    "set items of a list": b"]K\x01K\x02s.",
    "odd items": b"}(K\x01u.",
    "unhashable key": b"}]K\x02s.",
    "list in a set": b"\x8f(]\x90.",
    "protocol 9": b"\x80\x09N.",
    "frame": b"\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
    "extension": b"\x82\x01.",
    "out-of-band buffer": b"\x97.",
    "negative length": b"T\xff\xff\xff\xff.",
    "bad utf-8": b"X\x01\x00\x00\x00\xff.",
    "bad unicode": b"V\\ud\n.",
    "bad int": b"Iabc\n.",
    "bad string": b"Sabc\n.",
    "long digits": b"L" + b"9" * 10_000 + b"L\n.",
    "reduce a number": b"K\x01)R.",
    "reduce without a tuple": b"ccollections\nOrderedDict\n]R.",
    "build a list": b"]}b.",
    "global without names": b"N\x93.",
    "persistent id": b"Pabc\n.",
    "binary persistent id": b"NQ.",
    "not a pickle": b"\xff\xd8\xff\xe0.",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_pickles_are_unpickling_errors(data):
    with pytest.raises(pickle.UnpicklingError):
        run(data)


def test_no_data_is_an_end_of_file():
    with pytest.raises(EOFError, match="Ran out of input"):
        run(b"")


def test_every_prefix_and_every_changed_byte_is_an_error_or_data():
    data = pickle.dumps({"a": [1, 2.5, (None, "x")], "b": np.arange(3), "c": collections.OrderedDict(x={1, 2})}, 2)
    for n in range(1, len(data)):
        with pytest.raises(pickle.UnpicklingError):
            run(data[:n])
    for at in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            try:
                run(data[:at] + bytes([data[at] ^ flip]) + data[at + 1:])
            except pickle.UnpicklingError:
                pass


# ------------------------------------------------------------------ bombs: small files that ask for much

def put(i):
    return b"r" + struct.pack("<I", i)


def get(i):
    return b"j" + struct.pack("<I", i)


def nested(open_, close, depth):
    return open_ * depth + b"N" + close * depth + b"."


def doubling(levels):
    """A tuple of the one before, twice, many times over."""
    return b"N" + b"".join(b"\x85" if i == 0 else put(i) + b"0" + get(i) * 2 + b"\x86" for i in range(levels))


def containers(constructor, depth):
    return b"]" + b"".join(put(0) + b"0" + constructor + get(0) + b"\x85\x85R" for _ in range(depth)) + b"."


def default_dicts(depth):
    return (
        b"N"
        + b"".join(
            put(0) + b"0ccollections\ndefaultdict\ncbuiltins\nlist\n\x85RK\x01" + get(0) + b"s" for _ in range(depth)
        )
        + b"."
    )


def object_arrays(depth):
    head = (
        b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
        + put(1)
        + b"0N"
    )
    each = (
        put(0)
        + b"0cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85"
        + get(1)
        + b"\x89]"
        + get(0)
        + b"atb"
    )
    return head + each * depth + b"."


BIG_LIST = b"](" + b"K\x01" * 20_000 + b"e" + put(1) + b"0"
BOMBS = {
    "deep tuples": b"N" + b"\x85" * 300_000 + b".",
    "deep lists": b"]" * 300_000 + b"a" * 299_999 + b".",
    "deep dicts": nested(b"}K\x01", b"s", 100_000),
    "deep default dicts": default_dicts(120_000),
    "deep deques": containers(b"ccollections\ndeque\n", 120_000),
    "deep object arrays": object_arrays(40_000),
    "deep keys": b"}" + b"N" + b"\x85" * 300_000 + b"Ns.",
    "doubled keys": b"}" + doubling(60) + b"Ns.",
    "doubled values": doubling(60) + b".",
    "huge bytes": b"cbuiltins\nbytes\nJ\x00\x00\x00\x7f\x85R.",
    "huge bytearray": b"cbuiltins\nbytearray\nJ\x00\x00\x00\x7f\x85R.",
    "list of a huge range": b"cbuiltins\nset\ncbuiltins\nrange\nJ\x00\x00\x00\x7f\x85R\x85R.",
    "huge bytes8": b"\x8e" + struct.pack("<Q", 1 << 40) + b".",
    "copied again and again": BIG_LIST + b"](" + (b"ccollections\ndeque\n" + get(1) + b"\x85R") * 5_000 + b"e.",
    "sets made again and again": BIG_LIST + b"](" + (b"cbuiltins\nset\n" + get(1) + b"\x85R") * 20_000 + b"e.",
    "colliding integers": b"}("
    + b"".join(b"\x8a\x10" + ((2**61 - 1) * i).to_bytes(16, "little") + b"N" for i in range(2**6, 50_000))
    + b"u.",
    "huge array": b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    b"(K\x01\x8a\x06\x00\x00\x00\x00\x00\x10\x85cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R\x89C\x00tb.",
    "huge dtype": b"cnumpy\ndtype\nX\x0b\x00\x00\x00V9999999999\x85R.",
    "dtype of a size": b"cnumpy\ndtype\nX\x10\x00\x00\x00(99999,99999,99)f8\x85R.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_bounded_time_and_memory(name):
    """Deep ones would crash the process where they are freed; the memory of the others is measured."""
    data = BOMBS[name]
    if not name.startswith("deep"):
        tracemalloc.start()
    try:
        began = time.perf_counter()
        with pytest.raises(pickle.UnpicklingError):
            run(data)
        assert time.perf_counter() - began < 60
        if tracemalloc.is_tracing():
            assert tracemalloc.get_traced_memory()[1] < 64_000_000 + 150 * len(data)
    finally:
        tracemalloc.stop()


def test_what_is_nested_less_deep_loads():
    obj = None
    for _ in range(300):
        obj = [obj]
    assert same(run(pickle.dumps(obj)), obj)


def test_a_dtype_cannot_reach_outside_its_array():
    """NumPy's own unpickling takes these offsets as they are and reads beyond the data."""
    state = (3, "|", None, ("a",), {"a": (np.dtype("f8"), 1 << 20)}, 8, 1, 16)
    data = pickle.dumps(state, 2)[2:-1]
    with pytest.raises(pickle.UnpicklingError):
        run(b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00V8\x89\x88\x87R" + data + b"b.")
