"""Results lie in memory as PyTorch's do: in the order of their operands, and channels last where those are."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau  # noqa: E402

BOTH = (torch, flambeau)
LIBRARIES = {"torch": torch, "flambeau": flambeau}


def image(t, *shape):
    return t.arange(float(np.prod(shape))).sin().reshape(shape).to(memory_format=t.channels_last if len(shape) == 4 else t.channels_last_3d)


FOLLOWED = """
F.conv2d(x, w); F.conv2d(x.contiguous(), image(t, 8, 4, 3, 3)); F.conv_transpose2d(x, t.ones(4, 8, 3, 3)); F.conv2d(x[:, :1], w[:, :1]);
F.max_pool2d(x, 2); F.max_pool2d(x, 2, return_indices=True)[1]; F.avg_pool2d(x, 2); F.adaptive_avg_pool2d(x, 2); F.adaptive_max_pool2d(x, 2);
F.batch_norm(x, None, None, training=True); F.group_norm(x, 2); F.instance_norm(x); F.local_response_norm(x, 2); F.interpolate(x, scale_factor=2);
F.interpolate(x, scale_factor=2, mode='bilinear'); F.pad(x, (1, 1)); F.pad(x, (1, 1, 1, 1), mode='reflect'); F.pixel_shuffle(x, 2);
F.pixel_unshuffle(x, 2); F.channel_shuffle(x, 2); F.prelu(x, t.ones(4)); F.relu(x); F.gelu(x); F.silu(x); F.dropout(x); F.dropout2d(x);
F.softmax(x, 1); F.logsigmoid(x); x + x; x + x.contiguous(); x.contiguous() + x; x * 2; x - t.ones(1, 4, 1, 1); x > 0; t.where(x > 0, x, 0.0);
t.lerp(x, x, 0.5); x.clamp(0, 1); x.double(); x.clone(); x.flip(1); x.roll(1, 1); x.masked_fill(x > 0, 0.0); x[:, :2] + 1; x[:, :1].exp();
t.cat([x, x], 1); t.cat([x, x.contiguous()]); x.sum(1, keepdim=True); x.mean((2, 3), keepdim=True); F.conv3d(x3, t.ones(4, 3, 2, 2, 2));
F.max_pool3d(x3, 2); x3.tanh(); x.permute(0, 2, 3, 1) + 1; x.transpose(1, 2) * x.transpose(1, 2); t.zeros_like(x); t.randn_like(x)
"""


@pytest.mark.parametrize("expression", [e.strip() for e in FOLLOWED.split(";")])
def test_results_of_images_with_channels_last(expression):
    found = []
    for t in BOTH:
        names = {"t": t, "F": t.nn.functional, "image": image, "x": image(t, 2, 4, 6, 6), "w": t.ones(8, 4, 3, 3), "x3": image(t, 2, 3, 4, 5, 6)}
        out = eval(expression, names)
        found.append((out.stride(), out.is_contiguous(), out.ndim == 4 and out.is_contiguous(memory_format=t.channels_last),
                      None if "drop" in expression or "randn" in expression else out.numpy(force=True)))
    (*want, values), (*got, ours) = found
    assert got == want
    if values is not None:
        np.testing.assert_allclose(ours, values, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_strides_of_elementwise_results_of_any_operands(seed):
    """Permuted, sliced and broadcast operands; dimensions of size 1."""
    r = np.random.default_rng(seed)
    shape = r.integers(1, 4, r.integers(2, 5)).tolist()

    def operand():
        dims = r.permutation(len(shape)).tolist()
        sizes = [1 if r.random() < 0.2 else n for n in shape]
        step = int(r.integers(1, 3))
        return dims, [sizes[d] for d in dims], step
    plans = [operand() for _ in range(3)]
    strides = []
    for t in BOTH:
        made = [t.ones(*sizes[:-1], sizes[-1] * step)[..., ::step].permute(np.argsort(dims).tolist()) for dims, sizes, step in plans]
        outs = made[0] + made[1], made[0].exp(), t.addcmul(*made), t.where(made[0] > 0, made[1], made[2])
        strides.append([[stride for size, stride in zip(out.shape, out.stride()) if size != 1] for out in outs])
    assert strides[0] == strides[1]


def test_gradients_lie_as_their_leaves_do():
    for lib in BOTH:
        w = image(lib, 8, 4, 3, 3).requires_grad_()
        lib.nn.functional.conv2d(image(lib, 2, 4, 6, 6), w).sum().backward()
        assert w.grad.stride() == w.stride() == (36, 1, 12, 4)


def test_training_a_model_with_channels_last():
    """Values, gradients, writes into results and the memory that NumPy sees are the same as without."""
    results = {}
    for name, t in LIBRARIES.items():
        nn = t.nn
        model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3),
                              nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with t.no_grad():
            for p in model.parameters():
                p.copy_(t.arange(float(p.numel())).cos().reshape(p.shape) / 4)
        model = model.to(memory_format=t.channels_last)
        optimizer = t.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(6):
            y = model(image(t, 2, 3, 8, 8))
            optimizer.zero_grad()
            y.square().mean().backward()
            optimizer.step()
        hidden = model[:4](image(t, 2, 3, 8, 8))
        hidden[:, 1] += 1
        hidden.mul_(2)
        results[name] = y.detach().numpy(), hidden.detach().numpy(), hidden.detach().numpy().strides, model[0].weight.stride()
    want, got = results.values()
    np.testing.assert_allclose(got[0], want[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-4, atol=1e-5)
    assert got[2:] == want[2:]


def test_examples_of_a_batch_stay_as_they_are():
    x = image(flambeau, 2, 4, 6, 6)
    out = flambeau.vmap(lambda x: x.t() + 1)(x[:, 0])
    assert flambeau.equal(out, x[:, 0].transpose(1, 2) + 1)


FACTORIZATIONS = """
L.cholesky(s); L.cholesky(s, upper=True); L.cholesky_ex(s); t.cholesky(s); t.cholesky_inverse(s); L.inv(s); L.inv_ex(s); t.inverse(s);
L.eig(s); L.eigh(s); L.qr(a); L.qr(a.mT); t.qr(a); L.svd(a); L.svd(a, full_matrices=False); L.lu_factor(a); L.lu_factor_ex(a); L.ldl_factor(s);
L.householder_product(a, a[..., 0, :] * 0); t.geqrf(a); t.cholesky_solve(a, s); t.ormqr(a, a[..., 0, :] * 0, a); t.triangular_solve(a, s);
L.solve(s, a); L.solve_ex(s, a); L.lu_solve(*L.lu_factor(s), a); L.lu_solve(*L.lu_factor(s), a, adjoint=True); L.solve_triangular(s, a, upper=True);
L.solve_triangular(s, a.mT, upper=False, left=False); L.solve(s.expand(2, 4, 4), s[..., 0].expand(2, 4))
"""


@pytest.mark.filterwarnings("ignore::UserWarning")  # some of these names are old
@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
@pytest.mark.parametrize("expression", [e.strip() for e in FACTORIZATIONS.split(";")])
def test_matrices_by_columns(expression, batch):
    found = []
    for t in BOTH:
        a = t.arange(12.0 * (2 if batch else 1)).sin().reshape(*batch, 4, 3)
        results = eval(expression, {"t": t, "L": t.linalg, "a": a, "s": a @ a.mT + 3 * t.eye(4)})
        found.append([(tuple(r.shape), r.stride()) for r in ((results,) if isinstance(results, t.Tensor) else results)])
    assert found[0] == found[1]
    assert any(strides[-2:] == (1, shape[-2]) for shape, strides in found[1] if len(shape) > 1)


@pytest.mark.parametrize("solve", [lambda t, a, b: t.linalg.solve(a, b, left=False), lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=False),
                                   lambda t, a, b: t.linalg.solve(a, b[0])])
def test_other_solutions_by_rows(solve):
    want, got = [solve(t, 3 * t.eye(4) + t.ones(4, 4), t.ones(3, 4)).stride() for t in BOTH]
    assert got == want


@pytest.mark.parametrize("kind", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_transforms_leave_their_dimensions_fastest(kind, order):
    strides = []
    for t in BOTH:
        x = t.zeros(5, 6, 7, dtype=t.float32 if kind in ("rfft", "ihfft") else t.complex64).permute(order)
        along_one, along_some, along_any = [getattr(t.fft, kind + suffix) for suffix in ("", "2", "n")]
        strides.append([y.stride() for y in [
            *[along_one(x, n, dim) for n in (None, 3, 10) for dim in (0, 1, -1)], *[along_some(x, dim=dims) for dims in ((0, 1), (2, 0), (1,), (-2, -1))],
            along_any(x), along_any(x, dim=(2, 1, 0)), along_any(x, s=(3, 12))]])
    assert strides[0] == strides[1]


@pytest.mark.parametrize("expression", """
x.rot90(); x.rot90(2, (0, 2)); t.rot90(x, -1, (2, 1)); t.rot90(x, 4); t.rot90(x.permute(2, 0, 1), 3, (0, 2)); t.rot90(x[:, ::2]);
x.quantile(t.tensor([0.2, 0.5]), 1); t.nanquantile(x, t.tensor([0.2, 0.5]), 0, True); x.quantile(0.5, 1); x.quantile(t.tensor([0.5]));
x.unique(dim=1); t.unique(x, dim=-1, return_inverse=True)[0]; t.unique_consecutive(x[..., :1], dim=1)
""".replace("\n", "").split(";"))
def test_results_that_lie_in_another_order(expression):
    found = []
    for t in BOTH:
        out = eval(expression.strip(), {"t": t, "x": t.arange(24.0).reshape(2, 3, 4)})
        found.append((out.stride(), out.tolist()))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(np.array(found[1][1]), np.array(found[0][1]), rtol=1e-6)
