"""`to`, casts, writes, and views of memory as another dtype."""
import numpy as np
import pytest

import flambeau as torch

from .common import check_gradient


def test_to_returns_self_where_nothing_changes():
    x = torch.ones(2)
    for same in (x.to(), x.to(torch.float32), x.to("cpu"), x.to("cpu", torch.float32), x.to(torch.ones(1)), x.float(), x.cpu(),
                 x.type(torch.float32), x.type_as(x), x.to(device=None, dtype=None)):
        assert same is x
    copy = x.to(torch.float32, copy=True)
    copy.add_(1)
    assert copy is not x and x.tolist() == [1, 1]


def test_to_accepts_every_form():
    x = torch.tensor([1.5, 0.0])
    for y in (x.to(torch.int32), x.to("cpu", torch.int32), x.to(torch.device("cpu"), torch.int32), x.to(dtype=torch.int32),
              x.to(torch.ones(1, dtype=torch.int32)), x.to(device="cpu", dtype=torch.int32), x.int(), x.type("torch.IntTensor"),
              x.type(torch.IntTensor), x.to(torch.int32, False, True)):
        assert y.dtype is torch.int32 and y.tolist() == [1, 0]
    assert x.to(bool).tolist() == [True, False] and x.to(float).dtype is torch.float64
    assert x.type() == "torch.FloatTensor" and x.half().type() == "torch.HalfTensor"


@pytest.mark.parametrize("arguments", [(torch.int32, "cpu"), ([1],), ("cpu", "cpu"), (torch.int32, 1, 1, 1)])
def test_to_refuses_other_forms(arguments):
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        torch.ones(1).to(*arguments)


def test_devices_that_are_not_there():
    x = torch.ones(1)
    for call in (x.cuda, lambda: x.to("cuda"), lambda: x.to("cuda:0")):
        with pytest.raises(AssertionError, match="not compiled with CUDA"):
            call()
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        x.to("foo")
    with pytest.raises(ValueError, match="invalid type"):
        x.type("foo")


def test_conversion_keeps_strides_and_gradients():
    x = torch.ones(2, 3, requires_grad=True)
    y = x.t().double()
    assert y.stride() == (1, 3)
    y.sum().backward()
    assert x.grad.dtype is torch.float32 and x.grad.tolist() == [[1] * 3] * 2


def test_casts_between_kinds():
    x = torch.tensor([-1.9, 0.2, 300.7])
    assert x.long().tolist() == [-1, 0, 300] and x.byte().tolist() == [255, 0, 44] and x.bool().tolist() == [True] * 3
    assert torch.tensor([1 + 2j]).to(torch.complex64).real.tolist() == [1]
    assert torch.tensor([2.5]).cfloat().tolist() == [2.5 + 0j]


@pytest.mark.parametrize("name, bits", [("bfloat16", 8), ("float16", 11)])
def test_half_precision_rounds_to_nearest_even(name, bits):
    x = np.float32([1 + 2.0 ** -bits, 1 + 3 * 2.0 ** -bits, 1 + 2.0 ** -bits + 2.0 ** -20, 1e-30, 3e38, np.nan])
    got = torch.tensor(x).to(getattr(torch, name)).float()
    one, two = 1 + 2.0 ** (1 - bits), 1 + 2.0 ** (2 - bits)
    assert got[:3].tolist() == [1.0, two, one] and got[5].isnan()


@pytest.mark.parametrize("name, largest", [("float8_e4m3fn", 448.0), ("float8_e5m2", 57344.0), ("float8_e4m3fnuz", 240.0),
                                           ("float8_e5m2fnuz", 57344.0)])
def test_eight_bit_floats(name, largest):
    dtype = getattr(torch, name)
    codes = torch.arange(256, dtype=torch.uint8).view(dtype)
    values = codes.float()
    finite = values[values.isfinite()]
    assert finite.max().item() == largest == torch.finfo(dtype).max
    assert torch.equal(finite.to(dtype).float(), finite)
    assert repr(torch.tensor([1.5], dtype=dtype)) == f"tensor([1.5000], dtype=torch.{name})"
    with pytest.raises(TypeError, match="Got unsupported ScalarType"):
        codes.numpy()
    with pytest.raises(RuntimeError, match="Promotion for Float8 Types"):
        codes + torch.ones(256)


