"""nn.utils against PyTorch's."""
import pytest

import flambeau


def test_clip_grad(agree):
    agree("""
    from types import SimpleNamespace
    def params():
        torch.manual_seed(1)
        ps = [torch.zeros(n, requires_grad=True) for n in ((3,), (2, 2), ())] + [torch.zeros(2)]
        for p in ps[:3]:
            p.grad = torch.randn(p.shape)
        return ps
    for norm in (2, 1, 3.0, float("inf"), 0.5, 0):
        ps = params()
        total = nn.utils.clip_grad_norm_(ps, 1.5, norm)
        print("%.4f" % total.item(), ["%.4f" % x for p in ps[:3] for x in p.grad.flatten().tolist()])
    ps = params()
    print("%.4f" % nn.utils.clip_grad_norm_(ps[1], 100.0), "%.4f" % nn.utils.get_total_norm([p.grad for p in ps[:3]]))
    nn.utils.clip_grad_value_(ps, 0.4)
    print(ps[0].grad, ps[1].grad)
    nn.utils.clip_grads_with_norm_(ps, 0.1, torch.tensor(1.0))
    print(ps[0].grad)
    print(nn.utils.clip_grad_norm_([], 1.0), nn.utils.clip_grad_norm_((p for p in []), 1.0),
          nn.utils.clip_grad_norm_(ps[3], 1.0))
    ps[0].grad[0] = float("nan")
    tried(lambda: nn.utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True))
    print(nn.utils.clip_grad_norm_(ps, 1.0))
    half = torch.zeros(2, dtype=torch.float16, requires_grad=True)
    half.grad = torch.ones(2, dtype=torch.float16) * 3
    print(nn.utils.clip_grad_norm_([half], 1.0), half.grad)
    nn.utils.clip_grad_norm(params(), 1.0)
    """)


def test_convert_parameters(agree):
    agree("""
    m = nn.Linear(3, 2)
    v = nn.utils.parameters_to_vector(m.parameters())
    print(v.shape, v.requires_grad)
    new = torch.arange(8.0)
    nn.utils.vector_to_parameters(new, m.parameters())
    print(m.weight, m.bias)
    tried(lambda: nn.utils.vector_to_parameters([1.0], m.parameters()))
    """)


def test_fusion(agree):
    agree("""
    x = torch.randn(2, 3, 6, 5)
    for conv, transpose in ((nn.Conv2d(3, 4, 3, bias=False), False), (nn.ConvTranspose2d(3, 4, 2), True)):
        bn = nn.BatchNorm2d(4)
        pair = nn.Sequential(conv, bn)
        pair(x)
        nn.init.uniform_(bn.weight), nn.init.uniform_(bn.bias)
        tried(lambda: nn.utils.fuse_conv_bn_eval(conv, bn))
        pair.eval()
        fused = nn.utils.fuse_conv_bn_eval(conv, bn, transpose)
        print(fused, torch.allclose(fused(x), pair(x), atol=1e-5), type(fused.weight).__name__,
              fused.bias.requires_grad)
    linear, bn = nn.Linear(3, 4), nn.BatchNorm1d(4)
    bn(torch.randn(5, 4))
    tried(lambda: nn.utils.fuse_linear_bn_eval(linear, bn))
    y = torch.randn(5, 3)
    pair = nn.Sequential(linear, bn).eval()
    print(torch.allclose(nn.utils.fuse_linear_bn_eval(linear, bn)(y), pair(y), atol=1e-5))
    tried(lambda: nn.utils.fuse_linear_bn_eval(linear, nn.BatchNorm1d(3).eval()))
    """)


def test_skip_init(agree):
    agree("""
    before = torch.get_rng_state()
    m = nn.utils.skip_init(nn.Linear, 3, 4, bias=False)
    print(m, m.weight.shape, torch.equal(torch.get_rng_state(), before))
    tried(lambda: nn.utils.skip_init(nn.ReLU))
    """)


