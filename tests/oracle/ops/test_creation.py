"""Factories and data against PyTorch: reprs must agree, and the classes of errors."""
import itertools
import warnings

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

EXPRESSIONS = """
arange(5) | arange(0, 1, 0.3) | arange(0, 5, dtype=t.float16) | arange(5, 0) | arange(5, 0, -2) | arange(0, 5, 0) | arange(t.tensor(3))
arange(3.) | arange(end=3) | arange(1, 2, dtype=t.bool) | arange(0.1, 20, 0.7) | arange(-3, 10, 4, dtype=t.uint8) | arange(0, 3, out=t.empty(0))
linspace(0, 1, 7) | linspace(0, 1) | linspace(0, 1, -1) | linspace(3, 1, 1) | linspace(0, 10, 5, dtype=t.int64) | linspace(1, 2j, 5)
linspace(t.tensor(0), t.tensor(1.), 4) | linspace(t.tensor([0]), 1, 4) | linspace(-1e3, 1e3, 11, dtype=t.float64)
logspace(0, 2, 3) | logspace(0, 2, 3, 2) | logspace(-1, 1, 5, dtype=t.float64) | eye(3, 2) | eye(-1) | eye(2, dtype=t.bool)
zeros(2, 3) | zeros([2, 3]) | zeros(()) | zeros(size=(2,)) | zeros(2, -1) | zeros('a') | zeros(2.0) | zeros() | zeros(True)
zeros(2, names=None) | zeros((2, t.tensor(3))) | zeros(2, dtype=float) | zeros(2, dtype=int) | zeros(2, device='cuda')
ones(2, dtype=t.int32, requires_grad=True) | ones(2, requires_grad=True) | zeros(2, out=t.ones(2), dtype=t.int32)
full((2,), 1) | full((2,), True) | full((2,), 1.) | full(2, 1.) | full((2,), 1j) | full((2,), t.tensor(3.)) | full(size=(2,), fill_value=3)
full((2,), 300, dtype=t.uint8) | full((2,), 1.5, dtype=t.int32) | full_like(t.ones(2), 1j) | full_like(t.ones(2, dtype=t.long), 2.7)
scalar_tensor(3) | scalar_tensor(3., dtype=t.int64) | tril_indices(3, 3) | triu_indices(3, 4, 1) | tril_indices(2, 5, -1)
empty_permuted((2, 3, 4), (2, 0, 1)).stride() | empty_permuted((2, 3), (0, 0)) | empty_strided((2, 3), (1, 2)).stride()
tensor([[1, 2], [3]]) | tensor('a') | tensor([1, 'a']) | tensor(None) | tensor([None]) | tensor({}) | tensor([1.0, 2], dtype=t.int32)
tensor(1j, dtype=t.float32) | tensor([True, 2]) | tensor([1, 2.5, True]) | tensor([[]]) | tensor([1j, 2]) | tensor(300, dtype=t.uint8)
tensor(-1, dtype=t.uint8) | tensor([np.float64(1)]) | tensor([1., np.float64(1)]) | tensor([np.float32(1), 1.5]) | tensor([np.int32(1), 1])
tensor(np.float16(1)) | tensor([np.ones(2), np.ones(2)]) | tensor([t.tensor(1), t.tensor(2)]) | tensor(2 ** 63)
as_tensor([1, 2]) | asarray([1., 2]) | asarray(5) | as_tensor(3., dtype=t.int32) | asarray(np.arange(3)) | asarray([1], copy=False)
frombuffer(bytearray(8), dtype=t.int32) | frombuffer(bytearray(7), dtype=t.int32) | from_numpy(np.arange(3)) | from_numpy([1])
complex(t.ones(2), t.ones(2).double()) | complex(t.ones(2).long(), t.ones(2).long()) | polar(t.ones(2), t.ones(2))
hann_window(5) | hamming_window(5, periodic=False) | bartlett_window(6) | kaiser_window(5) | hann_window(-1)
hann_window(3, dtype=t.int64) | hann_window(1) | signal.windows.hann(5) | signal.windows.gaussian(5, std=2) | signal.windows.cosine(5, sym=False)
signal.windows.exponential(5, center=1, sym=False) | signal.windows.exponential(5, center=1) | signal.windows.kaiser(5, beta=-1)
signal.windows.general_cosine(5, a=[]) | signal.windows.nuttall(5) | signal.windows.hann(3, dtype=t.int64)
Tensor(2, 3).shape | Tensor([2, 3]) | Tensor() | Tensor((2, 3)) | Tensor(2.5) | Tensor('a') | Tensor(t.ones(2, dtype=t.int64))
FloatTensor([1, 2]) | LongTensor([1, 2.5]) | FloatTensor(t.ones(2, dtype=t.int64)) | BoolTensor([0, 2]) | FloatTensor.dtype
finfo(t.float32) | finfo(t.bfloat16) | finfo(t.float16) | finfo(t.float8_e4m3fn) | finfo(t.complex64) | iinfo(t.int8) | finfo(t.int8)
iinfo(t.float32) | float32 | strided | channels_last | get_default_dtype()
""".replace("\n", "|").split("|")


def shown(expression, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return repr(eval("t." + expression, {"t": module, "np": np}))
        except Exception as error:
            return type(error)


@pytest.mark.parametrize("expression", [e.strip() for e in EXPRESSIONS if e.strip()])
def test_factories(expression):
    want, got = shown(expression, torch), shown(expression, flambeau)
    assert got == want or isinstance(want, type) and isinstance(got, type) and issubclass(got, want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_grids_to_the_bit(dtype):
    for start, end, steps in ((0, 1, 11), (-3.3, 7.1, 50), (1e-3, 1e3, 17), (5, -5, 8), (-1, 1, 333), (-3.14159, 3.14159, 2000)):
        for name, *args in (("linspace", start, end, steps), ("arange", start, end, (end - start) / (steps - 0.7))):
            ours, theirs = (getattr(t, name)(*args, dtype=getattr(t, dtype)).double().numpy() for t in (flambeau, torch))
            np.testing.assert_array_equal(ours, theirs, f"{name}{tuple(args)}")


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64",
          "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"]


def test_the_whole_promotion_lattice():
    for a, b in itertools.product(DTYPES, DTYPES):
        assert shown(f"promote_types(t.{a}, t.{b})", flambeau) == shown(f"promote_types(t.{a}, t.{b})", torch), (a, b)
        assert shown(f"can_cast(t.{a}, t.{b})", flambeau) == shown(f"can_cast(t.{a}, t.{b})", torch), (a, b)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"])
def test_every_half_converts_alike(name):
    values = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    values = np.concatenate([values[~np.isnan(values)], np.float32([1e30, -1e30, 448, 464, 480, 1e-40])])
    got = flambeau.tensor(values).to(getattr(flambeau, name)).float().numpy()
    want = torch.tensor(values).to(getattr(torch, name)).float().numpy()
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("elements", [0, 3, 5])
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_arange_warns_of_an_out_of_another_size(elements, dtype):
    said = []
    for side in (torch, flambeau):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            side.arange(5, out=side.empty(elements, dtype=getattr(side, dtype)))
        said.append([str(w.message).partition(" (Triggered")[0] for w in caught])
    assert said[0] == said[1]
    assert len(said[1]) == (elements == 3)
