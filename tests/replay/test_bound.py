"""Steps that are replayed where they lie: nobody who holds something sees it change."""
import pytest

import flambeau
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.compiler.executor import NativeExecutor
from flambeau.replay.compiled import Compiled
from flambeau.runtime import program, trace


@pytest.fixture(autouse=True)
def native():
    trace.flush()
    trace.land()
    before = program._executor
    program.set_executor(NativeExecutor())
    yield
    trace.flush()
    trace.land()
    program.set_executor(before)


def batch():
    """Inputs and labels, computed."""
    x, y = flambeau.randn(5, 3), flambeau.randint(0, 2, (5,))
    trace.flush()
    return x, y


class Run:
    """A small model in training: plain, or with a compiled step."""

    def __init__(self, compiled):
        flambeau.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        self.optimizer = flambeau.optim.Adam(self.model.parameters(), lr=0.01)
        self.step = Compiled(self.plain_step, "step").call if compiled else lambda args, kwargs: self.plain_step(*args)

    def plain_step(self, x, y):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def is_bound(self):
        kinds = self.step.__self__._kinds.values()
        return any(r._bound is not None for kind in kinds for r in kind.replays)


def keep_gradients(run):
    return [p.grad for p in run.model.parameters()]


def keep_copies(run):
    return [p.detach().clone() for p in run.model.parameters()]


def keep_views(run):
    return [run.model[0].weight[0], run.model[2].bias.detach()]


def keep_arrays(run):
    return [run.model[0].weight.detach().numpy(), run.optimizer.state[run.model[0].weight]["exp_avg"].numpy()]


def keep_a_graph(run):
    out = run.model(flambeau.ones(1, 3)).sum()
    out.item()
    return [out]


def write_weights(run):
    with flambeau.no_grad():
        run.model[0].weight.mul_(0.5)
    return []


def change_the_rate(run):
    run.optimizer.param_groups[0]["lr"] *= 0.5
    return []


def load_the_state(run):
    run.optimizer.load_state_dict(run.optimizer.state_dict())
    run.model.load_state_dict({k: v * 0.9 for k, v in run.model.state_dict().items()})
    return []


EVENTS = [keep_gradients, keep_copies, keep_views, keep_arrays, keep_a_graph, write_weights, change_the_rate, load_the_state]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.__name__)
def test_whatever_happens_between_steps(event):
    runs = [Run(False), Run(True)]
    batches = [batch() for _ in range(4)]
    kept = []
    for i in range(24):
        x, y = batches[i % 4]
        losses = [run.step((x, y), {}) for run in runs]
        assert flambeau.allclose(*losses, atol=1e-6)
        if i > 9 and i % 5 == 0:
            kept.append([event(run) for run in runs])
        for a, b in zip(runs[0].model.parameters(), runs[1].model.parameters()):
            assert flambeau.allclose(a, b, atol=1e-6) and flambeau.allclose(a.grad, b.grad, atol=1e-6)
            assert a._version == b._version
        for plain, replayed in kept:
            assert all(flambeau.allclose(flambeau.as_tensor(a), flambeau.as_tensor(b), atol=1e-6) for a, b in zip(plain, replayed))


def test_it_is_bound_and_keeps_its_memory():
    run = Run(True)
    for _ in range(10):
        run.step(batch(), {})
    assert run.is_bound()
    weight = run.model[0].weight
    at = weight._storage.value.address
    run.step(batch(), {})
    assert weight._storage.value.address == at


def test_a_bad_label_changes_nothing():
    run = Run(True)
    for _ in range(10):
        run.step(batch(), {})
    before = [p.detach().clone() for p in run.model.parameters()]
    with pytest.raises(IndexError, match="out of bounds"):
        run.step((flambeau.randn(5, 3), flambeau.tensor([0, 1, 2, 0, 0])), {}).item()
    assert all(flambeau.equal(a, b) for a, b in zip(before, run.model.parameters()))
    run.step(batch(), {})
