"""Kullback-Leibler divergences KL(p ‖ q) = E_p[log p(x) − log q(x)], by the types of p and q.

`register_kl(P, Q)` enters a formula; of several that fit, the one for the nearest base classes is taken. The formulas
are of a common shape: −entropy of p plus the expected −log q, of which what depends on x is a moment of p.
"""
from __future__ import annotations

import math
import warnings
from typing import Any, Callable

import flambeau as torch
from flambeau.nn.functional import softplus

from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal, _batch_lowrank_mahalanobis, _scaled
from .multivariate_normal import MultivariateNormal, _batch_mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import _sum_rightmost, euler_constant as _euler_gamma

__all__ = ["register_kl", "kl_divergence"]

_KL_REGISTRY: dict[tuple[type, type], Callable] = {}
_KL_MEMOIZE: dict[tuple[type, type], Callable | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable], Callable]:
    """A decorator that enters kl(p, q) for distributions of these types and their subclasses."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type) or not issubclass(kind, Distribution):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def enter(fn: Callable) -> Callable:
        _KL_REGISTRY[type_p, type_q] = fn
        _KL_MEMOIZE.clear()
        return fn
    return enter


def _dispatch_kl(type_p: type, type_q: type) -> Callable | None:
    """The formula for the nearest bases, p's deciding first; a warning if q's deciding first gives another."""
    def distance(pair: tuple[type, type]) -> tuple[int, int]:
        return type_p.__mro__.index(pair[0]), type_q.__mro__.index(pair[1])
    fitting = [pair for pair in _KL_REGISTRY if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])]
    if not fitting:
        return None
    left, right = min(fitting, key=distance), min(fitting, key=lambda pair: distance(pair)[::-1])
    if _KL_REGISTRY[left] is not _KL_REGISTRY[right]:
        warnings.warn(f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
                      f"register_kl({left[0].__name__}, "
                      f"{right[1].__name__})", RuntimeWarning, stacklevel=3)
    return _KL_REGISTRY[left]


def kl_divergence(p: Distribution, q: Distribution) -> torch.Tensor:
    """KL(p ‖ q), of shape batch_shape; NotImplementedError if no formula is registered for the types."""
    types = type(p), type(q)
    if types not in _KL_MEMOIZE:
        _KL_MEMOIZE[types] = _dispatch_kl(*types)
    formula = _KL_MEMOIZE[types]
    if formula is None:
        raise NotImplementedError(f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type "
                                  f"{q.__class__.__name__}")
    return formula(p, q)


# ------------------------------------------------------------------ helpers

def _infinite_unless(valid: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """value, or ∞ where p has mass that q has not."""
    return torch.where(valid, value, math.inf)


def _infinite_like(tensor: torch.Tensor) -> torch.Tensor:
    return torch.full_like(tensor, math.inf)


def _x_log_x(x: torch.Tensor) -> torch.Tensor:
    """x log x, 0 at 0."""
    return torch.special.xlogy(x, x)


def _log_density_gap(p_mean: Any, p_variance: Any, q: Normal) -> torch.Tensor:
    """E[(x − q.loc)²] / (2 q.scale²) for x of this mean and variance."""
    return (p_variance + (p_mean - q.loc).pow(2)) / (2 * q.scale.pow(2))


# ------------------------------------------------------------------ within one family

@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli_bernoulli(p, q):
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    one = torch.where(p.probs == 0, 0.0, torch.where(q.probs == 0, math.inf, one))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zero = torch.where(p.probs == 1, 0.0, torch.where(q.probs == 1, math.inf, zero))
    return one + zero


@register_kl(Beta, Beta)
def _kl_beta_beta(p, q):
    total_p, total_q = p.concentration1 + p.concentration0, q.concentration1 + q.concentration0
    t1 = q.concentration1.lgamma() + q.concentration0.lgamma() + total_p.lgamma()
    t2 = p.concentration1.lgamma() + p.concentration0.lgamma() + total_q.lgamma()
    t3 = (p.concentration1 - q.concentration1) * torch.digamma(p.concentration1)
    t4 = (p.concentration0 - q.concentration0) * torch.digamma(p.concentration0)
    return t1 - t2 + t3 + t4 + (total_q - total_p) * torch.digamma(total_p)


@register_kl(Binomial, Binomial)
def _kl_binomial_binomial(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return _infinite_unless(p.total_count <= q.total_count, kl)


@register_kl(Categorical, Categorical)
def _kl_categorical_categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = torch.where(p.probs == 0, 0.0, torch.where(q.probs == 0, math.inf, terms))
    return terms.sum(-1)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli_continuous_bernoulli(p, q):
    t1 = p.mean * (p.logits - q.logits)
    t2 = p._cont_bern_log_norm() + torch.log1p(-p.probs)
    return t1 + t2 - q._cont_bern_log_norm() - torch.log1p(-q.probs)


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet_dirichlet(p, q):
    total_p, total_q = p.concentration.sum(-1), q.concentration.sum(-1)
    t1 = total_p.lgamma() - total_q.lgamma()
    t2 = (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
    centred = p.concentration.digamma() - total_p.digamma().unsqueeze(-1)
    return t1 - t2 + ((p.concentration - q.concentration) * centred).sum(-1)


@register_kl(Exponential, Exponential)
def _kl_exponential_exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_expfamily_expfamily(p, q):
    """The Bregman divergence of the log-normaliser: F(θ_q) − F(θ_p) − ⟨θ_q − θ_p, ∇F(θ_p)⟩."""
    if type(p) is not type(q):
        raise NotImplementedError("The cross KL-divergence between different exponential families cannot be computed "
                                  "using "
                                  "Bregman divergences")
    parameters = [x.detach().requires_grad_() for x in p._natural_params]
    normalizer = p._log_normalizer(*parameters)
    gradients = torch.autograd.grad(normalizer.sum(), parameters, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for theta_p, theta_q, g in zip(parameters, q._natural_params, gradients):
        result = result - _sum_rightmost((theta_q - theta_p) * g, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _kl_gamma_gamma(p, q):
    t1 = q.concentration * (p.rate / q.rate).log()
    t2 = torch.lgamma(q.concentration) - torch.lgamma(p.concentration)
    t3 = (p.concentration - q.concentration) * torch.digamma(p.concentration)
    return t1 + t2 + t3 + (q.rate - p.rate) * (p.concentration / p.rate)


@register_kl(Gumbel, Gumbel)
def _kl_gumbel_gumbel(p, q):
    ratio, loc_q, loc_p = p.scale / q.scale, q.loc / q.scale, p.loc / q.scale
    expected = torch.exp(loc_q + (1 + ratio).lgamma() - loc_p)
    return -ratio.log() - loc_q + loc_p + ratio * _euler_gamma + expected - (1 + _euler_gamma)


@register_kl(Geometric, Geometric)
def _kl_geometric_geometric(p, q):
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _kl_halfnormal_halfnormal(p, q):
    return _kl_normal_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace_laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * torch.exp(-distance / p.scale) - 1


@register_kl(Normal, Normal)
def _kl_normal_normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_onehotcategorical_onehotcategorical(p, q):
    return _kl_categorical_categorical(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _kl_pareto_pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _infinite_unless(p.support.lower_bound >= q.support.lower_bound, result)


@register_kl(Poisson, Poisson)
def _kl_poisson_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed_transformed(p, q):
    """Of the base distributions, if both are transformed alike."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _kl_uniform_uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return _infinite_unless((q.low <= p.low) & (q.high >= p.high), result)


