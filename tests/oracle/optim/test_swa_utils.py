"""Averaged models, batch norm statistics and the SWA schedule against PyTorch's."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
STATES = [{"0.weight": RNG.standard_normal((2, 3)), "0.bias": RNG.standard_normal(2)} for _ in range(4)]
BATCHES = [RNG.standard_normal((5, 3)).astype("float32") for _ in range(4)]
AVERAGES = {
    "mean": lambda u: {},
    "swa": lambda u: dict(avg_fn=u.get_swa_avg_fn()),
    "swa multi": lambda u: dict(multi_avg_fn=u.get_swa_multi_avg_fn()),
    "ema": lambda u: dict(avg_fn=u.get_ema_avg_fn(0.9)),
    "ema multi": lambda u: dict(multi_avg_fn=u.get_ema_multi_avg_fn(0.5)),
    "own": lambda u: dict(avg_fn=lambda a, x, n: 0.1 * a + 0.9 * x),
}


def model_of(t):
    return t.nn.Sequential(t.nn.Linear(3, 2), t.nn.BatchNorm1d(2))


@pytest.mark.parametrize("kind, use_buffers", [(k, b) for k in AVERAGES for b in (False, True) if (k, b) != ("swa multi", True)])
def test_averaged_model(kind, use_buffers):
    states = []
    for t in (torch, flambeau):
        model, utils = model_of(t), t.optim.swa_utils
        averaged = utils.AveragedModel(model, use_buffers=use_buffers, **AVERAGES[kind](utils))
        for state, batch in zip(STATES, BATCHES):
            model.load_state_dict({k: t.tensor(v) for k, v in state.items()}, strict=False)
            model(t.tensor(batch))
            averaged.update_parameters(model)
        utils.update_bn([(t.tensor(b), 0) for b in BATCHES[:2]], averaged) if not use_buffers else None
        averaged.eval()
        states.append((averaged(t.tensor(BATCHES[0])).detach(), averaged.state_dict(), averaged.module[1].momentum))
    (want, want_state, wm), (got, got_state, gm) = states
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)
    assert list(got_state) == list(want_state) and gm == wm
    for name in want_state:
        assert str(got_state[name].dtype) == str(want_state[name].dtype)
        np.testing.assert_allclose(got_state[name].numpy(), want_state[name].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [dict(swa_lr=0.05), dict(swa_lr=[0.05, 0.3], anneal_strategy="linear", anneal_epochs=4),
                                     dict(swa_lr=0.01, anneal_epochs=0)])
def test_schedule(options):
    runs = []
    for t in (torch, flambeau):
        o = t.optim.SGD([{"params": [t.ones(1, requires_grad=True)]}, {"params": [t.ones(2, requires_grad=True)], "lr": 0.2}], lr=0.1)
        s = t.optim.swa_utils.SWALR(o, **options)
        rates = []
        for _ in range(12):
            rates.append(s.get_last_lr())
            o.step()
            s.step()
        runs.append((rates, list(s.state_dict().items())))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("act", [
    lambda t, u, o: u.get_swa_multi_avg_fn()([t.tensor([3])], [t.tensor([4])], t.tensor(1)),
    lambda t, u, o: u.SWALR(o, [0.1, 0.2]),
    lambda t, u, o: u.SWALR(o, 0.1, anneal_strategy="x"),
    lambda t, u, o: u.SWALR(o, 0.1, anneal_epochs=-1),
    lambda t, u, o: u.get_ema_avg_fn(2.0),
    lambda t, u, o: u.get_ema_multi_avg_fn(-1.0),
    lambda t, u, o: u.AveragedModel(model_of(t), avg_fn=max, multi_avg_fn=max),
])
def test_errors(act):
    caught = []
    for t in (torch, flambeau):
        with pytest.raises((ValueError, AssertionError, RuntimeError)) as e:
            act(t, t.optim.swa_utils, t.optim.SGD([t.ones(1, requires_grad=True)], lr=0.1))
        caught.append((e.type, str(e.value)))
    assert caught[0] == caught[1]
