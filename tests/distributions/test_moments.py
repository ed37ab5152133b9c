"""Densities, moments, entropies, divergences and samples of distributions against integrals and sums."""
import math

import numpy as np
import pytest

import flambeau as torch
import flambeau.distributions as D

# expression and where to integrate its density
CONTINUOUS = [
    ("D.Normal(x(0.3), x(1.2))", -12, 12), ("D.Laplace(x(0.3), x(0.8))", -30, 30), ("D.Gumbel(x(0.3), x(0.8))", -5, 40),
    ("D.Exponential(x(1.3))", 0, 40), ("D.Gamma(x(2.5), x(1.5))", 0, 40), ("D.Chi2(x(3.0))", 0, 90),
    ("D.Beta(x(2.0), x(3.0))", 0, 1), ("D.Uniform(x(-1.0), x(2.0))", -1, 2), ("D.HalfNormal(x(1.2))", 0, 15),
    ("D.LogNormal(x(0.1), x(0.5))", 0, 30), ("D.Weibull(x(1.5), x(1.7))", 0, 15), ("D.Kumaraswamy(x(2.0), x(3.0))", 0,
                                                                                   1),
    ("D.VonMises(x(0.3), x(2.0))", -math.pi, math.pi), ("D.ContinuousBernoulli(x(0.3))", 0, 1),
    ("D.InverseGamma(x(6.0), x(5.0))", 0, 60), ("D.StudentT(x(12.0), x(0.3), x(0.8))", -40, 40),
    ("D.FisherSnedecor(x(6.0), x(20.0))", 0, 200), ("D.GeneralizedPareto(x(0.5), x(1.0), x(-0.3))", 0.5, 0.5 + 1 / 0.3),
    ("D.RelaxedBernoulli(x(0.9), x(0.3))", 0, 1),
    ("D.MixtureSameFamily(D.Categorical(x([0.3, 0.7])), D.Normal(x([-1.0, 2.0]), x([0.5, 1.0])))", -10, 15),
    ("D.TransformedDistribution(D.Normal(x(0.0), x(0.5)), [D.ExpTransform(), D.AffineTransform(1.0, -2.0)])", -40, 1),
]
DISCRETE = [("D.Bernoulli(x(0.3))", 1), ("D.Binomial(12, x(0.3))", 12), ("D.Poisson(x(4.0))", 60),
            ("D.Geometric(x(0.3))", 120),
            ("D.NegativeBinomial(x(3.0), x(0.4))", 120), ("D.Categorical(x([0.2, 0.3, 0.5]))", 2)]


def x(value):
    return torch.tensor(value, dtype=torch.float64)


def build(expression):
    return eval(expression, {"D": D, "x": x})


def quadrature(low, high, n=4000):
    """Midpoints and their weight, denser towards the ends, where densities may rise steeply."""
    u = (np.arange(n) + 0.5) / n
    s = u * u * (3 - 2 * u)
    return low + (high - low) * s, (high - low) * 6 * u * (1 - u) / n


def attempt(call):
    try:
        return call().item()
    except NotImplementedError:
        return None


@pytest.mark.parametrize("expression, low, high", CONTINUOUS)
def test_densities(expression, low, high):
    """log_prob integrates to 1; mean, variance, entropy and cdf are its integrals; icdf is cdf's inverse."""
    d = build(expression)
    points, weights = quadrature(low, high)
    log_prob = d.log_prob(torch.from_numpy(points)).numpy()
    mass = np.exp(log_prob) * weights
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    mean = (mass * points).sum()
    entropy = -(mass * np.where(mass > 0, log_prob, 0)).sum()
    circular = expression.startswith("D.VonMises")
    variance = 1 - (mass * np.cos(points - mean)).sum() if circular else (mass * (points - mean) ** 2).sum()
    for name, got, want in (("mean", attempt(lambda: d.mean), mean), ("variance", attempt(lambda: d.variance),
                                                                      variance),
                            ("entropy", attempt(d.entropy), entropy)):
        if got is not None and not (circular and name == "mean"):
            assert got == pytest.approx(want, rel=2e-3, abs=2e-4), name
    middle = torch.from_numpy(np.quantile(points, [0.3, 0.5, 0.6]))
    try:
        below = d.cdf(middle)
    except NotImplementedError:
        return
    for value, got in zip(middle.tolist(), below.tolist()):
        assert got == pytest.approx(mass[points < value].sum(), abs=2e-3)
    try:
        np.testing.assert_allclose(d.icdf(below)[:1].numpy(), middle[:1].numpy(), rtol=1e-3, atol=1e-3)
    except NotImplementedError:
        pass


