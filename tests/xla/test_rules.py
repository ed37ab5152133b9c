"""Every primitive has a rule for devices, and programs mean there what they mean in the interpreter."""
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import flambeau as fb
import flambeau.primitives
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.primitives import PRIMITIVES

jnp = pytest.importorskip("jax.numpy")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

from flambeau.xla import lowering  # noqa: E402
from flambeau.xla.rules.shape import _chain  # noqa: E402

for module in pkgutil.iter_modules(flambeau.primitives.__path__):  # each enters its primitives when it is imported
    import_module(f"flambeau.primitives.{module.name}")


def spelt_out():
    return {name for name, p in PRIMITIVES.items() if p.definition is not None}


def test_every_primitive_has_a_rule():
    missing = PRIMITIVES.keys() - lowering.rules().keys() - lowering.host_calls("cuda") - spelt_out()
    assert not missing, f"primitives without a rule in xla/rules: {sorted(missing)}"


def test_no_rule_without_a_primitive():
    assert not (lowering.rules().keys() | lowering.host_calls("cuda")) - PRIMITIVES.keys()


def test_a_primitive_is_computed_in_one_place():
    assert not lowering.rules().keys() & lowering.host_calls("cuda")


# ------------------------------------------------------------------ the same function on the CPU and on xla:cpu

def same(function, *arrays, rtol=1e-5, atol=1e-6, gradients=True):
    """The results of a function of tensors, and the gradients of their sum, on both."""
    found = []
    for where in ("cpu", "xla:cpu"):
        tensors = [fb.tensor(a, device=where) for a in arrays]
        inputs = [t.requires_grad_() for t in tensors if gradients and t.is_floating_point()]
        out = function(*tensors)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        if inputs:
            sum(o.double().sum() for o in outs if o.requires_grad).backward()
        assert all(o.device.type == where for o in outs)
        found.append([o.detach().cpu().float().numpy() if o.dtype is fb.bfloat16 else o.detach().cpu().numpy() for o in outs]
                     + [t.grad.cpu().numpy() for t in inputs])
    for a, b in zip(*found):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol, atol)


RANDOM = np.random.RandomState(0)


def normal(*shape, dtype=np.float32):
    return RANDOM.standard_normal(shape).astype(dtype)


FUNCTIONS = {
    "linear": (F.linear, [normal(3, 4), normal(2, 4), normal(2)]),
    "matmul": (fb.matmul, [normal(2, 3, 4), normal(4, 5)]),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, dilation=2, groups=2),
               [normal(2, 4, 9, 8), normal(6, 2, 3, 3), normal(6)]),
    "conv_transpose1d": (lambda x, w: F.conv_transpose1d(x, w, stride=3, padding=1, output_padding=2), [normal(2, 3, 5), normal(3, 2, 4)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), [normal(2, 3, 7, 8)]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1), [normal(2, 3, 7, 8)]),
    "layer_norm": (lambda x, w: F.layer_norm(x, (5,), w), [normal(4, 5), normal(5)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, fb.tensor([1, 0, 2], device=x.device)), [normal(3, 4)]),
    "embedding": (lambda w: F.embedding(fb.tensor([[0, 2], [2, 1]], device=w.device), w), [normal(3, 4)]),
    "unfold": (lambda x: x.unfold(1, 3, 2), [normal(2, 9)]),
    "views": (lambda x: (x.t()[1:, ::2].reshape(-1), x.diagonal(), x[:, 1:4].permute(1, 0).contiguous()), [normal(6, 6)]),
    "sort": (lambda x: fb.sort(x, 1, descending=True), [normal(3, 7)]),
    "cumulative": (lambda x: (x.cumsum(0), x.cumprod(1), x.cummax(0)[0], x.logcumsumexp(1)), [normal(3, 4)]),
    "scatter": (lambda x, y: x.scatter_add(1, fb.tensor([[0, 2, 2], [1, 1, 0]], device=x.device), y), [normal(2, 4), normal(2, 3)]),
    "fft": (lambda x: fb.view_as_real(fb.fft.rfft(x)), [normal(3, 8)]),
    "special": (lambda x: (fb.lgamma(x), fb.erfinv(x / 10), fb.digamma(x), fb.i0(x)), [np.abs(normal(5)) + 0.5]),
    "host": (lambda x: fb.linalg.svd(x)[1], [normal(3, 3)]),
    "bfloat16": (lambda x: F.softmax(x.bfloat16() * 3, 1), [normal(3, 4)]),
}


def on_device_of(x, values):
    return fb.tensor(values, device=x.device)


def packed(x, w_ih, w_hh):
    sequences = nn.utils.rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
    out, last = fb.rnn_tanh(sequences.data, sequences.batch_sizes, x.new_zeros(1, 3, 2), [w_ih, w_hh], False, 1, 0.0, False, False)
    return (nn.utils.rnn.pad_packed_sequence(sequences._replace(data=out))[0], last)


