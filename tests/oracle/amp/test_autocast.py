"""Result dtypes of operations inside autocast, under PyTorch and under flambeau."""
import pytest

torch = pytest.importorskip("torch")

import flambeau
import flambeau.linalg  # noqa: F401


def _half(t, *shape):
    return t.linspace(0.1, 1, 64)[: int(t.tensor(shape).prod())].reshape(shape).bfloat16()


CASES = {
    **{name: (lambda t, name=name: getattr(t, name)(t.ones(2, 3), t.ones(3, 4))) for name in ("mm", "matmul", "kron")},
    **{name: (lambda t, name=name: getattr(t.nn.functional, name)(_half(t, 2, 3), _half(t, 2, 3))) for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss",
        "soft_margin_loss", "hinge_embedding_loss", "pairwise_distance", "cosine_similarity")},
    **{name: (lambda t, name=name: getattr(_half(t, 2, 3), name)()) for name in (
        "prod", "sum", "mean", "exp", "var", "norm", "median", "trace", "pinverse", "abs", "tanh")},
    **{name: (lambda t, name=name: getattr(t.linalg, name)(_half(t, 2, 2) + t.eye(2).bfloat16() * 9)) for name in (
        "inv", "svdvals", "eigvals", "matrix_rank", "matrix_norm", "vector_norm", "cond")},
    **{name: (lambda t, name=name: getattr(t.fft, name)(_half(t, 2, 4))) for name in ("fft", "rfft", "ifft", "fft2", "ihfft")},
    **{f"conv{n}d": (lambda t, n=n: getattr(t.nn.functional, f"conv{n}d")(t.ones(1, 2, *[4] * n), t.ones(3, 2, *[2] * n))) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": (lambda t, n=n: getattr(t.nn.functional, f"conv_transpose{n}d")(t.ones(1, 2, *[4] * n), t.ones(2, 3, *[2] * n)))
       for n in (1, 2, 3)},
    "linear": lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 3)), "bmm": lambda t: t.bmm(t.ones(1, 2, 3), t.ones(1, 3, 4)),
    "addmm": lambda t: t.addmm(t.ones(4), t.ones(2, 3), t.ones(3, 4)), "mv": lambda t: t.mv(t.ones(2, 3), t.ones(3)),
    "dot": lambda t: t.dot(t.ones(3), t.ones(3)), "baddbmm": lambda t: t.baddbmm(t.ones(1, 2, 4), t.ones(1, 2, 3), t.ones(1, 3, 4)),
    "einsum": lambda t: t.einsum("ij,jk->ik", t.ones(2, 3), t.ones(3, 4)), "inner": lambda t: t.inner(t.ones(2, 3), t.ones(2, 3)),
    "outer": lambda t: t.outer(t.ones(2), t.ones(3)), "multi_dot": lambda t: t.linalg.multi_dot([t.ones(2, 3), t.ones(3, 4)]),
    "attention": lambda t: t.nn.functional.scaled_dot_product_attention(*[t.ones(1, 2, 3)] * 3),
    "layer": lambda t: t.nn.TransformerEncoderLayer(4, 2, 8)(t.ones(3, 1, 4)), "gru": lambda t: t.nn.GRU(3, 4)(t.ones(1, 2, 3))[0],
    "cell": lambda t: t.nn.LSTMCell(3, 4)(t.ones(2, 3))[0], "rnn": lambda t: t.nn.RNN(3, 4)(t.ones(1, 2, 3))[0],
    "cat": lambda t: t.cat([t.ones(2, 3), _half(t, 2, 3)]), "stack": lambda t: t.stack([t.ones(2, 3), _half(t, 2, 3)]),
    "index_copy": lambda t: t.index_copy(t.ones(2, 3), 0, t.tensor([0]), _half(t, 1, 3)),
    "where": lambda t: t.where(t.ones(2, 3) > 0, t.ones(2, 3), _half(t, 2, 3)), "double": lambda t: t.ones(2, 3).double() @ t.ones(3, 4).double(),
    "integers": lambda t: t.ones(2, 3).int() @ t.ones(3, 4).int(), "in place": lambda t: t.ones(2, 4).addmm_(t.ones(2, 3), t.ones(3, 4)),
    "softmax": lambda t: _half(t, 2, 3).softmax(-1), "layer_norm": lambda t: t.nn.functional.layer_norm(_half(t, 2, 3), (3,)),
    "cross_entropy": lambda t: t.nn.functional.cross_entropy(_half(t, 2, 3), t.tensor([0, 1])),
    "nll_loss": lambda t: t.nn.functional.nll_loss(_half(t, 2, 3), t.tensor([0, 1])),
    "triplet": lambda t: t.nn.functional.triplet_margin_loss(*[_half(t, 2, 3)] * 3), "quantile": lambda t: t.quantile(_half(t, 2, 3), 0.5),
    "prelu of singles": lambda t: t.nn.functional.prelu(t.ones(2, 3), t.ones(1)), "prelu": lambda t: t.nn.functional.prelu(_half(t, 2, 3), t.ones(1)), "polar": lambda t: t.polar(_half(t, 2), _half(t, 2)),
    "pool": lambda t: t.nn.functional.avg_pool3d(_half(t, 1, 1, 2, 2, 2), 2), "reflect": lambda t: t.nn.functional.pad(
        _half(t, 1, 1, 3, 3), (1, 1, 1, 1), mode="reflect"), "view_as_complex": lambda t: t.view_as_complex(_half(t, 3, 2)),
    "lstsq": lambda t: t.linalg.lstsq(_half(t, 2, 2), _half(t, 2, 2))[0], "solve": lambda t: t.linalg.solve(_half(t, 2, 2), _half(t, 2, 2)),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_result_dtypes(name, half):
    found = []
    for t in (torch, flambeau):
        with t.autocast("cpu", dtype=getattr(t, half)):
            found.append(str(CASES[name](t).dtype))
    assert found[0] == found[1]


def test_values_of_a_network():
    outs = []
    for t in (torch, flambeau):
        t.manual_seed(0)
        net = t.nn.Sequential(t.nn.Linear(8, 16), t.nn.GELU(), t.nn.LayerNorm(16), t.nn.Linear(16, 4))
        x = t.randn(5, 8)
        with t.autocast("cpu"):
            loss = t.nn.functional.cross_entropy(net(x), t.tensor([0, 1, 2, 3, 0]))
        loss.backward()
        outs.append([loss.item(), *net[0].weight.grad.reshape(-1).tolist()])
    assert outs[1] == pytest.approx(outs[0], rel=0.05, abs=1e-2)
