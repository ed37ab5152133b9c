"""Schedules against PyTorch's: rates, momenta, warnings and state dicts, step by step."""
import copy
import warnings

import pytest

import flambeau

torch = pytest.importorskip("torch")

SCHEDULES = [
    ("LambdaLR", dict(lr_lambda=lambda e: 0.95**e)),
    ("LambdaLR", dict(lr_lambda=[lambda e: 1 / (e + 1), lambda e: 0.5])),
    ("MultiplicativeLR", dict(lr_lambda=lambda e: 0.9)),
    ("StepLR", dict(step_size=3)),
    ("StepLR", dict(step_size=1, gamma=0.5)),
    ("MultiStepLR", dict(milestones=[2, 5, 5, 7], gamma=0.3)),
    ("ConstantLR", {}),
    ("ConstantLR", dict(factor=0.5, total_iters=3)),
    ("LinearLR", {}),
    ("LinearLR", dict(start_factor=0.1, end_factor=0.7, total_iters=6)),
    ("ExponentialLR", dict(gamma=0.9)),
    ("CosineAnnealingLR", dict(T_max=4)),
    ("CosineAnnealingLR", dict(T_max=10, eta_min=0.01)),
    ("PolynomialLR", {}),
    ("PolynomialLR", dict(total_iters=8, power=2.0)),
    ("CosineAnnealingWarmRestarts", dict(T_0=3)),
    ("CosineAnnealingWarmRestarts", dict(T_0=2, T_mult=2, eta_min=0.001)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.1, step_size_up=3)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=[0.1, 0.2], step_size_up=2, step_size_down=3, mode="triangular2")),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.1, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.1, step_size_up=2, scale_fn=lambda x: 1 / x, base_momentum=0.7)),
    ("OneCycleLR", dict(max_lr=0.1, total_steps=12)),
    ("OneCycleLR", dict(max_lr=[0.1, 0.2], epochs=3, steps_per_epoch=4, anneal_strategy="linear", three_phase=True)),
    ("OneCycleLR", dict(max_lr=0.1, total_steps=12, cycle_momentum=False, pct_start=0.5, div_factor=10.0)),
]


def optimizer_of(t, name="SGD"):
    options = dict(lr=0.1, momentum=0.9) if name == "SGD" else dict(lr=0.1)
    xs = [t.ones(2, requires_grad=True), t.ones(3, requires_grad=True)]
    return getattr(t.optim, name)([{"params": xs[:1]}, {"params": xs[1:], "lr": 0.02}], **options)


