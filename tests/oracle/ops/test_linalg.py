"""Linear algebra against PyTorch: every expression for real and complex matrices. Vectors that are defined up to sign
are compared where both take LAPACK's."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

EXPRESSIONS = [
    "t.det(a)", "t.det(input=a)", "t.slogdet(input=a)", "L.norm(input=a)", "L.matrix_norm(input=a, ord=1)",
    "L.slogdet(z)", "L.inv(z)", "L.solve(a, b)", "L.solve(a, v)", "L.solve(a, b.mT, left=False)",
    "L.cholesky(s)",
    "L.cholesky(s, upper=True)", "L.qr(tall)", "L.qr(wide)", "L.svdvals(tall)", "L.eigvalsh(s)", "L.lu_factor(z)",
    "L.lu(tall)",
    "L.lu(wide)", "L.pinv(tall)", "L.pinv(wide)", "L.matrix_rank(tall)", "L.matrix_norm(z, 'nuc')",
    "L.matrix_norm(z, -1)",
    "L.norm(a)", "L.norm(v, 3)", "L.cond(a)", "L.matrix_power(a, 3)", "L.matrix_power(a, -2)", "L.matrix_power(a, 0)",
    "L.multi_dot([v, a, b])", "L.vecdot(a, v)", "L.solve_triangular(a, b, upper=True)",
    "L.lu_solve(*L.lu_factor(a), b, adjoint=True)",
    "L.householder_product(tall, v)", "t.einsum('bij,bjk', z, z)", "t.einsum('...ij,jk->...k', z, z[0])",
    "t.tensordot(a, b, 1)",
    "t.cross(a, a.mT, dim=0)", "t.kron(v, a)", "t.svd(tall)[1]", "t.cholesky_solve(b, a.tril())",
    "t.triangular_solve(b, a)[0]",
    "L.inv(a[:2])", "L.inv(t.zeros(2, 2))", "L.cholesky(-s)", "L.det(t.ones(2, 2, dtype=t.int64))",
    "L.det(t.ones(2, 2, dtype=t.half))",
    "L.svdvals(t.zeros(0, 3))", "L.det(t.zeros(0, 0))", "t.einsum('ij,jk', a)", "L.matrix_norm(a, 3)", "L.qr(a, 'x')",
    "L.matrix_exp(z)", "L.matrix_exp(a * 5)", "L.lu_factor_ex(t.zeros(2, 2)).info", "L.lu_factor_ex(a)",
    "t.cholesky_inverse(L.cholesky(s))", "t.cholesky_solve(b, L.cholesky(s, upper=True), upper=True)",
    "L.pinv(s, hermitian=True)", "L.vander(v[0], N=3)", "L.vander(v)",
    "L.lstsq(tall, tall[:, :2])", "L.lstsq(tall, tall[:, :2], driver='gels')", "L.lstsq(tall, tall[:, 0], "
                                                                               "driver='gelsd')",
    "L.lstsq(a, b[:2])", "L.lstsq(a[0], b)", "L.lstsq(a, b, driver='x')", "L.lstsq(a, b[None, None])",
    "L.ldl_factor(s.detach())", "L.ldl_factor_ex(s.detach(), hermitian=True)", "t.geqrf(tall.detach())",
    "L.ldl_solve(*L.ldl_factor(s.detach(), hermitian=True), b.detach(), hermitian=True)",
    "t.lu_unpack(*L.lu_factor(z))",
    "t.ormqr(tall, v, tall.mH, left=False)", "t.ormqr(tall, v, tall, transpose=True)", "t.orgqr(tall, v)",
    "t.inner(z, z)",
    "t.inner(a, b)", "t.ormqr(tall, v, a)", "t.lu_unpack(a, v)", "L.ldl_solve(a, v, b)",
]


def environment(module, is_complex):
    r = np.random.default_rng(1)

    def draw(*shape):
        return r.standard_normal(shape) + (1j * r.standard_normal(shape) if is_complex else 0)
    s = draw(2, 3, 3)
    arrays = {"a": draw(3, 3), "b": draw(3, 2), "z": draw(2, 4, 4), "tall": draw(5, 3), "wide": draw(3, 5),
              "v": draw(3),
              "s": s @ s.conj().swapaxes(-1, -2) + np.eye(3)}
    tensors = {name: module.from_numpy(x).requires_grad_() for name, x in arrays.items()}
    return tensors, {"t": module, "L": module.linalg, **tensors}


def outcome(module, expression, is_complex):
    """(results, gradients by name), or the class and message of what is raised."""
    tensors, names = environment(module, is_complex)
    try:
        out = eval(expression, names)
    except Exception as error:
        return type(error).__name__, str(error)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    total = 0
    for o in outs:
        if o.requires_grad:
            weights = module.from_numpy(np.asarray(1 + 0.1 * np.arange(o.numel()).reshape(tuple(o.shape))))
            total = total + (((o * (1 + 0.3j)).real if o.is_complex() else o) * weights).sum()
    if not isinstance(total, int):
        total.backward()
    grads = {name: x.grad.resolve_conj().numpy() for name, x in tensors.items() if x.grad is not None}
    return [o.detach().resolve_conj().numpy() for o in outs], grads


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_agrees(expression, is_complex):
    expected, ours = outcome(torch, expression, is_complex), outcome(flambeau, expression, is_complex)
    if isinstance(expected[0], str):
        assert ours == expected
        return
    for x, y in zip(expected[0], ours[0], strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        np.testing.assert_allclose(y, x, rtol=1e-6, atol=1e-8)
    assert set(ours[1]) == set(expected[1])
    for name, g in expected[1].items():
        np.testing.assert_allclose(ours[1][name], g, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("order", [1, 2, np.inf, -1, -2, -np.inf, "nuc", "fro"], ids=str)
@pytest.mark.parametrize("shape, dim", [((0, 3), None), ((3, 0), None), ((2, 0, 3), (1, 2)), ((2, 0, 3), (0, 1)), ((0,), None), ((3, 0), 1)], ids=str)
def test_norms_of_nothing(shape, dim, order):
    found = []
    for t in (torch, flambeau):
        try:
            found.append(t.linalg.norm(t.zeros(shape), order, dim).tolist())
        except (RuntimeError, IndexError) as error:
            found.append((type(error), str(error)))
    assert found[0] == found[1]


@pytest.mark.parametrize("call", ["t.linalg.lstsq(a, a, out=out)", "t.slogdet(a, out=out)"])
def test_out_of_several(call):
    results = []
    for t in (torch, flambeau):
        a = t.eye(3) + 0.25
        out = tuple(t.empty(0, dtype=t.int64 if i == 2 else t.float32) for i in range(4 if "lstsq" in call else 2))
        results.append([r.tolist() for r in eval(call, {"t": t, "a": a, "out": out})])
        assert results[-1] == [o.tolist() for o in out]
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
