"""Gradients of gradients against PyTorch: of expressions here, and of its operator database wherever PyTorch has them."""
import functools

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

# expressions on x (3, 4), between 0.05 and 0.95; t is the library, F its functions
CALLS = """
t.acos(x); t.atanh(x); t.sinh(x); t.tan(x); t.digamma(x); t.erf(x); t.erfc(x); t.erfinv(x); t.exp2(x); t.expm1(x); t.i0(x); t.lgamma(x);
t.log10(x); t.log1p(x); t.logit(x); t.reciprocal(x); t.rsqrt(x); t.sigmoid(x); t.sinc(x); t.tanh(x); t.polygamma(1, x); t.special.entr(x);
t.special.erfcx(x); t.special.i1e(x); t.special.log_ndtr(x); t.special.ndtri(x); t.special.xlog1py(x, x); t.pow(x, 3); t.pow(x, x);
t.pow(2.0, x); t.atan2(x, x + 1); t.hypot(x, x * x); t.lerp(x, x * 2, x); t.addcmul(x, x, x); t.addcdiv(x, x, x + 2); t.xlogy(x, x);
t.where(x > 0.5, x * x, x); t.logaddexp(x, x * x); t.sum(x, 0); t.mean(x); t.prod(x); t.prod(x, 1); t.var(x, 1); t.std(x, 0); t.amax(x, 1);
t.median(x); t.norm(x); t.norm(x, 3); t.norm(x, dim=1); t.logsumexp(x, 1); t.cumsum(x, 0); t.cumprod(x, 1); t.cumprod(x * (x > 0.4), 1); t.cumprod(x * (x > 0.6), 0); t.logcumsumexp(x, 0);
t.softmax(x, 1); t.log_softmax(x, 0); t.sort(x, 1)[0]; t.topk(x, 2, 1)[0]; t.quantile(x, 0.3, 1); t.cov(x); t.corrcoef(x); t.mm(x, x.t());
t.einsum('ij,kj->ik', x, x); t.bmm(x[None], x.t()[None]); t.gather(x * x, 1, t.tensor([[0, 1]])); t.take(x * x, t.tensor([1, 1]));
t.masked_select(x * x, x > 0.5); t.cat([x * x, x]); t.flip(x * x, (0,)); t.trapezoid(x * x); t.linalg.det(x @ x.t());
t.linalg.inv(x @ x.t() + t.eye(3).double()); t.linalg.solve(x @ x.t() + t.eye(3).double(), x); t.linalg.svd(x, False)[1];
t.linalg.cholesky(x @ x.t() + t.eye(3).double()); t.linalg.eigh(x @ x.t())[0]; t.linalg.qr(x.t())[1].abs(); t.linalg.pinv(x);
t.renorm(x * x, 2, 0, 1); t.fft.rfft(x).abs(); F.elu(x - 0.5); F.selu(x - 0.5); F.celu(x - 0.5, 0.7); F.silu(x); F.mish(x); F.softplus(x);
F.gelu(x); F.gelu(x, approximate='tanh'); F.logsigmoid(x); F.softsign(x); F.glu(x); F.normalize(x); F.hardswish(x);
F.prelu(x - 0.5, t.tensor([0.2]).double()); F.mse_loss(x, x * 2); F.smooth_l1_loss(x, x * 3); F.huber_loss(x, x * 3);
F.cross_entropy(x, t.tensor([0, 1, 3])); F.cross_entropy(x, x.detach(), label_smoothing=0.1); F.nll_loss(x * x, t.tensor([0, 1, 3]));
F.binary_cross_entropy(x, x.detach()); F.binary_cross_entropy_with_logits(x, x.detach()); F.kl_div(x, x.detach(), reduction='sum');
F.poisson_nll_loss(x, x.detach()); F.gaussian_nll_loss(x, x * 2, x + 1); F.soft_margin_loss(x, t.ones(3, 4).double());
F.cosine_embedding_loss(x, x * x, t.ones(3)); F.triplet_margin_loss(x, x * 2, x * x); F.cosine_similarity(x, x * x);
F.conv1d(x[None], t.ones(2, 3, 2).double() * x[0, 0]); F.conv2d(x[None, None], x[None, None, :2, :2]);
F.conv_transpose2d(x[None, None], x[None, None, :2, :2]); F.max_pool2d((x * x)[None, None], 2); F.avg_pool2d((x * x)[None, None], 2);
F.adaptive_avg_pool2d((x * x)[None, None], 2); F.lp_pool2d(x[None, None], 2, 2); F.layer_norm(x, (4,)); F.rms_norm(x, (4,));
F.interpolate((x * x)[None, None], scale_factor=2, mode='bilinear'); F.pad((x * x)[None], (1, 1), 'reflect'); F.group_norm(x[None], 3);
F.batch_norm(x, None, None, training=True); F.instance_norm((x * x)[None]); F.local_response_norm(x[None], 2); F.linear(x, x);
F.bilinear(x, x, t.ones(2, 4, 4).double() * x[0, 0]); F.embedding(t.tensor([0, 1]), x * x); F.scaled_dot_product_attention(x[None], x[None], x[None])
"""


