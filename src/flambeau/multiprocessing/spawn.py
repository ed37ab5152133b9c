"""One function in several processes, with the first error of any of them raised in the parent."""
from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection, wait
from typing import Callable, Sequence

ENV_VAR_PARALLEL_START = "TORCH_MP_PARALLEL_START"
_LONGEST = 30_000  # characters of a traceback; a pipe takes them without anybody reading
_PATIENCE = 30.0  # seconds that the others have to end after one has failed


class ProcessException(Exception):
    """A process has failed. error_index: its number; error_pid, msg: its process and what is known."""

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, pid
        self.pid = pid

    def __reduce__(self) -> tuple:
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """It raised an exception; the message has its traceback."""


class ProcessExitedException(ProcessException):
    """It ended by a signal or with an exit code."""

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> tuple:
        return type(self), (self.msg, self.error_index, self.pid, self.exit_code, self.signal_name)


def _run(fn: Callable, index: int, args: Sequence, report: Connection) -> None:
    """What a process does. report: where the traceback of an error goes."""
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the parent was interrupted, too
    except Exception:
        report.send(traceback.format_exc()[-_LONGEST:])
        sys.exit(1)


class ProcessContext:
    """Processes under way, and a pipe from each for the traceback of its error. `join` them."""

    def __init__(self, processes: list, reports: list[Connection]) -> None:
        self.processes, self.reports = processes, reports
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Waits until one ends, at most `timeout` seconds. True if all have ended, well.

        grace_period: seconds that the others have, after one has failed, before they are told to end.
        Errors: ProcessRaisedException with the traceback, or ProcessExitedException, of the first that failed.
        """
        if not self.sentinels:
            return True
        ready = wait(self.sentinels.keys(), timeout)
        failed = None
        for sentinel in ready:
            index = self.sentinels.pop(sentinel)  # type: ignore[arg-type]
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._end_others(grace_period)
        raise self._error(failed)

    def _end_others(self, grace_period: float | None) -> None:
        deadline = time.monotonic() + (grace_period or 0.0)
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _error(self, index: int) -> ProcessException:
        process, report = self.processes[index], self.reports[index]
        if process.exitcode == 1 and report.poll():
            text = report.recv()
            return ProcessRaisedException(f"\n\n-- Process {index} terminated with the following error:\n{text}", index, process.pid)
        code = process.exitcode
        if code < 0:
            name = signal.Signals(-code).name
            return ProcessExitedException(f"process {index} terminated with signal {name}", index, process.pid, code, name)
        return ProcessExitedException(f"process {index} terminated with exit code {code}", index, process.pid, code)


SpawnContext = ProcessContext


def start_processes(fn: Callable, args: Sequence = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
                    start_method: str = "spawn") -> ProcessContext | None:
    """Runs fn(i, *args) in process i of `nprocs`.

    join: wait for all of them; otherwise a ProcessContext is returned. daemon: end them with this process.
    Errors: see ProcessContext.join.
    """
    context = multiprocessing.get_context(start_method)
    processes, reports = [], []
    for index in range(nprocs):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, index, args, sender), daemon=daemon)  # type: ignore[attr-defined]
        process.start()
        processes.append(process)
        reports.append(receiver)
    started = ProcessContext(processes, reports)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(fn: Callable, args: Sequence = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
          start_method: str = "spawn") -> ProcessContext | None:
    """`start_processes` with the start method "spawn": each process imports the main program afresh."""
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