def test_old_normalisations(agree):
    agree("""
    import warnings
    x = torch.randn(4, 3)
    for dim in (0, 1, None):
        m = nn.utils.weight_norm(nn.Linear(3, 5), dim=dim)
        print([(n, tuple(p.shape)) for n, p in m.named_parameters()], "%.4f" % m(x).double().sum())
        m(x).sum().backward()
        print("%.4f %.4f" % (m.weight_g.grad.double().sum(), m.weight_v.grad.double().abs().sum()))
        tried(lambda: nn.utils.weight_norm(m, dim=dim))
        print(nn.utils.remove_weight_norm(m), [n for n, p in m.named_parameters()], "%.4f" % m(x).double().sum())
        tried(lambda: nn.utils.remove_weight_norm(m))
    torch.manual_seed(2)
    for layer, y in ((nn.Linear(3, 5), x), (nn.ConvTranspose1d(2, 3, 2), torch.randn(1, 2, 4))):
        m = nn.utils.spectral_norm(layer, n_power_iterations=2)
        print(m, list(m.state_dict()), m.state_dict()._metadata[""])
        for _ in range(2):
            print("%.4f" % m(y).double().abs().sum())
        m(y).sum().backward()
        print("%.4f" % m.weight_orig.grad.double().abs().sum(), "%.4f" % m.eval()(y).double().abs().sum())
        tried(lambda: nn.utils.spectral_norm(m))
        m.load_state_dict(m.state_dict())
        print(nn.utils.remove_spectral_norm(m), list(m.state_dict()), len(m._state_dict_hooks))
        tried(lambda: nn.utils.remove_spectral_norm(m))
    """)


def test_parametrize(agree):
    agree("""
    import copy
    import torch.nn.utils.parametrize as real
    P = nn.utils.parametrize
    class Symmetric(nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).T
    class Double(nn.Module):
        def forward(self, X):
            return 2 * X
        def right_inverse(self, X):
            return X / 2
    class Split(nn.Module):
        def forward(self, a, b):
            return a + b
        def right_inverse(self, X):
            return X * 0.25, X * 0.75
    m = nn.Linear(3, 3)
    weight = m.weight
    print(P.is_parametrized(m), P.register_parametrization(m, "weight", Symmetric()) is m)
    print(m, type(m).__name__, P.type_before_parametrizations(m).__name__, P.is_parametrized(m, "bias"),
          list(m.state_dict()))
    print(torch.equal(m.weight, m.weight.T), m.parametrizations.weight.original is weight, m.weight is m.weight)
    with P.cached():
        print(m.weight is m.weight)
    m(torch.ones(2, 3)).sum().backward()
    print(weight.grad)
    P.register_parametrization(m, "weight", Double())
    tried(lambda: setattr(m, "weight", torch.ones(3, 3)))
    P.register_parametrization(m, "bias", Double())
    m.bias = torch.ones(3)
    print(m.bias, m.parametrizations.bias.original)
    twin = copy.deepcopy(m)
    print(torch.equal(twin.weight, m.weight), type(twin).__name__, twin.parametrizations.weight.original is weight)
    tried(lambda: __import__("pickle").dumps(m))
    P.remove_parametrizations(m, "bias", leave_parametrized=False)
    print(m.bias)
    P.remove_parametrizations(m, "weight")
    print(m, type(m) is nn.Linear, torch.equal(m.weight, m.weight.T), m.weight is weight)
    tried(lambda: P.remove_parametrizations(m, "weight"))
    tried(lambda: P.register_parametrization(m, "none", Double()))
    s = P.register_parametrization(nn.Linear(2, 2), "weight", Split())
    print(s, list(s.state_dict()), s.parametrizations.weight.ntensors)
    s.weight = torch.ones(2, 2)
    print(s.weight, s.parametrizations.weight.original0)
    tried(lambda: P.remove_parametrizations(s, "weight", leave_parametrized=False))
    print(type(P.remove_parametrizations(s, "weight").weight).__name__)
    class Wrong(nn.Module):
        def __init__(self, f):
            super().__init__()
            self.f = f
        def forward(self, X):
            return self.f(X)
    for f in (lambda X: X.double(), lambda X: X[:1], lambda X: 3):
        plain = nn.Linear(2, 2)
        tried(lambda: P.register_parametrization(plain, "weight", Wrong(f)))
        print(list(plain.state_dict()))
        tried(lambda: P.register_parametrization(P.register_parametrization(plain, "weight", Double()), "weight",
                                                 Wrong(f)))
    a, b = P.register_parametrization(nn.Linear(2, 2), "weight", Double()), nn.Linear(2, 2)
    P.transfer_parametrizations_and_params(a, b)
    print(b, b.parametrizations.weight.original is a.parametrizations.weight.original)
    """.replace("    import torch.nn.utils.parametrize as real\n", ""))


