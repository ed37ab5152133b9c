"""What all distributions share: shapes, checks, expansion, dispatch of divergences, transforms, constraints."""
import copy
import pickle
import warnings

import pytest

import flambeau as torch
import flambeau.distributions as D
from flambeau.distributions import constraints, transforms


def test_shapes():
    d = D.Normal(torch.zeros(2, 1), torch.ones(3))
    assert (d.batch_shape, d.event_shape) == ((2, 3), ())
    assert d.sample((4,)).shape == (4, 2, 3) and d.log_prob(torch.zeros(3)).shape == (2, 3)
    independent = D.Independent(d, 1)
    assert (independent.batch_shape, independent.event_shape) == ((2,), (3,))
    assert independent.expand((5, 2)).sample((4,)).shape == (4, 5, 2, 3)
    assert D.Categorical(torch.ones(2, 4)).sample((3,)).shape == (3, 2)


def test_parameters_and_samples_are_checked():
    with pytest.raises(ValueError, match="parameter scale .* GreaterThan"):
        D.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="within the support .*Boolean"):
        D.Bernoulli(0.5).log_prob(torch.tensor(0.5))
    with pytest.raises(ValueError, match="not broadcastable"):
        D.Normal(torch.zeros(2), 1.0).log_prob(torch.zeros(3))
    assert torch.isnan(D.Normal(0.0, -1.0, validate_args=False).log_prob(torch.tensor(0.0)))
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)


def test_gradients_reach_parameters():
    loc, scale = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    d = D.Normal(loc, scale)
    assert not d.sample().requires_grad
    (d.rsample() + d.log_prob(torch.tensor(0.0)) + d.entropy()).backward()
    assert loc.grad.item() == pytest.approx(1 - 0.25) and scale.grad is not None


def test_straight_through_gradient():
    probs = torch.tensor([0.2, 0.8], requires_grad=True)
    sample = D.OneHotCategoricalStraightThrough(probs).rsample()
    assert sorted(sample.tolist()) == pytest.approx([0, 1])
    (sample * torch.tensor([1.0, 3.0])).sum().backward()
    assert probs.grad.tolist() == pytest.approx([-1.6, 0.4], rel=1e-5)


def test_properties_are_computed_once():
    d = D.Bernoulli(probs=torch.tensor([0.2, 0.5]))
    assert "logits" not in d.__dict__ and "logits" not in repr(d)
    assert d.logits is d.logits and "logits" in d.__dict__
    assert isinstance(D.Bernoulli.logits, property)


class Coin(D.Bernoulli):
    pass


class Named(D.Normal):
    def __init__(self, name):
        self.name = name
        super().__init__(0.0, 1.0)


def test_divergences_by_type():
    assert D.kl_divergence(Coin(0.5), Coin(0.5)) == 0  # the formula of the bases

    @D.register_kl(Coin, D.Bernoulli)
    def first(p, q):
        return "first"

    @D.register_kl(D.Bernoulli, Coin)
    def second(p, q):
        return "second"
    try:
        assert D.kl_divergence(Coin(0.5), D.Bernoulli(0.5)) == "first"
        with pytest.warns(RuntimeWarning, match="Ambiguous kl_divergence"):
            assert D.kl_divergence(Coin(0.5), Coin(0.5)) == "first"
    finally:
        from flambeau.distributions import kl
        del kl._KL_REGISTRY[Coin, D.Bernoulli], kl._KL_REGISTRY[D.Bernoulli, Coin]
        kl._KL_MEMOIZE.clear()
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(D.Cauchy(0.0, 1.0), D.Normal(0.0, 1.0))


def test_subclasses_with_a_constructor_define_expand():
    with pytest.raises(NotImplementedError, match="custom .expand"):
        Named("x").expand((2,))


def test_own_distribution():
    class Dot(D.Distribution):
        arg_constraints = {}

        def expand(self, batch_shape, _instance=None):
            return self._get_checked_instance(Dot, _instance)
    with pytest.warns(UserWarning, match="does not define `support`"):
        Dot()._validate_sample(torch.tensor(1.0))
    with pytest.raises(NotImplementedError):
        Dot().mean
    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        D.Distribution(validate_args=True)


def test_copies():
    d = D.LogNormal(torch.tensor([0.0, 1.0]), 1.0)
    for twin in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert torch.equal(twin.log_prob(torch.tensor([1.0, 2.0])), d.log_prob(torch.tensor([1.0, 2.0])))


def test_caches():
    t = transforms.TanhTransform(cache_size=1)
    x = torch.tensor([30.0])  # tanh is 1 there
    assert t.inv(t(x)) is x
    assert torch.isinf(transforms.TanhTransform().inv(transforms.TanhTransform()(x)))
    d = D.TransformedDistribution(D.Normal(torch.zeros(1), 50.0), [t])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.isfinite(d.log_prob(d.rsample())).all()


def test_registries():
    for constraint in (constraints.positive, constraints.unit_interval, constraints.simplex, constraints.interval(2.0,
                                                                                                                  5.0),
                       constraints.less_than(-1.0), constraints.corr_cholesky):
        x = torch.linspace(-2, 2, 6)
        y = D.biject_to(constraint)(x)
        assert constraint.check(y).all()
        assert torch.allclose(D.biject_to(constraint).inv(y), x, atol=1e-4)
        assert constraint.check(D.transform_to(constraint)(x)).all()
    for constraint in (constraints.lower_cholesky, constraints.positive_definite):
        assert constraint.check(D.transform_to(constraint)(torch.arange(9.0).reshape(3, 3) / 9)).all()
    with pytest.raises(NotImplementedError, match="Cannot transform"):
        D.biject_to(constraints.boolean)


def test_registered_constraint():
    class Even(constraints.Constraint):
        def check(self, value):
            return value % 2 == 0

    @D.transform_to.register(Even)
    def to_even(constraint):
        return transforms.AffineTransform(0.0, 2.0)
    assert D.transform_to(Even())(torch.tensor(3.0)) == 6


def test_submodules_are_where_pytorch_has_them():
    from flambeau.distributions.kl import kl_divergence
    from flambeau.distributions.normal import Normal
    from flambeau.distributions.utils import broadcast_all
    assert Normal is D.Normal and kl_divergence is D.kl_divergence
    assert [x.dtype for x in broadcast_all(1, torch.zeros(2, dtype=torch.float64))] == [torch.float64] * 2
