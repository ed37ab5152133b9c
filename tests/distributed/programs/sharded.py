"""`fully_shard`, step by step beside one process that sees the whole batch. The argument: "all", or "training" only."""
import gc
import sys

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.checkpoint.state_dict import (StateDictOptions, get_model_state_dict, get_optimizer_state_dict, set_model_state_dict,
                                                     set_optimizer_state_dict)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.utils.checkpoint import checkpoint

BATCH, TOLERANCE, WIDTH = 16, 1e-5, 33  # 33: parts of different lengths
FULL = StateDictOptions(full_state_dict=True)


class Block(nn.Module):
    def __init__(self, recomputes=False):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.recomputes = recomputes

    def inner(self, x):
        return self.down(F.gelu(self.up(self.norm(x))))

    def forward(self, x):
        return x + (checkpoint(self.inner, x, use_reentrant=False) if self.recomputes else self.inner(x))


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embedding = nn.Embedding(3, WIDTH)  # four processes: one has no part of it
        self.blocks = nn.ModuleList(Block(**options) for _ in range(3))
        self.head = nn.Linear(WIDTH, 3, bias=False)
        self.head.weight = self.embedding.weight

    def features(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return x.mean(1)

    def forward(self, tokens):
        return self.head(self.features(tokens))


def make(**options):
    torch.manual_seed(3)
    return Net(**options)


def sharded(net, **options):
    for block in net.blocks:
        fully_shard(block, **options)
    return fully_shard(net, **options)


def batches(count):
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        yield torch.randint(0, 3, (BATCH, 5), generator=generator), torch.randint(0, 3, (BATCH,), generator=generator)


def mine(*tensors):
    return [t.chunk(size)[rank] for t in tensors]


def assert_near(ours, expected, tolerance=TOLERANCE):
    for a, b in zip(ours, expected, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() <= tolerance * b.abs().max(), (rank, (a - b).abs().max(), b.abs().max())


def whole(tensors):
    return [t.full_tensor() for t in tensors]


def train(model, data, optimizer, most=1e9):
    norms = []
    for x, y in data:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), most))
        optimizer.step()
    return norms


def beside_one(optimizer, steps=4, most=0.1, options={}, **sharding):
    one, many = make(), sharded(make(**options), **sharding)
    pair = optimizer(one.parameters()), optimizer(many.parameters())
    expected = train(one, batches(steps), pair[0], most)
    assert_near(train(many, (mine(x, y) for x, y in batches(steps)), pair[1], most), expected)
    assert_near(whole(many.parameters()), one.parameters())
    return one, many, *pair


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.01)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-3)