def test_parametrizations(agree):
    agree("""
    P = nn.utils.parametrizations
    x = torch.randn(4, 3)
    for dim in (0, 1, None):
        m = P.weight_norm(nn.Linear(3, 5), dim=dim)
        print(m, [(n, tuple(p.shape)) for n, p in m.named_parameters()], "%.4f" % m(x).double().sum())
        m(x).sum().backward()
        print("%.4f" % m.parametrizations.weight.original0.grad.double().sum())
    old = nn.Linear(3, 5)
    state = {"weight_g": torch.ones(5, 1), "weight_v": torch.ones(5, 3), "bias": torch.zeros(5)}
    m = P.weight_norm(nn.Linear(3, 5))
    print(m.load_state_dict(state), m.weight)
    torch.manual_seed(3)
    for layer, y in ((nn.Linear(3, 5), x), (nn.ConvTranspose1d(2, 3, 2), torch.randn(1, 2, 4))):
        m = P.spectral_norm(layer, n_power_iterations=2)
        print(m, list(m.state_dict()), torch.linalg.matrix_norm(m.weight.flatten(1), 2) < 1.1)
        for _ in range(2):
            print("%.4f" % m(y).double().abs().sum())
        print("%.4f" % m.eval()(y).double().abs().sum())
    tried(lambda: P.spectral_norm(nn.Linear(2, 2), n_power_iterations=0))
    tried(lambda: P.spectral_norm(nn.Linear(2, 2), dim=5))
    tried(lambda: P.spectral_norm(nn.ReLU()))
    print(P.spectral_norm(nn.Linear(2, 2), "bias").bias.norm())
    """)


def test_orthogonal(agree):
    if not hasattr(flambeau, "geqrf"):
        pytest.skip("geqrf is not there yet")
    agree("""
    P = nn.utils.parametrizations
    def close(a, b):
        return torch.allclose(a, b, atol=1e-5)
    for shape in ((4, 4), (3, 5), (5, 3)):
        for kind in (None, "cayley", "matrix_exp", "householder"):
            torch.manual_seed(1)
            m = P.orthogonal(nn.Linear(*shape), orthogonal_map=kind)
            w = m.weight
            small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
            print(shape, kind, m, list(m.state_dict()), close(small, torch.eye(min(shape))), "%.3f" % w.double().sum())
            m(torch.ones(2, shape[0])).sum().backward()
            print("%.3f" % m.parametrizations.weight.original.grad.double().abs().sum())
            with torch.no_grad():
                m.weight = torch.linalg.qr(torch.randn(max(shape), min(shape)))[0].reshape(w.shape) if shape == (4, 4) else w
            print(close(m.weight, w) or shape == (4, 4))
    q = P.orthogonal(nn.Linear(3, 5), use_trivialization=False)
    print(close(q.weight.T @ q.weight, torch.eye(3)), list(q.state_dict()))
    tried(lambda: P.orthogonal(nn.Linear(3, 3), "bias"))
    tried(lambda: P.orthogonal(nn.Linear(3, 3), orthogonal_map="x"))
    tried(lambda: P.orthogonal(nn.ReLU()))
    tried(lambda: setattr(P.orthogonal(nn.Linear(3, 3)), "weight", torch.ones(2, 2)))
    """)


def test_stateless(agree):
    agree("""
    S = __import__(nn.__name__ + ".utils.stateless", fromlist=["x"])
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    x = torch.ones(3, 2)
    new = {"0.weight": torch.zeros(2, 2), "0.bias": torch.ones(2)}
    before = m[0].weight
    print(S.functional_call(m, new, x).shape, m[0].weight is before, list(m._modules))
    w = torch.eye(2, requires_grad=True)
    S.functional_call(tied, {"0.weight": w, "0.bias": torch.zeros(2), "1.bias": torch.zeros(2)}, (x,)).sum().backward()
    print(w.grad)
    tried(lambda: S.functional_call(tied, {"0.weight": w, "1.weight": w * 2}, (x,)))
    tried(lambda: S.functional_call(tied, {"0.weight": w, "2.weight": w}, (x,), strict=True))
    stats = {"1.running_mean": torch.zeros(2)}
    S.functional_call(m, stats, x)
    print(stats["1.running_mean"].abs().sum() > 0, m[1].running_mean)
    tried(lambda: S.functional_call(nn.DataParallel(m), {}, x))
    """)


