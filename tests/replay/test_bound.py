"""Steps that are replayed where they lie: nobody who holds something sees it change."""
import gc
import os
import threading

import numpy as np
import pytest

import flambeau
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.compiler.executor import NativeExecutor
from flambeau.replay.bound import Held
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


SMALL, WIDE = (5, 3, 4), (128, 96, 160)  # samples, features, hidden: what one thread does, and what all of them do
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["small", "wide"])


def batch(size=SMALL):
    """Inputs and labels, computed."""
    x, y = flambeau.randn(size[:2]), flambeau.randint(0, 2, size[:1])
    trace.flush()
    return x, y


class Run:
    """A small model in training: plain, or with a compiled step."""

    def __init__(self, compiled, size=SMALL):
        flambeau.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(size[1], size[2]), nn.Tanh(), nn.Linear(size[2], 2))
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
    out = run.model(flambeau.ones(1, run.model[0].in_features)).sum()
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


@SIZES
@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.__name__)
def test_whatever_happens_between_steps(event, size):
    runs = [Run(False, size), Run(True, size)]
    batches = [batch(size) for _ in range(4)]
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


@SIZES
def test_it_is_bound_and_keeps_its_memory(size):
    run = Run(True, size)
    for _ in range(10):
        run.step(batch(size), {})
    assert run.is_bound()
    weight = run.model[0].weight
    at = weight._storage.value.address
    run.step(batch(size), {})
    assert weight._storage.value.address == at and run.is_bound()


@SIZES
def test_a_bad_label_changes_nothing(size):
    run = Run(True, size)
    for _ in range(10):
        run.step(batch(size), {})
    before = [p.detach().clone() for p in run.model.parameters()]
    x, y = batch(size)
    y[2] = 2
    trace.flush()
    with pytest.raises(IndexError, match="out of bounds"):
        run.step((x, y), {}).item()
    assert all(flambeau.equal(a, b) for a, b in zip(before, run.model.parameters()))
    run.step(batch(size), {})


def settled_on_threads():
    """A bound step of which the team's workers do a part, and its batch."""
    run = Run(True, WIDE)
    x, y = batch(WIDE)
    for _ in range(10):
        run.step((x, y), {})
    trace.land()
    assert run.is_bound()
    return run, x, y


def with_a_bad_label(y):
    bad = y.clone()
    bad[3] = 7
    trace.flush()
    trace.land()
    return bad


@pytest.fixture
def on_threads():
    """Two threads, and programs that run while Python goes on."""
    before = flambeau.get_num_threads()
    flambeau.set_num_threads(2)
    yield
    flambeau.set_num_threads(before)


needs_flight = pytest.mark.skipif(not trace.ASYNCHRONOUS, reason="FLAMBEAU_ASYNC=0")


@needs_flight
def test_a_bound_step_runs_while_python_goes_on(on_threads):
    run, x, y = settled_on_threads()
    plain = Run(False, WIDE)
    plain.model.load_state_dict(run.model.state_dict())
    plain.optimizer.load_state_dict(run.optimizer.state_dict())
    trace.flush()
    trace.land()
    for _ in range(3):
        loss = run.step((x, y), {})
        assert trace.trace.flight is not None
        flight = trace.trace.flight
        assert id(loss._storage.value) in flight.outputs and id(run.model[0].weight._storage.value) in flight.outputs
        expected = plain.step((x, y), {})
    weight = run.model[0].weight.detach().clone()
    assert trace.trace.flight is None or trace.trace.flight is not flight
    assert flambeau.allclose(weight, plain.model[0].weight, atol=1e-6) and flambeau.allclose(loss, expected, atol=1e-6)


@needs_flight
def test_the_error_of_a_bound_step_is_told_when_its_loss_is_looked_at(on_threads):
    run, x, y = settled_on_threads()
    bad = with_a_bad_label(y)
    before = [p._storage.value.buffer.copy() for p in run.model.parameters()]
    loss = run.step((x, bad), {})
    assert trace.trace.flight is not None
    with pytest.raises(IndexError, match="(?s)Target 7 is out of bounds.*test_bound.py"):
        loss.item()
    with pytest.raises(RuntimeError, match="failed earlier"):
        loss.item()
    assert all((a == p._storage.value.buffer).all() for a, p in zip(before, run.model.parameters()))
    assert run.step((x, y), {}).item() > 0


