"""Every layer against PyTorch's: text, state, seeded initial values, outputs and gradients, in training and evaluation.

LAYERS says how each is made and on which inputs it is tried: shapes of normal values, or `Drawn(shape, kind)`.
"""
import warnings
from typing import NamedTuple

import numpy as np
import pytest

import flambeau

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # PyTorch's own
torch = pytest.importorskip("torch")

class Drawn(NamedTuple):
    """Values of a kind: "below n" (integers), "unit" (between 0 and 1), "signs" (±1), "probabilities",
    "log-probabilities"; or the values themselves."""

    shape: tuple
    kind: object

    def draw(self, r):
        if not isinstance(self.kind, str):
            return np.asarray(self.kind)
        kind, _, n = self.kind.partition(" ")
        if kind == "below":
            return r.integers(0, int(n), self.shape)
        if kind == "unit":
            return r.random(self.shape).astype(np.float32) * 0.98 + 0.01
        if kind == "signs":
            return np.where(r.random(self.shape) < 0.5, -1.0, 1.0).astype(np.float32)
        values = np.exp(r.standard_normal(self.shape))
        values /= values.sum(-1, keepdims=True)
        return (values if kind == "probabilities" else np.log(values)).astype(np.float32)


def drawn(spec, r):
    return spec.draw(r) if isinstance(spec, Drawn) else r.standard_normal(spec).astype(np.float32)


IMAGES, SIGNALS, VOLUMES = (2, 4, 7, 6), (2, 4, 9), (2, 4, 5, 6, 5)

ACTIVATIONS = ["nn.ELU(0.7)", "nn.Hardshrink()", "nn.Hardsigmoid()", "nn.Hardtanh(-0.5, 1.5)", "nn.Hardswish()",
               "nn.LeakyReLU(0.2)", "nn.LogSigmoid()", "nn.PReLU()", "nn.PReLU(4, init=0.1)", "nn.ReLU()", "nn.ReLU6()",
               "nn.RReLU(0.2, 0.2)", "nn.SELU()", "nn.CELU(0.8)", "nn.GELU()", "nn.GELU('tanh')", "nn.Sigmoid()", "nn.SiLU()",
               "nn.Mish()", "nn.Softplus(2, 3)", "nn.Softshrink(0.3)", "nn.Softsign()", "nn.Tanh()", "nn.Tanhshrink()",
               "nn.Threshold(0.1, 20)", "nn.GLU(1)", "nn.Softmin(1)", "nn.Softmax(2)", "nn.LogSoftmax(-1)",
               "nn.Identity(54, unused=3)", "nn.Flatten()", "nn.Flatten(0, 1)", "nn.Unflatten(1, (2, 2))",
               "nn.LocalResponseNorm(2)", "nn.GroupNorm(2, 4)", "nn.GroupNorm(4, 4, affine=False)",
               "nn.InstanceNorm1d(4)", "nn.InstanceNorm1d(4, affine=True, track_running_stats=True)",
               "nn.BatchNorm1d(4)", "nn.BatchNorm1d(4, affine=False)", "nn.BatchNorm1d(4, momentum=None)",
               "nn.BatchNorm1d(4, track_running_stats=False, bias=False)", "nn.SyncBatchNorm(4)", "nn.LayerNorm(9)",
               "nn.LayerNorm((4, 9), bias=False)", "nn.LayerNorm([4, 9], elementwise_affine=False, eps=1e-3)",
               "nn.RMSNorm(9)", "nn.RMSNorm([4, 9], eps=1e-4, elementwise_affine=False)", "nn.ChannelShuffle(2)",
               "nn.Dropout(0.4)", "nn.AlphaDropout(0.3)", "nn.FeatureAlphaDropout(0.3)", "nn.Dropout1d(0.5)",
               "nn.Linear(9, 5)", "nn.Linear(9, 3, bias=False)", "nn.LazyLinear(5)", "nn.Conv1d(4, 6, 3)",
               "nn.Conv1d(4, 6, 3, padding='same', dilation=2, padding_mode='circular')",
               "nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1)", "nn.LazyConv1d(6, 3)",
               "nn.LazyConvTranspose1d(3, 2)", "nn.LazyBatchNorm1d()", "nn.LazyInstanceNorm1d(affine=True)",
               "nn.MaxPool1d(3, 2)", "nn.AvgPool1d(3, 2, 1)", "nn.LPPool1d(2, 3)", "nn.AdaptiveAvgPool1d(4)",
               "nn.AdaptiveMaxPool1d(4)", "nn.CircularPad1d(2)", "nn.ConstantPad1d((1, 2), 3.5)",
               "nn.ReflectionPad1d((2, 1))", "nn.ReplicationPad1d(2)", "nn.ZeroPad1d((1, -2))",
               "nn.Upsample(scale_factor=2)", "nn.Upsample(5, mode='linear')",
               "nn.Sequential(nn.Conv1d(4, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))"]