@pytest.mark.parametrize("expression, last", DISCRETE)
def test_probabilities(expression, last):
    d = build(expression)
    values = torch.arange(last + 1, dtype=torch.float64)
    mass = d.log_prob(values).exp().numpy()
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    mean = (mass * values.numpy()).sum()
    variance = (mass * (values.numpy() - mean) ** 2).sum()
    entropy = -(mass * np.log(np.where(mass > 0, mass, 1))).sum()
    for got, want in ((attempt(lambda: d.mean), mean), (attempt(lambda: d.variance), variance), (attempt(d.entropy),
                                                                                                 entropy)):
        if got is not None and not math.isnan(got):
            assert got == pytest.approx(want, rel=1e-5)
    if d.has_enumerate_support:
        assert d.enumerate_support().tolist() == values.tolist()


@pytest.mark.parametrize("expression", [e for e, *_ in CONTINUOUS + DISCRETE])
def test_samples(expression):
    """The mean of samples is near the mean: within five standard errors."""
    torch.manual_seed(0)
    d = build(expression)
    samples = d.sample((4000,)).double().numpy()
    assert d.support.check(torch.from_numpy(samples)).all()
    mean = attempt(lambda: d.mean)
    if mean is not None and not math.isnan(mean):
        assert abs(samples.mean() - mean) < 5 * samples.std() / math.sqrt(len(samples))


@pytest.mark.parametrize("expression, slope", [
    ("D.Gamma(a, x(2.0))", 0.5), ("D.Normal(a, x(1.0))", 1.0), ("D.Exponential(a)", -1 / 9), ("D.Beta(a, x(2.0))",
                                                                                              2 / 25),
    ("D.Laplace(a, x(1.0))", 1.0), ("D.Uniform(x(0.0), a)", 0.5), ("D.Chi2(a)", 1.0), ("D.InverseGamma(x(5.0), a)",
                                                                                       0.25)])
def test_reparameterised_gradients(expression, slope):
    """The mean of the samples' derivatives is the derivative of the mean."""
    torch.manual_seed(0)
    a = torch.full((4000,), 3.0, dtype=torch.float64, requires_grad=True)
    eval(expression, {"D": D, "x": x, "a": a}).rsample().sum().backward()
    slopes = a.grad.numpy()
    assert abs(slopes.mean() - slope) <= 5 * slopes.std() / math.sqrt(len(slopes)) + 1e-9


@pytest.mark.parametrize("p, q, low, high", [
    ("D.Normal(x(0.3), x(1.2))", "D.Laplace(x(0.0), x(1.0))", -12, 12),
    ("D.Normal(x(0.3), x(1.2))", "D.Gumbel(x(0.0), x(1.0))", -12, 12),
    ("D.Gamma(x(2.5), x(1.5))", "D.Exponential(x(0.7))", 0, 40),
    ("D.Gamma(x(2.5), x(1.5))", "D.Normal(x(1.0), x(2.0))", 0, 40),
    ("D.Gamma(x(2.5), x(1.5))", "D.Gumbel(x(1.0), x(2.0))", 0, 40),
    ("D.Beta(x(2.0), x(3.0))", "D.Gamma(x(2.5), x(1.5))", 0, 1),
    ("D.Uniform(x(0.2), x(0.7))", "D.Beta(x(2.0), x(3.0))", 0.2, 0.7),
    ("D.Gumbel(x(0.3), x(0.8))", "D.Normal(x(0.0), x(2.0))", -5, 40),
    ("D.Cauchy(x(0.3), x(0.8))", "D.Cauchy(x(0.0), x(2.0))", -2000, 2000),
    ("D.Chi2(x(3.0))", "D.Chi2(x(4.0))", 0, 90),
    ("D.LogNormal(x(0.1), x(0.5))", "D.LogNormal(x(0.3), x(0.6))", 0, 30)])
