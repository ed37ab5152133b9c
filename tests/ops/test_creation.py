"""Factories, ranges, data and windows."""
import math

import numpy as np
import pytest

import flambeau as torch


def test_shapes_as_sequence_or_arguments():
    for make in (torch.zeros, torch.ones, torch.empty):
        for size in ((2, 3), ((2, 3),), ([2, 3],), (torch.Size([2, 3]),)):
            assert make(*size).shape == (2, 3)
        assert make(()).shape == () and make(size=(4,)).shape == (4,) and make(0, 2).shape == (0, 2)
    assert torch.zeros(2, torch.tensor(3)).shape == (2, 3)


@pytest.mark.parametrize("call, kind", [
    ("zeros(2, -1)", RuntimeError), ("zeros('a')", TypeError), ("zeros(2.0)", TypeError), ("zeros(True)", TypeError),
    ("zeros()", TypeError), ("zeros(2, foo=1)", TypeError), ("full(2, 1.0)", TypeError), ("eye(-1)", RuntimeError),
    ("arange(5, 0)", RuntimeError), ("arange(0, 5, 0)", RuntimeError), ("arange(1, float('inf'))", RuntimeError),
    ("arange(2, dtype=torch.bool)", NotImplementedError), ("linspace(0, 1, -1)", RuntimeError), ("linspace(0, 1, 2.5)", TypeError),
    ("ones(2, dtype=torch.int32, requires_grad=True)", RuntimeError), ("full((2,), 300, dtype=torch.uint8)", RuntimeError),
    ("full_like(torch.ones(2), 1j)", RuntimeError), ("zeros(2, device='cuda')", AssertionError), ("zeros(2, dtype='float')", TypeError),
    ("empty_permuted((2, 3), (0, 0))", RuntimeError), ("zeros(2, out=torch.ones(2), dtype=torch.int32)", RuntimeError),
])
def test_errors(call, kind):
    with pytest.raises(kind):
        eval("torch." + call, {"torch": torch})


def test_dtypes_of_factories():
    assert torch.zeros(1).dtype is torch.float32 and torch.full((1,), 2).dtype is torch.int64
    assert torch.full((1,), True).dtype is torch.bool and torch.full((1,), 1j).dtype is torch.complex64
    assert torch.zeros(1, dtype=float).dtype is torch.float64 and torch.zeros(1, dtype=int).dtype is torch.int64
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.zeros(1).dtype is torch.float64 and torch.tensor([1.5]).dtype is torch.float64
        assert torch.full((1,), 1j).dtype is torch.complex128
    finally:
        torch.set_default_dtype(torch.float32)


def test_ranges():
    assert torch.arange(5).tolist() == [0, 1, 2, 3, 4] and torch.arange(5).dtype is torch.int64
    assert torch.arange(5, 0, -2).tolist() == [5, 3, 1] and torch.arange(0, 1, 0.3).shape == (4,)
    assert torch.arange(3.0).dtype is torch.float32 and torch.arange(start=1, end=3).tolist() == [1, 2]
    assert torch.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1] and torch.linspace(3, 3, 1).tolist() == [3]
    assert torch.linspace(0, 10, 5, dtype=torch.int64).tolist() == [0, 2, 5, 7, 10]
    assert torch.logspace(0, 3, 4).tolist() == [1, 10, 100, 1000] and torch.logspace(0, 3, 4, base=2).tolist() == [1, 2, 4, 8]
    with pytest.warns(UserWarning, match="torch.range is deprecated"):
        assert torch.range(1, 3).tolist() == [1, 2, 3]


def test_likes_keep_layout():
    x = torch.ones(2, 3, dtype=torch.int16).t()
    for make in (torch.zeros_like, torch.ones_like, torch.empty_like, lambda t: torch.full_like(t, 2)):
        y = make(x)
        assert y.shape == x.shape and y.dtype is x.dtype and y.stride() == x.stride()
    assert torch.zeros_like(x, memory_format=torch.contiguous_format).is_contiguous()
    assert torch.empty(2, 3, 4, 5, memory_format=torch.channels_last).stride() == (60, 1, 15, 3)
    assert torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert torch.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert x.new_full((2,), 7).tolist() == [7, 7] and x.new_full((2,), 7).dtype is torch.int16


def test_triangles_and_identity():
    assert torch.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.tril_indices(3, 3, -1).tolist() == [[1, 2, 2], [0, 0, 1]]
    assert torch.triu_indices(2, 3, 1).tolist() == [[0, 0, 1], [1, 2, 2]]


# ------------------------------------------------------------------ data

@pytest.mark.parametrize("data, dtype", [
    (1, "int64"), (1.5, "float32"), (True, "bool"), (1j, "complex64"), ([1, 2.5], "float32"), ([True, 2], "int64"), ([], "float32"),
    ([1, 2j], "complex64"), (np.float32(1), "float32"), ([np.float32(1)], "float32"), (np.arange(2), "int64"), ([np.float64(1)], "float64"), ([1.0, np.float64(1)], "float64"), ([np.float32(1), 1.5], "float32"),
    (np.ones(2), "float64"), ([np.ones(2), np.ones(2)], "float64"), (range(3), "int64"), ([np.int32(1)], "int32"), (np.bool_(True), "bool"),
    ((1, (2,)) and ((1,), (2,)), "int64"),
])
def test_inferred_dtypes(data, dtype):
    assert torch.tensor(data).dtype is getattr(torch, dtype)