def test_prune(agree):
    agree("""
    prune = __import__(nn.__name__ + ".utils.prune", fromlist=["x"])
    for name in ("l1_unstructured", "random_unstructured"):
        for amount in (0.3, 4, 0.0, 1.0):
            m = getattr(prune, name)(nn.Linear(4, 3), "weight", amount)
            print(name, amount, m.weight_mask, torch.equal(m.weight, m.weight_orig * m.weight_mask))
    print(list(m.state_dict()), [n for n, p in m.named_parameters()], prune.is_pruned(m))
    for dim in (0, 1, -1):
        print(prune.ln_structured(nn.Linear(4, 3), "weight", 0.5, 2, dim).weight_mask)
        print(prune.random_structured(nn.Conv1d(2, 3, 4), "weight", 1, dim).weight_mask)
    m = prune.identity(nn.Linear(4, 3), "weight")
    prune.l1_unstructured(m, "weight", 0.25)
    prune.ln_structured(m, "weight", 1, float("inf"), 0)
    prune.random_unstructured(m, "weight", 2)
    print(m.weight_mask, [type(h).__name__ for h in m._forward_pre_hooks.values()])
    container = list(m._forward_pre_hooks.values())[0]
    print(len(container), [type(x).__name__ for x in container], type(container[0]).__name__)
    m(torch.ones(2, 4)).sum().backward()
    print(m.weight_orig.grad)
    print(prune.remove(m, "weight"), [n for n, p in m.named_parameters()], int((m.weight == 0).sum()),
          prune.is_pruned(m))
    print(prune.custom_from_mask(nn.Linear(2, 2), "bias", torch.tensor([0, 1])).bias_mask)
    print(prune.l1_unstructured(nn.Linear(2, 2), "weight", 2,
                                importance_scores=torch.arange(4.0).view(2, 2)).weight_mask)
    a, b = nn.Linear(3, 2), nn.Linear(2, 3)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=5)
    print(a.weight_mask, b.weight_mask)
    print(prune.L1Unstructured(2).prune(torch.tensor([3.0, -1.0, 2.0, 0.5])))
    for amount in (-1, 1.5, "x"):
        tried(lambda: prune.l1_unstructured(nn.Linear(2, 2), "weight", amount))
    broken = nn.Linear(2, 2)
    tried(lambda: prune.l1_unstructured(broken, "weight", 9))
    print(sorted(n for n, p in broken.named_parameters()))
    tried(lambda: prune.ln_structured(nn.Linear(2, 2), "bias", 1, 2, 0))
    tried(lambda: prune.ln_structured(nn.Linear(2, 2), "weight", 1, 2, 7))
    tried(lambda: prune.remove(nn.Linear(2, 2), "weight"))
    tried(lambda: prune.global_unstructured([(a, "bias")], prune.LnStructured, amount=1, n=2))
    """)


