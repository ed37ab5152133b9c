"""What this machine can do at most: measured peaks of fused multiply-adds and of memory bandwidth."""
from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import numpy as np

from .llvm import emit, jit
from .llvm.emit import F32, I64, PTR, Emitter, const, vector
from .llvm.target import host_target
from .threads import Program, get_num_threads, set_num_threads

SUMS, STEPS, CHUNKS = 12, 1 << 16, 64       # accumulators, steps and chunks of the loop that measures the peak
STREAM_ELEMENTS, STREAM_CHUNK = 1 << 25, 1 << 16  # of the array that measures the bandwidth: 128 MiB
TURNS = 8  # of which the best counts: a busy machine only ever makes them longer


class Machine(NamedTuple):
    """The measured peaks of some threads together."""

    gflops: float
    gbytes: float

    def bound(self, flops: float, nbytes: float) -> float:
        """Seconds that so much work takes at least."""
        return max(flops / self.gflops, nbytes / self.gbytes) / 1e9


def measure(threads: int) -> Machine:
    """The peaks of float32 fused multiply-adds, and of reading memory that no cache holds."""
    target = host_target()
    module, lanes = emit.new_module(target), target.isa.lanes(4)

    def kernel(name: str, steps: int, load: bool) -> None:
        """Sums in registers, of products or of what lies in a chunk's part of the array; kept by a store that never happens."""
        e = Emitter.define(module, target, name, [PTR, I64, PTR], noalias=False)
        array = e.load(e.args[0], PTR)
        start = e.at(array, e.mul(e.args[1], STREAM_CHUNK if load else 0), F32)
        factor = e.splat(e.load(array, F32), lanes)
        with e.carried_loop(0, steps, [const(vector(F32, lanes), float(i)) for i in range(SUMS if not load else 4)]) as (i, sums):
            for n, x in enumerate(sums):
                value = e.load(e.at(start, e.add(e.mul(i, 4 * lanes), n * lanes), F32), vector(F32, lanes)) if load else factor
                sums[n] = e.b.fadd(x, value) if load else e.fma(x, factor, factor)
        for x in sums:
            total = e.horizontal("fadd", x)
            with e.when(e.b.fcmp_ordered("==", total, F32(-1.0))):
                e.store(total, array)
        e.b.ret_void()
    kernel("peak", STEPS, False)
    kernel("stream", STREAM_CHUNK // lanes // 4, True)
    library = jit.load(jit.compile_module(module, target, level=2), ["peak", "stream"])
    memory = np.ones(STREAM_ELEMENTS, np.float32)  # zeros might all be one page
    pointer = np.array([memory.ctypes.data], np.uint64)
    before = get_num_threads()
    set_num_threads(threads)
    try:
        peak, stream = [_best_seconds(Program([(library[name], n)], keep=library), pointer)
                        for name, n in (("peak", CHUNKS), ("stream", STREAM_ELEMENTS // STREAM_CHUNK))]
    finally:
        set_num_threads(before)
    return Machine(2.0 * SUMS * STEPS * CHUNKS * lanes / peak / 1e9, memory.nbytes / stream / 1e9)


def _best_seconds(program: Program, pointer: np.ndarray) -> float:
    best = float("inf")
    for _ in range(TURNS):
        start = perf_counter()
        program.run(pointer.ctypes.data)
        best = min(best, perf_counter() - start)
    return best
