"""default_collate and default_convert against PyTorch's."""

import collections

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.utils.data as theirs  # noqa: E402

import flambeau  # noqa: E402
import flambeau.utils.data as ours  # noqa: E402

Point = collections.namedtuple("Point", "x y")


class MyList(list):
    pass


class MyDict(dict):
    """Remembers `extra`, which a copy keeps."""


class Row(collections.abc.Sequence):
    """Cannot be made from a list."""

    def __init__(self, *values):
        self.values = values

    def __getitem__(self, i):
        return self.values[i]

    def __len__(self):
        return len(self.values)


def describe(value, framework):
    """The structure, with types, dtypes and values."""
    if isinstance(value, framework.Tensor):
        return "tensor", str(value.dtype), tuple(value.shape), value.tolist()
    if isinstance(value, np.ndarray):
        return "array", str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: describe(part, framework) for key, part in value.items()}
    if isinstance(value, collections.abc.Sequence) and not isinstance(value, (str, bytes)):
        return type(value).__name__, [describe(part, framework) for part in value]
    return type(value).__name__, value


CASES = {
    "ints": lambda t: [1, 2, 3],
    "floats": lambda t: [1.5, 2.0],
    "bools": lambda t: [True, False],
    "int and float": lambda t: [1, 2.5],
    "float and int": lambda t: [1.5, 2],
    "strings": lambda t: ["a", "bc"],
    "bytes": lambda t: [b"a", b"bc"],
    "tensors": lambda t: [t.ones(2, 3), t.zeros(2, 3)],
    "0-dim tensors": lambda t: [t.tensor(1), t.tensor(2)],
    "uint8 tensors": lambda t: [t.ones(2, dtype=t.uint8)],
    "bfloat16 tensors": lambda t: [t.ones(2, dtype=t.bfloat16)] * 2,
    "views": lambda t: [t.arange(6).reshape(2, 3).t(), t.arange(6, 12).reshape(3, 2)],
    "arrays": lambda t: [np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)],
    "float64 arrays": lambda t: [np.ones(2), np.zeros(2)],
    "0-dim arrays": lambda t: [np.array(1), np.array(2)],
    "NumPy scalars": lambda t: [np.float32(1), np.float32(2)],
    "NumPy float64": lambda t: [np.float64(1), np.float64(2)],
    "NumPy ints": lambda t: [np.int32(1), np.int32(2)],
    "NumPy bools": lambda t: [np.bool_(True), np.bool_(False)],
    "tuples": lambda t: [(1, 2.0, "a"), (3, 4.0, "b")],
    "lists": lambda t: [[1, 2], [3, 4]],
    "own lists": lambda t: [MyList([1, 2]), MyList([3, 4])],
    "dicts": lambda t: [{"a": 1, "b": t.ones(2)}, {"b": t.zeros(2), "a": 2}],
    "own dicts": lambda t: [MyDict(a=1), MyDict(a=2)],
    "ordered dicts": lambda t: [collections.OrderedDict(b=1, a=2.5)] * 2,
    "default dicts": lambda t: [collections.defaultdict(int, a=1)] * 2,
    "named tuples": lambda t: [Point(1, t.ones(1)), Point(2, t.zeros(1))],
    "ranges": lambda t: [range(3), range(1, 4)],
    "other sequences": lambda t: [Row(1, 2), Row(3, 4)],
    "empty lists": lambda t: [[], []],
    "empty dicts": lambda t: [{}, {}],
    "nested": lambda t: [{"x": [(1, np.ones(2)), "a"], "y": Point([1.0], {"z": 2})}] * 3,
    "empty tensors": lambda t: [t.ones(0, 2)] * 2,
    "a tuple of samples": lambda t: (1, 2, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_default_collate(case):
    mine = describe(ours.default_collate(CASES[case](flambeau)), flambeau)
    assert mine == describe(theirs.default_collate(CASES[case](torch)), torch)


CONVERT_ONLY = {
    "number": lambda t: 3,
    "None": lambda t: None,
    "array": lambda t: np.arange(3),
    "array of strings": lambda t: np.array(["a", "b"]),
    "array of objects": lambda t: np.array([None, 1], dtype=object),
    "scalar": lambda t: np.float32(2),
    "string scalar": lambda t: np.str_("a"),
    "named tuple": lambda t: Point(np.array(0), 1),
    "tensor": lambda t: t.ones(2),
}


@pytest.mark.parametrize("case", [*CASES, *CONVERT_ONLY])
def test_default_convert(case):
    make = {**CASES, **CONVERT_ONLY}[case]
    mine, expected = (describe(data.default_convert(make(t)), t) for t, data in [(flambeau, ours), (torch, theirs)])
    assert mine == expected


def test_a_copy_keeps_what_the_container_holds_besides():
    sample = MyDict(a=1)
    sample.extra = "kept"
    assert ours.default_collate([sample, MyDict(a=2)]).extra == "kept"
    assert sample == {"a": 1}


def test_own_types_are_added_to_the_map():
    from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

    class Own:
        def __init__(self, value):
            self.value = value

    class Heir(Own):
        pass

    def collate_own(batch, *, collate_fn_map=None):
        return collate([own.value for own in batch], collate_fn_map=collate_fn_map)

    own_map = {**default_collate_fn_map, Own: collate_own}
    assert collate([{"a": Heir(1)}, {"a": Own(2)}], collate_fn_map=own_map)["a"].tolist() == [1, 2]
    with pytest.raises(TypeError, match="Own"):
        ours.default_collate([Own(1)])


def test_array_of_strings_cannot_be_collated():
    for data in (ours, theirs):
        with pytest.raises(TypeError, match="default_collate: batch must contain tensors.*<U1"):
            data.default_collate([np.array(["a"])])
