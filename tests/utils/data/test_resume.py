"""state_dict / load_state_dict: the rest of an epoch, and the epochs after it, as if there had been no break."""

import json
import random

import numpy as np
import pytest
from loader_sets import Draws, Faulty, Squares, Stream, Tape, Uneven, epochs, plain, seed_all

import flambeau as torch
from flambeau.utils.data import DataLoader, RandomSampler, Sampler, WeightedRandomSampler
from flambeau.utils.data._utils import worker

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

WORKERS = [
    {"num_workers": 0},
    {"num_workers": 2, "multiprocessing_context": "fork"},
    {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True},
]
THREADS = {"num_workers": 2, "worker": "thread"}


def uninterrupted_and_resumed(make, taken, whole_epochs=0, more_epochs=1, between=lambda: None):
    """All batches of a run, and those of one broken off after `taken` batches of an epoch and resumed elsewhere."""
    seed_all()
    expected = epochs(make(), whole_epochs + 1 + more_epochs)

    seed_all()
    loader = make()
    seen = epochs(loader, whole_epochs)
    iterator = iter(loader)
    seen += [plain(next(iterator)) for _ in range(taken)]
    state = loader.state_dict()
    streams = torch.get_rng_state(), random.getstate(), np.random.get_state()
    del iterator, loader
    between()

    seed_all(99)
    loader = make()
    loader.load_state_dict(state)
    torch.set_rng_state(streams[0])  # a program saves its own streams
    random.setstate(streams[1])
    np.random.set_state(streams[2])
    seen += epochs(loader, 1 + more_epochs)
    return expected, seen


@pytest.fixture(params=[0.0, 1e9], ids=["every task reported", "only the first"])
def report_interval(request, monkeypatch):
    monkeypatch.setattr(worker, "REPORT_INTERVAL", request.param)


@pytest.mark.parametrize("taken", [0, 1, 5, 8])
@pytest.mark.parametrize("workers", WORKERS, ids=str)
def test_shuffled_with_random_draws(workers, taken, report_interval):
    expected, seen = uninterrupted_and_resumed(
        lambda: DataLoader(Draws(), batch_size=3, shuffle=True, **workers), taken, whole_epochs=taken % 2
    )
    assert seen == expected


@pytest.mark.parametrize("options", [{}, {"persistent_workers": True}], ids=str)
def test_without_processes(options, report_interval):
    from test_workers import DrawingArrays

    dataset = DrawingArrays(torch.arange(23))
    for taken in (0, 1, 4):
        expected, seen = uninterrupted_and_resumed(
            lambda: DataLoader(dataset, 3, True, num_workers=2, **options), taken, whole_epochs=1
        )
        assert seen == expected


@pytest.mark.parametrize("workers", [*WORKERS, THREADS], ids=str)
def test_generator_of_the_loader(workers):
    def make():
        generator = torch.Generator().manual_seed(7)
        return DataLoader(Squares(), batch_size=3, shuffle=True, generator=generator, **workers)

    for taken in (0, 3):
        expected, seen = uninterrupted_and_resumed(make, taken, 1)
        assert seen == expected


class PythonShuffle(Sampler):
    """Draws from `random` and NumPy, and when it is asked for its iterator."""

    def __iter__(self):
        return iter(random.sample(range(20), 10) + np.random.permutation(20).tolist())


@pytest.mark.parametrize("workers", WORKERS[:2], ids=str)
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize(
    "make_sampler",
    [
        PythonShuffle,
        lambda: WeightedRandomSampler([1, 2, 3, 4, 5], 17),
        lambda: RandomSampler(range(20), replacement=True, num_samples=70),
        lambda: RandomSampler(range(20), num_samples=45, generator=torch.Generator().manual_seed(3)),
    ],
    ids=["python", "weighted", "replacement", "several"],
)
def test_samplers(workers, batch_size, make_sampler):
    expected, seen = uninterrupted_and_resumed(
        lambda: DataLoader(Squares(), batch_size=batch_size, sampler=make_sampler(), **workers), 3
    )
    assert seen == expected


@pytest.mark.parametrize("taken", [0, 1, 5])
@pytest.mark.parametrize("workers", WORKERS[1:], ids=str)
@pytest.mark.parametrize("make_set", [Stream, Tape], ids=["fast-forward", "own state"])
def test_streams_with_workers(workers, taken, make_set, report_interval):
    expected, seen = uninterrupted_and_resumed(lambda: DataLoader(make_set(), batch_size=2, **workers), taken)
    assert seen == expected


