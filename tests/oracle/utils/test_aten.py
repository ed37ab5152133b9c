"""`torch.ops.aten` and selective checkpointing: the same operations as PyTorch's, asked about in the same order."""
import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau  # noqa: E402
from flambeau import _ops  # noqa: E402

VIEWS = {"view", "t", "_unsafe_view", "expand", "transpose", "unsqueeze", "permute", "squeeze", "detach", "lift_fresh", "arange", "slice", "select", "empty"}

RUNS = {
    "linear": lambda T, F, x, w: F.linear(x, w, w[:, 0]), "linear of a sequence": lambda T, F, x, w: F.linear(x[None], w),
    "products": lambda T, F, x, w: (x @ w.T, x[None] @ x.T[None], x @ x[0], x[0] @ x[0], T.addmm(x @ x.T, x, x.T)),
    "arithmetic": lambda T, F, x, w: (x + x, 2 * x, 1 - x, x / 2, -x, x ** 2, x ** x.detach(), 2 ** x, x % 2, x * x == x, x > 1),
    "reductions": lambda T, F, x, w: (x.sum(), x.sum(1), x.mean(), x.mean(1), x.max(), x.max(1), x.var(1), x.amax(1), (x > 0).all()),
    "functions": lambda T, F, x, w: (x.exp(), x.tanh(), x.erf(), x.clamp(0, 1), x.masked_fill(x > 0, 0.0), T.where(x > 0, x, x)),
    "activations": lambda T, F, x, w: (F.relu(x), F.gelu(x), F.silu(x), x.softmax(1), x.log_softmax(1), F.softplus(x), F.prelu(x, w[0, :1])),
    "in place": lambda T, F, x, w: (F.relu(x * 1, inplace=True), (x * 1).add_(x)),
    "norms": lambda T, F, x, w: (F.layer_norm(x, (5,)), F.group_norm(x, 5), F.batch_norm(x, None, None, training=True), x.norm()),
    "losses": lambda T, F, x, w: (F.mse_loss(x, x), F.nll_loss(x, T.arange(4)), F.binary_cross_entropy_with_logits(x, x.detach())),
    "images": lambda T, F, x, w: (F.conv2d(x[None, None], w[None, None, :2, :2]), F.max_pool2d(x[None], 2), F.avg_pool2d(x[None], 2),
                                  F.adaptive_avg_pool2d(x[None], 2)),
    "attention": lambda T, F, x, w: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "joining": lambda T, F, x, w: (T.cat([x, x]), T.stack([x, x]), x[T.tensor([0, 1])], x.flip(0), x.to(T.float64), x.sort(), x.cumsum(1)),
}


def asked(T, fn):
    """The names of the operations that a policy is asked about."""
    checkpoint = T.utils.checkpoint
    names = []

    def policy(ctx, op, *args, **kwargs):
        names.append(str(op))
        return False
    generator = np.random.default_rng(0)
    x, w = (T.tensor(generator.random((n, 5)).astype(np.float32), requires_grad=True) for n in (4, 6))
    checkpoint.checkpoint(lambda x, w: fn(T, T.nn.functional, x, w), x, w, use_reentrant=False,
                          context_fn=functools.partial(checkpoint.create_selective_checkpoint_contexts, policy))
    return [name for name in names if name.split(".")[1] not in VIEWS]


@pytest.mark.parametrize("name", RUNS)
def test_operations_are_called_as_in_pytorch(name):
    import flambeau.utils.checkpoint  # noqa: F401
    assert asked(torch, RUNS[name]) == asked(flambeau, RUNS[name])


def test_every_overload_is_one_of_pytorch():
    names = {name for name in dir(flambeau) if hasattr(getattr(flambeau, name), "op")} | {*_ops._OWN, *_ops._PUBLIC, *_ops._LOSSES, *_ops._METHODS,
                                                                              *_ops._ELSEWHERE, *_ops._OVERLOADS}
    packets = {name: getattr(flambeau.ops.aten, name, None) for name in names}
    missing = [str(getattr(p, o)) for p in packets.values() if p is not None for o in p.overloads()
               if o not in getattr(torch.ops.aten, p.__name__).overloads()]
    assert missing == []
    assert len([p for p in packets.values() if p is not None]) > 200


CALLS = {
    "mm.default": lambda a, x: a(x, x), "add.Tensor": lambda a, x: a(x, x, alpha=2), "sum.dim_IntList": lambda a, x: a(x, [1]),
    "_softmax.default": lambda a, x: a(x, 1, False), "_log_softmax.default": lambda a, x: a(x, 1, False), "relu_.default": lambda a, x: a(x.clone()),
    "convolution.default": lambda a, x: a(x[None, None], x[None, None, :2, :2], None, [1, 1], [1, 0], [1, 1], False, [0, 0], 1),
    "_adaptive_avg_pool2d.default": lambda a, x: a(x[None], [2, 2]), "mse_loss.default": lambda a, x: a(x, x * 2, 2),
    "smooth_l1_loss.default": lambda a, x: a(x, x * 2, 1, 0.5), "_prelu_kernel.default": lambda a, x: a(x - 0.5, x),
    "linalg_vector_norm.default": lambda a, x: a(x, 2), "index_select.default": lambda a, x: a(x, 0, x.long().flatten()[:2]),
    "index.Tensor": lambda a, x: a(x, [None, x.long()[0]]), "_linalg_svd.default": lambda a, x: a(x)[1],
    "nll_loss_forward.default": lambda a, x: a(x, x.long()[0], x[0], 1, -100)[1], "native_layer_norm.default": lambda a, x: a(x, [3], None, None, 0.1)[2],
    "_scaled_dot_product_flash_attention_for_cpu.default": lambda a, x: a(x[None, None], x[None, None], x[None, None], 0.0, True)[1],
}


@pytest.mark.parametrize("name", CALLS)
def test_overloads_can_be_called(name):
    x = np.random.default_rng(1).random((3, 3)).astype(np.float32)
    packet, _, overload = name.partition(".")
    ours, want = (CALLS[name](getattr(getattr(T.ops.aten, packet), overload), T.tensor(x)) for T in (flambeau, torch))
    assert np.allclose(ours.numpy(), want.numpy(), atol=1e-6) and ours.shape == want.shape


@pytest.mark.parametrize("T", [torch, flambeau])
def test_names_print_and_are_refused(T):
    aten = T.ops.aten
    assert (str(aten.mm), repr(aten.mm)) == ("aten.mm", "<OpOverloadPacket(op='aten.mm')>")
    add = aten.add.Tensor
    assert (str(add), add.name(), repr(add)) == ("aten.add.Tensor", "aten::add.Tensor", "<OpOverload(op='aten.add', overload='Tensor')>")
    assert add is aten.add.Tensor and add.overloadpacket is aten.add and add != aten.mul.Tensor
    with pytest.raises(AttributeError, match="'_OpNamespace' 'aten' object has no attribute 'nix'"):
        aten.nix
    with pytest.raises(AttributeError, match="The underlying op of 'aten.mm' has no overload name 'nix'"):
        aten.mm.nix
    x = T.zeros(1, 1, 2, 2)
    with pytest.raises(NotImplementedError, match="Could not run 'aten::_scaled_dot_product_flash_attention' with arguments from the 'CPU'"):
        aten._scaled_dot_product_flash_attention.default(x, x, x)