def what_it_looks_like():
    net = make()
    before = [p.clone() for p in net.parameters()]
    assert sharded(net) is net and isinstance(net, FSDPModule) and isinstance(net, Net) and type(net).__name__ == "FSDPNet"
    assert net.head.weight is net.embedding.weight and isinstance(net.blocks[0].up.weight, nn.Parameter)
    rows = -(-WIDTH * 2 // size)
    up = net.blocks[0].up.weight
    assert isinstance(up, DTensor) and up.shape == (2 * WIDTH, WIDTH) and up.placements == (Shard(0),) and up.device_mesh.size() == size
    assert up.to_local().shape == (min(rows, 2 * WIDTH - rank * rows), WIDTH)
    assert repr(up.device_mesh) == f"DeviceMesh(({size},), 'cpu', stride=(1,))"
    for p, b in zip(net.parameters(), before):
        assert torch.equal(p.full_tensor(), b)
    net.unshard()
    assert not isinstance(net.head.weight, DTensor) and net.head.weight is net.embedding.weight and isinstance(up, DTensor)
    net.reshard()
    assert isinstance(net.head.weight, DTensor)
    assert_raises(RuntimeError, "no such operation on a DTensor; to_local()", lambda: up + 1)
    assert_raises(RuntimeError, "got mixed torch.Tensor and DTensor", lambda: net.load_state_dict(make().state_dict()))
    assert_raises(RuntimeError, "there are no views of a DTensor", lambda: up.view(-1))
    for module, error, words in ((net, AssertionError, "has already been applied to the following module"),
                                 (nn.ModuleList([nn.Linear(2, 2)]), ValueError, "do not implement forward: ModuleList")):
        assert_raises(error, words, lambda: fully_shard(module))


def assert_raises(error, words, call):
    try:
        call()
    except error as e:
        assert words in str(e), e
    else:
        raise AssertionError(f"no {error.__name__}")


def memory(many, optimizer):
    """Parameters and state, in bytes, are about one part of what one process has; whole parameters of blocks live for a moment."""
    one = sum(p.numel() for p in make().parameters())
    parts = sum(p.to_local().numel() for p in many.parameters())
    state = sum(t.to_local().numel() for s in optimizer.state.values() for t in s.values() if isinstance(t, DTensor))
    assert state == 2 * parts and parts <= one / size + WIDTH * len(list(many.parameters())), (parts, one)
    x, y = mine(*next(batches(1)))
    counts = []
    for _ in range(2):  # what ran before this may be kept until something else runs
        loss = F.cross_entropy(many(x), y)
        counts.append(whole_weights())
        loss.backward()
        counts.append(whole_weights())
    before = counts[0]
    assert counts == [before] * 4, counts
    many.unshard()
    many.blocks[0].unshard()
    assert whole_weights() == before + 1
    many.blocks[0].reshard()
    assert whole_weights() == before


def whole_weights():
    """How many values of the shape of a block's weight there are."""
    return sum(type(v).__name__ == "Value" and v.type.shape == (2 * WIDTH, WIDTH) for v in gc.get_objects())


def accumulation():
    """Gradients of parts of a batch, sent with the last one, and each by itself."""
    one, many = make(), sharded(make())
    (x, y), = batches(1)
    F.cross_entropy(one(x), y).backward()
    (xs, ys), half = mine(x, y), BATCH // size // 2
    for sends in (False, True):
        many.zero_grad()
        many.set_requires_gradient_sync(sends)
        (F.cross_entropy(many(xs[:half]), ys[:half]) / 2).backward()
        assert sends or many.head.weight.grad is None
        many.set_requires_gradient_sync(True)
        (F.cross_entropy(many(xs[half:]), ys[half:]) / 2).backward()
        assert_near(whole(p.grad for p in many.parameters()), [p.grad for p in one.parameters()])


def half_precision():
    """bfloat16 in the module, float32 in the parts and on the way of gradients."""
    one, many = make(), make()
    for block in many.blocks:
        fully_shard(block, mp_policy=MixedPrecisionPolicy(torch.bfloat16, torch.float32))
    fully_shard(many, mp_policy=MixedPrecisionPolicy(torch.bfloat16, torch.float32, torch.float32))
    x, y = next(batches(1))
    seen = []
    many.blocks[0].up.register_forward_hook(lambda module, args, out: seen.append((module.weight.dtype, out.dtype)))
    out = many(mine(x)[0])
    F.cross_entropy(out, mine(y)[0]).backward()
    F.cross_entropy(one(x), y).backward()
    assert seen == [(torch.bfloat16, torch.bfloat16)] and out.dtype == many.head.weight.dtype == torch.float32
    grads = whole(p.grad for p in many.parameters())
    assert grads[0].dtype == torch.float32
    assert_near(grads[:1], [next(one.parameters()).grad], 0.05)


def saving(one, many, opt_one, opt_many):
    """Whole state dicts, in process 0 only, into other modules and optimizers, sharded or not; then on from there."""
    state = get_model_state_dict(many, options=FULL)
    assert list(state) == list(one.state_dict()) and not any(isinstance(t, DTensor) for t in state.values())
    only_first = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state, optim_state = get_model_state_dict(many, options=only_first), get_optimizer_state_dict(many, opt_many, options=only_first)
    assert (len(state) > 0) == (len(optim_state) > 0) == (rank == 0)
    torch.manual_seed(rank)
    other = sharded(Net())
    opt_other = adamw(other.parameters())
    from_first = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    assert str(set_model_state_dict(other, state, options=from_first)) == "<All keys matched successfully>"
    set_optimizer_state_dict(other, opt_other, optim_state, options=from_first)
    train(one, batches(2), opt_one)
    train(other, (mine(x, y) for x, y in batches(2)), opt_other)
    assert_near(whole(other.parameters()), one.parameters())
    parts = other.state_dict()
    many.load_state_dict(parts)
    assert_near(whole(many.parameters()), one.parameters())
    third = sharded(Net())
    mesh = third.head.weight.device_mesh
    cut = {name: distribute_tensor(t, mesh, [Shard(0)]) for name, t in one.state_dict().items()}
    third.load_state_dict(cut, assign=True)
    x = next(batches(1))[0]
    assert_near([third(x)], [one(x)])


def other_ways_in():
    """Evaluation, frozen and ignored parameters, other methods, and a group of some of the processes."""
    one, many = make(), sharded(make())
    x, y = next(batches(1))
    with torch.no_grad():
        assert_near([many(x)], [one(x)])
    assert isinstance(many.head.weight, DTensor)
    register_fsdp_forward_method(many, "features")
    assert_near([many.features(x)], [one.features(x)])
    net = make()
    net.blocks.requires_grad_(False)
    kept = net.blocks[0].up.weight
    fully_shard(net, ignored_params={kept})
    F.cross_entropy(net(x), y).backward()
    net.head.weight.grad.mul_(2).div_(2)
    kept.grad = torch.full_like(kept, 2)
    norm = nn.utils.clip_grad_norm_(net.parameters(), 1.)
    expected = nn.utils.get_total_norm([kept.grad, *(p.grad.full_tensor() for p in net.parameters() if p.grad is not None and p is not kept)])
    assert norm > 10 and abs(expected - 1) < 1e-4
    assert net.blocks[0].up.weight is kept and net.blocks[1].up.weight.grad is None and net.head.weight.grad is not None
    if size == 4:
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("outer", "inner"))
        assert mesh.get_coordinate() == (rank // 2, rank % 2) and mesh["inner"].get_local_rank() == rank % 2
        assert dist.get_process_group_ranks(mesh.get_group("outer")) == [rank % 2, rank % 2 + 2]
        net = fully_shard(make(), mesh=mesh["inner"])
        assert net.head.weight.device_mesh.size() == 2
        assert_near([net(x)], [one(x)])
        assert_raises(ValueError, "expects a 1D or 2D DeviceMesh", lambda: fully_shard(make(), mesh=init_device_mesh("cpu", (2, 2, 1))))
        assert_raises(AssertionError, "mesh_dim_names", lambda: fully_shard(make(), mesh=init_device_mesh("cpu", (2, 2))))


def on_devices():
    """Each process's part on a device of its own, which here is XLA's CPU."""
    one, many = make(), sharded(make().to("xla:cpu"))
    pair = adamw(one.parameters()), adamw(many.parameters())
    train(one, batches(2), pair[0], 0.1)
    train(many, ([t.to("xla:cpu") for t in mine(x, y)] for x, y in batches(2)), pair[1], 0.1)
    assert many.head.weight.device == many.head.weight.full_tensor().device == torch.device("xla:cpu:0")
    assert_near([t.cpu() for t in whole(many.parameters())], one.parameters())


def different_models():
    net = fully_shard(nn.Linear(3 + rank, 8))
    assert_raises(RuntimeError, "Detected mismatch between collectives on ranks", lambda: net(torch.ones(1, 3 + rank)))


dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
beside_one(sgd)
state = beside_one(adamw)
if sys.argv[1] == "all":
    what_it_looks_like()
    beside_one(sgd, steps=2, reshard_after_forward=False)
    beside_one(sgd, steps=2, reshard_after_forward=True, options={"recomputes": True})
    accumulation()
    half_precision()
    on_devices()
    different_models()
memory(state[1], state[3])
saving(*beside_one(adamw, most=1e9))
other_ways_in()
dist.destroy_process_group()
print("passed")