@pytest.mark.parametrize("taken", [0, 1, 5])
@pytest.mark.parametrize("make_set", [Stream, Tape], ids=["fast-forward", "own state"])
def test_streams_without_workers(taken, make_set):
    def without_draws():
        return DataLoader(make_set(), batch_size=2, collate_fn=lambda batch: [sample[0] for sample in batch])

    expected, seen = uninterrupted_and_resumed(without_draws, taken)
    assert seen == expected


def test_a_stream_that_tells_its_state_is_not_read_again():
    loader = DataLoader(Tape(), batch_size=2)
    iterator = iter(loader)
    for _ in range(4):
        next(iterator)
    resumed = DataLoader(Tape(), batch_size=2)
    resumed.load_state_dict(loader.state_dict())
    assert next(iter(resumed))[0].tolist() == [8, 9]
    assert resumed.dataset.read == 2


@pytest.mark.parametrize("workers", WORKERS[1:], ids=str)
def test_some_streams_have_ended(workers):
    counts = (1, 5)
    for taken in range(1, sum(counts)):
        expected, seen = uninterrupted_and_resumed(
            lambda: DataLoader(Uneven(*counts), batch_size=1, **workers), taken, more_epochs=0
        )
        assert seen == expected


@pytest.mark.parametrize("workers", WORKERS, ids=str)
def test_after_breaking_off(workers):
    """The state is there when the loop has been left and its workers are gone."""
    seed_all()
    loader = DataLoader(Squares(), batch_size=3, shuffle=True, **workers)
    order = []
    for batch in loader:
        order += batch[0].tolist()
        if len(order) == 9:
            break
    resumed = DataLoader(Squares(), batch_size=3, shuffle=True, **workers)
    resumed.load_state_dict(loader.state_dict())
    order += [index for batch in resumed for index in batch[0].tolist()]
    assert len(order) == 20 and set(order) == set(range(20))


def test_a_state_can_be_loaded_again_and_by_another_number_of_workers():
    seed_all()
    loader = DataLoader(Squares(), batch_size=3, shuffle=True)
    iterator = iter(loader)
    for _ in range(2):
        next(iterator)
    state = loader.state_dict()
    rest = plain(list(iterator))
    for num_workers in (0, 2, 3):
        resumed = DataLoader(Squares(), batch_size=3, shuffle=True, num_workers=num_workers)
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert epochs(resumed) == rest


def test_the_programs_streams_are_left_alone():
    seed_all()
    loader = DataLoader(Draws(), batch_size=3, sampler=PythonShuffle())
    next(iter(loader))
    state = loader.state_dict()
    seed_all(5)
    expected = torch.rand(1), random.random(), np.random.rand()
    seed_all(5)
    resumed = DataLoader(Squares(), batch_size=3, sampler=PythonShuffle())
    resumed.load_state_dict(state)
    iter(resumed)
    assert (torch.rand(1), random.random(), np.random.rand()) == expected


def test_a_sample_that_failed_is_passed():
    for workers in WORKERS:
        loader = DataLoader(Faulty(4, ValueError("bad")), batch_size=2, **workers)
        iterator = iter(loader)
        seen = [next(iterator).tolist() for _ in range(2)]
        with pytest.raises(ValueError):
            next(iterator)
        seen.append(next(iterator).tolist())
        assert seen == [[0, 1], [2, 3], [6, 7]]
        resumed = DataLoader(Faulty(4, ValueError("bad")), batch_size=2, **workers)
        resumed.load_state_dict(loader.state_dict())
        assert next(iter(resumed)).tolist() == [8, 9]


def test_out_of_order():
    """No batch comes twice or is left out."""
    for taken in range(0, 10, 3):
        options = {"num_workers": 3, "in_order": False, "multiprocessing_context": "fork"}
        loader = DataLoader(Squares(10), batch_size=None, **options)
        iterator = iter(loader)
        seen = [next(iterator)[0] for _ in range(taken)]
        resumed = DataLoader(Squares(10), batch_size=None, **options)
        resumed.load_state_dict(loader.state_dict())
        assert sorted(seen + [sample[0] for sample in resumed]) == list(range(10))


def test_state_is_plain_data():
    loader = DataLoader(Draws(), shuffle=True, num_workers=1, multiprocessing_context="fork")
    next(iter(loader))
    json.dumps(loader.state_dict(), default=lambda value: list(value) if isinstance(value, bytes) else 1 / 0)


def test_states_that_do_not_fit():
    loader = DataLoader(Stream(), num_workers=1, multiprocessing_context="fork")
    next(iter(loader))
    with pytest.raises(ValueError, match="1 workers have begun cannot be continued by 2"):
        DataLoader(Stream(), num_workers=2).load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="another kind of dataset"):
        DataLoader(Squares()).load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="not the state of a DataLoader"):
        DataLoader(Squares()).load_state_dict({})
