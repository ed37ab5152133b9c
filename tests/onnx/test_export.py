"""torch.onnx.export: operators, names, files, options and errors."""
import io
import math

import numpy as np
import pytest

import flambeau as fb
from flambeau import nn
from flambeau.nn import functional as F
from flambeau.export import Dim
from flambeau.onnx import OnnxExporterError, TrainingMode, export, is_in_onnx_export

onnx = pytest.importorskip("onnx")


def operators(proto):
    return [node.op_type for node in proto.graph.node]


def net():
    fb.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


# ------------------------------------------------------------------ what an op becomes

SHAPE = (2, 3, 6)
ELEMENTWISE = {
    "arithmetic": lambda x: (x + 1) * x / (x.abs() + 2) - x ** 2 % 3,
    "rounding": lambda x: x.floor() + x.ceil() + x.round() + x.trunc() + x.sign() + fb.fmod(x, 0.7),
    "exponentials": lambda x: x.exp() + x.expm1() + x.exp2() + (x.abs() + 1).log() + x.abs().log1p() + (x.abs() + 1).log2(),
    "roots": lambda x: (x.abs() + 1).sqrt() + (x.abs() + 1).rsqrt() + (x.abs() + 1).log10() + (x.abs() + 1).reciprocal(),
    "angles": lambda x: x.sin() + x.cos() + x.tan() + x.tanh() + x.atan() + x.sinh() + x.cosh() + x.asinh(),
    "erf": lambda x: x.erf() + x.erfc(),
    "choices": lambda x: fb.where((x > 0) & ~(x < 0.5) | (x == 1) ^ (x != 2), x.clamp(-0.3, 0.4), fb.maximum(x, -x)),
    "limits": lambda x: x.clamp(min=-0.1) + x.clamp_max(0.2) + fb.minimum(x, x * x),
    "integers": lambda x: ((x * 9).long() // 4) * 3 + (x * 9).long() % 4 - ((x * 9).long() & 5 | 2 ^ 7),
    "activations": lambda x: F.silu(x) + F.hardswish(x) + F.hardsigmoid(x) + F.gelu(x) + F.gelu(x, approximate="tanh") + F.mish(x)
    + F.elu(x) + F.selu(x) + F.relu6(x) + F.hardtanh(x) + F.leaky_relu(x, 0.1) + F.softplus(x) + F.softsign(x),
    "in place": lambda x: F.hardswish(F.relu(x + 1, inplace=True), inplace=True).add_(1).mul_(x),
    "softmax": lambda x: x.softmax(-1) + x.log_softmax(1) + F.softmin(x, 0),
    "double": lambda x: x.double() * 2,
    "half": lambda x: (x.half() + 1).float(),
}
REDUCTIONS = {
    "sums": lambda x: (x.sum(), x.sum(1), x.mean((0, 2), keepdim=True), x.prod(2), x.norm(dim=1), x.var(-1), x.logsumexp(1)),
    "extrema": lambda x: (x.amax(1), x.min(), x.max(2).values, x.argmax(1), x.argmin(-1)),
    "truth": lambda x: ((x > 0).any(1), (x > 0).all(), (x > 0).sum(2)),
    "order": lambda x: (x.sort(-1).values, x.topk(2, 1).values, x.topk(2, -1, largest=False).indices, x.cumsum(1)),
}
SHAPING = {
    "transposes": lambda x: x.transpose(0, 2).permute(1, 0, 2).flatten(1) + x.reshape(3, -1).t().reshape(3, 12),
    "slices": lambda x: x[:, 1:, ::2] + x[:, 1:, 1:4] * x[:, 0:1, 3:].unsqueeze(0).squeeze(0),
    "selection": lambda x: x[0] + x[:, 1, :1].sum(0) + x[1, 2, 3],
    "steps that do not divide": lambda x: x.flatten()[1::5],
    "windows": lambda x: x.unfold(2, 3, 1),
    "flips": lambda x: x.flip(0, 2) + x.roll(1, 2),
    "joins": lambda x: fb.cat([x, x[:, :1]], 1)[:, 1:] + fb.stack([x, -x], 1).sum(1) + x.repeat(1, 2, 1)[:, ::2],
    "splits": lambda x: sum(part.sum(1) for part in (*x.split(2, 2), *x.chunk(3, 2), *x.tensor_split(3, 2))),
    "expansion": lambda x: x[:, :, :1].expand(2, 3, 5) * x[:1, :, :1] + fb.ones(5),
    "padding": lambda x: F.pad(x, (1, 2), value=3.0) + F.pad(x, (1, 2), mode="reflect") + F.pad(x, (2, 1), mode="replicate")
    + F.pad(F.pad(x, (-1, 0)), (2, 2), mode="circular"),
    "indices": lambda x: (x[:, [2, 0]], x.gather(2, (x * 0).long()), x.index_select(1, fb.tensor([0, 2])), x[fb.tensor([1, 0]), 1]),
    "writes": lambda x: _written(x),
    "scatter": lambda x: fb.zeros(2, 3, 6).scatter_add(2, (x * 0).long() + 1, x) + fb.zeros(2, 3, 6).index_add(
        1, fb.tensor([0, 0, 1]), x),
    "triangles": lambda x: x.triu() + x.tril(1) + fb.eye(3, 6) + fb.arange(6.0) + fb.linspace(0, 1, 6),
    "masks": lambda x: x.masked_fill(x > 0.5, -1.0),
    "shapes": lambda x: x.new_zeros(x.shape) + fb.full_like(x, 2) + x.view(-1, 6).view_as(x),
}
PRODUCTS = {
    "matmul": lambda x: (x @ x.transpose(1, 2), x[0] @ x[1].t(), x @ x[0, 0], fb.dot(x[0, 0], x[1, 1]), x[0] @ x.transpose(1, 2)),
    "einsum": lambda x: (fb.einsum("bij,bkj->bik", x, x), fb.einsum("bij,cij->bc", x, x), fb.einsum("i,j->ij", x[0, 0], x[0, 1])),
    "outer": lambda x: (fb.outer(x[0, 0], x[1, 0]), fb.tensordot(x, x, dims=([1, 2], [1, 2])), fb.addmm(x[0, :, :3], x[0], x[1].t())),
    "attention": lambda x: (F.scaled_dot_product_attention(x, x, x), F.scaled_dot_product_attention(x, x, x, is_causal=True),
                            F.scaled_dot_product_attention(x, x, x, attn_mask=fb.eye(3).bool())),
    "pooling": lambda x: (F.max_pool1d(x, 2), F.avg_pool1d(x, 3, 2, 1), F.adaptive_avg_pool1d(x, 4), F.adaptive_avg_pool1d(x, 3),
                          F.max_pool1d(x, 2, return_indices=True)[1], F.lp_pool1d(x, 2, 3), F.adaptive_max_pool1d(x, 2)),
    "resizing": lambda x: (F.interpolate(x, 9), F.interpolate(x, 4, mode="linear"), F.interpolate(x[None], (5, 8), mode="bicubic"),
                           F.interpolate(x[None], (7, 3), mode="bilinear", align_corners=True),
                           F.interpolate(x[None], scale_factor=1.7, mode="bilinear"), F.interpolate(x, 4, mode="nearest-exact"),
                           F.interpolate(x[None], (2, 3), mode="bilinear", antialias=True)),
    "vision": lambda x: (F.pixel_shuffle(x.reshape(1, 4, 3, 3), 2), F.unfold(x[None], 2), F.channel_shuffle(x[None].transpose(1, 3), 2)),
}


def _written(x):
    y = x.clone()
    y[:, 1] = 0
    y[0, :, ::2] += x[1, :, 1::2]
    y[:] = y * 2
    return y


GROUPS = {**ELEMENTWISE, **REDUCTIONS, **SHAPING, **PRODUCTS}


@pytest.mark.parametrize("opset", [20, 13])
@pytest.mark.parametrize("name", GROUPS)
def test_functions(exported, name, opset):
    if opset < 18 and name in ("integers", "scatter"):
        pytest.skip("bitwise operators came with opset 18, scatter's sums with 16")
    x = fb.from_numpy(np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32))
    # ONNX Runtime computes halves in single precision
    exported(GROUPS[name], x, opset_version=opset, tolerance=2e-3 if name == "half" else 1e-4)


