"""Training steps of small and middling models: flambeau beside PyTorch, the same program, in turns.

    python benchmarks/steps.py [--only REGEX] [--turns N] [--threads N] [--loaded] [--inference] [--json FILE]
    python benchmarks/steps.py --device cuda:0 [--tiny] …

Each library runs in a process of its own, which waits while the other has its turn; a turn is some steps and a look at the
loss. The figure is the time of a step in each side's best turn (a busy machine only ever makes turns longer), with the
median turn beside it. Sides: torch, flambeau, flambeau-compile (under `torch.compile(step)`), torch-compile,
and for --inference onnxruntime (if it is installed).

Columns: the ratio to PyTorch eager; memory: how far the process grew at its peak from what it was before the import;
bound: the share that the step has of this machine's bound (`_roofline`); compile: seconds cold, and warm from disk.
--device: other workloads (ResNet-50 and a GPT in bfloat16 among them), on that device, also in jax (the small ones); the column "first" is
the first step with all that is compiled for it. PyTorch has no xla:cpu, and runs on its own CPU then. --tiny: in sizes that only show whether they run.
--loaded: the median turn with two other busy processes over that without them (goal: at most 3).
"""
from __future__ import annotations

import argparse
import importlib.util
import re
import signal
import statistics
import subprocess
import sys
from typing import Any

from _record import keep
from _sides import Side, compiled_in
from flambeau.compiler.peaks import Machine, measure
from models import GOALS, workloads

LOADED_GOAL = 3
LIBRARIES = {"torch": "torch", "flambeau": "flambeau", "onnxruntime": "onnxruntime", "jax": "jax"}
IN_JAX = ("pima", "lenet-4", "mlp", "cnn")


def take_turns(sides: list[Side], turns: int) -> None:
    for side in sides:
        side.turns.clear()
    for _ in range(turns):
        for side in sides:
            side.turn()


def slowdowns(sides: list[Side], turns: int) -> dict[str, Any]:
    """How many times longer the median turn is with two other busy processes, which run in every second round of turns only: what
    else the machine does meanwhile meets both alike."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    seconds: dict[bool, dict[str, list[float]]] = {loaded: {side.name: [] for side in sides} for loaded in (False, True)}
    try:
        for loaded in (False, True) * turns:
            for process in busy:
                process.send_signal(signal.SIGCONT if loaded else signal.SIGSTOP)
            take_turns(sides, 1)
            for side in sides:
                seconds[loaded][side.name] += side.turns
    finally:
        for process in busy:
            process.kill()
            process.wait()
    results = {}
    for side in sides:
        quiet, slow = [statistics.median(seconds[loaded][side.name]) for loaded in (False, True)]
        results[side.name] = {"quiet_us": quiet * 1e6, "loaded_us": slow * 1e6, "slowdown": slow / quiet}
    return results


def measure_workload(name: str, args: argparse.Namespace, machine: Machine, batch: int = 0) -> dict[str, Any]:
    """The figures of each side."""
    sides = [Side(side, name, args.threads, batch, args.device, args.tiny) for side in args.sides
             if side != "jax" or name in IN_JAX]
    try:
        if args.loaded:
            return slowdowns(sides, args.turns)
        take_turns(sides, 1 if name == "lengths" else args.turns)
    finally:
        for side in sides:
            side.stop()
    results = {}
    for side in sides:
        figures = {"best_us": min(side.turns) * 1e6, "median_us": statistics.median(side.turns) * 1e6, **side.figures}
        work = figures.pop("work", None)
        if work:
            figures["bound_share"] = machine.bound(*work) * 1e6 / figures["best_us"]
        results[side.name] = figures
    if "flambeau" in results and not batch and name != "lengths" and not args.device:
        results["flambeau"].update(compiled_in(name))
    return results


def lines(name: str, sides: dict[str, Any], goals: dict[str, tuple]) -> str:
    """A workload's figures as text."""
    if any("slowdown" in r for r in sides.values()):
        return f"{name:18}" + "  ".join([f"{side} {r['quiet_us']:9.0f} → {r['loaded_us']:9.0f} µs, {r['slowdown']:5.2f} × slower"
                                         + f" (goal {LOADED_GOAL} ×)" * side.startswith("flambeau") for side, r in sides.items()])
    eager = sides.get("torch")
    found = []
    for side, r in sides.items():
        cells = [f"{name:20} {side:17} {r['best_us']:10.1f} µs (median {r['median_us']:10.1f})"]
        if eager and side != "torch":
            cells.append(f"{eager['best_us'] / r['best_us']:6.2f} ×")
        cells.append(f"{r['grown_mb']:6.0f} MB")
        if "bound_share" in r:
            cells.append(f"bound {r['bound_share']:4.0%}")
        if "cold_s" in r:
            cells.append(f"compile {r['cold_s']:.2f} / {r['warm_s']:.2f} s")
        elif side != "torch":
            cells.append(f"first {r['first_s']:.1f} s")
        goal = goals.get(name, (None, None))[side.endswith("compile")]
        found.append("  ".join(cells) + (f"  goal {goal} ×" if goal and side.startswith("flambeau") else ""))
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="workloads whose name this matches")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loaded", action="store_true")
    parser.add_argument("--inference", action="store_true", help="the models' outputs for 1 and 32 samples, without gradients")
    parser.add_argument("--sides", nargs="+")
    parser.add_argument("--device", default="", help="where tensors are made: cuda:0, xla:cpu, … (default: the CPU)")
    parser.add_argument("--tiny", action="store_true", help="small sizes of the workloads for devices")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    default = ["torch", "torch-compile", "flambeau", "jax"] if args.device else ["torch", "flambeau", "flambeau-compile"]
    wanted = args.sides or default + ["onnxruntime"] * args.inference
    args.sides = [side for side in wanted if importlib.util.find_spec(LIBRARIES[side.split("-")[0]])]
    machine = measure(args.threads)
    print(f"{machine.gflops:.0f} GF/s, {machine.gbytes:.1f} GB/s on {args.threads} threads", flush=True)
    results = {}
    for name in workloads(args.device, args.tiny):
        if not re.search(args.only, name) or args.inference and name == "lengths":
            continue
        for batch in (1, 32) if args.inference else (0,):
            label = f"{name} infer {batch}" if batch else name
            try:
                results[label] = measure_workload(name, args, machine, batch)
            except RuntimeError as error:
                print(f"{label:18} {error}", flush=True)
                continue
            print(lines(label, results[label], {} if args.device else GOALS), flush=True)
    keep({"threads": args.threads, "device": args.device or "cpu", "loaded": args.loaded, "gflops": machine.gflops, "gbytes": machine.gbytes, "steps": results}, args.json)


if __name__ == "__main__":
    main()
