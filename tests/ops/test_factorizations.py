"""Factorisations against what they are defined by."""
import numpy as np
import pytest

import flambeau as torch


def symmetric(n, is_complex=False, hermitian=False, seed=0):
    r = np.random.default_rng(seed)
    a = r.standard_normal((2, n, n)) + (1j * r.standard_normal((2, n, n)) if is_complex else 0)
    a[:, range(n), range(n)] *= 0.01  # so that pivots are blocks of 2 as well
    return a + (a.conj() if hermitian else a).swapaxes(-1, -2)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("is_complex, hermitian", [(False, False), (True, False), (True, True)])
def test_ldl_solves(n, is_complex, hermitian):
    a = symmetric(n, is_complex, hermitian)
    b = np.random.default_rng(1).standard_normal((n, 3)).astype(a.dtype)
    factors, pivots, info = torch.linalg.ldl_factor_ex(torch.from_numpy(a), hermitian=hermitian)
    assert pivots.dtype is torch.int32 and not info.any()
    if n == 9:
        assert (pivots < 0).any() and (pivots > 0).any()
    x = torch.linalg.ldl_solve(factors, pivots, torch.from_numpy(b), hermitian=hermitian)
    np.testing.assert_allclose(a @ x.numpy(), np.broadcast_to(b, x.shape), atol=1e-9)


def test_ldl_errors():
    with pytest.raises(torch.linalg.LinAlgError, match="D\\[1,1\\] is zero"):
        torch.linalg.ldl_factor(torch.zeros(2, 2))
    assert torch.linalg.ldl_factor_ex(torch.zeros(2, 2)).info.item() == 1
    factors, pivots = torch.linalg.ldl_factor(torch.eye(3))
    with pytest.raises(RuntimeError, match="Incompatible matrix sizes"):
        torch.linalg.ldl_solve(factors, pivots, torch.ones(2, 2))
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.linalg.ldl_factor(torch.eye(3).requires_grad_()).LD.sum().backward()


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_packed_qr(shape, dtype):
    r = np.random.default_rng(2)
    a = (r.standard_normal((2, *shape)) + 1j * r.standard_normal((2, *shape))).astype(dtype) if dtype == np.complex128 \
        else r.standard_normal((2, *shape))
    packed, tau = torch.geqrf(torch.from_numpy(a))
    upper = torch.triu(packed)
    np.testing.assert_allclose(torch.ormqr(packed, tau, upper).numpy(), a, atol=1e-12)
    np.testing.assert_allclose(torch.ormqr(packed, tau, torch.from_numpy(a), transpose=True).numpy(), upper.numpy(),
                               atol=1e-12)
    m = shape[0]
    identity = torch.eye(m, dtype=packed.dtype).expand(2, m, m)
    q = torch.ormqr(packed, tau, identity, left=False)
    np.testing.assert_allclose((q @ q.mH).numpy(), identity.numpy(), atol=1e-12)
    np.testing.assert_allclose(torch.ormqr(packed, tau, identity, left=False, transpose=True).numpy(), q.mH.numpy(),
                               atol=1e-12)
    if shape[0] >= shape[1]:
        np.testing.assert_allclose(torch.orgqr(packed, tau).numpy(), q.numpy()[..., :shape[1]], atol=1e-12)


def test_gradient_of_ormqr(check_gradient):
    a, tau, c = (np.random.default_rng(3).standard_normal(s) for s in ((4, 3), (3,), (4, 2)))
    check_gradient(lambda a, tau, c: torch.ormqr(a, tau, c, True, True), a, tau, c)
    check_gradient(lambda a, tau, c: torch.ormqr(a, tau, c.mT, False, False), a, tau, c)


