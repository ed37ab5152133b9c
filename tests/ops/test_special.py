"""Special functions: known values, identities, and gradients by finite differences."""
import math

import numpy as np
import pytest

import flambeau as torch
from flambeau.primitives.kernels import bessel, erf, gamma

from .common import check_gradient

S = torch.special


@pytest.fixture(autouse=True)
def quiet():
    """Kernels run under the interpreter's errstate."""
    with np.errstate(all="ignore"):
        yield


X = np.random.default_rng(2).uniform(-3, 3, 50)
POSITIVE = np.random.default_rng(3).uniform(0.05, 40, 200)
# Abramowitz & Stegun, tables 9.1, 9.8, 10.11, 6.1, 6.4, 23.3
KNOWN = [
    (S.bessel_j0, 10.0, -0.2459357644513483), (S.bessel_j1, 10.0, 0.0434727461688614), (S.bessel_y0, 10.0, 0.0556711672835994),
    (S.bessel_y1, 10.0, 0.2490154242069539), (S.bessel_j0, 40.0, 0.0073668905842374), (S.i0, 2.0, 2.2795853023360673),
    (S.i1, 2.0, 1.5906368546373291), (S.modified_bessel_k0, 2.0, 0.1138938727495334), (S.modified_bessel_k1, 2.0, 0.1398658818165224),
    (S.modified_bessel_k0, 0.1, 2.4270690247020166), (S.airy_ai, 0.0, 0.3550280538878172), (S.airy_ai, 1.0, 0.1352924163128814),
    (S.airy_ai, -5.0, 0.3507610090241142), (S.airy_ai, -20.0, -0.1764061270779787), (S.digamma, 1.0, -0.5772156649015329),
    (S.digamma, -0.5, 0.0364899739785765), (S.gammaln, 0.5, 0.5723649429247001), (S.gammaln, -2.5, -0.0562437164976741),
    (S.ndtri, 0.975, 1.9599639845400545), (S.erfcx, 50.0, 0.0112815362653238), (S.log_ndtr, -40.0, -804.6084420137538),
    (S.spherical_bessel_j0, 2.0, 0.4546487134128409),
]


