"""Transforms against PyTorch: values, inverses, Jacobians, shapes and gradients, with and without a cache."""
import numpy as np
import pytest

import flambeau
import flambeau.distributions

torch = pytest.importorskip("torch")

# expression and the shape of its input
TRANSFORMS = [
    ("T.ExpTransform()", (2, 3)), ("T.SigmoidTransform()", (3,)), ("T.SoftplusTransform()", (3,)), ("T.TanhTransform()",
                                                                                                    (3,)),
    ("T.AbsTransform()", (3,)), ("T.AffineTransform(v, 2.0)", (2, 3)), ("T.AffineTransform(1.0, -v)", (2, 3)),
    ("T.AffineTransform(v, v, event_dim=1)", (2, 3)), ("T.SoftmaxTransform()", (2, 3)), ("T.StickBreakingTransform()",
                                                                                         (2, 3)),
    ("T.CorrCholeskyTransform()", (2, 6)), ("T.LowerCholeskyTransform()", (2, 3, 3)),
    ("T.PositiveDefiniteTransform()", (2, 3, 3)), ("T.ReshapeTransform((6,), (2, 3))", (4, 6)),
    ("T.IndependentTransform(T.ExpTransform(), 1)", (2, 3)), ("T.ComposeTransform([T.ExpTransform(), "
                                                              "T.PowerTransform(v)])", (3,)),
    ("T.ComposeTransform([T.AffineTransform(0.0, v), T.StickBreakingTransform()])", (2, 3)),
    ("T.ComposeTransform([])", (3,)), ("T.CatTransform([T.ExpTransform(), T.TanhTransform()], 1, [1, 2])", (2, 3)),
    ("T.CatTransform([T.SoftmaxTransform(), T.IndependentTransform(T.ExpTransform(), 1)], 0)", (2, 3)),
    ("T.StackTransform([T.ExpTransform(), T.SigmoidTransform()], 0)", (2, 3)),
    ("T.CumulativeDistributionTransform(t.distributions.Normal(v, 1.0))", (2, 3)),
    ("T.ExpTransform().inv.inv", (3,)), ("T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1.0, v)]).inv.inv",
                                         (3,)),
    ("t.distributions.biject_to(C.interval(-1.0, v))", (3,)), ("t.distributions.biject_to(C.less_than(v))", (3,)),
    ("t.distributions.transform_to(C.independent(C.positive, 1))", (2, 3)),
    ("t.distributions.biject_to(C.corr_cholesky)", (2, 3)), ("t.distributions.transform_to(C.half_open_interval(0.0, "
                                                             "2.0))", (3,)),
    ("t.distributions.biject_to(C.cat([C.positive, C.unit_interval], 0, [1, 2]))", (3,)),
    ("t.distributions.transform_to(C.stack([C.simplex, C.real_vector], 0))", (2, 3)),
]


def outcome(module, expression, shape, cache):
    d = module.distributions
    v = module.tensor([0.5, 1.0, 2.0], dtype=module.float64, requires_grad=True)
    transform = eval(expression, {"t": module, "T": d.transforms, "C": d.constraints, "v": v})
    if cache:
        transform = transform.with_cache(1)
    x = module.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    y = transform(x)
    back = transform.inv(y)
    if cache and not isinstance(transform, d.transforms.ComposeTransform):
        assert back is x
    parts = {"y": y, "back": back}
    total = y.square().sum() + back.sum()
    if transform.bijective:
        parts["jacobian"] = transform.log_abs_det_jacobian(x, y)
        parts["inverse jacobian"] = transform.inv.log_abs_det_jacobian(y, x)
        total = total + parts["jacobian"].sum()
    total.backward()
    facts = [transform.bijective, tuple(transform.forward_shape(x.shape)), tuple(transform.inverse_shape(y.shape)),
             transform.domain.event_dim, transform.codomain.event_dim, repr(transform),
             bool(transform.codomain.check(y).all()),
             transform == transform, transform.inv == transform, transform.inv.inv == transform]
    arrays = {name: part.detach().numpy() for name, part in parts.items()}
    return facts, {**arrays, "dx": x.grad.numpy(), "dv": None if v.grad is None else v.grad.numpy()}


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("expression, shape", TRANSFORMS)
def test_agrees(expression, shape, cache):
    (facts, expected), (our_facts, ours) = (outcome(m, expression, shape, cache) for m in (torch, flambeau))
    assert our_facts == facts
    assert set(ours) == set(expected)
    for name, want in expected.items():
        if want is None:
            assert ours[name] is None, name
        else:
            np.testing.assert_allclose(ours[name], want, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("pair", [
    ("T.AffineTransform(0.0, 1.0)", "T.AffineTransform(t.tensor(0.0), 1.0)"), ("T.ExpTransform()", "T.ExpTransform()"),
    ("T.ExpTransform()", "T.TanhTransform()"), ("T.PowerTransform(t.tensor(2.0))", "T.PowerTransform(t.tensor(3.0))"),
    ("T.ComposeTransform([T.ExpTransform()])", "T.ComposeTransform([T.ExpTransform()])"),
    ("T.CorrCholeskyTransform()", "T.CorrCholeskyTransform()"), ("T.ExpTransform().inv", "T.ExpTransform().inv"),
])
def test_equality(pair):
    answers = []
    for module in (torch, flambeau):
        names = {"t": module, "T": module.distributions.transforms}
        first, second = (eval(expression, names) for expression in pair)
        answers.append((first == second, first != second))
    assert answers[1] == answers[0]
