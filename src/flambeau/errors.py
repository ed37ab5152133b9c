"""Where in the user's program something happened: the frames that are not this package's own."""
from __future__ import annotations

import linecache
import os
import sys
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Any, Iterable, Iterator, NamedTuple

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_EXAMPLES = os.path.join(_PACKAGE, "examples") + os.sep  # programs as a user writes them


@lru_cache(maxsize=None)
def is_own(filename: str) -> bool:
    """Whether a file is part of flambeau."""
    return filename.startswith(_PACKAGE) and not filename.startswith(_EXAMPLES)


def user_frames(stack: Iterable[Any]) -> list[Any]:
    """The user's frames of an extracted stack."""
    return [frame for frame in stack if not is_own(frame.filename)]


Site = tuple[CodeType, int]  # a place in the user's program: its code, and the instruction


class _Known(dict):
    """filename → is_own(filename), without a call for those seen before: this is on the recorder's path."""

    def __missing__(self, filename: str) -> bool:
        own = self[filename] = is_own(filename)
        return own


_own = _Known()


def call_site() -> Site | None:
    """The place in the user's program that is being executed."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not _own[code.co_filename]:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def call_sites() -> Iterator[Site]:
    """The places in the user's program that are being executed, from the innermost outwards."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if not _own[frame.f_code.co_filename]:
            yield frame.f_code, frame.f_lasti
        frame = frame.f_back


class Line(NamedTuple):
    """A line of the user's program."""

    filename: str
    lineno: int


def locate(site: Site) -> Line:
    """The line of a place."""
    code, instruction = site
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end and line)
    return Line(code.co_filename, next(lines, code.co_firstlineno))


def describe(site: Site) -> str:
    """A place as tracebacks show it: file, line number, source."""
    filename, lineno = locate(site)
    source = linecache.getline(filename, lineno).strip()
    return f'  File "{filename}", line {lineno}' + (f"\n    {source}" if source else "")


def without_own_frames(error: BaseException, traceback: TracebackType | None) -> TracebackType | None:
    """The traceback of an error that flambeau raises on purpose, or that a file is to blame for, without flambeau's frames.

    Others stay as they are: they may be mistakes of flambeau's own.
    """
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    kept = [t for t in frames if not is_own(t.tb_frame.f_code.co_filename)]
    if not kept or kept[-1] is not frames[-1] and not isinstance(error, OSError) and not _raises(frames[-1]):
        return frames[0] if frames else None
    shown: TracebackType | None = None
    for t in reversed(kept):
        shown = TracebackType(shown, t.tb_frame, t.tb_lasti, t.tb_lineno)
    return shown


def _raises(traceback: TracebackType) -> bool:
    """Whether a frame's line is a `raise` statement, not a mistake that Python noticed."""
    line = linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
    return line.strip().startswith("raise") or ": raise " in line