def test_lu_parts():
    a = torch.from_numpy(np.random.default_rng(4).standard_normal((2, 4, 3)))
    factors, pivots = a.lu()
    for parts in (torch.lu_unpack(factors, pivots), torch.linalg.lu(a)):
        p, lower, upper = parts
        np.testing.assert_allclose((p @ lower @ upper).numpy(), a.numpy(), atol=1e-12)
    assert torch.lu_unpack(factors, pivots, unpack_data=False).L.shape == (0,)
    assert torch.lu_unpack(factors, pivots, unpack_pivots=False).P.shape == (0,)
    with pytest.warns(UserWarning, match="deprecated"):
        assert len(torch.lu(a, get_infos=True)) == 3


def low_rank(m, n, rank, seed=5):
    r = np.random.default_rng(seed)
    return r.standard_normal((m, rank)) @ r.standard_normal((rank, n))


@pytest.mark.parametrize("shape", [(12, 7), (7, 12)])
def test_random_projections_find_low_ranks(shape):
    a = low_rank(*shape, 3)
    u, s, v = torch.svd_lowrank(torch.from_numpy(a), 4)
    np.testing.assert_allclose((u @ torch.diag(s) @ v.mT).numpy(), a, atol=1e-9)
    shift = torch.from_numpy(a - low_rank(*shape, 2, 6))
    u, s, v = torch.svd_lowrank(torch.from_numpy(a), 2, M=shift)
    np.testing.assert_allclose((u @ torch.diag(s) @ v.mT).numpy(), low_rank(*shape, 2, 6), atol=1e-9)
    u, s, v = torch.pca_lowrank(torch.from_numpy(a), 4)
    np.testing.assert_allclose((u @ torch.diag(s) @ v.mT).numpy(), a - a.mean(0), atol=1e-9)


def test_errors_of_random_projections():
    with pytest.raises(ValueError, match="not greater than min"):
        torch.pca_lowrank(torch.ones(3, 2), 3)
    with pytest.raises(ValueError, match="niter"):
        torch.pca_lowrank(torch.ones(3, 2), niter=-1)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("generalised", [False, True])
def test_extreme_eigenpairs(largest, generalised):
    n, k = 30, 3
    r = np.random.default_rng(7)
    q = np.linalg.qr(r.standard_normal((n, n)))[0]
    a = (q * np.linspace(1, 20, n)) @ q.T
    b = r.standard_normal((n, n))
    b = b @ b.T / n + np.eye(n) if generalised else np.eye(n)
    steps = []
    values, vectors = torch.lobpcg(torch.from_numpy(a), k, torch.from_numpy(b) if generalised else None,
                                   largest=largest,
                                   tracker=lambda state: steps.append(state.ivars["istep"]))
    inverse_root = np.linalg.inv(np.linalg.cholesky(b))
    want = np.linalg.eigvalsh(inverse_root @ a @ inverse_root.T)
    np.testing.assert_allclose(values.numpy(), want[::-1][:k] if largest else want[:k], rtol=1e-6)
    np.testing.assert_allclose(a @ vectors.numpy(), b @ vectors.numpy() * values.numpy(), atol=1e-4)
    assert steps == list(range(len(steps))) and len(steps) > 1


def test_gradients_of_eigenpairs():
    q = np.linalg.qr(np.random.default_rng(8).standard_normal((9, 9)))[0]
    a = torch.from_numpy((q * np.arange(1.0, 10)) @ q.T)
    weights = torch.arange(18.0, dtype=torch.float64).reshape(9, 2)

    def gradient(pairs):
        x = a.clone().requires_grad_()
        values, vectors = pairs(x)
        (values[0] + 2 * values[1] + (vectors.square() * weights).sum()).backward()
        return (x.grad + x.grad.mT).numpy()

    def dense(x):
        values, vectors = torch.linalg.eigh(x)
        return values.flip(0)[:2], vectors.flip(1)[:, :2]
    np.testing.assert_allclose(gradient(lambda x: torch.lobpcg(x, 2, tol=1e-12)), gradient(dense), atol=1e-6)


def test_lobpcg_errors():
    with pytest.raises(ValueError, match="not applicable"):
        torch.lobpcg(torch.eye(5), 2)