def test_nested_tensors_as_data():
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2.0)]).tolist() == [1, 2]
    assert torch.tensor([[torch.tensor(1), 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert torch.tensor([torch.ones(2, dtype=torch.float64)] * 2).shape == (2, 2)


@pytest.mark.parametrize("data, kind, words", [
    ([[1, 2], [3]], ValueError, "expected sequence of length 2 at dim 1"), ("a", TypeError, "invalid data type 'str'"),
    ([1, "a"], TypeError, "invalid data type 'str'"), (None, RuntimeError, "Could not infer dtype of NoneType"),
    ([None], RuntimeError, "Could not infer dtype of NoneType"), ({}, RuntimeError, "dict"), (2 ** 63, ValueError, "Overflow"),
])
def test_data_errors(data, kind, words):
    with pytest.raises(kind, match=words):
        torch.tensor(data)


def test_numbers_that_do_not_fit():
    with pytest.raises(RuntimeError, match="cannot be converted to type uint8 without overflow"):
        torch.tensor(300, dtype=torch.uint8)
    assert torch.tensor(-1, dtype=torch.uint8).item() == 255
    with pytest.raises(TypeError):
        torch.tensor(1j, dtype=torch.float32)
    assert torch.tensor([1.7, -1.7], dtype=torch.int32).tolist() == [1, -1]


def test_shared_memory_with_numpy():
    array = np.arange(6.0).reshape(2, 3)
    for make in (torch.from_numpy, torch.as_tensor, torch.asarray):
        t = make(array)
        t[0, 0] = 50
        assert array[0, 0] == 50
        array[0, 0] = 7
        assert t[0, 0].item() == 7
    view = torch.from_numpy(array.T[1:])
    view.mul_(0)
    assert array[:, 0].tolist() == [7, 3] and array[:, 1:].sum() == 0
    assert torch.asarray(array, copy=True).add_(1) is not None and array[0, 0] == 7
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(array[::-1])
    with pytest.raises(TypeError, match="can't convert np.ndarray"):
        torch.from_numpy(np.array(["a"]))
    with pytest.raises(ValueError, match="alias"):
        torch.asarray([1], copy=False)


def test_frombuffer():
    buffer = bytearray(np.arange(4, dtype=np.int32).tobytes())
    t = torch.frombuffer(buffer, dtype=torch.int32, count=2, offset=4)
    assert t.tolist() == [1, 2]
    t[0] = -1
    assert np.frombuffer(buffer, np.int32)[1] == -1
    with pytest.raises(ValueError, match="must be a multiple of element size"):
        torch.frombuffer(bytearray(7), dtype=torch.int32)


def test_copies_of_tensors_warn():
    with pytest.warns(UserWarning, match="recommended to use sourceTensor"):
        torch.tensor(torch.ones(2))


def test_complex_tensors_from_parts():
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([2.0, -1.0])
    assert torch.complex(x, y).tolist() == [1 + 2j, -1j]
    polar = torch.polar(torch.tensor([2.0]), torch.tensor([math.pi / 2]))
    assert polar.imag.item() == pytest.approx(2) and abs(polar.real.item()) < 1e-6
    with pytest.raises(RuntimeError, match="Expected object of scalar type Float"):
        torch.complex(x, y.double())


def test_windows():
    n = np.arange(6)
    np.testing.assert_allclose(torch.hann_window(6, dtype=torch.float64).numpy(), 0.5 - 0.5 * np.cos(2 * np.pi * n / 6), atol=1e-15)
    np.testing.assert_allclose(torch.hamming_window(6, False, dtype=torch.float64).numpy(), np.hamming(6), atol=1e-15)
    np.testing.assert_allclose(torch.blackman_window(6, False, dtype=torch.float64).numpy(), np.blackman(6), atol=1e-15)
    np.testing.assert_allclose(torch.bartlett_window(6, False, dtype=torch.float64).numpy(), np.bartlett(6), atol=1e-15)
    np.testing.assert_allclose(torch.kaiser_window(6, False, 5.0, dtype=torch.float64).numpy(), np.kaiser(6, 5.0), atol=1e-14)
    w = torch.signal.windows
    np.testing.assert_allclose(w.gaussian(5, std=2.0, dtype=torch.float64).numpy(), np.exp(-np.arange(-2, 3) ** 2 / 8), atol=1e-15)
    np.testing.assert_allclose(w.kaiser(7, beta=3.0, dtype=torch.float64).numpy(), np.kaiser(7, 3.0), atol=1e-14)
    assert w.hann(1).tolist() == [1] and w.hann(0).tolist() == []
    with pytest.raises(ValueError, match="non-negative window length"):
        w.hann(-1)