@needs_flight
def test_the_next_step_tells_the_error_of_one_that_nobody_looked_at(on_threads):
    run, x, y = settled_on_threads()
    bad = with_a_bad_label(y)
    run.step((x, bad), {})
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        run.step((x, y), {})
    assert run.step((x, y), {}).item() > 0


@needs_flight
def test_a_step_that_tells_the_error_of_another_can_be_made_again(on_threads):
    """It reads the batch that it is given then: where that lies it had found out before, and a step without results has nothing else
    that moves."""
    other, x, y = settled_on_threads()
    run, plain = Run(True, WIDE), Run(False, WIDE)

    def quiet(x, y):
        run.plain_step(x, y)
    step = Compiled(quiet, "quiet").call
    for _ in range(10):
        step((x, y), {})
        plain.step((x, y), {})
    flambeau.manual_seed(1)  # models begin with the seed of the batch before
    batch_of_next = batch(WIDE)
    bad = with_a_bad_label(y)
    other.step((x, bad), {})
    assert trace.trace.flight is not None
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        step(batch_of_next, {})
    gc.collect()  # of the error, whose frames refer to the step's values
    step(batch_of_next, {})
    plain.step(batch_of_next, {})
    for a, b in zip(run.model.parameters(), plain.model.parameters()):
        flambeau.testing.assert_close(a, b)


@needs_flight
def test_the_error_of_a_bound_step_with_other_arguments(on_threads):
    run, x, y = settled_on_threads()
    step = Compiled(lambda unused, y, x: run.plain_step(x, y), "other").call
    unused = flambeau.ones(3)
    trace.flush()
    for _ in range(8):
        step((unused, y, x), {})
    trace.land()
    bad = with_a_bad_label(y)
    loss = step((unused, bad, x), {})
    assert trace.trace.flight is not None
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        loss.item()
    assert step((unused, y, x), {}).item() > 0


@needs_flight
def test_a_batch_that_an_array_shows_is_read_at_once(on_threads):
    run, x, y = settled_on_threads()
    run.step((x, y), {})
    assert trace.trace.flight is not None
    array = x.numpy()
    for _ in range(3):
        run.step((x, y), {})
        assert trace.trace.flight is None
    array += 1
    del array
    run.step((x, y), {})


class Answers:
    """A small model in inference: what it says, plain and compiled."""

    def __init__(self, look=lambda out: out.numpy(), make=lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))):
        flambeau.manual_seed(0)
        self.model = make()
        self.compiled = Compiled(self.plain, "answers")
        self.look = look

    def plain(self, x):
        with flambeau.no_grad():
            return self.model(x)

    def ask(self, x):
        """The compiled answer, looked at; it is that of the plain model."""
        found = self.look(self.compiled.call((x,), {}))
        expected = self.look(self.plain(x))
        assert flambeau.allclose(flambeau.as_tensor(found), flambeau.as_tensor(expected), atol=1e-6)
        return found

    def bound(self):
        return next((r._bound for kind in self.compiled._kinds.values() for r in kind.replays), None)


def settled():
    answers = Answers()
    for _ in range(6):
        answers.ask(batch()[0])
    assert answers.bound() is not None
    return answers


def train_a_step(model):
    F.cross_entropy(model(batch()[0]), batch()[1]).backward()
    flambeau.optim.SGD(model.parameters(), lr=0.5).step()


def write_through_an_array(model):
    model[0].weight.detach().numpy()[...] *= 2


def replace_a_parameter(model):
    model[0].weight = nn.Parameter(flambeau.ones(4, 3))


def replace_the_data(model):
    model[2].bias.data = flambeau.ones(2)


def freeze(model):
    model.requires_grad_(False)


CHANGES = [train_a_step, write_through_an_array, replace_a_parameter, replace_the_data, freeze]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_answers_follow_the_model(change):
    answers = settled()
    change(answers.model)
    for _ in range(8):
        answers.ask(batch()[0])
    assert answers.bound() is not None