def test_inner():
    r = np.random.default_rng(9)
    a, b = r.standard_normal((2, 3, 4)), r.standard_normal((5, 4))
    np.testing.assert_allclose(torch.inner(torch.from_numpy(a), torch.from_numpy(b)).numpy(), np.inner(a, b))
    assert torch.tensor(2.0).inner(torch.ones(3)).tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="last dimension must match"):
        torch.inner(torch.ones(2, 3), torch.ones(4))


@pytest.mark.parametrize("shape", [(60, 60), (70, 45), (45, 70)])
@pytest.mark.parametrize("is_complex", [False, True])
def test_lu_by_halves(shape, is_complex):
    r = np.random.default_rng(10)
    a = r.standard_normal((2, *shape)) + (1j * r.standard_normal((2, *shape)) if is_complex else 0)
    p, lower, upper = torch.linalg.lu(torch.from_numpy(a))
    np.testing.assert_allclose((p @ lower @ upper).numpy(), a, atol=1e-11)
    # a pivot is the largest of its column, complex numbers being compared by |re| + |im|
    assert float(lower.abs().max()) <= (2 ** 0.5 if is_complex else 1) + 1e-12
    assert not p.requires_grad and not torch.linalg.lu(torch.from_numpy(a).requires_grad_()).P.requires_grad


def test_lu_without_pivots():
    a = np.random.default_rng(11).standard_normal((40, 40)) + 20 * np.eye(40)
    p, lower, upper = torch.linalg.lu(torch.from_numpy(a), pivot=False)
    assert p.shape == (0,)
    np.testing.assert_allclose((lower @ upper).numpy(), a, atol=1e-11)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_triangular_systems_by_halves(upper, unit, left):
    r = np.random.default_rng(12)
    a = r.standard_normal((2, 130, 130)) / 130 + 2 * np.eye(130)
    b = r.standard_normal((130, 3) if left else (3, 130))
    x = torch.linalg.solve_triangular(torch.from_numpy(a), torch.from_numpy(b), upper=upper, left=left,
                                      unitriangular=unit)
    t = np.triu(a) if upper else np.tril(a)
    if unit:
        t[:, range(130), range(130)] = 1
    np.testing.assert_allclose(t @ x.numpy() if left else x.numpy() @ t, np.broadcast_to(b, x.shape), atol=1e-11)


def test_singular_triangles_divide_by_zero():
    a = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    x = torch.linalg.solve_triangular(a, torch.ones(2, 1, dtype=torch.float64), upper=True)
    assert torch.isinf(x).all()


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)])
@pytest.mark.parametrize("deficient", [False, True])
def test_least_squares(shape, deficient):
    """By QR, and for matrices that lack rank by the pseudoinverse."""
    r = np.random.default_rng(13)
    a = r.standard_normal(shape)
    if deficient:
        a[:, -1] = a[:, 0]
        a[-1] = a[0]
    b = r.standard_normal((shape[0], 2))
    solution = torch.linalg.lstsq(torch.from_numpy(a), torch.from_numpy(b))
    want, _, rank, _ = np.linalg.lstsq(a, b, rcond=None)
    np.testing.assert_allclose(solution.solution.numpy(), want, atol=1e-10)
    assert solution.rank.item() == rank


def test_gradients_of_triangular_systems(check_gradient):
    r = np.random.default_rng(14)
    a, b = r.standard_normal((3, 3)) + 3 * np.eye(3), r.standard_normal((3, 2))
    for upper in (False, True):
        for unit in (False, True):
            check_gradient(lambda a, b: torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit), a, b)
    check_gradient(lambda a: torch.cat([x.flatten() for x in torch.linalg.lu(a)[1:]]), r.standard_normal((5, 3)))
    check_gradient(lambda a: torch.cat([x.flatten() for x in torch.linalg.lu(a)[1:]]), r.standard_normal((3, 5)))
    check_gradient(lambda a, b: torch.linalg.lstsq(a, b).solution, r.standard_normal((5, 3)), r.standard_normal((5, 2)))
    check_gradient(lambda a, b: torch.linalg.lstsq(a, b).solution, r.standard_normal((3, 5)), b)
