"""Starts a program in several processes: `flambeau launch`, `torchrun` and `python -m torch.distributed.run`.

The launcher of each machine starts its processes, says in their environment who they are, and watches them. That of the
first machine hosts the store at which all meet. If a process fails, the others are ended, and all of them are started
again as often as --max-restarts allows.
"""
from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from typing import Any, NamedTuple, Sequence

from .errors import DistError
from .store import TCPStore

_PATIENCE = 5.0  # seconds that a process has to end by itself after SIGTERM
_LOOK = 0.05
_RENDEZVOUS = timedelta(minutes=10)  # how long launchers wait for each other


class Failure(NamedTuple):
    """The first process that failed."""

    rank: int
    local_rank: int
    pid: int
    code: int
    when: float


def parser(prog: str) -> argparse.ArgumentParser:
    """torchrun's arguments, as far as they say something here."""
    options = argparse.ArgumentParser(prog=prog, description="Start a program in several processes that find each other by "
                                      "torch.distributed.init_process_group().")
    add = _with_underscores(options)
    add("--nnodes", default="1", help="how many machines; a range MIN:MAX starts with MAX (1)")
    add("--nproc-per-node", default="1", help="processes on this machine; auto, cpu: one per CPU core (1)")
    add("--node-rank", type=int, default=0, help="the number of this machine (0)")
    add("--master-addr", default=None, help="the address of machine 0 (127.0.0.1)")
    add("--master-port", type=int, default=None, help="a free port of machine 0 (29500; on one machine a free one)")
    add("--rdzv-endpoint", default=None, metavar="HOST:PORT", help="--master-addr and --master-port in one")
    add("--rdzv-backend", default="static", choices=("static", "c10d"), help="both mean the store at the master's address")
    add("--rdzv-id", default="none", help="the name of the job, in TORCHELASTIC_RUN_ID")
    options.add_argument("--standalone", action="store_true", help="one machine, and a free port")
    add("--max-restarts", type=int, default=0, help="how often to start all processes again after a failure (0)")
    add("--monitor-interval", type=float, default=_LOOK, help="seconds between two looks at the processes")
    options.add_argument("--role", default="default", help="a name for the processes, in ROLE_NAME")
    options.add_argument("-m", "--module", action="store_true", help="the program is a module, as for python -m")
    add("--no-python", action="store_true", help="the program is not Python; start it itself")
    add("--log-dir", default=None, help="a folder for the processes' output, with --redirects")
    options.add_argument("-r", "--redirects", default="0", choices="0123",
                         help="write to files in --log-dir: 1 stdout, 2 stderr, 3 both (0: neither)")
    options.add_argument("program", metavar="PROGRAM", help="what to start in each process")
    options.add_argument("arguments", metavar="ARGUMENTS", nargs=argparse.REMAINDER, help="its arguments")
    return options


def _with_underscores(options: argparse.ArgumentParser) -> Any:
    """add_argument, with --like_this for each --like-this, as torchrun has."""
    return lambda name, **how: options.add_argument(name, "--" + name[2:].replace("-", "_"), **how)