def test_answers_that_are_kept_stay():
    answers = settled()
    inputs = [batch()[0] for _ in range(6)]
    kept = [answers.ask(x) for x in inputs]
    tensors = [answers.compiled.call((x,), {}) for x in inputs]
    for x, array, t in zip(inputs, kept, tensors):
        assert flambeau.allclose(answers.plain(x), flambeau.as_tensor(array), atol=1e-6)
        assert flambeau.allclose(answers.plain(x), t, atol=1e-6)


def test_answers_to_an_array_that_changes():
    answers = settled()
    x = flambeau.zeros(5, 3).numpy()
    shared = flambeau.from_numpy(x)
    first = answers.ask(shared).copy()
    x += 1
    assert not (answers.ask(shared) == first).all()


def test_answers_to_what_is_not_computed_yet():
    answers = settled()
    for _ in range(5):
        answers.ask(flambeau.randn(5, 3) * 2)
    answers.ask(batch()[0])
    assert answers.bound() is not None


def test_a_call_whose_answers_others_use_is_not_bound():
    answers = Answers(look=lambda out: (out * 2).sum().item())
    for _ in range(8):
        answers.ask(batch()[0])
    assert answers.bound() is None


def test_a_model_that_is_asked_with_and_without_gradients():
    answers = settled()
    x = batch()[0].requires_grad_()
    model = Compiled(answers.model, "model")
    for _ in range(8):
        with flambeau.no_grad():
            assert not model.call((x,), {}).requires_grad
        model.call((x,), {}).sum().backward()
    one, = flambeau.autograd.grad(answers.model(x).sum(), x)
    assert flambeau.allclose(x.grad, 8 * one, atol=1e-5)


def test_an_index_out_of_range_is_told_and_the_next_call_is_right():
    flambeau.manual_seed(0)
    table = nn.Embedding(10, 3)

    def look_up(i):
        with flambeau.no_grad():
            return table(i) * 2
    compiled = Compiled(look_up, "look_up")
    inside = flambeau.tensor([1, 2, 9])
    for _ in range(6):
        compiled.call((inside,), {}).numpy()
    assert any(r._bound is not None for kind in compiled._kinds.values() for r in kind.replays)
    with pytest.raises(IndexError, match="out of range"):
        compiled.call((flambeau.tensor([1, 10, 2]),), {}).numpy()
    assert flambeau.equal(compiled.call((inside,), {}), look_up(inside))


def test_recorded_steps_write_where_the_parameters_lie():
    """From the first call on, through those that are watched and captured: nobody knows what they replace while they run."""
    run, (x, y) = Run(True, WIDE), batch(WIDE)
    places = []
    for _ in range(6):
        run.step((x, y), {})
        trace.flush()
        trace.land()
        state = [t for each in run.optimizer.state.values() for t in each.values()]
        places.append([t._storage.value.location() for t in (*run.model.parameters(), *state) if t.ndim])
    assert places == places[:1] * 6


@SIZES
def test_a_program_that_ran_elsewhere_finds_its_memory_again(size):
    """With inputs in other places each time, and after runs of the same program for others, who fill the same table."""
    model = nn.Sequential(nn.Linear(size[1], size[2]), nn.ReLU(), nn.Linear(size[2], 2))
    call = Compiled(model, "model").call
    inputs = [batch(size)[0] for _ in range(3)]
    with flambeau.no_grad():
        expected = [model(x).numpy().copy() for x in inputs]
        for i in range(24):
            x = i // 2 % len(inputs)
            assert (call((inputs[x],), {}).numpy() == expected[x]).all()
            bound = [r._bound for kind in call.__self__._kinds.values() for r in kind.replays]
            if i % 4 == 0 and bound and bound[0] is not None:
                compiled = bound[0]._compiled
                compiled([np.zeros(v.shape, v.dtype.np) for v in compiled.source.inputs])
        assert bound[0] is not None


# ------------------------------------------------------------------ what is made of parameters alone

def images(n=1):
    x = flambeau.randn(n, 32, 16, 16)
    trace.flush()
    return x


def make_filters():
    """A model whose filters are transformed before they are used."""
    return nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))


def settled_filters(make=make_filters):
    answers = Answers(make=make)
    for _ in range(6):
        answers.ask(images())
    assert answers.bound()._held is not None
    return answers


