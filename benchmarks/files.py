"""How fast large checkpoints are saved and loaded, in turns with PyTorch in one process, and in how much memory.

    python benchmarks/files.py [--gigabytes 1] [--turns 5] [--folder DIR] [--json FILE]

A state_dict of 64 tensors is saved by both libraries in turns, then loaded by both from the same file, plainly and
mapped; of each the best turn counts. Files are in the page cache. PyTorch leaves writing to the operating system,
flambeau waits until the file is on disk (fsync) before it takes the name: that is what counts, and saving is measured
without the wait, too, which is the disk's. Peak memory is that of a process of its own. Exits with 1 if a goal is missed.
"""
from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

from _record import best_of, keep

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


def without_waiting(action: Callable[[], Any]) -> Callable[[], Any]:
    """action, with fsync returning at once."""
    def run() -> Any:
        kept, os.fsync = os.fsync, lambda descriptor: None
        try:
            return action()
        finally:
            os.fsync = kept
    return run


def best(actions: dict[str, Callable[[], Any]], turns: int, old: tuple[Path, ...] = ()) -> dict[str, float]:
    """The shortest time of each, in turns. old: files to remove before each turn."""
    times: dict[str, float] = {}
    for _ in range(turns):
        for name, action in actions.items():
            for file in old:
                file.unlink(missing_ok=True)
            os.sync()  # nobody pays for writing what another has saved
            times[name] = min(best_of(action, 1), times.get(name, float("inf")))
    return times


def time_saving(torch: Any, fb: Any, files: tuple[Path, Path], nbytes: int, turns: int) -> dict[str, float]:
    theirs, ours = state(torch, nbytes), state(fb, nbytes)
    [t.numpy() for t in ours.values()]  # computed, as PyTorch's are
    return best({"PyTorch": lambda: torch.save(theirs, files[0]),
                 "flambeau": lambda: fb.save(ours, files[1]),
                 "flambeau, no wait": without_waiting(lambda: fb.save(ours, files[1]))}, turns, files)


def time_loading(torch: Any, fb: Any, file: Path, turns: int) -> dict[str, float]:
    return best({"PyTorch": lambda: torch.load(file), "flambeau": lambda: fb.load(file),
                 "flambeau, mapped": lambda: fb.load(file, mmap=True),
                 "PyTorch, mapped": lambda: torch.load(file, mmap=True)}, turns)


def peak(library: str, mapped: bool, file: Path, small: Path) -> float:
    """Of a process that loads the file: how far its memory grows, as a share of the file."""
    done = subprocess.run([sys.executable, "-c", PEAK, library, str(file), str(mapped), str(small)],
                          stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / file.stat().st_size


def measure(folder: Path, nbytes: int, turns: int) -> dict[str, Any]:
    torch, fb = importlib.import_module("torch"), importlib.import_module("flambeau")
    theirs, ours, small = (folder / f"{name}.pt" for name in ("torch", "flambeau", "small"))
    saving = time_saving(torch, fb, (theirs, ours), nbytes, turns)
    torch.save(state(torch, nbytes), theirs)
    loading = time_loading(torch, fb, theirs, turns)
    torch.save({"a": torch.ones(3)}, small)
    peaks = {f"{name}{', mapped' if mapped else ''}": peak(library, mapped, theirs, small)
             for name, library in (("PyTorch", "torch"), ("flambeau", "flambeau")) for mapped in (False, True)}
    return {"bytes": theirs.stat().st_size, "saving": saving, "loading": loading, "peaks": peaks}


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
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure(Path(folder), int(options.gigabytes * 1e9), options.turns)
    good = report(found)
    keep(found, options.json)
    sys.exit(not good)


if __name__ == "__main__":
    main()