def main(argv: Sequence[str] | None = None, prog: str = "torchrun") -> int:
    """Starts what argv says and waits for the end; 0, or the exit code of the process that failed first."""
    reader = parser(prog)
    options = reader.parse_args(argv)
    try:
        return Launcher(options).run()
    except (ValueError, DistError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1


class Launcher:
    """The processes of one machine. options: of `parser`.

    Errors: ValueError for options that make no sense; DistNetworkError if the master's port is in use.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.nodes = int(str(options.nnodes).rpartition(":")[2])
        self.node = options.node_rank
        self.count = _processes(options.nproc_per_node)
        if not 0 <= self.node < self.nodes:
            raise ValueError(f"Invalid node rank {self.node}, it should be in the interval [0, {self.nodes - 1}]")
        if options.standalone and self.nodes != 1:
            raise ValueError("--standalone is for one machine: --nnodes=1")
        if options.redirects != "0" and options.log_dir is None:
            raise ValueError("--redirects needs a --log-dir to write to")
        self.host, self.port = self._master()
        self.job = uuid.uuid4().hex if options.standalone and options.rdzv_id == "none" else options.rdzv_id
        self.store = TCPStore(self.host, self.port, is_master=self.node == 0, timeout=_RENDEZVOUS)
        self.port = self.store.port

    def _master(self) -> tuple[str, int]:
        host, port = self.options.master_addr, self.options.master_port
        if self.options.rdzv_endpoint and not self.options.standalone:
            place, _, number = self.options.rdzv_endpoint.rpartition(":")
            host, port = (place, int(number)) if place else (number, port)
        if self.nodes == 1:
            return host or "127.0.0.1", 0 if port is None or self.options.standalone else port
        if host is None:
            raise ValueError("several machines meet at --master-addr: give it")
        return host, 29500 if port is None else port

    def run(self) -> int:
        first, world = self._places()
        for attempt in range(self.options.max_restarts + 1):
            failure = self._attempt(attempt, first, world)
            if failure is None:
                self._finish()
                return 0
            print(_report(failure, self.options.program), file=sys.stderr, flush=True)
            if attempt < self.options.max_restarts:
                print(f"{self.options.max_restarts - attempt} restart(s) left: starting all processes again", file=sys.stderr, flush=True)
        self._finish()
        return failure.code if failure.code > 0 else 128 - failure.code

    def _places(self) -> tuple[int, int]:
        """(the rank of this machine's first process, how many there are on all machines)."""
        self.store.set(f"processes of {self.node}", str(self.count))
        counts = [int(self.store.get(f"processes of {node}")) for node in range(self.nodes)]
        return sum(counts[:self.node]), sum(counts)

    def _attempt(self, attempt: int, first: int, world: int) -> Failure | None:
        """Starts all processes and waits until they have ended. None, or what failed first on any machine."""
        if self.nodes > 1:  # all machines begin together
            self.store.add(f"ready for {attempt}", 1)
            while self.store.add(f"ready for {attempt}", 0) < self.nodes:
                time.sleep(_LOOK)
        processes = []
        try:
            for local in range(self.count):
                processes.append(self._start(local, attempt, first, world))
            return self._watch(processes, attempt, first)
        finally:
            _end(processes)

    def _start(self, local: int, attempt: int, first: int, world: int) -> subprocess.Popen:
        environment = {**os.environ, **self._environment(local, attempt, first, world)}
        output: dict[str, Any] = {}
        for bit, stream in ((1, "stdout"), (2, "stderr")):
            if int(self.options.redirects) & bit:
                folder = os.path.join(self.options.log_dir, f"attempt_{attempt}", str(local))
                os.makedirs(folder, exist_ok=True)
                output[stream] = open(os.path.join(folder, stream + ".log"), "wb")
        try:
            return subprocess.Popen(self._command(), env=environment, **output)
        finally:
            for file in output.values():
                file.close()

    def _command(self) -> list[str]:
        program = [self.options.program, *self.options.arguments]
        if self.options.no_python:
            return program
        return [sys.executable, "-u", "-m", "flambeau", "run", *(["-m"] if self.options.module else []), *program]

    def _environment(self, local: int, attempt: int, first: int, world: int) -> dict[str, str]:
        said = {
            "RANK": first + local, "LOCAL_RANK": local, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": self.count,
            "GROUP_RANK": self.node, "GROUP_WORLD_SIZE": self.nodes, "ROLE_NAME": self.options.role,
            "ROLE_RANK": first + local, "ROLE_WORLD_SIZE": world, "MASTER_ADDR": self.host, "MASTER_PORT": self.port,
            "TORCHELASTIC_RUN_ID": self.job, "TORCHELASTIC_RESTART_COUNT": attempt,
            "TORCHELASTIC_MAX_RESTARTS": self.options.max_restarts, "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        if self.count > 1 and "OMP_NUM_THREADS" not in os.environ:
            said["OMP_NUM_THREADS"] = max(1, (os.cpu_count() or 1) // self.count)
        return {name: str(value) for name, value in said.items()}

    def _watch(self, processes: list[subprocess.Popen], attempt: int, first: int) -> Failure | None:
        """Waits until all processes have ended well, or one, here or on another machine, has not."""
        key = f"failure of {attempt}"
        looked = time.monotonic()
        while True:
            codes = [process.poll() for process in processes]
            failed = [(local, code) for local, code in enumerate(codes) if code]
            if failed:
                local, code = min(failed, key=lambda each: each[1] < 0 and each[1] == -signal.SIGTERM)
                failure = Failure(first + local, local, processes[local].pid, code, time.time())
                if self.nodes > 1:
                    self.store.compare_set(key, "", " ".join(map(str, failure)))
                return failure
            if None not in codes:
                return None
            if self.nodes > 1 and time.monotonic() - looked > 1:
                looked = time.monotonic()
                if self.store.check([key]):
                    rank, local, pid, code, when = self.store.get(key).decode().split()
                    return Failure(int(rank), int(local), int(pid), int(code), float(when))
            time.sleep(self.options.monitor_interval)

    def _finish(self) -> None:
        """Closes the store; its host once the other machines' launchers are done."""
        if self.nodes > 1:
            self.store.add("finished", 1)
            deadline = time.monotonic() + _PATIENCE * 2
            while self.node == 0 and self.store.add("finished", 0) < self.nodes and time.monotonic() < deadline:
                time.sleep(_LOOK)
        self.store.shutdown()


def _processes(text: str) -> int:
    """How many processes --nproc-per-node means."""
    if text in ("auto", "cpu"):
        return os.cpu_count() or 1
    if text == "gpu":
        from .. import cuda
        return cuda.device_count() or _no_gpu()
    count = int(text) if text.isdigit() else 0
    if count < 1:
        raise ValueError(f"Unsupported nproc_per_node value: {text}")
    return count


def _no_gpu() -> int:
    raise ValueError("--nproc-per-node=gpu: Cuda is not available.")


def _end(processes: list[subprocess.Popen]) -> None:
    """Ends what still runs: politely at first."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _report(failure: Failure, program: str) -> str:
    """What is printed below the traceback of the process itself."""
    if failure.code < 0:
        name = signal.Signals(-failure.code).name if -failure.code in set(signal.Signals) else str(-failure.code)
        how = f"Signal {-failure.code} ({name}) received by PID {failure.pid}"
    else:
        how = "the traceback, if there is one, is above"
    line = "=" * 60
    when = time.strftime("%Y-%m-%d_%H:%M:%S", time.localtime(failure.when))
    return "\n".join((
        line, f"{program} FAILED", "-" * 60, "Root Cause (first observed failure):", "[0]:", f"  time      : {when}",
        f"  host      : {socket.gethostname()}", f"  rank      : {failure.rank} (local_rank: {failure.local_rank})",
        f"  exitcode  : {failure.code} (pid: {failure.pid})", f"  traceback : {how}", line))


if __name__ == "__main__":
    sys.exit(main())
