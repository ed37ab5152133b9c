"""Training steps of small and middling models: flambeau beside PyTorch, the same program, in turns.

    python benchmarks/steps.py [--only REGEX] [--turns N] [--threads N] [--loaded] [--inference] [--json FILE]

Each library runs in a process of its own, which waits while the other has its turn; a turn is some steps and a look at the
loss. The figure is the time of a step in each side's best turn (a busy machine only ever makes turns longer), with the
median turn beside it. Columns: PyTorch eager; flambeau, the same eager code; flambeau under `torch.compile(step)`.
--loaded: the same with two other busy processes; the figure is the median turn over that without them.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time

from models import GOALS, WORKLOADS

TURN_SECONDS = 0.25


# ------------------------------------------------------------------ one side, in its own process

def serve(side: str, name: str, threads: int, batch: int) -> None:
    """Answers each line on standard input with the seconds of a step in a turn."""
    if side == "torch":
        import torch
    else:
        import flambeau as torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    start = time.perf_counter()
    step, infer = WORKLOADS[name](torch)
    if batch:
        step = infer(batch)
    if side == "flambeau-compile":
        step = torch.compile(step)

    def turn(n: int) -> float:
        begin = time.perf_counter()
        for _ in range(n):
            out = step()
        out.sum().item()
        return (time.perf_counter() - begin) / n
    first = turn(1)
    if name == "lengths":  # from cold: what counts is the whole of 200 steps
        n = 200
    else:
        for _ in range(6):
            turn(1)
        n = max(1, int(TURN_SECONDS / max(turn(2), 1e-6)))
    print(json.dumps({"ready": time.perf_counter() - start, "first": first}), flush=True)
    for line in sys.stdin:
        seconds = turn(n)
        print(json.dumps({"step": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


class Side:
    """A process that runs one library."""

    def __init__(self, side: str, name: str, threads: int, batch: int):
        self.name = side
        self.process = subprocess.Popen([sys.executable, __file__, "--serve", side, name, str(threads), str(batch)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        self.turns: list[float] = []
        self.peak = 0.0
        self.first = self._read()["first"]

    def _read(self) -> dict:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"{self.name} stopped with exit status {self.process.wait()}")
        return json.loads(line)

    def turn(self) -> None:
        print(file=self.process.stdin, flush=True)
        answer = self._read()
        self.turns.append(answer["step"])
        self.peak = answer["peak_mb"]

    def stop(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()


# ------------------------------------------------------------------ in turns

def measure(name: str, args: argparse.Namespace, batch: int = 0) -> dict:
    sides = [Side(side, name, args.threads, batch) for side in args.sides]
    try:
        for _ in range(1 if name == "lengths" else args.turns):
            for side in sides:
                side.turn()
        if args.loaded:
            quiet = {side.name: statistics.median(side.turns) for side in sides}
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
            try:
                for side in sides:
                    side.turns.clear()
                for _ in range(args.turns):
                    for side in sides:
                        side.turn()
            finally:
                for process in busy:
                    process.kill()
            return {side.name: {"slowdown": statistics.median(side.turns) / quiet[side.name]} for side in sides}
    finally:
        for side in sides:
            side.stop()
    return {side.name: {"best_us": min(side.turns) * 1e6, "median_us": statistics.median(side.turns) * 1e6,
                        "peak_mb": side.peak, "first_s": side.first} for side in sides}


def table(results: dict, loaded: bool) -> str:
    lines = []
    for name, sides in results.items():
        if loaded:
            lines.append(f"{name:18}" + "  ".join(f"{side} {r['slowdown']:5.2f} × slower" for side, r in sides.items()))
            continue
        eager = sides.get("torch", {}).get("best_us")
        cells = [f"{name:18}"]
        for side, r in sides.items():
            ratio = f"{eager / r['best_us']:6.2f} ×" if eager and side != "torch" else " " * 8
            cells.append(f"{side} {r['best_us']:10.1f} µs (median {r['median_us']:10.1f}) {ratio} {r['peak_mb']:6.0f} MB")
        goal = GOALS.get(name)
        lines.append("  ".join(cells) + (f"  goal {goal[0]} / {goal[1]} ×" if goal else ""))
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        side, name, threads, batch = sys.argv[2:6]
        serve(side, name, int(threads), int(batch))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="workloads whose name this matches")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loaded", action="store_true")
    parser.add_argument("--inference", action="store_true", help="the models' outputs for 1 and 32 samples, without gradients")
    parser.add_argument("--sides", nargs="+", default=["torch", "flambeau", "flambeau-compile"])
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    results = {}
    for name in WORKLOADS:
        if not re.search(args.only, name) or args.inference and name == "lengths":
            continue
        for batch in (1, 32) if args.inference else (0,):
            label = f"{name} infer {batch}" if batch else name
            try:
                results[label] = measure(name, args, batch)
            except RuntimeError as error:
                print(f"{label:18} {error}", flush=True)
                continue
            print(table({label: results[label]}, args.loaded), flush=True)
    record = {"date": time.strftime("%Y-%m-%d"), "machine": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
              "threads": args.threads, "python": platform.python_version(), "loaded": args.loaded, "steps": results}
    print(json.dumps(record))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(record, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
