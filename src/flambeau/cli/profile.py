"""`flambeau profile script.py`: a program, run as `flambeau run` does, and where its time went."""
from __future__ import annotations

import argparse
import sys
from typing import Sequence

from .run import run

DESCRIPTION = """Run a program as `flambeau run` does, and tell where its time went: each kernel of its programs with its calls, time,
operations and bytes a second, the share that it has of this machine's measured peak, its threads and the line that recorded it; and the
time of Python, of the compiler and of waiting apart. The table goes to standard error."""


def main(argv: Sequence[str]) -> int:
    """Runs the program in argv, and prints the table whether or not it succeeds."""
    parser = argparse.ArgumentParser(prog="flambeau profile", description=DESCRIPTION,
                                     usage="flambeau profile [--trace FILE] [--rows N] (SCRIPT | -m MODULE) [ARGUMENTS ...]")
    parser.add_argument("--trace", metavar="FILE", help="also write a trace for chrome://tracing or Perfetto (compressed: .json.gz)")
    parser.add_argument("--rows", type=int, default=30, metavar="N", help="kernels to show (30; -1: all)")
    parser.add_argument("-m", dest="as_module", action="store_true", help="run a module by its name, as `python -m` does")
    parser.add_argument("target", metavar="SCRIPT", help="a Python file, or a folder or zip file with __main__.py")
    parser.add_argument("arguments", metavar="ARGUMENTS", nargs=argparse.REMAINDER, help="the program's own")
    options = parser.parse_args(argv)
    from ..compiler.peaks import measure  # what the other commands do not need
    from ..compiler.threads import get_num_threads
    from ..profiler._chrome import write_trace
    from ..profiler._collect import Collector, Run
    from ..profiler._kernels import KernelTable, describe_times, times_of

    table = KernelTable()

    def finished(run: Run) -> None:
        table.add(run)
        if options.trace:
            collector.runs.append(run)
    collector = Collector(finished=finished)
    collector.start()
    try:
        run(options.target, options.arguments, options.as_module)
    finally:
        collector.stop()
        machine = measure(get_num_threads())
        print(f"{table.text(machine, options.rows)}\n{describe_times(times_of(collector), table.by_executor())}\n"
              f"peak: {machine.gflops:.0f} GFLOP/s, {machine.gbytes:.1f} GB/s on {get_num_threads()} threads", file=sys.stderr)
        if options.trace:
            write_trace(collector, options.trace, {})
    return 0
