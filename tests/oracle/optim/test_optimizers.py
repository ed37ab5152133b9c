"""Every optimizer against PyTorch's: ten steps over a grid of options, state dicts, repr, errors."""
import copy

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

DECAYS = [dict(weight_decay=0.1), dict(maximize=True)]
GRID = {
    "SGD": [{}, dict(lr=0.1, momentum=0.9, nesterov=True), dict(momentum=0.9, dampening=0.5, weight_decay=0.1), dict(maximize=True)],
    "Adam": [{}, dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3), dict(amsgrad=True, lr=0.05), *DECAYS],
    "AdamW": [{}, dict(lr=0.1, weight_decay=0.5), dict(amsgrad=True, maximize=True)],
    "Adadelta": [{}, dict(lr=0.5, rho=0.5, eps=1e-3), *DECAYS],
    "Adagrad": [{}, dict(lr=0.5, lr_decay=0.1, initial_accumulator_value=0.3, eps=1e-3), *DECAYS],
    "Adamax": [{}, dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3), *DECAYS],
    "ASGD": [{}, dict(lr=0.1, lambd=0.1, alpha=0.5, t0=3), *DECAYS],
    "NAdam": [{}, dict(lr=0.1, betas=(0.5, 0.9), momentum_decay=0.1), *DECAYS, dict(weight_decay=0.1, decoupled_weight_decay=True)],
    "RAdam": [{}, dict(lr=0.1, betas=(0.5, 0.9)), *DECAYS, dict(weight_decay=0.1, decoupled_weight_decay=True)],
    "RMSprop": [{}, dict(lr=0.1, alpha=0.5, eps=1e-3), dict(momentum=0.9), dict(centered=True),
                dict(momentum=0.5, centered=True, weight_decay=0.1), *DECAYS],
    "Adafactor": [{}, dict(lr=0.1, beta2_decay=-0.5, eps=(1e-3, 1e-2), d=2.0), *DECAYS],
    "Rprop": [{}, dict(lr=0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.2)), dict(maximize=True)],
}
CASES = [(name, options) for name, grid in GRID.items() for options in grid]
RNG = np.random.default_rng(0)
START = [RNG.standard_normal((3, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(5)]
PUSH = [RNG.standard_normal(a.shape) for a in START]


def as_tensors(t, dtype):
    return [t.tensor(a).to(getattr(t, dtype)) for a in START], [t.tensor(a).to(getattr(t, dtype)) for a in PUSH]


def loss_of(xs, push, i):
    """A bowl with a push that turns around, so that signs of gradients change."""
    return sum(((x * x).sum() * 0.5 + (x * a).sum() * (-1.0) ** i).abs() for x, a in zip(xs, push))


def train(t, name, options, steps=10, dtype="float32", optimizer=None, xs=None):
    starts, push = as_tensors(t, dtype)
    if xs is None:
        xs = [x.requires_grad_() for x in starts]
    o = optimizer or getattr(t.optim, name)([{"params": xs[:1]}, {"params": xs[1:], "lr": 0.03}], **options)
    for i in range(steps):
        o.zero_grad()
        loss_of(xs, push, i).backward()
        o.step()
    return xs, o


def values(t):
    return t.detach().to(dtype=flambeau.float64 if isinstance(t, flambeau.Tensor) else torch.float64).numpy()


def assert_same(got, want, rtol=2e-5, atol=2e-6):
    """Equal structures: tensors to a tolerance, all else exactly, keys in order."""
    if isinstance(want, torch.Tensor):
        assert str(got.dtype) == str(want.dtype) and tuple(got.shape) == tuple(want.shape)
        if want.is_complex():
            return assert_same([got.real, got.imag], [want.real, want.imag], rtol, atol)
        np.testing.assert_allclose(values(got), values(want), rtol=rtol, atol=atol)
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for k in want:
            assert_same(got[k], want[k], rtol, atol)
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want):
            assert_same(a, b, rtol, atol)
    else:
        assert got == want and type(got) is type(want)


@pytest.mark.parametrize("name, options", CASES)
def test_ten_steps(name, options):
    (want, wo), (got, go) = train(torch, name, options), train(flambeau, name, options)
    assert repr(go) == repr(wo)
    assert_same(got, want)
    assert_same(go.state_dict(), wo.state_dict())


@pytest.mark.parametrize("name", GRID)
def test_float64(name):
    (want, wo), (got, go) = train(torch, name, {}, dtype="float64"), train(flambeau, name, {}, dtype="float64")
    assert_same(got, want, 1e-6, 1e-9)
    assert_same(go.state_dict(), wo.state_dict(), 1e-6, 1e-9)


@pytest.mark.parametrize("name", [n for n in GRID if n not in ("SGD", "Adam", "AdamW", "Adafactor")])
def test_complex(name):
    options = dict(initial_accumulator_value=0.5) if name == "Adagrad" else {}
    want, got = [train(t, name, options, steps=5, dtype="complex64") for t in (torch, flambeau)]
    assert_same(got[0], want[0])
    assert_same(got[1].state_dict(), want[1].state_dict())


@pytest.mark.parametrize("name, options", [(name, grid[1]) for name, grid in GRID.items()])
def test_state_dicts_resume(name, options):
    """Five steps, a new optimizer from the state dict, five more: as ten steps."""
    want, _ = train(flambeau, name, options)
    xs, o = train(flambeau, name, options, steps=4)
    state = copy.deepcopy(o.state_dict())
    fresh = getattr(flambeau.optim, name)([{"params": xs[:1]}, {"params": xs[1:]}], **options)
    fresh.load_state_dict(state)
    got, _ = train(flambeau, name, options, steps=6, optimizer=fresh, xs=xs)
    for a, b in zip(got, want):
        np.testing.assert_allclose(values(a), values(b), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", GRID)
def test_changed_and_tensor_rates(name):
    runs = []
    for t in (torch, flambeau):
        x = t.tensor([1.0, -2.0], requires_grad=True)
        o = getattr(t.optim, name)([x], lr=t.tensor(0.1))
        for i in range(4):
            o.zero_grad()
            (x * x).sum().backward()
            o.step()
            o.param_groups[0]["lr"] = t.tensor(0.1 / (i + 1)) if i % 2 else 0.2
        runs.append(x)
    assert_same(runs[1], runs[0])


def outcome(t, name, options):
    try:
        getattr(t.optim, name)([t.ones(2, 2, requires_grad=True)], **options)
    except Exception as e:
        return type(e), str(e)
    return None


@pytest.mark.parametrize("options", [dict(lr=-1.0), dict(eps=-1.0), dict(weight_decay=-1.0), dict(betas=(1.0, 0.9)), dict(betas=(0.9, -1)),
                                     dict(rho=2.0), dict(momentum=-1.0), dict(alpha=-1.0), dict(etas=(1.0, 1.2)), dict(lr_decay=-1.0),
                                     dict(initial_accumulator_value=-1), dict(momentum_decay=-1), dict(fused=True, foreach=True)])
@pytest.mark.parametrize("name", [n for n in GRID if n not in ("SGD", "Adam", "AdamW")])
def test_errors(name, options):
    want = outcome(torch, name, options)
    if want is None or want[0] is not TypeError:
        assert outcome(flambeau, name, options) == want


# ------------------------------------------------------------------ Muon and L-BFGS

@pytest.mark.parametrize("options", [{}, dict(nesterov=False, momentum=0.5, weight_decay=0.0),
                                     dict(adjust_lr_fn="match_rms_adamw", ns_steps=1)])
def test_muon(options):
    runs = []
    for t in (torch, flambeau):
        starts, push = as_tensors(t, "float32")
        xs = [x.requires_grad_() for x in starts[:2]]
        o = t.optim.Muon(xs, lr=0.1, **options)
        for i in range(6):
            for x, g in zip(xs, push):
                x.grad = g * (i - 2.5)
            o.step()
        runs.append((xs, o))
    (want, wo), (got, go) = runs
    assert repr(go) == repr(wo)
    assert_same(got, want, 0, 0.03)  # six steps of 0.1 along directions computed in bfloat16
    assert_same(go.state_dict(), wo.state_dict())


@pytest.mark.parametrize("name, options", [("Muon", dict(lr=-1.0)), ("Muon", dict(momentum=-1.0)), ("Muon", dict(weight_decay=-1.0)),
                                           ("Muon", dict(adjust_lr_fn="x")), ("LBFGS", dict(lr=-1.0)), ("Adafactor", dict(d=0.5)),
                                           ("Adafactor", dict(eps=(-1, 1))), ("Adafactor", dict(eps=(None, -1))),
                                           ("Adafactor", dict(beta2_decay=1.0))])
def test_errors_of_matrix_methods(name, options):
    want = outcome(torch, name, options)
    assert want is not None and outcome(flambeau, name, options) == want


def test_errors_about_parameters():
    for t in (torch, flambeau):
        with pytest.raises(ValueError, match=r"Muon only supports 2D parameters whereas we found a parameter with size: "):
            t.optim.Muon([t.ones(2, requires_grad=True)])
        with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
            t.optim.LBFGS([{"params": [t.ones(2, requires_grad=True)]}, {"params": [t.ones(2, requires_grad=True)]}])


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("options", [lambda t: dict(lr=t.tensor(0.1), foreach=True), lambda t: dict(betas=(0.9, t.tensor(0.99))),
                                     lambda t: dict(betas=(t.tensor(0.9), t.tensor(0.99)), foreach=True), lambda t: dict(lr=t.ones(2))])
def test_tensors_that_adam_refuses(name, options):
    want, got = outcome(torch, name, options(torch)), outcome(flambeau, name, options(flambeau))
    assert want is not None and got == want


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2).sum() + (10 * (x[1:] - x[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize("options", [dict(lr=0.01, max_iter=4), dict(line_search_fn="strong_wolfe", max_iter=5),
                                     dict(line_search_fn="strong_wolfe", max_iter=8, history_size=2, max_eval=6),
                                     dict(lr=0.5, max_iter=2, history_size=3, line_search_fn="strong_wolfe")])
def test_lbfgs(options):
    runs = []
    for t in (torch, flambeau):
        x = t.tensor([-1.2, 1.0, 0.5], dtype=t.float64, requires_grad=True)
        y = t.tensor([[0.3, -0.2]], dtype=t.float64, requires_grad=True)
        o = t.optim.LBFGS([x, y], **options)

        def closure():
            o.zero_grad()
            loss = rosenbrock(x) + (y**4).sum()
            loss.backward()
            return loss
        losses = [o.step(closure).item() for _ in range(4)]
        runs.append((x, y, losses, o))
    (wx, wy, wl, wo), (gx, gy, gl, go) = runs
    assert repr(go) == repr(wo)
    np.testing.assert_allclose(gl, wl, rtol=1e-6)
    assert_same([gx, gy], [wx, wy], 1e-6, 1e-8)
    want, got = wo.state_dict(), go.state_dict()
    want["state"][0].pop("prev_loss"), got["state"][0].pop("prev_loss")
    if isinstance(want["state"][0]["t"], float):
        np.testing.assert_allclose(got["state"][0].pop("t"), want["state"][0].pop("t"))
    assert_same(got, want, 1e-5, 1e-7)


def test_swapping_parameters_and_state_in():
    results = []
    for lib in (torch, flambeau):
        x = lib.nn.Parameter(lib.ones(2))
        optimizer = lib.optim.Adam([x])
        swap = lib.optim.swap_in_optimizer_params_and_state
        with pytest.raises(RuntimeError, match="requires initialized optimizer state"):
            with swap(optimizer, {"x": x}, optimizer.state_dict()):
                pass
        x.grad = lib.ones(2)
        optimizer.step()
        before = x.tolist()
        other, state = lib.zeros(2), optimizer.state_dict()
        other.grad = lib.ones(2)
        with swap(optimizer, {"x": other}, state):
            optimizer.step()
        with pytest.raises(RuntimeError, match="match optimizer.param_groups"):
            with swap(optimizer, {}, state):
                pass
        assert x.tolist() == before
        assert optimizer.param_groups[0]["params"][0] is x
        results.append((other.tolist(), optimizer.state[x]["exp_avg"].tolist(), float(optimizer.state[x]["step"])))
    assert results[1][1:] == results[0][1:]
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
