"""What the benchmarks' figures say about where and when they were taken, and how they are kept."""
from __future__ import annotations

import json
import os
import platform
import time
from typing import Any, Callable


def best_of(run: Callable[[], Any], turns: int) -> float:
    """The shortest of several runs, in seconds: a busy machine only ever makes them longer."""
    best = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def cpu_name() -> str:
    """The CPU's name where the system tells, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def keep(figures: dict[str, Any], path: str | None) -> None:
    """Prints the figures with date and machine as a line of JSON, and writes them to `path`, too, if there is one."""
    record = {"date": time.strftime("%Y-%m-%d"), "machine": cpu_name(), "cpus": os.cpu_count(),
              "load": round(os.getloadavg()[0], 1), "python": platform.python_version(), **figures}
    print(json.dumps(record))
    if path:
        with open(path, "w", encoding="utf-8") as f:
            json.dump(record, f, indent=1)
            f.write("\n")
