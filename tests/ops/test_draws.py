"""Draws by rejection: their moments, and how they move with their parameters."""
import math

import numpy as np
import pytest

import flambeau as torch


def close_to(samples, mean, variance):
    """Within five standard errors of the mean, and near the variance."""
    assert abs(samples.mean() - mean) < 5 * math.sqrt(variance / samples.size)
    assert samples.var() == pytest.approx(variance, rel=0.15)


@pytest.mark.parametrize("concentration", [0.2, 0.9, 1.0, 3.0, 50.0])
def test_gamma(concentration):
    torch.manual_seed(1)
    samples = torch._standard_gamma(torch.full((5000,), concentration, dtype=torch.float64)).numpy()
    close_to(samples, concentration, concentration)


@pytest.mark.parametrize("count, p", [(5, 0.3), (5, 0.9), (100, 0.05), (100, 0.4), (100, 0.8), (1000, 0.5), (7, 0.0),
                                      (7, 1.0)])
def test_binomial(count, p):
    torch.manual_seed(2)
    samples = torch.binomial(torch.full((5000,), float(count)), torch.full((5000,), p)).numpy()
    assert samples.min() >= 0 and samples.max() <= count and (samples == np.floor(samples)).all()
    if 0 < p < 1:
        close_to(samples, count * p, count * p * (1 - p))
    else:
        assert (samples == count * p).all()


def test_dirichlet():
    torch.manual_seed(3)
    concentration = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)
    samples = torch._sample_dirichlet(concentration.expand(5000, 3)).numpy()
    np.testing.assert_allclose(samples.sum(-1), 1, atol=1e-12)
    mean = concentration.numpy() / 5.3
    for k in range(3):
        close_to(samples[:, k], mean[k], mean[k] * (1 - mean[k]) / 6.3)


@pytest.mark.parametrize("a", [0.05, 0.5, 1.0, 2.5, 30.0, 1000.0])
def test_gradient_of_gamma_draws(a):
    """dx/da = −(∂P/∂a) / p(x), P the incomplete gamma function."""
    x = a + np.sqrt(a) * np.array([-0.9, 0.0, 1.5, 3.0]) if a > 1 else np.array([0.05, 0.4, 1.0, 1.7]) * a
    step = 1e-5 * a

    def cdf(a):
        tensors = torch.from_numpy(np.full_like(x, a)), torch.from_numpy(x)
        return torch.special.gammainc(*tensors).numpy()
    density = np.exp((a - 1) * np.log(x) - x - math.lgamma(a))
    inside = (cdf(a) > 1e-6) & (cdf(a) < 1 - 1e-6)  # elsewhere differences have no digits
    want = -(cdf(a + step) - cdf(a - step)) / (2 * step) / density
    got = torch._standard_gamma_grad(torch.from_numpy(np.full_like(x, a)), torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got[inside], want[inside], rtol=1e-4)
    assert inside.any() and np.isfinite(got).all()


@pytest.mark.parametrize("a, b", [(0.3, 0.4), (0.5, 8.0), (2.0, 3.0), (40.0, 7.0)])
def test_gradient_of_dirichlet_draws(a, b):
    """(dx/da) / (1 − x) = −(∂F/∂a) / f(x) / (1 − x), F by integration of the beta density."""
    x = np.array([0.1, 0.5, 0.8])
    log_t = -np.linspace(0, 60 / a, 100001)  # from each x down, on a logarithmic scale
    step = 1e-4 * a

    def log_beta(a):
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    def cdf(a):
        t = x[:, None] * np.exp(log_t)
        integrand = np.exp(a * np.log(t) + (b - 1) * np.log1p(-t) - log_beta(a))
        return ((integrand[:, 1:] + integrand[:, :-1]) / 2 * np.diff(-log_t)).sum(-1)
    density = np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta(a))
    want = -(cdf(a + step) - cdf(a - step)) / (2 * step) / density / (1 - x)
    got = torch._dirichlet_grad(*[torch.from_numpy(v) for v in (x, np.full_like(x, a), np.full_like(x, a + b))])
    np.testing.assert_allclose(got.numpy(), want, rtol=2e-4)


def test_second_derivatives_are_refused():
    a = torch.tensor([2.0], requires_grad=True)
    slope, = torch.autograd.grad(torch._standard_gamma(a), a, create_graph=True)
    with pytest.raises(NotImplementedError, match="_standard_gamma_grad"):
        slope.backward()


def test_errors():
    with pytest.raises(NotImplementedError, match="gamma_cpu"):
        torch._standard_gamma(torch.ones(2).half())
    with pytest.raises(ValueError, match="floating-point dtypes for count"):
        torch.binomial(torch.ones(2, dtype=torch.int64), torch.ones(2))
