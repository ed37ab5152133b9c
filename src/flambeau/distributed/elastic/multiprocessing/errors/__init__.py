"""How a process says why it failed, and how a launcher reports it.

A process under a launcher finds the name of a file in TORCHELASTIC_ERROR_FILE; `record` writes exceptions there.
"""
from __future__ import annotations

import functools
import json
import os
import signal
import socket
import time
import traceback
from datetime import datetime
from typing import Any, Callable, Mapping

__all__ = ["ChildFailedError", "ProcessFailure", "record"]

_UNKNOWN = "<N/A>"


def record(fn: Callable, error_handler: None = None) -> Callable:
    """Decorator for a program's main function: an exception's traceback becomes part of the launcher's report."""
    if error_handler is not None:
        raise TypeError("record: exceptions are written to the launcher's file; there are no other handlers")

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except SystemExit as end:
            if end.code == 0:
                return None
            raise
        except Exception as error:
            _write(error)
            raise
    return wrapper


def _write(error: Exception) -> None:
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        extra = {"py_callstack": traceback.format_exc(), "timestamp": str(int(time.time()))}
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"message": {"message": f"{type(error).__name__}: {error}", "extraInfo": extra}}, file)


class ProcessFailure:
    """A process that failed. error_file: what `record` has written in it, or nothing. Attributes as the arguments, and
    `message` (str, or what was written) and `timestamp` (seconds since 1970)."""

    def __init__(self, local_rank: int, pid: int, exitcode: int, error_file: str) -> None:
        self.local_rank, self.pid, self.exitcode, self.error_file = local_rank, pid, exitcode, error_file
        self.message: Any = ""
        self.timestamp = int(time.time())
        self.error_file_data: dict = {"message": _UNKNOWN}
        if os.path.isfile(error_file):
            with open(error_file, encoding="utf-8") as file:
                self.error_file_data = json.load(file)
            self.message = self.error_file_data["message"]
            extra = self.message["extraInfo"] if isinstance(self.message, dict) else self.error_file_data
            self.timestamp = int(extra.get("timestamp", 0))
        else:
            self.error_file = _UNKNOWN
        if not self.message:
            self.message = (f"Signal {-exitcode} ({self.signal_name()}) received by PID {pid}" if exitcode < 0 else
                            "decorate the main function with torch.distributed.elastic.multiprocessing.errors.record to see it here")

    def signal_name(self) -> str:
        """Of the signal that ended the process, "<N/A>" without one."""
        known = {int(each): each.name for each in signal.Signals}
        return known.get(-self.exitcode, _UNKNOWN)

    def timestamp_isoformat(self) -> str:
        return datetime.fromtimestamp(self.timestamp).isoformat(sep="_")


class ChildFailedError(Exception):
    """A launcher's report. name: of the program; failures: by rank."""

    def __init__(self, name: str, failures: Mapping[int, ProcessFailure]) -> None:
        self.name, self.failures = name, failures
        super().__init__(self.format_msg())

    def get_first_failure(self) -> tuple[int, ProcessFailure]:
        """(rank, failure) of the process that failed first."""
        rank = min(self.failures, key=lambda each: self.failures[each].timestamp)
        return rank, self.failures[rank]

    def format_msg(self, boarder_delim: str = "=", section_delim: str = "-") -> str:
        """The report, of several lines."""
        root, _ = self.get_first_failure()
        parts = {rank: _described(number, rank, failure) for number, (rank, failure) in enumerate(self.failures.items())}
        others = [part for rank, part in parts.items() if rank != root] or ["  <NO_OTHER_FAILURES>"]
        title = f"{self.name} FAILED"
        width = min(60, max(len(line) for line in [title, *"\n".join(parts.values()).split("\n")]))
        border, section = boarder_delim * width, section_delim * width
        return "\n".join(("", border, title, section, "Failures:", *others, section, "Root Cause (first observed failure):",
                          parts[root], border))


def _described(number: int, rank: int, failure: ProcessFailure) -> str:
    message = failure.message
    if isinstance(message, dict):
        message = message.get("extraInfo", {}).get("py_callstack", message.get("message", _UNKNOWN)).replace("\n", "\n  ")
    name = failure.signal_name()
    return "\n".join((f"[{number}]:", f"  time      : {failure.timestamp_isoformat()}", f"  host      : {socket.getfqdn()}",
                      f"  rank      : {rank} (local_rank: {failure.local_rank})",
                      f"  exitcode  : {failure.exitcode} (pid: {failure.pid}) {'' if name == _UNKNOWN else f' ({name})'}",
                      f"  error_file: {failure.error_file}", f"  traceback : {message}"))