ON_IMAGES = ["nn.Softmax2d()", "nn.Conv2d(4, 6, 3)",
             "nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)",
             "nn.Conv2d(4, 3, 3, bias=False, padding='valid')", "nn.Conv2d(4, 4, 3, padding='same')",
             "nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode='reflect')",
             "nn.Conv2d(4, 6, 3, padding=1, padding_mode='replicate')",
             "nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2, dilation=2)",
             "nn.LazyConv2d(6, 3, groups=2)", "nn.LazyConvTranspose2d(2, 3, bias=False)", "nn.BatchNorm2d(4)",
             "nn.LazyBatchNorm2d()", "nn.InstanceNorm2d(4, affine=True)", "nn.LazyInstanceNorm2d()", "nn.MaxPool2d(2)",
             "nn.MaxPool2d(3, 2, 1, ceil_mode=True)", "nn.MaxPool2d((3, 2), return_indices=True)", "nn.AvgPool2d(2)",
             "nn.AvgPool2d(3, 2, 1, count_include_pad=False)", "nn.AvgPool2d(3, divisor_override=2)",
             "nn.LPPool2d(2, (2, 3), ceil_mode=True)", "nn.AdaptiveAvgPool2d((3, None))", "nn.AdaptiveMaxPool2d(3)",
             "nn.AdaptiveMaxPool2d((2, 5), return_indices=True)", "nn.FractionalMaxPool2d(2, output_size=(3, 3))",
             "nn.FractionalMaxPool2d(3, output_ratio=0.6, return_indices=True)", "nn.CircularPad2d((1, 1, 2, 0))",
             "nn.ConstantPad2d(1, -2)", "nn.ReflectionPad2d(2)", "nn.ReplicationPad2d((1, 1, 2, 0))",
             "nn.ZeroPad2d((1, 1, 2, 0))", "nn.PixelShuffle(2)", "nn.Unfold((2, 3), dilation=2, padding=1, stride=2)",
             "nn.Upsample(scale_factor=(2, 1.5))", "nn.Upsample((5, 9), mode='bilinear')",
             "nn.Upsample(scale_factor=2, mode='bicubic', align_corners=True)",
             "nn.UpsamplingNearest2d(scale_factor=2)", "nn.UpsamplingBilinear2d((9, 8))", "nn.Dropout2d(0.5)"]

ON_VOLUMES = ["nn.Conv3d(4, 2, 3, stride=2, padding=1)", "nn.ConvTranspose3d(4, 2, 2, stride=2)", "nn.LazyConv3d(2, 2)",
              "nn.LazyConvTranspose3d(2, 2)", "nn.BatchNorm3d(4)", "nn.LazyBatchNorm3d()", "nn.InstanceNorm3d(4)",
              "nn.LazyInstanceNorm3d()", "nn.MaxPool3d(2)", "nn.AvgPool3d(2, 1)", "nn.LPPool3d(1, 2)",
              "nn.AdaptiveAvgPool3d(2)", "nn.AdaptiveMaxPool3d((2, 3, None))",
              "nn.FractionalMaxPool3d(2, output_size=3)", "nn.CircularPad3d(1)", "nn.ConstantPad3d(1, 0.5)",
              "nn.ReflectionPad3d(1)", "nn.ReplicationPad3d((1, 0, 2, 1, 0, 1))", "nn.ZeroPad3d(1)",
              "nn.Upsample(scale_factor=2, mode='trilinear')", "nn.Dropout3d(0.5)"]

