"""`GradScaler`: scales, unscales, leaves out steps that are not finite, and adapts."""
import pickle

import pytest

import flambeau as torch
from flambeau import amp, nn


def _setup(**options):
    torch.manual_seed(0)
    m = nn.Linear(2, 1)
    return m, torch.optim.SGD(m.parameters(), lr=0.5), amp.GradScaler("cpu", **options)


def _iteration(m, optimizer, scaler, factor=1.0, unscale=False):
    before = m.weight.detach().clone()
    optimizer.zero_grad()
    scaler.scale((m(torch.ones(3, 2)) * factor).sum()).backward()
    if unscale:
        scaler.unscale_(optimizer)
        assert torch.equal(m.weight.grad, torch.full((1, 2), 3.0))
    scaler.step(optimizer)
    scaler.update()
    return m.weight.detach() - before


def test_steps_and_scales():
    m, optimizer, scaler = _setup(init_scale=4.0, growth_interval=2)
    assert torch.equal(_iteration(m, optimizer, scaler), torch.full((1, 2), -1.5)) and scaler.get_scale() == 4
    assert torch.allclose(_iteration(m, optimizer, scaler, unscale=True), torch.full((1, 2), -1.5)) and scaler.get_scale() == 8
    assert not _iteration(m, optimizer, scaler, float("inf")).any() and scaler.get_scale() == 4
    assert scaler.state_dict() == {"scale": 4.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2, "_growth_tracker": 0}
    scaler.update(32.0) if scaler._per_optimizer_states else scaler.update(torch.tensor(32.0))
    assert scaler.get_scale() == 32
    assert [t.item() for t in scaler.scale([torch.ones(()), torch.ones(())])] == [32, 32]


def test_states():
    m, optimizer, scaler = _setup()
    _iteration(m, optimizer, scaler)
    scaler.set_growth_factor(3.0)
    again = amp.GradScaler("cpu")
    again.load_state_dict(scaler.state_dict())
    assert again.state_dict() == scaler.state_dict() == pickle.loads(pickle.dumps(scaler)).state_dict()
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        scaler.load_state_dict({})
    off = amp.GradScaler("cpu", enabled=False)
    assert off.state_dict() == {} and off.get_scale() == 1 and off.scale(3) == 3 and off.step(optimizer) is None
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not amp.GradScaler().is_enabled()


def test_the_order_of_calls():
    m, optimizer, scaler = _setup()
    with pytest.raises(AssertionError, match="Attempted step but _scale is None"):
        scaler.step(optimizer)
    scaler.scale(m(torch.ones(1, 2)).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called since"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use"):
        scaler.step(optimizer, closure=lambda: 1)
    with pytest.raises(AssertionError, match="only be pickled"):
        pickle.dumps(scaler)
    scaler.update()
    optimizer.zero_grad()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.step(optimizer)
    half = nn.Parameter(torch.ones(2).half())
    other = torch.optim.SGD([half], lr=0.1)
    scaler.scale(half.sum().float()).backward()
    with pytest.raises(ValueError, match="unscale FP16 gradients"):
        scaler.unscale_(other)
    with pytest.raises(ValueError, match="iterable of Tensors"):
        scaler.scale(3)


def test_the_old_names_warn():
    from flambeau.cpu.amp import GradScaler, autocast
    with pytest.warns(FutureWarning, match="torch.amp.autocast"), autocast():
        assert torch.is_autocast_enabled("cpu")
    with pytest.warns(FutureWarning, match="torch.amp.GradScaler"):
        assert GradScaler().is_enabled()
    with pytest.warns((FutureWarning, UserWarning)):
        assert not torch.cuda.amp.GradScaler().is_enabled()
