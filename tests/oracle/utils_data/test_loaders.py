"""Whole epochs against PyTorch's: order, base seed, what workers draw, and what is left of each stream afterwards."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.utils.data as theirs  # noqa: E402

import flambeau  # noqa: E402
import flambeau.utils.data as ours  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
SIDES = [(flambeau, ours), (torch, theirs)]


def plain(batch):
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [plain(part) for part in batch]
    return batch.tolist() if hasattr(batch, "tolist") else batch


def draws_left(framework):
    return framework.rand(2).tolist(), random.random(), np.random.rand()


def same(run):
    results = []
    for framework, data in SIDES:
        framework.manual_seed(11)
        random.seed(12)
        np.random.seed(13)
        results.append((run(framework, data), draws_left(framework)))
    assert results[0] == results[1]


def drawing_set(framework, length=23):
    class Draws:
        def __len__(self):
            return length

        def __getitem__(self, i):
            return i, framework.rand(2), random.random(), np.random.rand()

    return Draws()


def stream(framework, data, end=23):
    class Stream(data.IterableDataset):
        def __iter__(self):
            info = data.get_worker_info()
            start, step = (0, 1) if info is None else (info.id, info.num_workers)
            for i in range(start, end, step):
                yield i, framework.rand(1), random.random(), np.random.rand()

    return Stream()


OPTIONS = [
    {},
    {"shuffle": True},
    {"shuffle": True, "drop_last": True},
    {"batch_size": None, "shuffle": True},
    {"sampler": [5, 3, 1, 3]},
    {"batch_size": 1, "batch_sampler": [[0], [2, 1], []][:2]},
    {"own generator": True, "shuffle": True},
    {"own generator": True},
    {"weights": True},
]


def loader_options(framework, data, options):
    options = {"batch_size": 4, **options}
    if options.pop("own generator", False):
        options["generator"] = framework.Generator()
        options["generator"].manual_seed(3)
    if options.pop("weights", False):
        options["sampler"] = data.WeightedRandomSampler([k % 5 for k in range(23)], 30)
    return options


@pytest.mark.parametrize(
    "workers",
    [
        {"num_workers": 0},
        {"num_workers": 2, "multiprocessing_context": "fork"},
        {"num_workers": 3, "multiprocessing_context": "fork", "prefetch_factor": 1},
        {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True},
    ],
    ids=["none", "two", "three", "persistent"],
)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_map_style(options, workers):
    def run(framework, data):
        chosen = loader_options(framework, data, options)
        loader = data.DataLoader(drawing_set(framework), **chosen, **workers)
        seen = [plain(batch) for _ in range(2) for batch in loader]
        own = chosen.get("generator")
        return seen, own and framework.rand(1, generator=own).tolist(), len(loader)

    same(run)


@pytest.mark.parametrize("num_workers", [0, 2, 3])
@pytest.mark.parametrize("options", [{}, {"batch_size": None}, {"drop_last": True}], ids=str)
def test_iterable_style(options, num_workers):
    def run(framework, data):
        workers = {"num_workers": num_workers, "multiprocessing_context": "fork"} if num_workers else {}
        loader = data.DataLoader(stream(framework, data), **{"batch_size": 4, **options}, **workers)
        return [plain(batch) for _ in range(2) for batch in loader]

    same(run)


def test_worker_init_fn_draws_before_the_samples():
    def run(framework, data):
        def init(worker_id):
            framework.rand(worker_id + 1)
            random.random()

        loader = data.DataLoader(
            drawing_set(framework), 4, num_workers=2, worker_init_fn=init, multiprocessing_context="fork"
        )
        return [plain(batch) for batch in loader]

    same(run)


def test_numpy_seeds_of_workers():
    from torch.utils.data._utils.worker import _generate_state

    from flambeau.utils.data._utils.worker import _numpy_seed

    for base_seed in (0, 1, 2**31, 2**32 - 1, 2**40 + 17, 2**63 - 1, 6843765924816219587):
        for worker_id in (0, 1, 7):
            assert _numpy_seed(base_seed, worker_id).tolist() == _generate_state(base_seed, worker_id)


def test_length_of_a_stream_and_its_warning():
    def run(framework, data):
        class Short(data.IterableDataset):
            def __iter__(self):
                return iter(range(5))

            def __len__(self):
                return 3

            def __repr__(self):
                return "Short"

        loader = data.DataLoader(Short(), batch_size=None)
        length = len(loader)
        with pytest.warns(UserWarning) as caught:
            seen = list(loader)
        lengths = [len(data.DataLoader(Short(), batch_size=2, drop_last=drop)) for drop in (False, True)]
        return length, seen, lengths, [str(warning.message) for warning in caught]

    same(run)


@pytest.mark.parametrize("options", [{"pin_memory": True}, {"pin_memory": True, "pin_memory_device": "cuda"}], ids=str)
def test_pinned_memory_without_an_accelerator_warns(options):
    def run(framework, data):
        loader = data.DataLoader([1, 2], **options)
        with pytest.warns(UserWarning) as caught:
            seen = [plain(batch) for batch in loader]
        return seen, [str(warning.message) for warning in caught]

    same(run)


def test_more_workers_than_processors_warn():
    def run(framework, data):
        with pytest.warns(UserWarning) as caught:
            data.DataLoader([1], num_workers=1000)
        return [str(warning.message) for warning in caught]

    same(run)


def test_private_names_that_programs_use():
    for name in ("_BaseDataLoaderIter", "_SingleProcessDataLoaderIter", "_MultiProcessingDataLoaderIter",
                 "_DatasetKind", "_InfiniteConstantSampler"):  # fmt: skip
        assert hasattr(theirs.dataloader, name) and hasattr(ours.dataloader, name)
    for framework, data in SIDES:
        loader = data.DataLoader([3, 4, 5])
        iterator = iter(loader)
        assert type(iterator).__name__ == "_SingleProcessDataLoaderIter"
        assert isinstance(iterator, data.dataloader._BaseDataLoaderIter) and iter(iterator) is iterator
        assert len(iterator) == 3 and next(iterator).tolist() == [3] and iterator._num_yielded == 1
        assert next(iter(data.dataloader._InfiniteConstantSampler())) is None
        assert isinstance(loader._index_sampler, data.BatchSampler) and loader._auto_collation
        with pytest.raises(NotImplementedError):
            iterator.__getstate__()


def test_subclasses_that_replace_the_batch_sampler():
    """As MultiEpochsDataLoader and InfiniteDataLoader of well-known projects do."""

    def run(framework, data):
        class Repeat:
            def __init__(self, sampler):
                self.sampler = sampler

            def __iter__(self):
                while True:
                    yield from iter(self.sampler)

        class Endless(data.DataLoader):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self._DataLoader__initialized = False
                self.batch_sampler = Repeat(self.batch_sampler)
                self._DataLoader__initialized = True
                self.iterator = super().__iter__()

            def __len__(self):
                return len(self.batch_sampler.sampler)

            def __iter__(self):
                for _ in range(len(self)):
                    yield next(self.iterator)

        loader = Endless(range(7), batch_size=3, shuffle=True)
        return [plain(batch) for _ in range(3) for batch in loader]

    same(run)
