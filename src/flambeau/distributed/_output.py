"""Where the processes of `flambeau launch` write: the console, files, or both."""
from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from typing import Any, BinaryIO, Sequence

_LAST_WORDS = 2.0  # seconds in which what processes have written before their end is still read
_NAMES = {1: "stdout", 2: "stderr"}


class Output:
    """The files of one job. log_dir: None for a temporary folder, which is removed at the end if nothing was written.

    redirects, tees: for each process which of its streams go to files, and to files and the console (1 stdout, 2 stderr, 3 both);
    shown: whose others go to the console. Files are log_dir/<job>_…/attempt_0/<local rank>/stdout.log.
    """

    def __init__(self, log_dir: str | None, job: str, redirects: Sequence[int], tees: Sequence[int], shown: set[int]) -> None:
        self._redirects, self._tees, self._shown = redirects, tees, shown
        self._temporary = tempfile.mkdtemp(prefix="torchelastic_") if log_dir is None else None
        root = log_dir or self._temporary
        assert root is not None
        if os.path.isfile(root):
            raise NotADirectoryError(f"log_dir: {root} is a file")
        os.makedirs(root, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix=f"{job}_", dir=root)
        self._tee_threads: list[threading.Thread] = []

    def error_file(self, attempt: int, local: int) -> str:
        """Where a process may say why it fails."""
        return os.path.join(self._folder(attempt, local), "error.json")

    def _folder(self, attempt: int, local: int) -> str:
        folder = os.path.join(self.folder, f"attempt_{attempt}", str(local))
        os.makedirs(folder, exist_ok=True)
        return folder

    def open(self, attempt: int, local: int) -> dict[str, Any]:
        """stdout and stderr for a process to be started; then call `started`."""
        return {_NAMES[bit]: self._stream(bit, attempt, local) for bit in (1, 2)}

    def _stream(self, bit: int, attempt: int, local: int) -> Any:
        tees = self._tees[local] & bit
        if not tees and not self._redirects[local] & bit:
            return None if local in self._shown else open(os.devnull, "wb")
        file = open(os.path.join(self._folder(attempt, local), _NAMES[bit] + ".log"), "wb")
        return _Teed(file, bit, local in self._shown) if tees else file

    def started(self, streams: dict[str, Any], prefix: str) -> None:
        """What remains to be done here once the process has its streams. prefix: before lines on the console."""
        for stream in filter(None, streams.values()):
            if isinstance(stream, _Teed):
                thread = threading.Thread(target=stream.copy, args=(prefix,), name="tee", daemon=True)
                thread.start()
                self._tee_threads.append(thread)
            stream.close()

    def finish(self) -> None:
        """Waits for what processes have written before they ended."""
        for thread in self._tee_threads:
            thread.join(_LAST_WORDS)  # a process that was started by one of ours may keep the pipe open
        self._tee_threads.clear()

    def remove(self) -> None:
        """Removes a temporary folder in which there are no files."""
        if self._temporary and not any(files for _, _, files in os.walk(self._temporary)):
            shutil.rmtree(self._temporary, ignore_errors=True)


class _Teed:
    """The end of a pipe that a process writes to. What it writes goes to `file`, and, if `shows`, to the console."""

    def __init__(self, file: BinaryIO, bit: int, shows: bool) -> None:
        self._file, self._bit, self._shows = file, bit, shows
        self._source, self._end = os.pipe()

    def fileno(self) -> int:
        return self._end

    def close(self) -> None:
        os.close(self._end)

    def copy(self, prefix: str) -> None:
        """Copies line by line until nobody can write any more."""
        with os.fdopen(self._source, "rb") as source, self._file as file:
            for line in source:
                file.write(line)
                file.flush()
                if self._shows:
                    console = sys.stdout if self._bit == 1 else sys.stderr
                    console.write(prefix + line.decode(errors="replace"))
                    console.flush()
