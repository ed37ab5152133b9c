"""Without workers, the next batch is made while the program of the step runs."""

import pytest

import flambeau as torch
from flambeau.runtime import tiers
from flambeau.runtime.program import set_executor
from flambeau.runtime.trace import trace
from flambeau.utils.data import DataLoader, Dataset, TensorDataset


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(tiers, "COMPILE_AT", 1)
    monkeypatch.setattr(tiers, "SWITCH_AT", 2)
    set_executor(tiers.Tiered())
    yield
    set_executor(tiers.default_executor())
    torch.set_num_threads(before)


class Watched(TensorDataset):
    """Notes at each batch whether a program is under way before it is fetched, and after."""

    def __init__(self, *tensors):
        super().__init__(*tensors)
        self.seen = []

    def __getitems__(self, indices):
        before = trace.flight is not None
        batch = super().__getitems__(indices)
        self.seen.append((before, trace.flight is not None))
        return batch


class OneByOne(Dataset):
    """A user's set: samples are made one by one, of views of a tensor."""

    def __init__(self, x):
        self.x = x
        self.seen = []

    def __getitem__(self, index):
        before = trace.flight is not None
        sample = self.x[index], index % 10
        self.seen.append((before, trace.flight is not None))
        return sample

    def __len__(self):
        return len(self.x)


@pytest.mark.parametrize("make", [lambda x: Watched(x, torch.arange(len(x)) % 10), OneByOne])
def test_batches_are_made_during_the_step(make):
    data = make(torch.randn(30 * 64, 256))
    model = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = 0.0
    for x, y in DataLoader(data, batch_size=64):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses = losses + loss.detach()
    late = data.seen[len(data.seen) // 2:]  # when the step's program is compiled
    assert all(before and after for before, after in late)
    assert torch.isfinite(losses)
