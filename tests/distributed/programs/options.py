"""DistributedDataParallel with its options and hooks in two processes, under PyTorch or flambeau: each prints what it has learned."""
import json
import sys
import warnings

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank = dist.get_rank()
found = {}


def model():
    torch.manual_seed(5)
    made = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 2))
    made[1].running_mean.add_(rank)  # rank 0's buffers are what counts, unless nobody copies them
    return made


def batch(step):
    generator = torch.Generator().manual_seed(10 * step + rank)
    return torch.randn(4, 6, generator=generator)


def train(many, steps=3):
    optimizer = torch.optim.SGD(many.parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        optimizer.zero_grad()
        many(batch(step)).square().mean().backward()
        optimizer.step()


def note(name, many):
    found[name] = [t.double().flatten().tolist() for t in many.module.state_dict().values()]


def doubling_hook(state, bucket):
    """A hook of one's own: it counts, looks at all parts of its bucket, and doubles the mean."""
    state.append((bucket.index(), bucket.is_last(), sorted(list(g.shape) for g in bucket.gradients()), len(bucket.parameters())))
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda future: future.value()[0] * (2 / dist.get_world_size()))


options = {"plain": {}, "views": {"gradient_as_bucket_view": True}, "static": {"static_graph": True}, "unused": {"find_unused_parameters": True},
           "caps": {"bucket_cap_mb": 0.0001}, "list of caps": {"bucket_cap_mb_list": [1, 2]}, "no sync": {"forward_sync_buffers": False},
           "broadcast": {"broadcast_buffers": False}, "copies": {"batched_grad_copy": True, "skip_all_reduce_unused_params": True}}
for name, keywords in options.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FutureWarning)
        many = DistributedDataParallel(model(), **keywords)
    found[name + " warned"] = sum("`broadcast_buffers` is deprecated" in str(each.message) for each in caught)
    train(many)
    note(name, many)

hooks = {"allreduce": default_hooks.allreduce_hook, "fp16": default_hooks.fp16_compress_hook,
         "wrapped": default_hooks.fp16_compress_wrapper(default_hooks.allreduce_hook)}
for name, hook in hooks.items():
    many = DistributedDataParallel(model())
    many.register_comm_hook(None, hook)
    train(many)
    note(name, many)
many, seen = DistributedDataParallel(model()), []
many.register_comm_hook(seen, doubling_hook)
train(many, 1)
note("own hook", many)
found["own hook saw"] = seen
try:
    many.register_comm_hook(None, doubling_hook)
except RuntimeError as error:
    found["second hook"] = "can only be called once" in str(error)
try:
    many.register_comm_hook(None, 3)
except TypeError as error:
    found["no hook"] = str(error).splitlines()[0]

for by_all in (True, False):
    many = DistributedDataParallel(model())
    with many.join(divide_by_initial_world_size=by_all):
        train(many, 2 + 2 * rank)
    note(f"join {by_all}", many)
many = DistributedDataParallel(model())
try:
    with many.join(throw_on_early_termination=True):
        train(many, 1 + rank)
except RuntimeError as error:
    found["early"] = str(error)
found["futures"] = torch.futures.wait_all([torch.futures.Future() for _ in range(0)])
sys.stdout.write(f"{rank} {json.dumps(found)}\n")
sys.stdout.flush()
dist.destroy_process_group()
