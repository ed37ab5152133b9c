"""One library running one workload in a process of its own, which waits while the other has its turn.

    python _sides.py SIDE WORKLOAD THREADS BATCH DEVICE TINY     answers each line on standard input with a turn's seconds a step
    python _sides.py compile WORKLOAD                            seconds to compile its program, cold and warm from disk
"""
from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable

from models import WORKLOADS, workloads

TURN_SECONDS = 0.25
COLD_STEPS = 200  # of the workload whose steps count from cold


# ------------------------------------------------------------------ in the process

def _resident_mb() -> float:
    """Memory of this process now."""
    with open("/proc/self/statm", encoding="utf-8") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 2 ** 20


def _peak_mb() -> float:
    """The most that this process has had. (ru_maxrss also counts what its parent had when it was forked.)"""
    with open("/proc/self/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def _programs() -> list:
    """flambeau's programs of more than a few calls, in the order of their first runs."""
    from flambeau.runtime.program import _programs as programs
    return [p for p in programs.values() if len(p.graph.nodes) > 20]


def _onnxruntime_step(torch: Any, run: Any, threads: int) -> Callable[[], Any]:
    """The model of an inference step as an ONNX file, run by ONNX Runtime."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        run.model.eval()
        torch.onnx.export(run.model, (run.input,), path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: run.input.numpy()}
    return lambda: session.run(None, feed)[0]


def _looked_at(run: Callable[[], Any]) -> Callable[[], Any]:
    """The outputs as an array: what nobody looks at need not be computed."""
    return lambda: run().numpy()


def _jax_step(name: str, device: str) -> Callable[[], Any]:
    import jax
    kind, _, index = device.rpartition(":") if device[-1:].isdigit() else (device, "", "0")
    jax.config.update("jax_default_device", jax.devices("cpu" if kind == "xla:cpu" else kind)[int(index)])
    from _jax_steps import WORKLOADS as in_jax
    return in_jax[name]()


def _step(library: str, variant: str, name: str, threads: int, batch: int, device: str, tiny: bool) -> Callable[[], Any]:
    """The step, or (batch) the inference step, of a library with PyTorch's API."""
    torch = importlib.import_module("torch" if library == "torch" else "flambeau")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if device:
        torch.set_default_device("cpu" if library == "torch" and device.startswith("xla:cpu") else device)
    step, infer = workloads(device, tiny)[name](torch)
    if batch:
        step = infer(batch)
    if library == "onnxruntime":
        return _onnxruntime_step(torch, step, threads)
    if variant == "compile":
        step = torch.compile(step)
    return _looked_at(step) if batch else step


def serve(side: str, name: str, threads: int, batch: int, device: str, tiny: bool) -> None:
    """Runs the workload, on a device or ("") on the CPU: says when it is ready, then answers lines."""
    before = _resident_mb()
    library, _, variant = side.partition("-")
    step = _jax_step(name, device) if library == "jax" else _step(library, variant, name, threads, batch, device, tiny)

    def turn(n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            out = step()
        out.sum().item()
        return (time.perf_counter() - start) / n
    if name == "lengths":
        first, n = 0.0, COLD_STEPS
    else:
        first = turn(1)
        for _ in range(6):
            turn(1)
        n = max(1, int(TURN_SECONDS / max(turn(2), 1e-6)))
    ready: dict[str, Any] = {"first_s": first}
    if side == "flambeau" and name != "lengths" and not device:
        from _roofline import work
        ready["work"] = work(_programs()[-1].graph) if _programs() else None
    print(json.dumps(ready), flush=True)
    for _ in sys.stdin:
        seconds = turn(n)
        print(json.dumps({"step": seconds, "peak_mb": _peak_mb(), "grown_mb": _peak_mb() - before}), flush=True)


def compile_times(name: str) -> None:
    """Prints the seconds that compiling a step's program takes, with an empty cache and from disk."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(FLAMBEAU_CACHE_DIR=folder, FLAMBEAU_EXECUTOR="interpreter", FLAMBEAU_ASYNC="0")
        import flambeau as torch
        from flambeau.compiler.executor import CompiledProgram
        torch.manual_seed(0)
        step, _ = WORKLOADS[name](torch)
        for _ in range(2):
            step().item()
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            CompiledProgram(_programs()[-1].graph)
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"cold_s": seconds[0], "warm_s": seconds[1]}))


# ------------------------------------------------------------------ from outside

def compiled_in(name: str) -> dict[str, float]:
    """{"cold_s", "warm_s"} of a workload, measured in a fresh process."""
    done = subprocess.run([sys.executable, __file__, "compile", name], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


class Side:
    """A process that runs one library, and what it measured."""

    def __init__(self, side: str, name: str, threads: int, batch: int, device: str = "", tiny: bool = False):
        self.name = side
        self.process = subprocess.Popen([sys.executable, __file__, side, name, str(threads), str(batch), device, "tiny" * tiny],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        self.turns: list[float] = []
        self.figures: dict[str, Any] = self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"{self.name} stopped with exit status {self.process.wait()}")
        return json.loads(line)

    def turn(self) -> None:
        print(file=self.process.stdin, flush=True)
        answer = self._read()
        self.turns.append(answer.pop("step"))
        self.figures.update(answer)

    def stop(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "compile":
        compile_times(sys.argv[2])
    else:
        serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6] == "tiny")
