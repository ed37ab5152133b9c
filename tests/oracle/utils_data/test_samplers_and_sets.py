"""Samplers and sets against PyTorch's: the same indices, the same draws left over, the same errors."""

import gc
import warnings

import pytest

torch = pytest.importorskip("torch")

import torch.utils.data as theirs  # noqa: E402

import flambeau  # noqa: E402
import flambeau.utils.data as ours  # noqa: E402

SIDES = [(flambeau, ours), (torch, theirs)]


def both(run, seed=0):
    """run(framework, its utils.data) on both sides, each followed by a draw from the default generator."""
    results = []
    for framework, data in SIDES:
        framework.manual_seed(seed)
        results.append((run(framework, data), framework.randint(0, 1 << 30, (3,)).tolist()))
    return results


def same(run, seed=0):
    mine, expected = both(run, seed)
    assert mine == expected


def generator(framework, seed):
    made = framework.Generator()
    made.manual_seed(seed)
    return made


@pytest.mark.parametrize("own", [False, True], ids=["default generator", "own generator"])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("n, num_samples", [(1, None), (7, None), (100, None), (10, 3), (10, 10), (10, 64), (9, 31)])
def test_random_sampler(n, num_samples, replacement, own):
    def run(framework, data):
        g = generator(framework, 5) if own else None
        sampler = data.RandomSampler(range(n), replacement, num_samples, g)
        drawn = [list(sampler), list(sampler), len(sampler), sampler.num_samples]
        return drawn, framework.randint(0, 1 << 30, (2,), generator=g).tolist()

    same(run)


def test_random_sampler_draws_when_asked():
    def run(framework, data):
        order = iter(data.RandomSampler(range(10)))
        between = framework.randint(0, 1 << 30, (1,)).tolist()
        return between, list(order)

    same(run)


@pytest.mark.parametrize("own", [False, True])
def test_subset_random_sampler(own):
    same(
        lambda framework, data: [
            list(data.SubsetRandomSampler([3, 1, 4, 1, 5, 9, 2, 6], generator(framework, 2) if own else None))
            for _ in range(2)
        ]
    )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("replacement, num_samples", [(True, 50), (True, 1), (False, 6), (False, 2)])
def test_weighted_random_sampler(replacement, num_samples, own):
    def run(framework, data):
        g = generator(framework, 2) if own else None
        sampler = data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], num_samples, replacement, g)
        return list(sampler), list(sampler), len(sampler), sampler.weights.tolist()

    same(run)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n", [0, 1, 3, 6, 7])
def test_batch_sampler(n, drop_last):
    def run(framework, data):
        sampler = data.BatchSampler(data.SequentialSampler(range(n)), 3, drop_last)
        return list(sampler), len(sampler)

    same(run)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("n, replicas", [(10, 1), (10, 2), (10, 3), (2, 5), (7, 4), (3, 7), (12, 4)])
def test_distributed_sampler(n, replicas, shuffle, drop_last):
    def run(framework, data):
        seen = []
        for rank in range(replicas):
            sampler = data.DistributedSampler(range(n), replicas, rank, shuffle, seed=3, drop_last=drop_last)
            seen.append((list(sampler), len(sampler), sampler.total_size))
            sampler.set_epoch(2)
            seen.append(list(sampler))
        return seen

    same(run)


@pytest.mark.parametrize(
    "n, lengths",
    [(10, [3, 7]), (10, [10, 0]), (11, [0.5, 0.5]), (30, [0.3, 0.3, 0.4]), (100, [0.1] * 10), (7, [1.0]), (1, [1])],
)
def test_random_split(n, lengths):
    def run(framework, data):
        whole = range(n)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            parts = data.random_split(whole, lengths) + data.random_split(whole, lengths, generator(framework, 42))
        return [list(part) for part in parts], [part.indices for part in parts], [str(w.message) for w in caught]

    same(run)


def test_tensor_dataset_and_sets_of_sets():
    def run(framework, data):
        x, y = framework.arange(12).reshape(6, 2), framework.arange(6)
        tensors = data.TensorDataset(x, y)
        subset = data.Subset(tensors, [4, 0, 2])
        concat = data.ConcatDataset([subset, tensors]) + subset
        stack = data.StackDataset(a=tensors, b=[5, 6, 7, 8, 9, 10])
        pairs = data.StackDataset(y, tensors)
        sets = [tensors, subset, concat, stack, pairs, data.Subset(stack, [1, 5]), data.Subset(concat, [0, 8])]

        def plain(sample):
            if isinstance(sample, dict):
                return {key: plain(value) for key, value in sample.items()}
            if isinstance(sample, tuple):
                return tuple(map(plain, sample))
            return sample.tolist() if hasattr(sample, "tolist") else sample

        seen = [[plain(one[i]) for i in range(len(one))] for one in sets]
        for one in sets:
            for shuffle in (False, True):
                for batch in data.DataLoader(one, batch_size=2, shuffle=shuffle):
                    seen.append(plain(tuple(batch) if isinstance(batch, list) else batch))
        seen += [plain(concat[-1]), concat.cumulative_sizes, plain(subset[[0, 1]]), plain(tensors[1:3])]
        return str(seen)

    same(run)


def error_of(run, framework, data):
    with pytest.raises(Exception) as caught:
        run(framework, data)
    return type(caught.value), str(caught.value)