OTHERS = [("nn.Bilinear(3, 4, 5)", (2, 3), (2, 4)), ("nn.Bilinear(3, 4, 5, bias=False)", (2, 6, 3), (2, 6, 4)),
          ("nn.CosineSimilarity()", (3, 5), (3, 5)), ("nn.PairwiseDistance(1, keepdim=True)", (3, 5), (3, 5)),
          ("nn.Fold((5, 6), (2, 3), padding=1)", (2, 12, 36)), ("nn.PixelUnshuffle(2)", (2, 3, 4, 6)),
          ("nn.Embedding(7, 3)", Drawn((2, 5), "below 7")),
          ("nn.Embedding(7, 3, padding_idx=-2, max_norm=1.1, norm_type=1.5, scale_grad_by_freq=True)",
           Drawn((2, 5), "below 7")), ("nn.EmbeddingBag(7, 3)", Drawn((2, 5), "below 7")),
          ("nn.EmbeddingBag(7, 3, mode='sum', padding_idx=1)", Drawn((6,), "below 7"), Drawn((), [0, 2, 5])),
          ("nn.EmbeddingBag(7, 3, mode='max')", Drawn((4, 3), "below 7")),
          ("nn.MaxUnpool2d(2)", (1, 1, 2, 2), Drawn((), [[[[0, 3], [9, 14]]]])),
          ("nn.MaxUnpool1d(2)", (1, 1, 2), Drawn((), [[[1, 2]]])),
          ("nn.MaxUnpool3d(2)", (1, 1, 1, 1, 2), Drawn((), [[[[[1, 10]]]]])), ("nn.RNNCell(5, 3)", (2, 5)),
          ("nn.RNNCell(5, 3, nonlinearity='relu', bias=False)", (2, 5), (2, 3)), ("nn.GRUCell(5, 3)", (2, 5), (2, 3)),
          ("nn.LSTMCell(5, 3)", (5,)), ("nn.RNN(5, 3)", (4, 2, 5)),
          ("nn.RNN(5, 3, 2, 'relu', batch_first=True, bidirectional=True)", (2, 4, 5), (4, 2, 3)),
          ("nn.LSTM(5, 3, 2)", (4, 2, 5)), ("nn.LSTM(5, 4, bidirectional=True, proj_size=2, bias=False)", (4, 2, 5)),
          ("nn.LSTM(5, 3, 2, dropout=0.4)", (4, 5)),
          ("nn.GRU(5, 3, 2, batch_first=True, bidirectional=True)", (2, 4, 5)), ("nn.GRU(5, 3)", (4, 5), (1, 3)),
          ("nn.MultiheadAttention(8, 2)", (5, 3, 8), (4, 3, 8), (4, 3, 8)),
          ("nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True, dropout=0.2)",
           (3, 5, 8), (3, 4, 8), (3, 4, 8)),
          ("nn.MultiheadAttention(8, 4, kdim=3, vdim=5, bias=False)", (5, 3, 8), (4, 3, 3), (4, 3, 5)),
          ("nn.TransformerEncoderLayer(8, 2, 16)", (5, 3, 8)),
          ("nn.TransformerEncoderLayer(8, 2, 16, 0.0, 'gelu', norm_first=True, batch_first=True, bias=False)",
           (3, 5, 8)), ("nn.TransformerDecoderLayer(8, 2, 16)", (5, 3, 8), (4, 3, 8)),
          ("nn.TransformerDecoderLayer(8, 2, 16, norm_first=True)", (5, 3, 8), (4, 3, 8)),
          ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8))",
           (3, 5, 8)), ("nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2)", (5, 3, 8), (4, 3, 8)),
          ("nn.Transformer(8, 2, 1, 2, 16, batch_first=True)", (3, 5, 8), (3, 4, 8)),
          ("nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 9], div_value=2.0)", (6, 8), Drawn((6,), "below 20")),
          ("nn.AdaptiveLogSoftmaxWithLoss(8, 20, [15], head_bias=True)", (8,), Drawn((), 17)),
          ("nn.DataParallel(nn.Linear(3, 2))", (4, 3))]

