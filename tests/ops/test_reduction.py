"""Reductions, statistics and scans, against NumPy and central differences."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import return_types

A = np.random.default_rng(1).permutation(24).reshape(2, 3, 4) / 7 - 1.1
TIES = np.array([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, -1.0]])


NAMES = ["sum", "prod", "mean", "amax", "amin", "all", "any", "cumsum", "cumprod", "argmax", "argmin"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_like_numpy(name, axis):
    ours = getattr(torch.tensor(A), name)(axis).numpy()
    np.testing.assert_allclose(ours, getattr(np, name)(A, axis=axis), rtol=1e-12)


@pytest.mark.parametrize("correction", [0, 1, 2])
def test_variance(correction):
    t = torch.tensor(A)
    np.testing.assert_allclose(t.var((0, 2), correction=correction).numpy(), A.var((0, 2), ddof=correction))
    np.testing.assert_allclose(t.std(1, correction=correction).numpy(), A.std(1, ddof=correction))


def test_quantiles_and_median():
    t = torch.tensor(A)
    q = torch.tensor([0.2, 0.9], dtype=torch.float64)
    np.testing.assert_allclose(t.quantile(q, 2).numpy(), np.quantile(A, [0.2, 0.9], 2))
    assert torch.tensor([3.0, 1.0, 2.0, 9.0]).median() == 2
    assert torch.tensor([3.0, float("nan"), 1.0]).nanmedian() == 1


GRADIENTS = {
    "sum": lambda x: x.sum((0, 2)),
    "prod": lambda x: x.prod(1),
    "mean": lambda x: x.mean(-1, keepdim=True),
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "amax": lambda x: x.amax(1),
    "max": lambda x: x.max(2),
    "min": lambda x: x.min(),
    "var": lambda x: x.var(1),
    "std": lambda x: x.std((0, 1)),
    "var_mean": lambda x: torch.var_mean(x, 2),
    "median": lambda x: x.median(2),
    "quantile": lambda x: x.quantile(0.3, 1),
    "kthvalue": lambda x: x.kthvalue(2, 1),
    "cumsum": lambda x: x.cumsum(1),
    "cumprod": lambda x: x.cumprod(2),
    "cummax": lambda x: x.cummax(1),
    "logcumsumexp": lambda x: x.logcumsumexp(2),
    "diff": lambda x: x.diff(2, dim=2),
    "trapezoid": lambda x: torch.trapezoid(x, dx=0.3),
    "norm": lambda x: x.norm(3, (1, 2)),
    "renorm": lambda x: x.renorm(2, 1, 0.9),
    "topk": lambda x: x.topk(2, 1),
    "gradient": lambda x: torch.gradient(x, dim=2, spacing=0.4),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(check_gradient, name):
    check_gradient(GRADIENTS[name], A)


def test_products_with_zeros_have_exact_gradients(check_gradient):
    zeros = np.array([[0.0, 2.0, 3.0], [0.0, 5.0, 0.0], [1.0, 4.0, 2.0]])
    check_gradient(lambda x: x.prod(1), zeros)
    check_gradient(lambda x: x.cumprod(1), zeros)


def test_equal_elements_share_the_gradient_of_an_extremum():
    x = torch.tensor(TIES, requires_grad=True)
    x.amax(1).sum().backward()
    assert x.grad.tolist() == [[0, 0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    x.grad = None
    x.max(1).values.sum().backward()
    assert x.grad.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


def test_the_standard_deviation_of_equal_elements_has_a_zero_gradient():
    x = torch.ones(4, requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0] * 4


def test_half_precision_means_do_not_overflow():
    assert torch.full((1000,), 1000.0, dtype=torch.float16).mean() == 1000


def test_named_results():
    result = torch.tensor(TIES).max(1)
    assert isinstance(result, return_types.max) and result.values.tolist() == [3, 2] and result[1].tolist() == [1, 0]
    values, indices = result
    assert indices is result.indices
    assert repr(return_types.max((1, 2))) == "torch.return_types.max(\nvalues=1,\nindices=2)"
    with pytest.raises(TypeError, match="2-sequence"):
        return_types.max((1,))


@pytest.mark.parametrize("call, error, words", [
    (lambda: torch.zeros(0).max(), RuntimeError, "Expected reduction dim to be specified"),
    (lambda: torch.zeros(0, 2).amax(0), IndexError, "Expected reduction dim 0 to have non-zero size"),
    (lambda: torch.arange(3).mean(), RuntimeError, "could not infer output dtype"),
    (lambda: torch.zeros(2).sum(1), IndexError, "Dimension out of range"),
    (lambda: torch.zeros(2, 2).sum((0, 0)), RuntimeError, "appears multiple times"),
    (lambda: torch.zeros(3).quantile(1.5), RuntimeError, "must be in the range"),
    (lambda: torch.zeros(3).kthvalue(4), RuntimeError, "out of range for dimension"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_degrees_of_freedom_warning():
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        assert bool(torch.zeros(1).var().isnan())


def test_out_is_resized_and_filled():
    out = torch.zeros(0, dtype=torch.float64)
    assert torch.sum(torch.tensor(A), 0, out=out) is out
    np.testing.assert_allclose(out.numpy(), A.sum(0))
