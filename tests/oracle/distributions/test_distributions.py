"""Distributions against PyTorch: the same numbers from the same seed, and the same densities, moments and gradients."""
import numpy as np
import pytest

import flambeau
import flambeau.distributions

torch = pytest.importorskip("torch")

DISTRIBUTIONS = [
    "D.Bernoulli(p)", "D.Bernoulli(logits=r)", "D.Bernoulli(0.3)", "D.Beta(a, b)", "D.Beta(0.5, 2.0)",
    "D.Binomial(10, p)", "D.Binomial(t.tensor([3.0, 30.0, 300.0], dtype=p.dtype), logits=r)", "D.Categorical(a)",
    "D.Categorical(logits=m)", "D.Cauchy(r, a)", "D.Chi2(a)", "D.ContinuousBernoulli(p)",
    "D.ContinuousBernoulli(logits=r)",
    "D.ContinuousBernoulli(h)", "D.Dirichlet(a)", "D.Dirichlet(m.exp())", "D.Exponential(a)",
    "D.FisherSnedecor(a + 5, b + 5)",
    "D.FisherSnedecor(a, b)", "D.Gamma(a, b)", "D.Gamma(a * 0.1, b)", "D.GeneralizedPareto(0.0, 1.0, 0.3)",
    "D.Geometric(p)", "D.Geometric(logits=r)", "D.Gumbel(r, a)", "D.Gumbel(0.0, 1.0)",
    "D.HalfCauchy(a)", "D.HalfNormal(a)", "D.Independent(D.Normal(m, a), 1)", "D.Independent(D.Bernoulli(p), 0)",
    "D.InverseGamma(a, b)", "D.InverseGamma(a + 3, b)", "D.Kumaraswamy(a, b)", "D.LKJCholesky(3, a)",
    "D.LKJCholesky(2)",
    "D.Laplace(r, a)", "D.LogNormal(r, a)", "D.LogisticNormal(r, a)", "D.LowRankMultivariateNormal(r, w, a)",
    "D.LowRankMultivariateNormal(m, w, a)", "D.MixtureSameFamily(D.Categorical(a), D.Normal(r, a))",
    "D.MixtureSameFamily(D.Categorical(logits=r), D.Independent(D.Normal(s, s.exp()), 1))",
    "D.MixtureSameFamily(D.Categorical(m.exp()), D.Normal(m, a))", "D.Multinomial(5, a)", "D.Multinomial(4, logits=m)",
    "D.MultivariateNormal(r, c)", "D.MultivariateNormal(m, scale_tril=t.linalg.cholesky(c))",
    "D.MultivariateNormal(r, precision_matrix=c)", "D.MultivariateNormal(r, t.stack([c, 2 * c]))",
    "D.NegativeBinomial(a * 3, p)", "D.NegativeBinomial(4.0, logits=r)", "D.Normal(r, a)", "D.Normal(0.0, 2.0)",
    "D.Normal(m, a)",
    "D.OneHotCategorical(a)", "D.OneHotCategorical(logits=m)", "D.OneHotCategoricalStraightThrough(a)",
    "D.Pareto(a, b)",
    "D.Pareto(a, b + 2)", "D.Poisson(a * 9)", "D.RelaxedBernoulli(t.tensor(0.7, dtype=t.float64), p)",
    "D.RelaxedBernoulli(t.tensor(0.7, dtype=t.float64), logits=r)", "D.RelaxedOneHotCategorical(t.tensor(0.7, "
                                                                    "dtype=t.float64), a)",
    "D.RelaxedOneHotCategorical(t.tensor(0.7, dtype=t.float64), logits=m)", "D.StudentT(a)", "D.StudentT(a + 3, r, b)",
    "D.TransformedDistribution(D.Normal(r, a), [D.TanhTransform(), D.AffineTransform(1.0, -2.0)])",
    "D.TransformedDistribution(D.Normal(m, a), D.StickBreakingTransform())", "D.Uniform(r, r + a)",
    "D.Uniform(0.0, 1.0)",
    "D.VonMises(r, a)", "D.VonMises(r, a * 30)", "D.Weibull(a, b)", "D.Wishart(a + 4, c)",
    "D.Wishart(t.tensor(5.5, dtype=c.dtype), precision_matrix=c)", "D.Wishart(a + 4, scale_tril=t.linalg.cholesky(c))",
]