LOSSES = [("nn.L1Loss()", (3, 4), (3, 4)), ("nn.MSELoss(reduction='sum')", (3, 4), (3, 4)),
          ("nn.CrossEntropyLoss()", (3, 4), Drawn((3,), "below 4")),
          ("nn.CrossEntropyLoss(t.tensor([0.1, 2.0, 0.7, 1.0]), ignore_index=1, label_smoothing=0.1)", (3, 4),
           Drawn((3,), "below 4")), ("nn.CrossEntropyLoss(reduction='none')", (2, 4, 3), Drawn((2, 3), "below 4")),
          ("nn.CrossEntropyLoss()", (3, 4), Drawn((3, 4), "probabilities")),
          ("nn.NLLLoss(t.tensor([0.1, 2.0, 0.7, 1.0]))", (3, 4), Drawn((3,), "below 4")),
          ("nn.PoissonNLLLoss(full=True)", (3, 4), Drawn((3, 4), "below 5")),
          ("nn.GaussianNLLLoss(full=True)", (3, 4), (3, 4), Drawn((3, 1), "unit")),
          ("nn.KLDivLoss(reduction='batchmean')", Drawn((3, 4), "log-probabilities"), Drawn((3, 4), "probabilities")),
          ("nn.KLDivLoss(reduction='sum', log_target=True)", Drawn((3, 4), "log-probabilities"),
           Drawn((3, 4), "log-probabilities")), ("nn.BCELoss()", Drawn((3, 4), "unit"), Drawn((3, 4), "unit")),
          ("nn.BCEWithLogitsLoss(pos_weight=t.tensor([0.1, 2.0, 0.7, 1.0]))", (3, 4), Drawn((3, 4), "unit")),
          ("nn.HingeEmbeddingLoss(0.5)", (3, 4), Drawn((3, 4), "signs")), ("nn.SmoothL1Loss(beta=0.5)", (3, 4), (3, 4)),
          ("nn.HuberLoss(delta=0.3)", (3, 4), (3, 4)), ("nn.SoftMarginLoss()", (3, 4), Drawn((3, 4), "signs")),
          ("nn.MultiLabelMarginLoss()", (3, 4), Drawn((), [[3, 0, -1, 1], [1, -1, 2, 0], [0, 1, 2, 3]])),
          ("nn.MultiLabelSoftMarginLoss()", (3, 4), Drawn((3, 4), "unit")),
          ("nn.CosineEmbeddingLoss(0.2)", (3, 4), (3, 4), Drawn((3,), "signs")),
          ("nn.MarginRankingLoss(0.3)", (5,), (5,), Drawn((5,), "signs")),
          ("nn.MultiMarginLoss(2, 0.7, t.tensor([0.1, 2.0, 0.7, 1.0]))", (3, 4), Drawn((3,), "below 4")),
          ("nn.TripletMarginLoss(swap=True)", (3, 4), (3, 4), (3, 4)),
          ("nn.TripletMarginWithDistanceLoss(margin=0.5)", (3, 4), (3, 4), (3, 4)),
          ("nn.CTCLoss()", Drawn((6, 2, 5), "log-probabilities"), Drawn((), [[1, 2, 3], [4, 1, 2]]), Drawn((), [6, 5]),
           Drawn((), [3, 2])), ("nn.LinearCrossEntropyLoss(4, 5)", (3, 4), Drawn((3,), "below 4"))]

LAYERS = [(text, SIGNALS) for text in ACTIVATIONS] + [(text, IMAGES) for text in ON_IMAGES] + \
    [(text, VOLUMES) for text in ON_VOLUMES] + OTHERS + LOSSES

# layers whose function is not there yet: they are tried as soon as it is
NEEDS = {"Upsampl": "interpolate", "Pixel": "pixel_shuffle", "ChannelShuffle": "channel_shuffle", "CTCLoss": "ctc_loss"}

IDS = [f"{text} {' '.join(str(x.kind if isinstance(x, Drawn) else x) for x in inputs)}" for text, *inputs in LAYERS]


def made(module, text):
    module.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(text, {"nn": module.nn, "t": module})


def tensors(module, arrays):
    """The arrays as tensors that require a gradient, but for integers and signs."""
    made = [module.from_numpy(array.copy()) if array.ndim else module.tensor(array.item()) for array in arrays]
    return [x.requires_grad_() if array.dtype == np.float32 and (array != np.sign(array)).any() else x
            for x, array in zip(made, arrays)]


def flat(output):
    """The tensors of an output, in order."""
    if isinstance(output, (tuple, list)):
        return [tensor for item in output for tensor in flat(item)]
    return [] if output is None else [output]


def same(ours, theirs, what):
    assert tuple(ours.shape) == tuple(theirs.shape), what
    assert str(ours.dtype) == str(theirs.dtype), what
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=2e-6, err_msg=what)


