"""How training scales over processes: measured on this machine, and on paper for machines that are not here.

    python benchmarks/scaling.py [--networks lenet,cnn] [--processes 1,2,4] [--batch 32] [--json FILE]      needs jax: pip install "flambeau[xla]"
    python benchmarks/scaling.py --paper STEP_MS PARAMETERS                          needs nothing
    python benchmarks/scaling.py --paper-of benchmarks/results/steps.json            from step times that steps.py has measured on a CPU

Measured: a training step of the CIFAR-10 tutorials' networks under DistributedDataParallel, one thread in each process, once with
a global batch that the processes share (strong scaling) and once with a batch each (weak scaling), and the sum of all gradients alone.
Figures are the best of many turns. docs/distributed.md says what is behind the figures on paper.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from math import ceil, log2
from typing import Any, NamedTuple

from _record import best_of, keep

STEPS = 10  # of each turn
TURNS = 8


# ------------------------------------------------------------------ measured

def network(torch: Any, name: str) -> Any:
    """lenet: 62 thousand parameters, little to send; cnn: 4.3 million, 17 MB."""
    if name == "lenet":
        from models import lenet
        return lenet(torch)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(8192, 512), nn.ReLU(), nn.Linear(512, 10))


def step_of(torch: Any, model: Any, batch: int) -> Any:
    """A function that trains for STEPS steps on one batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    x, y = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        loss.item()
    return run


def worker(name: str, batch: int) -> None:
    """What each process runs. The first one prints milliseconds."""
    import flambeau as torch
    import flambeau.distributed as dist
    dist.init_process_group("gloo")
    size = dist.get_world_size()
    torch.manual_seed(0)
    found = {}
    for scaling, mine in (("strong", batch // size), ("weak", batch)):
        run = step_of(torch, torch.nn.parallel.DistributedDataParallel(network(torch, name)), mine)
        run()  # compiles
        dist.barrier()
        found[scaling] = best_of(run, TURNS) / STEPS * 1e3
    gradients = torch.zeros(sum(p.numel() for p in network(torch, name).parameters()))

    def reduce() -> None:
        for _ in range(STEPS):
            dist.all_reduce(gradients)
    reduce()
    found["sum of gradients"] = best_of(reduce, TURNS) / STEPS * 1e3
    if dist.get_rank() == 0:
        print(json.dumps({key: round(value, 2) for key, value in found.items()}), flush=True)
    dist.destroy_process_group()


def measured(name: str, processes: int, batch: int) -> dict[str, float]:
    """`worker` in several processes."""
    command = [sys.executable, "-m", "flambeau", "launch", f"--nproc-per-node={processes}", "--no-python", sys.executable,
               os.path.abspath(__file__), "--worker", name, "--batch", str(batch)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout
    return json.loads(out.splitlines()[-1])


def print_measured(name: str, batch: int, rows: dict[int, dict[str, float]]) -> None:
    print(f"{name}, batch {batch}\nprocesses  shared batch: ms/step  speed-up   batch each: ms/step  efficiency   sum of gradients: ms")
    first = min(rows)
    for n, row in rows.items():
        print(f"{n:9d}  {row['strong']:21.2f}  {rows[first]['strong'] / row['strong']:8.2f}   {row['weak']:19.2f}  "
              f"{rows[first]['weak'] / row['weak']:10.0%}   {row['sum of gradients']:20.2f}")


# ------------------------------------------------------------------ on paper

class Cluster(NamedTuple):
    """Machines of `devices` each. Bytes per second in one direction, of each device: inside of a machine and between machines. latency:
    seconds of one message."""

    devices: int = 8
    inside: float = 450e9
    between: float = 50e9
    latency: float = 10e-6


HOSTS = Cluster(devices=1, between=25e9 / 8, latency=50e-6)  # machines without accelerators, on Ethernet of 25 Gbit/s
DEVICES = 8, 16, 64, 256, 1024, 4096


def communication(gradient_bytes: float, devices: int, cluster: Cluster) -> float:
    """Seconds of the sum of all gradients: each machine adds up and shares out (ring), then like parts meet between machines (ring for
    the bytes, tree for the messages), then each machine collects."""
    local = min(devices, cluster.devices)
    machines = ceil(devices / cluster.devices)
    seconds = 2 * (local - 1) / local * gradient_bytes / cluster.inside + 2 * (local - 1) * cluster.latency
    if machines > 1:
        seconds += 2 * (machines - 1) / machines * gradient_bytes / local / cluster.between + 2 * log2(machines) * cluster.latency
    return seconds


def print_paper(step: float, parameters: float, bytes_each: int = 4, cluster: Cluster = Cluster()) -> None:
    print(f"step {step * 1e3:g} ms, {parameters:g} parameters, {bytes_each} bytes of gradient each\ndevices  communication: ms  efficiency")
    for devices in DEVICES:
        seconds = communication(parameters * bytes_each, devices, cluster)
        print(f"{devices:7d}  {seconds * 1e3:17.2f}  {step / (step + seconds):10.1%}")


def print_paper_of(path: str, names: tuple[str, ...] = ("mlp", "cnn", "resnet18", "transformer"), cluster: Cluster = HOSTS) -> None:
    """The table of docs/distributed.md: expected efficiency on machines like the one whose step times are in the file."""
    import flambeau as torch
    from models import WORKLOADS
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    columns = {}
    for name in names:
        model = WORKLOADS[name](torch)[1](1).model
        columns[name] = record["steps"][name]["flambeau"]["best_us"] / 1e6, sum(p.numel() for p in model.parameters())
    print(f"{record['machine']}, {record['threads']} threads, {record['date']}; {cluster}\n")
    print("| machines | " + " | ".join(f"{name}: {count / 1e6:.2f} M, {step * 1e3:.3g} ms" for name, (step, count) in columns.items()) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    for devices in DEVICES:
        cells = [f"{step / (step + communication(count * 4, devices, cluster)):.1%}" for step, count in columns.values()]
        print(f"| {devices:,} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2,4", help="how many, separated by commas (1,2,4)")
    parser.add_argument("--networks", default="lenet,cnn", help="which, separated by commas (lenet,cnn)")
    parser.add_argument("--batch", type=int, default=32, help="images in a step (32)")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--paper", nargs=2, type=float, metavar=("STEP_MS", "PARAMETERS"), help="expected efficiency for 8 to 4,096 devices")
    parser.add_argument("--paper-of", metavar="FILE", help="the same from the step times in a file of benchmarks/steps.py")
    parser.add_argument("--worker", metavar="NETWORK", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.paper:
        return print_paper(args.paper[0] / 1e3, args.paper[1])
    if args.paper_of:
        return print_paper_of(args.paper_of)
    if args.worker:
        return worker(args.worker, args.batch)
    figures = {}
    for name in args.networks.split(","):
        rows = {n: measured(name, n, args.batch) for n in map(int, args.processes.split(","))}
        print_measured(name, args.batch, rows)
        figures[name] = {str(n): row for n, row in rows.items()}
    keep({"batch": args.batch, "milliseconds": figures}, args.json)


if __name__ == "__main__":
    main()