def test_half_complex():
    z = torch.tensor([1 + 2j, -3j]).chalf()
    assert z.dtype is torch.complex32 and (z * z).tolist() == [-3 + 4j, -9]
    assert z.real.dtype is torch.float16 and z.abs().dtype is torch.float16
    assert torch.view_as_real(z).tolist() == [[1, 2], [0, -3]]


# ------------------------------------------------------------------ writes

def test_copy_fill_and_zero():
    x = torch.arange(6).reshape(2, 3)
    x.copy_(torch.tensor([0.5, 1.5, 2.5]))
    assert x.tolist() == [[0, 1, 2]] * 2
    x.t().fill_(7.9)
    assert x.tolist() == [[7] * 3] * 2
    assert x.zero_().tolist() == [[0] * 3] * 2
    with pytest.raises(RuntimeError, match="0-dimension value tensor"):
        x.fill_(torch.ones(2))
    with pytest.raises(RuntimeError):
        x.copy_(torch.ones(4))


def test_gradients_flow_through_writes():
    source = torch.tensor([1.0, 2.0], requires_grad=True)
    target = torch.zeros(2, 2).copy_(source * 3)
    target[0].mul_(2)
    target.sum().backward()
    assert source.grad.tolist() == [9, 9]
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.zero_()
    assert y.requires_grad
    y.sum().backward()
    assert x.grad is None or x.grad.tolist() == [0, 0]


# ------------------------------------------------------------------ memory as another dtype

def test_parts_are_views():
    z = torch.tensor([[1 + 2j, 3 - 1j], [0.5j, 2]])
    z.real.mul_(10)
    z.imag = torch.ones(2, 2)
    z[0].real.zero_()
    assert z.tolist() == [[1j, 1j], [1j, 20 + 1j]]
    z.imag = 3
    assert z.imag.numpy().tolist() == [[3, 3], [3, 3]]
    with pytest.raises(RuntimeError, match="imag is not implemented"):
        torch.imag(torch.ones(2))
    assert torch.real(torch.ones(2)).tolist() == [1, 1]


def test_complex_and_real_views_of_each_other():
    x = torch.arange(8.0).reshape(2, 2, 2)
    z = torch.view_as_complex(x)
    z *= 1j
    assert x[0].tolist() == [[-1, 0], [-3, 2]] and torch.view_as_real(z).tolist() == x.tolist()
    with pytest.raises(RuntimeError, match="last dimension of size 2"):
        torch.view_as_complex(torch.ones(3))
    with pytest.raises(RuntimeError, match="stride 1"):
        torch.view_as_complex(torch.ones(2, 3).t())
    with pytest.raises(RuntimeError, match="only supported for complex"):
        torch.view_as_real(torch.ones(2))


def test_views_as_another_dtype():
    x = torch.tensor([1.0, -2.0])
    assert x.view(torch.int32).tolist() == [0x3F800000, -0x40000000]
    assert x.view(torch.uint8).shape == (8,) and torch.zeros(4).view(torch.float64).shape == (2,)
    bits = torch.zeros(2).view(torch.int32)
    bits[1] = 0x3F800000
    assert bits.view(torch.float32).tolist() == [0, 1]
    assert not torch.ones(2, requires_grad=True).view(torch.int32).requires_grad
    with pytest.raises(RuntimeError, match="must be divisible by 2"):
        torch.zeros(3).view(torch.float64)
    with pytest.raises(RuntimeError, match=r"self.stride\(-1\) must be 1"):
        torch.zeros(2, 4).t().view(torch.uint8)


def test_gradients_through_parts_and_writes_to_them():
    def energy(x):
        z = torch.view_as_complex(x * 1)
        w = z * z
        w.real.mul_(z.imag)
        return torch.view_as_real(w)
    check_gradient(energy, np.random.default_rng(0).normal(size=(3, 2)))
