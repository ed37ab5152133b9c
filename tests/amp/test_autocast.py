"""Autocast: dtypes by the table, nesting, kept casts, gradients, custom functions."""
import threading

import pytest

import flambeau as torch
from flambeau import amp, nn
from flambeau.nn import functional as F
from flambeau.tensor import autocast as policy
from flambeau.tensor.op import Op

x, w = torch.ones(2, 3), torch.ones(3, 4)


def test_dtypes_follow_the_table():
    half = x.bfloat16()
    with torch.autocast("cpu"):
        assert (x @ w).dtype is torch.bfloat16 and F.linear(x, w.t()).dtype is torch.bfloat16 and torch.einsum("ij,jk", x, w).dtype is torch.bfloat16
        assert half.prod().dtype is torch.float32 and F.mse_loss(half, half).dtype is torch.float32 and torch.fft.fft(half).dtype is torch.complex64
        assert F.triplet_margin_loss(half, half, half).dtype is torch.float32
        assert torch.cat([x, half]).dtype is torch.float32 and torch.cat([half, half]).dtype is torch.bfloat16
        assert half.exp().dtype is torch.bfloat16 and (x + half).dtype is torch.float32
        assert (x.double() @ w.double()).dtype is torch.float64 and (x.int() @ w.int()).dtype is torch.int32
        assert F.prelu(half, torch.ones(1)).dtype is torch.bfloat16
        out = torch.zeros(2, 4)
        out += x @ w
        assert out.dtype is torch.float32 and out.addmm_(x, w).dtype is torch.float32
    with torch.autocast("cpu", dtype=torch.float16):
        assert (x @ w).dtype is torch.float16
    assert (x @ w).dtype is torch.float32 and not policy.active


def test_the_table_names_operations():
    import gc
    import flambeau.ops.recurrent  # noqa: F401
    import flambeau.nn  # noqa: F401
    names = {op.name for op in gc.get_objects() if type(op) is Op}
    listed = set(f"{policy.LOWER} {policy.FLOAT32} {policy.PROMOTE}".split())
    assert listed - names <= {"conv_tbc", "cdist", "_unpool", "_fractional"}  # may come under these names


def test_nesting_and_states():
    assert not torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    with torch.autocast("cpu", torch.float16) as context:
        assert torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.float16 and not torch.is_autocast_enabled()
        with torch.autocast("cpu", enabled=False):
            assert (x @ w).dtype is torch.float32
            with torch.autocast("cpu", torch.bfloat16):
                assert (x @ w).dtype is torch.bfloat16
        with context:  # again, inside itself
            assert (x @ w).dtype is torch.float16
        assert (x @ w).dtype is torch.float16
        seen = []
        thread = threading.Thread(target=lambda: seen.append((x @ w).dtype))
        thread.start()
        thread.join()
        assert seen == [torch.float32]
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    with pytest.raises(ZeroDivisionError), torch.autocast("cpu"):
        1 / 0
    assert not torch.is_autocast_enabled("cpu")

    @torch.autocast("cpu")
    def decorated(x):
        """doc"""
        return x @ w
    assert decorated(x).dtype is torch.bfloat16 and decorated.__doc__ == "doc"


def test_weights_are_cast_once():
    leaf = w.clone().requires_grad_()
    with torch.autocast("cpu"):
        a, b = x @ leaf, x @ leaf
        assert a.grad_fn.next_functions[1][0] is b.grad_fn.next_functions[1][0]
        with torch.no_grad():
            leaf += 1
        assert torch.equal((x @ leaf).float(), torch.full((2, 4), 6.0))
    with torch.autocast("cpu", cache_enabled=False):
        a, b = x @ leaf, x @ leaf
        assert a.grad_fn.next_functions[1][0] is not b.grad_fn.next_functions[1][0]
        with torch.no_grad():
            assert not (x @ leaf).requires_grad
    a.sum().backward()
    assert leaf.grad.dtype is torch.float32 and torch.equal(leaf.grad, torch.full((3, 4), 2.0))


def test_training():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    images, labels, losses = torch.randn(8, 1, 6, 6), torch.arange(8) % 3, []
    for _ in range(8):
        optimizer.zero_grad()
        with torch.autocast("cpu"):
            out = net(images)
            loss = F.cross_entropy(out, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert out.dtype is torch.bfloat16 and loss.dtype is torch.float32 and losses[-1] < 0.5 * losses[0]
    assert all(p.dtype is torch.float32 and p.grad.dtype is torch.float32 for p in net.parameters())


def test_recurrent_layers():
    with torch.autocast("cpu"):
        assert nn.LSTM(3, 4)(x[None])[0].dtype is torch.bfloat16 and nn.GRU(3, 4)(x[None])[0].dtype is torch.float32
        assert nn.LSTMCell(3, 4)(x)[0].dtype is torch.float32


@pytest.mark.parametrize("cast_inputs", [None, torch.float32])
def test_custom_functions(cast_inputs):
    seen = []

    class Product(torch.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=cast_inputs)
        def forward(ctx, a, b):
            seen.append((torch.is_autocast_enabled("cpu"), a.dtype))
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append(torch.is_autocast_enabled("cpu"))
            return None, (a.t() @ g).to(b.dtype)
    leaf = w.clone().requires_grad_()
    with torch.autocast("cpu"):
        out = Product.apply(x.bfloat16() if cast_inputs else x, leaf)
    out.sum().backward()
    assert seen == [(cast_inputs is None, torch.float32), cast_inputs is None] and leaf.grad.dtype is torch.float32


def test_errors_and_warnings():
    with pytest.warns(UserWarning, match="target dtype is not supported"):
        torch.autocast("cpu", torch.float32)
    with pytest.warns(UserWarning, match="CUDA is not available"):
        torch.autocast("cuda")
    with pytest.raises(RuntimeError, match="at start of device string: gpu"):
        torch.autocast("gpu")
    with pytest.raises(RuntimeError, match="unsupported autocast device_type"):
        torch.autocast("meta")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        torch.autocast(torch.float16)
    assert amp.is_autocast_available("cpu") and not amp.is_autocast_available("meta")
