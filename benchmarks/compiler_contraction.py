"""Matmuls and convolutions of the contraction family, in turns with PyTorch where it is installed. Prints a table and JSON.

    python benchmarks/compiler_contraction.py [--threads 1] [--seconds 0.2]
"""
from __future__ import annotations

import argparse
import ctypes
import json
import time
from typing import Callable

import numpy as np

from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.emit import F32, I64, PTR, Emitter
from flambeau.compiler.llvm.target import host_target
from flambeau.compiler.loops.contraction import (
    Contraction, ConvShape, channels_last, conv_forward, conv_input_grad, conv_weight_grad, input_grad_border, matmul, row_major)
from flambeau.compiler.loops.contraction_kernel import write_contraction
from flambeau.compiler.loops.schedule import make_schedule
from flambeau.compiler.threads import Program, set_num_threads

try:
    import torch
except ImportError:
    torch = None

MATMULS = [(64, 512, 784, "nt"), (64, 784, 512, "nn"), (512, 784, 64, "tn"), (512, 512, 512, "nn"), (512, 512, 512, "nt"),
           (1024, 256, 256, "nt"), (256, 256, 1024, "tn"), (1024, 1024, 1024, "nn"), (10, 8, 12, "nt")]
CONVS = [(24, 32, 32, 32, 3), (24, 3, 32, 32, 3), (32, 64, 64, 32, 3), (32, 256, 256, 8, 3), (32, 64, 128, 16, 1), (16, 6, 16, 14, 5)]


def compiled(c: Contraction, offsets=(0, 0, 0)) -> tuple[Program, str, float]:
    """(program, its schedule in words, milliseconds to make it)."""
    start = time.perf_counter()
    target = host_target()
    schedule = make_schedule(c, target.isa)
    module = emit.new_module(target)
    e = Emitter.define(module, target, "kernel", [PTR, I64, PTR], noalias=False)
    buffers, chunk, scratch = e.args
    pointers = [e.at(e.load(e.at(buffers, 8 * i), PTR), o, F32) for i, o in enumerate(offsets)]
    write_contraction(e, schedule, *pointers, chunk, scratch)
    e.b.ret_void()
    lib = jit.load(jit.compile_module(module, target, level=1), ["kernel"])
    ms = (time.perf_counter() - start) * 1e3
    program = Program([(lib["kernel"], schedule.n_chunks)], scratch=schedule.scratch_bytes(), keep=lib)
    return program, str(schedule), ms


def runner(program: Program, *sizes: int) -> Callable[[], None]:
    arrays = [np.random.default_rng(0).standard_normal(n, np.float32) for n in sizes]
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])

    def run(address=ctypes.addressof(pointers), keep=(arrays, pointers)) -> None:
        program.run(address)
    return run


def matmul_case(m: int, n: int, k: int, kind: str):
    c = matmul(m, n, k, a=(1, m) if kind[0] == "t" else None, b=(1, k) if kind[1] == "t" else None)
    program, words, ms = compiled(c)
    theirs = None
    if torch:
        a = torch.randn(k, m).T if kind[0] == "t" else torch.randn(m, k)
        b = torch.randn(n, k).T if kind[1] == "t" else torch.randn(k, n)
        out = torch.empty(m, n)
        theirs = lambda: torch.mm(a, b, out=out)  # noqa: E731
    return f"matmul {kind} {m}x{n}x{k}", 2 * m * n * k, runner(program, m * k, k * n, m * n), theirs, words, ms


def conv_cases(n: int, ci: int, co: int, side: int, kernel: int):
    """Forward, input gradient and weight gradient, in NCHW; ours read a padded input."""
    pad = kernel // 2
    shape = ConvShape(n, ci, co, (side, side), (kernel, kernel), (1, 1), (1, 1))
    flops = 2 * n * ci * co * (side * kernel) ** 2
    padded = side + 2 * pad
    weights = co * ci * kernel * kernel
    if torch:
        x, w, g = torch.randn(n, ci, side, side), torch.randn(co, ci, kernel, kernel), torch.randn(n, co, side, side)
        back = torch.ops.aten.convolution_backward

        def backward(*mask: bool) -> Callable[[], object]:
            return lambda: back(g, x, w, None, (1, 1), (pad, pad), (1, 1), False, (0, 0), 1, mask)
    name = f"{n}x{ci}->{co} {side}x{side} k{kernel}"
    last = ci >= 8 and co >= 8
    layout = channels_last if last else row_major
    ws = (1, co, co * ci * kernel, co * ci) if last else row_major((co, ci, kernel, kernel))
    xs, ys = layout((n, ci, padded, padded)), layout((n, co, side, side))
    program, words, ms = compiled(conv_forward(shape, xs, ws, ys))
    sizes = n * ci * padded ** 2, weights, n * co * side ** 2
    yield f"conv forward {name}", flops, runner(program, *sizes), \
        (lambda: torch.conv2d(x, w, padding=pad)) if torch else None, words, ms
    border = input_grad_border(shape, (pad, pad), (side, side))
    if last:
        ws = (ci, 1, co * ci * kernel, co * ci)
    yb = layout((n, co, side + 2 * border[0], side + 2 * border[1]))
    phase, = conv_input_grad(shape, (pad, pad), (side, side), yb, ws, layout((n, ci, side, side)), border)
    start = border[0] * yb[2] + border[1] * yb[3] + phase.y_offset
    program, words, ms = compiled(phase.contraction, (start, phase.w_offset, phase.x_offset))
    yield f"conv input grad {name}", flops, runner(program, n * co * (side + 2 * border[0]) ** 2, weights, n * ci * side ** 2), \
        backward(True, False, False) if torch else None, words, ms
    xs, ys, ws = row_major((n, ci, padded, padded)), row_major((n, co, side, side)), row_major((co, ci, kernel, kernel))
    program, words, ms = compiled(conv_weight_grad(shape, xs, ys, ws))
    yield f"conv weight grad {name}", flops, runner(program, sizes[2], sizes[0], weights), \
        backward(False, True, False) if torch else None, words, ms


def measure(ours: Callable, theirs: Callable | None, seconds: float) -> tuple[float, float | None]:
    """Median times, the two run in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or len(times[0]) < 5:
        for which, fn in enumerate((ours, theirs)):
            if fn is not None:
                start = time.perf_counter()
                fn()
                times[which].append(time.perf_counter() - start)
    return tuple(sorted(t)[len(t) // 2] if t else None for t in times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.2)
    args = parser.parse_args()
    set_num_threads(args.threads)
    if torch:
        torch.set_num_threads(args.threads)
    rows = []
    print(f"{'case':42} {'GF/s':>7} {'torch':>7} {'ratio':>6} {'made ms':>8}  schedule   ({host_target().cpu}, {args.threads} threads)")
    cases = [matmul_case(*m) for m in MATMULS] + [case for c in CONVS for case in conv_cases(*c)]
    for name, flops, ours, theirs, words, ms in cases:
        a, b = measure(ours, theirs, args.seconds)
        rows.append({"case": name, "gflops": flops / a / 1e9, "torch": flops / b / 1e9 if b else None, "made_ms": ms, "schedule": words})
        other, ratio = (f"{flops / b / 1e9:7.1f}", f"{b / a:6.2f}") if b else ("", "")
        print(f"{name:42} {flops / a / 1e9:7.1f} {other:>7} {ratio:>6} {ms:8.1f}  {words}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
