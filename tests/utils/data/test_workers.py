"""Workers: the same batches as without them, whatever starts them, and what they know of themselves."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from loader_sets import Draws, Faulty, Squares, Stream, Uneven, WorkerFacts, epochs, plain, seed_all

import flambeau as torch
from flambeau.utils.data import ConcatDataset, DataLoader, StackDataset, Subset, TensorDataset, get_worker_info
from flambeau.utils.data._utils.batch import BatchedSamples

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

METHODS = [{"multiprocessing_context": "fork"}, {"worker": "thread"}]
ALL_METHODS = [{"multiprocessing_context": "spawn"}, {"multiprocessing_context": "forkserver"}, *METHODS]


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("num_workers", [1, 2, 5])
@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"drop_last": True}, {"batch_size": None}], ids=str)
def test_same_batches_as_without_workers(method, num_workers, options):
    options = {"batch_size": 3, **options}
    seed_all()
    expected = epochs(DataLoader(Squares(), **options), 2)
    seed_all()
    assert epochs(DataLoader(Squares(), num_workers=num_workers, **method, **options), 2) == expected


@pytest.mark.parametrize("method", ALL_METHODS, ids=str)
def test_start_methods(method):
    loader = DataLoader(Draws(8), batch_size=2, num_workers=2, **method)
    seed_all()
    batches = epochs(loader)
    assert [batch[0] for batch in batches] == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_random_draws_do_not_depend_on_the_start_method(context):
    seed_all()
    expected = epochs(DataLoader(Draws(8), batch_size=2, num_workers=2, multiprocessing_context="fork"))
    seed_all()
    assert epochs(DataLoader(Draws(8), batch_size=2, num_workers=2, multiprocessing_context=context)) == expected


def test_random_draws_differ_between_workers_streams_and_epochs():
    seed_all()
    loader = DataLoader(Draws(8), batch_size=1, num_workers=2, multiprocessing_context="fork")
    draws = [batch[1:] for batch in epochs(loader, 2)]
    values = [value for from_torch, *others in draws for value in (*from_torch[0], *others[0], *others[1])]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("persistent", [False, True])
def test_worker_info(persistent):
    seed_all()
    loader = DataLoader(
        WorkerFacts(), batch_size=None, num_workers=2, multiprocessing_context="fork", persistent_workers=persistent
    )
    iterator = iter(loader)
    facts = list(iterator)
    assert [fact[0] for fact in facts] == [0, 1] * 4
    assert {fact[1] for fact in facts} == {2}
    assert {fact[2] - iterator._base_seed for fact in facts} == {0, 1}
    assert all(fact[3] for fact in facts)
    assert len({fact[5] for fact in facts}) == 2 and os.getpid() not in {fact[5] for fact in facts}
    again = {fact[5] for fact in loader}
    assert ({fact[5] for fact in facts} == again) is persistent
    assert get_worker_info() is None


def test_worker_info_in_a_thread():
    facts = [tuple(fact) for fact in DataLoader(WorkerFacts(), batch_size=None, num_workers=2, worker="thread")]
    assert {fact[4:] for fact in facts} == {("thread", os.getpid())}
    assert get_worker_info() is None


def test_threads_have_streams_of_their_own():
    class Own(Draws):
        def __getitem__(self, i):
            rng = get_worker_info().rng
            draw = torch.rand(2, generator=rng.torch_generator)
            return i, draw, rng.random_generator.random(), rng.numpy_generator.rand()

    seed_all()
    expected = epochs(DataLoader(Draws(), batch_size=4, num_workers=2, multiprocessing_context="fork"), 2)
    seed_all()
    assert epochs(DataLoader(Own(), batch_size=4, num_workers=2, worker="thread"), 2) == expected


def test_environment_variable_chooses_threads(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_WORKERS", "thread")
    assert {fact[4] for fact in DataLoader(WorkerFacts(), batch_size=None, num_workers=1)} == {"thread"}
    monkeypatch.setenv("FLAMBEAU_WORKERS", "fibre")
    with pytest.raises(ValueError, match="FLAMBEAU_WORKERS.*'fibre'"):
        DataLoader(Squares())


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_worker_init_fn_configures_each_copy(method):
    def configure(worker_id):
        info = get_worker_info()
        assert info.id == worker_id
        info.dataset.end = 5 + worker_id

    loader = DataLoader(Stream(100), batch_size=None, num_workers=2, worker_init_fn=configure, **method)
    assert [sample[0] for sample in loader] == [0, 1, 2, 3, 4, 5]
    assert loader.dataset.end == 100


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("persistent", [False, True])
def test_streams_that_end_at_different_times(method, persistent):
    loader = DataLoader(Uneven(5, 0, 2), batch_size=1, num_workers=3, persistent_workers=persistent, **method)
    for _ in range(2):
        assert [batch.item() for batch in loader] == [0, 200, 1, 201, 2, 3, 4]


@pytest.mark.parametrize("drop_last", [False, True])
def test_each_worker_has_its_own_last_batch(drop_last):
    loader = DataLoader(
        Uneven(5, 4), batch_size=2, num_workers=2, drop_last=drop_last, multiprocessing_context="fork"
    )
    assert epochs(loader) == [[0, 1], [100, 101], [2, 3], [102, 103]] + ([] if drop_last else [[4]])


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_out_of_order(method):
    class Waiting(Squares):
        def __getitem__(self, i):
            import time

            time.sleep(3 if i == 0 else 0)  # long enough for the other worker to start on a busy machine
            return i

    loader = DataLoader(Waiting(8), batch_size=1, num_workers=2, in_order=False, **method)
    order = [batch.item() for batch in loader]
    assert sorted(order) == list(range(8))
    assert order[0] != 0


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("broken_off", [False, True])
def test_persistent_workers(method, broken_off):
    loader = DataLoader(Squares(), batch_size=3, num_workers=2, persistent_workers=True, **method)
    iterator = iter(loader)
    workers = list(iterator._workers)
    for _ in iterator:
        if broken_off:
            break
    assert iter(loader) is iterator
    assert iterator._workers == workers and all(worker.is_alive() for worker in workers)
    assert plain([batch[0] for batch in iterator]) == plain([batch[0] for batch in DataLoader(Squares(), batch_size=3)])


def test_breaking_off_ends_the_workers():
    iterator = iter(DataLoader(Squares(), num_workers=2, multiprocessing_context="fork"))
    workers = iterator._workers
    next(iterator)
    del iterator
    assert [worker.exitcode for worker in workers] == [0, 0]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_dtypes_and_sizes_survive_the_way(num_workers):
    size = 300_000  # of bytes: some of these go through the socket, some through a file
    tensors = [
        torch.zeros(4, 3, dtype=torch.bfloat16), torch.arange(4, dtype=torch.uint8), torch.ones(4, 0),
        torch.randn(4, size // 4), torch.randn(4, 2).to(torch.complex64), torch.tensor([True, False, True, False]),
    ]  # fmt: skip
    loader = DataLoader(TensorDataset(*tensors), batch_size=2, num_workers=num_workers, multiprocessing_context="fork")
    for k, batch in enumerate(loader):
        for tensor, part in zip(tensors, batch):
            expected = tensor[2 * k : 2 * k + 2]
            assert part.dtype == tensor.dtype and part.shape == expected.shape
            assert torch.equal(part, expected)
            part += part  # it can be written to


def test_custom_types_and_requires_grad():
    class Leaf(Squares):
        def __getitem__(self, i):
            return torch.ones(2, requires_grad=True), np.arange(i), "text", None

    loader = DataLoader(Leaf(4), batch_size=None, num_workers=1, collate_fn=lambda x: x, multiprocessing_context="fork")
    for i, (leaf, array, text, nothing) in enumerate(loader):
        assert leaf.requires_grad and leaf.is_leaf
        assert isinstance(array, np.ndarray) and array.tolist() == list(range(i))
        assert (text, nothing) == ("text", None)


class OwnError(Exception):
    pass


class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first, second)


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize(
    "error, raised",
    [
        (ValueError("bad sample"), ValueError),
        (KeyError("bad sample"), KeyError),
        (OwnError("bad sample"), OwnError),
        (TwoArguments("bad", "sample"), RuntimeError),
    ],
    ids=repr,
)
def test_exception_in_a_sample(method, error, raised):
    loader = DataLoader(Faulty(7, error), batch_size=2, num_workers=2, **method)
    iterator = iter(loader)
    assert plain([next(iterator) for _ in range(3)]) == [[0, 1], [2, 3], [4, 5]]
    kind = "thread" if "worker" in method else "process"
    with pytest.raises(raised) as caught:
        next(iterator)
    message = str(caught.value)
    assert message.startswith(f"Caught {type(error).__name__} in DataLoader worker {kind} 1.\nOriginal Traceback")
    assert "loader_sets.py" in message and "raise self.error" in message
    assert plain(list(iterator)) == [[8, 9], [10, 11], [12, 13], [14, 15], [16, 17], [18, 19]]


def test_class_that_cannot_be_pickled():
    class Local(Exception):
        pass

    loader = DataLoader(Faulty(0, Local("here")), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError, match="Caught Local in DataLoader worker process 0"):
        next(iter(loader))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_exception_in_worker_init_fn(method):
    def fail(worker_id):
        raise OwnError(f"worker {worker_id}")

    iterator = iter(DataLoader(Squares(), num_workers=2, worker_init_fn=fail, **method))
    for worker in range(2):
        with pytest.raises(OwnError, match=f"worker {worker}"):
            next(iterator)


def test_batch_that_cannot_be_pickled():
    loader = DataLoader(
        Squares(), num_workers=1, collate_fn=lambda batch: lambda: batch, multiprocessing_context="fork"
    )
    with pytest.raises((pickle.PicklingError, AttributeError), match="Caught .* in DataLoader worker process 0"):
        next(iter(loader))


def test_set_that_cannot_be_pickled():
    class Local(Squares):
        pass

    loader = DataLoader(Local(), num_workers=1, multiprocessing_context="spawn")
    with pytest.warns(UserWarning, match="pickle error"), pytest.raises((pickle.PicklingError, AttributeError)):
        iter(loader)


@pytest.mark.parametrize("method", [{}, *METHODS], ids=str)
def test_the_default_generator_is_each_workers_own(method):
    class OnlyTorch(Squares):
        def __getitem__(self, i):
            return torch.rand(2), torch.randn(1), torch.randperm(5)

    seed_all()
    expected = epochs(DataLoader(OnlyTorch(), batch_size=3, num_workers=3, multiprocessing_context="fork"), 2)
    left = torch.rand(1)
    seed_all()
    assert epochs(DataLoader(OnlyTorch(), batch_size=3, num_workers=3, **method), 2) == expected
    assert torch.equal(torch.rand(1), left)


class DrawingArrays(TensorDataset):
    """A set of the kind that makes whole batches, with draws."""

    def __getitems__(self, indices):
        noise = torch.rand(len(indices), 2)
        return BatchedSamples([self.tensors[0][indices], noise], len(indices), None)

    def _makes_batches(self):
        return True


@pytest.mark.parametrize("persistent", [False, True])
def test_sets_of_arrays_need_no_processes(persistent):
    dataset = DrawingArrays(torch.arange(23))
    options = {"batch_size": 4, "shuffle": True, "num_workers": 2, "persistent_workers": persistent}
    seed_all()
    expected = epochs(DataLoader(dataset, worker="process", **options), 2)
    seed_all()
    loader = DataLoader(dataset, **options)
    iterator = iter(loader)
    assert iterator._workers == []
    assert [plain(batch) for batch in iterator] + epochs(loader) == expected


@pytest.mark.parametrize(
    "dataset, inline",
    [
        (TensorDataset(torch.ones(4)), True),
        (Subset(TensorDataset(torch.ones(4)), [1, 2]), True),
        (StackDataset(TensorDataset(torch.ones(4)), TensorDataset(torch.zeros(4))), True),
        (StackDataset(TensorDataset(torch.ones(4)), Squares(4)), False),
        (ConcatDataset([TensorDataset(torch.ones(4))]), False),
        (Subset(Squares(), [1]), False),
        (TensorDataset(torch.ones(4, requires_grad=True)), False),
        (type("Mine", (TensorDataset,), {"__getitem__": lambda self, i: i})(torch.ones(4)), False),
        (type("Mine", (Subset,), {"__getitems__": lambda self, i: i})(TensorDataset(torch.ones(4)), [0]), False),
    ],
)
def test_which_sets_need_processes(dataset, inline):
    assert DataLoader(dataset, num_workers=1)._worker_kind() == ("inline" if inline else "process")
    for other in ({"worker_init_fn": print}, {"batch_size": None}, {"collate_fn": list}, {"worker": "process"},
                  {"multiprocessing_context": "fork"}):  # fmt: skip
        assert DataLoader(dataset, num_workers=1, **other)._worker_kind() == "process"


def test_worker_processes_use_one_thread():
    """Whether the compiler is loaded in the parent or not; loading it would take most of a worker's start."""
    code = """if True:
        import sys
        import numpy as np
        import flambeau as torch
        from flambeau.utils.data import DataLoader

        class Asking:
            def __len__(self):
                return 2
            def __getitem__(self, index):
                loaded = "flambeau.compiler.threads" in sys.modules
                return np.array([loaded, torch.get_num_threads()])

        for expected in (0, 1):
            first, _ = DataLoader(Asking(), num_workers=2, multiprocessing_context="fork")
            assert first.tolist() == [[expected, 1]], first
            torch.set_num_threads(2)
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
