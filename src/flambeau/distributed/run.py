"""Starts a program in several processes: `flambeau launch`, `torchrun` and `python -m torch.distributed.run`.

The launcher of each machine starts its processes, says in their environment who they are, and watches them. One of the machines hosts
the store at which all meet. If a process fails, the others are ended, and all of them are started again as often as --max-restarts
allows.
"""
from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta
from string import Template
from typing import Any, Iterator, Sequence

from ._arguments import machines, parser, patience, processes, settings, shown_ranks, signals, streams
from ._output import Output
from .elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from .errors import DistError, DistNetworkError
from .rendezvous import SECRET, job_secret
from .store import PrefixStore, TCPStore

_LOOK = 0.05  # seconds between two looks at other machines
_GOODBYE = 10.0  # seconds that the store's host waits for the other machines
_STATIC_PORT, _C10D_PORT = 29500, 29400


class Stopped(Exception):
    """The launcher was sent a signal."""

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        super().__init__(f"Process {os.getpid()} got signal: {self.number.name}")


def main(argv: Sequence[str] | None = None, prog: str = "torchrun") -> int:
    """Starts what argv says and waits for the end; 0, or 1 if a process has failed, a signal came, or argv makes no sense."""
    options = parser(prog).parse_args(argv)
    try:
        Launcher(options).run()
    except (ValueError, OSError, DistError, ChildFailedError, Stopped) as error:
        print(f"{prog}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


class Launcher:
    """The processes of one machine. options: of `parser`.

    Errors: ValueError for options that make no sense; DistNetworkError if the master's port is in use.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.nodes, self.count = machines(str(options.nnodes)), processes(options.nproc_per_node)
        self._check()
        self.signals, self.patience = signals(options.signals_to_handle), patience(options.shutdown_timeout)
        alone = self.nodes == 1 and (options.standalone or not options.rdzv_endpoint and options.master_port is None
                                     and options.rdzv_backend == "static")
        self.job = str(uuid.uuid4()) if alone else options.rdzv_id
        self.output = Output(options.log_dir, self.job, streams(options.redirects, self.count), streams(options.tee, self.count),
                             shown_ranks(options.local_ranks_filter, self.count))
        # other machines know the secret only if somebody has told them
        self.secret = job_secret() or (secrets.token_hex().encode() if self.nodes == 1 else None)
        self.store = self._meet()
        self.shared = PrefixStore(f"job {self.job}", self.store)
        self.node = options.node_rank if options.rdzv_backend == "static" else self.shared.add("machines", 1) - 1
        if self.node >= self.nodes:
            raise ValueError(f"there are {self.nodes} machines in job {self.job} already")

    def _check(self) -> None:
        options = self.options
        if not 0 <= options.node_rank < self.nodes:
            raise ValueError(f"Invalid node rank {options.node_rank}, it should be in the interval [0, {self.nodes - 1}]")
        if options.standalone and self.nodes != 1:
            raise ValueError("--standalone is for one machine: --nnodes=1")
        if options.max_restarts < 0:
            raise ValueError("max_restarts must be >= 0")
        if options.no_python and options.module and not options.run_path:
            raise ValueError("Don't use both the '--no-python' flag and the '--module' flag at the same time.")

    def _meet(self) -> TCPStore:
        """The store of all machines, which one of them hosts."""
        said = settings(self.options.rdzv_conf)
        timeout = timedelta(seconds=float(said.get("join_timeout", said.get("timeout", 600))))
        host, port = self._endpoint()
        if self.options.rdzv_backend == "static" or self.nodes == 1:
            return TCPStore(host, port, is_master=self.options.node_rank == 0, timeout=timeout, secret=self.secret)
        here = said["is_host"].lower() in ("1", "true", "t", "yes", "y") if "is_host" in said else _is_here(host, self.options.local_addr)
        if here:
            try:
                return TCPStore(host, port, is_master=True, timeout=timeout, secret=self.secret)
            except DistNetworkError:
                pass  # another launcher on this machine was first
        return TCPStore(host, port, timeout=timeout, secret=self.secret)

    def _endpoint(self) -> tuple[str, int]:
        options = self.options
        if options.standalone:
            return "127.0.0.1", 0
        host, port = options.master_addr, options.master_port
        if options.rdzv_endpoint:
            host, _, number = options.rdzv_endpoint.rpartition(":") if ":" in options.rdzv_endpoint else (options.rdzv_endpoint, "", "")
            port = int(number) if number else _C10D_PORT if options.rdzv_backend == "c10d" else port
        if self.nodes == 1:
            return host or "127.0.0.1", port or 0
        if not host:
            raise ValueError("several machines meet at --rdzv-endpoint, or --master-addr: give it")
        return host, _STATIC_PORT if port is None else port

    def run(self) -> None:
        """Returns when all processes have ended well; ChildFailedError if they fail too often, Stopped at a signal."""
        try:
            with self._stopping_at_signals():
                first, world = self._places()
                failures = self._attempt(0, first, world)
                for attempt in range(1, self.options.max_restarts + 1):
                    if failures:
                        print(f"{ChildFailedError(self.options.program, failures)}\n{self.options.max_restarts - attempt + 1} restart(s) left: "
                              "starting all processes again", file=sys.stderr, flush=True)
                        failures = self._attempt(attempt, first, world)
                self._leave()
            if failures:
                raise ChildFailedError(self.options.program, failures)
        finally:
            self.store.shutdown()
            self.output.remove()

    @contextmanager
    def _stopping_at_signals(self) -> Iterator[None]:
        def stop(number: int, frame: Any) -> None:
            raise Stopped(number)
        handled = self.signals if threading.current_thread() is threading.main_thread() else []
        before = {number: signal.signal(number, stop) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _places(self) -> tuple[int, int]:
        """(the rank of this machine's first process, how many there are on all machines)."""
        self.shared.set(f"processes of {self.node}", str(self.count))
        counts = [int(self.shared.get(f"processes of {node}")) for node in range(self.nodes)]
        return sum(counts[:self.node]), sum(counts)

    def _attempt(self, attempt: int, first: int, world: int) -> dict[int, ProcessFailure]:
        """Starts all processes and waits until they have ended. What failed first on any machine, by rank."""
        if self.nodes > 1:  # all machines begin together
            self.shared.add(f"ready for {attempt}", 1)
            while self.shared.add(f"ready for {attempt}", 0) < self.nodes:
                time.sleep(_LOOK)
        started: list[subprocess.Popen] = []
        ending = signal.SIGTERM
        try:
            for local in range(self.count):
                started.append(self._start(local, attempt, first, world))
            return self._watch(started, attempt, first)
        except Stopped as stop:
            ending = stop.number
            raise
        finally:
            _end(started, ending, self.patience)
            self.output.finish()

    def _start(self, local: int, attempt: int, first: int, world: int) -> subprocess.Popen:
        environment = {**os.environ, **self._environment(local, attempt, first, world)}
        output = self.output.open(attempt, local)
        try:
            return subprocess.Popen(self._command(), env=environment, **output)
        finally:
            self.output.started(output, _prefix(self.options.role, first + local, local))

    def _command(self) -> list[str]:
        options = self.options
        program = [options.program, *options.arguments]
        if options.no_python and not options.run_path:
            return program
        module = ["-m"] if options.module and not options.run_path else []
        return [os.environ.get("PYTHON_EXEC", sys.executable), "-u", "-m", "flambeau", "run", *module, *program]

    def _environment(self, local: int, attempt: int, first: int, world: int) -> dict[str, str]:
        said = {
            "RANK": first + local, "LOCAL_RANK": local, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": self.count,
            "GROUP_RANK": self.node, "GROUP_WORLD_SIZE": self.nodes, "ROLE_NAME": self.options.role,
            "ROLE_RANK": first + local, "ROLE_WORLD_SIZE": world, "MASTER_ADDR": self.store.host, "MASTER_PORT": self.store.port,
            "TORCHELASTIC_RUN_ID": self.job, "TORCHELASTIC_RESTART_COUNT": attempt,
            "TORCHELASTIC_MAX_RESTARTS": self.options.max_restarts, "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_ERROR_FILE": self.output.error_file(attempt, local),
            "TORCHELASTIC_SIGNALS_TO_HANDLE": self.options.signals_to_handle,
        }
        if self.options.virtual_local_rank:
            visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
            if visible and local >= len(visible):
                raise ValueError(f"local_rank {local} exceeds available GPUs in CUDA_VISIBLE_DEVICES={','.join(visible)}")
            said.update({"LOCAL_RANK": 0, "CUDA_VISIBLE_DEVICES": visible[local] if visible else local})
        if self.count > 1 and "OMP_NUM_THREADS" not in os.environ:
            said["OMP_NUM_THREADS"] = max(1, (os.cpu_count() or 1) // self.count)
        if self.secret is not None:
            said[SECRET] = self.secret.decode()
        return {name: str(value) for name, value in said.items()}

    def _watch(self, started: list[subprocess.Popen], attempt: int, first: int) -> dict[int, ProcessFailure]:
        """Waits until all processes have ended well, or one, here or on another machine, has not."""
        key = f"failure of {attempt}"
        looked = time.monotonic()
        while True:
            codes = [process.poll() for process in started]
            failed: dict[int, list[Any]] = {
                first + local: [local, started[local].pid, code, self.output.error_file(attempt, local)]
                for local, code in enumerate(codes) if code}
            if failed:
                if self.nodes > 1:
                    self.shared.compare_set(key, "", json.dumps(failed))
                return {rank: ProcessFailure(*each) for rank, each in failed.items()}
            if None not in codes:
                return {}
            if self.nodes > 1 and time.monotonic() - looked > 1:
                looked = time.monotonic()
                if self.shared.check([key]):
                    return {int(rank): ProcessFailure(*each) for rank, each in json.loads(self.shared.get(key)).items()}
            time.sleep(self.options.monitor_interval)

    def _leave(self) -> None:
        """Says goodbye; the store's host waits for the other machines to do so."""
        if self.nodes > 1:
            self.shared.add("finished", 1)
            deadline = time.monotonic() + _GOODBYE
            while self.store.is_host and self.shared.add("finished", 0) < self.nodes and time.monotonic() < deadline:
                time.sleep(_LOOK)


def _is_here(host: str, local_address: str | None) -> bool:
    """Whether `host` is this machine: an address that can be bound is."""
    if host in ("localhost", socket.gethostname(), socket.getfqdn(), local_address):
        return True
    try:
        with socket.create_server((host, 0)):
            return True
    except OSError:
        return False


def _prefix(role: str, rank: int, local: int) -> str:
    """What stands before a process's lines on the console."""
    template = os.environ.get("TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE", "[${role_name}${local_rank}]:")
    return Template(template).safe_substitute(role_name=role, rank=rank, local_rank=local)


def _end(started: list[subprocess.Popen], number: int, patience: float) -> None:
    """Ends what still runs: politely at first."""
    running = [process for process in started if process.poll() is None]
    for process in running:
        process.send_signal(number)
    deadline = time.monotonic() + patience
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
