"""Second derivatives: backward of backward against forward over backward, and against differences."""
import pytest

import flambeau as torch
from flambeau.func import grad, jvp
from flambeau.nn import functional as F


def _randn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


FUNCTIONS = {
    "norm": (lambda x: x.norm() ** 2 + x.norm(), [(3,)]), "log_softmax": (lambda x: (x.log_softmax(-1) ** 2).sum(), [(2, 3)]),
    "softmax": (lambda x: (x.softmax(-1) ** 2).sum(), [(2, 3)]), "logsumexp": (lambda x: (x.logsumexp(1) ** 2).sum(), [(2, 3)]),
    "cross": (lambda x, y: (torch.linalg.cross(x, y) ** 2).sum(), [(3,), (3,)]), "std": (lambda x: x.std() ** 2 + x.var() ** 2, [(4,)]),
    "std_mean": (lambda x: torch.std_mean(x)[0] ** 3, [(4,)]), "layer_norm": (lambda x, w: (F.layer_norm(x, (3,), w) ** 3).sum(), [(2, 3), (3,)]),
    "batch_norm": (lambda x: (F.batch_norm(x, None, None, training=True) ** 3).sum(), [(4, 2)]),
    "group_norm": (lambda x: (F.group_norm(x, 2) ** 3).sum(), [(2, 4, 3)]), "cosine": (
        lambda x, y: (F.cosine_similarity(x, y) ** 2).sum(), [(2, 3), (2, 3)]),
    "bilinear": (lambda x, y, w: (F.bilinear(x, y, w) ** 2).sum(), [(2, 3), (2, 2), (4, 3, 2)]),
    "attention": (lambda q, k, v: (F.scaled_dot_product_attention(q, k, v) ** 2).sum(), [(2, 3), (4, 3), (4, 3)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, torch.tensor([0, 2])) ** 2, [(2, 3)]), "solve": (
        lambda a, b: (torch.linalg.solve(a + 5 * torch.eye(3, dtype=torch.float64), b) ** 2).sum(), [(3, 3), (3, 2)]),
    "svdvals": (lambda a: (torch.linalg.svdvals(a) ** 3).sum(), [(3, 2)]), "conv": (
        lambda x, w: (F.conv2d(x, w, padding=1) ** 2).sum(), [(1, 2, 4, 4), (3, 2, 3, 3)]),
    "grid_sample": (lambda x: (F.grid_sample(x, 0.3 * _randn(1, 2, 2, 2), align_corners=False) ** 2).sum(), [(1, 1, 3, 3)]),
    "logcumsumexp": (lambda x: (x.logcumsumexp(0) ** 2).sum(), [(4,)]), "cumprod": (lambda x: (x.cumprod(0) ** 2).sum(), [(4,)]),
    "prod": (lambda x: x.prod() ** 2, [(4,)]), "lstm": (lambda x, w: _lstm(x, w), [(2, 1, 2), (8, 2)]),
    "renorm": (lambda x: (torch.renorm(x, 2, 0, 0.5) ** 2).sum(), [(2, 3)]),
}


def _lstm(x, w):
    from flambeau.nn import LSTM
    torch.manual_seed(0)
    layer = LSTM(2, 2).double()
    return (torch.func.functional_call(layer, {"weight_hh_l0": w}, (x,))[0] ** 2).sum()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name):
    f, shapes = FUNCTIONS[name]
    xs, vs = [_randn(*s) for s in shapes], [_randn(*s).cos() for s in shapes]
    leaves = [x.clone().requires_grad_() for x in xs]
    first = torch.autograd.grad(f(*leaves), leaves, create_graph=True)
    twice = torch.autograd.grad(sum((g * v).sum() for g, v in zip(first, vs)), leaves)
    everything = tuple(range(len(xs)))
    over = jvp(grad(f, everything), tuple(xs), tuple(vs))[1]
    step = 1e-6
    ends = [grad(f, everything)(*[x + h * v for x, v in zip(xs, vs)]) for h in (step, -step)]
    for a, b, high, low in zip(twice, over, *ends):
        assert torch.allclose(a, b, rtol=1e-8, atol=1e-8)
        assert torch.allclose(a, (high - low) / (2 * step), rtol=1e-4, atol=1e-5)


def test_gradients_of_some_results_only():
    x = _randn(3, 4).requires_grad_()
    for i, f in ((0, torch.var_mean), (1, torch.var_mean), (1, torch.linalg.svd), (0, torch.std_mean)):
        g, = torch.autograd.grad((f(x)[i] ** 2).sum(), x, create_graph=True)
        h, = torch.autograd.grad(g.sum(), x)
        step = 1e-6

        def gradient(at):
            at = at.detach().requires_grad_()
            return torch.autograd.grad((f(at)[i] ** 2).sum(), at)[0]
        numeric = (gradient(x + step) - gradient(x - step)) / (2 * step)
        assert torch.allclose(h, numeric, rtol=1e-4, atol=1e-5), f