def options_of(optimizer):
    return [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def plain(state):
    return {k: plain(v) if isinstance(v, dict) else [plain(s) if isinstance(s, dict) else s for s in v] if isinstance(v, list) else v
            for k, v in state.items()}


@pytest.mark.parametrize("method", ["SGD", "Adam"])
@pytest.mark.parametrize("name, options", SCHEDULES)
def test_schedule(name, options, method):
    pairs = []
    for t in (torch, flambeau):
        o = optimizer_of(t, method)
        pairs.append((o, getattr(t.optim.lr_scheduler, name)(o, **copy.copy(options))))
    (want, ws), (got, gs) = pairs
    for _ in range(11):
        assert options_of(got) == options_of(want)
        assert gs.get_last_lr() == ws.get_last_lr()
        assert list(gs.state_dict().items()) == list(ws.state_dict().items())
        for o, s in pairs:
            o.step()
            s.step()


@pytest.mark.parametrize("name, options", [s for s in SCHEDULES if s[0] not in ("CyclicLR", "OneCycleLR")])
def test_given_epochs_and_resumption(name, options):
    pairs = []
    for t in (torch, flambeau):
        o = optimizer_of(t)
        pairs.append((o, getattr(t.optim.lr_scheduler, name)(o, **options)))
    for epoch in (0, 3, 7, 4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _, s in pairs:
                s.step(epoch)
        assert options_of(pairs[0][0]) == options_of(pairs[1][0])
    resumed = [getattr(t.optim.lr_scheduler, name)(o, **options, last_epoch=5) for t, (o, _) in zip((torch, flambeau), pairs)]
    assert resumed[0].get_last_lr() == resumed[1].get_last_lr()
    for (o, _), s in zip(pairs, resumed):
        o.step()
        s.step()
    assert resumed[0].get_last_lr() == resumed[1].get_last_lr()


@pytest.mark.filterwarnings("ignore:Detected call")  # a chain within a sequence counts its first step twice, in PyTorch too
@pytest.mark.parametrize("kind", ["sequential", "chained", "nested"])
def test_composites(kind):
    def make(t):
        o, s = optimizer_of(t), t.optim.lr_scheduler
        parts = [s.LinearLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 5)]
        if kind == "sequential":
            return o, s.SequentialLR(o, parts, [3, 6])
        chained = s.ChainedScheduler(parts[:2])
        return o, chained if kind == "chained" else s.SequentialLR(o, [chained, parts[2]], [4])
    pairs = [make(torch), make(flambeau)]
    for _ in range(10):
        assert options_of(pairs[0][0]) == options_of(pairs[1][0])
        assert pairs[0][1].get_last_lr() == pairs[1][1].get_last_lr()
        assert pairs[0][1].state_dict() == pairs[1][1].state_dict()
        for o, s in pairs:
            o.step()
            s.step()
    o, fresh = make(flambeau)
    fresh.load_state_dict(pairs[1][1].state_dict())
    assert fresh.state_dict() == pairs[1][1].state_dict()


@pytest.mark.parametrize("mode, threshold_mode", [("min", "rel"), ("min", "abs"), ("max", "rel"), ("max", "abs")])
def test_plateau(mode, threshold_mode):
    pairs = []
    for t in (torch, flambeau):
        o = optimizer_of(t)
        pairs.append((o, t.optim.lr_scheduler.ReduceLROnPlateau(o, mode, 0.5, patience=1, threshold=0.01, threshold_mode=threshold_mode,
                                                               cooldown=1, min_lr=[0.01, 0.02])))
    for m in (1.0, 0.9, 0.899, 0.898, 0.95, 0.94, 1.5, 1.6, 1.7, 1.7, 1.7, 0.1, 0.1, 0.1, 0.1):
        for _, s in pairs:
            s.step(m)
        assert options_of(pairs[0][0]) == options_of(pairs[1][0])
        assert list(pairs[0][1].state_dict().items()) == list(pairs[1][1].state_dict().items())


@pytest.mark.parametrize("name, options", SCHEDULES)
def test_state_dicts_load(name, options):
    runs = []
    for t in (torch, flambeau):
        o = optimizer_of(t)
        s = getattr(t.optim.lr_scheduler, name)(o, **options)
        for _ in range(4):
            o.step()
            s.step()
        state = s.state_dict()
        other = optimizer_of(t)
        fresh = getattr(t.optim.lr_scheduler, name)(other, **options)
        other.load_state_dict(o.state_dict())
        fresh.load_state_dict(copy.deepcopy(state))
        other.step()
        fresh.step()
        runs.append((options_of(other), fresh.state_dict()))
    assert runs[0] == runs[1]


def outcome(t, act):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            act(t, t.optim.lr_scheduler, optimizer_of(t))
            raised = None
        except Exception as e:
            raised = type(e), str(e)
    return raised, [(w.category, str(w.message), w.filename == __file__) for w in caught]


def twice(s):
    s.step()
    s.step()


@pytest.mark.parametrize("act", [
    lambda t, s, o: twice(s.StepLR(o, 2)),
    lambda t, s, o: s.StepLR(o, 2).get_lr(),
    lambda t, s, o: s.StepLR(o, 2, last_epoch=3),
    lambda t, s, o: s.StepLR(3, 2),
    lambda t, s, o: s.StepLR(o, 2).step(1),
    lambda t, s, o: s.LambdaLR(o, [lambda e: 1]),
    lambda t, s, o: s.MultiplicativeLR(o, 3),
    lambda t, s, o: s.ConstantLR(o, 2.0),
    lambda t, s, o: s.LinearLR(o, 0.0),
    lambda t, s, o: s.LinearLR(o, 0.5, 2.0),
    lambda t, s, o: s.SequentialLR(o, [], []),
    lambda t, s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]),
    lambda t, s, o: s.SequentialLR(o, [3], []),
    lambda t, s, o: s.ChainedScheduler([]),
    lambda t, s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
    lambda t, s, o: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(optimizer_of(t), 1)]),
    lambda t, s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda t, s, o: s.ReduceLROnPlateau(o, mode="mean"),
    lambda t, s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda t, s, o: s.ReduceLROnPlateau(o, min_lr=[1]),
    lambda t, s, o: s.CyclicLR(o, 0.1, [1.0]),
    lambda t, s, o: s.CyclicLR(o, 0.1, 1.0, mode="x"),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 1, 0),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 1, eta_min="a"),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 1).step(-1),
    lambda t, s, o: s.OneCycleLR(o, 0.1),
    lambda t, s, o: s.OneCycleLR(o, 0.1, total_steps=0),
    lambda t, s, o: s.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=-1),
    lambda t, s, o: s.OneCycleLR(o, 0.1, 4, pct_start=2.0),
    lambda t, s, o: s.OneCycleLR(o, 0.1, 4, anneal_strategy="x"),
    lambda t, s, o: [x.step() for x in [s.OneCycleLR(o, 0.1, 2)] * 4],
])
def test_errors_and_warnings(act):
    assert outcome(flambeau, act) == outcome(torch, act)


def test_rates_that_are_tensors_are_filled():
    for name, options in [("ExponentialLR", dict(gamma=0.5)), ("CosineAnnealingLR", dict(T_max=4)), ("StepLR", dict(step_size=1))]:
        rates = []
        for t in (torch, flambeau):
            lr = t.tensor(0.5)
            o = t.optim.SGD([t.ones(2, requires_grad=True)], lr=lr)
            s = getattr(t.optim.lr_scheduler, name)(o, **options)
            o.step()
            s.step()
            assert o.param_groups[0]["lr"] is lr
            rates.append(lr.item())
        assert rates[0] == pytest.approx(rates[1], rel=1e-6)