BAD = {
    "sampler replacement": lambda t, d: d.RandomSampler([1], replacement=1),
    "sampler num_samples": lambda t, d: d.RandomSampler([1], num_samples=0),
    "sampler of nothing": lambda t, d: d.RandomSampler([]),
    "weighted num_samples": lambda t, d: d.WeightedRandomSampler([1.0], True),
    "weighted replacement": lambda t, d: d.WeightedRandomSampler([1.0], 1, 0),
    "weighted weights": lambda t, d: d.WeightedRandomSampler([[1.0, 2.0]], 1),
    "batch_size 0": lambda t, d: d.BatchSampler([1], 0, False),
    "batch_size bool": lambda t, d: d.BatchSampler([1], True, False),
    "drop_last": lambda t, d: d.BatchSampler([1], 1, 2),
    "base sampler": lambda t, d: iter(d.Sampler()),
    "distributed rank": lambda t, d: d.DistributedSampler([1], 2, 2),
    "distributed rank below": lambda t, d: d.DistributedSampler([1], 2, -1),
    "base dataset": lambda t, d: d.Dataset()[0],
    "tensors": lambda t, d: d.TensorDataset(t.ones(2), t.ones(3)),
    "concat nothing": lambda t, d: d.ConcatDataset([]),
    "concat stream": lambda t, d: d.ConcatDataset([d.ChainDataset([])]),
    "concat below": lambda t, d: d.ConcatDataset([[1, 2]])[-3],
    "concat above": lambda t, d: d.ConcatDataset([[1, 2]])[2],
    "chain map": lambda t, d: list(d.ChainDataset([[1]])),
    "chain length": lambda t, d: len(d.ChainDataset([[1]])),
    "stack nothing": lambda t, d: d.StackDataset(),
    "stack both": lambda t, d: d.StackDataset([1], a=[1]),
    "stack sizes": lambda t, d: d.StackDataset([1], [1, 2]),
    "split sum": lambda t, d: d.random_split([1, 2], [1, 2]),
    "split fraction": lambda t, d: d.random_split([1, 2], [-0.5, 1.5]),
    "workers": lambda t, d: d.DataLoader([1], num_workers=-1),
    "timeout": lambda t, d: d.DataLoader([1], timeout=-1),
    "prefetch without workers": lambda t, d: d.DataLoader([1], prefetch_factor=2),
    "prefetch": lambda t, d: d.DataLoader([1], num_workers=1, prefetch_factor=-2),
    "persistent": lambda t, d: d.DataLoader([1], persistent_workers=True),
    "stream shuffle": lambda t, d: d.DataLoader(d.ChainDataset([]), shuffle=True),
    "stream sampler": lambda t, d: d.DataLoader(d.ChainDataset([]), sampler=[1]),
    "stream batch_sampler": lambda t, d: d.DataLoader(d.ChainDataset([]), batch_sampler=[[1]]),
    "sampler and shuffle": lambda t, d: d.DataLoader([1], sampler=[0], shuffle=True),
    "batch_sampler and batch_size": lambda t, d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    "batch_sampler and drop_last": lambda t, d: d.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    "drop_last without batches": lambda t, d: d.DataLoader([1], batch_size=None, drop_last=True),
    "context without workers": lambda t, d: d.DataLoader([1], multiprocessing_context="fork"),
    "context unknown": lambda t, d: d.DataLoader([1], num_workers=1, multiprocessing_context="thread"),
    "context of another type": lambda t, d: d.DataLoader([1], num_workers=1, multiprocessing_context=3),
    "batch_size": lambda t, d: d.DataLoader([1], batch_size=0),
    "set batch_size": lambda t, d: setattr(d.DataLoader([1]), "batch_size", 2),
    "set dataset": lambda t, d: setattr(d.DataLoader([1]), "dataset", [2]),
    "set sampler": lambda t, d: setattr(d.DataLoader([1]), "sampler", [2]),
    "prefetch 0": lambda t, d: iter(d.DataLoader([1], num_workers=1, prefetch_factor=0)),
    "timeout without workers": lambda t, d: iter(d.DataLoader([1], timeout=1)),
    "length of a stream": lambda t, d: len(d.DataLoader(type("S", (d.IterableDataset,), {"__iter__": iter})())),
    "stream without iter": lambda t, d: d.IterableDataset(),
    "nothing to collate": lambda t, d: d.default_collate([]),
    "collate None": lambda t, d: d.default_collate([None]),
    "collate objects": lambda t, d: d.default_collate([object()]),
    "collate lengths": lambda t, d: d.default_collate([[1, 2], [1]]),
    "collate shapes": lambda t, d: d.default_collate([t.ones(2), t.ones(3)]),
}


# PyTorch's iterator that failed to begin fails again when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", BAD)
def test_errors(case):
    mine, expected = (error_of(BAD[case], *side) for side in SIDES)
    gc.collect()
    assert mine == expected


def test_subset_subclass_error():
    for _, data in SIDES:
        kind = type("Mine", (data.Subset,), {"__getitem__": lambda self, i: i})
        with pytest.raises(NotImplementedError, match="__getitems__"):
            kind([1], [0])


def test_renamed_attribute_warns():
    for _, data in SIDES:
        with pytest.warns(FutureWarning, match="cumulative_sizes"):
            assert data.ConcatDataset([[1, 2], [3]]).cummulative_sizes == [2, 3]


def test_seeds_are_drawn_as_random_draws_them():
    from flambeau.utils.data.sampler import draw_seed

    for seed in range(5):
        flambeau.manual_seed(seed)
        torch.manual_seed(seed)
        expected = [torch.empty((), dtype=torch.int64).random_().item() for _ in range(400)]
        assert [draw_seed() for _ in range(400)] == expected
        assert flambeau.rand(1).item() == torch.rand(1).item()