def parameters(module, dtype):
    """r real (3), m real (2, 3), a and b positive (3), p probabilities (3), h near ½, w (3, 2), s (3, 2), c positive
    definite."""
    g = np.random.default_rng(3)
    m = g.standard_normal((2, 3))
    c = g.standard_normal((3, 3))
    arrays = {"r": np.array([-0.5, 0.3, 1.2]), "m": m, "a": np.array([0.6, 1.5, 2.5]), "b": np.array([0.8, 1.0, 3.0]),
              "p": np.array([0.2, 0.55, 0.9]), "h": np.array([0.4995, 0.5, 0.501]), "w": g.standard_normal((3, 2)),
              "s": g.standard_normal((3, 2)), "c": c @ c.T + np.eye(3)}
    return {name: module.tensor(x, dtype=getattr(module, dtype), requires_grad=True) for name, x in arrays.items()}


def build(module, expression, dtype="float64"):
    """(the distribution, its parameters)."""
    names = parameters(module, dtype)
    return eval(expression, {"t": module, "D": module.distributions, **names}), names




# PyTorch interpolates in tables the gradients of draws that are made of gamma numbers, and Bessel functions
TABLES = ("Beta", "Gamma", "Chi2", "Dirichlet", "Fisher", "Student", "Wishart")


def agree(expected, ours, what, rtol=1e-8, atol=1e-8):
    if isinstance(expected, str):
        assert ours == expected, what
        return
    assert not isinstance(ours, str), (what, ours)
    want, got = (x.detach().numpy() for x in (expected, ours))
    assert (got.dtype, got.shape) == (want.dtype, want.shape), what
    if want.dtype == np.float32:
        rtol, atol = 1e-5, 1e-6
    np.testing.assert_allclose(got, want, rtol, atol, err_msg=what)


def attempt(call):
    try:
        return call()
    except (NotImplementedError, ValueError) as error:
        return type(error).__name__


def gradients(module, names, call):
    """By name, of a weighted sum of call()'s elements; a class of error where it has none."""
    for x in names.values():
        x.grad = None
    try:
        y = call()
    except (NotImplementedError, ValueError) as error:
        return type(error).__name__
    if not y.requires_grad:
        return {}
    weights = module.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)), dtype=y.dtype)
    (y * weights).sum().backward()
    return {name: x.grad for name, x in names.items() if x.grad is not None}


