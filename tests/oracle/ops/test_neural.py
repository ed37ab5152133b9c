"""Functions of `torch.*` about layers, whose arguments differ from those of `torch.nn.functional`, and control flow."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("call", [
    "batch_norm(z, p[0, :3], None, None, None, True, 0.1, 1e-5, True)", "batch_norm(x[:1], None, None, None, None, True, 0.1, 1e-5, False)",
    "batch_norm(z, None, p[0, :3], u[0, :3].detach(), p[1, :3].detach(), False, 0.1, 1e-5, True)",
    "instance_norm(z, None, None, None, None, True, 0.1, 1e-5, True)", "group_norm(z, 3, p[0, :3], None, 1e-5)",
    "layer_norm(x, (4,), p[0], u[0], 1e-5, True)", "embedding(x, j)", "embedding(x, j, 2)", "embedding(x, j, -1)",
    "conv_tbc(z, y.reshape(1, 4, 3), v[:3])", "conv_tbc(z, y[:2, :].reshape(2, 4, 1), v[:1], 1)", "conv_tbc(x, y, v)", "conv_tbc(z, z, v)",
    "native_channel_shuffle(z, 3)", "dropout(x, 0.5, False)", "dropout(x, 0.0, True)", "dropout(x, 1.0, True)", "feature_dropout(z, 1.0, True)",
    "alpha_dropout(x, 0.5, False)", "feature_alpha_dropout(z, 0.0, True)", "softmax(x, 1)", "softmax(x, None)", "log_softmax(x, 0)",
    "softmax(e, 5)", "softmax(e, 1)", "softmax(x.float(), -1, dtype=t.float64)", "hinge_embedding_loss(x, y.sign().detach())", "margin_ranking_loss(x, y, y.sign().detach())",
    "triplet_margin_loss(x, y, x * 2)",
    "kl_div(x, u)", "kl_div(x, u, 1)", "kl_div(x, u, 0, log_target=True)", "kl_div(x, u, 2)", "margin_ranking_loss(x, y, ties.sign().detach(), 0.1, 0)",
    "hinge_embedding_loss(x, y.sign().detach(), 1.0, 2)", "cosine_embedding_loss(x, y, t.ones(3).to(x.dtype), 0.1)",
    "poisson_nll_loss(x, p.detach(), True, False, 1e-8, 1)", "triplet_margin_loss(x, y, x * 2, 1.0, 2.0, 1e-6, False, 0)",
    "ctc_loss(z.log_softmax(2), t.tensor([[1, 2]] * 3), t.tensor([2] * 3), t.tensor([1] * 3), 0, 0, True)",
    "gradient(x)", "constant_pad_nd(x, (1, 1), 2.0)", "constant_pad_nd(x, (1, -1))",
    "nn.functional.linear_cross_entropy(x, y, i[:3])", "nn.functional.linear_cross_entropy(x, y, u[:, :3].detach(), label_smoothing=0.1)",
    "nn.functional.linear_cross_entropy(x, y, i[:3], linear_bias=v[:3], weight=p[0, :3].detach(), reduction='sum', ignore_index=1)",
    "nn.functional.linear_cross_entropy(x, z.transpose(0, 1), t.tensor([[0, 1]] * 3), reduction='none')",
])
def test_functions(agree, call):
    agree("t." + call)


@pytest.mark.parametrize("call", [
    "sym_int(3.7)", "sym_int(-3.7)", "sym_int(True)", "sym_float(3)", "sym_max(1, 2.0)", "sym_max(2, 1.0)", "sym_min(1, 2)", "sym_not(3)",
    "sym_sum([1, 2.5])", "sym_sum(1, 2, 3)", "sym_ite(True, 1, 2)", "sym_ite(True, 1, 2.0)", "get_deterministic_debug_mode()",
])
def test_numbers(call):
    def run(module):
        try:
            result = eval("t." + call, {"t": module})
            return type(result), result
        except Exception as error:
            return type(error)
    assert run(flambeau) == run(torch)


def test_control_flow():
    x = flambeau.tensor([1.0, 2.0])
    assert flambeau.cond(x.sum() > 2, lambda a: a + 1, lambda a: a - 1, (x,)).tolist() == [2.0, 3.0]
    assert flambeau.cond(False, lambda a: a + 1, lambda a: a - 1, [x]).tolist() == [0.0, 1.0]
    with pytest.raises(RuntimeError, match="bool or single-element tensor"):
        flambeau.cond(x > 1, lambda: 1, lambda: 2)
    i, total = flambeau.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (flambeau.tensor(0), flambeau.tensor(0)))
    assert (int(i), int(total)) == (4, 6)


@pytest.mark.parametrize("mode", ["default", "warn", "error", 0, 1, 2, 3, "x"])
def test_deterministic_debug_mode(mode):
    def run(module):
        try:
            module.set_deterministic_debug_mode(mode)
            return (module.get_deterministic_debug_mode(), module.are_deterministic_algorithms_enabled(),
                    module.is_deterministic_algorithms_warn_only_enabled())
        except Exception as error:
            return type(error), str(error)
        finally:
            module.set_deterministic_debug_mode(0)
    assert run(flambeau) == run(torch)


def test_tensors_in_files(tmp_path):
    name = str(tmp_path / "numbers")
    np.arange(4, dtype=np.float32).tofile(name)
    private = flambeau.from_file(name, size=3)
    private.add_(10)
    shared = flambeau.from_file(name, True, 4)
    assert (private.tolist(), shared.tolist()) == ([10, 11, 12], [0, 1, 2, 3])
    shared[1] = 7
    shared.mul_(2)
    assert np.fromfile(name, np.float32).tolist() == [0, 14, 4, 6] and private.tolist() == [10, 11, 12]
    flambeau.from_file(str(tmp_path / "new"), shared=True, size=2, dtype=flambeau.int64).fill_(3)
    assert np.fromfile(tmp_path / "new", np.int64).tolist() == [3, 3]
    for arguments in ((str(tmp_path / "none"), False, 2), (name, False, 99)):
        with pytest.raises(RuntimeError, match="unable to mmap"):
            flambeau.from_file(*arguments)


def test_native_batch_norm_writes_into_given_tensors():
    found = []
    for t in (torch, flambeau):
        outs = t.empty(2, 3, 4), t.empty(3), t.empty(3)
        given = t.native_batch_norm(t.arange(24.0).reshape(2, 3, 4).sin(), None, None, None, None, True, 0.1, 1e-5, out=outs)
        assert all(a is b for a, b in zip(given, outs))
        found.append([o.tolist() for o in outs])
    for want, got in zip(*found):
        torch.testing.assert_close(torch.tensor(got), torch.tensor(want))
