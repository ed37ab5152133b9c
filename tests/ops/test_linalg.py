"""Linear algebra against NumPy, by what defines each factorisation, and by central differences."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import linalg

R = np.random.default_rng(3)
A = R.standard_normal((2, 3, 3))
TALL = R.standard_normal((5, 3))
WIDE = TALL.T.copy()
B = R.standard_normal((2, 3, 2))
SPD = A @ A.swapaxes(-1, -2) + np.eye(3)


def close(ours, expected):
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9, atol=1e-10)


def test_like_numpy():
    a = torch.tensor(A)
    close(linalg.det(a), np.linalg.det(A))
    close(linalg.inv(a), np.linalg.inv(A))
    close(linalg.solve(a, torch.tensor(B)), np.linalg.solve(A, B))
    close(linalg.pinv(torch.tensor(TALL)), np.linalg.pinv(TALL))
    close(linalg.matrix_power(a, -3), np.linalg.matrix_power(A, -3))
    close(torch.kron(a[0], torch.tensor(TALL)), np.kron(A[0], TALL))
    for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        close(linalg.matrix_norm(torch.tensor(TALL), order), np.linalg.norm(TALL, order))


@pytest.mark.parametrize("x", [A, TALL, WIDE], ids=["batch", "tall", "wide"])
def test_factors_multiply_to_the_matrix(x):
    t = torch.tensor(x)
    q, r = linalg.qr(t)
    close(q @ r, x)
    u, s, vh = linalg.svd(t, full_matrices=False)
    close(u * s.unsqueeze(-2) @ vh, x)
    p, low, up = linalg.lu(t)
    close(p @ low @ up, x)


def test_symmetric_factors():
    t = torch.tensor(SPD)
    low = linalg.cholesky(t)
    close(low @ low.mT, SPD)
    values, vectors = linalg.eigh(t)
    close(t @ vectors, (vectors * values.unsqueeze(-2)).numpy())


@pytest.mark.parametrize("equation, arrays", [
    ("ij,jk->ik", (A[0], WIDE)), ("bij,bjk", (A, B)), ("ii->i", (A[0],)), ("ii", (A[0],)), ("...ij->...ji", (A,)),
    ("bij,cij->bc", (A, A)), ("i,j->ij", (A[0, 0], A[0, 1])), ("ij,jk,lk->il", (TALL, WIDE, WIDE.T @ WIDE)),
])
def test_einsum(equation, arrays):
    close(torch.einsum(equation, *map(torch.tensor, arrays)), np.einsum(equation, *arrays))


def test_failures_name_the_place():
    with pytest.raises(linalg.LinAlgError, match="Batch element 1.*diagonal element 2 is zero"):
        linalg.inv(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]]))
    with pytest.raises(linalg.LinAlgError, match="leading minor of order 2"):
        linalg.cholesky(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert linalg.inv_ex(torch.zeros(2, 2)).info == 1


GRADIENTS = {
    "det": (linalg.det, A), "slogdet": (lambda x: linalg.slogdet(x)[1], A), "inv": (linalg.inv, A), "solve": (linalg.solve, A, B),
    "qr": (lambda x: tuple(linalg.qr(x)), TALL), "qr wide": (lambda x: tuple(linalg.qr(x)), WIDE),
    "svd": (lambda x: tuple(linalg.svd(x, full_matrices=False)), TALL), "pinv": (linalg.pinv, TALL),
    "cholesky": (lambda x: linalg.cholesky(x @ x.mT), A), "eigh": (lambda x: tuple(linalg.eigh(x + x.mT)), A),
    "lu": (lambda x: linalg.lu(x)[1:], WIDE), "lu tall": (lambda x: linalg.lu(x)[1:], TALL),
    "eigvals": (lambda x: linalg.eigvals(x).abs().sum(), A), "nuclear norm": (lambda x: linalg.matrix_norm(x, "nuc"), TALL),
}


@pytest.mark.parametrize("case", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients(check_gradient, case):
    check_gradient(*case, tolerance=1e-5)


def test_gradient_of_a_singular_determinant():
    x = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    linalg.det(x).backward()
    close(x.grad, [[4.0, -2.0], [-2.0, 1.0]])


def test_second_derivative_of_a_determinant():
    x = torch.tensor(A[0], requires_grad=True)
    g, = torch.autograd.grad(linalg.det(x), x, create_graph=True)
    h, = torch.autograd.grad(g[0, 0], x)
    close(h, [[0, 0, 0], [0, A[0, 2, 2], -A[0, 2, 1]], [0, -A[0, 1, 2], A[0, 1, 1]]])


def test_gradients_of_empty_matrices_in_every_tier():
    """The same program runs in the interpreter first, then natively."""
    for _ in range(6):
        a = torch.zeros(0, 3, dtype=torch.complex128, requires_grad=True)
        total = sum((x * (1 + 0.3j)).real.square().sum() if x.is_complex() else x.square().sum() for x in torch.linalg.svd(a))
        total.backward()
        assert a.grad.shape == (0, 3)


def test_singular_values_as_large_as_the_tolerance_count_as_none():
    a = torch.tensor(TALL)
    assert (linalg.pinv(a, rtol=1.0) == 0).all()
    assert (linalg.pinv(a @ a.mT, rtol=1.0, hermitian=True) == 0).all()
    largest = linalg.svdvals(a)[0].item()
    close(linalg.pinv(a, atol=largest / 1e3, rtol=0.0), linalg.pinv(a))
    close(linalg.pinv(torch.stack([a, 2 * a]), rtol=torch.tensor([1.0, 0.0])), torch.stack([torch.zeros_like(a.mT), linalg.pinv(2 * a)]))