LAYERS = [
    (nn.Conv1d(3, 4, 3, padding="same", dilation=2), (2, 3, 9)), (nn.Conv3d(2, 4, 2, groups=2, bias=False), (1, 2, 3, 4, 5)),
    (nn.Conv2d(3, 6, 3, stride=2, padding=1, padding_mode="reflect"), (2, 3, 8, 7)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (1, 4, 5, 4)),
    (nn.ConvTranspose1d(3, 2, 4, stride=3, dilation=2), (2, 3, 5)), (nn.BatchNorm2d(3), (2, 3, 4, 4)),
    (nn.BatchNorm1d(3, affine=False), (2, 3)), (nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 4)), (nn.GroupNorm(2, 4), (2, 4, 5)),
    (nn.LayerNorm((4, 5)), (2, 4, 5)), (nn.LayerNorm(5, elementwise_affine=False), (2, 5)), (nn.RMSNorm(5), (2, 5)),
    (nn.LocalResponseNorm(2), (2, 4, 5, 5)), (nn.PReLU(3), (2, 3, 4)), (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 2, 8, 8)),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (1, 2, 8, 8)), (nn.AvgPool2d(3, 2, 1), (1, 2, 8, 8)),
    (nn.AdaptiveAvgPool2d((3, 1)), (1, 2, 7, 5)), (nn.Bilinear(3, 3, 2), None), (nn.Fold((4, 5), 2), (1, 8, 12)),
    (nn.Upsample(scale_factor=2, mode="nearest"), (1, 2, 3, 4)), (nn.Dropout(0.5), (2, 3)), (nn.Linear(3, 2), (4, 5, 3)),
    (nn.LSTM(3, 4, 2, bidirectional=True), (5, 2, 3)), (nn.GRU(3, 4, batch_first=True), (2, 5, 3)), (nn.RNN(3, 4, nonlinearity="relu"), (5, 2, 3)),
    (nn.LSTM(3, 4, proj_size=2), (5, 2, 3)), (nn.LSTM(3, 4, bias=False), (5, 3)), (nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), (4, 3)),
    (nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), "pair"), (nn.MultiheadAttention(8, 2, kdim=4, vdim=4), "attention"),
]


