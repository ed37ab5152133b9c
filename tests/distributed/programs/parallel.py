"""DistributedDataParallel, step by step beside one process that sees the whole batch. The argument: keyword arguments."""
import copy
import sys

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

BATCH, TOLERANCE = 16, 1e-5


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def with_batch_norm():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))


def batches(count):
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        yield torch.randn(BATCH, 1, 28, 28, generator=generator), torch.randint(0, 10, (BATCH,), generator=generator)


def mine(*tensors):
    return [t.chunk(size)[rank] for t in tensors]


def assert_near(ours, expected):
    for a, b in zip(ours, expected, strict=True):
        assert (a - b).abs().max() <= TOLERANCE * b.abs().max(), (rank, (a - b).abs().max(), b.abs().max())


def assert_same_everywhere(tensors):
    everybody = [None] * size
    dist.all_gather_object(everybody, [t.tolist() for t in tensors])
    assert all(theirs == everybody[0] for theirs in everybody)


def train(model, data, optimizer):
    for x, y in data:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def whole_batch(make, convert=lambda module: module, steps=5, **options):
    torch.manual_seed(3)
    one = make()
    torch.manual_seed(100 + rank)  # rank 0's parameters are what counts
    many = DistributedDataParallel(convert(make() if rank else copy.deepcopy(one)), **options)
    train(one, batches(steps), torch.optim.SGD(one.parameters(), lr=0.05, momentum=0.9))
    train(many, (mine(x, y) for x, y in batches(steps)), torch.optim.SGD(many.parameters(), lr=0.05, momentum=0.9))
    assert_near(many.module.state_dict().values(), one.state_dict().values())
    assert_same_everywhere(many.parameters())
    return one, many


def accumulation(one, many):
    """no_sync: sums stay this process's own until a pass outside of it averages them."""
    (x, y), = batches(1)
    one.zero_grad()
    many.zero_grad()
    F.cross_entropy(one(x), y).backward()
    (xs, ys), half = mine(x, y), BATCH // size // 2
    with many.no_sync():
        (F.cross_entropy(many(xs[:half]), ys[:half]) / 2).backward()
    everybody = [None] * size
    dist.all_gather_object(everybody, many.module.fc3.bias.grad.tolist())
    assert everybody[0] != everybody[1]
    (F.cross_entropy(many(xs[half:]), ys[half:]) / 2).backward()
    assert_near([p.grad for p in many.parameters()], [p.grad for p in one.parameters()])


class Choice(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))

    def forward(self, x, which):
        return self.parts[which](x)


def unused_parameters():
    model = DistributedDataParallel(Choice(), find_unused_parameters=True)
    for _ in range(2):
        model.zero_grad()
        model(torch.full((1, 2), rank + 1.), rank % 2).sum().backward()
    for which in (0, 1):
        expected = sum(i + 1. for i in range(size) if i % 2 == which) / size
        assert torch.allclose(model.module.parts[which].weight.grad, torch.full((2, 2), expected))
    assert model.module.parts[2].weight.grad is None
    model = DistributedDataParallel(Choice())
    model(torch.ones(1, 2), 0).sum().backward()
    try:
        model(torch.ones(1, 2), 0)
    except RuntimeError as error:
        assert "Expected to have finished reduction in the prior iteration" in str(error)
        assert f"did not receive grad for rank {rank}: 2 3 4 5" in str(error)
    else:
        raise AssertionError("no error")


def buffers():
    """Everybody begins a forward pass with rank 0's running statistics."""
    torch.manual_seed(rank)
    model = DistributedDataParallel(nn.BatchNorm1d(2))
    first = torch.randn(4, 2)
    model(first).sum().backward()
    model.eval()
    model(torch.randn(4, 2))
    assert_same_everywhere(model.module.buffers())
    own = DistributedDataParallel(nn.BatchNorm1d(2), forward_sync_buffers=False)
    own(first + rank).sum().backward()
    own(first)
    everybody = [None] * size
    dist.all_gather_object(everybody, own.module.running_mean.tolist())
    assert everybody[0] != everybody[1]


def groups_of_batch_norm():
    half, _ = dist.new_subgroups(size // 2)
    norm = nn.SyncBatchNorm(2, process_group=half)
    x = torch.randn(BATCH, 2, 3, generator=torch.Generator().manual_seed(1)) * 3 + 5
    x = x.chunk(2)[rank // (size // 2)]
    whole, part = x.clone().requires_grad_(), x.chunk(size // 2)[rank % (size // 2)].clone().requires_grad_()
    expected = nn.BatchNorm1d(2)
    weights = torch.arange(6.).view(2, 3)
    (expected(whole) * weights).square().sum().backward()
    (norm(part) * weights).square().sum().backward()
    assert_near([part.grad, norm.running_var], [whole.grad.chunk(size // 2)[rank % (size // 2)], expected.running_var])


def different_models():
    try:
        DistributedDataParallel(nn.Linear(2 + rank, 2))
    except RuntimeError as error:
        assert "[1]: params[0] in this process with sizes [2, 3]" in str(error), error
    else:
        raise AssertionError("no error")


dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
pair = whole_batch(LeNet)
if sys.argv[1] == "all":
    accumulation(*pair)
    whole_batch(LeNet, steps=2, bucket_cap_mb=0.01, gradient_as_bucket_view=True, static_graph=True)
    unused_parameters()
    buffers()
    different_models()
whole_batch(with_batch_norm, nn.SyncBatchNorm.convert_sync_batchnorm, steps=3)
if size == 4:
    groups_of_batch_norm()
dist.destroy_process_group()
print("passed")
