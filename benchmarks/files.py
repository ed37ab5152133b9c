"""How fast large checkpoints are saved and loaded, in turns with PyTorch in one process, and how much memory that takes.

    python benchmarks/files.py [--gigabytes 1] [--turns 5] [--folder DIR] [--json FILE]

A state_dict of 64 tensors is saved by both libraries in turns, then loaded by both from the same file, plainly and mapped;
of each the best turn counts. Files are in the page cache. PyTorch leaves writing to the operating system, flambeau waits
until the file is on disk (fsync) before it takes the name, so saving is measured apart from that wait, too: the wait is
the disk's. Peak memory is that of a process of its own. Exits with 1 if a goal is missed.
"""
from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

TENSORS = 64
SPEED, MAPPED_SECONDS, MEMORY = 0.9, 0.1, 1.1  # the goals

# Run by itself: what loading adds to a process's peak memory, in bytes.
PEAK = """
import importlib, sys
library, path, mapped = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
torch = importlib.import_module(library)
torch.load(sys.argv[4])  # whatever the library needs to load anything
def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))
with open("/proc/self/clear_refs", "w") as f:
    f.write("5")  # the peak starts anew
before = status("RssAnon")
loaded = torch.load(path, mmap=mapped)
print(status("VmHWM") - before - status("RssFile"))
"""


def state(torch: Any, nbytes: int) -> dict[str, Any]:
    rows = nbytes // TENSORS // 4 // 1024
    return {f"layer.{i}.weight": torch.full((rows, 1024), float(i)) for i in range(TENSORS)}


def seconds(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def without_waiting(action: Callable[[], Any]) -> Callable[[], Any]:
    """action, with fsync returning at once."""
    def run() -> Any:
        kept, os.fsync = os.fsync, lambda descriptor: None
        try:
            return action()
        finally:
            os.fsync = kept
    return run


def best(actions: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """The shortest time of each, in turns."""
    times: dict[str, float] = {}
    for _ in range(turns):
        for name, action in actions.items():
            os.sync()  # nobody pays for writing what another has saved
            times[name] = min(seconds(action), times.get(name, float("inf")))
    return times


def time_saving(torch: Any, fb: Any, files: tuple[Path, Path], nbytes: int, turns: int) -> dict[str, float]:
    theirs, ours = state(torch, nbytes), state(fb, nbytes)
    [t.numpy() for t in ours.values()]  # computed, as PyTorch's are
    return best({"PyTorch": lambda: torch.save(theirs, files[0]), "flambeau": without_waiting(lambda: fb.save(ours, files[1])),
                 "flambeau, on disk": lambda: fb.save(ours, files[1])}, turns)


def measure(folder: Path, nbytes: int, turns: int) -> dict[str, Any]:
    torch, fb = importlib.import_module("torch"), importlib.import_module("flambeau")
    a, b = folder / "torch.pt", folder / "flambeau.pt"
    saving = time_saving(torch, fb, (a, b), nbytes, turns)
    loading = best({"PyTorch": lambda: torch.load(a), "flambeau": lambda: fb.load(a), "flambeau, mapped": lambda: fb.load(a, mmap=True),
                    "PyTorch, mapped": lambda: torch.load(a, mmap=True)}, turns)
    small = folder / "small.pt"
    torch.save({"a": torch.ones(3)}, small)
    size = a.stat().st_size
    peaks = {f"{library}{', mapped' if mapped else ''}": int(subprocess.run(
        [sys.executable, "-c", PEAK, library, str(a), str(mapped), str(small)], capture_output=True, text=True, check=True).stdout) / size
        for library in ("torch", "flambeau") for mapped in (False, True)}
    return {"bytes": size, "saving": saving, "loading": loading, "peaks": peaks}


def report(found: dict[str, Any]) -> bool:
    """Prints the table; whether all goals are reached."""
    size = found["bytes"] / 1e9
    good = True
    for what in ("saving", "loading"):
        for name, t in found[what].items():
            ratio = found[what]["PyTorch"] / t
            print(f"{what:8}  {name:18}  {t:7.3f} s  {size / t:8.2f} GB/s  {ratio:8.2f} x PyTorch")
        reached = found[what]["PyTorch"] / found[what]["flambeau"]
        good &= reached >= SPEED
    for name, share in found["peaks"].items():
        print(f"memory    {name:18}  {share:7.3f} x the file")
    good &= found["loading"]["flambeau, mapped"] <= MAPPED_SECONDS and found["peaks"]["flambeau"] <= MEMORY
    print("all goals reached" if good else "a goal is missed")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure(Path(folder), int(options.gigabytes * 1e9), options.turns)
    good = report(found)
    if options.json:
        about = {"date": datetime.date.today().isoformat(), "machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({**about, **found}, indent=1) + "\n")
    sys.exit(not good)


if __name__ == "__main__":
    main()
