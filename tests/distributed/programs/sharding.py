"""`fully_shard` with its options in two processes, under PyTorch or flambeau: each prints what it has learned."""
import json
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
found = {}


def batch(step):
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(10 * step + rank))


def run(name, steps=3, accumulates=False, **options):
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    for part in (model[0], model[2], model):
        fully_shard(part, **options)
    rounds = "mp_policy" in options  # AdamW's first steps do not tell small gradients from large ones
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1) if rounds else torch.optim.AdamW(model.parameters(), lr=0.05)
    norms = []
    for step in range(steps):
        optimizer.zero_grad()
        if accumulates:
            model.set_requires_all_reduce(False)
            model(batch(step + 50)).float().square().mean().backward()
            model.set_requires_all_reduce(True)
        outputs = model(batch(step))
        outputs.float().square().mean().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        norms.append((norm.full_tensor() if hasattr(norm, "full_tensor") else norm).item())
        optimizer.step()
    weight = model[0].weight
    found[name] = [p.full_tensor().detach().double().flatten().tolist() for p in model.parameters()] + [norms]
    found[name + " is"] = [list(weight.shape), list(weight.to_local().shape), str(weight.placements), list(weight.device_mesh.shape),
                           str(outputs.dtype), str(weight.grad.dtype), str(weight.dtype)]


run("plain")
run("kept", reshard_after_forward=False)
run("no offload", offload_policy=OffloadPolicy())
run("offload", offload_policy=CPUOffloadPolicy(pin_memory=False))
run("bfloat16", mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32))
run("output", mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32, output_dtype=torch.float32))
for shape in [(size, 1), (1, size)] + [(2, 2)] * (size == 4):
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("replicate", "shard"))
    run(f"mesh {shape}", mesh=mesh)
    run(f"mesh {shape}, bfloat16", mesh=mesh, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32))
    run(f"mesh {shape}, accumulated", mesh=mesh, accumulates=True)
found["policies"] = [repr(OffloadPolicy()), repr(CPUOffloadPolicy()), CPUOffloadPolicy() == CPUOffloadPolicy(False),
                     isinstance(CPUOffloadPolicy(), OffloadPolicy)]
sys.stdout.write(f"{rank} {json.dumps(found)}\n")
sys.stdout.flush()
dist.destroy_process_group()
