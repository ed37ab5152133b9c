"""`torch.nn.functional` against PyTorch where formulas have corners: at 0, at the borders, on types without a kernel, on
nothing."""
import pytest

torch = pytest.importorskip("torch")

ACTIVATIONS = ("relu relu6 elu selu celu leaky_relu silu mish hardswish hardsigmoid softplus gelu logsigmoid hardshrink softshrink "
               "tanhshrink softsign glu sigmoid tanh hardtanh").split()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(agree, name):
    for operand in ("x", "ties", "z"):
        agree(f"t.nn.functional.{name}({operand})", "float32", names=name not in ("softsign", "tanhshrink", "relu6"))


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_types_without_a_kernel(name, dtype):
    """What PyTorch refuses is refused, by the same class and with its words."""
    import flambeau
    x = getattr(torch.nn.functional, name)
    try:
        x(torch.ones(2, 2, dtype=getattr(torch, dtype)))
    except Exception as error:
        with pytest.raises(type(error)) as raised:
            getattr(flambeau.nn.functional, name)(flambeau.ones(2, 2, dtype=getattr(flambeau, dtype)))
        assert str(error).split("\n")[0] == str(raised.value).split("\n")[0]


@pytest.mark.parametrize("call", [
    "binary_cross_entropy_with_logits(0 * x, u)", "binary_cross_entropy_with_logits(0 * x, u, pos_weight=p[0].detach())",
    "soft_margin_loss(0 * x, y.sign().detach())", "logsigmoid(ties)", "softplus(ties)", "margin_ranking_loss(x, x, y.sign())",
    "elu(ties, 0.7)", "celu(ties, 0.7)", "multilabel_soft_margin_loss(0 * x, u)",
])
def test_derivatives_where_pieces_meet(agree, call):
    agree("t.nn.functional." + call, "float32")


@pytest.mark.parametrize("call", ["softmax(e, 0)", "log_softmax(e, 0)", "softmax(e, 1)", "batch_norm(e[:, 0], None, None, training=True)"])
def test_nothing(agree, call):
    agree("t.nn.functional." + call)


@pytest.mark.parametrize("call", ["margin_ranking_loss(x, y, mask.long(), 0.5)", "triplet_margin_loss(x, y, x * 2)",
                                  "pairwise_distance(x, y)", "softsign(x)", "tanhshrink(x)"])
def test_integers_become_floats(agree, call):
    agree("t.nn.functional." + call, "int64")


@pytest.mark.parametrize("mode", ["replicate", "reflect", "circular"])
@pytest.mark.parametrize("pad", [(-4, 5), (3, -2), (-1, 2), (-2, -1), (2, -4)])
def test_padding_that_crops(agree, mode, pad):
    if mode != "circular" or 4 + min(pad) >= max(pad):  # PyTorch leaves memory unset where too little is left to wrap
        agree(f"t.nn.functional.pad(z, {pad}, '{mode}')")


@pytest.mark.parametrize("call", ["multi_margin_loss(x[:, :0], i[:3])", "multilabel_margin_loss(e[0][:0], i[:0])"])
def test_losses_need_classes(agree, call):
    agree("t.nn.functional." + call)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
def test_floats_beyond_integers(agree, dtype):
    agree(f"(ext * 1).to(t.{dtype})", "float32")
    agree(f"(ext * 1e12).to(t.{dtype})")


@pytest.mark.parametrize("name", "i0 special.i1 special.bessel_j0 special.bessel_y1 special.airy_ai special.modified_bessel_i1".split())
def test_expansions_at_infinity(agree, name):
    agree(f"do out = t.{name}(ext)", "float32")


@pytest.mark.parametrize("call", [
    "x, y", "z, z + 1", "z, x", "x, y, 1.0", "x, y, 0.0", "x, y, 3.0", "x, x", "x, y, float('inf')", "x, y, -1.0", "x, z[..., :2]", "v, x",
    "x, y, compute_mode='use_mm_for_euclid_dist'", "x, y, 2.0, 'donot_use_mm_for_euclid_dist'", "x, y, 2.0, 'x'", "x.repeat(9, 1), y",
    "e, e", "e[:, :0], e[:, :0]", "x, y.to(t.float32)", "x.half(), y.half()", "x.long(), y.long()",
])
def test_distances_of_all_pairs(agree, call):
    agree(f"t.cdist({call})")