@pytest.mark.parametrize("function, x, value", KNOWN)
def test_known_values(function, x, value):
    assert function(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(value, rel=1e-13, abs=1e-15)


def test_error_functions_are_the_standard_librarys():
    x = np.concatenate([X, [0.0, 5.0, -5.0, 26.0, 0.46875, 4.0]])
    np.testing.assert_allclose(erf.erf(x), [math.erf(v) for v in x], rtol=1e-15)
    np.testing.assert_allclose(erf.erfc(x), [math.erfc(v) for v in x], rtol=1e-14)
    np.testing.assert_allclose(erf.erf(erf.erfinv(np.linspace(-0.999, 0.999, 41))), np.linspace(-0.999, 0.999, 41), rtol=1e-14,
                               atol=1e-16)


def test_lgamma_is_the_standard_librarys():
    x = np.concatenate([X, POSITIVE, [1e-8, 1e6, 1.0, 2.0, 170.5]])
    np.testing.assert_allclose(gamma.lgamma(x), [math.lgamma(v) for v in x], rtol=1e-13, atol=1e-14)


def test_recurrences_and_wronskians():
    x = POSITIVE
    np.testing.assert_allclose(gamma.digamma(x + 1), gamma.digamma(x) + 1 / x, rtol=1e-13)
    np.testing.assert_allclose(gamma.zeta(np.full_like(x, 2.5), x) - gamma.zeta(np.full_like(x, 2.5), x + 1), x ** -2.5, rtol=1e-12)
    np.testing.assert_allclose(bessel.bessel_j1(x) * bessel.bessel_y0(x) - bessel.bessel_j0(x) * bessel.bessel_y1(x),
                               2 / (math.pi * x), rtol=1e-12)
    np.testing.assert_allclose(bessel.i0e(x) * bessel.k1e(x) + bessel.i1e(x) * bessel.k0e(x), 1 / x, rtol=1e-13)


def test_incomplete_gammas_add_to_one_and_know_their_limits():
    a = np.array([0.5, 1.0, 3.0, 50.0, 1e4])
    x = np.array([0.3, 2.0, 3.0, 49.0, 1.01e4])
    np.testing.assert_allclose(gamma.gammainc(a, x) + gamma.gammaincc(a, x), 1, rtol=1e-14)
    np.testing.assert_allclose(gamma.gammainc(np.full(3, 1.0), x[:3]), 1 - np.exp(-x[:3]), rtol=1e-14)  # P(1, x)
    np.testing.assert_allclose(gamma.gammainc(np.full(3, 0.5), x[:3]), erf.erf(np.sqrt(x[:3])), rtol=1e-14)
    t = torch.tensor
    assert torch.igamma(t([1.0, 2.0, -1.0]), t([0.0, math.inf, 1.0])).tolist()[:2] == [0, 1]
    assert torch.igamma(t([-1.0]), t([1.0])).isnan().all()


def test_orthogonal_polynomials():
    x = torch.tensor(np.linspace(-0.9, 0.9, 7))
    degrees = torch.arange(6)[:, None]
    angle = np.arccos(x.numpy())
    np.testing.assert_allclose(S.chebyshev_polynomial_t(x, degrees).numpy(), np.cos(np.arange(6)[:, None] * angle), atol=1e-14)
    np.testing.assert_allclose(S.chebyshev_polynomial_u(x, degrees).numpy(), np.sin((np.arange(6)[:, None] + 1) * angle) / np.sin(angle),
                               rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(S.legendre_polynomial_p(x, 3).numpy(), (5 * x.numpy() ** 3 - 3 * x.numpy()) / 2, atol=1e-14)
    np.testing.assert_allclose(S.hermite_polynomial_he(x, 3).numpy(), x.numpy() ** 3 - 3 * x.numpy(), atol=1e-14)
    np.testing.assert_allclose(S.laguerre_polynomial_l(x, 2).numpy(), x.numpy() ** 2 / 2 - 2 * x.numpy() + 1, atol=1e-14)
    assert S.chebyshev_polynomial_t(x, -1).tolist() == [0] * 7
    assert not S.chebyshev_polynomial_t(x.requires_grad_(), 2).requires_grad


@pytest.mark.parametrize("function, x", [
    (torch.erf, X[:4]), (torch.erfc, X[:4]), (torch.erfinv, X[:4] / 4), (S.erfcx, X[:4]), (S.ndtr, X[:4]), (S.log_ndtr, X[:4]),
    (S.ndtri, np.array([0.1, 0.5, 0.9])), (torch.lgamma, X[:4]), (torch.digamma, X[:4]), (lambda x: torch.polygamma(2, x), POSITIVE[:3]),
    (torch.i0, X[:4]), (S.i0e, X[:4]), (S.i1, X[:4]), (S.i1e, X[:4]), (torch.sinc, X[:4]), (S.entr, POSITIVE[:4]),
    (torch.logit, np.array([0.2, 0.5, 0.7])), (lambda x: torch.mvlgamma(x + 3, 3), POSITIVE[:3]),
])
def test_gradients(function, x):
    check_gradient(function, x, tolerance=1e-5)


def test_gradients_of_two():
    check_gradient(torch.xlogy, np.array([0.5, 2.0]), np.array([1.5, 0.3]))
    check_gradient(S.xlog1py, np.array([0.5, 2.0]), np.array([1.5, 0.3]))
    check_gradient(lambda q: S.zeta(3, q), np.array([0.5, 2.0]))
    check_gradient(lambda x: torch.igamma(torch.tensor([0.7, 2.0], dtype=torch.float64), x), np.array([0.5, 3.0]))


def test_derivatives_that_do_not_exist_raise_when_they_are_needed():
    a, x = torch.tensor([2.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    y = torch.igamma(a, x)
    with pytest.raises(NotImplementedError, match="igamma: input"):
        y.backward()
    torch.igamma(a.detach(), x).backward()
    assert x.grad.item() == pytest.approx(math.exp(-1), rel=1e-6)


def test_values_at_the_borders():
    t = torch.tensor
    assert torch.xlogy(t([0.0, 0.0]), t([0.0, float("nan")]))[0].item() == 0
    assert S.entr(t([0.0, -1.0])).tolist() == [0, -math.inf]
    assert torch.sinc(t([0.0])).item() == 1
    assert torch.logit(t([0.0, 1.0])).tolist() == [-math.inf, math.inf]
    assert torch.logit(t([0.0, 1.0]), eps=0.25).tolist() == pytest.approx([-math.log(3), math.log(3)])
    assert torch.digamma(t([0.0])).item() == -math.inf
    assert torch.lgamma(t([-2.0])).item() == math.inf


def test_frexp():
    mantissa, exponent = torch.frexp(torch.tensor([8.0, -0.75, 0.0]))
    assert mantissa.tolist() == [0.5, -0.75, 0] and exponent.tolist() == [4, 0, 0] and exponent.dtype is torch.int32
    x = torch.tensor([3.0], requires_grad=True)
    torch.frexp(x).mantissa.sum().backward()
    assert x.grad.item() == 0.25
