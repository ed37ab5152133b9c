"""copy, deepcopy and pickle of tensors; DLPack; the legacy constructors."""
import copy
import pickle

import numpy as np
import pytest

import flambeau as torch


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_share_among_themselves_only(clone):
    x = torch.arange(6.0).reshape(2, 3)
    y, row, turned = clone([x, x[0], x.t()])
    row[1] = 70
    turned[2, 0] = 80
    assert y.tolist() == [[0, 70, 80], [3, 4, 5]] and x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert turned.stride() == (1, 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex32, torch.bool, torch.int8, torch.float8_e5m2])
def test_every_dtype_survives(dtype):
    x = torch.tensor([0, 1]).to(dtype)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert y.dtype is dtype and y.tolist() == x.tolist()


def test_leaves_keep_their_gradient_and_attributes():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.note = {"a": [1]}
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.is_leaf and y.grad.tolist() == [2, 4] and y.note == {"a": [1]} and y.note is not x.note
    y.grad.zero_()
    assert x.grad.tolist() == [2, 4]
    assert pickle.loads(pickle.dumps(x)).requires_grad
    memo = {}
    assert copy.deepcopy(x, memo) is copy.deepcopy(x, memo)


def test_results_cannot_be_deep_copied():
    y = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(y)
    assert pickle.loads(pickle.dumps(y)).is_leaf


def test_shallow_copies_share_memory():
    x = torch.ones(2)
    copy.copy(x)[0] = 5
    assert x.tolist() == [5, 1]


class Named(torch.Tensor):
    pass


def test_subclasses_survive():
    x = torch.ones(2).as_subclass(Named)
    assert type(copy.deepcopy(x)) is Named and type(pickle.loads(pickle.dumps(x))) is Named
    assert repr(x) == "Named([1., 1.])"


# ------------------------------------------------------------------ DLPack

def test_numpy_reads_and_writes_our_memory():
    x = torch.arange(6.0).reshape(2, 3).t()
    array = np.from_dlpack(x)
    assert array.strides == (4, 12) and array.tolist() == x.tolist()
    x[0, 0] = 9
    assert array[0, 0] == 9


def test_we_read_and_write_numpys_memory():
    array = np.arange(6).reshape(2, 3)
    x = torch.from_dlpack(array[:, 1:])
    array[0, 1] = 50
    x[1, 1] = -1
    assert x.tolist() == [[50, 2], [4, -1]] and array[1, 2] == -1
    assert torch.from_dlpack(array, copy=True).add_(1) is not None and array[0, 0] == 0


def test_capsules_are_taken_once():
    from flambeau.utils.dlpack import from_dlpack, to_dlpack
    capsule = to_dlpack(torch.ones(2))
    assert from_dlpack(capsule).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="consumed only once"):
        from_dlpack(capsule)


def test_exports_are_released():
    from flambeau.tensor import dlpack
    before = len(dlpack._exported)
    unused = torch.ones(2).__dlpack__()
    used = torch.from_dlpack(torch.ones(2))
    assert len(dlpack._exported) == before + 2
    del unused, used
    assert len(dlpack._exported) == before


def test_what_cannot_be_exported():
    with pytest.raises(BufferError, match="require gradient"):
        torch.ones(1, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="not supported"):
        torch.ones(1).chalf().__dlpack__()
    assert torch.ones(1).__dlpack_device__() == (1, 0)
    assert torch.from_dlpack(torch.tensor([1.5], dtype=torch.bfloat16)).tolist() == [1.5]


# ------------------------------------------------------------------ Tensor(...), FloatTensor(...)

def test_legacy_constructors():
    assert torch.Tensor(2, 3).shape == (2, 3) and torch.Tensor([2, 3]).tolist() == [2, 3] and torch.Tensor().shape == (0,)
    assert torch.Tensor(torch.Size([2])).shape == (2,) and torch.Tensor((2, 3)).tolist() == [2, 3]
    assert torch.LongTensor([1, 2.5]).tolist() == [1, 2] and torch.FloatTensor(2).dtype is torch.float32
    x = torch.ones(2)
    torch.Tensor(x)[0] = 5
    assert x.tolist() == [5, 1]  # the same memory
    assert isinstance(x, torch.FloatTensor) and not isinstance(x, torch.LongTensor) and not isinstance(3, torch.FloatTensor)
    assert x.long().new([1.5]).tolist() == [1]
    for bad in (2.5, "a"):
        with pytest.raises(TypeError):
            torch.Tensor(bad)
    with pytest.raises(TypeError):
        torch.FloatTensor(torch.ones(2, dtype=torch.int64))


def test_subclass_constructors():
    x = Named([1, 2])
    assert type(x) is Named and x.tolist() == [1, 2]


# ------------------------------------------------------------------ memory

def test_set_and_geometry():
    x, y = torch.zeros(2), torch.arange(4.0)
    x.set_(y, 1, (2,), (2,))
    x[1] = 30
    assert y.tolist() == [0, 1, 2, 30] and not x.is_set_to(y) and y.is_set_to(y.view(4))
    assert y.reshape(2, 2).t().dim_order() == (1, 0) and y.data_ptr() + 4 == y[1:].data_ptr()
    assert torch.empty(0).data_ptr() == 0 and y.layout is torch.strided


def test_python_functions_on_elements():
    x = torch.tensor([[1, 2], [3, 4]])
    assert x.apply_(lambda v: v * 10).tolist() == [[10, 20], [30, 40]]
    assert x.map_(torch.tensor([1, 2]), lambda a, b: a + b).tolist() == [[11, 22], [31, 42]]
    with pytest.raises(RuntimeError, match="apply_"):
        torch.ones(1, requires_grad=True).apply_(abs)


def test_numpy_functions_on_tensors():
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert type(np.exp(x)) is torch.Tensor and np.exp(x).tolist() == pytest.approx([1, np.e])
    assert (np.float64(2) * x).tolist() == [0, 2] and np.asarray(x).tolist() == [0, 1]


def test_formats():
    x = torch.tensor(2.5)
    assert f"{x:.2f}" == "2.50" and f"{torch.ones(1)}" == "tensor([1.])" and "%s" % x == "tensor(2.5000)"
    assert repr(torch.ones(1, requires_grad=True) * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
