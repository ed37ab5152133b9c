"""Every collective once; asserts what each rank gets. Runs under PyTorch with Gloo, too, for any number of processes."""
from datetime import timedelta

import torch
import torch.distributed as dist

NUMBERS = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.uint8)


def check(got, expected):
    assert got.dtype == torch.as_tensor(expected, dtype=got.dtype).dtype
    assert torch.equal(got, torch.as_tensor(expected, dtype=got.dtype)), (got, expected)


dist.init_process_group("gloo", timeout=timedelta(seconds=60))
rank, size = dist.get_rank(), dist.get_world_size()
everybody = range(size)
assert dist.is_initialized() and dist.get_backend() == "gloo" and dist.get_process_group_ranks(dist.group.WORLD) == list(everybody)

# reductions
total = sum(everybody)
for dtype in NUMBERS:
    x = torch.tensor([[1, 2, 3], [4, 5, 6]]).to(dtype).t() + rank  # a view whose memory is in another order
    assert dist.all_reduce(x) is None
    check(x, torch.tensor([[1, 4], [2, 5], [3, 6]]) * size + total)
expected = {dist.ReduceOp.MIN: 1, dist.ReduceOp.MAX: size, dist.ReduceOp.BAND: 1 & 2 if size == 2 else 1 & 2 & 3 & 4,
            dist.ReduceOp.BOR: 3 if size == 2 else 7, dist.ReduceOp.BXOR: 3 if size == 2 else 1 ^ 2 ^ 3 ^ 4,
            dist.ReduceOp.PRODUCT: 2 if size == 2 else 24}
for op, value in expected.items():
    x = torch.full((5,), rank + 1)
    dist.all_reduce(x, op)
    check(x, [value] * 5)
x = torch.tensor([1 + 2j, rank * 1j])
dist.all_reduce(x)
check(x, torch.tensor([size * (1 + 2j), total * 1j]))
x = torch.arange(10.)
part = x[2:5]
dist.all_reduce(part)
check(x, [0, 1, 2 * size, 3 * size, 4 * size, 5, 6, 7, 8, 9])
x = torch.full((3,), float(rank))
dist.reduce(x, dst=1)
if rank == 1:
    check(x, [float(total)] * 3)
big = torch.full((300_001,), rank + 0.5)
work = dist.all_reduce(big, async_op=True)
work.wait()
check(big, torch.full((300_001,), total + size * 0.5))
several = [torch.full((2,), float(rank)), torch.full((3, 1), 1.0)]
dist.all_reduce_coalesced(several)
check(several[0], [float(total)] * 2)
check(several[1], [[float(size)]] * 3)

# moves
for dtype in (*NUMBERS, torch.bool, torch.complex64):
    x = torch.tensor([0, 1, rank]).to(dtype)
    dist.broadcast(x, src=1)
    check(x, torch.tensor([0, 1, 1]).to(dtype))
    gathered = [torch.zeros(2, 1, dtype=dtype) for _ in everybody]
    dist.all_gather(gathered, torch.tensor([[rank], [1]]).to(dtype))
    for i in everybody:
        check(gathered[i], torch.tensor([[i], [1]]).to(dtype))
x = torch.tensor([float("nan"), -0.0])
dist.broadcast(x, 0)
assert x[0].isnan() and torch.signbit(x[1])
joined = torch.zeros(2 * size)
dist.all_gather_into_tensor(joined, torch.tensor([rank, rank + 0.5]))
check(joined, [i + half for i in everybody for half in (0, 0.5)])
rows = torch.arange(2. * size) + rank
out = torch.zeros(2)
dist.reduce_scatter_tensor(out, rows)
check(out, [2. * rank * size + total, (2. * rank + 1) * size + total])
dist.reduce_scatter(out, [row + 0 for row in torch.arange(2. * size).view(size, 2)])
check(out, [2. * rank * size, (2. * rank + 1) * size])
gathered = [torch.zeros(1) for _ in everybody] if rank == 0 else None
dist.gather(torch.tensor([float(rank)]), gathered, dst=0)
if rank == 0:
    check(torch.cat(gathered), [float(i) for i in everybody])
out = torch.zeros(2, dtype=torch.int32)
dist.scatter(out, [torch.tensor([i, -i], dtype=torch.int32) for i in everybody] if rank == 1 else None, src=1)
check(out, [rank, -rank])
outs = [torch.zeros(1, dtype=torch.int64) for _ in everybody]
dist.all_to_all(outs, [torch.tensor([10 * rank + i]) for i in everybody])
check(torch.cat(outs), [10 * i + rank for i in everybody])
counts = [1] * (size - 1) + [2]
out = torch.zeros(sum([counts[rank]] * size), dtype=torch.int64)
dist.all_to_all_single(out, torch.arange(size + 1) + 100 * rank, [counts[rank]] * size, counts)
check(out, [100 * i + rank + k for i in everybody for k in range(counts[rank])])

# objects
objects = [None] * size
dist.all_gather_object(objects, {"rank": rank, "text": "x" * rank})
assert objects == [{"rank": i, "text": "x" * i} for i in everybody]
objects = [None] * size if rank == 1 else None
dist.gather_object((rank,), objects, dst=1)
assert rank != 1 or objects == [(i,) for i in everybody]
objects = ["a", torch.ones(2)] if rank == 0 else [None, None]
dist.broadcast_object_list(objects, src=0)
assert objects[0] == "a" and torch.equal(objects[1], torch.ones(2))
objects = [None]
dist.scatter_object_list(objects, [str(i) for i in everybody] if rank == 0 else None, src=0)
assert objects == [str(rank)]

# messages
following, before = (rank + 1) % size, (rank - 1) % size
sent, got = torch.tensor([[float(rank)] * 3]), torch.zeros(1, 3)
works = [dist.isend(sent, following), dist.irecv(got, before)]
for work in works:
    work.wait()
check(got, [[float(before)] * 3])
for work in dist.batch_isend_irecv([dist.P2POp(dist.isend, sent + 1, following), dist.P2POp(dist.irecv, got, before)]):
    work.wait()
check(got, [[before + 1.] * 3])
if rank == 0:
    dist.send(torch.tensor([1]), 1, tag=1)
    dist.send_object_list([{"a": 1}], 1)
elif rank == 1:
    x = torch.tensor([0])
    assert dist.recv(x, 0, tag=1) == 0
    check(x, [1])
    objects = [None]
    assert dist.recv_object_list(objects, 0) == 0 and objects == [{"a": 1}]
dist.barrier()
if rank == 0:
    seen = set()
    for _ in range(size - 1):
        x = torch.zeros(1, dtype=torch.int64)
        seen.add((dist.recv(x), int(x)))
    assert seen == {(i, i) for i in range(1, size)}
else:
    dist.send(torch.tensor([rank]), 0)
dist.monitored_barrier()

# groups
first = dist.new_group([1, 0])
assert dist.get_rank(first) == (rank if rank < 2 else -1)
if rank < 2:
    x = torch.ones(1)
    dist.all_reduce(x, group=first)
    check(x, [2.])
    assert dist.get_global_rank(first, 1) == 1 and dist.get_group_rank(first, 1) == 1
if size == 4:
    mine, groups = dist.new_subgroups_by_enumeration([[0, 2], [1, 3]])
    x = torch.tensor([rank])
    dist.broadcast(x, group=mine, group_src=1)
    check(x, [rank % 2 + 2])
    assert len(groups) == 2
    dist.destroy_process_group(mine)
dist.destroy_process_group()
assert not dist.is_initialized()
print("passed")