def test_sequences(agree):
    agree("""
    R = nn.utils.rnn
    a, b, c = torch.arange(6.0).view(3, 2), torch.ones(1, 2), torch.zeros(4, 2)
    print(R.pad_sequence([a, b, c]), R.pad_sequence([a, b], True, -1.0), R.pad_sequence([a, b], padding_side="left"))
    print(R.unpad_sequence(R.pad_sequence([a, b]), torch.tensor([3, 1])))
    x = R.pad_sequence([a, b, c])
    packed = R.pack_padded_sequence(x, [3, 1, 4], enforce_sorted=False)
    print(packed)
    print(R.pad_packed_sequence(packed), R.pad_packed_sequence(packed, True, 7.0, total_length=5))
    print(R.pack_padded_sequence(x.transpose(0, 1), torch.tensor([4, 3, 1]), batch_first=True))
    print(R.pack_sequence([c, a, b]), R.unpack_sequence(R.pack_sequence([a, b, c], enforce_sorted=False)))
    print(packed.double().data.dtype, packed.to(torch.float32) is packed, packed.is_cuda, type(packed).__name__,
          packed.cpu() is packed)
    print(R.invert_permutation(torch.tensor([2, 0, 1])), R.invert_permutation(None))
    leaf = x.clone().requires_grad_()
    R.pad_packed_sequence(R.pack_padded_sequence(leaf, [3, 1, 4], enforce_sorted=False))[0].sum().backward()
    print(leaf.grad)
    for lengths in ([1, 3, 4], [4, 3], [4, 3, 0]):
        tried(lambda: R.pack_padded_sequence(x, lengths))
    tried(lambda: R.pad_packed_sequence(packed, total_length=2))
    tried(lambda: R.pad_sequence([]))
    tried(lambda: R.pad_sequence(3))
    torch.manual_seed(0)
    for layer in (nn.RNN(2, 3), nn.LSTM(2, 3, 2, bidirectional=True), nn.GRU(2, 3, batch_first=True)):
        out, state = layer(packed)
        state = state if isinstance(state, tuple) else (state,)
        print(type(out).__name__, out.data.shape, "%.4f" % out.data.double().sum(),
              ["%.4f" % s.double().sum() for s in state])
        zeros = [s * 0 for s in state]
        again, _ = layer(packed, zeros[0] if len(zeros) == 1 else tuple(zeros))
        print(torch.allclose(out.data, again.data))
    """)