def test_divergences(p, q, low, high):
    p, q = build(p), build(q)
    points, weights = quadrature(low, high, 60000 if high > 1000 else 4000)
    values = torch.from_numpy(points)
    log_p, log_q = p.log_prob(values).numpy(), q.log_prob(values).numpy()
    mass = np.exp(log_p) * weights
    want = (mass * np.where(mass > 0, log_p - log_q, 0)).sum()
    assert D.kl_divergence(p, q).item() == pytest.approx(want, rel=5e-3, abs=1e-4)


def test_multivariate_normal():
    r = np.random.default_rng(0)
    a = r.standard_normal((3, 3))
    loc, covariance, value = r.standard_normal(3), a @ a.T + np.eye(3), r.standard_normal((5, 3))
    gap = value - loc
    want = -0.5 * (np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance),
                             gap) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    loc, covariance, value = torch.from_numpy(loc), torch.from_numpy(covariance), torch.from_numpy(value)
    factor, diagonal = torch.linalg.cholesky(covariance - 0.5 * torch.eye(3).double()), torch.full((3,), 0.5).double()
    for d in (D.MultivariateNormal(loc, covariance), D.LowRankMultivariateNormal(loc, factor, diagonal),
              D.MultivariateNormal(loc, precision_matrix=torch.linalg.inv(covariance)),
              D.MultivariateNormal(loc, scale_tril=torch.linalg.cholesky(covariance))):
        np.testing.assert_allclose(d.log_prob(value).numpy(), want, rtol=1e-9)
        np.testing.assert_allclose(d.covariance_matrix.numpy(), covariance.numpy(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(d.precision_matrix.numpy(), np.linalg.inv(covariance.numpy()), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(d.variance.numpy(), np.diag(covariance.numpy()), rtol=1e-9)
        torch.manual_seed(0)
        np.testing.assert_allclose(np.cov(d.sample((20000,)).numpy().T), covariance.numpy(), atol=0.35)


def test_wishart_and_lkj_have_their_means():
    torch.manual_seed(0)
    scale = torch.eye(3, dtype=torch.float64) + 0.3
    d = D.Wishart(x(7.0), scale)
    np.testing.assert_allclose(d.sample((4000,)).mean(0).numpy(), d.mean.numpy(), atol=0.5)
    factor = D.LKJCholesky(3, x(2.0)).sample((4000,))
    np.testing.assert_allclose((factor @ factor.mT).mean(0).numpy(), np.eye(3), atol=0.05)
    density = D.LKJCholesky(2, x(1.0)).log_prob(torch.eye(2).double()).exp()
    assert density.item() == pytest.approx(0.5)  # the correlation is uniform on (-1, 1)


def test_multinomial_and_dirichlet():
    d = D.Multinomial(4, x([0.2, 0.3, 0.5]))
    counts = [(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]
    log_prob = d.log_prob(x(counts)).numpy()
    assert np.exp(log_prob).sum() == pytest.approx(1)
    assert d.entropy().item() == pytest.approx(-(np.exp(log_prob) * log_prob).sum())
    p, q = D.Dirichlet(x([1.5, 2.0, 3.0])), D.Dirichlet(x([1.0, 1.0, 1.0]))
    torch.manual_seed(0)
    samples = p.sample((20000,))
    gaps = p.log_prob(samples) - q.log_prob(samples)
    assert D.kl_divergence(p, q).item() == pytest.approx(gaps.mean().item(), abs=0.02)
    assert p.entropy().item() == pytest.approx(-p.log_prob(samples).mean().item(), abs=0.02)