@pytest.mark.parametrize("opset", [20, 13])
@pytest.mark.parametrize("at", range(len(LAYERS)))
@pytest.mark.filterwarnings("ignore:dropout option|'pin_memory'")
def test_layers(exported, at, opset):
    layer, shape = LAYERS[at]
    rng = np.random.default_rng(0)
    shapes = {None: [(4, 3), (4, 3)], "pair": [(2, 3, 8), (2, 5, 8)], "attention": [(3, 2, 8), (5, 2, 4), (5, 2, 4)]}.get(shape, [shape])
    args = tuple(fb.from_numpy(rng.standard_normal(s, dtype=np.float32)) for s in shapes)
    if isinstance(layer, nn.Fold) or isinstance(layer, nn.AdaptiveAvgPool2d) and opset < 18:
        pytest.skip("sums of overlapping windows have no operator" if isinstance(layer, nn.Fold) else "as with opset 20")
    exported(layer, args, opset_version=opset, tolerance=3e-4)


def test_layers_become_the_operators_of_that_name(exported):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU(), nn.Softmax(-1))
    proto = exported(model, fb.randn(2, 3, 8, 8))
    assert operators(proto) == ["Conv", "BatchNormalization", "Clip", "MaxPool", "GlobalAveragePool", "Reshape", "Gemm",
                                "LayerNormalization", "Gelu", "Softmax"]
    assert [t.name for t in proto.graph.initializer if not t.name.startswith("constant")] == [
        name for name in model.state_dict() if "num_batches" not in name]


# ------------------------------------------------------------------ dynamic axes

class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(20, 8), kind(8, 6, 2, bidirectional=True, batch_first=True), nn.Linear(12, 3)

    def forward(self, tokens):
        out, _ = self.rnn(self.embedding(tokens))
        return self.head(out[:, -1]), out.mean(1)