def run(module, layer, arrays):
    """Output tensors, and gradients of inputs and parameters, of one call after a fixed seed."""
    inputs = tensors(module, arrays)
    layer.zero_grad()
    module.manual_seed(4)
    outputs = flat(layer(*inputs))
    differentiable = [x for x in outputs if x.requires_grad]
    if differentiable:
        weights = [np.random.default_rng(7).standard_normal(tuple(x.shape)).astype(np.float32) for x in differentiable]
        sum((x * module.from_numpy(np.asarray(w))).sum() for x, w in zip(differentiable, weights)).backward()
    return outputs, [("input", x.grad) for x in inputs] + [(name, p.grad) for name, p in layer.named_parameters()]


def compare(ours, theirs, arrays):
    results = [run(module, layer, arrays) for module, layer in ((flambeau, ours), (torch, theirs))]
    (our_outputs, our_grads), (their_outputs, their_grads) = results
    assert len(our_outputs) == len(their_outputs)
    for a, b in zip(our_outputs, their_outputs):
        assert a.requires_grad == b.requires_grad
        same(a, b, "output")
    for (name, a), (_, b) in zip(our_grads, their_grads):
        assert (a is None) == (b is None), name
        if a is not None:
            same(a, b, f"gradient of {name}")


@pytest.mark.parametrize("record", LAYERS, ids=IDS)
def test_layer(record):
    text, *inputs = record
    for name, function in NEEDS.items():
        if name in text and not hasattr(flambeau.nn.functional, function):
            pytest.skip(f"nn.functional lacks {function}")
    r = np.random.default_rng(len(text))
    arrays = [drawn(spec, r) for spec in inputs]
    ours, theirs = made(flambeau, text), made(torch, text)
    assert repr(ours) == repr(theirs)
    if hasattr(theirs, "__constants__"):
        assert ours.__constants__ == theirs.__constants__
    if "Lazy" not in text:
        compare_state(ours, theirs)
    compare(ours, theirs, arrays)
    assert repr(ours) == repr(theirs)
    compare_state(ours, theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours.eval(), theirs.eval()
    compare(ours, theirs, arrays)


@pytest.mark.parametrize("text", [text for text, *_ in LAYERS if "Lazy" not in text])
def test_initial_values_and_reset_parameters(text):
    layers = [made(module, text) for module in (flambeau, torch)]
    if not hasattr(layers[1], "reset_parameters"):
        assert not hasattr(layers[0], "reset_parameters")
        return
    compare_state(*layers)
    for module, layer in zip((flambeau, torch), layers):
        module.manual_seed(11)
        layer.reset_parameters()
    compare_state(*layers)
    assert flambeau.rand(3).tolist() == torch.rand(3).tolist()  # as much was drawn


def compare_state(ours, theirs):
    our_state, their_state = ours.state_dict(), theirs.state_dict()
    assert list(our_state) == list(their_state)
    assert dict(our_state._metadata) == dict(their_state._metadata)
    for name in our_state:
        same(our_state[name], their_state[name], name)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    public = [{name for name in vars(layer) if not name.startswith("_")} for layer in (ours, theirs)]
    assert public[0] == public[1]


def test_every_layer_is_recorded():
    named = " ".join(text for text, *_ in LAYERS)
    bases = {"Module", "Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "RNNBase",
             "RNNCellBase", "NLLLoss2d", "LinearCrossEntropyOptions"}
    missing = [name for name in flambeau.nn.modules.__all__ if name not in bases and f"nn.{name}(" not in named]
    assert missing == []


@pytest.mark.parametrize("shapes", [((4, 5), (5, 2)), ((4, 5), (4, 2)), ((4, 5), ()), ((5,), (2,)), ((5,), (1,)), ((5,), (1, 1)), ((4, 5, 2), (4,)),
                                    ((4, 5, 2), (3,)), ((4, 5, 2), (4, 3)), ((4, 5, 2, 2), (4, 2)), ((4, 5, 2, 2), (4, 2, 3)),
                                    ((4, 5, 2, 2), (3,)), ((4, 5), (3,)), ((), ())])
def test_class_numbers_of_another_shape(shapes):
    scores, labels = shapes
    said = []
    for t in (torch, flambeau):
        try:
            said.append(tuple(t.nn.functional.cross_entropy(t.zeros(scores), t.zeros(labels, dtype=t.int64)).shape))
        except (RuntimeError, ValueError) as error:
            said.append((type(error), str(error).partition("\n")[0]))
    assert said[0] == said[1]
