"""Arrays on the memory of tensors."""
import gc
import weakref

import numpy as np
import pytest

import flambeau


def test_a_tensor_that_gave_an_array_out_goes_with_its_last_reference():
    gc.collect()
    gc.disable()
    try:
        x = flambeau.ones(4) * 2
        storage, array = weakref.ref(x._storage), x.numpy()
        del x
        assert storage() is None
        assert array.tolist() == [2, 2, 2, 2]
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [flambeau.bool, flambeau.uint8, flambeau.int64, flambeau.float16, flambeau.float32, flambeau.complex64])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (0, 3)])
def test_an_array_shares_the_memory_both_ways_as_long_as_it_lives(dtype, shape):
    x = flambeau.zeros(shape, dtype=dtype)
    array = x.numpy()
    assert array.shape == shape and array.flags.writeable
    x.fill_(1)
    assert (array == 1).all()
    part = array.reshape(-1)[:1]  # keeps `array` alive
    del array
    x.fill_(0)
    assert (part == 0).all()
    part[...] = 1
    assert (x.flatten()[:1] == 1).all()


def test_without_arrays_writes_need_no_memory_of_others():
    x = flambeau.zeros(3)
    first = x.numpy()
    first[0] = 5
    value = x._storage.value
    assert value.pinned()
    del first
    assert not value.pinned()
    again = x.numpy()
    assert value.pinned() and np.shares_memory(again, value.array())
