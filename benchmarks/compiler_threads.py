"""What the SPMD runtime costs: posting a program and passing from step to step, on 1 thread and on all. Prints a table."""
from __future__ import annotations

import ctypes
import json
import time

from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.target import host_target
from flambeau.compiler.threads import Program, get_num_threads, set_num_threads


def empty_kernel() -> jit.Library:
    module = emit.new_module(host_target())
    e = emit.Emitter.define(module, host_target(), "nothing", [emit.PTR, emit.I64, emit.PTR])
    e.b.ret_void()
    return jit.load(jit.compile_module(module), ["nothing"])


def seconds(program: Program, repeats: int) -> float:
    pointer = ctypes.c_void_p()
    buffers = ctypes.addressof(pointer)
    for _ in range(100):
        program.run(buffers)
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(repeats):
            program.run(buffers)
        best = min(best, (time.perf_counter() - start) / repeats)
    return best


def main() -> None:
    kernel = empty_kernel()
    rows = []
    for threads in sorted({1, get_num_threads()}):
        set_num_threads(threads)
        one, many = (seconds(Program([(kernel["nothing"], 2 * threads)] * n), 2000) for n in (1, 101))
        rows.append({"threads": threads, "call_us": one * 1e6, "step_us": (many - one) * 1e4})
        print(f"{threads} threads: one call {one * 1e6:.2f} µs, each further step of {2 * threads} chunks "
              f"{(many - one) * 1e4:.3f} µs")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