@pytest.fixture
def computed(monkeypatch):
    """Takes an entry each time when what is held is computed."""
    times = []
    renew = Held.renew
    monkeypatch.setattr(Held, "renew", lambda self: times.append(self) or renew(self))
    return times


def test_what_is_made_of_parameters_alone_is_computed_once(computed):
    answers, x = settled_filters(), images()
    plain = answers.plain(x).numpy().copy()
    del computed[:]
    for _ in range(4):
        assert (answers.compiled.call((x,), {}).numpy() == plain).all()
    assert len(computed) == 1
    assert [a.shape for a in answers.bound()._held._arrays] == [(16, 32, 32)] * 2


def test_what_is_made_of_data_is_not_held():
    """A tensor that a function finds, and does not get, may be a batch as well as a weight."""
    x, w, parameter = images(), flambeau.randn(32, 32, 3, 3), nn.Parameter(flambeau.randn(32, 32, 3, 3))
    trace.flush()
    found = Compiled(lambda: F.conv2d(x, w, padding=1), "found")
    weights = Compiled(lambda: F.conv2d(x, parameter.detach(), padding=1), "weights")
    for _ in range(6):
        found.call((), {}).numpy()
        weights.call((), {}).numpy()
    held = [r._bound._held for each in (found, weights) for kind in each._kinds.values() for r in kind.replays]
    assert held[0] is None and held[1] is not None


def test_values_that_are_much_larger_than_their_parameters_are_not_held():
    scale = nn.Parameter(flambeau.randn(32, 1))
    compiled = Compiled(lambda x: x @ scale.detach().expand(32, 4000).cumsum(1), "spread")
    for _ in range(6):
        compiled.call((flambeau.ones(4, 32),), {}).numpy()
    bound, = [r._bound for kind in compiled._kinds.values() for r in kind.replays]
    assert bound is not None and bound._held is None


def with_another_class_of_step(model, compiled):
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.5)
    x = images()

    def step(x):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    call = Compiled(step, "step").call if compiled else lambda args, kwargs: step(*args)
    for _ in range(6):
        call((x,), {})


def train(model):
    with_another_class_of_step(model, False)


def train_compiled(model):
    with_another_class_of_step(model, True)


def load_another_state(model):
    model.load_state_dict({k: v * 2 for k, v in model.state_dict().items()})


def copy_into_the_data(model):
    model[0].weight.data.copy_(flambeau.randn(32, 32, 3, 3))


def write_in_place(model):
    with flambeau.no_grad():
        model[2].weight.mul_(2)


def write_a_part(model):
    with flambeau.no_grad():
        model[2].weight[3, :, 1] += 1


def exchange_the_data(model):
    model[0].weight.data, model[2].weight.data = model[2].weight.data, model[0].weight.data


def exchange_the_parameters(model):
    model[0].weight, model[2].weight = model[2].weight, model[0].weight


def move(model):
    model.double()
    model[0].weight.data *= 2
    model.float()


def write_through_an_array_that_is_gone(model):
    model[0].weight.detach().numpy()[...] *= 2


def write_through_an_array_before_another_call(model):
    model[0].weight.detach().numpy()[...] *= 2
    model(images()).sum().item()  # which finds that nobody sees the weight any more


def share(model):
    model.share_memory()
    np.asarray(model[0].weight.detach())[...] *= 2


def write_through_dlpack(model):
    flambeau.from_dlpack(model[0].weight.detach()).mul_(2)


def write_as_a_bound_step_does(model):
    storage = model[2].weight._storage
    storage.value.buffer *= 2
    storage.version += 1


def replace_a_module(model):
    model[2] = nn.Conv2d(32, 32, 3, padding=1)


FILTER_CHANGES = [train, train_compiled, load_another_state, copy_into_the_data, write_in_place, write_a_part, exchange_the_data,
                  exchange_the_parameters, move, write_through_an_array_that_is_gone, write_through_an_array_before_another_call, share,
                  write_through_dlpack, write_as_a_bound_step_does, replace_a_module]