@register_kl(Cauchy, Cauchy)
def _kl_cauchy_cauchy(p, q):
    """Chyzak and Nielsen, arXiv:1905.10965."""
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Independent, Independent)
def _kl_independent_independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# ------------------------------------------------------------------ multivariate normal
# ½ [log det Σ_q − log det Σ_p + tr(Σ_q⁻¹ Σ_p) + (μ_q − μ_p)ᵀ Σ_q⁻¹ (μ_q − μ_p) − n]

def _squares(matrix: torch.Tensor) -> torch.Tensor:
    """The sum of the squares of a matrix' elements: tr(X Xᵀ)."""
    return matrix.pow(2).sum((-2, -1))


def _normal_divergence(p: Any, q: Any, log_dets: torch.Tensor, trace: torch.Tensor,
                       distance: torch.Tensor) -> torch.Tensor:
    return 0.5 * (log_dets + trace + distance - p.event_shape[0])


def _same_event(p: Distribution, q: Distribution, kind: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two {kind}Multivariate Normals with different event shapes cannot be "
                         f"computed")


def _solved(q: MultivariateNormal, matrix: torch.Tensor) -> torch.Tensor:
    """L_q⁻¹ by a matrix."""
    return torch.linalg.solve_triangular(q._unbroadcasted_scale_tril, matrix, upper=False)


def _lowrank_trace(q: LowRankMultivariateNormal, root: torch.Tensor) -> torch.Tensor:
    """tr(Σ_q⁻¹ R Rᵀ) with Σ_q⁻¹ = D⁻¹ − Aᵀ A, A = C⁻¹ Wᵀ D⁻¹ and C the capacitance's Cholesky factor."""
    diagonal = q._unbroadcasted_cov_diag
    a = torch.linalg.solve_triangular(q._capacitance_tril, _scaled(q._unbroadcasted_cov_factor, diagonal), upper=False)
    return _squares(root / diagonal.sqrt().unsqueeze(-1)) - _squares(torch.matmul(a, root))