# What makes tensors on its way: they must be where its operands are, not where the default device is.
MAKES_TENSORS = {
    "istft": (lambda x: fb.istft(fb.stft(x, 8, 2, return_complex=True, window=fb.hann_window(8, device=x.device)), 8, 2,
                                 window=fb.hann_window(8, device=x.device)), [normal(20)]),
    "istft_without_window": (lambda x: fb.istft(fb.fft.rfft(x.reshape(2, 5, 4)).transpose(1, 2), 4), [normal(40)]),
    "matrix_power": (lambda x: (fb.matrix_power(x, 0), fb.matrix_exp(x)), [normal(3, 3)]),
    "masked": (lambda x: fb.masked.std(x, 0, unbiased=False, mask=x.detach() > -5), [normal(4, 3)]),
    "fractional_max_pool2d": (lambda x: F.fractional_max_pool2d(x, 2, output_size=3), [normal(2, 3, 7, 7)]),
    "rrelu": (lambda x: F.rrelu(x, training=True), [normal(3, 4)]),
    "pca_lowrank": (lambda x: fb.pca_lowrank(x, 2)[1], [normal(5, 4)]),
    "unique": (lambda x: x[fb.unique(on_device_of(x, [3, 1, 1]))], [normal(4, 3)]),
    "embedding_max_norm": (lambda w: F.embedding(on_device_of(w, [3, 1, 1]), w * 1, max_norm=0.5), [normal(4, 3)]),
    "embedding_bag": (lambda w: (F.embedding_bag(on_device_of(w, [1, 2, 2, 3]), w, on_device_of(w, [0, 1])),
                                 F.embedding_bag(on_device_of(w, [[1, 2], [2, 3]]), w, mode="max")), [normal(4, 3)]),
    "packed_sequences": (packed, [normal(4, 3, 5), normal(2, 5), normal(2, 2)]),
    "attention": (lambda x, w: F.multi_head_attention_forward(
        x, x, x, 4, 2, w, None, None, None, True, 0.0, w[:4], None, key_padding_mask=on_device_of(x, [[False, False, True]] * 2))[0],
        [normal(3, 2, 4), normal(12, 4)]),
}


@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.parametrize("name", MAKES_TENSORS)
def test_what_is_made_on_the_way_is_beside_the_operands(name):
    function, arrays = MAKES_TENSORS[name]

    def seeded(*tensors):
        fb.manual_seed(5)
        return function(*tensors)
    same(seeded, *arrays, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_gradients(name):
    function, arrays = FUNCTIONS[name]
    same(function, *arrays, rtol=1e-2 if name == "bfloat16" else 2e-5, atol=1e-5)


def test_poles_of_zeta():
    s, q = np.meshgrid([-2., 0., 1., 1.5, 2., 3.], [-3., -2.5, -1., 0., 0.5, 2.])
    same(fb.special.zeta, s, q, gradients=False)


def test_integers_divide_and_shift_as_on_the_cpu():
    x, y = np.array([7, -7, 7, -7, 0]), np.array([2, 2, -2, -2, 5])
    same(lambda x, y: (fb.div(x, y, rounding_mode="floor"), fb.div(x, y, rounding_mode="trunc"), x % y, fb.fmod(x, y), x << 1, x >> 1,
                       x ** 2), x, y)


def test_sums_of_small_programs_are_as_precise_as_float32_can_be():
    """Compiled quickly, they would be made one number after another."""
    x = normal(4, 6, 3, 4, 5) * 3 + 1
    total = fb.tensor(x, device="xla:cpu").sum((0, 2, 3, 4)).cpu().numpy()
    np.testing.assert_allclose(total, x.astype(np.float64).sum((0, 2, 3, 4)), rtol=7e-8)


NUMBERS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)  # XLA counts subnormal numbers as zeros


@settings(max_examples=15, deadline=None)
@given(st.lists(NUMBERS, min_size=4, max_size=4), st.lists(st.floats(0.125, 100, width=32), min_size=4, max_size=4))
def test_arithmetic(xs, ys):
    same(lambda x, y: (x + y, x * y, x / y, fb.remainder(x, y), fb.floor_divide(x, y), fb.maximum(x, y), x.sign()),
         np.array(xs, np.float32), np.array(ys, np.float32), gradients=False)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_strided_views_and_writes(data):
    """Any geometry within 60 elements: reads, and writes where no element has two places."""
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    strides = data.draw(st.lists(st.integers(0, 6), min_size=len(shape), max_size=len(shape)))
    offset = data.draw(st.integers(0, 5))
    memory = np.arange(60, dtype=np.float32)
    from flambeau.xla.rules.shape import _strided_sum, strided_view, _strided_write
    view = np.lib.stride_tricks.as_strided(memory[offset:], shape, [4 * s for s in strides])
    np.testing.assert_array_equal(strided_view(jnp.asarray(memory), shape, strides, offset), view)
    g = np.arange(view.size, dtype=np.float32).reshape(shape) + 1
    places = np.lib.stride_tricks.as_strided(np.arange(60)[offset:], shape, [8 * s for s in strides])
    total = np.zeros(60, np.float32)
    np.add.at(total, places, g)
    np.testing.assert_array_equal(_strided_sum(g, (60,), strides, offset), total)
    if len(np.unique(places)) == places.size:
        written = memory.copy()
        written[places] = g
        np.testing.assert_array_equal(_strided_write(jnp.asarray(memory), g, strides, offset), written)


def test_ordinary_views_need_no_gather():
    for shape, strides, offset in [((3, 4), (4, 1), 0), ((4, 3), (1, 4), 0), ((3, 2), (4, 2), 1), ((2, 3), (12, 4), 2), ((5,), (1,), 3)]:
        assert _chain(shape, strides, offset) is not None