@pytest.mark.parametrize("change", FILTER_CHANGES, ids=lambda c: c.__name__)
def test_what_is_held_follows_the_model(change):
    answers, x = settled_filters(), images()
    for _ in range(2):
        before = [answers.compiled.call((x,), {}).numpy().copy() for _ in range(2)][-1]
        change(answers.model)
        after = answers.compiled.call((x,), {}).numpy().copy()  # at once: the plain model's call comes later
        assert abs(after - before).max() > 1e-3
        for _ in range(6):
            assert np.allclose(answers.ask(x), after, atol=1e-5)
    assert change is share or answers.bound()._held is not None  # with memory that others see nothing is bound


def test_a_parameter_that_an_array_shows_is_never_held_for_long():
    answers, x = settled_filters(), images()
    array = answers.model[0].weight.detach().numpy()
    for _ in range(3):
        before = answers.compiled.call((x,), {}).numpy().copy()
        array *= 2
        assert abs(answers.compiled.call((x,), {}).numpy() - before).max() > 1e-3
    del array
    answers.ask(x)
    answers.compiled.call((x,), {}).numpy()
    assert answers.bound()._held.is_current()


@pytest.mark.parametrize("rows", [slice(None), slice(0, 32)], ids=["array", "part"])
def test_a_parameter_on_the_memory_of_an_array(rows):
    theirs = np.random.randn(32, 32, 3, 3).astype(np.float32)
    answers, x = Answers(make=make_filters), images()
    answers.model[0].weight = nn.Parameter(flambeau.from_numpy(theirs[rows]))
    for _ in range(6):
        before = answers.compiled.call((x,), {}).numpy().copy()
        theirs *= 2
        assert abs(answers.compiled.call((x,), {}).numpy() - before).max() > 1e-3
    del theirs
    for _ in range(6):
        before = answers.compiled.call((x,), {}).numpy().copy()
        answers.model[0].weight.detach().numpy()[...] *= 2
        assert abs(answers.compiled.call((x,), {}).numpy() - before).max() > 1e-3


def test_models_and_batches_of_one_kind_hold_their_own(computed):
    many = [Answers(make=make_filters) for _ in range(2)]
    with flambeau.no_grad():
        many[1].model[0].weight.mul_(2)
    for _ in range(6):
        for answers in many:
            for n in (1, 3):
                answers.ask(images(n))
    batches = [(answers, x, answers.plain(x).numpy().copy()) for answers in many for x in (images(1), images(3))]
    for answers, x, _ in batches:
        answers.compiled.call((x,), {}).numpy()
    del computed[:]
    for _ in range(3):
        for answers, x, expected in batches:
            assert np.allclose(answers.compiled.call((x,), {}).numpy(), expected, atol=1e-5)
    assert not computed


def test_what_is_held_is_not_in_memory_that_programs_share():
    answers, x = settled_filters(), images()
    expected = answers.ask(x).copy()
    answers.compiled.call((x,), {}).numpy()
    arrays = answers.bound()._held._arrays
    for _ in range(4):
        many = [flambeau.randn(16, 32, 32).softmax(0) @ flambeau.ones(16, 32, 32) + i for i in range(8)]
        (make_filters()(images(2)).sum() + sum(each.sum() for each in many)).item()
        assert (answers.compiled.call((x,), {}).numpy() == expected).all()
        assert answers.bound()._held._arrays is arrays


def test_what_is_held_in_many_threads():
    answers, x = settled_filters(), images()
    expected = answers.ask(x).copy()
    right = []

    def ask():
        for _ in range(20):
            right.append(np.allclose(answers.compiled.call((x,), {}).numpy(), expected, atol=1e-5))
    for _ in range(2):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        with flambeau.no_grad():
            answers.model[2].weight.mul_(2)
            answers.model[2].bias.mul_(2)
        expected = 2 * expected
        trace.flush()
    assert len(right) == 160 and all(right)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_is_held_after_a_fork():
    answers, x = settled_filters(), images()
    expected = answers.ask(x).copy()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            same = (answers.compiled.call((x,), {}).numpy() == expected).all()
            write_in_place(answers.model)
            other = abs(answers.compiled.call((x,), {}).numpy() - expected).max() > 1e-3
            code = 0 if same and other else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (answers.compiled.call((x,), {}).numpy() == expected).all()