class Decoder(nn.Module):
    """A language model in the usual idioms: views by sizes, a sliced mask, positions, tied weights."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(30, 16), nn.Embedding(64, 16)
        self.qkv, self.norm, self.head = nn.Linear(16, 48), nn.LayerNorm(16), nn.Linear(16, 30, bias=False)
        self.head.weight = self.tokens.weight
        self.register_buffer("mask", fb.tril(fb.ones(64, 64)).view(1, 1, 64, 64))

    def forward(self, index):
        n, length = index.size()
        x = self.tokens(index) + self.positions(fb.arange(length))
        q, k, v = (part.view(n, length, 4, 4).transpose(1, 2) for part in self.qkv(self.norm(x)).split(16, 2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.mask[:, :, :length, :length] == 0, float("-inf")).softmax(-1)
        y = (scores @ v).transpose(1, 2).contiguous().view(n, length, 16)
        return self.head(x + y + F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, length, 16))


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.Transformer(16, 4, 1, 1, 32, batch_first=True)

    def forward(self, source, target):
        return self.transformer(source, target, tgt_mask=nn.Transformer.generate_square_subsequent_mask(target.size(1)))


class Encoder(nn.Module):
    def __init__(self, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options)
        self.encoder, self.places = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Parameter(fb.randn(1, 64, 16))

    def forward(self, x):
        return self.encoder(x + self.places[:, :x.size(1)])


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up, self.out = nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 3, 1, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        y = F.interpolate(self.up(self.down(x)), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return {"out": self.out(y), "classes": self.out(y).argmax(1), "mean": y.mean((2, 3))}


def tokens(*shape):
    return fb.from_numpy(np.random.default_rng(1).integers(0, 20, shape))


def floats(*shape):
    return fb.from_numpy(np.random.default_rng(1).standard_normal(shape, dtype=np.float32))


TEXT = {0: "n", 1: "length"}
DYNAMIC = {
    "mlp": (net, {"input": {0: "n"}}, [floats(1, 3), floats(5, 3)]),
    "LSTM": (lambda: Recurrent(nn.LSTM), {"tokens": TEXT}, [tokens(2, 5), tokens(4, 9), tokens(1, 1)]),
    "GRU": (lambda: Recurrent(nn.GRU), {"tokens": TEXT}, [tokens(2, 5), tokens(1, 3)]),
    "RNN": (lambda: Recurrent(nn.RNN), {"tokens": [0, 1]}, [tokens(2, 5), tokens(4, 2)]),
    "decoder": (Decoder, {"index": TEXT}, [tokens(2, 7), tokens(3, 20), tokens(1, 1)]),
    "decoder at its greatest length": (Decoder, {"index": TEXT}, [tokens(2, 64), tokens(3, 20), tokens(1, 1)]),
    "encoder": (Encoder, {"x": TEXT}, [floats(2, 7, 16), floats(1, 3, 16)]),
    "pre-norm encoder": (lambda: Encoder(norm_first=True, activation="gelu"), {"x": TEXT}, [floats(2, 7, 16), floats(3, 12, 16)]),
    "translator": (Translator, {"source": {0: "n", 1: "s"}, "target": {0: "n", 1: "t"}},
                   [(floats(2, 7, 16), floats(2, 5, 16)), (floats(3, 4, 16), floats(3, 9, 16))]),
    "segmenter": (Segmenter, {"x": {0: "n", 2: "h", 3: "w"}}, [floats(1, 3, 16, 16), floats(2, 3, 25, 18)]),
}


@pytest.mark.parametrize("opset", [20, 17, 14])
@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_axes(exported, name, opset):
    make, axes, samples = DYNAMIC[name]
    fb.manual_seed(0)
    key = next(iter(axes))
    proto = exported(make(), *samples, dynamic_axes=axes, opset_version=opset)
    dims = [d.dim_param or d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    wanted = axes[key] if isinstance(axes[key], dict) else {i: f"{key}_dynamic_axes_{i + 1}" for i in axes[key]}
    assert {i: d for i, d in enumerate(dims) if isinstance(d, str)} == wanted
    first = [d.dim_param for d in proto.graph.output[0].type.tensor_type.shape.dim]
    assert first[0] == wanted[0]


def test_names_of_a_dicts_keys_and_dynamic_shapes(exported):
    proto = exported(Segmenter(), floats(1, 3, 8, 8), floats(3, 3, 8, 8), dynamic_shapes={"x": {0: "batch"}})
    assert [o.name for o in proto.graph.output] == ["out", "classes", "mean"]
    assert [d.dim_param or d.dim_value for d in proto.graph.output[1].type.tensor_type.shape.dim] == ["batch", 8, 8]

    class Dim:
        __name__ = "rows"
    dim = type("Dim", (), {"__name__": "rows"})()
    proto = exported(lambda a, b: a + b[0], (floats(2, 3), [floats(2, 3)]), (floats(4, 3), [floats(4, 3)]),
                     dynamic_shapes=({0: dim}, [(dim, None)]), input_names=["first"], output_names=["total"])
    assert [i.name for i in proto.graph.input] == ["first", "b"] and proto.graph.output[0].name == "total"
    assert proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param == "rows"


@pytest.mark.parametrize("shapes", [
    {"x": {0: Dim("batch", min=1, max=64), 2: None}}, ({0: "batch"},), ((Dim("batch"), Dim.STATIC, None, 8),)])
def test_axes_named_by_dims(exported, shapes):
    proto = exported(Segmenter(), floats(2, 3, 8, 8), floats(5, 3, 8, 8), dynamic_shapes=shapes)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 3, 8, 8]


def test_axes_by_hints(exported):
    proto = exported(Segmenter(), floats(2, 3, 8, 8), floats(5, 3, 9, 8),
                     dynamic_shapes=((Dim.DYNAMIC(max=9), None, Dim.AUTO, Dim.STATIC),))
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["x_dim_0", 3, "x_dim_2", 8]


def test_what_cannot_be_dynamic_says_why():
    def loop(x):
        return sum(row * i for i, row in enumerate(x))
    with pytest.raises(OnnxExporterError, match=r"axes \['n'\] cannot be dynamic: the number of operations changes"):
        export(loop, floats(2, 3), dynamic_axes={"x": {0: "n"}})
    with pytest.raises(OnnxExporterError, match="cannot be dynamic.*shape|cannot be dynamic.*size"):
        export(net(), floats(2, 3), dynamic_axes={"input": {1: "features"}})
    with pytest.raises(OnnxExporterError, match="has a constant that changes with the size"):
        export(lambda x: x + fb.tensor(np.random.default_rng(0).random(x.shape[0]))[:, None], floats(2, 3), dynamic_axes={"x": {0: "n"}})


def test_sizes_that_a_model_only_takes_in_multiples_are_told(exported):
    def halves(x):
        if x.shape[1] % 2:
            raise ValueError("odd")
        return x.reshape(-1, x.shape[1] // 2, 2).sum(2)
    with pytest.warns(UserWarning, match=r"sizes of \['w'\] that are multiples of 32 away.*odd"):
        exported(halves, floats(2, 6), floats(2, 38), dynamic_axes={"x": {1: "w"}})


def test_unknown_axes_are_warned_about():
    with pytest.warns(UserWarning, match="Provided key y for dynamic axes is not a valid input/output name"):
        export(net(), floats(2, 3), dynamic_axes={"y": {0: "n"}, "out": {0: "n"}}, output_names=["out"])


# ------------------------------------------------------------------ arguments, files and options

class Keywords(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(fb.tensor(2.0))

    def forward(self, x, *rest, flag=False, other=None):
        total = x * self.scale + sum(rest)
        return (total - other, total) if flag else total


def test_keyword_arguments_become_inputs(exported):
    program = export(Keywords(), (floats(2, 3), floats(2, 3)), kwargs={"flag": True, "other": floats(3)})
    assert [i.name for i in program.model_proto.graph.input] == ["x", "rest_1", "other"]
    got = program(floats(2, 3), floats(2, 3), flag=True, other=floats(3))
    wanted = Keywords()(floats(2, 3), floats(2, 3), flag=True, other=floats(3))
    for a, b in zip(wanted, got):
        assert fb.allclose(a, b)
    last = export(Keywords(), (floats(2, 3), {"other": floats(3), "flag": True}))
    assert [i.name for i in last.model_proto.graph.input] == ["x", "other"]


def test_inputs_that_nothing_reads_and_results_that_nothing_computes(exported):
    proto = exported(lambda x, unused: (x, x, x + 0, fb.ones(2)), (floats(2), floats(3)))
    assert [i.name for i in proto.graph.input] == ["x", "unused"]
    assert len(proto.graph.output) == 4


def test_files(tmp_path):
    pytest.importorskip("onnxruntime")  # which verifies it
    model = nn.Linear(40, 30)
    program = export(model, floats(2, 40), tmp_path / "model.onnx", verify=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert (tmp_path / "model.onnx").stat().st_size < 3000
    loaded = onnx.load(tmp_path / "model.onnx")
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in loaded.graph.initializer}
    assert np.array_equal(weights["weight"], model.weight.detach().numpy())
    export(model, floats(2, 40), str(tmp_path / "one.onnx"), external_data=False)
    export(model, floats(2, 40), str(tmp_path / "old.onnx"), dynamo=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data", "old.onnx", "one.onnx"]
    assert "ONNXProgram" in repr(program)
    with pytest.raises(OnnxExporterError, match="need a path"):
        program.save(io.BytesIO(), external_data=True)


def test_weights_as_inputs():
    plain, both, out = (export(net(), floats(2, 3), **options).model_proto.graph for options in (
        {}, {"keep_initializers_as_inputs": True}, {"export_params": False}))
    names = ["input", "0.weight", "0.bias", "2.weight", "2.bias"]
    assert [i.name for i in plain.input] == ["input"] and [i.name for i in both.input] == names == [i.name for i in out.input]
    assert len(plain.initializer) == len(both.initializer) == 4 and not out.initializer


def test_modes(exported):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).train()
    seen = []
    model.register_forward_hook(lambda *_: seen.append((is_in_onnx_export(), model.training)))
    before = model[1].running_mean.clone()
    fb.manual_seed(3)
    for training, operator in ((TrainingMode.EVAL, "BatchNormalization"), (TrainingMode.TRAINING, "ReduceSum")):
        proto = export(model, floats(4, 3), training=training).model_proto
        assert operator in operators(proto)
    assert set(seen) == {(True, False), (True, True)} and model.training and not is_in_onnx_export()
    assert fb.equal(model[1].running_mean, before)
    drawn = fb.rand(1)
    fb.manual_seed(3)
    assert fb.equal(drawn, fb.rand(1))
    assert export(model.eval(), floats(4, 3), training=TrainingMode.PRESERVE).model_proto.graph.node[-1].op_type == "BatchNormalization"


def test_the_model_is_left_as_it_was():
    model = net()
    model[0].calls = fb.zeros(())
    model.register_forward_pre_hook(lambda module, args: module[0].calls.add_(1) and None)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    wanted = model(floats(2, 3))
    with pytest.raises(OnnxExporterError):
        export(model, floats(2, 3))  # the hook's condition looks at a value
    model._forward_pre_hooks.clear()
    export(model, floats(2, 3))
    assert fb.equal(model(floats(2, 3)), wanted)
    assert all(fb.equal(v, before[k]) for k, v in model.state_dict().items())
    loss = model(floats(2, 3)).sum()
    loss.backward()
    assert model[0].weight.grad is not None


@pytest.mark.parametrize("body", [
    lambda x: x * 2 if x.sum() > 0 else x, lambda x: x * x.mean().item(), lambda x: x[x > 0], lambda x: x + float(x.numpy()[0, 0]),
    lambda x: x.nonzero(), fb.linalg.inv])
def test_models_that_look_at_values_are_refused(body):
    with pytest.raises(OnnxExporterError, match="looks at the values of a tensor"):
        export(body, floats(3, 3))
    assert fb.equal(fb.ones(2) + 1, fb.full((2,), 2.0))  # and recording goes on as before


def test_errors():
    x = floats(2, 3)
    with pytest.raises(OnnxExporterError, match="computes 'random_bits'|computes 'random"):
        export(nn.Dropout(0.5), x, training=TrainingMode.TRAINING)
    with pytest.raises(OnnxExporterError, match="no tensors of torch.complex64"):
        export(lambda x: x.to(fb.complex64), x)
    with pytest.raises(OnnxExporterError, match="computes 'fft"):
        export(fb.fft.fft, x)
    with pytest.raises(OnnxExporterError, match="returns no tensor"):
        export(lambda x: 3, x)
    for options in ({"opset_version": 9}, {"opset_version": 1000}, {"input_names": ["a", "b"]}, {"output_names": ["a", "b"]},
                    {"report": True}, {"dynamic_shapes": {"zz": {0: "n"}}}, {"dynamic_shapes": [None, None]}):
        with pytest.raises(ValueError, match=".+"):
            export(net(), x, **options)
