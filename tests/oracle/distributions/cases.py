"""Distributions as expressions in `t` (torch or flambeau), `D` (its distributions) and named parameters."""
import numpy as np

DISTRIBUTIONS = [
    "D.Bernoulli(p)", "D.Bernoulli(logits=r)", "D.Bernoulli(0.3)", "D.Beta(a, b)", "D.Beta(0.5, 2.0)",
    "D.Binomial(10, p)", "D.Binomial(t.tensor([3.0, 30.0, 300.0], dtype=p.dtype), logits=r)", "D.Categorical(a)",
    "D.Categorical(logits=m)", "D.Cauchy(r, a)", "D.Chi2(a)", "D.ContinuousBernoulli(p)", "D.ContinuousBernoulli(logits=r)",
    "D.ContinuousBernoulli(h)", "D.Dirichlet(a)", "D.Dirichlet(m.exp())", "D.Exponential(a)", "D.FisherSnedecor(a + 5, b + 5)",
    "D.FisherSnedecor(a, b)", "D.Gamma(a, b)", "D.Gamma(a * 0.1, b)", "D.GeneralizedPareto(r, a, p - 0.5)",
    "D.GeneralizedPareto(0.0, 1.0, 0.0)", "D.Geometric(p)", "D.Geometric(logits=r)", "D.Gumbel(r, a)", "D.Gumbel(0.0, 1.0)",
    "D.HalfCauchy(a)", "D.HalfNormal(a)", "D.Independent(D.Normal(m, a), 1)", "D.Independent(D.Bernoulli(p), 0)",
    "D.InverseGamma(a, b)", "D.InverseGamma(a + 3, b)", "D.Kumaraswamy(a, b)", "D.LKJCholesky(3, a)", "D.LKJCholesky(2)",
    "D.Laplace(r, a)", "D.LogNormal(r, a)", "D.LogisticNormal(r, a)", "D.LowRankMultivariateNormal(r, w, a)",
    "D.LowRankMultivariateNormal(m, w, a)", "D.MixtureSameFamily(D.Categorical(a), D.Normal(r, a))",
    "D.MixtureSameFamily(D.Categorical(logits=r), D.Independent(D.Normal(s, s.exp()), 1))",
    "D.MixtureSameFamily(D.Categorical(m.exp()), D.Normal(r, a))", "D.Multinomial(5, a)", "D.Multinomial(4, logits=m)",
    "D.MultivariateNormal(r, c)", "D.MultivariateNormal(m, scale_tril=t.linalg.cholesky(c))",
    "D.MultivariateNormal(r, precision_matrix=c)", "D.MultivariateNormal(r, t.stack([c, 2 * c]))",
    "D.NegativeBinomial(a * 3, p)", "D.NegativeBinomial(4.0, logits=r)", "D.Normal(r, a)", "D.Normal(0.0, 2.0)", "D.Normal(m, a)",
    "D.OneHotCategorical(a)", "D.OneHotCategorical(logits=m)", "D.OneHotCategoricalStraightThrough(a)", "D.Pareto(a, b)",
    "D.Pareto(a, b + 2)", "D.Poisson(a * 9)", "D.RelaxedBernoulli(t.tensor(0.7, dtype=t.float64), p)",
    "D.RelaxedBernoulli(t.tensor(0.7, dtype=t.float64), logits=r)", "D.RelaxedOneHotCategorical(t.tensor(0.7), a)",
    "D.RelaxedOneHotCategorical(t.tensor(0.7, dtype=t.float64), logits=m)", "D.StudentT(a)", "D.StudentT(a + 3, r, b)",
    "D.TransformedDistribution(D.Normal(r, a), [D.TanhTransform(), D.AffineTransform(1.0, -2.0)])",
    "D.TransformedDistribution(D.Normal(m, a), D.StickBreakingTransform())", "D.Uniform(r, r + a)", "D.Uniform(0.0, 1.0)",
    "D.VonMises(r, a)", "D.VonMises(r, a * 30)", "D.Weibull(a, b)", "D.Wishart(a + 4, c)",
    "D.Wishart(t.tensor(5.5, dtype=c.dtype), precision_matrix=c)", "D.Wishart(a + 4, scale_tril=t.linalg.cholesky(c))",
]


def parameters(module, dtype):
    """r real (3), m real (2, 3), a and b positive (3), p probabilities (3), h near ½, w (3, 2), s (3, 2), c positive definite."""
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


def attempt(call):
    """What call() gives, or the class and message of its error."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