def _lowrank_distance(p: Any, q: LowRankMultivariateNormal) -> torch.Tensor:
    return _batch_lowrank_mahalanobis(q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag, q.loc - p.loc,
                                      q._capacitance_tril)


def _diagonal_root(p: LowRankMultivariateNormal) -> torch.Tensor:
    return torch.diag_embed(p._unbroadcasted_cov_diag.sqrt())


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _kl_lowrankmultivariatenormal_lowrankmultivariatenormal(p, q):
    _same_event(p, q, "Low Rank ")
    trace = _lowrank_trace(q, p._unbroadcasted_cov_factor) + _lowrank_trace(q, _diagonal_root(p))
    return _normal_divergence(p, q, q._log_det() - p._log_det(), trace, _lowrank_distance(p, q))


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _kl_multivariatenormal_lowrankmultivariatenormal(p, q):
    _same_event(p, q, "(Low Rank) ")
    trace = _lowrank_trace(q, p._unbroadcasted_scale_tril)
    return _normal_divergence(p, q, q._log_det() - 2 * p._half_log_det(), trace, _lowrank_distance(p, q))


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _kl_lowrankmultivariatenormal_multivariatenormal(p, q):
    _same_event(p, q, "(Low Rank) ")
    trace = _squares(_solved(q, p._unbroadcasted_cov_factor)) + _squares(_solved(q, _diagonal_root(p)))
    distance = _batch_mahalanobis(q._unbroadcasted_scale_tril, q.loc - p.loc)
    return _normal_divergence(p, q, 2 * q._half_log_det() - p._log_det(), trace, distance)


@register_kl(MultivariateNormal, MultivariateNormal)
def _kl_multivariatenormal_multivariatenormal(p, q):
    _same_event(p, q, "")
    trace = _squares(_solved(q, p._unbroadcasted_scale_tril))
    distance = _batch_mahalanobis(q._unbroadcasted_scale_tril, q.loc - p.loc)
    return _normal_divergence(p, q, 2 * (q._half_log_det() - p._half_log_det()), trace, distance)


# ------------------------------------------------------------------ infinite: p has mass where q has none

def _infinite(attribute: str, type_p: type, *types_q: type) -> None:
    """Enters ∞, in the shape of p's parameter `attribute`."""
    for type_q in types_q:
        register_kl(type_p, type_q)(lambda p, q: _infinite_like(getattr(p, attribute)))