# operators of the database whose second gradients are not PyTorch's, and why: no other lacks them or has other ones
DIFFERENT = {
    "cholesky_inverse": "in the triangle that is not read, where the first gradient is not that of a function",
    "cholesky_solve": "likewise", "logcumsumexp": "complex logarithms that PyTorch does not bring back to (−π, π]",
    "linalg.norm": "0 at 0, where PyTorch's is NaN", "as_strided_scatter": "PyTorch's gradient is that of the wrong elements",
    "max_pool2d_with_indices_backward": "needs torch.ops", "sparse.mm": "matrices by rows are not translated", "sparse.sampled_addmm": "likewise",
    "nn.functional.scaled_dot_product_attention": "dropout where a batch is broadcast",
}
SOME = ["baddbmm", "dist", "cumprod", "fft.irfft", "gather", "linalg.eigh", "masked.softmax", "nn.functional.ctc_loss", "nn.functional.grid_sample",
        "nn.functional.max_pool2d", "prod", "std", "svd"]
SHARDS = 8


@pytest.mark.parametrize("call", [call.strip() for call in CALLS.split(";")])
def test_double_backward(call):
    values = np.random.default_rng(0).uniform(0.05, 0.95, (3, 4))

    def second(module):
        x = module.tensor(values, requires_grad=True)
        y = eval(call, {"t": module, "F": module.nn.functional, "x": x})
        first, = module.autograd.grad((y * y).sum() + y.sum(), x, create_graph=True)
        weights = module.arange(12.0).reshape(3, 4).double()
        if not first.requires_grad:
            return first.detach().numpy()
        found = module.autograd.grad((first * first * weights).sum(), x, allow_unused=True)[0]
        return np.zeros((3, 4)) if found is None else found.numpy()
    np.testing.assert_allclose(second(flambeau), second(torch), rtol=1e-7, atol=1e-8)


@functools.cache
def database():
    from operator_database import operator_database
    return operator_database()


def differences(choose, count):
    from operator_database import second_disagreements
    ops = database()
    if ops is None:
        pytest.skip("this PyTorch cannot load its operator database")
    ran, found = 0, []
    for op in choose([op for op in ops if op.name not in DIFFERENT]):
        for dtype in (torch.float64, torch.complex128):
            n, differ = second_disagreements(op, dtype, count)
            ran += n
            found += differ
    return ran, found


@pytest.mark.parametrize("name", SOME)
def test_some_operators(name):
    ran, found = differences(lambda ops: [op for op in ops if op.name == name], 2)
    assert ran and not found


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_all_operators(shard):
    ran, found = differences(lambda ops: ops[shard::SHARDS], 4)
    assert ran and not found
