"""A group in which a process fails: how, and which. The others print the error that they get."""
import atexit
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

fault, victim = sys.argv[1], int(sys.argv[2])
if fault == "no end":
    atexit.register(time.sleep, 100)  # in the place of a library that waits for others
dist.init_process_group("gloo", timeout=timedelta(seconds=4 if fault in ("slow", "stopped") else 60))
rank = dist.get_rank()
x = torch.ones(4)
dist.all_reduce(x)
if fault == "before gradients":
    loss = fully_shard(torch.nn.Linear(4, 4))(x).sum()
elif fault in ("in backward", "another call"):
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 4))
    model(x).sum().backward()  # processes know each other's calls from the first step
    loss = model(x.requires_grad_()).sum()
if fault == "in backward":
    x.register_hook(lambda g: os.kill(os.getpid(), signal.SIGKILL) if rank == victim else None)
elif fault == "no end":
    from flambeau.distributed import _group
    _group._LAST = 2.0
    if rank == victim:
        os._exit(3)
elif fault == "stopped" and rank == victim:
    subprocess.Popen(["sh", "-c", f"sleep 20; kill -KILL {os.getpid()}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGSTOP)
elif rank == victim and fault != "another call":
    if fault == "slow":
        time.sleep(16)  # longer than the others wait, and then take to end
        sys.exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
try:
    if fault == "before a message":
        dist.recv(x, victim)
    elif fault == "another call" and rank == victim:
        dist.all_reduce(torch.ones(3))
    elif fault in ("before gradients", "in backward", "another call"):
        loss.backward()
    else:
        dist.all_reduce(x)
except RuntimeError as error:
    print(type(error).__name__, error, flush=True)
    if fault == "killed":  # as programs do that clean up
        dist.destroy_process_group()
    sys.exit(3)