_infinite("concentration1", Beta, Pareto)
_infinite("probs", ContinuousBernoulli, Pareto)
_infinite("rate", Exponential, Beta, ContinuousBernoulli, Pareto, Uniform)
_infinite("concentration", Gamma, Beta, ContinuousBernoulli, Pareto, Uniform)
_infinite("loc", Gumbel, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite("loc", Laplace, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite("loc", Normal, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite("scale", Pareto, Beta, ContinuousBernoulli, Uniform)
_infinite("rate", Poisson, Bernoulli, Binomial)


# ------------------------------------------------------------------ to the exponential: −H(p) − log λ + λ E[x]

def _kl_to_exponential(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.mean


for _type in (Beta, ContinuousBernoulli, Gamma):
    register_kl(_type, Exponential)(_kl_to_exponential)


@register_kl(Pareto, Exponential)
def _kl_pareto_exponential(p, q):
    product = p.scale * q.rate
    result = (p.alpha / product).log() - p.alpha.reciprocal() + p.alpha * product / (p.alpha - 1) - 1
    return _infinite_unless(p.alpha > 1, result)


@register_kl(Uniform, Exponential)
def _kl_uniform_exponetial(p, q):
    result = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return _infinite_unless(p.low >= q.support.lower_bound, result)


# ------------------------------------------------------------------ to the gamma: … + (1 − a) E[log x] + λ E[x]

def _to_gamma(negative_entropy: Any, mean_log: Any, mean: Any, q: Gamma) -> torch.Tensor:
    normalizer = q.concentration.lgamma() - q.concentration * q.rate.log()
    return negative_entropy + normalizer + (1 - q.concentration) * mean_log + q.rate * mean


@register_kl(Beta, Gamma)
def _kl_beta_gamma(p, q):
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return _to_gamma(-p.entropy(), mean_log, p.mean, q)


@register_kl(Exponential, Gamma)
def _kl_exponential_gamma(p, q):
    ratio = q.rate / p.rate
    return (-q.concentration * torch.log(ratio) + ratio + q.concentration.lgamma() + q.concentration * _euler_gamma
            - (1 + _euler_gamma))


@register_kl(Pareto, Gamma)
def _kl_pareto_gamma(p, q):
    mean_log = p.scale.log() + p.alpha.reciprocal()
    result = _to_gamma(p.alpha.log() - mean_log - 1, mean_log, p.alpha * p.scale / (p.alpha - 1), q)
    return _infinite_unless(p.alpha > 1, result)


def _uniform_mean_log(p: Uniform) -> torch.Tensor:
    """E[log x]."""
    return (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1


@register_kl(Uniform, Gamma)
def _kl_uniform_gamma(p, q):
    result = _to_gamma(-(p.high - p.low).log(), _uniform_mean_log(p), (p.high + p.low) / 2, q)
    return _infinite_unless(p.low >= q.support.lower_bound, result)


# ------------------------------------------------------------------ to the normal: … + log(s √2π) + E[(x − m)²] / 2s²

def _kl_to_normal(p, q):
    return -p.entropy() + (q.scale * math.sqrt(2 * math.pi)).log() + _log_density_gap(p.mean, p.variance, q)


for _type in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform):
    register_kl(_type, Normal)(_kl_to_normal)


@register_kl(Pareto, Normal)
def _kl_pareto_normal(p, q):
    return _infinite_unless(p.alpha > 2, _kl_to_normal(p, q))


# ------------------------------------------------------------------ to the Gumbel: … + (E[x] − m)/s + E[exp(−(x −
# m)/s)]

def _to_gumbel(p: Distribution, mean_exp: Any, q: Gumbel) -> torch.Tensor:
    return -p.entropy() + q.scale.log() + (p.mean - q.loc) / q.scale + torch.exp(q.loc / q.scale) * mean_exp


@register_kl(Exponential, Gumbel)
def _kl_exponential_gumbel(p, q):
    product = p.rate * q.scale
    return _to_gumbel(p, product / (product + 1), q)


@register_kl(Gamma, Gumbel)
def _kl_gamma_gumbel(p, q):
    return _to_gumbel(p, (1 + (p.rate * q.scale).reciprocal()).pow(-p.concentration), q)


@register_kl(Normal, Gumbel)
def _kl_normal_gumbel(p, q):
    return (-p.entropy() + q.scale.log() + (p.loc - q.loc) / q.scale
            + torch.exp((q.loc - p.loc) / q.scale + 0.5 * (p.scale / q.scale).pow(2)))


@register_kl(Uniform, Gumbel)
def _kl_uniform_gumbel(p, q):
    width = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return width.log() + 0.5 * (high + low) - width * (torch.exp(-high) - torch.exp(-low))


# ------------------------------------------------------------------ others

@register_kl(Bernoulli, Poisson)
def _kl_bernoulli_poisson(p, q):
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _kl_beta_continuous_bernoulli(p, q):
    return -p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm()


@register_kl(Beta, Uniform)
def _kl_beta_uniform(p, q):
    result = -p.entropy() + (q.high - q.low).log()
    return _infinite_unless((q.low <= p.support.lower_bound) & (q.high >= p.support.upper_bound), result)


@register_kl(ContinuousBernoulli, Uniform)
def _kl_continuous_bernoulli_uniform(p, q):
    """As PyTorch, infinite also where q's support is p's own."""
    result = -p.entropy() + (q.high - q.low).log()
    return _infinite_unless((q.low < p.support.lower_bound) & (q.high > p.support.upper_bound), result)


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p, q):
    distance = p.loc - q.loc
    scaled = distance / p.scale
    expected = (math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * scaled.pow(2))
                + distance * torch.erf(math.sqrt(0.5) * scaled))
    return -torch.log(p.scale / q.scale) + expected / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Uniform, Beta)
def _kl_uniform_beta(p, q):
    width = p.high - p.low
    mean_log_other = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high)) / width - 1  # E[log(1 − x)]
    log_beta = (q.concentration1.lgamma() + q.concentration0.lgamma()
                - (q.concentration1 + q.concentration0).lgamma())
    result = (log_beta - width.log() - (q.concentration1 - 1) * _uniform_mean_log(p)
              - (q.concentration0 - 1) * mean_log_other)
    return _infinite_unless((p.high <= q.support.upper_bound) & (p.low >= q.support.lower_bound), result)


@register_kl(Uniform, ContinuousBernoulli)
def _kl_uniform_continuous_bernoulli(p, q):
    """As PyTorch, infinite also where p's support is q's own."""
    result = -p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm()
    return _infinite_unless((p.high < q.support.upper_bound) & (p.low > q.support.lower_bound), result)


@register_kl(Uniform, Pareto)
def _kl_uniform_pareto(p, q):
    normalizer = (q.alpha * q.scale.pow(q.alpha) * (p.high - p.low)).log()
    result = _uniform_mean_log(p) * (q.alpha + 1) - normalizer
    return _infinite_unless(p.low >= q.support.lower_bound, result)
