"""What the tests of files compare with."""
import numpy as np
import pytest

import flambeau
from flambeau.dtypes import ALL


def numbers(dtype, n, seed=0):
    """An array of n elements with every bit pattern possible, as `dtype.np`; bool and nothing but bool is
    restricted."""
    raw = np.random.default_rng(seed).integers(0, 256, n * dtype.itemsize, np.uint8)
    return raw % 2 == 1 if dtype is flambeau.bool else raw.view(dtype.np)


def tensor_of(dtype, shape, seed=0):
    """A tensor with random bits."""
    from flambeau.serialization._tensors import make_storage, make_tensor
    from flambeau.ir.types import contiguous_strides
    n = int(np.prod(shape))
    return make_tensor(
        make_storage(numbers(dtype, n, seed), dtype, shape),
        dtype,
        0,
        tuple(shape),
        contiguous_strides(tuple(shape)),
        False,
    )


def bits(tensor):
    """The elements of a tensor in order, as bytes."""
    from flambeau.serialization._tensors import buffer_of, describe
    record = describe(tensor.detach())
    flat = buffer_of(record.storage).view(np.uint8).view(record.dtype.np)
    if 0 in record.shape:
        return b""
    strides = tuple(s * flat.itemsize for s in record.strides)
    return np.lib.stride_tricks.as_strided(flat[record.offset:], record.shape, strides).tobytes()


@pytest.fixture
def make():
    return tensor_of


@pytest.fixture(params=ALL, ids=lambda d: d.name)
def dtype(request):
    return request.param


@pytest.fixture
def same():
    """Asserts that two tensors have the same type, geometry and bits."""
    def check(a, b):
        assert type(a) is type(b)
        assert (a.dtype, tuple(a.shape), tuple(a.stride()), a.storage_offset(), a.requires_grad) == (
            b.dtype, tuple(b.shape), tuple(b.stride()), b.storage_offset(), b.requires_grad)
        assert bits(a) == bits(b)
    return check
