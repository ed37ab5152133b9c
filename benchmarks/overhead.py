"""What recording costs: µs of Python per op call, of a whole LeNet step outside its execution, and of the import.

    FLAMBEAU_ASYNC=0 python benchmarks/overhead.py [--json FILE]

Prints a table and one line of JSON. Figures are the best of many turns, in rounds some seconds apart: a busy machine only ever makes
them larger, for some time.
"""
from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn
from _record import best_of, keep
from flambeau.runtime import trace as tracing
from models import lenet

ROUNDS = 6


def chain_cost(requires_grad: bool, n: int = 100) -> float:
    """µs per recorded call on a chain of n linear and n relu calls."""
    x, w, b = torch.randn(8, 16), torch.randn(16, 16), torch.zeros(16)
    for t in (x, w, b):
        t.tolist()
    w.requires_grad_(requires_grad)

    def run():
        h = x
        for _ in range(n):
            h = F.relu(F.linear(h, w, b))
        tracing.trace.clear()
    return best_of(run, 200) / (2 * n) * 1e6


def lenet_step_cost() -> tuple[float, float]:
    """(µs of Python outside execution, µs in all) of one training step, batch 4, SGD with momentum."""
    torch.manual_seed(0)
    model, loss_fn = lenet(torch), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    x, y = torch.randn(4, 3, 32, 32), torch.randint(0, 10, (4,))
    inside = [0.0]
    original = tracing.run_program

    def timed(*args):
        start = time.perf_counter()
        original(*args)
        inside[0] += time.perf_counter() - start
    tracing.run_program = timed
    outside = total = float("inf")
    try:
        for _ in range(300):
            inside[0] = 0.0
            start = time.perf_counter()
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            elapsed = time.perf_counter() - start
            outside, total = min(outside, elapsed - inside[0]), min(total, elapsed)
    finally:
        tracing.run_program = original
    return outside * 1e6, total * 1e6


def import_costs(turns: int = 4) -> tuple[float, float, float]:
    """Seconds of the bare interpreter, of `import numpy` and of `import flambeau`, each in a fresh process, in turns."""
    codes = ("pass", "import numpy", "import flambeau")
    best = [math.inf] * len(codes)
    for _ in range(turns):
        best = [min(b, best_of(lambda: subprocess.run([sys.executable, "-c", code], check=True), 1)) for b, code in zip(best, codes)]
    return best[0], best[1], best[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    rounds = [(chain_cost(False), chain_cost(True), *lenet_step_cost(), *import_costs()) for _ in range(ROUNDS)]
    op, with_gradient, outside, total, bare, numpy, own = map(min, zip(*rounds))
    figures = {"us_per_op": round(op, 2), "us_per_op_with_gradient": round(with_gradient, 2),
               "lenet_step_us_outside_execution": round(outside, 1), "lenet_step_us": round(total, 1),
               "import_over_numpy": round((own - bare) / (numpy - bare), 2)}
    for name, value in figures.items():
        print(f"{name:36} {value}")
    keep(figures, args.json)


if __name__ == "__main__":
    main()