def test_messages_of_layers(agree):
    agree("""
    for make in (lambda: nn.Conv2d(3, 4, 3, groups=2), lambda: nn.Conv2d(4, 3, 3, groups=2),
                 lambda: nn.Conv2d(1, 1, 3, groups=0), lambda: nn.Conv2d(1, 1, 3, padding="same", stride=2),
                 lambda: nn.ConvTranspose2d(1, 1, 2, padding_mode="reflect"),
                 lambda: nn.ConvTranspose1d(1, 1, 2, stride=2)(torch.ones(1, 1, 3), output_size=[9]),
                 lambda: nn.ConvTranspose1d(1, 1, 2, stride=2)(torch.ones(1, 1, 3), output_size=[9, 9]),
                 lambda: nn.Dropout(1.5), lambda: nn.Hardtanh(1, 0), lambda: nn.GroupNorm(2, 3),
                 lambda: nn.BatchNorm1d(3)(torch.ones(3)), lambda: nn.BatchNorm2d(3)(torch.ones(3, 3)),
                 lambda: nn.BatchNorm3d(3)(torch.ones(3, 3)), lambda: nn.SyncBatchNorm(3)(torch.ones(3)),
                 lambda: nn.InstanceNorm1d(3)(torch.ones(3)),
                 lambda: nn.InstanceNorm1d(3, affine=True)(torch.ones(2, 4, 5)), lambda: nn.Unflatten(1, 3),
                 lambda: nn.Unflatten(1, (2, 1.5)), lambda: nn.Embedding(3, 2, padding_idx=3),
                 lambda: nn.Embedding(3, 2, _weight=torch.ones(2, 2)),
                 lambda: nn.Embedding.from_pretrained(torch.ones(2)), lambda: nn.EmbeddingBag(3, 2, padding_idx=-4),
                 lambda: nn.CircularPad1d(1)(torch.ones(1)), lambda: nn.Softmax2d()(torch.ones(2)),
                 lambda: nn.FractionalMaxPool2d(2), lambda: nn.FractionalMaxPool2d(2, 2, 0.5),
                 lambda: nn.FractionalMaxPool2d(2, output_ratio=2), lambda: nn.FractionalMaxPool3d(0, 2),
                 lambda: nn.MultiheadAttention(0, 2), lambda: nn.MultiheadAttention(5, 2),
                 lambda: nn.HuberLoss(delta="x"), lambda: nn.MultiMarginLoss(3),
                 lambda: nn.MultiMarginLoss(weight=torch.ones(2, 2)), lambda: nn.TripletMarginLoss(-1),
                 lambda: nn.TripletMarginWithDistanceLoss(margin=0), lambda: nn.Bilinear(0, 1, 1),
                 lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, []), lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3, 2]),
                 lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3])(torch.ones(2, 4), torch.tensor([1, 10])),
                 lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3])(torch.ones(2, 4), torch.tensor([1])),
                 lambda: nn.RNN(3, 4, nonlinearity="x"), lambda: nn.RNN(3, 4, proj_size=2),
                 lambda: nn.LSTM(3, 4, proj_size=4), lambda: nn.LSTM(0, 4), lambda: nn.LSTM(3, 0),
                 lambda: nn.LSTM(3.0, 4), lambda: nn.GRU(3, 4, 0), lambda: nn.GRU(3, 4, dropout=2),
                 lambda: nn.GRU(3, 4, bias=1), lambda: nn.LSTM(3, 4)(torch.ones(3)),
                 lambda: nn.RNN(3, 4)(torch.ones(3)), lambda: nn.LSTM(3, 4)(torch.ones(2, 3, 5)),
                 lambda: nn.LSTM(3, 4)(torch.ones(2, 3, 3).double()),
                 lambda: nn.LSTM(3, 4)(torch.ones(2, 3, 3), (torch.ones(1, 2, 4), torch.ones(1, 3, 4))),
                 lambda: nn.LSTM(3, 4)(torch.ones(2, 3), (torch.ones(1, 2, 4), torch.ones(1, 3, 4))),
                 lambda: nn.GRU(3, 4)(torch.ones(2, 3, 3), torch.ones(2, 4)),
                 lambda: nn.GRU(3, 4)(torch.ones(2, 3, 3), torch.ones(2, 3, 4)),
                 lambda: nn.RNNCell(3, 4)(torch.ones(1, 1, 3)),
                 lambda: nn.LSTMCell(3, 4)(torch.ones(3), (torch.ones(1, 1, 4), torch.ones(4))),
                 lambda: nn.GRUCell(3, 4)(torch.ones(3), torch.ones(1, 1, 4)),
                 lambda: nn.RNNCell(3, 4, nonlinearity="x")(torch.ones(3)), lambda: nn.RNNBase("x", 3, 4),
                 lambda: nn.Transformer(4, 2, 1, 1, 4)(torch.ones(2, 3, 4), torch.ones(2, 2, 4)),
                 lambda: nn.Transformer(4, 2, 1, 1, 4)(torch.ones(2, 3, 5), torch.ones(2, 3, 4)),
                 lambda: nn.TransformerEncoderLayer(4, 2, activation="x"), lambda: nn.factory_kwargs({"x": 1}),
                 lambda: nn.factory_kwargs({"device": 1, "factory_kwargs": {"device": 2}}),
                 lambda: nn.factory_kwargs({"dtype": 1, "factory_kwargs": {"device": 2}})):
        tried(lambda: type(make()).__name__ if not isinstance(make(), dict) else sorted(make()))
    print(nn.L1Loss(size_average=False).reduction, nn.L1Loss(reduce=False).reduction,
          nn.MSELoss(size_average=True).reduction)
    nn.NLLLoss2d(), nn.Hardtanh(min_value=-2, max_value=3), nn.LSTM(3, 4, dropout=0.5)
    print(nn.Transformer.generate_square_subsequent_mask(3))
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 4, batch_first=True), 2).eval()
    with torch.no_grad():
        padding = torch.tensor([[False, False, True], [False, False, False]])
        print(encoder(torch.ones(2, 3, 4), src_key_padding_mask=padding)[0, 2])
    nn.TransformerEncoder(nn.TransformerEncoderLayer(3, 1, 4), 1)
    print(nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.BatchNorm2d(2)))))
    ad = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3, 5])
    x = torch.randn(6, 4)
    print("%.4f" % ad.log_prob(x).double().sum(), ad.predict(x))
    """)


def test_merged_masks(agree):
    agree("""
    m, x = nn.MultiheadAttention(4, 2), torch.ones(2, 3, 4)
    square, padding = torch.zeros(3, 3).masked_fill(torch.ones(3, 3).triu(1).bool(), float("-inf")), torch.zeros(2, 3)
    for masks in ((None, None), (None, padding), (square, None), (square, padding), (square.expand(4, 3, 3), padding)):
        mask, kind = m.merge_masks(*masks, x)
        print(kind, mask)
    """)
