"""Initial values against PyTorch's: the same numbers from the same seed."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

CALLS = ["uniform_(w, -2, 3)", "normal_(w, 1, 0.5)", "trunc_normal_(w)", "trunc_normal_(w, 0.5, 2, -1, 1.5)",
         "trunc_normal_(w, 0, 1, 1.5, 4)", "constant_(w, 3.5)", "ones_(w)", "zeros_(w)", "eye_(w)",
         "xavier_uniform_(w)", "xavier_uniform_(w, 2)", "xavier_normal_(w, gain=0.5)", "kaiming_uniform_(w)",
         "kaiming_uniform_(w, 0.3, 'fan_out', 'relu')", "kaiming_normal_(w)",
         "kaiming_normal_(w, 1, nonlinearity='selu')", "orthogonal_(w)", "orthogonal_(w, 3)", "sparse_(w, 0.3)",
         "sparse_(w, 0.5, std=2)", "normal_(w, generator=g)", "xavier_uniform_(w, generator=g)",
         "trunc_normal_(w, generator=g)"]


def values(module, call, shape, dtype="float32"):
    module.manual_seed(5)
    g = module.Generator()
    g.manual_seed(9)
    w = module.nn.Parameter(module.zeros(shape, dtype=getattr(module, dtype)))
    result = eval("nn.init." + call, {"nn": module.nn, "w": w, "g": g})
    assert result is w and w.requires_grad and w.is_leaf
    return w.detach().numpy(), module.rand(3).numpy()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shape, dtype", [((6, 4), "float32"), ((3, 17), "float64")])
def test_values(call, shape, dtype):
    for ours, theirs in zip(values(flambeau, call, shape, dtype), values(torch, call, shape, dtype)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)  # orthogonal: another LAPACK


@pytest.mark.parametrize("call",
                         ["dirac_(w)", "dirac_(w, 2)", "kaiming_uniform_(w)", "xavier_normal_(w)", "orthogonal_(w)"])
@pytest.mark.parametrize("shape", [(4, 3, 3), (4, 2, 3, 2), (2, 4, 1, 3, 2)])
def test_values_of_kernels(call, shape):
    for ours, theirs in zip(values(flambeau, call, shape), values(torch, call, shape)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)


def test_gains_and_messages(agree):
    agree("""
    for kind in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        print(kind, nn.init.calculate_gain(kind))
    print(nn.init.calculate_gain("leaky_relu", 0.3), nn.init.calculate_gain("leaky_relu", 2))
    tried(lambda: nn.init.calculate_gain("other"))
    tried(lambda: nn.init.calculate_gain("leaky_relu", True))
    tried(lambda: nn.init.calculate_gain("leaky_relu", "x"))
    v, m, e = torch.ones(3), torch.ones(3, 4), torch.ones(0, 3)
    tried(lambda: nn.init.eye_(v))
    tried(lambda: nn.init.dirac_(m))
    tried(lambda: nn.init.dirac_(torch.ones(3, 2, 2), 2))
    tried(lambda: nn.init.xavier_uniform_(v))
    tried(lambda: nn.init.kaiming_normal_(v))
    tried(lambda: nn.init.kaiming_normal_(m, mode="fan"))
    tried(lambda: nn.init.orthogonal_(v))
    tried(lambda: nn.init.sparse_(v, 0.1))
    print(nn.init.kaiming_uniform_(e).shape, nn.init.orthogonal_(e).shape)
    nn.init.trunc_normal_(m, 10)
    print(nn.init.constant(m, 2), nn.init.uniform.__name__)
    """)
