"""Two processes that do not call the same: both hear of it, and can go on."""
import time
from datetime import timedelta

import torch
import torch.distributed as dist


def error_of(call):
    try:
        call()
    except RuntimeError as error:
        return str(error)
    raise AssertionError("no error")


dist.init_process_group("gloo", timeout=timedelta(seconds=60))
rank = dist.get_rank()
for call, first, other in (
        (lambda: dist.all_reduce(torch.ones(4 + rank)), "OpType=ALLREDUCE, TensorShape=[4]", "OpType=ALLREDUCE, TensorShape=[5]"),
        (lambda: dist.all_reduce(torch.ones(4, dtype=[torch.float32, torch.int32][rank])), "TensorDtypes=float32", "TensorDtypes=int32"),
        (lambda: dist.broadcast(torch.ones(4), 0) if rank else dist.all_reduce(torch.ones(4)), "OpType=ALLREDUCE", "OpType=BROADCAST"),
        (lambda: dist.all_reduce(torch.ones(4), [dist.ReduceOp.SUM, dist.ReduceOp.MAX][rank]), "RedOpType.SUM", "RedOpType.MAX")):
    text = error_of(call)
    assert text.startswith("Detected mismatch between collectives on ranks"), text
    one, two = text.split("but Rank 1 is running collective: ")
    assert "Rank 0 is running collective: " in one and first in one and other in two, text
if rank == 0:
    dist.send(torch.ones(5), 1)
else:
    text = error_of(lambda: dist.recv(torch.ones(4), 0))
    assert "rank 0 sent a tensor of shape [5] and dtype torch.float32, rank 1 expected shape [4]" in text, text
# rank 0 sends [1, 2] and expects [2, 1]; rank 1 sends [1, 2] and expects [1, 2]: both are told other numbers than they sent
text = error_of(lambda: dist.all_to_all_single(torch.ones(3), torch.ones(3), [1, 2] if rank else [2, 1], [1, 2]))
assert f"all_to_all: rank 0 sends {rank + 1} elements, and {2 - rank} were expected" in text, text
if rank == 0:
    text = error_of(lambda: dist.monitored_barrier(timeout=timedelta(seconds=0.5)))
    assert text == "[Rank 0]: Rank 1 failed to pass monitoredBarrier in 500 ms", text
else:
    time.sleep(1.5)
    assert "Rank 1 failed to pass monitoredBarrier" in error_of(dist.monitored_barrier)
x = torch.ones(2)
dist.all_reduce(x)
assert x.tolist() == [2, 2]
dist.destroy_process_group()
print("passed")