@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize("expression", DISTRIBUTIONS)
def test_values(expression):
    (theirs, _), (ours, _) = build(torch, expression), build(flambeau, expression)
    assert repr(ours) == repr(theirs)
    for name in ("batch_shape", "event_shape", "has_rsample", "has_enumerate_support"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert repr(ours.support).replace("flambeau", "torch") == repr(theirs.support)
    loose = {"rtol": 1e-3} if "VonMises" in expression else {}
    samples = []
    for module, d in ((torch, theirs), (flambeau, ours)):
        module.manual_seed(7)
        samples.append((d.sample((4,)), d.expand((2, *d.batch_shape)).sample(), module.rand(2)))
    for a, b, what in zip(*samples, ("sample", "sample of expanded", "numbers after the samples")):
        agree(a, b, what)
    value = samples[0][0]
    for name in ("log_prob", "cdf"):
        copy = flambeau.tensor(value.numpy())
        agree(attempt(lambda: getattr(theirs, name)(value)), attempt(lambda: getattr(ours, name)(copy)), name, **loose)
    for name in ("mean", "mode", "variance", "stddev"):
        agree(attempt(lambda: getattr(theirs, name)), attempt(lambda: getattr(ours, name)), name, **loose)
    for name in ("entropy", "perplexity", "enumerate_support"):
        agree(attempt(lambda: getattr(theirs, name)()), attempt(lambda: getattr(ours, name)()), name)
    quantile = [m.full(tuple(d.batch_shape), 0.3, dtype=m.float64) for m, d in ((torch, theirs), (flambeau, ours))]
    agree(attempt(lambda: theirs.icdf(quantile[0])), attempt(lambda: ours.icdf(quantile[1])), "icdf")


@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize("expression", DISTRIBUTIONS)
def test_gradients(expression):
    torch.manual_seed(7)
    value = build(torch, expression)[0].sample((3,)).numpy()
    methods = {"log_prob": lambda m, d: d.log_prob(m.tensor(value)), "entropy": lambda m, d: d.entropy(),
               "mean": lambda m, d: d.mean, "variance": lambda m, d: d.variance, "rsample": lambda m, d: d.rsample((3,
                                                                                                                    ))}
    if "Wishart" in expression:
        del methods["rsample"]  # PyTorch's has no gradient: it writes over what it saved
    for name, call in methods.items():
        results = []
        for module in (torch, flambeau):
            d, names = build(module, expression)
            module.manual_seed(11)
            results.append(gradients(module, names, lambda: call(module, d)))
        expected, ours = results
        if isinstance(expected, str):
            assert ours == expected, name
            continue
        assert set(ours) == set(expected), name
        from_tables = name == "rsample" and any(part in expression for part in TABLES) or "VonMises" in expression
        for parameter in expected:
            agree(expected[parameter], ours[parameter], f"{name}, {parameter}", **(
                {"rtol": 5e-3, "atol": 1e-4} if from_tables else {"rtol": 1e-6}))


def test_gradient_of_wishart_samples():
    """In the scale, against differences; the draws are the same from the same seed."""
    def total(scale):
        flambeau.manual_seed(3)
        factor = flambeau.eye(3, dtype=flambeau.float64) * scale
        return flambeau.distributions.Wishart(flambeau.tensor(5.0, dtype=flambeau.float64),
                                              scale_tril=factor).rsample().sum()
    scale = flambeau.tensor(1.5, dtype=flambeau.float64, requires_grad=True)
    total(scale).backward()
    high, low = (total(flambeau.tensor(x, dtype=flambeau.float64)).item() for x in (1.5 + 1e-6, 1.5 - 1e-6))
    assert scale.grad.item() == pytest.approx((high - low) / 2e-6, rel=1e-6)


# ------------------------------------------------------------------ divergences

FAMILIES = [
    ["D.Bernoulli(p)", "D.Bernoulli(t.tensor([0.0, 1.0, 0.5]))", "D.Poisson(a)", "D.Binomial(5, p)", "D.Geometric(p)",
     "D.Geometric(p * 0.5)", "D.Binomial(t.tensor([5.0, 5.0, 6.0]).double(), p * 0.5)"],
    ["D.Beta(a, b)", "D.ContinuousBernoulli(p)", "D.Exponential(a)", "D.Gamma(a, b)", "D.Normal(r, a)",
     "D.Pareto(a, b)",
     "D.Uniform(p * 0.5, p * 0.5 + 0.2)", "D.Uniform(r, r + a)", "D.Laplace(r, a)", "D.Gumbel(r, a)", "D.Cauchy(r, a)"],
    ["D.Beta(b, a)", "D.Beta(a, a)"], ["D.Exponential(b)", "D.Exponential(a)"], ["D.Gamma(b, a)", "D.Gamma(a, a)"],
    ["D.Normal(r, b)", "D.Normal(r * 2, a)"], ["D.Pareto(b, a + 2)", "D.Pareto(a, b)", "D.Normal(r, a)"],
    ["D.Uniform(0.0, 1.0)", "D.Uniform(p * 0.5, p)", "D.Beta(a, b)", "D.ContinuousBernoulli(h)"],
    ["D.Laplace(r * 2, b)", "D.Laplace(r, a)"], ["D.Gumbel(r * 2, b)", "D.Gumbel(r, a)"], ["D.Cauchy(b, a)",
                                                                                           "D.Cauchy(r, b)"],
    ["D.HalfNormal(a)", "D.HalfNormal(b)"],
    ["D.Categorical(a)", "D.Categorical(logits=m)", "D.Categorical(t.tensor([0.0, 0.5, 0.5]).double())"],
    ["D.OneHotCategorical(a)", "D.OneHotCategorical(b)"], ["D.Dirichlet(a)", "D.Dirichlet(b)"], ["D.Chi2(a)",
                                                                                                 "D.Chi2(b)"],
    ["D.Independent(D.Normal(m, a), 1)", "D.Independent(D.Normal(m * 2, b), 1)", "D.Independent(D.Normal(m, b), 2)"],
    ["D.LowRankMultivariateNormal(r, w, a)", "D.LowRankMultivariateNormal(m, w * 2, b)", "D.MultivariateNormal(r, c)",
     "D.MultivariateNormal(m, 2 * c)", "D.MultivariateNormal(r[:2], c[:2, :2])"],
    ["D.LogNormal(r, a)", "D.LogNormal(r * 2, b)", "D.TransformedDistribution(D.Normal(r, a), D.TanhTransform())"],
    ["D.Wishart(a + 4, c)", "D.Wishart(a + 5, 2 * c)"],
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0])
def test_divergences(family):
    for p in family:
        for q in family:
            results = []
            for module in (torch, flambeau):
                names = parameters(module, "float64")
                env = {"t": module, "D": module.distributions, **names}

                def divergence():
                    return module.distributions.kl_divergence(eval(p, env), eval(q, env))
                value = attempt(divergence)
                finite = not isinstance(value, str) and np.isfinite(value.detach().numpy()).all()
                results.append((value, gradients(module, names, divergence) if finite else {}))
            (expected, slopes), (ours, our_slopes) = results
            agree(expected, ours, f"{p} to {q}", rtol=1e-6)
            assert set(our_slopes) == set(slopes), (p, q)
            for name in slopes:
                agree(slopes[name], our_slopes[name], f"{p} to {q}, {name}", rtol=1e-5, atol=1e-7)
