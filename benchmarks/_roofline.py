"""What this machine can do at most, and what a program asks of it.

The bound on a program's time is the larger of its floating-point operations over the measured peak of fused multiply-adds,
and of the bytes of its inputs and results, each moved once, over the measured bandwidth. Operations are those of the
definitions: a convolution by minimal filtering needs fewer, and may come out above 100 %.
"""
from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from _record import best_of

SUMS, STEPS, CHUNKS = 12, 1 << 16, 64       # accumulators, steps and chunks of the loop that measures the peak
STREAM_ELEMENTS, STREAM_CHUNK = 1 << 25, 1 << 16  # of the array that measures the bandwidth: 128 MiB


class Machine(NamedTuple):
    """The measured peaks of some threads together."""

    gflops: float
    gbytes: float


def measure(threads: int) -> Machine:
    """The peaks of float32 fused multiply-adds, and of reading memory that no cache holds."""
    from flambeau.compiler.llvm import emit, jit
    from flambeau.compiler.llvm.emit import F32, I64, PTR, Emitter, const, vector
    from flambeau.compiler.llvm.target import host_target
    from flambeau.compiler.threads import Program, set_num_threads
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
    set_num_threads(threads)
    seconds = [best_of(lambda p=Program([(library[name], n)], keep=library): p.run(pointer.ctypes.data), 8)
               for name, n in (("peak", CHUNKS), ("stream", STREAM_ELEMENTS // STREAM_CHUNK))]
    return Machine(2.0 * SUMS * STEPS * CHUNKS * lanes / seconds[0] / 1e9, memory.nbytes / seconds[1] / 1e9)


def work(graph) -> tuple[float, float]:
    """(floating-point operations of the contractions, bytes of inputs and results) of a program."""
    flops = 0.0
    for node in graph.nodes:
        name, out = node.prim.name, node.outputs[0]
        if name == "dot":
            flops += 2.0 * out.size * prod([node.inputs[0].shape[d] for d in node.params[0]])
        elif name == "conv":
            flops += 2.0 * out.size * prod(node.inputs[1].shape[1:])
        elif name == "conv_input_grad":
            flops += 2.0 * node.inputs[0].size * prod(node.inputs[1].shape[1:])
        elif name == "conv_weight_grad":
            flops += 2.0 * node.inputs[1].size * prod(out.shape[1:])
    return flops, float(sum([v.type.nbytes for v in (*graph.inputs, *dict.fromkeys(graph.outputs))]))


def bound(flops: float, nbytes: float, machine: Machine) -> float:
    """Seconds that a program takes at least."""
    return max(flops / machine.gflops, nbytes / machine.gbytes) / 1e9
